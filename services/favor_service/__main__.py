"""``python -m services.favor_service``, or ``faust -A services.favor_service worker``."""

from runtime.worker import WorkerProcess
from services.favor_service.processor import PROCESSORS

PROCESS = WorkerProcess(PROCESSORS, "Decides what favor each member of a closed group gets.")

if __name__ == "__main__":
    PROCESS.main()
