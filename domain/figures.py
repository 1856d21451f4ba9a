"""How numbers, percentages and amounts of money are written for people, in letters and on pages."""

import re
from decimal import Decimal
from functools import lru_cache

from babel.core import Locale
from babel.numbers import format_decimal, format_percent, parse_pattern

from domain.money import decimals


@lru_cache(maxsize=4096)
def number(count: int, locale: str) -> str:
    """``1,234``. ``locale`` is one that Babel knows, here and below."""
    return format_decimal(count, locale=locale)


@lru_cache(maxsize=256)
def percent(of_hundred: float, locale: str) -> str:
    """``12.5%`` of 12.5."""
    of_one = Decimal(str(of_hundred)).scaleb(-2)
    return format_percent(of_one, locale=locale, decimal_quantization=False)


@lru_cache(maxsize=4096)
def money(amount: int, currency: str, locale: str) -> str:
    """``€1,234.50`` of 123450 minor units of a currency that ``domain.money`` knows."""
    digits = decimals(currency)
    pattern = parse_pattern(Locale.parse(locale).currency_formats["standard"].pattern)
    pattern.frac_prec = (digits, digits)
    exact = Decimal(amount).scaleb(-digits)
    written: str = pattern.apply(exact, locale, currency=currency, currency_digits=False)
    # Letters do not stick to their number, and a full-width yen would tear a hole into a sentence.
    return re.sub(r"(?<=[^\W\d_])(?=\d)", "\xa0", written).replace("\uffe5", "¥")
