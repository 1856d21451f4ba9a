"""``python -m services.notifier``."""

from runtime.worker import main
from services.notifier.edge.mailer import callers
from services.notifier.processor import PROCESSORS
from services.notifier.settings import MailSettings

main(PROCESSORS, "Writes letters from notices and sends each once.", callers, MailSettings)
