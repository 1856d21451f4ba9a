"""The oracle: what a history of auctions must come to, told plainly from the rules' text.

Auction after auction is retold from its beginning, in lists and dicts, with no code of the project
but the messages. Where the rules leave a choice, the reading taken stands where it is used, marked
``Reading``.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.money import CURRENCIES
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
from schemas.parts import Business, Contact, Message, Product

from .auctions import History, Record

INSTANT = timedelta(milliseconds=1)
LOOKS_EVERY = timedelta(seconds=5)
LOOKS_FOR = timedelta(seconds=60)
EARLY_FOR = timedelta(hours=1)
UNITS_MAX = 10**9
PRICE_MAX = 10**12

#: Kind, auction, the recipient there, the recipient's person, what it is of, and who sells.
Letter = tuple[str, str, str, str, str, str]
#: A person that is sent: person id, address, name, locale, time zone, and when it came in.
Known = tuple[str, str, str | None, str | None, str | None, datetime]


# --- what a history comes to ---------------------------------------------------------------------


@dataclass(slots=True)
class Outcome:
    """What one auction comes to; ``None`` and empty where nothing came of it.

    - ``auction``: the last ``Auction`` fact by field, without its version.
    - ``judged``: by offer id, verdict, reason and the fields that have problems.
    - ``replaced``: the offers that took over the page, in order.
    - ``intercepted``: by displaced offer id, its seller and the better price and minimum.
    - ``refused``: by application id, the reason, the applicant, the quantity, and the most units
      that would have done where that was the reason.
    - ``conclusion``: what it is called, offer shown, reservations, applicants, group request.
    - ``purchase``: the group purchase that is requested.
    """

    auction: dict[str, Any] | None = None
    judged: dict[str, tuple[str, str, tuple[str, ...]]] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)
    intercepted: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    refused: dict[str, tuple[str, str, int, int | None]] = field(default_factory=dict)
    conclusion: tuple[str, str, int, int, str | None] | None = None
    purchase: dict[str, Any] | None = None
    letters: set[Letter] = field(default_factory=set)


@dataclass(slots=True)
class Expected:
    """What a whole history comes to: each seller's final fact, by field, each auction, people."""

    sellers: dict[str, dict[str, Any]]
    auctions: dict[str, Outcome]
    people: set[Known]


def expect(history: History) -> Expected:
    """What the history must come to."""
    sellers = Sellers(history)
    told, people = {}, sellers.people()
    for auction_id, heard in heard_by_auction(history).items():
        auction = Auction(auction_id, sellers)
        told[auction_id] = auction.tell(heard, history.ends_at)
        people |= auction.people
    for seller_id, letters in sellers.letters().items():
        told[seller_id] = Outcome(letters=letters)
    return Expected(sellers.final(), told, people)


def known(contact: Contact, seen_at: datetime) -> set[Known]:
    """The person that is sent of a contact; none without an address."""
    if not contact.email:
        return set()
    how_written = contact.name, contact.locale, contact.time_zone
    return {(contact.person_id or contact.id, contact.email, *how_written, seen_at)}


def named(contact: Contact) -> tuple[str, str | None, None]:
    """Someone whom letters reach under an id, or not, without an address."""
    of_address = contact.id if contact.email else None
    return contact.id, contact.person_id or of_address, None


def merged(
    offers: Iterable[Record], applications: Iterable[Record]
) -> Iterator[tuple[datetime, Message]]:
    """The two logs as one, with the clock at each record.

    Of the two records that come next, the older one goes first, and an offer if they are equally
    old. The clock is the largest timestamp so far.
    """
    left, right = list(offers)[::-1], list(applications)[::-1]
    clock = datetime.min.replace(tzinfo=UTC)
    while left or right:
        take = left if left and (not right or left[-1].at <= right[-1].at) else right
        record = take.pop()
        clock = max(clock, record.at)
        yield clock, record.message


def heard_by_auction(history: History) -> dict[str, list[tuple[datetime, Message]]]:
    """What each auction hears, and when."""
    heard = defaultdict(list)
    for clock, message in merged(history.offers, history.applications):
        heard[message.key].append((clock, message))
    return dict(heard)


