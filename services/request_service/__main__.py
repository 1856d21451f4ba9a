"""``python -m services.request_service``."""

from runtime.worker import main
from services.request_service.processor import PROCESSORS

main(PROCESSORS, "Gives every possible request its unique id, and refuses the others.")
