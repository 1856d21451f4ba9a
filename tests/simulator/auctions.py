"""Histories of counter auctions, made from a seed: sellers, buyers and all they may send.

Nothing here knows what a history comes to. It only sees to it that what is rare in life is
frequent here: exact ties, a unit short of the step, the last millisecond of a term, records that
are late, early, repeated or out of order, and sellers whose standing is on its way.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from schemas.auctions import (
    ApplicationConfirmed,
    ApplicationWithdrawn,
    Applied,
    AuctionOpened,
    AuctionWithdrawn,
    CounterOffered,
    Offer,
    SellerApproved,
    SellerDescribed,
    SellerRegistered,
    SellerReinstated,
    SellerSuspended,
)
from schemas.parts import Contact, Message, Product

#: Whole milliseconds since then are the times of a history.
BEGINS = datetime(2024, 3, 1, tzinfo=UTC)
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
#: A seller's event is recorded and then seen within these: sooner than an offer gives up on it.
RECORDED_WITHIN = 20 * SECOND
SEEN_WITHIN = 30 * SECOND
#: A seller whose standing changes makes offers about that long after it.
CHANGES_WITHIN = 30 * SECOND
#: Records of a shuffled log that change places are no further apart, else terms end unused.
SHUFFLED_WITHIN = 5 * MINUTE
#: A clock that is moved on by this much has passed every term and every wait.
AFTERWARDS = 3 * HOUR


def at(ms: int) -> datetime:
    """A time by its milliseconds since a history's beginning."""
    return BEGINS + timedelta(milliseconds=ms)


class Record(NamedTuple):
    """A record of a log: ``at`` is its timestamp, not the event's own time."""

    topic: str
    at: datetime
    message: Message


@dataclass(frozen=True, slots=True)
class History:
    """What was sent: three logs, each in its own order, as they are in one partition.

    ``visible`` says, for each record of ``sellers``, from which time on the fact it leads to is
    seen by those who judge; at the end the clock passes on to ``ends_at``.
    """

    seed: int
    sellers: tuple[Record, ...]
    visible: tuple[datetime, ...]
    offers: tuple[Record, ...]
    applications: tuple[Record, ...]
    ends_at: datetime

    def with_facts_first(self) -> "History":
        """The same when every seller's whole story is known before anything else is read."""
        return replace(self, visible=(datetime.min.replace(tzinfo=UTC),) * len(self.sellers))

    def of_partition(self, holds: Callable[[str], bool]) -> "History":
        """The same with those auctions alone whose ids a partition holds."""
        return replace(
            self, offers=_of(self.offers, holds), applications=_of(self.applications, holds)
        )

    def lines(self) -> Iterator[str]:
        """Every record as a line to read, each log in its order."""
        yield f"seed {self.seed}, from {BEGINS.isoformat()} to +{self.ends_at - BEGINS}"
        for record, seen in zip(self.sellers, self.visible, strict=True):
            yield f"{_line(record)}  (seen {_shown_time(seen)})"
        for record in (*self.offers, *self.applications):
            yield _line(record)


def _of(records: Iterable[Record], holds: Callable[[str], bool]) -> tuple[Record, ...]:
    return tuple(record for record in records if holds(record.message.key))


def _shown_time(moment: datetime) -> str:
    if moment < BEGINS:
        return "from the start" if moment.year == 1 else f"-{BEGINS - moment}"
    return f"+{moment - BEGINS}" if moment.year < 3000 else moment.isoformat()


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return _shown_time(value)
    if isinstance(value, Product | Contact):
        return "/".join(str(part) for _, part in value if part is not None)
    return str(value)


def _line(record: Record) -> str:
    said = []
    for name, value in record.message:
        if name in ("type", "locale", "time_zone", "reason") or value is None:
            continue
        said.append(f"{name}={_shown(value)}")
    kind = type(record.message).__name__
    return f"{_shown_time(record.at):<20} {record.topic:<21} {kind:<20} {' '.join(said)}"


