"""``python -m services.payment_service``."""

from runtime.worker import main
from services.payment_service.edge import callers
from services.payment_service.processor import PROCESSORS
from services.payment_service.settings import CardSettings

main(PROCESSORS, "Moves the difference between owed and paid, once.", callers, CardSettings)
