"""What auctions come to: told by hand, by the oracle, and by the rules over thousands of seeds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from runtime.processor import Processor
from runtime.rows import Due, Rows
from schemas.auctions import (
    AUCTIONS,
    OFFERS,
    ApplicationConfirmed,
    ApplicationWithdrawn,
    Applied,
    AuctionOpened,
    AuctionWithdrawn,
    CounterOffered,
    Offer,
    SellerApproved,
    SellerRegistered,
    SellerReinstated,
    SellerSuspended,
)
from schemas.parts import Contact, Message, Product
from services.auction_service.processor import PROCESSORS

from .auctions import BEGINS, History, Record, history, simulate
from .compare import differences, gather
from .driver import ContractError, Driver, merged, run
from .oracle import Outcome, expect
from .running import PLAIN, Way, check, check_seeds, history_of, told, way_of

SEEDS_IN_CHECK, SEEDS = 50, 2_000
MS = 0.001
#: Opens, invites, closes; everyone is registered and approved long before.
OPENS, INVITES, CLOSES = 1_000, 1_750, 2_000
PRODUCT = Product(id="tea-1", name="tea")


class Event(NamedTuple):
    """A message and the timestamp of its record, in seconds."""

    at: float
    message: Message

    def recorded(self, at: float) -> "Event":
        """The same with another timestamp."""
        return Event(at, self.message)


def time(seconds: float) -> datetime:
    return BEGINS + timedelta(milliseconds=round(seconds * 1000))


def opening(at: float = OPENS, offer_id: str = "o1", seller: str = "ann", **more: Any) -> Event:
    """Three at 100, and a step of 5."""
    given: dict[str, Any] = {
        "offer_id": offer_id,
        "auction_id": "A",
        "seller_id": seller,
        "product": PRODUCT,
        "minimum_reservations": 3,
        "unit_price": 100,
        "currency": "EUR",
        "offered_at": time(at),
        "closes_at": time(CLOSES),
        "minimum_step": 5,
    }
    return Event(at, AuctionOpened(**given | more))


def offer(
    at: float, offer_id: str, seller: str, price: int, minimum: int = 3, **more: Any
) -> Event:
    given: dict[str, Any] = {
        "offer_id": offer_id,
        "auction_id": "A",
        "seller_id": seller,
        "product": PRODUCT,
        "minimum_reservations": minimum,
        "unit_price": price,
        "currency": "EUR",
        "offered_at": time(at),
    }
    return Event(at, CounterOffered(**given | more))


def taken_back(at: float, seller: str = "ann") -> Event:
    return Event(at, AuctionWithdrawn(auction_id="A", seller_id=seller, at=time(at)))


def applied(
    at: float, application_id: str, buyer: str, quantity: int = 1, email: str | None = None
) -> Event:
    person = Contact(id=buyer, email=email or f"{buyer}@buys.example")
    message = Applied(
        application_id=application_id,
        auction_id="A",
        applicant=person,
        quantity=quantity,
        applied_at=time(at),
    )
    return Event(at, message)


def confirmed(at: float, application_id: str) -> Event:
    message = ApplicationConfirmed(application_id=application_id, auction_id="A", at=time(at))
    return Event(at, message)


def withdrawn(at: float, application_id: str) -> Event:
    message = ApplicationWithdrawn(application_id=application_id, auction_id="A", at=time(at))
    return Event(at, message)


def reserved(at: float, application_id: str, buyer: str, quantity: int = 1) -> list[Event]:
    """Applied, and confirmed a second later."""
    return [applied(at, application_id, buyer, quantity), confirmed(at + 1, application_id)]


def spelled(
    at: float, application_id: str, buyer: str, email: str, quantity: int = 1
) -> list[Event]:
    """The same under an address of one's choice."""
    return [applied(at, application_id, buyer, quantity, email), confirmed(at + 1, application_id)]


def registered(at: float, seller: str, email: str | None = None) -> Event:
    message = SellerRegistered(
        seller_id=seller,
        name=seller,
        email=f"{seller}@sells.example" if email is None else email,
        registered_at=time(at),
    )
    return Event(at, message)


def approved(at: float, seller: str) -> Event:
    return Event(at, SellerApproved(seller_id=seller, at=time(at)))


def suspended(at: float, seller: str) -> Event:
    return Event(at, SellerSuspended(seller_id=seller, at=time(at)))


def reinstated(at: float, seller: str) -> Event:
    return Event(at, SellerReinstated(seller_id=seller, at=time(at)))


GOOD = [event(0, seller) for seller in ("ann", "bob", "cid") for event in (registered, approved)]


