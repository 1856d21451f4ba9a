"""``python -m services.auction_service``."""

from runtime.worker import main
from services.auction_service.processor import PROCESSORS

main(PROCESSORS, "Knows the sellers, and runs counter auctions from opening to contract.")
