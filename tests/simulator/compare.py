"""What a run sent, gathered per auction, and every difference to what the oracle expects."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from schemas.auctions import (
    ApplicationRefused,
    Auction,
    Conclusion,
    ConditionReplaced,
    ContractConcluded,
    OfferJudged,
    RightIntercepted,
    Seller,
    ShownOffer,
)
from schemas.groups import GroupPurchaseRequested, MembersListed
from schemas.letters import Notice
from schemas.parts import Business, Contact, Message
from schemas.people import Person

from .driver import Ran
from .oracle import Expected, Known, Letter, Outcome


@dataclass(slots=True)
class Gathered:
    """What a run came to; ``faults`` are what no run may do, whatever it should come to."""

    sellers: dict[str, dict[str, Any]] = field(default_factory=dict)
    auctions: dict[str, Outcome] = field(default_factory=dict)
    people: set[Known] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def gather(ran: Ran) -> Gathered:
    """The last word on everything that a run sent."""
    gathered = Gathered()
    versions: dict[str, int] = {}
    notices: list[Notice] = []
    said: dict[str, Message] = {}
    for message in (*ran.sellers, *ran.auctions):
        if isinstance(message, Seller | Auction):
            if message.version <= versions.get(message.key, 0):
                gathered.faults.append(f"version {message.version} again: {message}")
            versions[message.key] = message.version
        elif isinstance(message, Notice | MembersListed | Person):
            pass
        elif said.setdefault(message.key, message) != message:
            # What is said again, because it was asked again, must be the same.
            gathered.faults.append(f"{message.key}: {said[message.key]}, then {message}")
        if isinstance(message, Seller):
            gathered.sellers[message.seller_id] = seller_fields(message)
        elif isinstance(message, Notice):
            notices.append(message)
        elif isinstance(message, Person):
            gathered.people.add(known(message))
        else:
            auction_id = _auction_id(message)
            _note(message, gathered.auctions.setdefault(auction_id, Outcome()))
    _note_letters(notices, gathered)
    return gathered


def _auction_id(message: Message) -> str:
    if isinstance(message, GroupPurchaseRequested | MembersListed):
        return message.request_id.removeprefix("au-")
    return message.key.partition("/")[0]


def _note(message: Message, outcome: Outcome) -> None:
    match message:
        case Auction():
            outcome.auction = auction_fields(message)
        case OfferJudged():
            problems = tuple(sorted({problem.field for problem in message.problems}))
            outcome.judged[message.offer_id] = (message.verdict, message.reason, problems)
        case ConditionReplaced():
            if message.shown.offer_id not in outcome.replaced:
                outcome.replaced.append(message.shown.offer_id)
        case RightIntercepted():
            better = message.unit_price, message.minimum_reservations
            outcome.intercepted[message.offer_id] = (message.seller_id, *better)
        case ApplicationRefused():
            who = message.applicant_id or ""
            refused = message.reason, who, message.quantity, message.quantity_max
            outcome.refused[message.application_id] = refused
        case Conclusion():
            request_id = None
            if isinstance(message, ContractConcluded):
                request_id = message.group_request_id
            outcome.conclusion = (
                type(message).__name__,
                message.shown.offer_id,
                message.reservations,
                message.applicants,
                request_id,
            )
        case GroupPurchaseRequested():
            outcome.purchase = purchase_fields(message)
        case MembersListed():
            assert outcome.purchase is not None
            outcome.purchase["members"] += map(named, message.members)


def _note_letters(notices: Iterable[Notice], gathered: Gathered) -> None:
    ids: Counter[str] = Counter()
    letters: dict[Letter, str] = {}
    for notice in notices:
        outcome = gathered.auctions.setdefault(notice.about, Outcome())
        told = letter(notice, outcome)
        ids[notice.notice_id] += 1
        if ids[notice.notice_id] > 1:
            gathered.faults.append(f"a letter is sent twice: {told}")
        elif told in letters and not told[-2].startswith("withdrawal"):
            gathered.faults.append(f"two letters of one thing: {told}")
        letters[told] = notice.notice_id
        outcome.letters.add(told)


def letter(notice: Notice, outcome: Outcome) -> Letter:
    """See ``Letter``; it is of an offer, an application, or nothing."""
    says = notice.says
    of: str | None = ""
    if notice.kind == "condition-improved" and says.shown:
        of = says.shown.offer_id
    elif notice.kind == "right-intercepted":
        of = says.offer_id
    elif notice.kind in ("confirm-application", "application-refused"):
        of = says.application_id
    elif notice.kind == "offer-judged":
        of = says.offer_id
        judged = outcome.judged.get(of or "")
        if judged is None or judged[:2] != (says.verdict, says.reason):
            # It answers an auction's withdrawal, which has no id.
            of = f"withdrawal: {says.reason}"
    elif notice.kind == "seller-standing":
        of = f"{len(outcome.letters)}: {says.standing}"
    sells = says.seller_id or ""
    return notice.kind, notice.about, says.party_id, notice.recipient_id, of or "", sells


def known(person: Person) -> Known:
    """A person as the oracle writes one."""
    how_written = person.name, person.locale, person.time_zone
    return person.person_id, person.email, *how_written, person.seen_at


def named(contact: Contact) -> tuple[str, str | None, str | None]:
    """Someone in a request as the oracle writes it: the ids, and no address."""
    return contact.id, contact.person_id, contact.email


def seller_fields(seller: Seller) -> dict[str, Any]:
    """A seller's fact as the oracle writes it."""
    return {
        "name": seller.name,
        "email": seller.email,
        "registered_at": seller.registered_at,
        "standing": seller.standing,
        "standings": [(each.standing, each.since) for each in seller.standings],
        **{name: getattr(seller, name) for name in Business.model_fields},
    }


