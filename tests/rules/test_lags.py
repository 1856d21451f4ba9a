"""Which services are behind: also groups without a commit, and services without a group."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from terminal.console import out
from terminal.lag_watch import line, screen
from terminal.lags import Lag, asked_for, without_group

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


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


def behind(group: str, count: int, minutes: int | None) -> Lag:
    at = None if minutes is None else NOW - timedelta(minutes=minutes)
    return Lag(group, "orders", 4, 9, 9 - count, count, count, at)


def test_the_age_is_that_of_the_oldest_unread_record_and_never_below_zero() -> None:
    assert behind("a", 1, 3).as_json(NOW)["oldest_unread_seconds"] == 180.0
    assert behind("a", 1, -3).as_json(NOW)["oldest_unread_seconds"] == 0.0
    assert behind("a", 0, None).as_json(NOW)["oldest_unread_seconds"] is None


def test_the_live_view_has_the_groups_that_are_behind_the_oldest_first() -> None:
    found = [behind("fine", 0, None), behind("young", 7, 1), behind("old", 1, 90)]
    console = out()
    with console.capture() as captured:
        console.print(screen([*found, behind("markers", 2, None)], "", NOW))
    lines = [each.split() for each in captured.get().splitlines()]
    assert [each[0] for each in lines[2:5]] == ["old", "young", "markers"]
    assert lines[2][-4:] == ["1", "h", "30", "min"]
    assert lines[5][:2] == ["1", "pair"]
    with console.capture() as captured:
        console.print(screen([], "no broker answers", NOW))
    assert "no broker answers" in captured.get()


def test_a_change_is_a_line() -> None:
    assert line(behind("old", 1, 90), NOW).endswith("old  orders  lag 1, oldest unread 1 h 30 min")
    assert line(behind("fine", 0, None), NOW).endswith("fine  orders  lag 0")
