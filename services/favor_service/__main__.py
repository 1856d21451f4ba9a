"""``python -m services.favor_service``."""

from services.favor_service.processor import PROCESSORS
from services.runtime.worker import main

main(PROCESSORS, "Decides what favor each member of a closed group gets.")
