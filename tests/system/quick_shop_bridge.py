"""``python -m tests.system.quick_shop_bridge``: shops with pauses of moments, not of hours."""

from datetime import timedelta

from services.runtime import breaker
from services.runtime.worker import main
from services.shop_bridge.outbound import hearing
from services.shop_bridge.outbound.caller import callers
from services.shop_bridge.processor import PROCESSORS
from services.shop_bridge.shops import BridgeSettings

#: A minute's pause takes a second; all else is as it is in service.
QUICKER = 60

hearing.PAUSES = tuple(pause / QUICKER for pause in hearing.PAUSES[:3])
hearing.OPEN_PAUSE = timedelta(seconds=1)

breaker.PAUSES = tuple(pause / QUICKER for pause in breaker.PAUSES[:4])

if __name__ == "__main__":
    main(PROCESSORS, "Pays back at shops, and soon again.", callers, BridgeSettings)
