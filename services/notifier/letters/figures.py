"""Numbers, money, dates and times, as the recipient writes them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_datetime_format, get_timezone_name

from domain import figures
from domain.money import CURRENCIES
from services.notifier.rules.labels import minor_units
from texts.catalogue import language_of, texts


@dataclass(frozen=True, slots=True)
class Figures:
    """How one recipient writes figures; ``locale`` and ``zone`` are ones that exist."""

    language: str
    locale: str
    zone: str

    @staticmethod
    def of(locale: str | None, time_zone: str | None) -> "Figures":
        """By a person's locale and time zone; English and UTC if these are not known."""
        language, known = _locale(locale or "")
        return Figures(language, known, _zone(time_zone or ""))

    def number(self, number: int) -> str:
        """``1,234``."""
        return figures.number(number, self.locale)

    def percent(self, percent: float) -> str:
        """``12.5%`` of 12.5."""
        return figures.percent(percent, self.locale)

    def money(self, amount: int, currency: str) -> str:
        """``€1,234.50`` of 123450 minor units; of an unknown currency the minor units."""
        if currency not in CURRENCIES:
            return minor_units(figures.number(amount, self.locale), currency, self.language)
        return figures.money(amount, currency, self.locale)

    def day(self, at: datetime) -> str:
        """``March 3, 2026``."""
        return _day(at, self.locale, self.zone)

    def date(self, day: date) -> str:
        """``March 3, 2026`` of a day that is the same everywhere."""
        return str(format_date(day, "long", locale=self.locale))

    def minute(self, at: datetime) -> str:
        """``March 3, 2026, 6:00 PM``."""
        return _minute(at, self.locale, self.zone)

    def full(self, at: datetime) -> str:
        """``Tuesday, March 3, 2026, 6:00 PM (Central European Standard Time)``."""
        return _full(at, self.language, self.locale, self.zone)


@lru_cache(maxsize=256)
def _locale(locale: str) -> tuple[str, str]:
    said, *others = re.split(r"[-_.@]", locale)
    language = language_of(said)
    territory = next((each for each in others if re.fullmatch(r"[A-Za-z]{2}", each)), "")
    if territory and language == said.lower():
        try:
            return language, str(Locale(language, territory.upper()))
        except UnknownLocaleError:
            pass
    return language, language


@lru_cache(maxsize=1024)
def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (LookupError, ValueError, OSError):  # none such, no such path, or a folder of zones
        return "UTC"


def _there(at: datetime, zone: str) -> datetime:
    try:
        return at.astimezone(ZoneInfo(zone))
    except OverflowError:  # in the first or last hours of the calendar
        return at.astimezone(UTC)


@lru_cache(maxsize=4096)
def _day(at: datetime, locale: str, zone: str) -> str:
    return format_date(_there(at, zone), "long", locale=locale)


@lru_cache(maxsize=4096)
def _minute(at: datetime, locale: str, zone: str) -> str:
    there = _there(at, zone)
    return _joined(format_date(there, "long", locale=locale), there, locale)


@lru_cache(maxsize=4096)
def _full(at: datetime, language: str, locale: str, zone: str) -> str:
    there = _there(at, zone)
    joined = _joined(format_date(there, "full", locale=locale), there, locale)
    name = get_timezone_name(there, width="long", locale=locale)
    return texts(language).gettext("{time} ({zone})").format(time=joined, zone=name)


def _joined(day: str, there: datetime, locale: str) -> str:
    # What CLDR puts before AM and PM is a space that older mail programs show as a box.
    time = format_time(there, "short", tzinfo=there.tzinfo, locale=locale).replace("\u202f", "\xa0")
    return str(get_datetime_format("medium", locale=locale)).format(time, day)
