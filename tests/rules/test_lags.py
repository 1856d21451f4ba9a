"""Which services are behind: also groups without a commit, and services without a group."""

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from terminal.lags import Lag, asked_for, without_group


def lag(group: str) -> Lag:
    return Lag(group, "orders", 4, 3, 1, 2, 2)


def test_the_topics_of_a_member_are_what_it_asked_for() -> None:
    metadata = ConsumerProtocolMemberMetadata(0, ["orders", "payments"], b"")
    assert asked_for(metadata.encode()) == ["orders", "payments"]


@pytest.mark.parametrize("metadata", [b"", b"\x00", b"\x00\x00\x7f\xff\xff\xff"])
def test_a_member_that_can_t_be_read_has_no_topics(metadata: bytes) -> None:
    assert asked_for(metadata) == []


def test_services_without_a_group_are_named() -> None:
    found = [lag("order_service-purchases"), lag("storefront-projector")]
    missing = without_group(found)
    assert "favor_service" in missing
    assert not {"order_service", "storefront", "terminal", "replay"} & set(missing)
