"""``python -m services.order_service``."""

from services.order_service.processor import PROCESSORS
from services.runtime.worker import main

main(PROCESSORS, "Tallies orders under a group's id and closes the group.")