# --- sellers -------------------------------------------------------------------------------------

#: Acts of one instant take effect in this order.
ACTS = (SellerApproved, SellerSuspended, SellerReinstated)


def last_standing(acts: Iterable[Message]) -> str:
    """Where all acts together leave a seller."""
    approved = suspended = False
    for act in sorted(acts, key=lambda act: (act.at, ACTS.index(type(act)))):
        if isinstance(act, SellerApproved):
            approved = True
        else:
            suspended = isinstance(act, SellerSuspended)
    return "suspended" if suspended else "good" if approved else "pending"


class Sellers:
    """What can be known of every seller at a time of the clock."""

    def __init__(self, history: History) -> None:
        self._records = history.sellers
        self._events: dict[str, list[tuple[datetime, Message]]] = defaultdict(list)
        for record, seen in zip(history.sellers, history.visible, strict=True):
            self._events[record.message.key].append((seen, record.message))

    def registration(self, seller_id: str, clock: datetime) -> SellerRegistered | None:
        """The first registration to come in, if it is known at that time."""
        for seen, message in self._events.get(seller_id, ()):
            if seen <= clock and isinstance(message, SellerRegistered):
                return message
        return None

    def email(self, seller_id: str, clock: datetime) -> str:
        """The seller's address as far as it is known at that time; may be empty."""
        registered = self.registration(seller_id, clock)
        return registered.email if registered else ""

    def contact(self, seller_id: str, clock: datetime) -> Contact:
        """The seller as letters go there, as far as that is known at that time."""
        email = self.email(seller_id, clock)
        return Contact(id=seller_id, person_id=f"seller:{seller_id}" if email else None)

    def people(self) -> set[Known]:
        """Each seller's first registration, at the clock's time when it was recorded."""
        found: set[Known] = set()
        clock, registered = datetime.min.replace(tzinfo=UTC), set()
        for record in self._records:
            clock = max(clock, record.at)
            message = record.message
            if isinstance(message, SellerRegistered) and message.seller_id not in registered:
                registered.add(message.seller_id)
                contact = Contact(
                    id=message.seller_id,
                    person_id=f"seller:{message.seller_id}",
                    email=message.email,
                    name=message.name,
                    locale=message.locale,
                    time_zone=message.time_zone,
                )
                found |= known(contact, clock)
        return found

    def standing(self, seller_id: str, moment: datetime, clock: datetime) -> str | None:
        """The standing at ``moment``, or none, as far as it is known at ``clock``."""
        registered = self.registration(seller_id, clock)
        if registered is None or registered.registered_at > moment:
            return None
        acts = [
            message
            for seen, message in self._events[seller_id]
            if seen <= clock and isinstance(message, ACTS) and message.at <= moment
        ]
        return last_standing(acts)

    def letters(self) -> dict[str, set[Letter]]:
        """What sellers are told of themselves: each change of their last standing, as it is heard.

        The first word of an act counts, and nothing is said before the registration has come.
        """
        found: dict[str, set[Letter]] = {}
        for seller_id, events in self._events.items():
            heard: list[Message] = []
            is_registered, told = False, "pending"
            for _, message in events:
                if isinstance(message, SellerRegistered) and not is_registered:
                    is_registered, told = True, last_standing(heard)
                if not isinstance(message, ACTS):
                    continue
                if any((message.at, type(message)) == (each.at, type(each)) for each in heard):
                    continue
                heard.append(message)
                now = last_standing(heard)
                if is_registered and now != told:
                    of = found.setdefault(seller_id, set())
                    who = seller_id, f"seller:{seller_id}"
                    of.add(("seller-standing", seller_id, *who, f"{len(of)}: {now}", ""))
                    told = now
        return found

    def invited(self, invites_at: datetime, clock: datetime) -> Iterator[str]:
        """Sellers in good standing at that time and registered before it."""
        for seller_id in self._events:
            registered = self.registration(seller_id, clock)
            if registered is None or registered.registered_at >= invites_at:
                continue
            if self.standing(seller_id, invites_at, clock) == "good":
                yield seller_id

    def final(self) -> dict[str, dict[str, Any]]:
        """Each registered seller's last fact, without its version."""
        found = {}
        end = datetime.max.replace(tzinfo=UTC)
        for seller_id, events in self._events.items():
            registered = self.registration(seller_id, end)
            if registered is None:
                continue
            begins = registered.registered_at
            instants = {begins} | {
                max(begins, message.at) for _, message in events if isinstance(message, ACTS)
            }
            standings: list[tuple[str, datetime]] = []
            for instant in sorted(instants):
                standing = self.standing(seller_id, instant, end)
                # Reading: what an instant undoes again is no change.
                if standing and (not standings or standings[-1][0] != standing):
                    standings.append((standing, instant))
            found[seller_id] = {
                "name": registered.name,
                "email": registered.email,
                "registered_at": begins,
                "standing": standings[-1][0],
                "standings": standings,
                **self.business(registered),
            }
        return found

    def business(self, registered: SellerRegistered) -> dict[str, Any]:
        """What a seller said last of itself, by the time of saying it.

        Reading: of two descriptions of one time the first to come stands, and a description goes
        before a registration of its time.
        """
        said: Business = registered
        newest: datetime | None = None
        for _, message in self._events[registered.seller_id]:
            is_said = isinstance(message, SellerDescribed)
            if is_said and (
                message.at > newest if newest else message.at >= registered.registered_at
            ):
                said, newest = message, message.at
        return {name: getattr(said, name) for name in Business.model_fields}


