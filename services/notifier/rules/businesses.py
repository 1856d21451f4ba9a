"""Who sells what a letter is about, and how the letter presents them.

Shops and sellers write of themselves what they want. A name, a telephone number or a text on
delivery never becomes a link, and an address is one only if letters can go there. The addresses of
their terms and of the place to order are links, as people are to follow them.
"""

import re
from collections.abc import Mapping
from typing import Final

from domain.mailboxes import AddressError, usable
from domain.order_links import filled
from domain.people import of_seller
from domain.unverified import without_links
from schemas.auctions import Seller
from schemas.letters import LetterKind, Notice
from schemas.shops import Shop
from services.notifier.rules.headers import clean, unverified

Shops = Mapping[str, Shop]
Sellers = Mapping[str, Seller]

#: Letters to sellers, who would read of themselves or of a rival.
_TO_SELLERS: Final[frozenset[LetterKind]] = frozenset(
    {"right-intercepted", "invitation", "offer-judged", "seller-standing"}
)
#: Letters that call a buyer to order.
_CALL_TO_ORDER: Final[frozenset[LetterKind]] = frozenset(
    {"id-issued", "deadline-reminder", "contract-concluded"}
)
_PHONE_MAX = 40
_ADDRESS_LINES_MAX = 8
_ADDRESS_LINE_MAX = 120
#: What a person may click on: ``schemas.parts.Url``, which an order link is once it is filled.
_URL = re.compile(r"https?://[!#-;=?-~]+")


def is_to_seller(notice: Notice) -> bool:
    """Whether a letter goes to a seller, not to a buyer."""
    seller_id = notice.says.seller_id
    is_own = seller_id is not None and notice.recipient_id == of_seller(seller_id)
    return is_own or notice.kind in _TO_SELLERS or notice.says.role in ("winner", "seller")


def sold_by(notice: Notice, shops: Shops, sellers: Sellers) -> Shop | Seller | None:
    """The shop that a letter to a buyer names, else the seller; ``None`` if neither is known."""
    if is_to_seller(notice):
        return None
    says = notice.says
    shop = shops.get(says.shop_id) if says.shop_id is not None else None
    if shop is not None or says.seller_id is None:
        return shop
    return sellers.get(says.seller_id)


def order_link(notice: Notice, of: Shop | Seller) -> str | None:
    """Where the recipient of a letter that calls to order does so; ``None`` if it is not known."""
    says = notice.says
    if notice.kind not in _CALL_TO_ORDER or says.role == "organizer":
        return None
    if of.order_link is None or says.group_id is None:
        return None
    product_id = says.product.id if says.product is not None else None
    link = filled(of.order_link, says.group_id, product_id)
    return link if link is not None and _URL.fullmatch(link) else None


def name_of(of: Shop | Seller) -> str:
    """The name, without what looks like a link; the id if nothing else is left."""
    business_id = of.shop_id if isinstance(of, Shop) else of.seller_id
    return unverified(of.name) or clean(business_id, _ADDRESS_LINE_MAX)


def email_of(of: Shop | Seller) -> str | None:
    """The address for people's questions, in ASCII; ``None`` if there is none that mail takes."""
    try:
        address = usable(of.email) if of.email else ""
    except AddressError:
        return None
    return address if address and address.isascii() else None


def phone_of(of: Shop | Seller) -> str | None:
    """The telephone number, as it was written."""
    return without_links(clean(of.phone or "", _PHONE_MAX)) or None


def address_lines(text: str | None) -> list[str]:
    """The lines of a postal address."""
    lines = (without_links(clean(line, _ADDRESS_LINE_MAX)) for line in (text or "").splitlines())
    return [line for line in lines if line][:_ADDRESS_LINES_MAX]
