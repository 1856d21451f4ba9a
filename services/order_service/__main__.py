"""``python -m services.order_service``."""

from runtime.worker import main
from services.order_service.processor import PROCESSORS

main(PROCESSORS, "Tallies orders under a group's id and closes the group.")