def auction_fields(auction: Auction) -> dict[str, Any]:
    """An auction's fact as the oracle writes it."""
    said = {name: getattr(auction, name) for name in Auction.model_fields}
    for name in ("type", "auction_id", "version"):
        del said[name]
    return said | {"shown": shown_fields(auction.shown)}


def shown_fields(shown: ShownOffer) -> tuple[str, str, int, int]:
    """A condition as the oracle writes it."""
    return shown.offer_id, shown.seller_id, shown.unit_price, shown.minimum_reservations


def purchase_fields(request: GroupPurchaseRequested) -> dict[str, Any]:
    """A request as the oracle writes it."""
    return {
        "request_id": request.request_id,
        "organizer": named(request.organizer) if request.organizer else None,
        "product": request.product,
        "members": [named(member) for member in request.members],
        "number_of_products": request.number_of_products,
        "unit_price": request.unit_price,
        "currency": request.currency,
        "seller_id": request.seller_id,
    }


# --- differences ---------------------------------------------------------------------------------


def differences(expected: Expected, gathered: Gathered) -> list[str]:
    """Every difference as a line; none if the run did what the oracle expects."""
    found = [f"fault: {fault}" for fault in gathered.faults]
    found += _by_key("seller", expected.sellers, gathered.sellers)
    found += _of_part("people", expected.people, gathered.people)
    for auction_id in sorted({*expected.auctions, *gathered.auctions}):
        wanted = expected.auctions.get(auction_id, Outcome())
        actual = gathered.auctions.get(auction_id, Outcome())
        for part in fields(Outcome):
            name = f"{auction_id} {part.name}"
            found += _of_part(name, getattr(wanted, part.name), getattr(actual, part.name))
    return found


def _of_part(name: str, wanted: Any, actual: Any) -> Iterator[str]:
    if wanted == actual:
        return
    if isinstance(wanted, dict) and isinstance(actual, dict):
        yield from _by_key(name, wanted, actual)
    elif isinstance(wanted, set):
        yield from (f"{name}: missing {each}" for each in sorted(wanted - actual, key=str))
        yield from (f"{name}: unexpected {each}" for each in sorted(actual - wanted, key=str))
    else:
        yield f"{name}: is {_shown(actual)}, should be {_shown(wanted)}"


def _by_key(name: str, wanted: dict[str, Any], actual: dict[str, Any]) -> Iterator[str]:
    for key in sorted({*wanted, *actual}):
        one, other = wanted.get(key), actual.get(key)
        if one != other:
            yield f"{name} {key}: is {_shown(other)}, should be {_shown(one)}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