def of(*events: Event | list[Event], seen_after: float = 0) -> History:
    """The history of these events, each log in the order given; ann, bob and cid are good."""
    flat = [one for each in events for one in (each if isinstance(each, list) else [each])]
    logs: dict[str, list[Record]] = {"seller-registrations": [], "offers": [], "applications": []}
    for at, message in [*GOOD, *flat]:
        topic = "applications"
        if isinstance(message, Offer | AuctionWithdrawn):
            topic = "offers"
        elif not hasattr(message, "auction_id"):
            topic = "seller-registrations"
        logs[topic].append(Record(topic, time(at), message))
    visible = [record.at + timedelta(seconds=seen_after) for record in logs["seller-registrations"]]
    return history(*logs.values(), visible=visible)


def said(outcome: Outcome) -> dict[str, Any]:
    """An outcome in few words."""
    page = outcome.auction or {}
    said = {
        "status": page.get("status"),
        "shown": page["shown"][0] if page else None,
        "reservations": page.get("reservations"),
        "invited": page.get("invited_at") is not None,
        "judged": {key: " ".join(judged[:2]) for key, judged in outcome.judged.items()},
        "problems": {key: judged[2] for key, judged in outcome.judged.items() if judged[2]},
        "replaced": outcome.replaced,
        "intercepted": sorted(outcome.intercepted),
        "refused": {key: refused[0] for key, refused in outcome.refused.items()},
        "members": outcome.purchase and [each[0] for each in outcome.purchase["members"]],
        "number": outcome.purchase and outcome.purchase["number_of_products"],
        "price": outcome.purchase and outcome.purchase["unit_price"],
    }
    for kind, _, party, _, what, _ in sorted(outcome.letters):
        said.setdefault(kind, []).append(f"{party} {what}".strip())
    return said


@dataclass
class Case:
    """What is sent, and what comes of it; ``says`` need not name everything."""

    title: str
    history: History
    says: dict[str, Any]


SUE = [registered(0, "sue"), approved(1, "sue")]
FULL = reserved(1_100, "p1", "xie", 3)

