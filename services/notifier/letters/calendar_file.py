"""Deadlines as calendar files (RFC 5545): the same entry moves as later letters tell of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from icalendar import Calendar, Event, vCalAddress, vText

_SEQUENCES_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_SEQUENCE_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Deadline:
    """A deadline as told at a moment; letters of one ``uid`` are about one entry."""

    uid: str
    told_at: datetime
    falls_at: datetime
    summary: str
    page: str
    organizer: str
    organizer_name: str
    language: str


@lru_cache(maxsize=512)
def calendar_file(deadline: Deadline) -> bytes:
    """The file; of letters about one event to many recipients it is the same."""
    event = Event()
    event.add("uid", deadline.uid)
    event.add("sequence", sequence(deadline.told_at))
    event.add("dtstamp", deadline.told_at)
    event.add("dtstart", deadline.falls_at)
    event.add("summary", deadline.summary, parameters={"language": deadline.language})
    event.add("url", deadline.page)
    event.add("transp", "TRANSPARENT")
    organizer = vCalAddress(f"mailto:{deadline.organizer}")
    organizer.params["cn"] = vText(deadline.organizer_name)
    event.add("organizer", organizer)
    calendar = Calendar()
    calendar.add("prodid", "-//jointbuy//letters//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    return bytes(calendar.to_ical())


def sequence(told_at: datetime) -> int:
    """Whole seconds since 2020, so that what is told later wins."""
    seconds = int((told_at - _SEQUENCES_BEGIN).total_seconds())
    return min(max(seconds, 0), _SEQUENCE_MAX)
