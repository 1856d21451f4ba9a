"""``python -m services.request_service``."""

from services.request_service.processor import PROCESSORS
from services.runtime.worker import main

main(PROCESSORS, "Gives every possible request its unique id, and refuses the others.")
