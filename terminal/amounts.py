"""Amounts of money as options: typed in decimals of a currency, sent as minor units."""

import os
from collections.abc import Mapping
from typing import Any

from babel.core import Locale, UnknownLocaleError

from terminal import typed_values
from terminal.console import Mistake
from terminal.options import Scope, typed


def locale_here() -> str:
    """The locale in which the environment writes money; else English."""
    # In the order of POSIX; one that is empty is not set.
    named = os.environ.get("LC_ALL") or os.environ.get("LC_MONETARY") or os.environ.get("LANG")
    try:
        return str(Locale.parse((named or "").split(".")[0].split("@")[0], sep="_"))
    except (UnknownLocaleError, ValueError):
        return "en"


def amount_of(option: str, text: str | None, currency: str | None) -> int | None:
    """Minor units of a typed amount. Raises ``Mistake`` that names the option."""
    if text is None:
        return None
    try:
        return typed_values.amount(text, currency, locale_here())
    except ValueError as error:
        raise Mistake(f"{option} {text!r}: {error}", usage=True) from None


def terms(
    file: Mapping[str, Any],
    currency: str | None,
    price: str | None,
    tiers: list[str] | None,
    scope: Scope | None,
) -> dict[str, Any]:
    """The typed price and ladder, in the typed currency or a file's. Raises ``Mistake``."""
    unit, locale = currency or file.get("currency"), locale_here()

    def step(text: str) -> dict[str, Any]:
        return typed_values.tier(text, unit, locale).model_dump(exclude_none=True)

    return {
        "currency": currency,
        "unit_price": amount_of("--price", price, unit),
        "favor": {"tiers": [typed(step, text) for text in tiers or ()] or None, "scope": scope},
    }