# --- one auction ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Waiter:
    """An offer whose seller was not in good standing, as far as was known.

    ``ends`` is the last look at it.
    """

    offer: Offer
    next_look: datetime
    ends: datetime


@dataclass(slots=True)
class Application:
    """An application and how it stands.

    ``state`` is ``unconfirmed``, ``counted``, ``replaced``, ``withdrawn`` or ``refused``;
    ``was_confirmed`` once it was confirmed and not refused, whatever became of it.
    """

    applied: Applied
    state: str
    was_confirmed: bool = False

    @property
    def order(self) -> tuple[datetime, str]:
        """Of one applicant's applications the one that is last in this order counts."""
        return self.applied.applied_at, self.applied.application_id


class Auction:
    """One auction, told from its beginning to its end."""

    def __init__(self, auction_id: str, sellers: Sellers) -> None:
        self.auction_id = auction_id
        self.sellers = sellers
        self.outcome = Outcome()
        self.people: set[Known] = set()
        self.clock = datetime.min.replace(tzinfo=UTC)
        #: Before it opens, and of offers also later.
        self.early: list[tuple[datetime, Message]] = []
        self.were_early: set[str] = set()
        self.waiters: list[Waiter] = []
        #: From its opening on.
        self.status = ""
        self.opening: AuctionOpened | None = None
        self.shown: Offer | None = None
        self.invites_at = self.clock
        self.invited = False
        self.invites_next: datetime | None = None
        self.not_invited = ""
        #: Sellers with an offer that was shown or not better, in order.
        self.bidders: list[str] = []
        self.applications: dict[str, Application] = {}
        self.confirmed_before: set[str] = set()
        self.withdrawn_before: set[str] = set()

    def tell(self, heard: Iterable[tuple[datetime, Message]], ends_at: datetime) -> Outcome:
        """What it comes to, when this is all it hears and the clock then goes on to the end."""
        for now, message in heard:
            self.pass_time(now)
            self.clock = now
            self.hear(message, now)
            # What is overdue already comes before anything else is heard.
            self.pass_time(now)
        self.pass_time(ends_at)
        self.outcome.auction = self.fields()
        return self.outcome

    @property
    def is_open(self) -> bool:
        """Whether it runs."""
        return self.status == "open"

    def fields(self) -> dict[str, Any] | None:
        """Its page, by field."""
        if self.opening is None or self.shown is None:
            return None
        concluded = self.status == "concluded"
        return {
            "status": self.status,
            "product": self.opening.product,
            "opened_by": self.opening.seller_id,
            "opened_at": self.opening.offered_at,
            "shown": (
                self.shown.offer_id,
                self.shown.seller_id,
                self.shown.unit_price,
                self.shown.minimum_reservations,
            ),
            "currency": self.opening.currency,
            "minimum_step": self.opening.minimum_step,
            "quantity_max_per_applicant": self.opening.quantity_max_per_applicant,
            "reservations": self.reservations(),
            "applicants": len(self.counted()),
            "invites_at": self.invites_at,
            "invited_at": self.invites_at if self.invited else None,
            "closes_at": self.opening.closes_at,
            "group_request_id": f"au-{self.auction_id}" if concluded else None,
        }

    # --- the clock -------------------------------------------------------------------------------

    def pass_time(self, until: datetime) -> None:
        """Let happen what is due at or before a time, in the order of its own times."""
        while (moment := self.next_due()) is not None and moment <= until:
            self.clock = max(self.clock, moment)
            self.early = [each for each in self.early if not self.gives_up(each, moment)]
            closes = self.is_open and self.opening and self.opening.closes_at <= moment
            self.look_at_waiters(moment, is_last=bool(closes))
            if self.is_open and self.invites_next and self.invites_next <= moment:
                self.invite()
            if closes:
                self.close()

    def next_due(self) -> datetime | None:
        """The time of what is due next."""
        moments = [waiter.next_look for waiter in self.waiters]
        moments += [arrived + EARLY_FOR for arrived, _ in self.early]
        if self.is_open and self.opening:
            moments.append(self.opening.closes_at)
            if self.invites_next:
                moments.append(self.invites_next)
        return min(moments, default=None)

    def invite(self) -> None:
        """Invite everyone in good standing then but the seller who was shown.

        Reading: once more a minute later, for those of whom it is known by then only.
        """
        assert self.shown is not None
        if self.invited:
            self.invites_next = None
        else:
            self.invited = True
            self.not_invited = self.shown.seller_id
            self.invites_next = self.invites_at + LOOKS_FOR
        for seller_id in self.sellers.invited(self.invites_at, self.clock):
            if seller_id != self.not_invited:
                self.write_to_seller("invitation", seller_id)

    def close(self) -> None:
        """Conclude, or not, and tell everyone."""
        shown, counted, reservations = self.shown, self.counted(), self.reservations()
        assert shown is not None
        assert self.opening is not None
        concluded = reservations >= shown.minimum_reservations
        self.status = "concluded" if concluded else "failed"
        request_id = f"au-{self.auction_id}" if concluded else None
        name = "ContractConcluded" if concluded else "ContractFailed"
        self.outcome.conclusion = (name, shown.offer_id, reservations, len(counted), request_id)
        if concluded:
            self.outcome.purchase = {
                "request_id": request_id,
                "organizer": named(self.sellers.contact(shown.seller_id, self.clock)),
                "product": self.opening.product,
                "members": [named(each.applied.applicant) for _, each in sorted(counted.items())],
                "number_of_products": reservations,
                "unit_price": shown.unit_price,
                "currency": self.opening.currency,
                "seller_id": shown.seller_id,
            }
        kind = f"contract-{self.status}"
        for application in counted.values():
            self.write(kind, application.applied.applicant)
        # Reading: the sellers of the auction are those with an offer that was shown or not better.
        for seller_id in self.bidders:
            self.write_to_seller(kind, seller_id)

    # --- what it hears ---------------------------------------------------------------------------

    def hear(self, message: Message, now: datetime) -> None:
        """Take a message that arrives, or arrived, at ``now``."""
        match message:
            case AuctionOpened():
                self.hear_opening(message, now)
            case _ if self.opening is None:
                self.hear_early(message, now)
            case CounterOffered():
                self.hear_counter(message, now)
            case AuctionWithdrawn():
                self.hear_withdrawal(message, now)
            case Applied():
                self.hear_applied(message, now)
            case ApplicationConfirmed():
                self.hear_confirmed(message, now)
            case ApplicationWithdrawn():
                self.hear_taken_back(message, now)

    def hear_early(self, message: Message, now: datetime) -> None:
        """Keep a message that comes before its auction.

        Reading: the address of an application that waits is sent when it comes, as nothing keeps
        it; the first application of an id stands.
        """
        if isinstance(message, Applied) and not self.has_come(message):
            self.people |= known(message.applicant, now)
        self.early.append((now, message))

    def has_come(self, applied: Applied) -> bool:
        """Whether an application of that id was answered, or waits for the auction."""
        return applied.application_id in self.applications or any(
            isinstance(message, Applied) and message.application_id == applied.application_id
            for _, message in self.early
        )

    def gives_up(self, early: tuple[datetime, Message], moment: datetime) -> bool:
        """Whether a message has waited long enough for its auction; if so it is answered."""
        arrived, message = early
        if arrived + EARLY_FOR > moment:
            return False
        if isinstance(message, CounterOffered):
            self.judge(message, "refused", "unknown-auction")
        elif isinstance(message, Applied) and message.application_id not in self.applications:
            self.refuse_application(message, "unknown-auction")
        return True

    # --- offers ----------------------------------------------------------------------------------

    def is_known(self, offer: Offer) -> bool:
        """Whether an offer of that id was judged, or waits for that."""
        waiting = any(waiter.offer.offer_id == offer.offer_id for waiter in self.waiters)
        return waiting or offer.offer_id in self.outcome.judged

    def judge(
        self, offer: Offer, verdict: str, reason: str, problems: tuple[str, ...] = ()
    ) -> None:
        """Judge an offer, once, and tell its seller."""
        if offer.offer_id in self.outcome.judged:
            return
        self.outcome.judged[offer.offer_id] = (verdict, reason, problems)
        self.write_to_seller("offer-judged", offer.seller_id, offer.offer_id)
        if verdict != "refused" and offer.seller_id not in self.bidders:
            self.bidders.append(offer.seller_id)

    def in_good_standing(self, offer: Offer) -> bool:
        """Whether its seller stood well when it was made, as far as is known now."""
        return self.sellers.standing(offer.seller_id, offer.offered_at, self.clock) == "good"

    def wait_for_seller(self, offer: Offer, now: datetime) -> None:
        """Look again every few seconds, for a minute or until the auction closes.

        Reading: neither an opening nor an auction that was withdrawn has a close to come.
        """
        self.waiters.append(Waiter(offer, now + LOOKS_EVERY, now + LOOKS_FOR))

    def look_at_waiters(self, moment: datetime, *, is_last: bool) -> None:
        """Look again at the offers whose time has come, in the order of their arrival.

        At the close it has come for all of them, and this is the last time.
        """
        for waiter in list(self.waiters):
            if waiter.next_look > moment and not is_last:
                continue
            offer = waiter.offer
            if self.in_good_standing(offer):
                self.waiters.remove(waiter)
                self.hear(offer, self.as_of(offer, moment))
            elif is_last or moment >= waiter.ends:
                self.waiters.remove(waiter)
                self.give_up_on(offer)
            else:
                waiter.next_look += LOOKS_EVERY

    def as_of(self, offer: Offer, moment: datetime) -> datetime:
        """The time as of which an offer that waited is judged.

        Reading: the look at the close is just before it, so the offer is in time.
        """
        if isinstance(offer, CounterOffered) and self.opening is not None:
            return min(moment, self.opening.closes_at - INSTANT)
        return moment

    def give_up_on(self, offer: Offer) -> None:
        """Refuse an offer whose seller was not in good standing, as far as is known in the end.

        Reading: what comes before the seller among the reasons still does.
        """
        standing = self.sellers.standing(offer.seller_id, offer.offered_at, self.clock)
        reason = f"{standing or 'unknown'}-seller"
        if self.status == "withdrawn" and isinstance(offer, CounterOffered):
            reason = "auction-withdrawn"
        elif isinstance(offer, AuctionOpened) and self.opening is not None:
            reason = "auction-exists"
        elif isinstance(offer, AuctionOpened) and self.clock >= offer.closes_at:
            reason = "after-term"
        self.judge(offer, "refused", reason)

    def hear_opening(self, offer: AuctionOpened, now: datetime) -> None:
        """The first that can be met opens the auction."""
        if self.is_known(offer):
            return
        problems = opening_problems(offer)
        if self.opening is not None:
            self.judge(offer, "refused", "auction-exists")
        elif problems:
            self.judge(offer, "refused", "impossible-terms", problems)
        elif now >= offer.closes_at:
            self.judge(offer, "refused", "after-term")
        elif not self.in_good_standing(offer):
            self.wait_for_seller(offer, now)
        else:
            self.open(offer)

    def open(self, offer: AuctionOpened) -> None:
        """The auction exists; what came too early is heard now, as of when it came."""
        self.opening = self.shown = offer
        self.status = "open"
        quarters = offer.offered_at + (offer.closes_at - offer.offered_at) * 3 / 4
        self.invites_at = self.invites_next = offer.invites_at or quarters
        self.judge(offer, "shown", "opened")
        early, self.early = self.early, []
        self.were_early = {
            message.application_id for _, message in early if isinstance(message, Applied)
        }
        for arrived, message in early:
            self.hear(message, arrived)

    def hear_counter(self, offer: CounterOffered, now: datetime) -> None:
        """The first reason that holds is the verdict's."""
        assert self.opening is not None
        assert self.shown is not None
        if self.is_known(offer):
            return
        closes_at = self.opening.closes_at
        problems = amounts_problems(offer)
        if self.status == "withdrawn":
            self.judge(offer, "refused", "auction-withdrawn")
        elif not self.is_open or offer.offered_at >= closes_at or now >= closes_at:
            self.judge(offer, "refused", "after-term")
        elif problems:
            self.judge(offer, "refused", "impossible-terms", problems)
        elif not is_same_product(offer.product, self.opening.product):
            self.judge(offer, "refused", "other-product")
        elif offer.currency != self.opening.currency:
            self.judge(offer, "refused", "other-currency")
        elif not self.in_good_standing(offer):
            self.wait_for_seller(offer, now)
        elif self.buys_here(offer.seller_id):
            self.judge(offer, "refused", "has-applied")
        else:
            self.weigh(offer, self.shown, self.opening.minimum_step)

    def weigh(self, offer: CounterOffered, shown: Offer, step: int) -> None:
        """Compare an offer with the condition shown."""
        price, minimum = offer.unit_price, offer.minimum_reservations
        is_lower = price <= shown.unit_price - step
        needs_fewer = price == shown.unit_price and minimum < shown.minimum_reservations
        if minimum > shown.minimum_reservations:
            self.judge(offer, "not-better", "higher-minimum")
        elif is_lower or needs_fewer:
            self.take_over(offer, shown)
        elif price >= shown.unit_price:
            self.judge(offer, "not-better", "price-not-lower")
        else:
            self.judge(offer, "not-better", "step-too-small")

    def take_over(self, offer: CounterOffered, displaced: Offer) -> None:
        """The offer is on the page from now on."""
        self.shown = offer
        self.judge(offer, "shown", "better")
        self.outcome.replaced.append(offer.offer_id)
        if displaced.seller_id != offer.seller_id:
            better = offer.unit_price, offer.minimum_reservations
            self.outcome.intercepted[displaced.offer_id] = (displaced.seller_id, *better)
            self.write_to_seller("right-intercepted", displaced.seller_id, displaced.offer_id)
        for application in self.counted().values():
            self.write("condition-improved", application.applied.applicant, offer.offer_id)

    def hear_withdrawal(self, message: AuctionWithdrawn, now: datetime) -> None:
        """The opener may take the auction back as long as nobody relies on it."""
        assert self.opening is not None
        assert self.shown is not None
        opener = self.opening.seller_id
        # Reading: of several reasons the first in this order, as the text names none.
        if self.status == "withdrawn":
            if message.seller_id == opener:
                return
            reason = "not-the-opener"
        elif not self.is_open or now >= self.opening.closes_at:
            reason = "after-term"
        elif message.seller_id != opener:
            reason = "not-the-opener"
        elif self.shown is not self.opening:
            reason = "has-better-offer"
        elif any(each.state in ("unconfirmed", "counted") for each in self.applications.values()):
            reason = "has-applications"
        else:
            self.status = "withdrawn"
            return
        self.write_to_seller("offer-judged", message.seller_id, f"withdrawal: {reason}")

    # --- applications ----------------------------------------------------------------------------

    def counted(self) -> dict[str, Application]:
        """The applications that count, by applicant."""
        return {
            each.applied.applicant.id: each
            for each in self.applications.values()
            if each.state == "counted"
        }

    def reservations(self) -> int:
        """The units of the applications that count."""
        return sum(each.applied.quantity for each in self.counted().values())

    def takes_applications(self, now: datetime) -> bool:
        """Whether buyers are still heard."""
        return self.is_open and self.opening is not None and now < self.opening.closes_at

    def refuse_application(self, applied: Applied, reason: str, most: int | None = None) -> None:
        """Refuse an application, and tell the applicant.

        Reading: not of an auction that nobody knows, as there is nothing to tell of it.
        """
        self.applications[applied.application_id] = Application(applied, "refused")
        said = reason, applied.applicant.id, applied.quantity, most
        self.outcome.refused[applied.application_id] = said
        if reason != "unknown-auction":
            self.write("application-refused", applied.applicant, applied.application_id)

    def hear_applied(self, applied: Applied, now: datetime) -> None:
        """The first of an id is answered; a later one changes nothing."""
        assert self.opening is not None
        application_id = applied.application_id
        if application_id in self.applications:
            return
        in_time = self.takes_applications(now) and applied.applied_at < self.opening.closes_at
        if application_id not in self.withdrawn_before | self.were_early:
            self.people |= known(applied.applicant, now)
        if application_id in self.withdrawn_before:
            self.applications[application_id] = Application(applied, "withdrawn")
        elif self.status == "withdrawn":
            self.refuse_application(applied, "auction-withdrawn")
        elif not in_time:
            self.refuse_application(applied, "after-term")
        elif self.sells_here(applied.applicant):
            self.refuse_application(applied, "own-auction")
        elif applied.quantity > self.opening.quantity_max_per_applicant:
            most = self.opening.quantity_max_per_applicant
            self.refuse_application(applied, "over-applicant-limit", most)
        else:
            application = self.applications[application_id] = Application(applied, "unconfirmed")
            person = applied.applicant
            if application_id not in self.confirmed_before:
                self.write("confirm-application", person, application_id)
            elif any(
                is_same(person, each.applied.applicant) and each.applied.applicant.id != person.id
                for each in self.counted().values()
            ):
                # Reading: who vouches may not replace what counts under another id.
                self.refuse_application(applied, "already-reserved")
            else:
                self.confirm(application)

    def sells_here(self, person: Contact) -> bool:
        """Whether a person is one of the auction's sellers, by id or by mailbox."""
        mailboxes = {mailbox(self.sellers.email(seller, self.clock)) for seller in self.bidders}
        # Reading: an empty address is nobody's.
        return person.id in self.bidders or mailbox(person.email) in mailboxes - {""}

    def buys_here(self, seller_id: str) -> bool:
        """Whether a seller has a reservation that counts, by id or by mailbox."""
        person = Contact(id=seller_id, email=self.sellers.email(seller_id, self.clock) or None)
        return any(is_same(person, each.applied.applicant) for each in self.counted().values())

    def confirm(self, application: Application) -> None:
        """The application counts, unless a later one has counted or it can't."""
        applied = application.applied
        same = [
            each
            for each in self.applications.values()
            if each.was_confirmed and is_same(each.applied.applicant, applied.applicant)
        ]
        counting = [each for each in same if each.state == "counted"]
        others = self.reservations() - sum(each.applied.quantity for each in counting)
        if any(each.order > application.order for each in same):
            # Reading: what is earlier than this one is replaced by it, though it does not count.
            counting = [each for each in counting if each.order < application.order]
            application.state = "replaced"
        elif self.sells_here(applied.applicant):
            self.refuse_application(applied, "own-auction")
            return
        elif others + applied.quantity > UNITS_MAX:
            self.refuse_application(applied, "beyond-limits", UNITS_MAX - others)
            return
        else:
            application.state = "counted"
        application.was_confirmed = True
        for each in counting:
            each.state = "replaced"

    def hear_confirmed(self, message: ApplicationConfirmed, now: datetime) -> None:
        """A confirmation in time makes its application count, now or when it comes."""
        assert self.opening is not None
        if not self.takes_applications(now) or message.at >= self.opening.closes_at:
            return
        application = self.applications.get(message.application_id)
        if application is None:
            self.confirmed_before.add(message.application_id)
        elif application.state == "unconfirmed":
            self.confirm(application)

    def hear_taken_back(self, message: ApplicationWithdrawn, now: datetime) -> None:
        """What is taken back in time does not count, now or when it comes."""
        if not self.takes_applications(now):
            return
        application = self.applications.get(message.application_id)
        if application is None:
            self.withdrawn_before.add(message.application_id)
        elif application.state in ("counted", "unconfirmed"):
            application.state = "withdrawn"

    # --- letters ---------------------------------------------------------------------------------

    def write(self, kind: str, recipient: Contact, of: str = "") -> None:
        """Write to a buyer who can be reached, once of each thing, and say who sells."""
        assert self.shown is not None
        self.send_letter(kind, recipient, of, self.shown.seller_id)

    def send_letter(self, kind: str, recipient: Contact, of: str, sells: str) -> None:
        """Write to someone who can be reached."""
        party_id, person_id, _ = named(recipient)
        if person_id:
            self.outcome.letters.add((kind, self.auction_id, party_id, person_id, of, sells))

    def write_to_seller(self, kind: str, seller_id: str, of: str = "") -> None:
        """Write to a seller whose address is known by now, and name no other seller."""
        self.send_letter(kind, self.sellers.contact(seller_id, self.clock), of, "")


