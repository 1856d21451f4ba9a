"""What ``jointbuy watch`` shows of the states that it is told, without a stream."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from terminal.watched import Watched, screen, watched

T = datetime(2026, 5, 4, 9, tzinfo=UTC)
AUCTION: dict[str, Any] = {
    "auction_id": "a1",
    "version": 1,
    "status": "open",
    "product": {"name": "Camera"},
    "unit_price": 90_000,
    "currency": "EUR",
    "minimum_reservations": 8,
    "reservations": 2,
    "applicants": 1,
    "missing": 6,
    "minimum_step": 1,
    "quantity_max_per_applicant": 100,
    "opened_at": T.isoformat(),
    "invites_at": T.isoformat(),
    "invited_at": None,
    "closes_at": (T + timedelta(hours=2)).isoformat(),
}
GROUP: dict[str, Any] = {
    "group_id": "GB-1",
    "version": 0,
    "status": "open",
    "product": {"name": "Tea"},
    "unit_price": None,
    "currency": None,
    "number_of_products": 5,
    "quantity": 0,
    "missing": 5,
    "value": 0,
    "members": 0,
    "members_listed": False,
    "definition_id": None,
    "withdrawn_at": None,
    "visibility": "public",
    "tier_reached": None,
    "next_tier": None,
    "missing_to_next": None,
    "stop_at_number": False,
    "opens_at": T.isoformat(),
    "closes_at": (T + timedelta(days=1)).isoformat(),
    "closed_at": None,
    "favor": {"tiers": []},
    "payment": {"scope": "member", "method": "shop"},
    "if_incomplete": "as-reached",
    "decision": None,
}


def auction() -> Watched:
    return watched("/auctions/a1", AUCTION)


def group() -> Watched:
    return watched("/group-purchases/GB-1", GROUP)


def test_what_an_event_changes_is_told() -> None:
    of = auction()
    assert not of.take(json.dumps(AUCTION | {"version": 2, "applicants": 3}), T)
    assert of.line(T) == "2026-05-04 09:00:00Z  a1  open  2 of 8  900.00 EUR  2 h 0 min left"
    better = {"version": 3, "unit_price": 85_000, "minimum_reservations": 6, "reservations": 5}
    assert of.take(json.dumps(AUCTION | better), T)
    assert of.change == "+3, price 900.00 EUR → 850.00 EUR, minimum 8 → 6"
    assert not of.has_ended
    assert of.take(json.dumps(AUCTION | better | {"version": 4, "status": "concluded"}), T)
    assert (of.change, of.has_ended, of.version) == ("concluded", True, 4)
    assert of.line(T).endswith("a1  concluded  5 of 6  850.00 EUR  concluded")


def test_a_group_keeps_its_terms_while_it_progresses() -> None:
    of = group()
    progress = {
        name: GROUP[name]
        for name in ("group_id", "status", "value", "currency", "closed_at", "missing")
    }
    assert of.take(json.dumps(progress | {"version": 1, "quantity": 7, "members": 2}), T)
    assert (of.change, of.done, of.of) == ("+7", 7, 5)
    late = T + timedelta(days=1, seconds=2)
    assert of.line(late) == "2026-05-05 09:00:02Z  GB-1  open  7 of 5  any moment now  +7"


def test_the_screen_shows_all_of_them_and_trouble() -> None:
    of, other = auction(), group()
    other.trouble = "the stream ended; trying again in 2 s"
    console = Console(width=140, record=True, force_terminal=True)
    with console.capture() as capture:
        console.print(screen([of, other], T))
    shown = capture.get()
    assert "2 of 8" in shown
    assert "2 h 0 min" in shown
    assert "trying again" in shown
    assert "Camera" in shown
