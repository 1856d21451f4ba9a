"""The rules of the seller desk: who is registered, and in what standing since when."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runtime.rows import Rows
from schemas.auctions import SellerAct, SellerRegistered
from schemas.parts import Message
from services.auction_service.rows import ACTS, SELLER, Acts, Profile
from services.auction_service.rules.standing import standings


def register(message: SellerRegistered, rows: Rows, now: datetime) -> Sequence[Message]:
    """Register a seller; the first registration under an id stands."""
    if SELLER not in rows:
        rows[SELLER] = Profile(
            version=1,
            name=message.name,
            email=message.email,
            locale=message.locale,
            time_zone=message.time_zone,
            registered_at=message.registered_at,
        )
    return ()


def act_on_seller(message: SellerAct, rows: Rows, now: datetime) -> Sequence[Message]:
    """Approve, suspend or reinstate; by the acts' own times, in whatever order they come."""
    before = rows[ACTS].acts if ACTS in rows else ()
    act = (message.at, type(message).__name__)
    if act in before:
        return ()
    rows[ACTS] = Acts((*before, act))
    profile = rows.get(SELLER)
    if profile is not None:
        since = profile.registered_at
        if standings(since, before) != standings(since, (*before, act)):
            rows[SELLER] = replace(profile, version=profile.version + 1)
    return ()
