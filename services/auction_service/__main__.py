"""``python -m services.auction_service``."""

from services.auction_service.processor import PROCESSORS
from services.runtime.worker import main

main(PROCESSORS, "Knows the sellers, and runs counter auctions from opening to contract.")
