"""``python -m services.shop_bridge``, or ``faust -A services.shop_bridge worker``."""

from runtime.worker import WorkerProcess
from services.shop_bridge.edge.caller import callers
from services.shop_bridge.processor import PROCESSORS
from services.shop_bridge.shops import BridgeSettings

SUMMARY = "Makes orders of groups out of what shops tell of theirs."
PROCESS = WorkerProcess(PROCESSORS, SUMMARY, callers, BridgeSettings)

if __name__ == "__main__":
    PROCESS.main()
