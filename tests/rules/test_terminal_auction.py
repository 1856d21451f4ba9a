"""What the terminal makes of an auction: fields from options, and sentences from facts."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer import Abort

from schemas.api.auctions import AuctionDetail
from schemas.auctions import (
    Applied,
    Auction,
    AuctionOpened,
    AuctionWithdrawn,
    ConditionReplaced,
    ContractConcluded,
    ContractFailed,
    CounterOffered,
    OfferJudged,
    RightIntercepted,
    Seller,
    SellerRegistered,
    SellerSuspended,
    ShownOffer,
    StandingSince,
)
from schemas.catalogue import CATALOGUE
from schemas.groups import IdIssued
from schemas.parts import Contact, Message, Problem, Product
from services.auction_service.rules import auctions as rules
from terminal.answers import shown
from terminal.api import Api
from terminal.auction_page import particulars
from terminal.console import Mistake, bar, span
from terminal.descriptions import describe, of_verdict
from terminal.offers import _body, check_counter
from terminal.options import given, moment
from terminal.story import Fact, Story, important
from terminal.why_auction import summary
from texts.facts import APPLICATIONS, OFFERS
from texts.reasons import reason

T = datetime(2026, 5, 4, 9, tzinfo=UTC)
CLOSE = T + timedelta(days=3)
CAMERA = Product(id="gr-iv", name="Ricoh GR IV")
FIRST = ShownOffer(offer_id="o1", seller_id="nord", unit_price=90_000, minimum_reservations=8)
BETTER = ShownOffer(offer_id="o2", seller_id="sato", unit_price=85_000, minimum_reservations=8)


def page(status: Any = "open", shown: ShownOffer = FIRST, **more: Any) -> Auction:
    fields: dict[str, Any] = {
        "auction_id": "cameras",
        "version": 1,
        "status": status,
        "product": CAMERA,
        "opened_by": "nord",
        "opened_at": T,
        "shown": shown,
        "currency": "EUR",
        "minimum_step": 500,
        "reservations": 7,
        "applicants": 4,
        "invites_at": T + timedelta(days=2),
        "closes_at": CLOSE,
    }
    return Auction(**fields | more)


def judged(offer_id: str, seller_id: str, verdict: Any, reason: str, **more: Any) -> OfferJudged:
    of = {"offer_id": offer_id, "auction_id": "cameras", "seller_id": seller_id}
    return OfferJudged(**of, verdict=verdict, reason=reason, **more)


OPENING = AuctionOpened(
    offer_id="o1",
    auction_id="cameras",
    seller_id="nord",
    product=CAMERA,
    minimum_reservations=8,
    unit_price=90_000,
    currency="EUR",
    offered_at=T,
    closes_at=CLOSE,
)
COUNTER = CounterOffered(
    **OPENING.model_dump(include=set(CounterOffered.model_fields) - {"type", "product"}),
    product=CAMERA,
)
REPLACED = ConditionReplaced(
    auction_id="cameras", version=5, before=FIRST, shown=BETTER, currency="EUR", at=T
)
END: dict[str, Any] = {
    "auction_id": "cameras",
    "shown": BETTER,
    "currency": "EUR",
    "reservations": 9,
    "applicants": 5,
    "at": CLOSE,
}


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (3_660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (864_000, "10 d 0 h"),
    ],
)
def test_span(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("done", "of", "text"),
    [(0, 8, "░░░░"), (7, 8, "███░"), (8, 8, "████"), (80, 8, "████"), (1, 0, "████")],
)
def test_bar_is_full_only_when_the_minimum_is_reached(done: int, of: int, text: str) -> None:
    assert bar(done, of, width=4) == text


def test_every_reason_of_the_service_has_a_meaning() -> None:
    codes = set(re.findall(r"``([a-z]+(?:-[a-z]+)*)``", rules.__doc__ or ""))
    codes -= {path.stem for path in Path(rules.__file__).parent.glob("*.py")} | {*CATALOGUE}
    assert codes >= {"opened", "price-not-lower", "beyond-limits"}
    assert codes == {*OFFERS, *APPLICATIONS}
    assert reason(OFFERS, "of-a-later-version") == "of-a-later-version"


def test_verdict_names_every_problem_or_the_reason() -> None:
    problems = (Problem(field="unit_price", problem="give 1"), Problem(field="x", problem="y"))
    refused = judged("o1", "nord", "refused", "impossible-terms", problems=problems)
    assert of_verdict(refused) == "refused: unit_price: give 1; x: y"
    assert (
        of_verdict(judged("o1", "nord", "shown", "better"))
        == "shown: the offer is better than the one that was shown, so it is on the page now"
    )


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            SellerRegistered(seller_id="nord", name="Nord", email="n@x.example", registered_at=T),
            "nord registers as Nord at 2026-05-04 09:00:00Z",
        ),
        (
            SellerSuspended(seller_id="nord", at=T, reason="papers"),
            "nord suspended at 2026-05-04 09:00:00Z: papers",
        ),
        (
            Seller(
                seller_id="nord",
                name="Nord",
                email="n@x.example",
                registered_at=T,
                standing="good",
                standings=(StandingSince(standing="good", since=T),),
                version=1,
            ),
            "nord (Nord): good since 2026-05-04 09:00:00Z",
        ),
        (
            OPENING,
            "opening offer o1 by nord: Ricoh GR IV (gr-iv) at 900.00 EUR each from 8, made at"
            " 2026-05-04 09:00:00Z, closes at 2026-05-07 09:00:00Z",
        ),
        (
            COUNTER,
            "counter-offer o1 by nord: Ricoh GR IV (gr-iv) at 900.00 EUR each from 8, made at"
            " 2026-05-04 09:00:00Z",
        ),
        (page(), "open: 7 reserved (minimum 8) by 4 applicants at 900.00 EUR"),
        (
            page(invited_at=T),
            "open: 7 reserved (minimum 8) by 4 applicants at 900.00 EUR, sellers invited",
        ),
        (
            REPLACED,
            "replaced: 850.00 EUR each from 8, offered by sato (o2); before it 900.00 EUR each from"
            " 8, offered by nord (o1)",
        ),
        (
            ContractConcluded(**END, group_request_id="au-cameras"),
            "contract concluded at 2026-05-07 09:00:00Z: 9 reserved (minimum 8) by 5 applicants",
        ),
        (
            ContractFailed(**END),
            "contract failed at 2026-05-07 09:00:00Z: 9 reserved (minimum 8) by 5 applicants",
        ),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Message) else "",
)
def test_describe(message: Message, text: str) -> None:
    assert describe(message) == text


def test_who_intercepted_a_right_is_not_said() -> None:
    intercepted = RightIntercepted(
        offer_id="o1",
        auction_id="cameras",
        seller_id="nord",
        unit_price=85_000,
        minimum_reservations=8,
        currency="EUR",
        at=T,
    )
    assert describe(intercepted) == "nord's right to o1 intercepted by 850.00 EUR each from 8"


def test_an_applicant_is_an_id_without_address_or_name() -> None:
    applied = Applied(
        application_id="a1",
        auction_id="cameras",
        applicant=Contact(id="ann", email="ann@home.example", name="Ann Lee"),
        quantity=2,
        applied_at=T,
    )
    assert describe(applied) == "application a1 by ann for 2 at 2026-05-04 09:00:00Z"


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "option"), [("minimum_step", "--step"), ("product", "--product")]
)
def test_a_counter_offer_names_nothing_that_only_an_opening_does(field: str, option: str) -> None:
    check_counter({"unit_price": 1, "minimum_reservations": 2, "seller_id": "nord"})
    with pytest.raises(Mistake, match=f"^{option}: only to open an auction") as raised:
        check_counter({"unit_price": 1, field: 5})
    assert raised.value.exit_code == 2


def test_given_leaves_out_what_is_not_at_any_depth() -> None:
    assert given({"a": None, "b": {"c": None}, "d": {"e": 0, "f": None}}) == {"d": {"e": 0}}


def test_moment_is_a_time_or_a_span_from_now() -> None:
    assert moment("--a", None, "--b", "2h", T) == "2026-05-04T11:00:00+00:00"
    assert moment("--a", "2026-05-04T11:00:00+02:00", "--b", None, T) == T.isoformat()
    assert moment("--a", None, "--b", None, T) is None
    with pytest.raises(Mistake, match="give --a or --b, not both"):
        moment("--a", "2026-05-04T11:00:00Z", "--b", "2h", T)


# --- the page ------------------------------------------------------------------------------------

PAGE: dict[str, Any] = {
    "auction_id": "cameras",
    "version": 3,
    "status": "open",
    "product": {"name": "Ricoh GR IV", "id": "gr-iv"},
    "unit_price": 85_000,
    "currency": "EUR",
    "minimum_reservations": 8,
    "reservations": 7,
    "applicants": 4,
    "missing": 1,
    "minimum_step": 500,
    "quantity_max_per_applicant": 100,
    "opened_at": T.isoformat(),
    "invites_at": (T + timedelta(days=2)).isoformat(),
    "invited_at": None,
    "closes_at": CLOSE.isoformat(),
    "history": [],
    "concluded_at": None,
    "seller_id": "s-nord",
    "group_id": None,
    "of_a_later_version": True,
}


def lines(now: datetime = T, **changed: Any) -> dict[str, str]:
    return dict(particulars(shown(AuctionDetail, PAGE | changed), now))


@pytest.mark.parametrize(
    ("status", "now", "closes"),
    [
        ("open", CLOSE - timedelta(hours=2), "2026-05-07 09:00:00Z, in 2 h 0 min"),
        ("open", CLOSE, "2026-05-07 09:00:00Z, any moment now"),
        ("failed", T, "2026-05-07 09:00:00Z"),
    ],
)
def test_time_left_is_told_of_an_open_auction(status: str, now: datetime, closes: str) -> None:
    assert lines(now, status=status)["Closes"] == closes


def test_the_page_says_what_is_shown_and_by_nobody() -> None:
    assert lines() == {
        "Product": "Ricoh GR IV (gr-iv)",
        "Shown": "850.00 EUR each from 8",
        "Reservations": "█████████████████████░░░ 7 of 8, by 4 applicants",
        "Closes": "2026-05-07 09:00:00Z, in 3 d 0 h",
        "Invites": "sellers, at 2026-05-06 09:00:00Z",
        "Opened": "2026-05-04 09:00:00Z",
        "Smallest price cut": "5.00 EUR",
        "Most for one": "100",
    }


def test_the_end_and_the_group_purchase_that_follows() -> None:
    told = lines(status="concluded", concluded_at=CLOSE.isoformat(), group_id="GB-1")
    assert told["Conclusion"] == "concluded at 2026-05-07 09:00:00Z"
    assert told["Group purchase"] == "GB-1"
    assert lines(invited_at=T.isoformat())["Invited"] == "sellers, at 2026-05-04 09:00:00Z"


# --- why -----------------------------------------------------------------------------------------


@dataclass
class Record:
    """As much of a record as a fact needs."""

    offset: int
    topic: str = ""
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = b"cameras"
    value: bytes | None = b"{}"
    headers: Sequence[tuple[str, bytes]] = ()


def story(*facts: tuple[str, Message, str, str]) -> Story:
    """Of (topic, message, rule, cause)."""
    told = Story("cameras", auction_id="cameras")
    for offset, (topic, message, rule, cause) in enumerate(facts):
        headers = {"ce_rule": rule, "ce_cause": cause}
        record: Any = Record(offset)
        told.facts.append(Fact(CATALOGUE[topic], record, headers, message))
    return told


OPENED = ("auctions", judged("o1", "nord", "shown", "opened"), "open_auction", "offers/0/0")
TAKEN_OVER = ("auctions", judged("o2", "sato", "shown", "better"), "take_offer", "offers/0/3")


def test_why_an_auction_is_open() -> None:
    assert summary(story(OPENED, ("auctions", page(), "apply", "applications/0/6"))) == (
        "open: 7 reserved (minimum 8) by 4 applicants at 900.00 EUR each from 8,"
        " offered by nord (o1), judged by open_auction from offers/0/0; closes 2026-05-07 09:00:00Z"
    )


def test_why_an_auction_is_concluded_or_failed() -> None:
    ended = page("concluded", BETTER, reservations=9, group_request_id="au-cameras")
    end = ContractConcluded(**END, group_request_id="au-cameras")
    issued = IdIssued(request_id="au-cameras", group_id="GB-1", issued_at=CLOSE)
    told = summary(
        story(
            OPENED,
            TAKEN_OVER,
            ("auctions", ended, "close", "clock/due/close"),
            ("auctions", end, "close", "clock/due/close"),
            ("request-outcomes", issued, "issue", "id-answers/0/0"),
        )
    )
    assert told == (
        "concluded: 9 reserved (minimum 8) by 4 applicants when the term ended at"
        " 2026-05-07 09:00:00Z (close); 850.00 EUR each from 8, offered by sato (o2),"
        " judged by take_offer from offers/0/3; the group purchase that follows is GB-1"
    )
    told = summary(story(("auctions", page("failed"), "close", "clock/due/close")))
    assert told.startswith(
        "failed: 7 reserved (minimum 8) by 4 applicants when the term ended at its"
    )


def test_why_an_auction_is_withdrawn_or_not_open() -> None:
    back = ("auctions", page("withdrawn"), "withdraw_auction", "offers/0/7")
    assert summary(story(OPENED, back)) == (
        "withdrawn: nord withdrew it, decided by withdraw_auction from offers/0/7"
    )
    asked = ("offers", OPENING, "", "")
    assert summary(story(asked)).startswith("not open yet: its opening has no verdict")
    refused = judged("o1", "nord", "refused", "unknown-seller")
    told = summary(story(asked, ("auctions", refused, "look_for_seller", "clock/due/look")))
    assert told.startswith("not open: its opening o1 was refused: the seller was not registered")
    assert summary(story(("offers", COUNTER, "", ""))).startswith("not open: nobody opened it")


class Terminal(StringIO):
    """What somebody types when asked."""

    def isatty(self) -> bool:
        return True


ASKED = "850.00 EUR is 90.6 % below the price shown, 9,000.00 EUR. Make this offer?"


@pytest.mark.parametrize(
    ("typed", "yes", "error"),
    [("y\n", False, None), ("", True, None), ("n\n", False, Abort), (None, False, Mistake)],
    ids=["a yes", "--yes", "a no", "no terminal"],
)
def test_a_price_far_below_the_one_shown_is_asked_for_a_second_time(
    typed: str | None,
    yes: bool,
    error: type[Exception] | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO() if typed is None else Terminal(typed))
    shown = {"currency": "EUR", "unit_price": 900_000, "minimum_reservations": 8}
    api = cast("Api", SimpleNamespace(get=lambda _: shown))
    if error is None:
        body = _body(api, "a-1", {"unit_price": "850.00"}, yes=yes)
        assert body == {"unit_price": 85_000, "minimum_reservations": 8}
    else:
        with pytest.raises(error) as raised:
            _body(api, "a-1", {"unit_price": "850.00"}, yes=yes)
        if error is Mistake:
            assert str(raised.value) == f"{ASKED} There is no terminal to ask on: add --yes"
    assert (ASKED in capsys.readouterr().err) is bool(typed)


def test_a_price_a_little_below_is_not_asked_for_again() -> None:
    shown = {"currency": "EUR", "unit_price": 900_000, "minimum_reservations": 8}
    api = cast("Api", SimpleNamespace(get=lambda _: shown))
    assert _body(api, "a-1", {"unit_price": "6300"}, yes=False)["unit_price"] == 630_000


def test_what_is_important_of_an_auction_is_little() -> None:
    withdrawn = AuctionWithdrawn(auction_id="cameras", seller_id="nord", at=T)
    told = story(
        ("offers", OPENING, "", ""),
        OPENED,
        ("auctions", page(), "apply", ""),
        ("offers", COUNTER, "", ""),
        ("auctions", judged("o3", "west", "not-better", "price-not-lower"), "take_offer", ""),
        ("auctions", REPLACED, "take_offer", ""),
        ("offers", withdrawn, "", ""),
        ("auctions", page("withdrawn"), "withdraw_auction", ""),
    )
    kept = [type(fact.message).__name__ for fact in told.facts if important(fact)]
    assert kept == [
        "AuctionOpened",
        "OfferJudged",
        "ConditionReplaced",
        "AuctionWithdrawn",
        "Auction",
    ]
