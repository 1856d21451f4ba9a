"""``python -m tests.system.quick_notifier``: the notifier with pauses of seconds, not of hours."""

from runtime import breaker
from runtime.worker import WorkerProcess
from services.notifier.edge.mailer import callers
from services.notifier.processor import PROCESSORS
from services.notifier.rules import deliveries
from services.notifier.settings import MailSettings

#: A minute's pause takes a second; all else is as it is in service.
QUICKER = 60

deliveries.PAUSES = tuple(min(pause, deliveries.PAUSES[2]) / QUICKER for pause in deliveries.PAUSES)
breaker.PAUSES = tuple(pause / QUICKER for pause in breaker.PAUSES)

if __name__ == "__main__":
    WorkerProcess(PROCESSORS, "Sends letters, and soon again.", callers, MailSettings).main()
