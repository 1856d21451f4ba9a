"""How late the event loop is: what keeps it busy delays heartbeats, pages and deadlines."""

import asyncio
import time

from runtime.metrics import LOOP_DELAY

EVERY_SECONDS = 1.0


async def measure() -> None:
    """Observe until cancelled."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(EVERY_SECONDS)
        LOOP_DELAY.observe(max(time.monotonic() - began - EVERY_SECONDS, 0))
