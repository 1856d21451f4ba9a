"""``python -m services.favor_service``."""

from runtime.worker import main
from services.favor_service.processor import PROCESSORS

main(PROCESSORS, "Decides what favor each member of a closed group gets.")
