"""Bodies of the HTTP API about sellers and keys."""

from datetime import datetime
from typing import Literal

from schemas.api.parts import Address, Given, Line, Locale, TimeZone, View
from schemas.auctions import Standing, StandingSince


class SellerGiven(Given):
    """Who wants to sell."""

    name: Line
    email: Address
    locale: Locale | None = None
    time_zone: TimeZone | None = None


class SellerView(View):
    """A seller's own view of the registration."""

    seller_id: str
    name: str
    email: str
    registered_at: datetime
    standing: Standing
    standings: tuple[StandingSince, ...]


class RegistrationAnswer(View):
    """A registration; ``api_key`` is said this once, and is null when it was asked again."""

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
    """A key that is new: ``api_key`` is said this once."""

    api_key: str
