"""Bodies of the HTTP API about people."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.api.parts import Address, Given, View
from schemas.api.sellers import SellerProfile
from schemas.erasure import Place
from schemas.letters import DeliveryStatus, LetterKind
from schemas.parts import Method, MinorUnits, Percent, Product


class LinksAgainGiven(Given):
    """Whose links are to be emailed again."""

    email: Address


class DataLinkGiven(Given):
    """Who wants to see, download or erase what is kept about them."""

    email: Address


# --- what stays after an erasure -----------------------------------------------------------------


class KeptView(View):
    """A place that keeps something of an erased person, and why."""

    place: Place
    what: str
    why: str
    until: datetime | None = Field(description="When nothing of the person is left there.")
    end: str | None = Field(description="The end in words, if `until` is null.")


class ErasureView(View):
    """An erasure, and all that stays after it."""

    person_id: str
    erased_at: datetime
    kept: tuple[KeptView, ...]


# --- what is kept about a person -----------------------------------------------------------------


class AddressData(View):
    """A person in the topic `people`."""

    email: str
    name: str | None
    locale: str | None
    time_zone: str | None
    seen_at: datetime


class PurchaseData(View):
    """What a person has bought in a group, under one member's ID, and the discount for it."""

    member_id: str
    quantity: int
    value: MinorUnits
    currency: str | None
    orders: int
    first_ordered_at: datetime | None
    last_ordered_at: datetime | None
    discount: MinorUnits | None
    discount_percent: Percent | None
    gift: str | None


class PaymentData(View):
    """A payment of a person; `document` is the API's path of an invoice or credit note."""

    payment_id: str
    kind: str
    method: Method
    amount: MinorUnits
    currency: str
    status: str
    begun_at: datetime | None
    received: MinorUnits
    number: str | None
    document: str | None


class GroupData(View):
    """A group purchase that a person organized, bought in or got letters about."""

    group_id: str
    product: Product
    status: str
    opens_at: datetime
    closes_at: datetime
    shop_id: str | None
    seller_id: str | None
    roles: tuple[Literal["organizer", "member", "listed"], ...]
    purchases: tuple[PurchaseData, ...]
    payments: tuple[PaymentData, ...]


class ReservationData(View):
    """A reservation in an auction, as far as our pages took it."""

    auction_id: str
    application_id: str
    product: Product | None
    quantity: int | None
    reserved_at: datetime
    confirmed_at: datetime | None
    withdrawn_at: datetime | None


class LetterData(View):
    """A letter to a person, without its content."""

    notice_id: str
    kind: LetterKind
    about: str
    status: DeliveryStatus
    queued_at: datetime
    at: datetime


class PersonData(View):
    """All that the pages hold about a person.

    `address` is null if the person was erased or is not known. `is_cut_off` says that a list is
    longer than what is told; `not_in_it` says what else there may be.
    """

    person_id: str
    made_at: datetime
    address: AddressData | None
    seller: SellerProfile | None
    groups: tuple[GroupData, ...]
    reservations: tuple[ReservationData, ...]
    letters: tuple[LetterData, ...]
    unsubscribed: tuple[str, ...]
    is_cut_off: bool
    not_in_it: tuple[str, ...]
