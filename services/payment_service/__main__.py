"""``python -m services.payment_service``, or ``faust -A services.payment_service worker``."""

from runtime.worker import WorkerProcess
from services.payment_service.edge import callers
from services.payment_service.processor import PROCESSORS
from services.payment_service.settings import CardSettings

PROCESS = WorkerProcess(
    PROCESSORS, "Moves the difference between owed and paid, once.", callers, CardSettings
)

if __name__ == "__main__":
    PROCESS.main()
