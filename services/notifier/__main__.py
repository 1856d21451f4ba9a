"""``python -m services.notifier``, or ``faust -A services.notifier worker``."""

from datetime import timedelta

from runtime.processor import Processor
from runtime.settings import read_settings
from runtime.worker import WorkerProcess
from services.notifier.edge.mailer import callers
from services.notifier.processor import PROCESSORS, letters
from services.notifier.settings import MailSettings


def as_set() -> tuple[Processor, ...]:
    """The processors, whose letters wait as long as ``MERGE_MINUTES`` says."""
    return (letters(timedelta(minutes=read_settings(MailSettings).merge_minutes)),)


PROCESS = WorkerProcess(
    PROCESSORS, "Writes letters from notices and sends each once.", callers, MailSettings, as_set
)

if __name__ == "__main__":
    PROCESS.main()