# --- auctions and their times --------------------------------------------------------------------


@dataclass(slots=True)
class Plan:
    """An auction before anyone has sent anything; times in milliseconds."""

    auction_id: str
    opens: int
    closes: int
    invites: int
    says_invites: bool
    price: int
    minimum: int
    step: int
    most: int | None
    offer_times: list[int]
    application_times: list[int]


PRODUCT = Product(
    id="tea-1",
    name="tea",
    description="Green, of the first harvest.",
    url="https://tea.example/1",
    images=("a" * 64, "b" * 64),
    category="drinks",
    tags=("tea", "green"),
)
SAME_PRODUCTS = (PRODUCT, Product(id="tea-1", name="green tea"), Product(name="tea"))
OTHER_PRODUCTS = (Product(id="tea-2", name="tea"), Product(name="coffee"))


def _plan(rng: Random, number: int, events: int) -> Plan:
    opens = rng.randrange(HOUR, 2 * HOUR)
    # The default of three quarters of the term is a whole millisecond too.
    term = 4 * rng.choice(
        (rng.randrange(10, 30) * SECOND, rng.randrange(2, 15) * MINUTE, rng.randrange(1, HOUR))
    )
    closes = opens + term
    says_invites = rng.random() < 0.5 and term > 2
    invites = rng.randrange(opens + 1, closes) if says_invites else opens + term * 3 // 4
    share = rng.choice((0.2, 0.4, 0.6))
    offers = max(1, round(events * share))
    times = sorted(_time(rng, opens, invites, closes) for _ in range(offers))
    for place in range(1, offers):
        if rng.random() < 0.1:
            times[place] = times[place - 1]
    # A buyer is heard of twice, on average.
    buyers = max(0, (events - offers) // 2)
    step = rng.choice((1, 1, 5, 50))
    return Plan(
        auction_id=f"A{number}",
        opens=opens,
        closes=closes,
        invites=invites,
        says_invites=says_invites,
        price=rng.choice((1_000, 25_000)) if step > 1 else 100,
        minimum=rng.choice((1, 2, 4, 8, 20)),
        step=step,
        most=rng.choice((None, 1, 3, 10**9, 10**9)),
        offer_times=times,
        application_times=sorted(_time(rng, opens, invites, closes) for _ in range(buyers)),
    )


def _time(rng: Random, opens: int, invites: int, closes: int) -> int:
    """When something happens: mostly in the term, often on one of its edges."""
    dice = rng.random()
    if dice < 0.14:
        edge = rng.choice((invites, closes, closes))
        return edge + rng.choice((-1, -1, 0, 0, 1))
    if dice < 0.20:
        early = rng.choice((MINUTE, HOUR))
        return opens - rng.choice((0, 1, HOUR, HOUR - 1, rng.randrange(early)))
    if dice < 0.25:
        return closes + rng.choice((rng.randrange(MINUTE), rng.randrange(2 * HOUR)))
    if dice < 0.33:
        return max(opens, closes - rng.randrange(MINUTE))
    return rng.randrange(opens, closes)


# --- sellers -------------------------------------------------------------------------------------

#: What becomes of a seller; the good ones come first, as most offers are theirs.
FATES = ("good", "good", "fresh", "pending", "suspended", "reinstated", "late", "unknown")


@dataclass(slots=True)
class Party:
    """Who takes part: the sellers' ids by fate, each seller's address, and what each one meets.

    What a seller meets is an auction, and a moment of it near which the seller's standing changes.
    """

    fates: dict[str, str]
    emails: dict[str, str]
    meets: dict[str, tuple[Plan, int]]

    def some(self, rng: Random, *fates: str) -> str:
        """One of the sellers, of these fates if there are any."""
        of_fate = [seller for seller, fate in self.fates.items() if fate in fates]
        return rng.choice(of_fate or list(self.fates))

    def met(self, rng: Random, plan: Plan, ms: int) -> str | None:
        """A seller who may be in the midst of a change at that time, mostly."""
        for seller, (met, moment) in self.meets.items():
            if met is plan and 0 <= ms - moment < CHANGES_WITHIN and rng.random() < 0.6:
                return seller
        return None


class SellerEvent(NamedTuple):
    """What happens to a seller at its own time, in milliseconds."""

    at: int
    message: Message


def _party(rng: Random, plans: list[Plan]) -> Party:
    fates = ["good", "good", *rng.choices(FATES, k=rng.randrange(2, 5))]
    sellers = {f"s{number}": fate for number, fate in enumerate(fates, 1)}
    emails = {
        seller: "" if rng.random() < 0.08 else f"{seller}@Sells.example" for seller in sellers
    }
    meets = {}
    for seller, fate in sellers.items():
        if fate in ("fresh", "late", "suspended", "reinstated"):
            plan = rng.choice(plans)
            meets[seller] = plan, _moment(rng, plan)
    return Party(sellers, emails, meets)


def _moment(rng: Random, plan: Plan) -> int:
    in_time = [ms for ms in plan.offer_times if ms < plan.closes]
    if in_time and rng.random() < 0.3:
        return in_time[-1]
    return rng.choice((plan.opens, *plan.offer_times, plan.invites, plan.closes))


def _seller_events(rng: Random, seller: str, party: Party) -> list[SellerEvent]:
    """What a seller's fate is made of."""
    fate, email = party.fates[seller], party.emails[seller]
    near = 0
    if seller in party.meets:
        plan, moment = party.meets[seller]
        around = rng.randrange(-CHANGES_WITHIN, CHANGES_WITHIN // 3)
        near = moment + rng.choice((0, 0, -1, 1, around, around))
    registered = approved = rng.randrange(HOUR // 2)
    acts: list[tuple[Any, int]] = []
    if fate == "late":
        registered = rng.choice(
            (plan.invites, plan.invites - 1, rng.randrange(plan.opens, plan.closes))
        )
        acts.append((SellerApproved, registered + rng.choice((0, rng.randrange(20 * SECOND)))))
    elif fate == "fresh":
        approved = near
        registered = approved - rng.choice((0, 1, rng.randrange(20 * SECOND)))
        acts.append((SellerApproved, approved))
    elif fate in ("good", "suspended", "reinstated"):
        acts.append((SellerApproved, approved + rng.choice((0, -1, rng.randrange(20 * SECOND)))))
    if fate in ("suspended", "reinstated"):
        acts.append((SellerSuspended, near))
    if fate == "reinstated":
        again = near + rng.choice((0, 1, rng.randrange(MINUTE), rng.randrange(HOUR)))
        acts.append((SellerReinstated, again))
    events = [SellerEvent(registered, _registered(seller, email, registered))]
    events += [SellerEvent(ms, act(seller_id=seller, at=at(ms))) for act, ms in acts]
    events += _descriptions(rng, seller, registered)
    if rng.random() < 0.15:
        again = registered + rng.randrange(HOUR)
        events.append(SellerEvent(again, _registered(seller, "other@mail.example", again)))
    if rng.random() < 0.15:
        events.append(rng.choice(events))
    return events


def _registered(seller: str, email: str, ms: int) -> SellerRegistered:
    return SellerRegistered(
        seller_id=seller,
        name=seller.upper(),
        email=email,
        registered_at=at(ms),
        phone="+1 555 0100",
    )


def _descriptions(rng: Random, seller: str, registered: int) -> Iterator[SellerEvent]:
    """How a seller presents itself; some come before the registration, or twice at one time."""
    ms = registered
    for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3))):
        ms += rng.choice((0, 0, 1, rng.randrange(MINUTE), rng.randrange(HOUR), -1))
        said = rng.choice((None, "by post", "by train", "at the shop"))
        yield SellerEvent(ms, SellerDescribed(seller_id=seller, at=at(ms), delivery=said))


