"""What the terminal makes of an auction: fields from options, and sentences from facts."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.messages import (
    ApplicationRefused,
    Applied,
    Auction,
    AuctionOpened,
    AuctionWithdrawn,
    ConditionReplaced,
    ContractConcluded,
    ContractFailed,
    CounterOffered,
    IdIssued,
    Message,
    OfferJudged,
    Person,
    Problem,
    Product,
    RequestRefused,
    RightIntercepted,
    Seller,
    SellerRegistered,
    SellerSuspended,
    ShownOffer,
    StandingSince,
)
from schemas.topics import CATALOGUE
from services.auction_service import rules
from services.terminal.auction_page import AuctionPage, as_json, particulars
from services.terminal.console import Mistake, bar, span
from services.terminal.describing import describe, of_verdict
from services.terminal.offers import as_counter, given
from services.terminal.options import moment
from services.terminal.reasons import MEANINGS, meaning
from services.terminal.story import Fact, Story, important
from services.terminal.why_auction import summary

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
    codes -= {"judging", "reserving", "waiting", "inviting", "ending", "letters", "rows", "desk"}
    assert codes >= {"opened", "price-not-lower", "beyond-limits"}
    assert codes <= set(MEANINGS)
    assert meaning("of-a-later-version") == "of-a-later-version"


def test_verdict_names_every_problem_or_the_reason() -> None:
    problems = (Problem(field="unit_price", problem="give 1"), Problem(field="x", problem="y"))
    refused = judged("o1", "nord", "refused", "impossible-terms", problems=problems)
    assert of_verdict(refused) == "refused: unit_price: give 1; x: y"
    assert of_verdict(judged("o1", "nord", "shown", "better")) == "shown: it took over the page"


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
        (page(), "open: 7 of 8 reserved by 4 applicants at 900.00 EUR"),
        (
            page(invited_at=T),
            "open: 7 of 8 reserved by 4 applicants at 900.00 EUR, sellers invited",
        ),
        (
            REPLACED,
            "replaced: 850.00 EUR each from 8, offered by sato (o2); before it 900.00 EUR each from"
            " 8, offered by nord (o1)",
        ),
        (
            ContractConcluded(**END, group_request_id="au-cameras"),
            "contract concluded at 2026-05-07 09:00:00Z: 9 of 8 reserved by 5 applicants",
        ),
        (
            ContractFailed(**END),
            "contract failed at 2026-05-07 09:00:00Z: 9 of 8 reserved by 5 applicants",
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
        applicant=Person(id="ann", email="ann@home.example", name="Ann Lee"),
        quantity=2,
        applied_at=T,
    )
    assert describe(applied) == "application a1 by ann for 2 at 2026-05-04 09:00:00Z"


# --- options -------------------------------------------------------------------------------------

FIELDS: dict[str, Any] = {
    "auction_id": "cameras",
    "seller_id": "sato",
    "offer_id": "o2",
    "product": {"name": None, "id": None},
    "minimum_reservations": None,
    "unit_price": 85_000,
    "currency": None,
    "offered_at": T.isoformat(),
    "closes_at": None,
    "invites_at": None,
    "minimum_step": None,
}


def test_a_counter_offer_takes_from_the_page_what_is_not_given() -> None:
    made = CounterOffered.model_validate_json(_json(as_counter(FIELDS, page())))
    assert (made.product, made.currency, made.minimum_reservations) == (CAMERA, "EUR", 8)
    other = {"product": {"name": "Lamp", "id": None}, "currency": "JPY", "minimum_reservations": 1}
    made = CounterOffered.model_validate_json(_json(as_counter(FIELDS | other, page())))
    assert (made.product, made.currency) == (Product(name="Lamp"), "JPY")
    assert made.minimum_reservations == 1


def _json(fields: dict[str, Any]) -> str:
    return json.dumps(given(fields))


@pytest.mark.parametrize(
    ("fields", "known", "code"),
    [(FIELDS, None, 1), (FIELDS | {"minimum_step": 5}, page(), 2)],
    ids=["no auction", "what only an opening has"],
)
def test_a_counter_offer_that_cannot_be_made(
    fields: dict[str, Any], known: Auction | None, code: int
) -> None:
    with pytest.raises(Mistake, match="--closes-in") as raised:
        as_counter(fields, known)
    assert raised.value.exit_code == code


def test_given_leaves_out_what_is_not_at_any_depth() -> None:
    assert given({"a": None, "b": {"c": None}, "d": {"e": 0, "f": None}}) == {"d": {"e": 0}}


def test_moment_is_a_time_or_a_span_from_now() -> None:
    assert moment("--a", None, "--b", "2h", T) == "2026-05-04T11:00:00+00:00"
    assert moment("--a", "2026-05-04T11:00:00+02:00", "--b", None, T) == T.isoformat()
    assert moment("--a", None, "--b", None, T) is None
    with pytest.raises(Mistake, match="give --a or --b, not both"):
        moment("--a", "2026-05-04T11:00:00Z", "--b", "2h", T)


# --- the page ------------------------------------------------------------------------------------


def seen(*messages: Message) -> AuctionPage:
    auction = AuctionPage("cameras")
    for message in messages:
        auction.take(message)
    return auction


def test_history_begins_with_the_opening_condition() -> None:
    assert seen().history == []
    assert seen(page()).history == [(T, FIRST)]
    later = T + timedelta(hours=1)
    auction = seen(page(shown=BETTER), REPLACED.model_copy(update={"at": later}))
    assert auction.history == [(T, FIRST), (later, BETTER)]


def test_the_first_offer_of_an_id_is_the_one_that_was_judged() -> None:
    repeated = OPENING.model_copy(update={"unit_price": 1})
    assert seen(OPENING, repeated).offers["o1"].unit_price == 90_000


@pytest.mark.parametrize(
    ("status", "now", "closes"),
    [
        ("open", CLOSE - timedelta(hours=2), "2026-05-07 09:00:00Z, in 2 h 0 min"),
        ("open", CLOSE, "2026-05-07 09:00:00Z, any moment now"),
        ("open", None, "2026-05-07 09:00:00Z"),
        ("failed", T, "2026-05-07 09:00:00Z"),
    ],
)
def test_time_left_is_told_of_an_open_auction(
    status: str, now: datetime | None, closes: str
) -> None:
    known = page(status)
    assert dict(particulars(seen(known), known, now))["Closes"] == closes


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (None, "requested as au-cameras, its ID is not issued yet"),
        (
            IdIssued(request_id="au-cameras", group_id="GB-1", issued_at=T),
            "GB-1 (request au-cameras)",
        ),
        (
            RequestRefused(request_id="au-cameras", problems=(Problem(field="f", problem="p"),)),
            "refused: ask `jointbuy why au-cameras`",
        ),
    ],
)
def test_the_group_purchase_that_follows(outcome: Message | None, said: str) -> None:
    known = page("concluded", BETTER, reservations=9, group_request_id="au-cameras")
    end = ContractConcluded(**END, group_request_id="au-cameras")
    auction = seen(known, end, *([outcome] if outcome else []))
    lines = dict(particulars(auction, known, None))
    assert lines["Group purchase"] == said
    assert lines["Conclusion"].startswith("concluded at 2026-05-07")


def test_page_as_json_before_any_opening() -> None:
    refused = ApplicationRefused(
        application_id="a1", auction_id="cameras", quantity=1, reason="unknown-auction"
    )
    assert not seen().is_known
    told = as_json(seen(refused))
    assert (told["page"], told["group_id"], told["offers"]) == (None, None, [])
    assert told["refused"][0]["reason"] == "unknown-auction"


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
        "open: 7 of 8 reserved by 4 applicants at 900.00 EUR each from 8, offered by nord (o1),"
        " judged by open_auction from offers/0/0; closes 2026-05-07 09:00:00Z"
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
        "concluded: 9 of 8 reserved by 4 applicants when the term ended at 2026-05-07 09:00:00Z"
        " (close); 850.00 EUR each from 8, offered by sato (o2), judged by take_offer from"
        " offers/0/3; the group purchase that follows is GB-1"
    )
    told = summary(story(("auctions", page("failed"), "close", "clock/due/close")))
    assert told.startswith("failed: 7 of 8 reserved by 4 applicants when the term ended at its")


def test_why_an_auction_is_withdrawn_or_not_open() -> None:
    back = ("auctions", page("withdrawn"), "withdraw_auction", "offers/0/7")
    assert summary(story(OPENED, back)) == (
        "withdrawn: nord took it back, decided by withdraw_auction from offers/0/7"
    )
    asked = ("offers", OPENING, "", "")
    assert summary(story(asked)).startswith("not open yet: its opening is there")
    refused = judged("o1", "nord", "refused", "unknown-seller")
    told = summary(story(asked, ("auctions", refused, "look_for_seller", "clock/due/look")))
    assert told.startswith("not open: its opening o1 was refused: no such seller was registered")
    assert summary(story(("offers", COUNTER, "", ""))).startswith("not open: nobody opened it")


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
