"""``python -m services.auction_service``, or ``faust -A services.auction_service worker``."""

from runtime.worker import WorkerProcess
from services.auction_service.processor import PROCESSORS

PROCESS = WorkerProcess(
    PROCESSORS, "Knows the sellers, and runs counter auctions from opening to contract."
)

if __name__ == "__main__":
    PROCESS.main()