def _seller_log(rng: Random, party: Party) -> tuple[list[Record], list[datetime]]:
    """The sellers' log, and when each of its facts is seen."""
    lag_max = rng.choice((0, 5 * SECOND, SEEN_WITHIN))
    placed = []
    for seller, fate in party.fates.items():
        if fate == "unknown":
            continue
        for event in _seller_events(rng, seller, party):
            late = rng.randrange(RECORDED_WITHIN) if rng.random() < 0.3 else 0
            placed.append((event.at + late, event))
    placed.sort(key=lambda each: each[0])
    records, visible, seen = [], [], dict.fromkeys(party.fates, 0)
    for timestamp, event in placed:
        seller = event.message.key
        lag = rng.randrange(lag_max + 1)
        # One seller's facts are seen in the order of the log.
        seen[seller] = max(seen[seller], timestamp + lag)
        records.append(Record("seller-registrations", at(timestamp), event.message))
        visible.append(at(seen[seller]))
    return records, visible


# --- offers --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Guess:
    """The condition that is probably shown: what the next offer is measured by."""

    price: int
    minimum: int


def _opening(rng: Random, plan: Plan, party: Party, offer_id: str, ms: int, **more: Any) -> Offer:
    fates = ("good",) if rng.random() < 0.8 else FATES
    given: dict[str, Any] = {
        "offer_id": offer_id,
        "auction_id": plan.auction_id,
        "seller_id": party.met(rng, plan, ms) or party.some(rng, *fates),
        "product": PRODUCT,
        "minimum_reservations": plan.minimum,
        "unit_price": plan.price,
        "currency": "EUR",
        "offered_at": at(ms),
        "closes_at": at(plan.closes),
        "invites_at": at(plan.invites) if plan.says_invites else None,
    }
    if plan.step > 1:
        given["minimum_step"] = plan.step
    if plan.most is not None:
        given["quantity_max_per_applicant"] = plan.most
    return AuctionOpened(**given | more)


