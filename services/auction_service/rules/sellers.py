"""The rules of the seller desk: who is registered, in what standing since when, and as what."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domain.people import of_seller
from runtime.rows import Rows
from schemas.auctions import AUTOMATIC, SellerAct, SellerDescribed, SellerRegistered
from schemas.parts import Business, Contact, Message
from schemas.people import person_of
from services.auction_service.rows import (
    ACTS,
    DESCRIBED,
    SELLER,
    Acts,
    Described,
    Profile,
    business_of,
)
from services.auction_service.rules.letters import seller_standing
from services.auction_service.rules.standing import standings


def register(message: SellerRegistered, rows: Rows, now: datetime) -> Sequence[Message]:
    """Register a seller; the first registration under an id stands."""
    if SELLER in rows:
        return ()
    rows[SELLER] = Profile(
        version=1,
        name=message.name,
        email=message.email,
        locale=message.locale,
        time_zone=message.time_zone,
        registered_at=message.registered_at,
        business=_business_in(message),
    )
    contact = Contact(
        id=message.seller_id,
        person_id=of_seller(message.seller_id),
        email=message.email,
        name=message.name,
        locale=message.locale,
        time_zone=message.time_zone,
    )
    return person_of(contact, now)


def describe(message: SellerDescribed, rows: Rows, now: datetime) -> Sequence[Message]:
    """Replace all that a seller said of itself; the newest counts, in whatever order they come.

    A seller in any standing may do so. Of two with the same time the first to come stands.
    """
    before = rows.get(DESCRIBED)
    if before is not None and message.at <= before.at:
        return ()
    after = rows[DESCRIBED] = Described(at=message.at, business=_business_in(message))
    profile = rows.get(SELLER)
    if profile is not None and business_of(profile, after) != business_of(profile, before):
        rows[SELLER] = replace(profile, version=profile.version + 1)
    return ()


def _business_in(message: Business) -> str:
    return message.model_dump_json(include=set(Business.model_fields), exclude_none=True)


def act_on_seller(message: SellerAct, rows: Rows, now: datetime) -> Sequence[Message]:
    """Approve, suspend or reinstate; by the acts' own times, in whatever order they come.

    The seller is told, unless the registration itself approved: its page has said so.
    """
    before = rows[ACTS].acts if ACTS in rows else ()
    act = (message.at, type(message).__name__)
    if act in before:
        return ()
    rows[ACTS] = Acts((*before, act))
    profile = rows.get(SELLER)
    if profile is not None:
        since = profile.registered_at
        was, told = standings(since, before), standings(since, (*before, act))
        if was != told:
            rows[SELLER] = replace(profile, version=profile.version + 1)
        if was[-1][1] != told[-1][1] and message.reason != AUTOMATIC:
            return seller_standing(message, told[-1][1], now)
    return ()
