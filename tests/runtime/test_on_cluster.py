"""Whether a consumer group has members, by Kafka's own answers."""

import pytest
from aiokafka import errors
from aiokafka.protocol.admin import DescribeGroupsResponse_v2

from runtime.on_cluster import members_in

MEMBER = ("consumer-1", "jointbuy", "/127.0.0.1", b"", b"")
Group = tuple[int, str, str, list[tuple[str, str, str, bytes, bytes]]]


def answer(*groups: Group) -> list[tuple[object, ...]]:
    """The groups of an answer, as they come from the wire."""
    told = [(code, name, state, "consumer", "", members) for code, name, state, members in groups]
    response = DescribeGroupsResponse_v2(throttle_time_ms=0, groups=told)
    found: list[tuple[object, ...]] = DescribeGroupsResponse_v2.decode(response.encode()).groups
    return found


STATES: list[tuple[str, str, list[tuple[str, str, str, bytes, bytes]], bool]] = [
    ("nobody has joined", "Dead", [], False),
    ("all have left", "Empty", [], False),
    ("at work", "Stable", [MEMBER], True),
    ("in a rebalance", "PreparingRebalance", [MEMBER], True),
    ("at its end", "CompletingRebalance", [MEMBER], True),
    ("in a rebalance, members are not told", "PreparingRebalance", [], True),
    ("at its end, members are not told", "CompletingRebalance", [], True),
    ("members are not told", "Stable", [], True),
    ("a state of a later Kafka", "Assigning", [], True),
]


@pytest.mark.parametrize(
    ("what", "state", "members", "is_named"), STATES, ids=[each[0] for each in STATES]
)
def test_a_group_is_without_members_only_in_states_that_say_so(
    what: str, state: str, members: list[tuple[str, str, str, bytes, bytes]], is_named: bool
) -> None:
    assert members_in(answer((0, "g", state, members))) == ({"g": members} if is_named else {})


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (14, errors.GroupLoadInProgressError),
        (15, errors.GroupCoordinatorNotAvailableError),
        (16, errors.NotCoordinatorForGroupError),
        (30, errors.GroupAuthorizationFailedError),
    ],
)
def test_a_group_that_is_not_described_is_not_taken_for_one_without_members(
    code: int, error: type[errors.KafkaError]
) -> None:
    with pytest.raises(error, match="g-2"):
        members_in(answer((0, "g", "Stable", [MEMBER]), (code, "g-2", "", [])))