IMPOSSIBLE: tuple[dict[str, Any], ...] = (
    {"minimum_reservations": 0},
    {"minimum_reservations": 10**9 + 1, "unit_price": 0},
    {"unit_price": 10**12 + 1, "currency": "XXX"},
    {"minimum_step": 0},
    {"quantity_max_per_applicant": 0},
    {"quantity_max_per_applicant": 10**9 + 1},
    {"minimum_step": 10**12 + 1, "currency": "eur"},
    {"closes_at": datetime(9000, 1, 1, tzinfo=UTC)},
    {"closes_at": BEGINS, "minimum_reservations": -1},
    {"invites_at": BEGINS},
    {"invites_at": datetime(8000, 1, 1, tzinfo=UTC)},
)


def _openings(rng: Random, plan: Plan, party: Party) -> Iterator[tuple[int, Message]]:
    """The offer that opens the auction, with an impossible one before it or another beside it."""
    if rng.random() < 0.12:
        bad = rng.choice(IMPOSSIBLE)
        earlier = plan.opens - rng.randrange(MINUTE)
        yield earlier, _opening(rng, plan, party, "o-bad", earlier, **bad)
    if rng.random() < 0.08:
        edges = rng.choice(
            ({"invites_at": at(plan.opens)}, {"invites_at": at(plan.closes)}, {"minimum_step": 0})
        )
        yield plan.opens, _opening(rng, plan, party, "o-edge", plan.opens, **edges)
    if rng.random() < 0.96:
        yield plan.opens, _opening(rng, plan, party, "o-first", plan.opens)
    if rng.random() < 0.12:
        later = plan.opens + rng.choice((0, 1, rng.randrange(MINUTE), plan.closes - plan.opens))
        yield later, _opening(rng, plan, party, "o-second", later)


