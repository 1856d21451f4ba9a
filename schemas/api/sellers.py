"""Bodies of the HTTP API about sellers and keys."""

from datetime import datetime
from typing import Literal

from schemas.api.parts import Address, BusinessGiven, Line, Locale, TimeZone, View
from schemas.auctions import Standing, StandingSince
from schemas.parts import Business


class SellerGiven(BusinessGiven):
    """A person or company that wants to sell."""

    name: Line
    email: Address
    locale: Locale | None = None
    time_zone: TimeZone | None = None


class ProfileGiven(BusinessGiven):
    """How a registered seller presents itself. It replaces all that was said before."""


class SellerProfile(Business, View):
    """A seller as buyers see it."""

    seller_id: str
    name: str
    email: str


class SellerView(Business, View):
    """A seller's own view of the registration."""

    seller_id: str
    name: str
    email: str
    registered_at: datetime
    standing: Standing
    standings: tuple[StandingSince, ...]


class RegistrationAnswer(View):
    """A registration; ``api_key`` is shown only once, and is null in a repeated answer."""

    seller_id: str
    api_key: str | None
    standing: Standing | None


class KeyAnswer(View):
    """A key, without its secret."""

    key_id: str
    role: Literal["seller", "shop"]
    holder_id: str
    issued_at: datetime
    revoked_at: datetime | None


class IssuedKeyAnswer(KeyAnswer):
    """A new key: ``api_key`` is shown only once."""

    api_key: str


class KnownShopView(View):
    """A shop that has a key, a definition or a description, and when it last got a key."""

    shop_id: str
    name: str | None
    issued_at: datetime | None
