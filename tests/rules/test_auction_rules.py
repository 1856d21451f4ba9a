"""What auction_service promises of auctions: who is shown, what counts, what the term's end brings.

The seller desk has its promises in ``test_seller_rules``.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.records import encode
from runtime.rows import Due, GivenUp, MemoryRows, Table, Waiting, Waits
from schemas.auctions import (
    ApplicationConfirmed,
    ApplicationRefused,
    ApplicationWithdrawn,
    Applied,
    Auction,
    AuctionOpened,
    AuctionWithdrawn,
    ConditionReplaced,
    ContractConcluded,
    ContractFailed,
    CounterOffered,
    Offer,
    OfferJudged,
    RightIntercepted,
    Seller,
    ShownOffer,
    Standing,
    StandingSince,
)
from schemas.groups import GroupPurchaseRequested, MembersListed
from schemas.letters import Notice
from schemas.parts import Contact, ListedMember, Message, Product, TimePassed
from schemas.people import Person
from schemas.topic import RECORD_BYTES_MAX
from services.auction_service import rows as tables
from services.auction_service.processor import AUCTION, DESK
from services.auction_service.rows import Ended

T = datetime(2024, 3, 1, tzinfo=UTC)
INSTANT = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
#: When most of what happens is said to happen.
MADE = T + HOUR
INVITES = T + 3 * HOUR
CLOSES = T + 4 * HOUR
KEPT = timedelta(days=90)
#: As many as a group purchase can ask for.
MOST = 10**9
#: What one call of a rule may visit.
CHUNK = 500

Some = TypeVar("Some", bound=Message)
TOPIC = {message: topic for topic in AUCTION.outputs for message in topic.messages}
TYPES = {**AUCTION.rows, "due": Due}
NOT_BETTER = {"higher-minimum", "price-not-lower", "step-too-small"}
#: What only ``people`` may hold: the at sign of every address, a name and a time zone.
PRIVATE = ("@", "Ann", "Asia/Tokyo")


# --- messages ------------------------------------------------------------------------------------


def offer(offer_id: str, seller_id: str, **terms: Any) -> dict[str, Any]:
    least: dict[str, Any] = {
        "offer_id": offer_id,
        "auction_id": "A",
        "seller_id": seller_id,
        "product": Product(id="p", name="tea"),
        "minimum_reservations": 10,
        "unit_price": 1_000,
        "currency": "EUR",
    }
    return least | terms


def opened(offer_id: str = "o", seller_id: str = "sue", **terms: Any) -> AuctionOpened:
    """Tea at 1,000 euro cents if ten are reserved within four hours, by steps of 50."""
    own: dict[str, Any] = {"offered_at": T, "closes_at": CLOSES, "minimum_step": 50}
    return AuctionOpened(**offer(offer_id, seller_id, **(own | terms)))


def offered(
    offer_id: str, seller_id: str = "tom", price: int = 900, **terms: Any
) -> CounterOffered:
    """The same tea, for less unless said otherwise."""
    return CounterOffered(
        **offer(offer_id, seller_id, **({"unit_price": price, "offered_at": MADE} | terms))
    )


def withdrawn(seller_id: str = "sue", at: datetime = MADE) -> AuctionWithdrawn:
    return AuctionWithdrawn(auction_id="A", seller_id=seller_id, at=at)


def applied(application_id: str, who: str, quantity: int = 1, **more: Any) -> Applied:
    applicant = Contact(id=who, email=f"{who}@example.com")
    said: dict[str, Any] = {"auction_id": "A", "applicant": applicant, "quantity": quantity}
    return Applied(application_id=application_id, **(said | {"applied_at": MADE} | more))


def confirmed(application_id: str, at: datetime = MADE) -> ApplicationConfirmed:
    return ApplicationConfirmed(application_id=application_id, auction_id="A", at=at)


def taken_back(application_id: str, at: datetime = MADE) -> ApplicationWithdrawn:
    return ApplicationWithdrawn(application_id=application_id, auction_id="A", at=at)


def counted(application_id: str, who: str, quantity: int = 1, **more: Any) -> list[Message]:
    """An application, and that the link in its letter was followed."""
    return [applied(application_id, who, quantity, **more), confirmed(application_id)]


def seller(
    seller_id: str,
    *standings: tuple[Standing, datetime],
    registered_at: datetime = T - DAY,
    email: str | None = None,
) -> Seller:
    """A seller as facts tell it; in good standing since yesterday if nothing else is said."""
    history = standings or (("good", registered_at),)
    return Seller(
        seller_id=seller_id,
        name=seller_id.title(),
        email=f"{seller_id}@shop.example" if email is None else email,
        registered_at=registered_at,
        standing=history[-1][0],
        standings=tuple(StandingSince(standing=each, since=since) for each, since in history),
        version=len(history),
    )


OPEN = opened()
SELLERS = (seller("sue"), seller("tom"), seller("una"))


# --- playing -------------------------------------------------------------------------------------


class WatchedRows(MemoryRows):
    """Rows that survive their store, and tell which are due, chunks, or facts to be sent."""

    def __init__(self) -> None:
        super().__init__("A")
        self.changed: dict[str, None] = {}
        self.as_put: dict[str, bytes] = {}
        self.by_table: dict[str, set[str]] = {table: set() for table in TYPES}
        #: Of every due row there was: its time and name; stale if there is no such row now.
        self.due: list[tuple[datetime, str]] = []

    def __setitem__(self, name: str, row: Any) -> None:
        table = name.partition("/")[0]
        self.as_put[name] = msgspec.json.encode(row)
        assert msgspec.json.decode(self.as_put[name], type=TYPES[table]) == row
        assert not [each for each in PRIVATE if each in self.as_put[name].decode()], name
        super().__setitem__(name, row)
        self.by_table[table].add(name)
        if table == "due":
            heapq.heappush(self.due, (row.at, name))
        if table in AUCTION.facts:
            self.changed[name] = None

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self.by_table[name.partition("/")[0]].remove(name)

    def scan(
        self, table: Table[Any] | str, *parts: str, after: str = "", reverse: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """As ``Rows.scan``, without a look at all other tables."""
        assert not reverse
        prefix = table if isinstance(table, str) else table.prefix(*parts)
        names = sorted(self.by_table[prefix.partition("/")[0]])
        return ((each, self[each]) for each in names if each.startswith(prefix) and each > after)


#: A message comes at its own time, or when it is said to; sellers are known from then on.
Event = Message | tuple[datetime, Any] | Sequence[Any]


class Story:
    """An auction played the way the runtime plays it; every event is a batch of its own."""

    def __init__(self, *sellers: Seller) -> None:
        self.rows = WatchedRows()
        self.now = T - DAY
        self.sellers: dict[str, Message] = {}
        self.told: list[tuple[datetime, Message]] = []
        #: Of every call of a chunk: its name, and how many messages it sent.
        self.calls: list[tuple[str, int]] = []
        self.given_up: list[GivenUp] = []
        #: People whose addresses other services or the seller desk have sent to ``people``.
        self.known_elsewhere: set[str] = set()
        self.know(*sellers)

    def know(self, *sellers: Seller) -> None:
        known = {**self.sellers, **{each.seller_id: each for each in sellers}}
        self.sellers = dict(sorted(known.items()))
        self.known_elsewhere |= {f"seller:{each.seller_id}" for each in sellers if each.email}

    def play(self, *events: Event) -> "Story":
        for at, message in flat(events):
            self.now = max(self.now, at)
            self.fire()
            self.take(message)
            self.run_chunks()
            self.fire()
        self.check()
        return self

    def take(self, message: Message) -> None:
        if isinstance(message, Seller):
            self.know(message)
        elif not isinstance(message, TimePassed):
            if isinstance(message, Applied) and message.applicant.person_id:
                self.known_elsewhere.add(message.applicant.person_id)
            self.send(AUCTION.on[type(message)](message, self.rows, self.now, self.sellers))

    def fire(self) -> None:
        """What is due by now, earliest first and each at its own time."""
        now = self.now
        due = self.rows.due
        while due and due[0][0] <= now:
            self.now, name = heapq.heappop(due)
            if self.rows.get(name) != Due(self.now):
                continue
            del self.rows[name]
            rule = AUCTION.due[name.split("/")[1]]
            self.send(rule(name, self.rows, self.now, self.sellers))
            self.run_chunks()
        self.now = now

    def run_chunks(self) -> None:
        while self.run_chunk():
            pass

    def run_chunk(self) -> bool:
        """One call of the first chunk there is."""
        name = min(self.rows.by_table["chunk"], default="")
        if name:
            before = len(self.told)
            rule = AUCTION.chunks[name.split("/")[1]]
            self.send(rule(self.rows, self.now, self.sellers))
            self.calls.append((name, len(self.told) - before))
        return bool(name)

    def send(self, answers: Iterable[Message | GivenUp]) -> None:
        answers = list(answers)
        self.given_up += [each for each in answers if isinstance(each, GivenUp)]
        messages = [each for each in answers if not isinstance(each, GivenUp)]
        changed, self.rows.changed = self.rows.changed, {}
        facts = [
            AUCTION.facts[name.partition("/")[0]](name, self.rows)
            for name in changed
            if name in self.rows
        ]
        for message in (*facts, *messages):
            adapter = TOPIC[type(message)].adapter
            text = message.model_dump_json(exclude_none=True)
            assert adapter.validate_json(text) == message
            if isinstance(message, Person):
                assert message.seen_at == self.now, "whatever time the sender chose"
            else:
                assert not [each for each in PRIVATE if each in text], text
            self.told.append((self.now, message))

    # What a story is asked.

    @property
    def sent(self) -> list[Message]:
        return [message for _, message in self.told]

    def of(self, kind: type[Some]) -> list[Some]:
        return [message for message in self.sent if isinstance(message, kind)]

    def letters(self, kind: str) -> list[Notice]:
        return [notice for notice in self.of(Notice) if notice.kind == kind]

    def recipients(self, kind: str) -> list[str]:
        return [notice.says.party_id for notice in self.letters(kind)]

    @property
    def people(self) -> list[tuple[str, str]]:
        """The addresses sent to ``people``, by person."""
        return [(each.person_id, each.email) for each in self.of(Person)]

    @property
    def page(self) -> Auction:
        return self.of(Auction)[-1]

    @property
    def count(self) -> tuple[int, int]:
        return self.page.reservations, self.page.applicants

    @property
    def verdicts(self) -> dict[str, str]:
        return {each.offer_id: each.reason for each in self.of(OfferJudged)}

    def judged_at(self, offer_id: str) -> datetime | None:
        """When an offer's verdict was told first."""
        times = (
            at
            for at, message in self.told
            if isinstance(message, OfferJudged) and message.offer_id == offer_id
        )
        return next(times, None)

    @property
    def refused(self) -> dict[str, str]:
        return {each.application_id: each.reason for each in self.of(ApplicationRefused)}

    # What holds of every story.

    def check(self) -> None:
        self.check_facts()
        self.check_letters()
        self.check_takeovers()
        self.check_rows()

    def check_facts(self) -> None:
        """The page's version rises; all else is told once, or again word for word when asked."""
        versions = [page.version for page in self.of(Auction)]
        assert all(one < other for one, other in itertools.pairwise(versions))
        told: dict[object, Message] = {}
        for message in self.sent:
            if isinstance(message, Auction | Notice | Person):
                continue
            key = (message.key, type(message), getattr(message, "part", 0))
            if isinstance(message, OfferJudged | ApplicationRefused):
                assert told.get(key, message) == message, "the same answer again"
            else:
                assert key not in told, "told once"
            told[key] = message
        for judged in self.of(OfferJudged):
            shown = judged.reason in {"opened", "better"}
            other = "not-better" if judged.reason in NOT_BETTER else "refused"
            assert judged.verdict == ("shown" if shown else other)
            assert bool(judged.problems) == (judged.reason == "impossible-terms")

    def check_letters(self) -> None:
        """Never twice the same, and to people with an address only."""
        letters = self.of(Notice)
        known = self.known_elsewhere | {person_id for person_id, _ in self.people}
        assert all(letter.recipient_id in known for letter in letters)
        assert all(letter.about == "A" for letter in letters)
        assert not [
            letter
            for letter, count in Counter(letter.notice_id for letter in letters).items()
            if count > 1
        ]

    def check_takeovers(self) -> None:
        """Each replaces what was shown, and tells the displaced seller, if that is another."""
        shown: ShownOffer | None = None
        displaced = []
        for message in self.sent:
            if isinstance(message, ConditionReplaced):
                assert shown in (None, message.before)
                shown = message.shown
                if message.before.seller_id != shown.seller_id:
                    displaced.append((message.before.offer_id, shown.unit_price))
        intercepted = [(each.offer_id, each.unit_price) for each in self.of(RightIntercepted)]
        assert intercepted == displaced
        assert shown is None or shown == self.page.shown

    def check_rows(self) -> None:
        """Rows add up to the page; who waits is looked after; no row was changed in place."""
        rows = self.rows
        for name, row in rows.items():
            assert msgspec.json.encode(row) == rows.as_put[name], f"{name} was changed in place"
        for table, rule in (("asking", "look"), ("waiting", "expire")):
            waiting = {name.partition("/")[2] for name, _ in rows.scan(f"{table}/")}
            assert waiting == {name.split("/")[2] for name, _ in rows.scan(f"due/{rule}/")}
        if "auction" not in rows:
            assert not list(rows.scan("applicant/"))
            return
        assert self.page == AUCTION.facts["auction"]("auction", rows)
        assert not list(rows.scan("waiting/"))
        assert ("due/close" in rows) == (self.page.status == "open")
        applicants = [row for _, row in rows.scan("applicant/")]
        assert self.count == (sum(row.quantity for row in applicants), len(applicants))
        states = {name.partition("/")[2]: row.state for name, row in rows.scan("application/")}
        counting = {application for application, state in states.items() if state == "counts"}
        assert counting == {row.application_id for row in applicants}
        unconfirmed = [state for state in states.values() if state == "unconfirmed"]
        live = rows["live"].count if "live" in rows else 0
        assert live == len(counting) + len(unconfirmed)


def flat(events: Iterable[Any]) -> Iterator[tuple[datetime, Message]]:
    """Events with their times."""
    for event in events:
        match event:
            case Seller():
                yield T - DAY, event
            case Offer():
                yield event.offered_at, event
            case Applied():
                yield event.applied_at, event
            case Message():
                yield event.at, event  # type: ignore[attr-defined]
            case (datetime() as came, said):
                yield from ((came, message) for _, message in flat([said]))
            case [*several]:
                yield from flat(several)


def play(*events: Event) -> Story:
    """Play events among sellers in good standing."""
    return Story(*SELLERS).play(*events)


def time(at: datetime) -> TimePassed:
    return TimePassed(at=at)


def arriving(at: datetime, *messages: Event) -> Event:
    """Messages that all come at one time, whatever they say of their own."""
    return at, messages


@dataclass
class Case:
    """A promise, what happens, and what the page, the verdicts and the refusals say then."""

    promise: str
    events: list[Event]
    #: Reservations, and applicants.
    count: tuple[int, int] = (0, 0)
    #: Of offers other than the opening one.
    verdicts: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    shown: str = "o"
    status: str = "open"


