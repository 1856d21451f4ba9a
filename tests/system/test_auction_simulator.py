"""Simulated auctions on a real broker come to what the oracle says, whatever is killed."""

from pathlib import Path

import pytest

from stack.brokers import RunningBroker
from tests.simulator.auctions import simulate
from tests.simulator.on_broker import run_on
from tests.system.stack import stack_on

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("broker_kind", "auctions", "events", "kills", "messages_min"),
    [
        ("kafka", 100, 40, 2, 4_000),
        pytest.param("kafka", 300, 70, 5, 20_000, marks=pytest.mark.long),
        pytest.param("embedded", 40, 40, 2, 1_000, marks=pytest.mark.long),
    ],
)
def test_auctions_end_as_the_oracle_says_though_the_service_is_killed(
    broker_kind: str,
    auctions: int,
    events: int,
    kills: int,
    messages_min: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    broker: RunningBroker = request.getfixturevalue(broker_kind)
    history = simulate(7, auctions=auctions, events=events).with_facts_first()
    assert len(history.offers) + len(history.applications) >= messages_min
    with stack_on(broker, tmp_path) as stack:
        found = run_on(stack, history, kills)
    assert not found, "\n".join(found[:50])
