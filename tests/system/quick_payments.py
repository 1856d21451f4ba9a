"""``python -m tests.system.quick_payments``: payments with pauses of moments, not of hours."""

from runtime import breaker
from runtime.worker import WorkerProcess
from services.payment_service.edge import callers
from services.payment_service.processor import PROCESSORS
from services.payment_service.rules import provider
from services.payment_service.settings import CardSettings

#: A minute's pause takes a second; all else is as it is in service.
QUICKER = 60

provider.PAUSES = tuple(pause / QUICKER for pause in provider.PAUSES[:4])

breaker.PAUSES = tuple(pause / QUICKER for pause in breaker.PAUSES[:4])

if __name__ == "__main__":
    WorkerProcess(PROCESSORS, "Moves money, and soon again.", callers, CardSettings).main()