def promises(cases: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Rows of a table, the first column being the promise."""
    return [pytest.param(*values, id=promise) for promise, *values in cases]


# --- opening -------------------------------------------------------------------------------------

YEAR_9000 = datetime(9000, 1, 1, tzinfo=UTC)
YEAR_1969 = datetime(1969, 12, 31, tzinfo=UTC)

IMPOSSIBLE: list[tuple[str, dict[str, Any], set[str]]] = [
    ("no reservations", {"minimum_reservations": 0}, {"minimum_reservations"}),
    ("fewer than none", {"minimum_reservations": -1}, {"minimum_reservations"}),
    ("more than can be", {"minimum_reservations": 10**9 + 1}, {"minimum_reservations"}),
    ("more than a letter can tell", {"minimum_reservations": 10**30}, {"minimum_reservations"}),
    ("for nothing", {"unit_price": 0}, {"unit_price"}),
    ("for less than nothing", {"unit_price": -1}, {"unit_price"}),
    ("too dear", {"unit_price": 10**12 + 1}, {"unit_price"}),
    ("dearer than a letter can tell", {"unit_price": 10**30}, {"unit_price"}),
    ("a strange currency", {"currency": "EURO"}, {"currency"}),
    ("a currency in small letters", {"currency": "eur"}, {"currency"}),
    ("no step", {"minimum_step": 0}, {"minimum_step"}),
    ("a step backwards", {"minimum_step": -1}, {"minimum_step"}),
    ("too large a step", {"minimum_step": 10**12 + 1}, {"minimum_step"}),
    ("none for one", {"quantity_max_per_applicant": 0}, {"quantity_max_per_applicant"}),
    ("too many for one", {"quantity_max_per_applicant": MOST + 1}, {"quantity_max_per_applicant"}),
    ("ends as it begins", {"closes_at": T}, {"closes_at"}),
    ("ends before it begins", {"closes_at": T - INSTANT}, {"closes_at"}),
    ("ends before all time", {"closes_at": YEAR_1969}, {"closes_at"}),
    ("made before all time", {"offered_at": YEAR_1969}, {"offered_at"}),
    ("made after all time", {"offered_at": YEAR_9000}, {"offered_at", "closes_at"}),
    ("ends after all time", {"closes_at": YEAR_9000}, {"closes_at"}),
    ("calls as it begins", {"invites_at": T}, {"invites_at"}),
    ("calls before it begins", {"invites_at": T - INSTANT}, {"invites_at"}),
    ("calls as it ends", {"invites_at": CLOSES}, {"invites_at"}),
    ("calls after it has ended", {"invites_at": CLOSES + INSTANT}, {"invites_at"}),
    (
        "everything",
        {
            "minimum_reservations": 0,
            "unit_price": -5,
            "currency": "shells",
            "minimum_step": 0,
            "closes_at": T - HOUR,
            "invites_at": T + HOUR,
        },
        {
            *("minimum_reservations", "unit_price", "currency", "minimum_step"),
            *("closes_at", "invites_at"),
        },
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("terms", "fields"), promises(IMPOSSIBLE))
def test_impossible_opening_is_refused_with_every_problem_named(
    terms: dict[str, Any], fields: set[str]
) -> None:
    """There and then; the seller is told, and may open the auction with another offer."""
    story = play((T, opened(**terms)))
    (judged,) = story.of(OfferJudged)
    assert judged.reason == "impossible-terms"
    assert {each.field for each in judged.problems} == fields
    (letter,) = story.letters("offer-judged")
    assert (letter.says.party_id, letter.says.problems) == ("sue", judged.problems)
    assert not story.of(Auction)
    assert story.play(opened("again")).page.shown.offer_id == "again"


POSSIBLE: list[tuple[str, dict[str, Any]]] = [
    ("one reservation", {"minimum_reservations": 1}),
    ("as many as can be", {"minimum_reservations": 10**9}),
    ("for next to nothing", {"unit_price": 1}),
    ("as dear as can be", {"unit_price": 10**12}),
    ("the smallest step", {"minimum_step": 1}),
    ("the largest step", {"minimum_step": 10**12}),
    ("one for one applicant", {"quantity_max_per_applicant": 1}),
    ("all for one applicant", {"quantity_max_per_applicant": MOST}),
    ("calls as soon as can be", {"invites_at": T + INSTANT}),
    ("calls as late as can be", {"invites_at": CLOSES - INSTANT}),
    ("ends as soon as can be", {"closes_at": T + INSTANT}),
    ("ends as late as can be", {"closes_at": YEAR_9000 - INSTANT}),
]


@pytest.mark.parametrize("terms", promises(POSSIBLE))
def test_possible_opening_is_shown_as_it_is(terms: dict[str, Any]) -> None:
    story = play(opened(**terms))
    assert story.verdicts == {"o": "opened"}
    assert terms.items() <= {**story.page.model_dump(), **story.page.shown.model_dump()}.items()


def test_an_opening_puts_the_page_up() -> None:
    """The page, the verdict, and a letter: in this order, and nothing else."""
    story = play(OPEN)
    shown = ShownOffer(offer_id="o", seller_id="sue", unit_price=1_000, minimum_reservations=10)
    page, judged, letter = story.sent
    assert page == Auction(
        auction_id="A",
        version=1,
        status="open",
        product=OPEN.product,
        opened_by="sue",
        opened_at=T,
        shown=shown,
        currency="EUR",
        minimum_step=50,
        reservations=0,
        applicants=0,
        invites_at=INVITES,
        closes_at=CLOSES,
    )
    verdict: dict[str, Any] = {
        "auction_id": "A",
        "seller_id": "sue",
        "verdict": "shown",
        "reason": "opened",
    }
    assert judged == OfferJudged(offer_id="o", **verdict)
    assert isinstance(letter, Notice)
    assert (letter.kind, letter.says.party_id, letter.says.shown) == ("offer-judged", "sue", shown)


def test_terms_left_out_are_a_step_of_one_and_a_call_at_three_quarters() -> None:
    least: dict[str, Any] = {"auction_id": "A", "seller_id": "sue", "product": Product(name="tea")}
    price: dict[str, Any] = {"minimum_reservations": 1, "unit_price": 2, "currency": "EUR"}
    times: dict[str, Any] = {"offered_at": T, "closes_at": T + 8 * SECOND}
    page = play(AuctionOpened(offer_id="o", **least, **price, **times)).page
    assert (page.minimum_step, page.invites_at) == (1, T + 6 * SECOND)


@pytest.mark.parametrize(
    ("came", "reason"),
    promises(
        [
            ("long after", CLOSES + DAY, "after-term"),
            ("at the term's end", CLOSES, "after-term"),
            ("an instant before", CLOSES - INSTANT, "opened"),
            ("before it was made, by a clock that is ahead", T - HOUR, "opened"),
        ]
    ),
)
def test_an_opening_must_come_within_its_term(came: datetime, reason: str) -> None:
    story = play((came, OPEN))
    assert story.verdicts == {"o": reason}
    assert bool(story.of(Auction)) == (reason == "opened")


def test_an_opening_just_before_its_end_still_calls_and_ends() -> None:
    """What is overdue is done as of its own time."""
    story = play((CLOSES - INSTANT, OPEN), time(CLOSES))
    assert (story.page.invited_at, story.page.status) == (INVITES, "failed")
    assert sorted(story.recipients("invitation")) == ["tom", "una"]
    (failed,) = story.of(ContractFailed)
    assert failed.at == CLOSES


@pytest.mark.parametrize(
    "offer_made",
    promises(
        [
            ("shown", OPEN),
            ("impossible", opened(minimum_step=0, unit_price=0)),
            ("after its term", (CLOSES, OPEN)),
            ("by nobody known", [opened(seller_id="nia"), time(T + MINUTE)]),
        ]
    ),
)
def test_an_opening_again_gets_the_same_answer_again(offer_made: Event) -> None:
    """And changes nothing, nor is there a second letter."""
    once = play(offer_made)
    rows, told = dict(once.rows), len(once.sent)
    (_, message), *_ = flat([offer_made])
    once.play((once.now, message), (once.now, message))
    assert once.sent[told:] == once.of(OfferJudged)[:1] * 2
    assert dict(once.rows) == rows


SECOND_OPENINGS: list[tuple[str, AuctionOpened]] = [
    ("of another seller", opened("x", "tom")),
    ("of the same seller", opened("x")),
    ("that would be better", opened("x", "tom", unit_price=1)),
    ("that is impossible too", opened("x", "tom", unit_price=0, closes_at=T)),
    ("of nobody known", opened("x", "nia")),
]
ENDS: list[tuple[str, list[Event]]] = [
    ("while it is open", []),
    ("once it has failed", [time(CLOSES)]),
    ("once it is concluded", [counted("a", "ann", 10), time(CLOSES)]),
    ("once it is withdrawn", [withdrawn()]),
]


@pytest.mark.slow
@pytest.mark.parametrize("events", promises(ENDS))
@pytest.mark.parametrize("second", promises(SECOND_OPENINGS))
def test_an_auction_opens_once(second: AuctionOpened, events: list[Event]) -> None:
    """The second is refused there and then, whatever else is wrong with it."""
    story = play(OPEN, events)
    page = story.page
    story.play((story.now, second))
    assert story.verdicts == {"o": "opened", "x": "auction-exists"}
    assert story.judged_at("x") == story.now
    assert story.page == page


def test_an_impossible_opening_after_its_term_by_nobody_is_impossible() -> None:
    """The first reason that holds is the one that is told."""
    impossible = opened("o", "nia", unit_price=0)
    late = opened("p", "nia")
    story = play(arriving(CLOSES, impossible, late))
    assert story.verdicts == {"o": "impossible-terms", "p": "after-term"}


# --- standing ------------------------------------------------------------------------------------

STANDINGS: list[tuple[str, Seller | None, str]] = [
    ("good for long", seller("nia"), ""),
    ("registered and approved in that instant", seller("nia", registered_at=MADE), ""),
    (
        "registered an instant later",
        seller("nia", registered_at=MADE + INSTANT),
        "unknown-seller",
    ),
    ("never registered", None, "unknown-seller"),
    ("not approved", seller("nia", ("pending", T)), "pending-seller"),
    ("approved in that instant", seller("nia", ("pending", T), ("good", MADE)), ""),
    (
        "approved an instant later",
        seller("nia", ("pending", T), ("good", MADE + INSTANT)),
        "pending-seller",
    ),
    ("suspended", seller("nia", ("good", T), ("suspended", T + MINUTE)), "suspended-seller"),
    (
        "suspended in that instant",
        seller("nia", ("good", T), ("suspended", MADE)),
        "suspended-seller",
    ),
    ("suspended an instant later", seller("nia", ("good", T), ("suspended", MADE + INSTANT)), ""),
    (
        "reinstated in that instant",
        seller("nia", ("good", T), ("suspended", T + MINUTE), ("good", MADE)),
        "",
    ),
    (
        "reinstated an instant later",
        seller("nia", ("good", T), ("suspended", T + MINUTE), ("good", MADE + INSTANT)),
        "suspended-seller",
    ),
]
#: How an offer is made by someone, for the first auction of that seller or in another's.
KINDS: list[tuple[str, list[Event], Offer, str]] = [
    ("opening", [], opened("x", "nia", offered_at=MADE), "opened"),
    ("counter", [OPEN], offered("x", "nia"), "better"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("before", "made", "good"), promises(KINDS))
@pytest.mark.parametrize(("known", "reason"), promises(STANDINGS))
def test_an_offer_is_judged_by_its_seller_s_standing_when_it_was_made(
    known: Seller | None, reason: str, before: list[Event], made: Offer, good: str
) -> None:
    """At once while that is good; else facts may be on their way, for a minute and no longer."""
    story = play(*([known] if known else []), *before, made)
    assert story.judged_at("x") == (None if reason else MADE)
    story.play(time(MADE + MINUTE - INSTANT))
    assert story.judged_at("x") == (None if reason else MADE)
    story.play(time(MADE + MINUTE))
    assert story.judged_at("x") == (MADE + MINUTE if reason else MADE)
    assert story.verdicts["x"] == (reason or good)


LOOKS: list[tuple[str, timedelta, timedelta | None]] = [
    ("an instant later", INSTANT, 5 * SECOND),
    ("just before the first look", 5 * SECOND - INSTANT, 5 * SECOND),
    ("just after the first look", 5 * SECOND + INSTANT, 10 * SECOND),
    ("half a minute later", 31 * SECOND, 35 * SECOND),
    ("just before the last look", MINUTE - INSTANT, MINUTE),
    ("just after the last look", MINUTE + INSTANT, None),
]


@pytest.mark.slow
@pytest.mark.parametrize("delay", [timedelta(0), 20 * MINUTE], ids=["at-once", "late"])
@pytest.mark.parametrize(("before", "made", "good"), promises(KINDS))
@pytest.mark.parametrize(("known", "judged"), promises(LOOKS))
def test_an_offer_waits_for_the_facts_of_its_seller(
    known: timedelta,
    judged: timedelta | None,
    before: list[Event],
    made: Offer,
    good: str,
    delay: timedelta,
) -> None:
    """Looked at again every five seconds from its arrival, a last time after a minute."""
    came = MADE + delay
    story = play(*before, (came, made), (came + known, seller("nia")), time(came + 2 * MINUTE))
    assert story.verdicts["x"] == (good if judged else "unknown-seller")
    assert story.judged_at("x") == came + (judged or MINUTE)


def test_facts_that_came_but_say_no_do_not_end_the_wait() -> None:
    """The registration comes before the approval, of which the same minute may tell."""
    pending, good = seller("nia", ("pending", T)), seller("nia", ("pending", T), ("good", MADE))
    story = play(OPEN, offered("x", "nia"), (MADE + 2 * SECOND, pending))
    story.play((MADE + 12 * SECOND, good), time(MADE + MINUTE))
    assert (story.verdicts["x"], story.judged_at("x")) == ("better", MADE + 15 * SECOND)


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_offers_looked_at_in_one_instant_are_judged_in_order_of_arrival(
    order: tuple[str, str],
) -> None:
    """Both offer the same, so the one that came first is shown."""
    offers = {"x": offered("x", "nia"), "y": offered("y", "oda")}
    story = play(OPEN, *(offers[each] for each in order))
    story.play(arriving(MADE + SECOND, seller("nia"), seller("oda")), time(MADE + MINUTE))
    assert story.page.shown.offer_id == order[0]
    assert story.verdicts == {"o": "opened", order[0]: "better", order[1]: "price-not-lower"}


def test_who_waits_holds_nobody_else_up() -> None:
    """A known seller's offer is judged when it comes; the one that waited, against that."""
    story = play(OPEN, offered("x", "nia", 900), offered("y", "tom", 870))
    assert story.page.shown.offer_id == "y"
    story.play((MADE + SECOND, seller("nia")), time(MADE + MINUTE))
    assert story.verdicts == {"o": "opened", "y": "better", "x": "price-not-lower"}


def test_a_waiting_offer_that_is_repeated_is_judged_once() -> None:
    story = play(OPEN, offered("x", "nia"), offered("x", "nia"), (MADE + SECOND, seller("nia")))
    story.play(offered("x", "nia"), time(MADE + MINUTE))
    assert {each.reason for each in story.of(OfferJudged) if each.offer_id == "x"} == {"better"}
    assert len(story.of(ConditionReplaced)) == 1
    assert story.recipients("offer-judged") == ["sue", "nia"]


def test_while_an_opening_waits_there_is_no_auction() -> None:
    """Another's may open it meanwhile; what else comes waits for whichever does."""
    early: list[Event] = [offered("b"), counted("a", "ann", 2)]
    story = play(opened("x", "nia"), arriving(T + SECOND, *early))
    assert [type(each) for each in story.sent] == [Person]
    story.play((T + 2 * SECOND, opened("y", "una")))
    assert story.verdicts == {"y": "opened", "b": "better"}
    assert story.count == (2, 1)
    story.play((T + 3 * SECOND, seller("nia")), time(T + MINUTE))
    assert story.verdicts == {"y": "opened", "b": "better", "x": "auction-exists"}


def test_of_two_openings_that_wait_the_first_to_come_opens() -> None:
    story = play(opened("x", "nia"), opened("y", "oda"))
    story.play(arriving(T + SECOND, seller("nia"), seller("oda")), time(T + MINUTE))
    assert story.verdicts == {"x": "opened", "y": "auction-exists"}


def test_what_waited_is_applied_when_the_opening_s_seller_is_known() -> None:
    early: list[Event] = [offered("b"), counted("a", "ann", 2)]
    story = play(opened("x", "nia"), arriving(T + SECOND, *early))
    story.play((T + 2 * SECOND, seller("nia")), time(T + 5 * SECOND))
    assert (story.verdicts, story.count) == ({"x": "opened", "b": "better"}, (2, 1))


def test_an_opening_does_not_wait_beyond_its_own_term() -> None:
    """There is nothing to open any more, whoever the seller is."""
    story = play(opened(seller_id="nia", closes_at=T + 30 * SECOND))
    story.play((T + 40 * SECOND, seller("nia")), time(T + MINUTE))
    assert story.verdicts == {"o": "after-term"}
    assert not story.of(Auction)


LAST_LOOKS: list[tuple[str, timedelta, str]] = [
    ("before it", 2 * SECOND, "better"),
    ("after it", -2 * MINUTE, "unknown-seller"),
]


@pytest.mark.parametrize(("before_close", "reason"), promises(LAST_LOOKS))
def test_the_term_s_end_is_the_last_look(before_close: timedelta, reason: str) -> None:
    """Just before the conclusion, which then is about what that look found."""
    story = play(OPEN, counted("a", "ann", 5))
    story.play((CLOSES - 12 * SECOND, offered("x", "nia", minimum_reservations=5)))
    story.play((CLOSES - before_close, seller("nia")), time(CLOSES + HOUR))
    assert (story.verdicts["x"], story.judged_at("x")) == (reason, CLOSES)
    assert story.page.status == ("concluded" if reason == "better" else "failed")
    assert story.recipients("condition-improved") == (["ann"] if reason == "better" else [])
    kinds = [type(message) for message in story.sent]
    conclusion = ContractConcluded if reason == "better" else ContractFailed
    assert kinds.index(conclusion) > max(n for n, kind in enumerate(kinds) if kind is OfferJudged)


# --- comparing -----------------------------------------------------------------------------------

# Shown are 1,000 cents from ten on, by steps of 50.
COMPARED: list[tuple[str, dict[str, Any], str]] = [
    ("lower by exactly the step", {"price": 950}, "better"),
    ("lower by more than the step", {"price": 1}, "better"),
    ("lower by one less than the step", {"price": 951}, "step-too-small"),
    ("lower by one", {"price": 999}, "step-too-small"),
    ("a tie keeps the shown one", {"price": 1_000}, "price-not-lower"),
    ("higher by one", {"price": 1_001}, "price-not-lower"),
    ("the same price from fewer on", {"price": 1_000, "minimum_reservations": 9}, "better"),
    ("a lower price from fewer on", {"price": 950, "minimum_reservations": 1}, "better"),
    (
        "lower by less than the step, though from fewer on",
        {"price": 951, "minimum_reservations": 1},
        "step-too-small",
    ),
    (
        "a higher price, though from fewer on",
        {"price": 1_001, "minimum_reservations": 1},
        "price-not-lower",
    ),
    (
        "far cheaper, but from one more on",
        {"price": 1, "minimum_reservations": 11},
        "higher-minimum",
    ),
    ("the same price from more on", {"price": 1_000, "minimum_reservations": 11}, "higher-minimum"),
    ("dearer, and from more on", {"price": 2_000, "minimum_reservations": 11}, "higher-minimum"),
    ("the same product by another name", {"product": Product(id="p", name="thé")}, "better"),
    ("the product by its name alone", {"product": Product(name="tea")}, "better"),
    ("another product of that name", {"product": Product(id="q", name="tea")}, "other-product"),
    ("another name, and no id", {"product": Product(name="Tea")}, "other-product"),
    ("another currency", {"currency": "USD"}, "other-currency"),
    ("the currency in small letters", {"currency": "eur"}, "other-currency"),
    ("no reservations", {"minimum_reservations": 0}, "impossible-terms"),
    ("too many reservations", {"minimum_reservations": 10**9 + 1}, "impossible-terms"),
    ("for nothing", {"price": 0}, "impossible-terms"),
    ("for less than nothing", {"price": -1}, "impossible-terms"),
    ("too dear", {"price": 10**12 + 1}, "impossible-terms"),
    ("as dear as can be", {"price": 10**12}, "price-not-lower"),
    ("made an instant before the term", {"offered_at": CLOSES - INSTANT}, "better"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("terms", "reason"), promises(COMPARED))
def test_an_offer_takes_over_only_if_nobody_is_worse_off_by_it(
    terms: dict[str, Any], reason: str
) -> None:
    """Judged there and then; what is better is shown, and binds."""
    story = play(OPEN, offered("b", **terms))
    assert story.verdicts == {"o": "opened", "b": reason}
    assert story.page.shown.offer_id == ("b" if reason == "better" else "o")
    assert story.recipients("right-intercepted") == (["sue"] if reason == "better" else [])


@pytest.mark.parametrize(
    ("terms", "better"),
    promises(
        [
            ("a step of one: lower by one", {"price": 999}, True),
            ("a step of one: a tie", {"price": 1_000}, False),
            ("no id in the opening: the name", {"product": Product(id="q", name="tea")}, True),
            ("no id in the opening: no other name", {"product": Product(id="p", name="te")}, False),
        ]
    ),
)
def test_the_smallest_opening_is_bettered_by_one(terms: dict[str, Any], better: bool) -> None:
    story = play(opened(minimum_step=1, product=Product(name="tea")), offered("b", **terms))
    assert (story.page.shown.offer_id == "b") == better


def test_a_step_beyond_the_price_leaves_the_minimum_to_compete_by() -> None:
    story = play(opened(minimum_step=1_000), offered("b", "tom", 1))
    story.play(offered("c", "una", 1_000, minimum_reservations=9))
    assert story.verdicts == {"o": "opened", "b": "step-too-small", "c": "better"}


def test_every_problem_of_an_impossible_counter_offer_is_named() -> None:
    story = play(OPEN, offered("b", "tom", -1, minimum_reservations=10**30))
    judged = story.of(OfferJudged)[-1]
    assert [each.field for each in judged.problems] == ["minimum_reservations", "unit_price"]
    assert story.letters("offer-judged")[-1].says.problems == judged.problems


# An offer has what its own row says against it, and what all rows below say.
STACKED: list[tuple[str, dict[str, Any]]] = [
    ("impossible-terms", {"price": 0}),
    ("other-product", {"product": Product(id="q", name="tea")}),
    ("other-currency", {"currency": "USD"}),
    ("unknown-seller", {"seller_id": "nia"}),
    ("has-applied", {"seller_id": "tom"}),
    ("higher-minimum", {"minimum_reservations": 11}),
    ("price-not-lower", {"seller_id": "una", "price": 2_000}),
]


def stacked(number: int) -> CounterOffered:
    terms: dict[str, Any] = {}
    for _, more in reversed(STACKED[number:]):
        terms |= more
    return offered("b", **terms)


@pytest.mark.parametrize("number", range(len(STACKED)), ids=[reason for reason, _ in STACKED])
def test_the_first_reason_that_holds_is_told(number: int) -> None:
    story = play(OPEN, counted("t", "tom"), counted("n", "nia"), stacked(number))
    story.play(time(MADE + MINUTE))
    assert story.verdicts["b"] == STACKED[number][0]


@pytest.mark.parametrize(
    ("events", "reason"),
    promises(
        [
            ("withdrawn", [withdrawn(), stacked(0)], "auction-withdrawn"),
            (
                "withdrawn, and after its term",
                [withdrawn(), (CLOSES, stacked(0))],
                "auction-withdrawn",
            ),
            ("failed", [(CLOSES, stacked(0))], "after-term"),
            ("concluded", [counted("a", "ann", 10), (CLOSES, stacked(0))], "after-term"),
            ("made in time, but late", [(CLOSES, offered("b"))], "after-term"),
            (
                "made at the term's end by its own clock",
                [(MADE, offered("b", offered_at=CLOSES))],
                "after-term",
            ),
            ("at the last instant", [(CLOSES - INSTANT, offered("b"))], "better"),
        ]
    ),
)
def test_an_offer_must_be_made_and_come_before_the_term_s_end(
    events: list[Event], reason: str
) -> None:
    assert play(OPEN, *events).verdicts["b"] == reason


def test_a_waiting_offer_finds_the_auction_withdrawn() -> None:
    story = play(OPEN, offered("x", "nia"), withdrawn(), (MADE + SECOND, seller("nia")))
    assert story.play(time(MADE + MINUTE)).verdicts["x"] == "auction-withdrawn"
    assert story.page.status == "withdrawn"


OFFERS = [
    Case(
        "each is compared with what is shown then",
        [OPEN, offered("b", "tom", 900), offered("c", "una", 900), offered("d", "una", 850)],
        verdicts={"b": "better", "c": "price-not-lower", "d": "better"},
        shown="d",
    ),
    Case(
        "the displaced seller may counter, and be displaced again",
        [OPEN, offered("b", "tom", 900), offered("c", "sue", 850), offered("d", "tom", 800)],
        verdicts={"b": "better", "c": "better", "d": "better"},
        shown="d",
    ),
    Case(
        "a lower minimum binds those that come after",
        [
            OPEN,
            offered("b", "tom", 1_000, minimum_reservations=5),
            offered("c", "una", 900, minimum_reservations=6),
        ],
        verdicts={"b": "better", "c": "higher-minimum"},
        shown="b",
    ),
    Case(
        "a seller may better the own offer",
        [OPEN, offered("b", "sue", 950)],
        verdicts={"b": "better"},
        shown="b",
    ),
    Case(
        "a repeat gets the same answer, though something else is shown by now",
        [OPEN, offered("b", "tom", 900), offered("c", "una", 800), offered("b", "tom", 900), OPEN],
        verdicts={"b": "better", "c": "better"},
        shown="c",
    ),
    Case(
        "a repeat of what was not better stays so, whatever it says now",
        [OPEN, offered("b", "tom", 1_000), offered("b", "tom", 500)],
        verdicts={"b": "price-not-lower"},
    ),
    Case(
        "what was judged stays so when the seller's standing changes",
        [
            OPEN,
            offered("b"),
            (MADE + SECOND, seller("tom", ("pending", T - DAY), ("suspended", T))),
            (MADE + SECOND, offered("b")),
        ],
        verdicts={"b": "better"},
        shown="b",
    ),
    Case(
        "who has applied can't outbid",
        [OPEN, counted("t", "tom"), offered("b")],
        (1, 1),
        verdicts={"b": "has-applied"},
    ),
    Case(
        "who has not confirmed yet can",
        [OPEN, applied("t", "tom"), offered("b")],
        verdicts={"b": "better"},
        shown="b",
    ),
    Case(
        "who took the application back can, with another offer",
        [OPEN, counted("t", "tom"), offered("b"), taken_back("t"), offered("b"), offered("c")],
        verdicts={"b": "has-applied", "c": "better"},
        shown="c",
    ),
]


# --- counting ------------------------------------------------------------------------------------

EARLIER: dict[str, Any] = {"applied_at": MADE - MINUTE}
LATER: dict[str, Any] = {"applied_at": MADE + MINUTE}
AS_TOM: dict[str, Any] = {"applicant": Contact(id="ann", email="TOM@Shop.Example")}
NO_ADDRESS: dict[str, Any] = {"applicant": Contact(id="ann", email="")}
HIDDEN = seller("nia", email="")
OWN = {"a": "own-auction"}
#: The same auction, whose seller lets one applicant reserve as much as a group can ask for.
ROOMY = opened(quantity_max_per_applicant=MOST)
FIVE_EACH = opened(quantity_max_per_applicant=5)


def as_(email: str | None, who: str = "ann") -> dict[str, Any]:
    """An applicant who writes the own address so."""
    return {"applicant": Contact(id=who, email=email)}


def now(*messages: Event) -> Event:
    """Messages that come when most things happen, whenever they were made."""
    return arriving(MADE + HOUR, *messages)


COUNTING = [
    Case(
        "an application counts once it is confirmed",
        [OPEN, applied("a", "ann", 2), confirmed("a")],
        (2, 1),
    ),
    Case("an application does not count before it is confirmed", [OPEN, applied("a", "ann", 2)]),
    Case(
        "a confirmation may come first",
        [OPEN, confirmed("a"), applied("a", "ann", 2)],
        (2, 1),
    ),
    Case(
        "whatever is repeated counts once",
        [OPEN, *[counted("a", "ann", 2)] * 3, applied("a", "ann", 2), confirmed("a")],
        (2, 1),
    ),
    Case(
        "the first application of an id stands",
        [OPEN, applied("a", "ann", 2), applied("a", "bob", 5), confirmed("a"), applied("a", "cy")],
        (2, 1),
    ),
    Case(
        "reservations are units, applicants are people",
        [OPEN, counted("a", "ann", 2), counted("b", "bob", 3)],
        (5, 2),
    ),
    Case(
        "what is made and confirmed at the last instant counts",
        [
            OPEN,
            applied("a", "ann", applied_at=CLOSES - INSTANT),
            confirmed("a", CLOSES - INSTANT),
        ],
        (1, 1),
    ),
    Case(
        "what is made at the term's end is late, even by a clock that is ahead",
        [OPEN, now(applied("a", "ann", applied_at=CLOSES))],
        refused={"a": "after-term"},
    ),
    Case(
        "what is confirmed at the term's end does not count, even by a clock that is ahead",
        [
            OPEN,
            applied("a", "ann"),
            now(confirmed("a", CLOSES), confirmed("b", CLOSES)),
            now(applied("b", "bob")),
        ],
    ),
    Case(
        "a confirmation that is late by its own time does not stand in the way of one that is not",
        [OPEN, applied("a", "ann"), now(confirmed("a", CLOSES), confirmed("a"))],
        (1, 1),
    ),
    Case(
        "an application that comes at the term's end is late",
        [OPEN, (CLOSES, applied("a", "ann"))],
        refused={"a": "after-term"},
        status="failed",
    ),
    Case(
        "a confirmation that comes at the term's end is late",
        [OPEN, applied("a", "ann", 10), (CLOSES, confirmed("a"))],
        status="failed",
    ),
    Case(
        "an application that comes late is late though it was confirmed in time",
        [OPEN, confirmed("a"), (CLOSES, applied("a", "ann", 10))],
        refused={"a": "after-term"},
        status="failed",
    ),
    # One of each applicant.
    Case(
        "a second application replaces the first when it is confirmed",
        [OPEN, counted("a", "ann", 2), applied("b", "ann", 5, **LATER), confirmed("b")],
        (5, 1),
    ),
    Case(
        "a second application replaces nothing before it is confirmed",
        [OPEN, counted("a", "ann", 2), applied("b", "ann", 5, **LATER)],
        (2, 1),
    ),
    Case(
        "an earlier one that is confirmed later is replaced already",
        [OPEN, applied("a", "ann", 2), counted("b", "ann", 5, **LATER), confirmed("a")],
        (5, 1),
    ),
    Case(
        "earlier is what was made earlier, not what came earlier",
        [OPEN, now(counted("b", "ann", 5, **LATER), counted("a", "ann", 2))],
        (5, 1),
    ),
    Case(
        "of two made in one instant the greater id counts",
        [OPEN, counted("b", "ann", 5), counted("a", "ann", 2)],
        (5, 1),
    ),
    Case(
        "of two made in one instant the greater id counts, whichever is confirmed first",
        [OPEN, counted("a", "ann", 2), counted("b", "ann", 5)],
        (5, 1),
    ),
    Case(
        "of many the latest counts",
        [
            OPEN,
            now(
                *(counted(f"a{n}", "ann", n, applied_at=MADE + n * SECOND) for n in (3, 1, 5, 2, 4))
            ),
        ],
        (5, 1),
    ),
    # Taking back.
    Case("an application is taken back", [OPEN, counted("a", "ann", 2), taken_back("a")]),
    Case(
        "an application is taken back once",
        [OPEN, counted("b", "bob", 3), counted("a", "ann", 2), *[taken_back("a")] * 3],
        (3, 1),
    ),
    Case(
        "what was taken back stays so when it is confirmed again",
        [OPEN, counted("a", "ann"), taken_back("a"), counted("a", "ann")],
    ),
    Case(
        "what is taken back before it is confirmed is void",
        [OPEN, applied("a", "ann", 2), taken_back("a"), confirmed("a")],
    ),
    Case(
        "what is taken back before it comes is void when it does, without a word",
        [OPEN, taken_back("a"), applied("a", "ann", 2), confirmed("a")],
    ),
    Case(
        "what is taken back before it comes is void though it was confirmed before",
        [OPEN, confirmed("a"), taken_back("a"), applied("a", "ann", 2)],
    ),
    Case(
        "what is taken back before it comes is void though it is confirmed afterwards",
        [OPEN, taken_back("a"), confirmed("a"), applied("a", "ann", 2)],
    ),
    Case(
        "void ones are not refused for anything",
        [OPEN, taken_back("a"), applied("a", "sue", 2)],
    ),
    Case(
        "what was replaced never comes back",
        [OPEN, counted("a", "ann", 2), counted("b", "ann", 5, **LATER), taken_back("b")],
    ),
    Case(
        "what is confirmed after a later one was taken back never counts",
        [
            OPEN,
            applied("a", "ann", 2),
            now(counted("b", "ann", 5, **LATER), taken_back("b"), confirmed("a")),
        ],
    ),
    Case(
        "a later one that was void before it was confirmed replaces nothing",
        [
            OPEN,
            applied("a", "ann", 2),
            now(applied("b", "ann", 5, **LATER), taken_back("b"), confirmed("b"), confirmed("a")),
        ],
        (2, 1),
    ),
    Case(
        "taking back what was replaced changes nothing",
        [OPEN, counted("a", "ann", 2), counted("b", "ann", 5, **LATER), taken_back("a")],
        (5, 1),
    ),
    Case(
        "who took one back may apply again",
        [OPEN, counted("a", "ann", 2), taken_back("a"), counted("b", "ann", 3, **LATER)],
        (3, 1),
    ),
    Case(
        "who took one back can not fall back on one made before it",
        [OPEN, counted("b", "ann", 2), taken_back("b"), now(counted("a", "ann", 3, **EARLIER))],
    ),
    Case(
        "a contract binds: at the term's end nothing is taken back",
        [OPEN, counted("a", "ann", 10), (CLOSES, taken_back("a"))],
        (10, 1),
        status="concluded",
    ),
    Case(
        "of a withdrawn auction nothing is counted or taken back",
        [
            OPEN,
            confirmed("b"),
            withdrawn(),
            now(confirmed("a"), applied("a", "ann"), applied("b", "bob"), taken_back("c")),
        ],
        refused={"a": "auction-withdrawn", "b": "auction-withdrawn"},
        status="withdrawn",
    ),
    # The own auction.
    Case(
        "the opening seller can not apply",
        [OPEN, counted("a", "sue")],
        refused=OWN,
    ),
    Case(
        "a seller can not apply under another id by the same address, in whatever letters",
        [OPEN, offered("b"), counted("a", "ann", **AS_TOM)],
        verdicts={"b": "better"},
        shown="b",
        refused=OWN,
    ),
    Case(
        "a seller whose better offer is shown can not apply",
        [OPEN, offered("b"), counted("a", "tom")],
        verdicts={"b": "better"},
        shown="b",
        refused=OWN,
    ),
    Case(
        "a displaced seller can not apply",
        [OPEN, offered("b"), counted("a", "sue")],
        verdicts={"b": "better"},
        shown="b",
        refused=OWN,
    ),
    Case(
        "a seller whose offer was not better can not apply",
        [OPEN, offered("b", "tom", 1_000), counted("a", "tom")],
        verdicts={"b": "price-not-lower"},
        refused=OWN,
    ),
    Case(
        "a seller whose offer was refused may apply",
        [OPEN, offered("b", "tom", currency="USD"), counted("a", "tom")],
        (1, 1),
        verdicts={"b": "other-currency"},
    ),
    Case("any other seller may apply", [OPEN, counted("a", "tom")], (1, 1)),
    Case(
        "who has no address shares it with nobody",
        [HIDDEN, OPEN, offered("b", "nia"), counted("a", "ann", **NO_ADDRESS)],
        (1, 1),
        verdicts={"b": "better"},
        shown="b",
    ),
    Case(
        "who applied, then made an offer, is refused when confirming",
        [OPEN, applied("a", "tom"), offered("b"), confirmed("a")],
        verdicts={"b": "better"},
        shown="b",
        refused=OWN,
    ),
    Case(
        "who applied, then made an offer as a seller of that address, is refused when confirming",
        [OPEN, applied("a", "ann", **AS_TOM), offered("b"), confirmed("a")],
        verdicts={"b": "better"},
        shown="b",
        refused=OWN,
    ),
    Case(
        "a refusal stays, whatever is repeated",
        [OPEN, *[counted("a", "sue")] * 2, taken_back("a"), counted("a", "ann")],
        refused=OWN,
    ),
    # As many as can be.
    Case("as many as a group purchase can ask for", [ROOMY, counted("a", "ann", MOST)], (MOST, 1)),
    Case(
        "one more than a group purchase can ask for is refused",
        [ROOMY, counted("a", "ann", MOST - 1), counted("b", "bob", 1), counted("c", "cy", 1)],
        (MOST, 2),
        refused={"c": "beyond-limits"},
    ),
    Case(
        "what is too many is refused when it would count, not when it comes",
        [ROOMY, counted("a", "ann", MOST), applied("b", "bob", 1), taken_back("a"), confirmed("b")],
        (1, 1),
    ),
    Case(
        "a second application leaves room by what it replaces",
        [ROOMY, counted("a", "ann", MOST), counted("b", "ann", MOST, **LATER)],
        (MOST, 1),
    ),
    Case(
        "if the second one is too many, the first one counts on",
        [ROOMY, counted("a", "ann", 1), counted("b", "bob", 1), counted("c", "bob", MOST, **LATER)],
        (2, 2),
        refused={"c": "beyond-limits"},
    ),
    Case(
        "a refusal stays when there is room again",
        [
            ROOMY,
            counted("a", "ann", MOST),
            counted("b", "bob", 1),
            taken_back("a"),
            counted("b", "bob", 1),
        ],
        refused={"b": "beyond-limits"},
    ),
    # One mailbox is one applicant.
    Case(
        "two ids of one mailbox are one applicant, however its address is written",
        [
            OPEN,
            now(
                counted("a", "ann", 2, **as_("ann@gmail.com", "a1")),
                counted("b", "ann", 3, **as_("A.nn+1@GoogleMail.com", "a2"), **LATER),
            ),
        ],
        (3, 1),
    ),
    Case(
        "many spellings are one applicant",
        [
            OPEN,
            now(
                *(
                    counted(
                        f"a{n}",
                        "ann",
                        n,
                        **as_(f"ann+{n}@x.org", f"a{n}"),
                        applied_at=MADE + n * SECOND,
                    )
                    for n in (3, 1, 5, 2, 4)
                )
            ),
        ],
        (5, 1),
    ),
    Case(
        "two mailboxes are two applicants",
        [
            OPEN,
            counted("a", "ann", 2, **as_("a.nn@x.org", "a1")),
            counted("b", "ann", 3, **as_("ann@x.org", "a2")),
        ],
        (5, 2),
    ),
    Case(
        "applicants without an address are as many as their ids",
        [
            OPEN,
            counted("a", "ann", 2, **as_(None, "a1")),
            counted("b", "ann", 3, **as_("", "a2")),
            counted("c", "ann", 4, **as_(" ", "a3")),
        ],
        (9, 3),
    ),
    Case(
        "a second spelling replaces nothing before it is confirmed",
        [
            OPEN,
            counted("a", "ann", 2, **as_("ann@x.org", "a1")),
            applied("b", "ann", 3, **as_("ann+1@x.org", "a2"), **LATER),
        ],
        (2, 1),
    ),
    Case(
        "what is taken back under one spelling does not bring back what it replaced",
        [
            OPEN,
            now(
                counted("a", "ann", 2, **as_("ann@x.org", "a1")),
                counted("b", "ann", 3, **as_("ann+1@x.org", "a2"), **LATER),
                taken_back("b"),
            ),
        ],
    ),
    Case(
        "what was replaced under one spelling can't take back the other",
        [
            OPEN,
            now(
                counted("a", "ann", 2, **as_("ann@x.org", "a1")),
                counted("b", "ann", 3, **as_("ann+1@x.org", "a2"), **LATER),
                taken_back("a"),
            ),
        ],
        (3, 1),
    ),
    Case(
        "an older one under another spelling never counts after one was taken back",
        [
            OPEN,
            now(
                counted("b", "ann", 3, **as_("ann+1@x.org", "a2"), **LATER),
                taken_back("b"),
                counted("a", "ann", 2, **as_("ann@x.org", "a1")),
            ),
        ],
    ),
    Case(
        "who changes the address stays one applicant, and the old address is free",
        [
            OPEN,
            now(
                counted("a", "ann", 2, **as_("old@x.org", "a1")),
                counted("b", "ann", 3, **as_("new@x.org", "a1"), **LATER),
                counted("c", "ann", 4, **as_("old@x.org", "a2"), applied_at=MADE + HOUR),
            ),
        ],
        (7, 2),
    ),
    Case(
        "an id of one and a mailbox of another make all three one applicant",
        [
            OPEN,
            now(
                counted("a", "ann", 2, **as_("a@x.org", "a1"), **EARLIER),
                counted("b", "ann", 3, **as_("b@x.org", "b1")),
                counted("c", "ann", 4, **as_("b+1@x.org", "a1"), **LATER),
            ),
        ],
        (4, 1),
    ),
    Case(
        "so it is if the one between comes last",
        [
            OPEN,
            now(
                counted("a", "ann", 2, **as_("a@x.org", "a1"), **EARLIER),
                counted("c", "ann", 4, **as_("b+1@x.org", "b1"), **LATER),
                counted("b", "ann", 3, **as_("b@x.org", "a1")),
            ),
        ],
        (4, 1),
    ),
    Case(
        "a seller can not apply under another id by an alias of the address",
        [OPEN, offered("b"), counted("a", "ann", **as_("tom+buys@SHOP.example.", "ann"))],
        verdicts={"b": "better"},
        shown="b",
        refused=OWN,
    ),
    Case(
        "who applied under an alias of the seller's address can't outbid",
        [OPEN, counted("a", "ann", **as_("tom+buys@shop.example", "ann")), offered("b")],
        (1, 1),
        verdicts={"b": "has-applied"},
    ),
    Case(
        "who took that back can",
        [
            OPEN,
            counted("a", "ann", **as_("tom+buys@shop.example", "ann")),
            taken_back("a"),
            offered("b"),
        ],
        verdicts={"b": "better"},
        shown="b",
    ),
    Case(
        "who vouches replaces nothing of the same mailbox under another id",
        [
            OPEN,
            now(
                counted("a", "ann", 2, **as_("ann@x.org", "a1")),
                confirmed("b"),
                applied("b", "ann", 3, **as_("ann+1@x.org", "shop:7"), **LATER),
            ),
        ],
        (2, 1),
        refused={"b": "already-reserved"},
    ),
    Case(
        "who vouches replaces what counts under its own id",
        [
            OPEN,
            now(
                *(confirmed("a"), applied("a", "ann", 2, **as_("ann@x.org", "shop:7"))),
                *(confirmed("b"), applied("b", "ann", 3, **as_("a@x.org", "shop:7"), **LATER)),
            ),
        ],
        (3, 1),
    ),
    Case(
        "what was vouched for is replaced by the mailbox's owner",
        [
            OPEN,
            now(
                *(confirmed("a"), applied("a", "ann", 2, **as_("ann@x.org", "shop:7"))),
                counted("b", "ann", 3, **as_("ann@x.org", "a1"), **LATER),
            ),
        ],
        (3, 1),
    ),
    Case(
        "what was taken back makes room for who vouches",
        [
            OPEN,
            now(
                counted("a", "ann", 2, **as_("ann@x.org", "a1")),
                taken_back("a"),
                *(confirmed("b"), applied("b", "ann", 3, **as_("ann@x.org", "shop:7"), **LATER)),
            ),
        ],
        (3, 1),
    ),
    # As many as one applicant may.
    Case("a hundred of one applicant", [OPEN, counted("a", "ann", 100)], (100, 1)),
    Case(
        "a hundred and one are too many of one applicant",
        [OPEN, counted("a", "ann", 101)],
        refused={"a": "over-applicant-limit"},
    ),
    Case("as many as the seller says", [FIVE_EACH, counted("a", "ann", 5)], (5, 1)),
    Case(
        "one more than the seller says",
        [FIVE_EACH, counted("a", "ann", 6)],
        refused={"a": "over-applicant-limit"},
    ),
    Case(
        "what is too many of one applicant leaves the earlier one and everybody else's",
        [
            FIVE_EACH,
            counted("a", "ann", 2),
            counted("b", "ann", 6, **LATER),
            counted("c", "bob", 5),
        ],
        (7, 2),
        refused={"b": "over-applicant-limit"},
    ),
    Case(
        "what is too many stays refused under its id, and not under another",
        [FIVE_EACH, counted("a", "ann", 6), counted("a", "ann", 5), counted("b", "ann", 5)],
        (5, 1),
        refused={"a": "over-applicant-limit"},
    ),
    Case(
        "an application that waited for its auction is measured by it too",
        [counted("a", "ann", 6), FIVE_EACH],
        refused={"a": "over-applicant-limit"},
    ),
    Case(
        "who competes is told that first",
        [FIVE_EACH, counted("a", "sue", 6)],
        refused=OWN,
    ),
]


def test_a_refusal_is_told_again_to_who_applies_again() -> None:
    """With the first application's words; a confirmation is not answered."""
    story = play(OPEN, counted("a", "sue", 2), applied("a", "ann", 7))
    answer = ApplicationRefused(
        application_id="a", auction_id="A", applicant_id="sue", quantity=2, reason="own-auction"
    )
    assert story.of(ApplicationRefused) == [answer, answer]


REFUSALS: list[tuple[str, list[Event], str, int | None]] = [
    ("too many for one", [OPEN, counted("a", "ann", 101)], "over-applicant-limit", 100),
    ("as the seller says", [FIVE_EACH, counted("a", "ann", 6)], "over-applicant-limit", 5),
    (
        "too many for all",
        [ROOMY, counted("b", "bob", MOST - 7), counted("a", "ann", 8)],
        "beyond-limits",
        7,
    ),
    ("own", [OPEN, counted("a", "ann", **as_("sue+x@shop.example"))], "own-auction", None),
    (
        "meanwhile own",
        [OPEN, applied("a", "ann", **AS_TOM), offered("b"), confirmed("a")],
        "own-auction",
        None,
    ),
    ("withdrawn", [OPEN, withdrawn(), now(applied("a", "ann"))], "auction-withdrawn", None),
    ("late", [OPEN, (CLOSES, applied("a", "ann"))], "after-term", None),
]


@pytest.mark.parametrize(("events", "reason", "most"), promises(REFUSALS))
def test_who_is_refused_is_told_why_and_how_many_would_do(
    events: list[Event], reason: str, most: int | None
) -> None:
    """By the fact and by one letter, however often the application is repeated."""
    story = play(*events)
    (answer,) = {each.key: each for each in story.of(ApplicationRefused)}.values()
    assert (answer.reason, answer.quantity_max) == (reason, most)
    (letter,) = story.letters("application-refused")
    assert (letter.says.reason, letter.says.quantity_max) == (reason, most)
    assert letter.says.application_id == "a"
    assert letter.says.party_id == "ann"
    story.play((CLOSES + DAY, applied("a", "ann", 1)))
    assert len(story.letters("application-refused")) == 1


def test_nobody_is_asked_to_confirm_what_is_refused() -> None:
    """One letter says what there is to say."""
    story = play(OPEN, applied("a", "ann", 101))
    assert not story.letters("confirm-application")


class CountedRows(MemoryRows):
    """Counts every look at a row, and every row of a scan."""

    looks = 0

    def get(self, name: str, default: Any = None) -> Any:
        self.looks += 1
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.looks += 1
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.looks += 1
        return super().__contains__(name)

    def scan(
        self, table: Table[Any] | str, *parts: str, after: str = "", reverse: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        for found in super().scan(table, *parts, after=after, reverse=reverse):
            self.looks += 1
            yield found


@pytest.mark.slow
def test_a_message_costs_the_same_in_an_auction_of_any_size() -> None:
    """The rows that a rule looks at do not grow with those that are there."""
    looked = set()
    for size in (1, 300):
        story = play(OPEN, now(*(counted(f"a{n}", f"p{n}") for n in range(size))))
        rows = CountedRows("A", story.rows)
        for message in (
            *counted("z", "ann", 1, **as_("p0+x@example.com", "zoe"), applied_at=MADE + MINUTE),
            offered("b", "tom"),
            taken_back("z"),
        ):
            AUCTION.on[type(message)](message, rows, MADE + 2 * HOUR, story.sellers)
        assert rows["auction"].applicants == size - 1
        looked.add(rows.looks)
    assert len(looked) == 1


def test_a_page_is_told_anew_when_the_count_changes_and_only_then() -> None:
    """One version more with each change."""
    story = play(
        [OPEN, applied("a", "ann", 2), confirmed("a"), confirmed("a"), applied("a", "ann", 2)],
        [applied("b", "ann", 5, **LATER), now(confirmed("b")), now(taken_back("a"))],
        [now(taken_back("b")), now(taken_back("b"))],
    )
    told = [(page.version, page.reservations, page.applicants) for page in story.of(Auction)]
    assert told == [(1, 0, 0), (2, 2, 1), (3, 5, 1), (4, 0, 0)]


# --- withdrawing the auction ---------------------------------------------------------------------

STAYS: list[tuple[str, list[Event], str]] = [
    ("nobody relies on it", [withdrawn()], ""),
    ("at the last instant", [(CLOSES - INSTANT, withdrawn())], ""),
    ("at the term's end", [(CLOSES, withdrawn())], "after-term"),
    ("by another seller", [withdrawn("tom")], "not-the-opener"),
    ("one applied and confirmed", [counted("a", "ann"), withdrawn()], "has-applications"),
    ("one applied, but did not confirm", [applied("a", "ann"), withdrawn()], "has-applications"),
    ("all took back", [counted("a", "ann"), taken_back("a"), withdrawn()], ""),
    ("one took back, not confirmed", [applied("a", "ann"), taken_back("a"), withdrawn()], ""),
    (
        "one took back, another did not",
        [counted("a", "ann"), applied("b", "bob"), taken_back("a"), withdrawn()],
        "has-applications",
    ),
    (
        "one replaced the own application",
        [counted("a", "ann"), counted("b", "ann", **LATER), (MADE + HOUR, withdrawn())],
        "has-applications",
    ),
    (
        "one replaced the own application, and took that back",
        [counted("a", "ann"), counted("b", "ann", **LATER), now(taken_back("b"), withdrawn())],
        "",
    ),
    ("one was refused", [counted("a", "sue"), withdrawn()], ""),
    (
        "one was refused when confirming",
        [applied("a", "tom"), offered("b", "tom", 1_000), confirmed("a"), withdrawn()],
        "",
    ),
    ("one was void before it came", [taken_back("a"), applied("a", "ann"), withdrawn()], ""),
    ("a confirmation of nothing yet", [confirmed("a"), withdrawn()], ""),
    ("another bettered it", [offered("b"), withdrawn()], "has-better-offer"),
    ("who bettered it may not either", [offered("b"), withdrawn("tom")], "not-the-opener"),
    ("the own offer was bettered", [offered("b", "sue"), withdrawn()], "has-better-offer"),
    ("what was offered is not better", [offered("b", "tom", 1_000), withdrawn()], ""),
]


@pytest.mark.slow
@pytest.mark.parametrize(("events", "reason"), promises(STAYS))
def test_an_auction_is_withdrawn_while_nobody_relies_on_it(
    events: list[Event], reason: str
) -> None:
    """Only by who opened it; else it stays as it is, and who asked is told why."""
    story = play(OPEN, *events)
    told = [notice for notice in story.letters("offer-judged") if not notice.says.offer_id]
    assert [notice.says.reason for notice in told] == ([reason] if reason else [])
    if not reason:
        assert story.page.status == "withdrawn"
    else:
        assert story.page.status == ("failed" if reason == "after-term" else "open")
        assert told[0].says.party_id == ("tom" if reason == "not-the-opener" else "sue")
        assert told[0].says.verdict == "refused"


def test_an_auction_that_is_withdrawn_calls_and_concludes_nothing() -> None:
    story = play(OPEN, withdrawn(), withdrawn(), (CLOSES, withdrawn()))
    assert [page.status for page in story.of(Auction)] == ["open", "withdrawn"]
    assert [type(message) for message in story.sent] == [Auction, OfferJudged, Notice, Auction]
    assert story.page.invited_at is None


def test_who_did_not_open_an_auction_can_not_withdraw_it_again() -> None:
    """The others are told so before and after it is withdrawn."""
    story = play(OPEN, withdrawn(), withdrawn("tom"))
    letter = story.letters("offer-judged")[-1]
    assert (letter.says.party_id, letter.says.reason) == ("tom", "not-the-opener")
    assert story.page.status == "withdrawn"


def test_a_withdrawal_between_the_call_and_late_comers_ends_the_call() -> None:
    story = play(OPEN, withdrawn(at=INVITES + SECOND), (INVITES + SECOND, seller("nia")))
    story.play(time(CLOSES))
    assert story.recipients("invitation") == ["tom", "una"]
    assert story.page.status == "withdrawn"


def test_who_is_refused_a_withdrawal_is_told_once_of_each_reason() -> None:
    """A feed repeats; what was refused can be asked again when it is possible."""
    story = play(
        [OPEN, [withdrawn("tom")] * 2, counted("a", "ann"), [withdrawn()] * 3],
        [offered("b", "tom", 1_000), withdrawn(), taken_back("a"), withdrawn(), withdrawn()],
    )
    told = [notice for notice in story.letters("offer-judged") if not notice.says.offer_id]
    assert [(notice.says.party_id, notice.says.reason) for notice in told] == [
        ("tom", "not-the-opener"),
        ("sue", "has-applications"),
    ]
    assert story.page.status == "withdrawn"


def test_a_withdrawal_by_nobody_known_goes_unanswered() -> None:
    story = play(OPEN)
    told = len(story.sent)
    assert len(story.play(withdrawn("nia")).sent) == told


# --- before the auction --------------------------------------------------------------------------

#: When an auction's opening comes whose other messages are there already.
OPENING = MADE + 10 * MINUTE
COMES = (OPENING, OPEN)
NO_AUCTION = "unknown-auction"
BETTER = {"b": "better"}

WAITING = [
    Case(
        "what came before is applied when the auction opens",
        [offered("b"), applied("a", "ann", 2), confirmed("a"), COMES],
        (2, 1),
        verdicts=BETTER,
        shown="b",
    ),
    Case(
        "in order of arrival: the first of two like offers is shown",
        [offered("c", "una"), offered("b", "tom"), COMES],
        verdicts={"c": "better", "b": "price-not-lower"},
        shown="c",
    ),
    Case(
        "in order of arrival: a withdrawal before an application",
        [withdrawn(), applied("a", "ann"), COMES],
        refused={"a": "auction-withdrawn"},
        status="withdrawn",
    ),
    Case(
        "in order of arrival: a withdrawal after an application",
        [applied("a", "ann"), withdrawn(), COMES],
    ),
    Case(
        "in order of arrival: a withdrawal of the auction after a better offer",
        [offered("b"), withdrawn(), COMES],
        verdicts=BETTER,
        shown="b",
    ),
    Case(
        "in order of arrival: who made an offer can't apply",
        [offered("b"), counted("a", "tom"), COMES],
        verdicts=BETTER,
        shown="b",
        refused=OWN,
    ),
    Case(
        "in order of arrival: who applied can't make an offer",
        [counted("a", "tom"), offered("b"), COMES],
        (1, 1),
        verdicts={"b": "has-applied"},
    ),
    Case(
        "confirmations and withdrawals too may come before their applications",
        [
            confirmed("a"),
            applied("a", "ann"),
            taken_back("b"),
            applied("b", "bob"),
            confirmed("b"),
            COMES,
        ],
        (1, 1),
    ),
    Case(
        "a repeat counts once",
        [*[counted("a", "ann", 2)] * 2, *[offered("b")] * 2, COMES, counted("a", "ann", 2)],
        (2, 1),
        verdicts=BETTER,
        shown="b",
    ),
    Case(
        "an offer whose minute for its seller is over by then is judged for good",
        [offered("x", "nia"), COMES],
        verdicts={"x": "unknown-seller"},
    ),
    Case(
        "an offer whose minute is over by then is judged by what is known then",
        [offered("x", "nia"), (MADE + 5 * MINUTE, seller("nia")), COMES],
        verdicts={"x": "better"},
        shown="x",
    ),
    Case(
        "an offer whose minute is not over waits on",
        [(OPENING - SECOND, offered("x", "nia")), COMES, time(OPENING + 59 * SECOND - INSTANT)],
    ),
    Case(
        "an offer whose minute ends after the opening is judged then",
        [(OPENING - SECOND, offered("x", "nia")), COMES, time(OPENING + 59 * SECOND)],
        verdicts={"x": "unknown-seller"},
    ),
    Case(
        "what came in time is judged as of then, though the opening comes at the last instant",
        [
            (CLOSES - MINUTE, offered("b")),
            (CLOSES - MINUTE, counted("a", "ann", 2)),
            (CLOSES - INSTANT, OPEN),
        ],
        (2, 1),
        verdicts=BETTER,
        shown="b",
    ),
    Case(
        "what comes early waits up to an hour",
        [offered("b"), counted("a", "ann", 2), (MADE + HOUR - INSTANT, OPEN)],
        (2, 1),
        verdicts=BETTER,
        shown="b",
    ),
    Case(
        "after an hour it is refused, and stays so",
        [
            offered("b"),
            applied("a", "ann", 2),
            (MADE + HOUR, OPEN),
            (MADE + HOUR, offered("b")),
            (MADE + HOUR, counted("a", "ann", 2)),
        ],
        verdicts={"b": NO_AUCTION},
        refused={"a": NO_AUCTION},
    ),
    Case(
        "each waits its own hour",
        [offered("b"), (MADE + INSTANT, offered("c", "una")), (MADE + HOUR, OPEN)],
        verdicts={"b": NO_AUCTION, "c": "better"},
        shown="c",
    ),
    Case(
        "confirmations and withdrawals that nothing came of change nothing later",
        [
            confirmed("a"),
            taken_back("b"),
            withdrawn(),
            (MADE + HOUR, OPEN),
            now(applied("a", "ann"), counted("b", "bob")),
        ],
        (1, 1),
    ),
    Case(
        "repeats of what was refused get that again, also if the auction opens meanwhile",
        [
            applied("a", "ann", 2),
            (MADE + MINUTE, applied("a", "ann", 3)),
            (MADE + MINUTE, offered("b")),
            (MADE + 2 * MINUTE, offered("b")),
            (MADE + 59 * MINUTE, applied("a", "ann", 4)),
            (MADE + 61 * MINUTE + INSTANT, OPEN),
        ],
        refused={"a": NO_AUCTION},
        verdicts={"b": NO_AUCTION},
    ),
    Case(
        "an opening that is refused opens nothing",
        [applied("a", "ann"), opened("x", unit_price=0), (MADE + HOUR, OPEN)],
        verdicts={"x": "impossible-terms"},
        refused={"a": NO_AUCTION},
    ),
]


def test_what_is_refused_for_want_of_an_auction_is_refused_after_an_hour() -> None:
    """With the first words of it, however often it came."""
    story = play(offered("b"), applied("a", "ann", 2), (MADE + MINUTE, applied("a", "ann", 3)))
    assert [type(each) for each in story.sent] == [Person]
    story.play(time(MADE + HOUR - INSTANT))
    assert [type(each) for each in story.sent] == [Person]
    story.play(time(MADE + HOUR))
    assert (story.verdicts, story.refused) == ({"b": NO_AUCTION}, {"a": NO_AUCTION})
    assert story.recipients("offer-judged") == ["tom"]
    story.play(time(MADE + 2 * HOUR))
    assert {each.quantity for each in story.of(ApplicationRefused)} == {2}


def test_what_was_refused_for_want_of_an_auction_is_refused_again_at_once() -> None:
    """Still there is none; but this was answered."""
    story = play(offered("b"), applied("a", "ann", 2), time(MADE + HOUR))
    answers = [*story.of(OfferJudged), *story.of(ApplicationRefused)]
    told = len(story.sent)
    story.play(arriving(MADE + 2 * HOUR, offered("b"), applied("a", "ann", 2)))
    assert story.sent[told:] == answers


def test_applicants_are_told_of_a_takeover_before_anyone_else_applies() -> None:
    """Of two takeovers, each is told to those who had applied by then, with the count of then."""
    story = play(
        [counted("a", "ann", 2), offered("b"), counted("c", "cy", 3)],
        [offered("d", "una", 800), counted("e", "eve", 4), COMES],
    )
    told = [
        (letter.says.party_id, letter.says.shown.offer_id, letter.says.reservations)
        for letter in story.letters("condition-improved")
        if letter.says.shown
    ]
    assert told == [("ann", "b", 2), ("ann", "d", 5), ("cy", "d", 5)]
    assert story.count == (9, 3)


@pytest.mark.slow
def test_what_waits_is_applied_in_chunks() -> None:
    """Hundreds at a time, takeovers among them, none lost and none twice."""
    people = [counted(f"a{n:04}", f"p{n:04}") for n in range(CHUNK + 1)]
    offers = {10: offered("b", "tom", 900), 20: offered("c", "una", 800), 501: OPEN}
    waiting = [each for n, person in enumerate(people) for each in (person, offers.get(n, []))]
    story = play(*waiting, COMES)
    assert story.count == (CHUNK + 1, CHUNK + 1)
    told = Counter(letter.says.applicants for letter in story.letters("condition-improved"))
    assert told == {11: 11, 21: 21}
    assert len(story.calls) > 3
    assert max(messages for _, messages in story.calls) <= CHUNK + 1


@pytest.mark.parametrize(
    "case",
    [*OFFERS, *COUNTING, *WAITING],
    ids=lambda case: case.promise.replace(" ", "-"),
)
def test_promise(case: Case) -> None:
    """The page, the verdicts and the refusals are as promised."""
    story = play(*case.events)
    assert story.verdicts == {"o": "opened"} | case.verdicts
    assert story.refused == case.refused
    assert story.count == case.count
    assert story.page.shown.offer_id == case.shown
    assert story.page.status == case.status


# --- takeover ------------------------------------------------------------------------------------


def shown(offer_id: str, seller_id: str, price: int, minimum: int = 10) -> ShownOffer:
    return ShownOffer(
        offer_id=offer_id, seller_id=seller_id, unit_price=price, minimum_reservations=minimum
    )


def test_a_takeover_is_told_to_all_whom_it_touches() -> None:
    """The page, the verdict, what was replaced, the displaced seller, those who applied."""
    apart = [applied("b", "bob"), counted("c", "cy"), taken_back("c")]
    story = play(OPEN, counted("a", "ann", 2), apart)
    told = len(story.sent)
    story.play(offered("b", "tom", 900, minimum_reservations=8, offered_at=MADE + SECOND))
    page, judged, _, replaced, intercepted, displaced, improved = story.sent[told:]
    before, after = shown("o", "sue", 1_000), shown("b", "tom", 900, 8)
    assert page == story.page
    assert (story.page.shown, story.page.reservations) == (after, 2)
    assert isinstance(judged, OfferJudged)
    about: dict[str, Any] = {"auction_id": "A", "currency": "EUR", "at": MADE + SECOND}
    assert replaced == ConditionReplaced(
        version=story.page.version, before=before, shown=after, **about
    )
    better: dict[str, Any] = {"unit_price": 900, "minimum_reservations": 8}
    assert intercepted == RightIntercepted(offer_id="o", seller_id="sue", **better, **about)
    assert isinstance(displaced, Notice)
    assert (displaced.kind, displaced.says.party_id) == ("right-intercepted", "sue")
    assert isinstance(improved, Notice)
    assert (improved.kind, improved.says.party_id) == ("condition-improved", "ann")
    says = improved.says
    assert (says.before, says.shown, says.quantity) == (before, after, 2)
    assert says.application_id, "the letter can withdraw it"


def test_the_letter_that_confirms_says_how_many_units_it_replaces() -> None:
    later = applied("b", "ann", 3, **LATER)
    story = play(OPEN, counted("a", "ann", 2), later, applied("c", "cy", 1))
    asked = story.letters("confirm-application")
    found = {each.says.application_id: each.says.replaced_quantity for each in asked}
    assert found == {"a": None, "b": 2, "c": None}


def test_by_whom_a_right_was_intercepted_is_not_said() -> None:
    """Neither in the letter nor in the fact; only what the better condition is."""
    story = play(OPEN, offered("tims-offer", "tom", 900))
    (letter,) = story.letters("right-intercepted")
    for message in (letter, *story.of(RightIntercepted)):
        said = message.model_dump_json()
        assert "900" in said
        assert "tom" not in said
        assert "tims-offer" not in said


def test_who_betters_the_own_offer_displaces_no_one() -> None:
    story = play(OPEN, counted("a", "ann"), offered("b", "sue", 900))
    assert story.page.shown == shown("b", "sue", 900)
    assert not story.of(RightIntercepted)
    assert not story.letters("right-intercepted")
    assert story.recipients("condition-improved") == ["ann"]
    assert len(story.of(ConditionReplaced)) == 1


def test_a_seller_is_told_of_each_own_offer_that_is_displaced() -> None:
    """Once of each, however it goes to and fro."""
    story = play(
        [OPEN, offered("b", "tom", 900), offered("c", "sue", 850), offered("d", "tom", 800)],
        [offered("e", "tom", 700), offered("f", "sue", 600)],
    )
    told = [
        (letter.says.party_id, letter.says.offer_id)
        for letter in story.letters("right-intercepted")
    ]
    assert told == [("sue", "o"), ("tom", "b"), ("sue", "c"), ("tom", "e")]


@pytest.mark.slow
def test_hundreds_are_told_of_better_terms_in_chunks() -> None:
    people = [f"p{n:04}" for n in range(CHUNK + 1)]
    story = play(OPEN, *(counted(f"a{who}", who) for who in people), offered("b"))
    assert story.recipients("condition-improved") == people
    assert [messages for _, messages in story.calls if messages] == [CHUNK, 1]


# --- invitation ----------------------------------------------------------------------------------

CALLED: list[tuple[str, Seller, bool]] = [
    ("in good standing for long", seller("nia"), True),
    ("registered an instant before", seller("nia", registered_at=INVITES - INSTANT), True),
    ("registered at the date", seller("nia", registered_at=INVITES), False),
    ("registered later", seller("nia", registered_at=INVITES + INSTANT), False),
    ("not approved", seller("nia", ("pending", T)), False),
    ("approved at the date", seller("nia", ("pending", T), ("good", INVITES)), True),
    ("approved later", seller("nia", ("pending", T), ("good", INVITES + INSTANT)), False),
    ("suspended", seller("nia", ("good", T), ("suspended", MADE)), False),
    ("suspended at the date", seller("nia", ("good", T), ("suspended", INVITES)), False),
    ("suspended later", seller("nia", ("good", T), ("suspended", INVITES + INSTANT)), True),
    (
        "reinstated at the date",
        seller("nia", ("good", T), ("suspended", MADE), ("good", INVITES)),
        True,
    ),
    ("without an address", seller("nia", email=""), False),
]


@pytest.mark.slow
@pytest.mark.parametrize("known_at", [T, INVITES + MINUTE - INSTANT], ids=["in time", "late"])
@pytest.mark.parametrize(("known", "is_called"), promises(CALLED))
def test_who_is_called_to_outbid_is_in_good_standing_at_the_date(
    known: Seller, is_called: bool, known_at: datetime
) -> None:
    """Facts that come late are looked for once more after a minute."""
    story = play(OPEN, (known_at, known), time(CLOSES - INSTANT))
    called = ["nia", "tom", "una"] if is_called else ["tom", "una"]
    assert sorted(story.recipients("invitation")) == called


SHOWN_AT_THE_DATE: list[tuple[str, list[Event], list[str]]] = [
    ("who opened", [], ["tom", "una"]),
    ("who has taken over", [offered("b", "tom")], ["sue", "una"]),
    (
        "who takes over an instant before",
        [(INVITES - INSTANT, offered("b", "tom"))],
        ["sue", "una"],
    ),
    (
        "who is displaced at the date: it has passed by then",
        [(INVITES, offered("b", "tom"))],
        ["tom", "una"],
    ),
    (
        "who is displaced within the minute for late comers",
        [(INVITES + 30 * SECOND, offered("b", "tom"))],
        ["tom", "una"],
    ),
]


@pytest.mark.parametrize(("events", "called"), promises(SHOWN_AT_THE_DATE))
def test_who_is_shown_at_the_date_is_not_called(events: list[Event], called: list[str]) -> None:
    """Everyone else is, each exactly once, whatever is shown a moment later."""
    story = play(OPEN, *events, time(CLOSES - INSTANT))
    assert story.recipients("invitation") == called


def test_an_invitation_tells_the_count_and_what_is_to_be_outbid() -> None:
    story = play(OPEN, counted("a", "ann", 4), counted("b", "bob", 2), time(INVITES))
    letter, _ = story.letters("invitation")
    assert letter.recipient_id == "seller:tom"
    assert letter.at == INVITES
    assert letter.says.model_dump(exclude_none=True, exclude={"problems", "links"}) == {
        "party_id": "tom",
        "product": OPEN.product.model_dump(exclude_none=True),
        "shown": shown("o", "sue", 1_000).model_dump(),
        "currency": "EUR",
        "minimum_step": 50,
        "reservations": 6,
        "applicants": 2,
        "closes_at": CLOSES,
    }


@pytest.mark.parametrize("passed", [INVITES, INVITES + 59 * MINUTE], ids=["on-time", "late"])
def test_the_call_is_of_its_date_whenever_the_clock_passes_it(passed: datetime) -> None:
    story = play(OPEN, time(INVITES - INSTANT))
    assert story.page.invited_at is None
    assert story.play(time(passed)).page.invited_at == INVITES
    assert [letter.at for letter in story.letters("invitation")] == [INVITES, INVITES]


def test_an_opening_that_comes_after_its_date_calls_at_once() -> None:
    story = play((INVITES + 5 * MINUTE, OPEN))
    assert story.page.invited_at == INVITES
    assert story.recipients("invitation") == ["tom", "una"]


@pytest.mark.parametrize(
    "known_at",
    [INVITES + MINUTE + INSTANT, INVITES + 2 * MINUTE],
    ids=["just after the minute", "later"],
)
def test_who_becomes_known_after_the_minute_is_not_called(known_at: datetime) -> None:
    story = play(OPEN, (known_at, seller("nia")), time(CLOSES))
    assert story.recipients("invitation") == ["tom", "una"]


def test_who_is_called_is_not_called_again_when_facts_change() -> None:
    """Nor is it remembered who was called once late comers have been."""
    changed = seller(
        "tom", ("good", T), ("suspended", INVITES + SECOND), ("good", INVITES + SECOND)
    )
    story = play(OPEN, (INVITES + SECOND, changed))
    assert [name for name, _ in story.rows.scan("invited/")]
    story.play(time(CLOSES - INSTANT))
    assert story.recipients("invitation") == ["tom", "una"]
    assert not list(story.rows.scan("invited/"))


def test_late_comers_are_not_called_once_the_term_is_over() -> None:
    story = play(opened(invites_at=CLOSES - 30 * SECOND), (CLOSES - SECOND, seller("nia")))
    story.play(time(CLOSES + HOUR))
    assert story.recipients("invitation") == ["tom", "una"]
    assert not list(story.rows.scan("invited/"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [CHUNK, CHUNK + 1, 1_200])
def test_any_number_of_sellers_is_called_in_chunks(number: int) -> None:
    """Each exactly once, but for the one shown; and none again with the late comers."""
    known = [f"s{n:04}" for n in range(number)]
    story = Story(*(seller(each) for each in known))
    story.play(opened(seller_id="s0007"), time(INVITES))
    assert story.recipients("invitation") == [each for each in known if each != "s0007"]
    assert max(messages for _, messages in story.calls) <= CHUNK
    story.play(time(CLOSES - INSTANT))
    assert len(story.recipients("invitation")) == number - 1
    assert max(messages for _, messages in story.calls) <= CHUNK
    assert not list(story.rows.scan("invited/"))


@pytest.mark.slow
def test_who_becomes_known_behind_a_chunk_is_called_with_the_late_comers() -> None:
    """Sellers are gone through by id; whoever is passed over is found a minute later."""
    story = Story(*(seller(f"s{n:04}") for n in range(CHUNK + 1)))
    story.play(opened(seller_id="s0000"), time(INVITES - INSTANT))
    story.now = INVITES
    del story.rows["due/invite"]
    story.send(AUCTION.due["invite"]("due/invite", story.rows, INVITES, story.sellers))
    story.run_chunk()
    story.know(seller("early"), seller("tail"))
    story.run_chunks()
    assert "tail" in story.recipients("invitation")
    assert "early" not in story.recipients("invitation")
    story.play(time(INVITES + MINUTE))
    assert Counter(story.recipients("invitation")) == Counter(story.sellers.keys() - {"s0000"})


# --- conclusion ----------------------------------------------------------------------------------

ENOUGH: list[tuple[str, list[Event], bool]] = [
    ("exactly the minimum", [counted("a", "ann", 10)], True),
    ("by several", [counted("a", "ann", 4), counted("b", "bob", 6)], True),
    ("more than the minimum", [counted("a", "ann", 11)], True),
    ("one less", [counted("a", "ann", 9)], False),
    ("one is not confirmed", [counted("a", "ann", 9), applied("b", "bob")], False),
    ("one took it back", [counted("a", "ann", 9), counted("b", "bob"), taken_back("b")], False),
    ("nobody", [], False),
    (
        "the minimum of what is shown",
        [counted("a", "ann", 5), offered("b", "tom", 1_000, minimum_reservations=5)],
        True,
    ),
    (
        "one less than that",
        [counted("a", "ann", 4), offered("b", "tom", 1_000, minimum_reservations=5)],
        False,
    ),
]


@pytest.mark.parametrize(("events", "is_enough"), promises(ENOUGH))
def test_a_contract_is_concluded_if_enough_is_reserved(
    events: list[Event], is_enough: bool
) -> None:
    """As of the term's end, whenever the clock passes it."""
    story = play(OPEN, *events, time(CLOSES - INSTANT))
    assert story.page.status == "open"
    before = story.page
    story.play(time(CLOSES + DAY))
    page = story.page
    assert page.status == ("concluded" if is_enough else "failed")
    assert page.group_request_id == ("au-A" if is_enough else None)
    assert page.version == before.version + 1
    kind, other = (ContractConcluded, ContractFailed)[:: 1 if is_enough else -1]
    (conclusion,) = story.of(kind)
    assert not story.of(other)
    assert (conclusion.at, conclusion.shown) == (CLOSES, page.shown)
    assert (conclusion.reservations, conclusion.applicants) == story.count
    assert len(story.of(GroupPurchaseRequested)) == is_enough


def test_one_reservation_is_enough_where_one_is_asked_for() -> None:
    least = opened(minimum_reservations=1)
    assert play(least, time(CLOSES)).page.status == "failed"
    assert play(least, counted("a", "ann"), time(CLOSES)).page.status == "concluded"


def test_a_contract_requests_a_group_purchase_at_its_price_for_its_applicants() -> None:
    """By id order; the seller who won organizes it, and other shops' orders do not count in it."""
    ann = Contact(
        id="ann",
        person_id="acme:ann",
        email="a@x.example",
        name="Ann",
        locale="ja",
        time_zone="Asia/Tokyo",
    )
    story = play(
        [OPEN, counted("z", "ann", 4, applicant=ann), counted("y", "bob", 6)],
        [applied("x", "cy"), offered("b", "tom", 900), time(CLOSES)],
    )
    assert story.of(GroupPurchaseRequested) == [
        GroupPurchaseRequested(
            request_id="au-A",
            requested_at=CLOSES,
            organizer=Contact(id="tom", person_id="seller:tom"),
            product=OPEN.product,
            number_of_products=10,
            unit_price=900,
            currency="EUR",
            members=(
                ListedMember(id="ann", person_id="acme:ann", reserved=4),
                ListedMember(id="bob", person_id="bob", reserved=6),
            ),
            visibility="unlisted",
            sources=("tom", "storefront", "admin"),
            seller_id="tom",
        )
    ]
    assert not story.of(MembersListed)


#: Tea with all that can be said of it.
SOLD = Product(
    id="p",
    name="tea",
    description="Fine. " * 1_600,
    url="https://sue.example/tea",
    images=("a" * 64, "b" * 64),
    category="drinks",
    tags=("green", "loose"),
)


def test_facts_tell_the_product_whole_and_letters_as_much_as_they_show() -> None:
    """The page that changes with each application has not the description in its row."""
    story = play(
        [opened(product=SOLD), counted("a", "ann", 10), offered("b", "tom", 900, product=SOLD)],
        [applied("c", "cem", 1_000), withdrawn(), time(CLOSES)],
    )
    assert len(story.of(Auction)) > 3
    assert {each.product for each in story.of(Auction)} == {SOLD}
    (request,) = story.of(GroupPurchaseRequested)
    assert request.product == SOLD
    told = story.of(Notice)
    assert {each.kind for each in told} == {
        "offer-judged", "confirm-application", "application-refused", "condition-improved",
        "right-intercepted", "contract-concluded", "invitation",
    }  # fmt: skip
    assert {each.says.product for each in told} == {SOLD.brief()}
    kept = {name for name, row in story.rows.items() if SOLD.description in repr(row)}
    assert kept == {"product"}


def test_a_product_is_the_one_of_the_opening() -> None:
    """A better offer for the same product may describe it otherwise; the page stays."""
    other = SOLD.model_copy(update={"description": "Better. ", "images": ()})
    story = play(opened(product=SOLD), offered("b", "tom", 900, product=other))
    assert story.page.shown.seller_id == "tom"
    assert story.page.product == SOLD


def test_buyers_are_told_who_sells_and_sellers_nothing_of_each_other() -> None:
    """Whose offer is shown when the letter is written."""
    story = play(
        [OPEN, counted("a", "ann", 10), offered("b", "tom", 900), applied("c", "cem")],
        [applied("d", "dan", 1_000), offered("e", "una", 895), time(CLOSES)],
    )
    told = {(each.kind, each.says.party_id, each.says.seller_id) for each in story.of(Notice)}
    assert told == {
        ("offer-judged", "sue", None),
        ("confirm-application", "ann", "sue"),
        ("offer-judged", "tom", None),
        ("right-intercepted", "sue", None),
        ("condition-improved", "ann", "tom"),
        ("confirm-application", "cem", "tom"),
        ("application-refused", "dan", "tom"),
        ("offer-judged", "una", None),
        ("invitation", "sue", None),
        ("invitation", "una", None),
        ("contract-concluded", "tom", None),
        ("contract-concluded", "ann", "tom"),
        ("contract-concluded", "sue", None),
        ("contract-concluded", "una", None),
    }


@pytest.mark.slow
@pytest.mark.parametrize("number", [CHUNK, CHUNK + 1, 2 * CHUNK, 1_250])
def test_any_number_of_applicants_are_members_in_parts(number: int) -> None:
    """The request first, then parts of five hundred; everyone is a member once, told once."""
    people = [f"p{n:04}" for n in range(number)]
    story = play(OPEN, *(counted(f"a{who}", who) for who in people), time(CLOSES))
    (request,) = story.of(GroupPurchaseRequested)
    parts = story.of(MembersListed)
    lists = [request.members, *(part.members for part in parts)]
    listed = [member.id for members in lists for member in members]
    assert listed == people
    assert request.number_of_products == number
    if number == CHUNK:
        assert (request.member_parts, parts) == (0, [])
    else:
        assert request.member_parts == len(parts) == -(-number // CHUNK)
        assert request.members == ()
    assert [(part.part, part.parts) for part in parts] == [
        (n + 1, len(parts)) for n in range(len(parts))
    ]
    assert all(1 <= len(part.members) <= CHUNK for part in parts)
    kinds = [type(message) for message in story.sent]
    assert kinds.index(ContractConcluded) < kinds.index(GroupPurchaseRequested)
    assert parts == [] or kinds.index(GroupPurchaseRequested) < kinds.index(MembersListed)
    assert sorted(story.recipients("contract-concluded")) == [*people, "sue"]
    assert max(messages for _, messages in story.calls) <= CHUNK + 2


@pytest.mark.slow
@pytest.mark.parametrize("number", [CHUNK, CHUNK + 1])
def test_a_contract_s_members_of_the_longest_ids_are_records(number: int) -> None:
    """No character takes more than four bytes."""

    def longest(n: int) -> Contact:
        of_four_bytes = "\N{PEAR}" * 252
        return Contact(id=f"{n:04}{of_four_bytes[:60]}", person_id=f"{n:04}{of_four_bytes}")

    # A control character takes six.
    sold = Product(id="\N{PEAR}" * 64, name="\x01" * 1_000, description="\x01" * 10_000,
                   url=f"https://{'x' * 1_990}", images=("a" * 64,) * 8,
                   tags=("\N{PEAR}" * 40,) * 10)  # fmt: skip
    people = (counted(f"a{n}", "ann", 100, applicant=longest(n)) for n in range(number))
    story = play(opened(product=sold), *people, time(CLOSES))
    (request,) = story.of(GroupPurchaseRequested)
    parts = story.of(MembersListed)
    assert len(request.members) + sum(len(part.members) for part in parts) == number
    assert max(len(encode(each)) for each in (request, *parts)) <= RECORD_BYTES_MAX


@pytest.mark.slow
def test_any_number_of_losing_sellers_is_told_in_chunks() -> None:
    """The winner first; each once."""
    known = [f"s{n:04}" for n in range(CHUNK + 2)]
    offers = (offered(f"of-{who}", who, 1_000) for who in known[1:])
    story = Story(*(seller(who) for who in known))
    story.play(opened(seller_id=known[0]), *offers, time(CLOSES))
    assert story.recipients("contract-failed") == known
    assert max(messages for _, messages in story.calls) <= CHUNK


ROLES: list[tuple[str, int, str]] = [
    ("concluded", 10, "contract-concluded"),
    ("failed", 9, "contract-failed"),
]


@pytest.mark.parametrize(("quantity", "kind"), promises(ROLES))
def test_everyone_who_took_part_is_told_how_it_ended(quantity: int, kind: str) -> None:
    """Who applied, who won, who lost; not who was refused, took back or never confirmed."""
    story = play(
        [OPEN, counted("a", "ann", quantity), applied("b", "bob"), counted("c", "cy")],
        [taken_back("c"), offered("b", "tom", 900), offered("c", "una", 900)],
        [seller("nia"), offered("d", "nia", currency="USD"), time(CLOSES)],
    )
    told = {letter.says.party_id: letter for letter in story.letters(kind)}
    assert {who: letter.says.role for who, letter in told.items()} == {
        "ann": "applicant",
        "tom": "winner",
        "sue": "seller",
        "una": "seller",
    }
    assert len(story.letters("contract-concluded") + story.letters("contract-failed")) == len(told)
    # With whom the contract is, is told to nobody but the buyers that it is with.
    named = {who for who, letter in told.items() if letter.says.seller_name == "Tom"}
    assert named == ({"ann"} if kind == "contract-concluded" else set())
    for letter in told.values():
        says = letter.says
        assert (letter.at, says.shown) == (CLOSES, shown("b", "tom", 900))
        assert (says.reservations, says.applicants) == (quantity, 1)
        assert says.request_id == ("au-A" if quantity == 10 else None)
    assert told["ann"].says.quantity == quantity


AFTERWARDS: list[Event] = [
    [offered("x"), counted("b", "bob"), taken_back("a"), taken_back("c"), confirmed("c")],
    [counted("a", "ann", 10), withdrawn("tom"), OPEN],
]


def test_an_end_is_final() -> None:
    """What comes afterwards is answered, and changes nothing."""
    story = play(OPEN, counted("a", "ann", 10), time(CLOSES))
    page = story.page
    story.play(arriving(CLOSES + HOUR, *AFTERWARDS))
    assert story.page == page
    assert story.verdicts == {"o": "opened", "x": "after-term"}
    assert story.refused == {"b": "after-term"}
    assert len(story.of(ContractConcluded)) == 1


# --- letters -------------------------------------------------------------------------------------


def everything(*, addresses: bool, enough: bool = True) -> Story:
    """A story with every kind of letter in it."""
    sellers = [seller(each, email=None if addresses else "") for each in ("sue", "tom", "una")]

    def by(who: str) -> dict[str, Any]:
        return {"applicant": Contact(id=who, email=f"{who}@example.com" if addresses else None)}

    return Story(*sellers).play(
        [OPEN, counted("a", "ann", 10 if enough else 9, **by("ann"))],
        [applied("b", "bob", **by("bob")), offered("b"), offered("c", "una", 900)],
        [withdrawn(), withdrawn("tom"), time(CLOSES)],
    )


LETTERS: list[tuple[str, str, list[str]]] = [
    ("offer-judged", "offer-judged", ["sue", "tom", "una", "sue", "tom"]),
    ("confirm-application", "confirm-application", ["ann", "bob"]),
    ("right-intercepted", "right-intercepted", ["sue"]),
    ("condition-improved", "condition-improved", ["ann"]),
    ("invitation", "invitation", ["sue", "una"]),
    ("contract-concluded", "contract-concluded", ["tom", "ann", "sue", "una"]),
    ("contract-failed", "contract-failed", ["tom", "ann", "sue", "una"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "recipients"), promises(LETTERS))
def test_letters_go_to_whom_they_concern_if_there_is_an_address(
    kind: str, recipients: list[str]
) -> None:
    """Without one, all goes as it would, but for the letters."""
    enough = kind != "contract-failed"
    story = everything(addresses=True, enough=enough)
    assert story.recipients(kind) == recipients
    for letter in story.letters(kind):
        who = letter.says.party_id
        assert letter.recipient_id == (who if who in {"ann", "bob"} else f"seller:{who}")
    unwritten = everything(addresses=False, enough=enough)
    assert not unwritten.of(Notice)
    facts = [message for message in story.sent if not isinstance(message, Notice | Person)]
    assert [type(message) for message in unwritten.sent] == [type(each) for each in facts]


def test_a_story_told_again_has_the_same_letters() -> None:
    """The same cause gives the same id, and no two causes do; as ``Story`` checks of every one."""
    first, again = (everything(addresses=True).of(Notice) for _ in range(2))
    assert first == again
    assert {letter.kind for letter in first} == {kind for _, kind, _ in LETTERS[:-1]}


def test_an_application_s_letter_asks_for_its_confirmation() -> None:
    """Once; not if the front end vouched for it, nor if it can't count."""
    story = play(
        [OPEN, *[applied("a", "ann", 2)] * 2, confirmed("b"), applied("b", "bob")],
        [applied("c", "sue"), taken_back("d"), applied("d", "dee")],
    )
    (letter,) = story.letters("confirm-application")
    assert (letter.recipient_id, letter.says.party_id) == ("ann", "ann")
    says = letter.says
    assert (says.application_id, says.quantity) == ("a", 2)
    assert (says.shown, says.closes_at) == (shown("o", "sue", 1_000), CLOSES)


def test_a_person_is_all_that_an_application_says_of_one_and_when_it_came() -> None:
    ann = Contact(
        id="ann",
        person_id="acme:ann",
        email="a@x.example",
        name="Ann",
        locale="ja",
        time_zone="Asia/Tokyo",
    )
    story = play(OPEN, (MADE + MINUTE, applied("a", "ann", applicant=ann)))
    assert story.of(Person) == [
        Person(
            person_id="acme:ann",
            email="a@x.example",
            name="Ann",
            locale="ja",
            time_zone="Asia/Tokyo",
            seen_at=MADE + MINUTE,
        )
    ]


def test_each_letter_of_an_applicant_goes_to_the_person_of_the_application() -> None:
    """Of a shop's buyer too; letters name the buyer by the id in the auction."""
    applicant = Contact(id="ann", person_id="acme:ann", email="a@x.example")
    ann: dict[str, Any] = {"applicant": applicant}
    story = play(OPEN, counted("a", "ann", **ann), applied("b", "ann", 101, **ann, **LATER))
    story.play(offered("b"), time(CLOSES))
    for kind in (
        *("confirm-application", "application-refused"),
        *("condition-improved", "contract-failed"),
    ):
        found = [(each.says.party_id, each.recipient_id) for each in story.letters(kind)]
        assert ("ann", "acme:ann") in found
        assert "ann" not in {recipient_id for _, recipient_id in found}


ANN, BOB = ("ann", "ann@example.com"), ("bob", "bob@example.com")
MOVED: dict[str, Any] = {"applicant": Contact(id="ann", email="new@example.com")}
WRITTEN: list[tuple[str, list[Event], list[tuple[str, str]]]] = [
    ("an application", [OPEN, applied("a", "ann")], [ANN]),
    ("one that its front end vouches for", [OPEN, confirmed("a"), applied("a", "ann")], [ANN]),
    ("one without an address", [OPEN, applied("a", "ann", **NO_ADDRESS)], []),
    (
        "one whose person is known",
        [OPEN, applied("a", "ann", applicant=Contact(id="ann", person_id="acme:ann"))],
        [],
    ),
    (
        "two of one person, in order",
        [OPEN, counted("a", "ann"), now(counted("b", "ann", **MOVED))],
        [ANN, ("ann", "new@example.com")],
    ),
    (
        "members of two shops with one id",
        [
            OPEN,
            *(
                applied(
                    shop,
                    "ann",
                    applicant=Contact(
                        id=f"{shop}:ann", person_id=f"{shop}:ann", email=f"ann@{shop}.example"
                    ),
                )
                for shop in ("acme", "leaf")
            ),
        ],
        [("acme:ann", "ann@acme.example"), ("leaf:ann", "ann@leaf.example")],
    ),
    (
        "a repeat, of another address",
        [OPEN, *counted("a", "ann"), applied("a", "ann", **MOVED)],
        [ANN],
    ),
    ("one refused by letter", [OPEN, applied("a", "ann", 101)], [ANN]),
    (
        "one refused by letter, and repeated",
        [OPEN, applied("a", "ann", 101), applied("a", "ann", **MOVED)],
        [ANN],
    ),
    ("one refused by letter after the term", [OPEN, (CLOSES, applied("a", "ann"))], [ANN]),
    (
        "one refused without a letter, long after the end",
        [OPEN, time(CLOSES + KEPT), (CLOSES + KEPT, applied("a", "ann"))],
        [],
    ),
    ("one taken back before it came", [OPEN, taken_back("a"), applied("a", "ann")], []),
    (
        "those that come before their auction, when they come, and repeats",
        [
            *(applied("a", "ann"), applied("a", "ann", **MOVED), applied("b", "bob")),
            *(COMES, applied("a", "ann"), confirmed("a"), time(CLOSES)),
        ],
        [ANN, BOB],
    ),
]


@pytest.mark.parametrize(("events", "written"), promises(WRITTEN))
def test_whose_address_is_sent_to_people(
    events: list[Event], written: list[tuple[str, str]]
) -> None:
    """Once, if letters may follow."""
    assert play(*events).people == written


EARLY_ONES = [
    Case(
        "an applicant who waited and one who comes later with the same mailbox are one",
        [
            counted("a", "ann", 2, **as_("ann@x.org", "a1")),
            COMES,
            now(counted("b", "ann", 3, **as_("Ann+1@x.org", "a2"), **LATER)),
        ],
        (3, 1),
    ),
    Case(
        "an applicant who waited can't be a seller with the same mailbox",
        [applied("a", "ann", **as_("sue@shop.example", "a1")), COMES],
        refused=OWN,
    ),
]


@pytest.mark.parametrize("case", EARLY_ONES, ids=lambda case: case.promise.replace(" ", "-"))
def test_an_application_that_waits_keeps_its_mailbox_and_no_address(case: Case) -> None:
    """``WatchedRows`` fails on an address in a row. After the wait, the row is gone."""
    story = play(*case.events)
    assert (story.count, story.refused) == (case.count, case.refused)
    assert not list(story.rows.scan("early/"))
    assert not list(play(*case.events[:1], time(MADE + 2 * HOUR)).rows.scan("early/"))


# --- ninety days later ---------------------------------------------------------------------------

ENDINGS: list[tuple[str, list[Event], datetime, Ended]] = [
    ("failed", [counted("a", "ann"), offered("b")], CLOSES, Ended("failed")),
    ("concluded", [counted("a", "ann", 10), offered("b")], CLOSES, Ended("concluded")),
    (
        "withdrawn",
        [applied("a", "sue"), offered("x", "nia"), withdrawn()],
        MADE,
        Ended("withdrawn"),
    ),
]


@pytest.mark.parametrize(("events", "ended_at", "left"), promises(ENDINGS))
def test_rows_shrink_to_a_marker(events: list[Event], ended_at: datetime, left: Ended) -> None:
    """Ninety days after its end nothing is left of an auction but how it ended."""
    story = play(OPEN, *events, time(ended_at + KEPT - INSTANT))
    rows = dict(story.rows)
    assert len(rows) > 3
    told = len(story.sent)
    story.play(time(ended_at + KEPT))
    assert dict(story.rows) == {"ended": left}
    assert len(story.sent) == told


@pytest.mark.parametrize(("events", "ended_at", "left"), promises(ENDINGS))
def test_what_comes_after_that_is_answered_and_leaves_no_rows(
    events: list[Event], ended_at: datetime, left: Ended
) -> None:
    """Offers and applications are refused, all else is over."""
    story = play(OPEN, *events, time(ended_at + KEPT))
    told = len(story.sent)
    story.play(
        arriving(ended_at + KEPT, opened("y", "tom"), offered("z"), *counted("c", "cy", 2)),
        arriving(ended_at + KEPT, taken_back("a"), taken_back("d"), withdrawn()),
        time(ended_at + 2 * KEPT),
    )
    reason = "auction-withdrawn" if left.status == "withdrawn" else "after-term"
    about: dict[str, Any] = {"auction_id": "A", "seller_id": "tom", "verdict": "refused"}
    assert [message for message in story.sent[told:] if not isinstance(message, Notice)] == [
        OfferJudged(offer_id="y", reason="auction-exists", **about),
        OfferJudged(offer_id="z", reason=reason, **about),
        ApplicationRefused(
            application_id="c", auction_id="A", applicant_id="cy", quantity=2, reason=reason
        ),
    ]
    assert dict(story.rows) == {"ended": left}


@pytest.mark.slow
def test_rows_are_forgotten_in_chunks() -> None:
    applications = (counted(f"a{n}", f"p{n}") for n in range(CHUNK // 2))
    story = play(OPEN, *applications, time(CLOSES))
    story.now = CLOSES + KEPT
    story.send(AUCTION.due["shrink"]("due/shrink", story.rows, story.now, story.sellers))
    sizes = [len(story.rows)]
    while story.run_chunk():
        sizes.append(len(story.rows))
    assert max(before - after for before, after in itertools.pairwise(sizes)) <= CHUNK + 2
    assert len(sizes) > 3


def test_an_auction_that_never_opens_leaves_no_rows_for_ever() -> None:
    """Its refusals are forgotten ninety days after the first of them."""
    story = play(
        [opened("x", unit_price=0), opened("y", "nia"), (CLOSES, OPEN)],
        [offered("b"), counted("a", "ann"), taken_back("c"), withdrawn()],
    )
    story.play(time(T + KEPT - INSTANT))
    assert story.rows
    story.play(time(T + KEPT))
    assert not story.rows


@pytest.mark.parametrize("before", [30 * MINUTE, 30 * SECOND, INSTANT], ids=str)
def test_what_waits_while_older_refusals_are_forgotten_is_not_lost(before: timedelta) -> None:
    """The opening that waits for its seller is answered, and so is what waits for it."""
    end = T + KEPT
    at: dict[str, Any] = {"offered_at": end - before, "closes_at": end + DAY}
    story = play(opened("x", unit_price=0), (end - before, [opened("y", "nia", **at)]))
    story.play((end - before, counted("a", "ann", 2)), (end - before + INSTANT, offered("b")))
    story.play(time(end), (end, opened("z", "una", **at)), time(end + HOUR))
    assert story.count == (2, 1)
    assert story.verdicts["b"] == "better"
    assert story.verdicts["y"] in {"unknown-seller", "auction-exists"}


def test_refusals_are_forgotten_though_something_waited_when_they_were_due_to_be() -> None:
    story = play(opened("x", unit_price=0), (T + KEPT - MINUTE, applied("a", "ann")))
    story.play(time(T + KEPT + HOUR))
    assert story.refused == {"a": NO_AUCTION}
    assert not story.play(time(T + 2 * KEPT + HOUR)).rows


def test_an_auction_that_opens_after_refusals_is_kept_to_its_own_end() -> None:
    term: dict[str, Any] = {"offered_at": T, "closes_at": T + 100 * DAY}
    story = play(opened("x", unit_price=0), (T + DAY, opened(**term)))
    story.play(time(T + 100 * DAY - INSTANT))
    assert story.page.status == "open"
    story.play(time(T + 100 * DAY + KEPT))
    assert dict(story.rows) == {"ended": Ended("failed")}


# --- any story -----------------------------------------------------------------------------------

PEOPLE = ("ann", "bob", "tom")
IDS = "abcdef"


def application_of(number: int, quantity: int = 1) -> Applied:
    """One of six applications, two of each of three people."""
    return applied(
        IDS[number], PEOPLE[number % 3], quantity, applied_at=MADE + SECOND * (number * 5 % 7)
    )


about_applications = st.lists(
    st.tuples(st.sampled_from(("applied", "confirmed", "taken back")), st.integers(0, 5)),
    max_size=24,
)


@settings(max_examples=60, deadline=None)
@given(about_applications)
def test_whatever_is_said_of_applications_one_of_each_applicant_counts(
    said: list[tuple[str, int]],
) -> None:
    """The latest that was confirmed and not void before, unless that one was taken back."""
    events: list[Event] = []
    came: dict[int, set[str]] = {number: set() for number in range(6)}
    entered: set[int] = set()
    back: set[int] = set()
    for what, number in said:
        came[number].add(what)
        match what:
            case "applied":
                events.append(application_of(number, number + 1))
            case "confirmed":
                events.append(confirmed(IDS[number]))
            case "taken back":
                events.append(taken_back(IDS[number]))
                back.add(number)
        if {"applied", "confirmed"} <= came[number] and number not in back:
            entered.add(number)
    counts = {}
    for who in range(3):
        mine = [number for number in entered if number % 3 == who]
        latest = max(mine, key=lambda n: (application_of(n).applied_at, IDS[n]), default=None)
        if latest is not None and latest not in back:
            counts[who] = latest + 1
    story = play(OPEN, now(*events))
    assert story.count == (sum(counts.values()), len(counts))
    early = play((MADE, [*events]), (MADE + MINUTE, OPEN))
    assert early.count == story.count


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_who_counts_does_not_depend_on_the_order_of_what_is_said(data: st.DataObject) -> None:
    """As long as nothing is taken back: repeats and delays change nothing."""
    numbers = data.draw(st.lists(st.integers(0, 5), unique=True))
    messages: list[Message] = []
    for number in numbers:
        messages += [application_of(number, number + 1), confirmed(IDS[number])]
    repeats = data.draw(st.lists(st.sampled_from(messages), max_size=6)) if messages else []
    jumbled = data.draw(st.permutations([*messages, *repeats]))
    assert play(OPEN, now(*jumbled)).count == play(OPEN, now(*messages)).count


#: Persons and mailboxes cross each other: b+1 is b's mailbox.
MAILBOXES = ("a@x.org", "b@x.org", "B+1@x.org", "c@x.org", None)
crossed = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(MAILBOXES)), max_size=5)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(crossed, st.data())
def test_who_counts_under_crossed_ids_and_mailboxes_does_not_depend_on_the_order(
    people: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    """Each that counts has an id and a mailbox of its own, whatever came first."""
    pairs = [
        counted(IDS[n], "ann", n + 1, **as_(email, who), applied_at=MADE + n * SECOND)
        for n, (who, email) in enumerate(people)
    ]
    said = [message for pair in pairs for message in pair]
    story = play(OPEN, now(*said))
    # What is confirmed first is vouched for; letters can be followed only afterwards.
    turns = data.draw(st.permutations(sorted([*range(len(pairs))] * 2)))
    left = [iter(pair) for pair in pairs]
    jumbled = play(OPEN, now(*(next(left[n]) for n in turns)))
    assert jumbled.count == story.count
    names = [name for name in jumbled.rows if name.startswith(("applicant/", "mailbox/"))]
    counting = [jumbled.rows[name] for name in names if name.startswith("applicant/")]
    boxes = [each.mailbox for each in counting if each.mailbox]
    assert len(boxes) == len(set(boxes)) == sum(name.startswith("mailbox/") for name in names)
    assert jumbled.count == (sum(each.quantity for each in counting), len(counting))


def of_application(number: int, quantity: int, what: int) -> Message:
    messages: list[Message] = [
        application_of(number, quantity),
        confirmed(IDS[number]),
        taken_back(IDS[number]),
    ]
    return messages[what]


something: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        of_application,
        st.integers(0, 5),
        st.sampled_from((1, 4, 10, 100, 101)),
        st.integers(0, 2),
    ),
    st.builds(
        offered,
        st.sampled_from(("p", "q", "r", "s")),
        st.sampled_from(("sue", "tom", "nia", "ann")),
        st.sampled_from((0, 700, 800, 900, 950, 951, 1_000)),
        minimum_reservations=st.sampled_from((1, 10, 10, 10, 11)),
    ),
    st.builds(opened, st.sampled_from(("o", "x")), st.sampled_from(("sue", "nia"))),
    st.builds(withdrawn, st.sampled_from(("sue", "tom"))),
    st.builds(seller, st.sampled_from(("nia", "ann"))),
)
PAUSES = (timedelta(0), INSTANT, 5 * SECOND, MINUTE, HOUR, 2 * HOUR)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(
    st.booleans(),
    st.lists(st.tuples(st.sampled_from(PAUSES), something), max_size=30),
    st.booleans(),
)
def test_of_any_story_the_sums_hold_and_all_of_it_is_forgotten(
    is_open: bool, said: list[tuple[timedelta, Message]], is_repeated: bool
) -> None:
    """Reservations are those of the rows, answers and letters once; ``Story.check`` says how.

    Each message said again changes nothing but that it is answered again.
    """
    came = T
    story, twice = (Story(*SELLERS) for _ in range(2))
    if is_open:
        story.play(OPEN)
        twice.play(OPEN)
    events: list[tuple[datetime, Message]] = []
    for pause, message in said:
        came += pause
        events.append((came, message))
    story.play(*events)
    if is_repeated:
        twice.play(*(event for event in events for _ in range(2)))
        answers = OfferJudged | ApplicationRefused
        once = [message for message in story.sent if not isinstance(message, answers)]
        assert [message for message in twice.sent if not isinstance(message, answers)] == once
        assert (twice.verdicts, twice.refused) == (story.verdicts, story.refused)
    story.play(time(came + 2 * KEPT + DAY))
    assert story.rows.keys() <= {"ended"}
    answered = story.verdicts.keys() | story.refused.keys()
    offers = {message.offer_id for _, message in said if isinstance(message, Offer)}
    assert offers <= answered


def test_rows_declared_are_the_rows_there_are() -> None:
    """A dataclass that no table holds, or is missing from them, would break the worker."""
    kinds = {kind for kind in vars(tables).values() if hasattr(kind, "__dataclass_fields__")}
    declared = {*DESK.rows.values(), *AUCTION.rows.values()}
    assert kinds - {tables.Condition, Waiting} == declared - {Waiting, Waits}
