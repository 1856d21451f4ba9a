"""Who sends letters, and what makes the links in them."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Protocol
from urllib.parse import urlsplit

from domain.mailboxes import AddressError, ascii_domain, usable
from schemas.letters import Notice
from services.notifier.rules.labels import Room
from texts.facts import ADDRESSES
from texts.reasons import reason

#: Last labels of names that only some networks know (RFC 6761, 6762, 9476).
_LOCAL: Final = frozenset({"localhost", "local", "internal", "test", "invalid", "alt"})


@dataclass(frozen=True, slots=True)
class Sender:
    """In whose name letters go out; ``postal_address`` may be empty or have several lines.

    ``page_url`` is where the public pages are, without a slash at its end; ``domain`` makes
    Message-IDs and the ids of calendar entries ours. Raises ``ValueError`` when the first or the
    last can't be used, so that it is found out before any letter is written.
    """

    mail_from: str
    name: str
    page_url: str
    domain: str
    postal_address: str = ""

    def __post_init__(self) -> None:
        for given, check in ((self.mail_from, usable), (self.domain, ascii_domain)):
            try:
                written = check(given)
            except AddressError as error:
                why = reason(ADDRESSES, error.reason)
                raise ValueError(f"letters can't come from {given!r}: {why}") from None
            if not written.isascii():
                raise ValueError(
                    f"letters can't come from {given!r}: each letter and each reply would need"
                    " SMTPUTF8: take an address with only ASCII characters before the @"
                )

    @property
    def shows_images(self) -> bool:
        """Whether the pages are public, so that mail programs can fetch images from them."""
        return _is_public(self.page_url)


def _is_public(url: str) -> bool:
    """Whether a URL is encrypted, and of a host that is known everywhere by its name or number."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" or host.rpartition(".")[2] in _LOCAL:
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host


class LinkMaker(Protocol):
    """Addresses of pages, signed if they let someone do something, and pseudonyms."""

    def __hash__(self) -> int: ...

    def unsubscribe(self, recipient_id: str, email: str, kind: str) -> str:
        """The link that ends letters of a kind to this address; answers RFC 8058's POST too."""

    def confirm(self, auction_id: str, application_id: str, quantity: int) -> str:
        """Where an applicant confirms a reservation of so many units."""

    def confirm_order(self, notice: Notice) -> str:
        """The link by which a purchaser confirms the order of a letter."""

    def counter_offer(self, auction_id: str, seller_id: str) -> str:
        """The form in which a seller outbids."""

    def payments(self, group_id: str, payer_id: str, order_id: str, person_id: str) -> str:
        """Where a payer sees the payments of a group, or another person those for their order."""

    def organizer(self, group_id: str, party_id: str) -> str:
        """The organizer's page of a group."""

    def payer(self, group_id: str, payer_id: str, person_id: str) -> str:
        """Where a payer sees all own payments of a group."""

    def order(self, group_id: str, member_id: str) -> str:
        """Where a member orders."""

    def application(self, auction_id: str, application_id: str) -> str:
        """Where an applicant takes a reservation back."""

    def seller(self, seller_id: str, email: str) -> str:
        """Where a seller whose letters go to this address signs in, within an hour."""

    def data(self, person_id: str, email: str) -> str:
        """Where a person sees and erases what is kept."""

    def buyer_number(self, group_id: str, party_id: str) -> str | None:
        """The number by which the organizer knows a buyer of a group, if there is one."""

    def desk(self) -> str:
        """The page from which a seller, once signed in, makes offers."""

    def page(self, room: Room, about: str) -> str:
        """The public page of a group or an auction."""
