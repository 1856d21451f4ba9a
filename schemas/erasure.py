"""What of a person is still kept after an erasure: where, and until when. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.people import seller_of
from schemas.topic import COMMANDS_KEPT, ERASED_WITHIN, EXPIRY_STEP

#: Kafka deletes commands by the file, and a file has those of up to so long (``segment.ms``).
FILE_SPANS = timedelta(days=7)
COMMANDS_GONE_WITHIN = COMMANDS_KEPT + FILE_SPANS


class Place(StrEnum):
    """A place that keeps something of a person after the erasure; texts are in ``texts.erasure``.

    The first five have the address, the others name the person by the id alone.
    """

    PEOPLE = "people"
    COMMANDS = "commands"
    WAITING = "waiting"
    DEAD_LETTERS = "dead-letters"
    FILES = "files"
    RECORDS = "records"
    LETTERS = "letters"
    HASHES = "hashes"
    SELLER = "seller"
    OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Kept:
    """A place, and when nothing of the person is left there; ``None``: the text names the end."""

    place: Place
    until: datetime | None = None


def kept_after(
    person_id: str, erased_at: datetime, *, dead_letter_days: int | None, is_log_time: bool
) -> list[Kept]:
    """The places that keep something of a person who was erased at a time.

    ``dead_letter_days`` is the deployment's setting. With ``is_log_time`` no topic ever drops a
    record, so none of its times is known.
    """
    return list(_kept(person_id, erased_at, dead_letter_days or 0, is_log_time))


def _kept(person_id: str, at: datetime, dead_letter_days: int, is_log_time: bool) -> Iterator[Kept]:
    yield Kept(Place.PEOPLE, None if is_log_time else at + ERASED_WITHIN)
    yield Kept(Place.COMMANDS, None if is_log_time else at + COMMANDS_GONE_WITHIN)
    yield Kept(Place.WAITING)
    expire = bool(dead_letter_days) and not is_log_time
    expired_at = at + timedelta(days=dead_letter_days) + EXPIRY_STEP
    yield Kept(Place.DEAD_LETTERS, expired_at if expire else None)
    yield Kept(Place.FILES)
    yield Kept(Place.RECORDS)
    yield Kept(Place.LETTERS)
    yield Kept(Place.HASHES)
    if seller_of(person_id) is not None:
        yield Kept(Place.SELLER)
    yield Kept(Place.OTHERS)