def _counter(
    rng: Random, plan: Plan, party: Party, guess: Guess, offer_id: str, ms: int
) -> CounterOffered:
    dice = rng.random()
    fates = ("good",) if dice < 0.6 else FATES
    seller = party.some(rng, *fates) if dice < 0.95 else f"b{rng.randrange(1, 5)}"
    seller = party.met(rng, plan, ms) or seller
    variant = rng.choices(list(VARIANTS), weights=[weight for weight, _ in VARIANTS.values()])[0]
    given: dict[str, Any] = {
        "offer_id": offer_id,
        "auction_id": plan.auction_id,
        "seller_id": seller,
        "product": rng.choice(SAME_PRODUCTS),
        "minimum_reservations": guess.minimum,
        "unit_price": guess.price,
        "currency": "EUR",
        "offered_at": at(ms),
    }
    offer = CounterOffered(**given | VARIANTS[variant][1](rng, guess, plan.step))
    is_better = variant in BETTER and offer.unit_price > 0 < offer.minimum_reservations
    if is_better and plan.opens <= ms < plan.closes and party.fates.get(seller) == "good":
        guess.price, guess.minimum = offer.unit_price, offer.minimum_reservations
    return offer


def _priced(price: int, **more: Any) -> dict[str, Any]:
    return {"unit_price": price} | more


