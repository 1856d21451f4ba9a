"""Steps of a discount in words, with figures as the recipient writes them."""

from datetime import datetime
from typing import Protocol

from schemas.parts import Tier
from services.notifier.rules.headers import unverified
from texts.catalogue import texts


class Writes(Protocol):
    """How the recipient writes figures."""

    @property
    def language(self) -> str:
        """The letter's."""

    def number(self, number: int) -> str:
        """A whole number."""

    def percent(self, percent: float) -> str:
        """Percent, as 12.5."""

    def money(self, amount: int, currency: str) -> str:
        """Minor units of a currency."""

    def day(self, at: datetime) -> str:
        """A date."""

    def minute(self, at: datetime) -> str:
        """A date and a time, for a sentence."""

    def full(self, at: datetime) -> str:
        """The same with weekday and time zone."""


def tier(given: Tier, writes: Writes, currency: str) -> tuple[str, str]:
    """What a step of a discount gives, and from where on: ``5% off``, ``from 10 units``."""
    catalogue = texts(writes.language)
    if given.from_quantity is not None:
        n = given.from_quantity
        start = catalogue.ngettext("from {n} unit", "from {n} units", n).format(n=writes.number(n))
    else:
        start = catalogue.gettext("from {amount}").format(
            amount=writes.money(given.from_value or 0, currency)
        )
    if given.percent_off is not None:
        gives = catalogue.gettext("{percent} off").format(percent=writes.percent(given.percent_off))
    elif given.gift:
        gives = catalogue.gettext("a gift: {gift}").format(gift=unverified(given.gift) or "…")
    elif given.amount_off is not None:
        amount = writes.money(given.amount_off, currency)
        gives = catalogue.gettext("{amount} off each").format(amount=amount)
    else:
        amount = writes.money(given.unit_price or 0, currency)
        gives = catalogue.gettext("{amount} each").format(amount=amount)
    return gives, start
