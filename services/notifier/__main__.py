"""``python -m services.notifier``."""

from services.notifier.mailer import callers
from services.notifier.processor import PROCESSORS
from services.notifier.settings import MailSettings
from services.runtime.worker import main

main(PROCESSORS, "Writes letters from notices and sends each once.", callers, MailSettings)