Variant = Callable[[Random, Guess, int], dict[str, Any]]
#: How an offer stands to the one that is probably shown: how often, and what it says.
VARIANTS: dict[str, tuple[int, Variant]] = {
    "by the step": (10, lambda _, shown, step: _priced(shown.price - step)),
    "by more": (8, lambda rng, shown, step: _priced(shown.price - step - rng.randrange(9))),
    "and a lower minimum": (
        4,
        lambda _, shown, step: _priced(
            shown.price - step, minimum_reservations=max(1, shown.minimum - 1)
        ),
    ),
    "one unit short": (5, lambda _, shown, step: _priced(shown.price - step + 1)),
    "a tie": (4, lambda _, shown, step: {}),
    "lower minimum": (5, lambda _, shown, step: {"minimum_reservations": shown.minimum - 1}),
    "lower minimum, too dear": (
        2,
        lambda _, shown, step: _priced(shown.price + 1, minimum_reservations=1),
    ),
    "higher minimum": (
        3,
        lambda _, shown, step: _priced(shown.price - step, minimum_reservations=shown.minimum + 1),
    ),
    "worse": (2, lambda rng, shown, step: _priced(shown.price + rng.randrange(1, 99))),
    "other product": (
        3,
        lambda rng, shown, step: _priced(shown.price - step, product=rng.choice(OTHER_PRODUCTS)),
    ),
    "other currency": (
        3,
        lambda rng, shown, step: _priced(
            shown.price - step, currency=rng.choice(("USD", "eur", "XXX"))
        ),
    ),
    "impossible": (
        3,
        lambda rng, shown, step: rng.choice(
            (_priced(0), _priced(10**12 + 1, minimum_reservations=0), {"minimum_reservations": 0})
        ),
    ),
    "far lower": (2, lambda _, shown, step: _priced(max(1, shown.price // 2))),
}
BETTER = ("by the step", "by more", "and a lower minimum", "lower minimum", "far lower")


def _withdrawals(rng: Random, plan: Plan, party: Party) -> Iterator[tuple[int, Message]]:
    """The auction taken back, by its opener or not; in time or not."""
    for _ in range(rng.choice((0, 0, 0, 0, 0, 1, 1, 2))):
        ms = plan.opens + rng.choice((1, rng.randrange(MINUTE)))
        if rng.random() < 0.5:
            ms = _time(rng, plan.opens, plan.invites, plan.closes)
        seller = party.some(rng, *FATES[: rng.choice((1, len(FATES)))])
        yield ms, AuctionWithdrawn(auction_id=plan.auction_id, seller_id=seller, at=at(ms))


# --- applications --------------------------------------------------------------------------------


def _applicant(rng: Random, party: Party) -> Contact:
    dice = rng.random()
    if dice < 0.06:
        seller = party.some(rng, *FATES)
        return Contact(id=seller, email=f"{seller}@elsewhere.example")
    number = rng.randrange(1, 6)
    if dice < 0.12:
        seller = party.some(rng, *FATES)
        address = party.emails[seller] or f"{seller}@sells.example"
        spelled = rng.choice((str.upper, str.lower, _tagged))(address)
        return Contact(id=f"b{number}", email=spelled)
    if dice < 0.17:
        return Contact(id=f"b{number}", email=rng.choice((None, "")))
    if dice < 0.3:
        # Few mailboxes under many spellings and ids, some of them another buyer's.
        local = rng.choice(("b.1", "B1", "b1+a", "b.1+b", "b2", "B.2+c"))
        email = f"{local}@{rng.choice(('gmail.com', 'GoogleMail.com'))}"
    elif dice < 0.4:
        email = _tagged(f"b{rng.randrange(1, 6)}@buys.example")
    elif dice < 0.5:
        return _vouched_for(rng, number)
    else:
        return Contact(id=f"b{number}", email=f"b{number}@buys.example", name=f"B{number}")
    return Contact(id=f"b{number}", email=email)


def _vouched_for(rng: Random, number: int) -> Contact:
    """A member of one of two shops whose members have the same ids; maybe without an address."""
    shop = rng.choice(("mill", "leaf"))
    email = rng.choice((None, f"b{number}@buys.example", f"b{number}@{shop}.example"))
    return Contact(id=f"b{number}", person_id=f"{shop}:b{number}", email=email)


def _tagged(address: str) -> str:
    return address.replace("@", "+tag@")


def _applications(rng: Random, plan: Plan, party: Party) -> Iterator[tuple[int, Message]]:
    """Every application with what becomes of it: confirmed, replaced, taken back, or nothing."""
    previous: Applied | None = None
    for number, ms in enumerate(plan.application_times, 1):
        applied = Applied(
            application_id=f"p{rng.choice((number, 50 - number))}",
            auction_id=plan.auction_id,
            applicant=_applicant(rng, party),
            quantity=rng.choice((1, 1, 1, 2, 2, 3, 5, 8)),
            applied_at=at(ms),
        )
        if previous is not None and rng.random() < 0.06:
            same = {"applied_at": previous.applied_at, "applicant": previous.applicant}
            applied = applied.model_copy(update=same)
        if rng.random() < 0.03:
            applied = applied.model_copy(update={"quantity": rng.choice((10**9, 6 * 10**8, 4))})
        previous = applied
        yield ms, applied
        yield from _follow_ups(rng, plan, applied, ms)


def _follow_ups(
    rng: Random, plan: Plan, applied: Applied, ms: int
) -> Iterator[tuple[int, Message]]:
    of = {"application_id": applied.application_id, "auction_id": plan.auction_id}
    dice = rng.random()
    confirmed = None
    if dice < 0.66:
        confirmed = _later(rng, plan, ms)
    elif dice < 0.80:
        confirmed = ms - rng.choice((0, 1, rng.randrange(MINUTE)))
    if confirmed is not None:
        yield confirmed, ApplicationConfirmed(**of, at=at(confirmed))
    if rng.random() < 0.2:
        from_ms = confirmed if confirmed is not None and rng.random() < 0.6 else ms
        withdrawn = _later(rng, plan, from_ms)
        if rng.random() < 0.25:
            withdrawn = ms - rng.choice((0, 1, rng.randrange(MINUTE)))
        yield withdrawn, ApplicationWithdrawn(**of, at=at(withdrawn))


def _later(rng: Random, plan: Plan, ms: int) -> int:
    """After ``ms``: soon, on an edge, or somewhere before the close."""
    dice = rng.random()
    if dice < 0.55:
        return ms + rng.randrange(MINUTE)
    if dice < 0.67:
        return plan.closes + rng.choice((-1, 0))
    return rng.randrange(ms, plan.closes) if ms < plan.closes else ms + 1


# --- logs ----------------------------------------------------------------------------------------


def _log(rng: Random, topic: str, events: Iterable[tuple[int, Message]]) -> list[Record]:
    """A topic's log: delayed, repeated, and in some histories shuffled."""
    placed = []
    for ms, message in events:
        placed.append((_timestamp(rng, ms), message))
        if rng.random() < 0.07:
            again = message if rng.random() < 0.7 else _changed(rng, message)
            soon = rng.randrange(20 * SECOND), rng.randrange(MINUTE)
            wait = rng.choice((0, 1, *soon, rng.randrange(2 * HOUR)))
            placed.append((placed[-1][0] + wait, again))
    placed.sort(key=lambda each: each[0])
    if rng.random() < 0.3:
        _shuffle(rng, placed)
    return [Record(topic, at(ms), message) for ms, message in placed]


def _shuffle(rng: Random, placed: list[tuple[int, Message]]) -> None:
    """Change places of records near each other in time; each keeps its timestamp."""
    for _ in range(len(placed) // 2):
        place = rng.randrange(len(placed))
        other = min(len(placed) - 1, place + rng.randrange(1, 4))
        if placed[other][0] - placed[place][0] < SHUFFLED_WITHIN:
            placed[place], placed[other] = placed[other], placed[place]


def _timestamp(rng: Random, ms: int) -> int:
    """When something is recorded: at once, late, or by a feed whose clock is behind."""
    dice = rng.random()
    if dice < 0.86:
        return ms
    if dice < 0.95:
        return ms + rng.randrange(2 * MINUTE)
    if dice < 0.98:
        return ms + rng.randrange(90 * MINUTE)
    return ms - rng.randrange(10 * SECOND)


def _changed(rng: Random, message: Message) -> Message:
    """The same id again, with other content: the first one stands."""
    if isinstance(message, Applied):
        other = message.model_copy(update={"quantity": message.quantity % 100 + 1})
        if rng.random() < 0.3:
            other = other.model_copy(update={"applicant": Contact(id="b9", email="b9@x.example")})
        return other
    if isinstance(message, Offer):
        price = max(1, message.unit_price - rng.randrange(1, 60))
        other = message.model_copy(update={"unit_price": price})
        if rng.random() < 0.3:
            other = other.model_copy(update={"seller_id": rng.choice(("s1", "s2"))})
        return other
    return message


def simulate(seed: int, *, auctions: int = 1, events: int = 20) -> History:
    """The history of a seed: ``events`` (about) on each of ``auctions`` auctions."""
    rng = Random(seed)
    plans = [_plan(rng, number, events) for number in range(1, auctions + 1)]
    party = _party(rng, plans)
    offers: list[tuple[int, Message]] = []
    applications: list[tuple[int, Message]] = []
    for plan in plans:
        offers += _openings(rng, plan, party)
        guess = Guess(plan.price, plan.minimum)
        for number, ms in enumerate(plan.offer_times, 1):
            offers.append((ms, _counter(rng, plan, party, guess, f"o{number}", ms)))
        offers += _withdrawals(rng, plan, party)
        applications += _applications(rng, plan, party)
    sellers, visible = _seller_log(rng, party)
    return history(
        sellers,
        _log(rng, "offers", offers),
        _log(rng, "applications", applications),
        visible=visible,
        seed=seed,
        closes=[at(plan.closes) for plan in plans],
    )


def history(
    sellers: Iterable[Record],
    offers: Iterable[Record],
    applications: Iterable[Record],
    *,
    visible: Iterable[datetime] | None = None,
    seed: int = 0,
    closes: Iterable[datetime] = (),
) -> History:
    """A history of these logs that ends when everything has had its time."""
    logs = tuple(sellers), tuple(offers), tuple(applications)
    seen = tuple(record.at for record in logs[0]) if visible is None else tuple(visible)
    times = [BEGINS, *closes, *seen, *(record.at for log in logs for record in log)]
    return History(
        seed=seed,
        sellers=logs[0],
        visible=seen,
        offers=logs[1],
        applications=logs[2],
        ends_at=max(times) + timedelta(milliseconds=AFTERWARDS),
    )
