"""Recorded shop data, replayed through real brokers and workers, comes to what the oracle says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from stack.brokers import RunningBroker
from tests.chaos.recorded import (
    SHUFFLE_SECONDS,
    VICTIMS,
    Kills,
    Replay,
    WholeTopic,
    beibei_replay,
    cut,
    read_whole,
    retail_replay,
)
from tests.oracle.compare import compare
from tests.system.stack import Stack, stack_on, until

pytestmark = pytest.mark.system
SERVICES = ("request_service", "order_service", "favor_service")
REPLAY_SECONDS = 180.0


@pytest.fixture
def retail(data: Path, tmp_path: Path) -> Replay:
    """Both months: those of the first are over for ninety days before the second one ends."""
    folder = data / "online-retail"
    december = cut(folder / "2010-12.csv.gz", tmp_path, 3_500)
    return retail_replay(december, cut(folder / "2011-03.csv.gz", tmp_path, 2_500))


@pytest.fixture
def shapes(data: Path) -> Replay:
    """Groups of listed members, which come nine years after ``retail``."""
    return beibei_replay(data / "beibei", limit=1_500)


# The same with kills is below; without, on both brokers, it is for `make long`.
@pytest.mark.long
@pytest.mark.parametrize("broker_kind", ["kafka", "embedded"])
def test_recorded_data_comes_to_what_its_files_say(
    broker_kind: str,
    request: pytest.FixtureRequest,
    retail: Replay,
    shapes: Replay,
    tmp_path: Path,
) -> None:
    """Every group, purchaser, refusal and favor is what the files say, and each is told once."""
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    with stack_on(broker, tmp_path) as stack:
        stack.start(*SERVICES)
        for each in (retail, shapes):
            run(stack, each.told())
            purchases = held_to_the_oracle(stack, each)
            assert not purchases.repeated


@pytest.mark.long
def test_a_replay_run_twice_changes_nothing(
    kafka: RunningBroker, data: Path, shapes: Replay, tmp_path: Path
) -> None:
    """The same files again: refused returns are refused again, and nothing else is said."""
    retail = retail_replay(cut(data / "online-retail" / "2010-12.csv.gz", tmp_path, 2_000))
    with stack_on(kafka, tmp_path) as stack:
        stack.start(*SERVICES)
        for each in (retail, shapes):
            run(stack, each.told())
            before = held_to_the_oracle(stack, each)
            favors_before = read_whole(stack.settings, "favors")
            run(stack, each.told())
            after = held_to_the_oracle(stack, each)

            assert after.latest == before.latest
            again = after.repeated - before.repeated
            assert after.records - before.records == again["OrderRefused"] == again.total()
            assert read_whole(stack.settings, "favors") == favors_before


@pytest.mark.long
def test_repeated_and_displaced_orders_change_nothing(
    kafka: RunningBroker, retail: Replay, data: Path, tmp_path: Path
) -> None:
    """One record in twenty comes twice, and orders up to an hour late, within their grace."""
    shapes = beibei_replay(data / "beibei", 1_500, grace_seconds=SHUFFLE_SECONDS)
    with stack_on(kafka, tmp_path) as stack:
        stack.start(*SERVICES)
        run(stack, retail.told("--repeat-percent", "5", "--seed", "1"))
        assert set(held_to_the_oracle(stack, retail).repeated) <= {"OrderRefused"}
        run(stack, shapes.told("--repeat-percent", "5", "--shuffle-seconds", f"{SHUFFLE_SECONDS}"))
        held_to_the_oracle(stack, shapes)


@pytest.mark.parametrize(
    ("broker_kind", "times"),
    [
        ("kafka", 3),
        pytest.param("kafka", 5, marks=pytest.mark.long),
        pytest.param("embedded", 2, marks=pytest.mark.long),
    ],
)
def test_kills_change_nothing(
    broker_kind: str,
    times: int,
    request: pytest.FixtureRequest,
    retail: Replay,
    tmp_path: Path,
) -> None:
    """Workers killed over and over go on where they were; with transactions no output is doubled.

    Without, what was sent again says the same as before.
    """
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    with stack_on(broker, tmp_path) as stack:
        # Small batches, so that a kill finds one in hand.
        _, *victims = stack.start(*SERVICES, BATCH_RECORDS_MAX="50")
        plan = [
            (worker, Kills(topic, retail.records[topic], times, Random(number)))
            for number, (worker, topic) in enumerate(zip(victims, VICTIMS.values(), strict=True))
        ]

        def killed_enough() -> bool:
            for worker, kills in plan:
                kills.look(worker.partitions(), worker.kill)
                if worker.process and worker.process.poll() is not None:
                    worker.start()
            return all(kills.done for _, kills in plan)

        with replaying(stack, retail.told()):
            until(f"all kills: {plan}", killed_enough, REPLAY_SECONDS)
        assert sum(kills.at_work for _, kills in plan) > times
        purchases = held_to_the_oracle(stack, retail, kills=True)
        if broker.transactions:
            assert not purchases.repeated


# --- how -----------------------------------------------------------------------------------------


@contextmanager
def replaying(stack: Stack, told: list[str]) -> Iterator[None]:
    """A replay beside the block; ends when both have, and all is handled."""
    env = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": stack.settings.kafka_bootstrap_servers,
        "KAFKA_TRANSACTIONS": str(stack.settings.kafka_transactions),
        "TOPIC_PREFIX": stack.settings.topic_prefix,
    }
    command = [sys.executable, "-m", "replay", *told]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as replay:
        try:
            yield
            said, _ = replay.communicate(timeout=REPLAY_SECONDS)
        finally:
            replay.kill()
    assert replay.returncode == 0, said
    stack.wait_idle(REPLAY_SECONDS)


def run(stack: Stack, told: list[str]) -> None:
    """Replay, and wait until all is handled."""
    with replaying(stack, told):
        pass


def held_to_the_oracle(stack: Stack, replay: Replay, *, kills: bool = False) -> WholeTopic:
    """What ``purchases`` says, found to be right, as is what ``favors`` says and no dead letter."""
    purchases = read_whole(stack.settings, "purchases")
    favors = read_whole(stack.settings, "favors")
    for topic in (purchases, favors):
        assert not topic.changed
        assert not topic.behind()
        if stack.broker.transactions or not kills:
            assert not topic.fell
    found = compare(replay.recorded, purchases.lines(), favors.lines())
    assert not found.total, "\n".join([*found.lines, str(found.kinds)])
    assert not stack.read("dead-letters")
    return purchases
