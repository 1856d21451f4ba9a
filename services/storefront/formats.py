"""Numbers, money, dates and times, as the reader of a page writes them; and back from forms."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.core import Locale, UnknownLocaleError, get_global
from babel.dates import format_date, format_skeleton, format_time, get_timezone_name
from babel.numbers import get_decimal_symbol, get_territory_currencies
from babel.units import format_unit

from domain import figures
from domain.amounts import AmountError, minor_units_of, whole_number_of
from schemas.refusals import ProblemCode, ShapeError
from texts.shapes import AMOUNT_CODES

#: Wide characters, as Japanese keyboards write them, and the narrow ones.
_NARROW: Final = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_PLAIN: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
#: Where nothing says where the reader is. A script in the page shows times where the reader is.
_ZONES: Final = {"ja": "Asia/Tokyo"}
#: Where readers of English most likely are, of those who pay here; elsewhere CLDR says it.
_TERRITORIES: Final = {"en": "DE"}


@dataclass(frozen=True, slots=True)
class Formats:
    """How one reader writes figures; ``locale`` and ``zone`` are ones that exist."""

    language: str
    locale: str
    zone: str

    @staticmethod
    def of(language: str, accepted: str = "") -> "Formats":
        """In a language, with the territory that ``Accept-Language`` names for it first."""
        return Formats(language, _locale(language, accepted), _ZONES.get(language, "UTC"))

    def number(self, number: int) -> str:
        """``1,234``."""
        return figures.number(number, self.locale)

    def percent(self, percent: float) -> str:
        """``12.5%`` of 12.5."""
        return figures.percent(percent, self.locale)

    def money(self, amount: int, currency: str | None) -> str:
        """``€1,234.50`` of 123450 minor units; without a currency the number as it is."""
        if not currency:
            return self.number(amount)
        return figures.money(amount, currency, self.locale)

    def language_named(self, tag: str) -> str:
        """``Japanese`` of ``ja``; a tag that is not known stays as it is."""
        try:
            return Locale.parse(tag, sep="-").get_language_name(self.locale) or tag
        except (UnknownLocaleError, ValueError):
            return tag

    @property
    def currency(self) -> str:
        """What the reader most likely pays in."""
        territory = Locale.parse(self.locale).territory or _territory(self.language)
        known = get_territory_currencies(territory)
        return str(known[0]) if known else "EUR"

    def minute(self, at: datetime) -> str:
        """``13 Mar 2026, 18:00 UTC``: always with the zone, as nobody told us the reader's."""
        return _minute(at, self.locale, self.zone)

    def day(self, at: datetime) -> str:
        """``13 Mar``: for an axis."""
        return _day(at, self.locale, self.zone)

    def date(self, day: date) -> str:
        """``March 13, 2026``: a day without a time or a zone, such as when an invoice is due."""
        return str(format_date(day, "long", locale=self.locale))

    def second(self, at: datetime) -> str:
        """``18:00:05 UTC``: when a page was as it is."""
        there = at.astimezone(ZoneInfo(self.zone))
        time = format_time(there, "medium", tzinfo=there.tzinfo, locale=self.locale)
        return _plain(f"{time} {_zone_name(there, self.locale)}")

    def left(self, span: timedelta) -> str:
        """``2 days 4 hours``: the two largest units; under a minute, seconds."""
        seconds = max(0, int(span.total_seconds()))
        units = [("day", seconds // 86_400), ("hour", seconds // 3_600 % 24)]
        units += [("minute", seconds // 60 % 60), ("second", seconds % 60)]
        first = next((place for place, (_, count) in enumerate(units) if count), 3)
        shown = [each for each in units[first : first + 2] if each[1]] or [("second", 0)]
        # What CLDR calls long in Japanese is, in Babel, the unit's English name.
        length: Literal["short", "long"] = "short" if self.language == "ja" else "long"
        written = " ".join(_duration(count, unit, length, self.locale) for unit, count in shown)
        # Japanese writes a span in one piece.
        return re.sub(r"\s", "", written) if self.language == "ja" else written


# --- from forms ----------------------------------------------------------------------------------


def amount_of(text: str, currency: str, locale: str) -> int:
    """Minor units of an amount as people type it. Raises ``ShapeError`` if it is not one."""
    try:
        return minor_units_of(text, currency, locale)
    except AmountError as error:
        raise ShapeError(AMOUNT_CODES[error.reason], **error.params) from None


def number_of(text: str, locale: str) -> int:
    """A whole number as people type it. Raises ``ShapeError``."""
    found = whole_number_of(text, locale)
    if found is None:
        raise ShapeError(ProblemCode.NOT_COUNTABLE)
    return found


def percent_of(text: str, locale: str) -> float:
    """A percentage as people type it, with the sign or without. Raises ``ShapeError``.

    Decimals stand after a point, or after what the locale writes there.
    """
    typed = text.translate(_NARROW).strip().removesuffix("%").strip()
    plain = typed.replace(get_decimal_symbol(locale), ".", 1)
    if not _PLAIN.fullmatch(plain):
        raise ShapeError(ProblemCode.NOT_A_NUMBER)
    return float(plain)


def time_of(text: str, zone: str) -> datetime:
    """The time of a ``datetime-local`` field in a zone. Raises ``ShapeError``.

    An hour that the zone has twice is its first; one that it skips is as if it were not skipped.
    """
    try:
        local = datetime.fromisoformat(text.strip())
        return local.replace(tzinfo=ZoneInfo(zone or "UTC"), microsecond=0).astimezone(UTC)
    except (ValueError, LookupError, OSError, OverflowError):
        raise ShapeError(ProblemCode.NOT_A_DATE) from None


# --- written -------------------------------------------------------------------------------------


@lru_cache(maxsize=2_000)
def _duration(count: int, unit: str, length: Literal["short", "long"], locale: str) -> str:
    return format_unit(count, f"duration-{unit}", length, locale=locale)


@lru_cache(maxsize=1024)
def _locale(language: str, accepted: str) -> str:
    for tag in accepted.split(","):
        found = re.fullmatch(rf"\s*{language}[-_]([A-Za-z]{{2}})\s*(;.*)?", tag)
        if found:
            try:
                return str(Locale(language, found[1].upper()))
            except UnknownLocaleError:
                continue
    return language


@lru_cache(maxsize=4096)
def _minute(at: datetime, locale: str, zone: str) -> str:
    there = at.astimezone(ZoneInfo(zone))
    day = format_skeleton("yMMMd", there, tzinfo=there.tzinfo, locale=locale)
    time = format_time(there, "short", tzinfo=there.tzinfo, locale=locale)
    comma = " " if locale.startswith("ja") else ", "
    return _plain(f"{day}{comma}{time} {_zone_name(there, locale)}")


@lru_cache(maxsize=4096)
def _day(at: datetime, locale: str, zone: str) -> str:
    there = at.astimezone(ZoneInfo(zone))
    return _plain(format_skeleton("MMMd", there, tzinfo=there.tzinfo, locale=locale))


def _territory(language: str) -> str:
    """Where most readers of a language are (CLDR, "likely subtags"); empty if nobody knows."""
    likely = str(get_global("likely_subtags").get(language, ""))
    return _TERRITORIES.get(language) or likely.rpartition("_")[2]


def _zone_name(there: datetime, locale: str) -> str:
    return get_timezone_name(there, width="short", locale=locale)


def _plain(text: str) -> str:
    """Without the narrow space that CLDR puts before AM and PM, which some fonts lack."""
    return text.replace("\u202f", "\xa0")
