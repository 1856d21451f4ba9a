"""``python -m services.shop_bridge``."""

from runtime.worker import main
from services.shop_bridge.edge.caller import callers
from services.shop_bridge.processor import PROCESSORS
from services.shop_bridge.shops import BridgeSettings

SUMMARY = "Makes orders of groups out of what shops tell of theirs."

if __name__ == "__main__":
    main(PROCESSORS, SUMMARY, callers, BridgeSettings)
