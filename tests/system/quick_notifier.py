"""``python -m tests.system.quick_notifier``: the notifier with pauses of seconds, not of hours."""

from services.notifier import rules
from services.notifier.mailer import callers
from services.notifier.processor import PROCESSORS
from services.notifier.settings import MailSettings
from services.runtime import breaker
from services.runtime.worker import main

#: A minute's pause takes a second; all else is as it is in service.
QUICKER = 60

rules.PAUSES = tuple(min(pause, rules.PAUSES[2]) / QUICKER for pause in rules.PAUSES)
breaker.PAUSES = tuple(pause / QUICKER for pause in breaker.PAUSES)

if __name__ == "__main__":
    main(PROCESSORS, "Sends letters, and soon again.", callers, MailSettings)