CASES = [
    Case(
        "nobody applies: failed, and the seller is told",
        of(opening()),
        {"status": "failed", "reservations": 0, "judged": {"o1": "shown opened"}, "invited": True}
        | {"contract-failed": ["ann"], "members": None},
    ),
    Case(
        "the minimum is reached exactly: concluded, a group purchase with the applicants by id",
        of(opening(), reserved(1_100, "p1", "zoe", 2), reserved(1_200, "p2", "xie")),
        {"status": "concluded", "members": ["xie", "zoe"], "number": 3, "price": 100}
        | {
            "contract-concluded": ["ann", "xie", "zoe"],
            "confirm-application": ["xie p2", "zoe p1"],
        },
    ),
    Case(
        "one unit short of the minimum: failed, and everyone is told",
        of(opening(), reserved(1_100, "p1", "zoe"), reserved(1_200, "p2", "xie")),
        {"status": "failed", "reservations": 2, "contract-failed": ["ann", "xie", "zoe"]},
    ),
    Case(
        "lower by exactly the step: takes over, the displaced seller and the applicants are told",
        of(opening(), FULL, offer(1_200, "o2", "bob", 95)),
        {"shown": "o2", "judged": {"o1": "shown opened", "o2": "shown better"}, "price": 95}
        | {"intercepted": ["o1"], "right-intercepted": ["ann o1"], "replaced": ["o2"]}
        | {"condition-improved": ["xie o2"], "contract-concluded": ["ann", "bob", "xie"]},
    ),
    Case(
        "one unit short of the step: not better",
        of(opening(), offer(1_200, "o2", "bob", 96)),
        {"shown": "o1", "judged": {"o1": "shown opened", "o2": "not-better step-too-small"}},
    ),
    Case(
        "an exact tie: the shown one stays",
        of(opening(), offer(1_200, "o2", "bob", 100)),
        {"shown": "o1", "judged": {"o1": "shown opened", "o2": "not-better price-not-lower"}},
    ),
    Case(
        "the same price for fewer: takes over",
        of(opening(), reserved(1_100, "p1", "xie", 2), offer(1_200, "o2", "bob", 100, 2)),
        {"shown": "o2", "status": "concluded", "number": 2, "intercepted": ["o1"]},
    ),
    Case(
        "a higher price for fewer: not better",
        of(opening(), offer(1_200, "o2", "bob", 101, 1)),
        {"judged": {"o1": "shown opened", "o2": "not-better price-not-lower"}},
    ),
    Case(
        "a lower price for more: not better, as who has applied would be worse off",
        of(opening(), offer(1_200, "o2", "bob", 50, 4)),
        {"shown": "o1", "judged": {"o1": "shown opened", "o2": "not-better higher-minimum"}},
    ),
    Case(
        "products are compared by id where both have one, else by name",
        of(
            opening(),
            offer(1_200, "o2", "bob", 90, product=Product(id="tea-2", name="tea")),
            offer(1_201, "o3", "bob", 80, product=Product(id="tea-1", name="green tea")),
            offer(1_202, "o4", "cid", 70, product=Product(name="green tea")),
            offer(1_203, "o5", "cid", 60, product=Product(name="tea")),
        ),
        {
            "judged": {"o1": "shown opened", "o2": "refused other-product", "o3": "shown better"}
            | {"o4": "refused other-product", "o5": "shown better"}
        },
    ),
    Case(
        "another currency, and impossible amounts before anything else",
        of(
            opening(),
            offer(1_200, "o2", "bob", 90, currency="USD"),
            offer(1_201, "o3", "bob", 0, 10**9 + 1, currency="USD"),
        ),
        {
            "judged": {"o1": "shown opened", "o2": "refused other-currency"}
            | {"o3": "refused impossible-terms"},
            "problems": {"o3": ("minimum_reservations", "unit_price")},
        },
    ),
    Case(
        "a millisecond before the close is in time, the close itself is not",
        of(opening(), offer(CLOSES - MS, "o2", "bob", 90), offer(CLOSES, "o3", "cid", 80)),
        {
            "shown": "o2",
            "judged": {"o1": "shown opened", "o2": "shown better"} | {"o3": "refused after-term"},
        },
    ),
    Case(
        "made in time but recorded late: compared when it arrives, so too late",
        of(opening(), offer(1_500, "o2", "bob", 90).recorded(CLOSES)),
        {"shown": "o1", "judged": {"o1": "shown opened", "o2": "refused after-term"}},
    ),
    Case(
        "made at the close by a clock that is ahead: too late",
        of(opening(), offer(CLOSES, "o2", "bob", 90).recorded(1_500)),
        {"judged": {"o1": "shown opened", "o2": "refused after-term"}},
    ),
    Case(
        "a record that waits behind a later one is as late as that",
        of(opening(), offer(CLOSES + 1, "o2", "bob", 90), offer(1_500, "o3", "cid", 80)),
        {"judged": {"o1": "shown opened", "o2": "refused after-term", "o3": "refused after-term"}},
    ),
    Case(
        "who betters the own offer displaces no one, but can't withdraw the auction any more",
        of(opening(), offer(1_200, "o2", "ann", 90), taken_back(1_300)),
        {"shown": "o2", "intercepted": [], "replaced": ["o2"], "status": "failed"}
        | {"offer-judged": ["ann o1", "ann o2", "ann withdrawal: has-better-offer"]},
    ),
    Case(
        "a repeated offer is judged once, even if it says something else",
        of(
            opening(),
            opening().recorded(1_050),
            offer(1_200, "o2", "bob", 90),
            offer(1_300, "o2", "bob", 50),
        ),
        {"judged": {"o1": "shown opened", "o2": "shown better"}, "replaced": ["o2"]},
    ),
    Case(
        "the seller's standing counts as it was when the offer was made",
        of(
            opening(),
            [registered(0, "sue"), approved(1_200, "sue"), suspended(1_400, "sue")],
            reinstated(1_600, "sue"),
            offer(1_200 - MS, "o2", "sue", 95),
            offer(1_200, "o3", "sue", 90),
            offer(1_400, "o4", "sue", 85),
            offer(1_600, "o5", "sue", 80),
            offer(1_601, "o6", "nobody", 70),
        ),
        {
            "judged": {"o1": "shown opened", "o2": "refused pending-seller", "o3": "shown better"}
            | {
                "o4": "refused suspended-seller",
                "o5": "shown better",
                "o6": "refused unknown-seller",
            }
        },
    ),
    Case(
        "an offer waits up to a minute for its seller's facts, and is then compared as of then",
        of(
            opening(),
            [registered(1_100, "sue"), approved(1_100, "sue")],
            offer(1_101, "o2", "sue", 95),
            offer(1_102, "o3", "bob", 95),
            seen_after=30,
        ),
        {
            "shown": "o3",
            "judged": {"o1": "shown opened", "o3": "shown better"}
            | {"o2": "not-better price-not-lower"},
        },
    ),
    Case(
        "facts that come after the minute are too late",
        of(
            opening(),
            [registered(1_100, "sue"), approved(1_100, "sue")],
            offer(1_100, "o2", "sue", 95),
            seen_after=60 + MS,
        ),
        {"judged": {"o1": "shown opened", "o2": "refused unknown-seller"}},
    ),
    Case(
        "at the close the offers that wait are looked at for the last time, in order of arrival",
        of(
            opening(),
            FULL,
            [registered(1_980, "sue"), approved(1_980, "sue")],
            offer(1_990, "o2", "sue", 95),
            offer(1_991, "o3", "sue", 90),
            seen_after=19.5,
        ),
        {"shown": "o3", "replaced": ["o2", "o3"], "status": "concluded", "price": 90},
    ),
    Case(
        "an offer that waits is known already: a repeat changes nothing, whatever it says",
        of(
            opening(),
            [registered(1_100, "sue"), approved(1_100, "sue")],
            offer(1_101, "o2", "sue", 95),
            offer(1_101, "o2", "sue", 90).recorded(1_113),
            offer(1_114, "o3", "cid", 95),
            offer(1_200, "o4", "nobody", 80),
            offer(1_201, "o4", "bob", 80),
            seen_after=12,
        ),
        {
            "shown": "o3",
            "replaced": ["o3"],
            "judged": {
                "o1": "shown opened",
                "o2": "not-better price-not-lower",
                "o3": "shown better",
                "o4": "refused unknown-seller",
            },
        },
    ),
    Case(
        "the latest application of a buyer replaces the earlier",
        of(opening(), reserved(1_100, "p1", "xie", 5), reserved(1_200, "p2", "xie", 2)),
        {"reservations": 2, "status": "failed"},
    ),
    Case(
        "a replaced application never comes back, whatever becomes of the one that replaced it",
        of(
            opening(),
            applied(1_100, "p1", "xie", 5),
            reserved(1_200, "p2", "xie", 2),
            withdrawn(1_300, "p2"),
            confirmed(1_400, "p1"),
        ),
        {"reservations": 0, "status": "failed", "refused": {}},
    ),
    Case(
        "of two applications of one instant the one with the later id counts",
        of(opening(), reserved(1_100, "p2", "xie", 2), reserved(1_100, "p1", "xie", 5)),
        {"reservations": 2},
    ),
    Case(
        "what is not confirmed does not count; a millisecond before the close it still can be",
        of(
            opening(),
            applied(1_100, "p1", "xie", 3),
            applied(1_100, "p2", "yan", 3),
            applied(1_100, "p3", "zoe", 3),
            confirmed(CLOSES - MS, "p2"),
            confirmed(CLOSES, "p3"),
        ),
        {"status": "concluded", "members": ["yan"]},
    ),
    Case(
        "confirmed before it was seen: counts at once, and no letter asks",
        of(opening(), confirmed(1_100, "p1"), applied(1_101, "p1", "xie", 3)),
        {"status": "concluded", "members": ["xie"], "confirm-application": None},
    ),
    Case(
        "taken back before it was seen: nothing counts and nothing is refused, even later",
        of(
            opening(),
            withdrawn(1_100, "p1"),
            applied(1_101, "p1", "xie", 3),
            confirmed(1_102, "p1"),
            withdrawn(1_103, "p2"),
            applied(1_104, "p2", "yan").recorded(CLOSES),
        ),
        {"status": "failed", "reservations": 0, "refused": {}},
    ),
    Case(
        "taken back in time does not count, and after the close it binds",
        of(
            opening(),
            reserved(1_100, "p1", "xie", 3),
            reserved(1_100, "p2", "yan", 3),
            withdrawn(CLOSES - MS, "p1"),
            withdrawn(CLOSES, "p2"),
        ),
        {"status": "concluded", "members": ["yan"], "number": 3},
    ),
    Case(
        "applications that are late are refused; a repeat changes nothing",
        of(
            opening(),
            applied(CLOSES, "p1", "xie"),
            applied(CLOSES + 1, "p1", "xie", 2),
            applied(1_100, "p2", "yan").recorded(CLOSES + 2),
        ),
        {"refused": {"p1": "after-term", "p2": "after-term"}},
    ),
    Case(
        "a seller can't apply in the own auction, known by id or by e-mail",
        of(
            opening(),
            offer(1_050, "o2", "bob", 99),
            applied(1_100, "p1", "ann"),
            applied(1_101, "p2", "bob"),
            applied(1_102, "p3", "xie", email="BOB@sells.EXAMPLE"),
            reserved(1_103, "p4", "cid"),
        ),
        {"refused": dict.fromkeys(("p1", "p2", "p3"), "own-auction"), "reservations": 1},
    ),
    Case(
        "who has become a seller in the auction meanwhile is refused at the confirmation",
        of(
            opening(),
            applied(1_100, "p1", "bob"),
            offer(1_200, "o2", "bob", 99),
            confirmed(1_300, "p1"),
        ),
        {
            "refused": {"p1": "own-auction"},
            "judged": {"o1": "shown opened"} | {"o2": "not-better step-too-small"},
        },
    ),
    Case(
        "who has applied can't offer before the application is taken back",
        of(
            opening(),
            reserved(1_100, "p1", "bob"),
            offer(1_200, "o2", "bob", 90),
            withdrawn(1_300, "p1"),
            offer(1_400, "o3", "bob", 90),
        ),
        {"judged": {"o1": "shown opened", "o2": "refused has-applied", "o3": "shown better"}},
    ),
    Case(
        "reservations stay within their limit; what replaces the own counts in its stead",
        of(
            opening(quantity_max_per_applicant=10**9),
            reserved(1_100, "p1", "xie", 10**9),
            reserved(1_200, "p2", "yan"),
            reserved(1_300, "p3", "xie", 10**9 - 1),
        ),
        {"refused": {"p2": "beyond-limits"}, "reservations": 10**9 - 1},
    ),
    Case(
        "one mailbox is one applicant under whatever id and spelling: the latest counts",
        of(
            opening(),
            spelled(1_100, "p1", "xie", "x.ie@gmail.com", 2),
            spelled(1_200, "p2", "yan", "XIE+1@GoogleMail.com", 3),
            spelled(1_300, "p3", "zoe", "zoe@gmail.com"),
        ),
        {"members": ["yan", "zoe"], "number": 4},
    ),
    Case(
        "who vouches may not replace what counts under another id, but may what does under its own",
        of(
            opening(),
            spelled(1_100, "p1", "xie", "xie@x.example", 2),
            [confirmed(1_200, "p2"), applied(1_201, "p2", "yan", 3, "xie+1@x.example")],
            [confirmed(1_300, "p3"), applied(1_301, "p3", "xie", 3, "xie+1@x.example")],
        ),
        {"refused": {"p2": "already-reserved"}, "members": ["xie"], "number": 3},
    ),
    Case(
        "who goes under one spelling does not come back under another",
        of(
            opening(),
            spelled(1_100, "p1", "xie", "xie@x.example", 2),
            spelled(1_200, "p2", "yan", "xie+1@x.example", 3),
            withdrawn(1_300, "p2"),
        ),
        {"status": "failed", "reservations": 0},
    ),
    Case(
        "a seller's alias is the seller, who buys or sells",
        of(
            opening(),
            applied(1_100, "p1", "xie", email="ann+buys@sells.example"),
            spelled(1_200, "p2", "yan", "bob+buys@sells.example"),
            offer(1_300, "o2", "bob", 90),
        ),
        {
            "refused": {"p1": "own-auction"},
            "judged": {"o1": "shown opened", "o2": "refused has-applied"},
        },
    ),
    Case(
        "one applicant may reserve a hundred, unless the seller says otherwise",
        of(opening(), reserved(1_100, "p1", "xie", 100), reserved(1_200, "p2", "yan", 101)),
        {
            "refused": {"p2": "over-applicant-limit"},
            "reservations": 100,
            "application-refused": ["yan p2"],
        },
    ),
    Case(
        "as many as the seller says, and no more",
        of(
            opening(quantity_max_per_applicant=5),
            reserved(1_100, "p1", "xie", 5),
            reserved(1_200, "p2", "yan", 6),
        ),
        {"refused": {"p2": "over-applicant-limit"}, "members": ["xie"], "number": 5},
    ),
    Case(
        "what comes before its auction waits up to an hour for it",
        of(
            applied(OPENS - 3_600, "p0", "wim", 3).recorded(OPENS - 3_600),
            offer(OPENS - 3_600, "o0", "cid", 50),
            applied(900, "p1", "xie", 3),
            offer(901, "o2", "bob", 95),
            confirmed(902, "p1"),
            opening(),
        ),
        {"shown": "o2", "status": "concluded", "members": ["xie"], "intercepted": ["o1"]}
        | {"refused": {"p0": "unknown-auction"}}
        | {"judged": {"o0": "refused unknown-auction", "o1": "shown opened", "o2": "shown better"}},
    ),
    Case(
        "no auction ever: offers and applications are refused",
        of(applied(1_000, "p1", "xie"), offer(1_000, "o2", "bob", 90), confirmed(1_001, "p1")),
        {"status": None, "refused": {"p1": "unknown-auction"}}
        | {"judged": {"o2": "refused unknown-auction"}, "offer-judged": ["bob o2"]},
    ),
    Case(
        "withdrawn by its opener before anyone relies on it: nobody is heard any more",
        of(
            opening(),
            taken_back(1_100),
            taken_back(1_100),
            offer(1_200, "o2", "bob", 90),
            applied(1_200, "p1", "xie"),
        ),
        {"status": "withdrawn", "invited": False, "refused": {"p1": "auction-withdrawn"}}
        | {"judged": {"o1": "shown opened", "o2": "refused auction-withdrawn"}}
        | {"contract-failed": None, "offer-judged": ["ann o1", "bob o2"]},
    ),
    Case(
        "not withdrawn by another, nor once someone has applied, confirmed or not",
        of(opening(), taken_back(1_100, "bob"), applied(1_200, "p1", "xie"), taken_back(1_300)),
        {
            "status": "failed",
            "offer-judged": [
                "ann o1",
                "ann withdrawal: has-applications",
                "bob withdrawal: not-the-opener",
            ],
        },
    ),
    Case(
        "withdrawn when the only application was taken back; at the close it is too late",
        of(opening(), reserved(1_100, "p1", "xie"), withdrawn(1_200, "p1"), taken_back(1_300)),
        {"status": "withdrawn", "reservations": 0},
    ),
    Case(
        "an opening that can't be met is refused with every problem named; another may follow",
        of(
            opening(
                offer_id="bad",
                minimum_reservations=0,
                unit_price=0,
                currency="XXX",
                minimum_step=0,
                closes_at=time(OPENS),
                invites_at=time(OPENS),
            ),
            opening(OPENS + 1, offer_id="o2", seller="bob"),
            opening(OPENS + 2, offer_id="o3", seller="cid"),
        ),
        {
            "shown": "o2",
            "judged": {"bad": "refused impossible-terms", "o2": "shown opened"}
            | {"o3": "refused auction-exists"},
            "problems": {
                "bad": (
                    "closes_at",
                    "currency",
                    "invites_at",
                    "minimum_reservations",
                    "minimum_step",
                    "unit_price",
                )
            },
        },
    ),
    Case(
        "an opening recorded at its close is too late",
        of(opening().recorded(CLOSES)),
        {"status": None, "judged": {"o1": "refused after-term"}},
    ),
    Case(
        "invited are sellers in good standing then, registered before, but for the one shown",
        of(
            opening(),
            offer(INVITES, "o2", "bob", 90),
            [registered(0, "pia"), registered(0, "sue"), approved(0, "sue")],
            [suspended(INVITES, "sue"), registered(INVITES, "new"), approved(INVITES, "new")],
            [registered(INVITES - MS, "old"), approved(INVITES, "old")],
            [registered(0, "mute", ""), approved(0, "mute")],
        ),
        {"invited": True, "invitation": ["bob", "cid", "old"], "shown": "o2"},
    ),
    Case(
        "of equally old records offers go first: the application is told of the better terms' page",
        of(opening(), reserved(1_100, "p1", "xie", 3), offer(1_101, "o2", "bob", 95)),
        {"shown": "o2", "condition-improved": None, "number": 3},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_oracle_tells_it_as_by_hand(case: Case) -> None:
    found = said(expect(case.history).auctions["A"])
    assert {name: found.get(name) for name in case.says} == case.says


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_the_rules_come_to_the_same(case: Case) -> None:
    # Records that wait behind chunks are judged by the facts of sellers that are there by then.
    is_prompt = case.history.visible == tuple(record.at for record in case.history.sellers)
    ways = (PLAIN, Way(stored=True), *([Way(patience=2)] if is_prompt else []))
    for way in ways:
        assert not check(PROCESSORS, case.history, way)


def test_a_sellers_standings_do_not_depend_on_the_order_of_arrival() -> None:
    events = [
        registered(10, "sue"),
        registered(5, "sue", "other@mail.example"),
        approved(9, "sue").recorded(20),
        reinstated(40, "sue"),
        suspended(30, "sue"),
        suspended(30, "sue"),
    ]
    sue = expect(of(*events)).sellers["sue"]
    assert sue["email"] == "sue@sells.example"
    assert [(standing, since - BEGINS) for standing, since in sue["standings"]] == [
        ("good", timedelta(seconds=10)),
        ("suspended", timedelta(seconds=30)),
        ("good", timedelta(seconds=40)),
    ]
    assert not check(PROCESSORS, of(*events))


def test_an_address_is_sent_once_and_as_of_when_it_came() -> None:
    """Of a seller the first registration, of an application the first of its id."""
    made = of(
        registered(50, "ann", "other@sells.example"),
        applied(900, "p0", "zoe"),
        applied(950, "p0", "zoe", email="other@buys.example"),
        opening(),
        reserved(1_100, "p1", "xie", 3),
        applied(1_150, "p1", "xie", email="other@buys.example"),
        withdrawn(1_160, "p2"),
        applied(1_170, "p2", "yul"),
        applied(CLOSES, "p3", "yul"),
    )
    assert expect(made).people == {
        *((f"seller:{each}", f"{each}@sells.example", each, None, None, time(0))
          for each in ("ann", "bob", "cid")),
        *((buyer, f"{buyer}@buys.example", None, None, None, time(at))
          for buyer, at in (("zoe", 900), ("xie", 1_100), ("yul", CLOSES))),
    }  # fmt: skip
    assert not check(PROCESSORS, made)


# --- seeds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "seeds",
    [range(SEEDS_IN_CHECK), pytest.param(range(SEEDS_IN_CHECK, SEEDS), marks=pytest.mark.slow)],
    ids=str,
)
def test_the_rules_agree_with_the_oracle(seeds: range) -> None:
    difference = check_seeds(PROCESSORS, seeds)
    assert not difference, difference


@pytest.mark.slow
def test_it_is_the_same_whether_sellers_facts_are_seen_at_their_time_or_from_the_start() -> None:
    for seed in range(100):
        made = simulate(seed)
        sellers = tuple(sorted(made.sellers, key=_own_time))
        at_once = replace(made, sellers=sellers, visible=tuple(map(_own_time, sellers)))
        if _has_offers_ahead_of_time(made):
            continue
        from_start = at_once.with_facts_first()
        one, other = expect(at_once).auctions, expect(from_start).auctions
        assert {key: (each.auction, each.judged) for key, each in one.items()} == {
            key: (each.auction, each.judged) for key, each in other.items()
        }
        assert not check(PROCESSORS, at_once)
        assert not check(PROCESSORS, from_start)


def _own_time(record: Record) -> datetime:
    message: Any = record.message
    return message.registered_at if isinstance(message, SellerRegistered) else message.at


def _has_offers_ahead_of_time(made: History) -> bool:
    return any(
        isinstance(record.message, Offer) and record.message.offered_at > record.at
        for record in made.offers
    )


def test_a_seed_makes_one_history_and_no_other() -> None:
    assert simulate(7, auctions=2) == simulate(7, auctions=2)
    assert simulate(7) != simulate(8)


@pytest.mark.slow
def test_everything_that_can_happen_happens_in_a_few_hundred_seeds() -> None:
    happened: Counter[str] = Counter()
    for seed in range(600):
        for outcome in expect(history_of(seed, way_of(seed))).auctions.values():
            happened[f"auction {(outcome.auction or {}).get('status')}"] += 1
            happened.update(f"{verdict} {reason}" for verdict, reason, _ in outcome.judged.values())
            happened.update(f"application {each[0]}" for each in outcome.refused.values())
            happened.update(kind for kind, *_ in outcome.letters)
            happened.update(of for *_, of, _ in outcome.letters if of.startswith("withdrawal"))
    assert {name for name, count in happened.items() if count >= 5} == HAPPENS


HAPPENS = {
    *(f"auction {status}" for status in ("None", "concluded", "failed", "withdrawn")),
    *("shown opened", "shown better"),
    *(f"not-better {why}" for why in ("higher-minimum", "price-not-lower", "step-too-small")),
    *(f"refused {whose}-seller" for whose in ("unknown", "pending", "suspended")),
    *("refused after-term", "refused auction-withdrawn", "refused impossible-terms"),
    *("refused other-product", "refused other-currency", "refused has-applied"),
    *("refused auction-exists", "refused unknown-auction"),
    *("application after-term", "application auction-withdrawn", "application own-auction"),
    *("application beyond-limits", "application unknown-auction"),
    *("application over-applicant-limit", "application already-reserved", "application-refused"),
    *("confirm-application", "right-intercepted", "contract-concluded", "contract-failed"),
    *("condition-improved", "invitation", "offer-judged", "seller-standing"),
    *("withdrawal: not-the-opener", "withdrawal: has-applications"),
    *("withdrawal: has-better-offer", "withdrawal: after-term"),
}


def test_a_difference_is_told_with_its_seed_and_its_history() -> None:
    made = of(opening(), FULL)
    gathered = gather(run(PROCESSORS, made))
    gathered.auctions["A"].judged["o1"] = ("refused", "after-term", ())
    found = differences(expect(made), gathered)
    assert found == [
        "A judged o1: is ('refused', 'after-term', ()), should be ('shown', 'opened', ())"
    ]
    text = told(7, PLAIN, made, found)
    assert text.startswith("seed 7, Way(")
    assert "+0:16:40" in text
    assert "applicant=xie/xie@buys.example quantity=3" in text


# --- the driver, with a processor of its own -----------------------------------------------------


@dataclass
class Count:
    """How often, and a chunk's way to go."""

    number: int


class Log:
    """What the rules of the small processor were called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def note(self, name: str, now: datetime) -> None:
        self.calls.append(f"{name} {(now - BEGINS).total_seconds():g}")

    def processor(self) -> Processor:
        """Each opening is due again ten seconds later; a withdrawal takes three chunks."""

        def opened(message: AuctionOpened, rows: Rows, now: datetime) -> Sequence[Message]:
            self.note(message.offer_id, now)
            rows[f"due/again/{message.offer_id}"] = Due(now + timedelta(seconds=10))
            return ()

        def back(message: AuctionWithdrawn, rows: Rows, now: datetime) -> Sequence[Message]:
            self.note("back", now)
            rows["chunk/three"] = Count(3)
            return ()

        def again(name: str, rows: Rows, now: datetime) -> Sequence[Message]:
            self.note(name, now)
            return ()

        def three(rows: Rows, now: datetime) -> Sequence[Message]:
            left = rows["chunk/three"].number - 1
            self.note(f"chunk {left}", now)
            if left:
                rows["chunk/three"] = Count(left)
            else:
                del rows["chunk/three"]
            return ()

        return Processor(
            service="small",
            name="one",
            inputs=(OFFERS,),
            outputs=(AUCTIONS,),
            on={AuctionOpened: opened, AuctionWithdrawn: back},
            due={"again": again},
            chunks={"three": three},
            rows={"chunk": Count},
        )


def records(*events: Event) -> list[Record]:
    return [Record("offers", time(event.at), event.message) for event in events]


@pytest.mark.parametrize("stored", [False, True])
def test_what_is_due_comes_before_a_record_of_its_time_in_the_order_of_its_times(
    stored: bool,
) -> None:
    log = Log()
    driver = Driver(log.processor(), stored=stored)
    driver.run(
        [records(opening(3, "b"), opening(1, "a"), opening(13, "c"))],
        time(100),
    )
    assert log.calls == [
        *("b 3", "a 3", "due/again/a 13", "due/again/b 13", "c 13", "due/again/c 23"),
    ]


def test_records_and_what_is_due_wait_for_the_chunks_of_their_key() -> None:
    log = Log()
    driver = Driver(log.processor(), patience=1)
    driver.run(
        [records(opening(1, "a"), taken_back(2), opening(5, "b"), opening(20, "c"))], time(100)
    )
    assert log.calls == [
        *("a 1", "back 2", "chunk 2 2", "chunk 1 20", "chunk 0 20"),
        *("b 5", "due/again/a 11", "due/again/b 15", "c 20", "due/again/c 30"),
    ]


def test_without_patience_chunks_run_at_once() -> None:
    log = Log()
    Driver(log.processor()).run([records(taken_back(2), opening(5, "b"))], time(100))
    assert log.calls == [
        *("back 2", "chunk 2 2", "chunk 1 2", "chunk 0 2", "b 5", "due/again/b 15")
    ]


def test_logs_are_merged_by_their_heads_the_first_log_first() -> None:
    first = records(opening(3, "a"), opening(1, "b"), opening(9, "c"))
    second = records(opening(2, "d"), opening(3, "e"), opening(4, "f"))
    ids = [record.message.offer_id for record in merged((first, second))]  # type: ignore[attr-defined]
    assert ids == ["d", "a", "b", "e", "f", "c"]


def test_rules_may_use_no_more_of_rows_than_the_runtime_has() -> None:
    def greedy(message: AuctionOpened, rows: Any, now: datetime) -> Sequence[Message]:
        rows.pop("chunk/three")
        return ()

    processor = replace(Log().processor(), on={AuctionOpened: greedy})
    with pytest.raises(ContractError):
        Driver(processor).run([records(opening())], time(100))


def test_a_message_of_no_output_is_an_error() -> None:
    def stray(message: AuctionOpened, rows: Any, now: datetime) -> Sequence[Message]:
        return (message,)

    processor = replace(Log().processor(), on={AuctionOpened: stray})
    with pytest.raises(ContractError):
        Driver(processor).run([records(opening())], time(100))
