"""``python -m services.order_service``, or ``faust -A services.order_service worker``."""

from runtime.worker import WorkerProcess
from services.order_service.processor import PROCESSORS

PROCESS = WorkerProcess(PROCESSORS, "Tallies orders under a group's id and closes the group.")

if __name__ == "__main__":
    PROCESS.main()
