"""Who sends letters, and what makes the links in them."""

from dataclasses import dataclass
from typing import Protocol

from services.notifier.letters.wording import Room


@dataclass(frozen=True, slots=True)
class Sender:
    """In whose name letters go out.

    ``page_url`` is where the public pages are, without a slash at its end; ``domain`` makes
    Message-IDs and the ids of calendar entries ours.
    """

    mail_from: str
    name: str
    page_url: str
    domain: str


class LinkMaker(Protocol):
    """Addresses of pages; those that let someone do something are signed."""

    def unsubscribe(self, recipient_id: str, kind: str) -> str:
        """Where a recipient ends letters of a kind; answers RFC 8058's POST too."""

    def confirm(self, auction_id: str, application_id: str) -> str:
        """Where an applicant confirms."""

    def counter_offer(self, auction_id: str, seller_id: str) -> str:
        """The form in which a seller outbids."""

    def page(self, room: Room, about: str) -> str:
        """The public page of a group or an auction."""
