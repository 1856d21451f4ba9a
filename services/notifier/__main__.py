"""``python -m services.notifier``, or ``faust -A services.notifier worker``."""

from runtime.worker import WorkerProcess
from services.notifier.edge.mailer import callers
from services.notifier.processor import PROCESSORS
from services.notifier.settings import MailSettings

PROCESS = WorkerProcess(
    PROCESSORS, "Writes letters from notices and sends each once.", callers, MailSettings
)

if __name__ == "__main__":
    PROCESS.main()
