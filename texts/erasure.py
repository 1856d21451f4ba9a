"""What an erasure deletes and what stays, in words: for the terminal, the API and pages alike."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from schemas.erasure import Kept, Place
from texts.catalogue import mark


class Said(NamedTuple):
    """What a place keeps, why, and its end where no date can be given."""

    what: str
    why: str
    end: str


class Told(NamedTuple):
    """A place in English words. It ends at ``until``, or as ``end`` says if that is not known."""

    place: Place
    what: str
    why: str
    until: datetime | None
    end: str | None


#: What is deleted at once.
DELETED: Final = (
    mark("The address, the name, the language and the time zone."),
    mark("Letters that wait, and the contents of letters that were sent."),
    mark("What mail servers said of the address."),
)
STAYS: Final[Mapping[Place, Said]] = {
    Place.PEOPLE: Said(
        mark("The address and the name, in our record of people and its copies."),
        mark("Records that were replaced are deleted some days later."),
        mark("On this stack no topic drops a record: until the topics are deleted."),
    ),
    Place.COMMANDS: Said(
        mark("Messages that brought the address: orders, reservations and lists of members."),
        mark("They are kept for 30 days, so that a failure can be repaired."),
        mark("On this stack no topic drops a record: until the topics are deleted."),
    ),
    Place.WAITING: Said(
        mark("Messages with the address that we have not worked on yet."),
        mark("They must not be lost. Our record of people then has the address again."),
        mark("As a rule for seconds. If the person is known again after that, erase again."),
    ),
    Place.DEAD_LETTERS: Said(
        mark("Messages with the address that could not be read."),
        mark("They are kept as they came, so that a person can repair them."),
        mark("Until the operator deletes them."),
    ),
    Place.FILES: Said(
        mark("Deleted data in the files of our databases and services, and backups."),
        mark("Databases free deleted data later, and backups are not changed."),
        mark("Until the files are written anew, which may take days, and backups expire."),
    ),
    Place.RECORDS: Said(
        mark(
            "Orders, reservations, discounts, payments, invoices and credit notes, with amounts,"
            " under the ID alone."
        ),
        mark("Contracts and bookkeeping need them."),
        mark("As long as the law has invoices kept. Nothing deletes them by itself."),
    ),
    Place.LETTERS: Said(
        mark("Which letters were sent and when, under the ID alone."),
        mark("So that no letter is sent twice."),
        mark("As long as the orders stay."),
    ),
    Place.HASHES: Said(
        mark(
            "Which letters were unsubscribed from, the mark of a name in a list, and hashes of the"
            " address."
        ),
        mark("So that the wish still counts, and a person counts once."),
        mark("As long as the orders stay."),
    ),
    Place.SELLER: Said(
        mark("The public name and contact of the seller."),
        mark("Buyers have to know who sold to them."),
        mark("As long as the seller's auctions stay."),
    ),
    Place.OTHERS: Said(
        mark(
            "What others got: a shop's own orders, the address at the seller who won an auction,"
            " the mail server's logs, the payment provider's data."
        ),
        mark("They are not ours to delete."),
        mark("Ask them."),
    ),
}
#: A new order makes the person known again.
KNOWN_AGAIN: Final = mark(
    "A new order, reservation or list of members with the address makes the person known again."
)


def told_of(kept: Kept) -> Told:
    """What a place keeps, why, and until when."""
    said = STAYS[kept.place]
    return Told(kept.place, said.what, said.why, kept.until, None if kept.until else said.end)


#: What the data that a person is given does not have.
NOT_IN_DATA: Final = (
    mark("Single orders and other messages as they came: topics keep them for 30 days."),
    mark("Messages that could not be read."),
    mark("The contents of letters: they name the person by the ID, and are deleted after 30 days."),
    mark("Groups in which the person is only listed, if no letter was sent about them."),
    mark("Reservations that a program sent to a topic, not to our pages."),
    mark("Refused orders: they name the member alone."),
    mark("Hashes of the address, and the rows that services count with."),
    mark("Card numbers: only the payment provider has them."),
    mark("What shops, sellers and mail servers keep themselves."),
)
