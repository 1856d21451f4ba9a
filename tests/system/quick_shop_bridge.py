"""``python -m tests.system.quick_shop_bridge``: shops with pauses of moments, not of hours."""

from datetime import timedelta

from runtime import breaker
from runtime.worker import WorkerProcess
from services.shop_bridge.edge.caller import callers
from services.shop_bridge.processor import PROCESSORS
from services.shop_bridge.rules.outbound import answers
from services.shop_bridge.shops import BridgeSettings

#: A minute's pause takes a second; all else is as it is in service.
QUICKER = 60

answers.PAUSES = tuple(pause / QUICKER for pause in answers.PAUSES[:3])
answers.OPEN_PAUSE = timedelta(seconds=1)

breaker.PAUSES = tuple(pause / QUICKER for pause in breaker.PAUSES[:4])

if __name__ == "__main__":
    WorkerProcess(PROCESSORS, "Pays back at shops, and soon again.", callers, BridgeSettings).main()
