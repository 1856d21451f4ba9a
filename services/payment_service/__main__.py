"""``python -m services.payment_service``."""

from services.payment_service.methods import callers
from services.payment_service.processor import PROCESSORS
from services.payment_service.settings import CardSettings
from services.runtime.worker import main

main(PROCESSORS, "Moves the difference between owed and paid, once.", callers, CardSettings)
