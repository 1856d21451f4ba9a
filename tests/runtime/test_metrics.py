"""What a process shows of its partitions and of its event loop."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY

from runtime import loop_delay, metrics


def shown(name: str, processor: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"processor": processor, "partition": "3"})


def test_a_partition_is_shown_from_its_opening_until_it_closes() -> None:
    """Lateness is asked for when metrics are read, so it moves while nothing else does."""
    measured = metrics.of_partition("a-processor", 3)
    measured.opens()
    assert shown("jointbuy_partition_ready", "a-processor") == 0
    assert shown("jointbuy_clock_behind_seconds", "a-processor") is None
    late = 1.5
    measured.opened(0.25, lambda: late + 2, lambda: late)
    assert shown("jointbuy_partition_ready", "a-processor") == 1
    assert shown("jointbuy_restore_seconds", "a-processor") == 0.25
    assert shown("jointbuy_clock_behind_seconds", "a-processor") == 3.5
    late = 4
    assert shown("jointbuy_deadline_late_seconds", "a-processor") == 4
    measured.hide()
    for each in ("partition_ready", "restore_seconds", "clock_behind_seconds", "keys_held"):
        assert shown(f"jointbuy_{each}", "a-processor") is None, "another worker shows it now"
    measured.hide()


async def test_an_event_loop_that_is_held_up_shows_by_how_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    observed: asyncio.Queue[float] = asyncio.Queue()
    monkeypatch.setattr(loop_delay, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(loop_delay.LOOP_DELAY, "observe", observed.put_nowait)
    measuring = asyncio.create_task(loop_delay.measure())
    async with asyncio.timeout(20):
        assert await observed.get() >= 0
        ends = time.monotonic() + 0.2
        while time.monotonic() < ends:
            pass
        assert await observed.get() >= 0.1
    measuring.cancel()