# --- who is who ----------------------------------------------------------------------------------


def mailbox(email: str | None) -> str:
    """Of all spellings of an address one: only those that histories are made of."""
    local, at, domain = (email or "").strip().lower().partition("@")
    domain = "gmail.com" if domain == "googlemail.com" else domain
    local = local.split("+")[0]
    return (local.replace(".", "") if domain == "gmail.com" else local) + at + domain


def is_same(one: Contact, other: Contact) -> bool:
    """Whether two are one applicant: the same id, or the same mailbox."""
    return one.id == other.id or "" != mailbox(one.email) == mailbox(other.email)


# --- what an offer says --------------------------------------------------------------------------


def is_same_product(one: Product, other: Product) -> bool:
    """By id where both have one, else by name."""
    if one.id is not None and other.id is not None:
        return one.id == other.id
    return one.name == other.name


def amounts_problems(offer: Offer) -> tuple[str, ...]:
    """The fields of any offer that can't be met, sorted."""
    problems = []
    if not 1 <= offer.minimum_reservations <= UNITS_MAX:
        problems.append("minimum_reservations")
    if not 1 <= offer.unit_price <= PRICE_MAX:
        problems.append("unit_price")
    return tuple(problems)


def opening_problems(offer: AuctionOpened) -> tuple[str, ...]:
    """The fields of an opening that can't be met, sorted."""
    problems = list(amounts_problems(offer))
    if offer.currency not in CURRENCIES:
        problems.append("currency")
    if not 1 <= offer.minimum_step <= PRICE_MAX:
        problems.append("minimum_step")
    if offer.closes_at <= offer.offered_at or not 1970 <= offer.closes_at.year <= 8999:
        problems.append("closes_at")
    if not 1 <= offer.quantity_max_per_applicant <= UNITS_MAX:
        problems.append("quantity_max_per_applicant")
    invites_at = offer.invites_at
    if invites_at is not None and not offer.offered_at < invites_at < offer.closes_at:
        problems.append("invites_at")
    return tuple(sorted(problems))
