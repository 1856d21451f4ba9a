"""``python -m services.request_service``, or ``faust -A services.request_service worker``."""

from runtime.worker import WorkerProcess
from services.request_service.processor import PROCESSORS

PROCESS = WorkerProcess(
    PROCESSORS, "Gives every possible request its unique id, and refuses the others."
)

if __name__ == "__main__":
    PROCESS.main()
