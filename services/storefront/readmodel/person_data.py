"""All that the read model holds about a person: what the person, the shop or the admin is given."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

from domain.people import seller_of
from papers.bills import has_paper
from schemas.api.people import (
    AddressData,
    GroupData,
    LetterData,
    PaymentData,
    PersonData,
    PurchaseData,
    ReservationData,
)
from schemas.auctions import AUCTIONS, SELLERS, Auction, Seller
from schemas.favors import FAVORS, Favor
from schemas.groups import GROUP_PURCHASES, GroupPurchase
from schemas.letters import Delivery, Unsubscribed
from schemas.orders import PURCHASES, PurchaseRow, PurchaseState
from schemas.payments import Payment
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.views import group_view, seller_profile
from texts.erasure import NOT_IN_DATA

T = TypeVar("T")

#: Groups, purchases and reservations that are told of one person; the newest.
FACTS_MAX: Final = 500
LETTERS_MAX: Final = 2_000
_LETTERS_PAGE: Final = 200
_FACTS_AT_ONCE: Final = 200


async def person_data(reader: Reader, person_id: str, made_at: datetime) -> PersonData:
    """What is known of a person; of an erased one, what stays under the id."""
    person = (await reader.people([person_id])).get(person_id)
    organized = await reader.organized_by(person_id, FACTS_MAX)
    rows = await reader.bought_by(person_id, FACTS_MAX)
    letters, has_more_letters = await _letters(reader, person_id)
    ids = [each.group_id for each in organized] + [each.group_id for each in rows]
    ids += [each.about for each in letters]
    groups = list((await _facts(reader, GroupPurchase, GROUP_PURCHASES.name, ids)).values())
    reservations = await _reservations(reader, person_id)
    preferences = await reader.facts(person_id, Unsubscribed)
    lists: tuple[Sequence[Any], ...] = (organized, rows, reservations, groups)
    return PersonData(
        person_id=person_id,
        made_at=made_at,
        address=None if person is None else AddressData.model_validate(person),
        seller=await _seller(reader, person_id),
        groups=await _groups(reader, person_id, groups[:FACTS_MAX], rows),
        reservations=tuple(reservations),
        letters=tuple(LetterData.model_validate(each) for each in letters),
        unsubscribed=tuple(each.kind for each in preferences if isinstance(each, Unsubscribed)),
        is_cut_off=has_more_letters or any(len(each) >= FACTS_MAX for each in lists),
        not_in_it=NOT_IN_DATA,
    )


async def _letters(reader: Reader, person_id: str) -> tuple[list[Delivery], bool]:
    """The newest letters, and whether there are more."""
    found: list[Delivery] = []
    cursor = None
    while len(found) < LETTERS_MAX:
        page = await reader.letters(recipient_id=person_id, cursor=cursor, limit=_LETTERS_PAGE)
        found += page.rows
        cursor = page.cursor
        if cursor is None:
            break
    return found, cursor is not None


async def _facts(reader: Reader, kind: type[T], topic: str, keys: Iterable[str]) -> dict[str, T]:
    """The facts of a kind under these keys, in the order of the keys."""
    wanted = list(dict.fromkeys(keys))
    found: dict[str, T] = {}
    for start in range(0, len(wanted), _FACTS_AT_ONCE):
        there = await reader.facts_of(topic, wanted[start : start + _FACTS_AT_ONCE])
        found |= {key: fact for key, fact in there.items() if isinstance(fact, kind)}
    return {key: found[key] for key in wanted if key in found}


async def _groups(
    reader: Reader, person_id: str, groups: Sequence[GroupPurchase], rows: Sequence[PurchaseRow]
) -> tuple[GroupData, ...]:
    states = await _facts(reader, PurchaseState, PURCHASES.name, (each.group_id for each in groups))
    favors = await _facts(reader, Favor, FAVORS.name, (each.key for each in rows))
    found = []
    for terms in groups:
        own = [each for each in rows if each.group_id == terms.group_id]
        is_organizer = terms.organizer is not None and terms.organizer.person_id == person_id
        payers = [each.member_id for each in own]
        # The organizer's payments have no member's id.
        payers += [""] if is_organizer and terms.payment.scope == "group" else []
        payments = [
            each for who in payers for each in await reader.payments_of(terms.group_id, who)
        ]
        view = group_view(terms, states.get(terms.group_id))
        found.append(
            GroupData(
                group_id=terms.group_id,
                product=terms.product,
                status=view.status,
                opens_at=terms.opens_at,
                closes_at=terms.closes_at,
                shop_id=terms.shop_id,
                seller_id=terms.seller_id,
                roles=(
                    *(("organizer",) if is_organizer else ()),
                    *(("member",) if own else ()),
                    *(() if own or is_organizer else ("listed",)),
                ),
                purchases=tuple(_purchase(each, favors.get(each.key)) for each in own),
                payments=tuple(map(_payment, payments)),
            )
        )
    return tuple(found)


def _purchase(row: PurchaseRow, favor: Favor | None) -> PurchaseData:
    same = ("member_id", "quantity", "value", "currency", "orders")
    times = ("first_ordered_at", "last_ordered_at")
    return PurchaseData(
        discount=favor.amount if favor else None,
        discount_percent=favor.percent if favor else None,
        gift=favor.gift if favor else None,
        **{name: getattr(row, name) for name in (*same, *times)},
    )


def _payment(payment: Payment) -> PaymentData:
    same = ("payment_id", "kind", "method", "amount", "currency", "status", "begun_at", "number")
    segment = quote(payment.payment_id, safe="")
    return PaymentData(
        received=payment.received or 0,
        document=f"/api/v1/payments/{segment}/document" if has_paper(payment) else None,
        **{name: getattr(payment, name) for name in same},
    )


async def _reservations(reader: Reader, person_id: str) -> list[ReservationData]:
    rows = await reader.reservations_of(person_id, FACTS_MAX)
    auctions = await _facts(reader, Auction, AUCTIONS.name, (each.auction_id for each in rows))
    return [
        ReservationData(
            auction_id=each.auction_id,
            application_id=each.application_id,
            product=auctions[each.auction_id].product if each.auction_id in auctions else None,
            quantity=each.quantity,
            reserved_at=_instant(each.at),
            confirmed_at=_instant(each.confirmed_at),
            withdrawn_at=_instant(each.withdrawn_at),
        )
        for each in rows
    ]


def _instant(at_ms: int | None) -> Any:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)


async def _seller(reader: Reader, person_id: str) -> Any:
    seller_id = seller_of(person_id)
    found = await reader.fact(SELLERS.name, seller_id) if seller_id else None
    return seller_profile(found) if isinstance(found, Seller) else None
