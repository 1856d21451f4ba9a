"""What typed amounts promise: one meaning, and what is shown can be typed again."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain import figures
from domain.amounts import AmountError, AmountReason, minor_units_of, whole_number_of
from domain.money import CURRENCIES, decimals, in_decimals

READ = [
    # typed, currency, locale, minor units
    ("24", "EUR", "en", 2_400),
    ("24.00", "EUR", "en", 2_400),
    ("24.5", "EUR", "en", 2_450),
    ("0.05", "EUR", "en", 5),
    ("0", "EUR", "en", 0),
    ("24,00", "EUR", "de", 2_400),
    ("24.00", "EUR", "de", 2_400),
    ("24,00", "EUR", "en_DE", 2_400),
    ("1,234.50", "EUR", "en", 123_450),
    ("1234.50", "EUR", "en", 123_450),
    ("1.234,50", "EUR", "de", 123_450),
    ("1.234", "EUR", "de", 123_400),
    ("1 234.50", "EUR", "en", 123_450),
    ("1\u202f234,50", "EUR", "fr", 123_450),
    ("1 234,50", "EUR", "fr", 123_450),
    ("1'234.50", "CHF", "de_CH", 123_450),
    ("1\u2019234.50", "CHF", "de_CH", 123_450),
    ("12,34,567.00", "INR", "en_IN", 123_456_700),
    ("2400", "JPY", "ja", 2_400),
    ("2,400", "JPY", "ja", 2_400),
    ("\uff12\uff0c\uff14\uff10\uff10", "JPY", "ja", 2_400),
    ("0.001", "KWD", "en", 1),
    ("1.5", "KWD", "en", 1_500),
    ("1,5", "KWD", "de", 1_500),
    # The sign, the code or the name of the currency beside it.
    ("€24.00", "EUR", "en", 2_400),
    ("24,00 €", "EUR", "de", 2_400),
    ("24.00 EUR", "EUR", "en", 2_400),
    ("EUR 24", "EUR", "en", 2_400),
    ("24 euros", "EUR", "en", 2_400),
    ("\uffe52,400", "JPY", "ja", 2_400),
    ("2400円", "JPY", "ja", 2_400),
]


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "currency", "locale", "amount"), READ)
def test_an_amount_is_read_as_it_is_typed(
    typed: str, currency: str, locale: str, amount: int
) -> None:
    assert minor_units_of(f" {typed} ", currency, locale) == amount


REFUSED = [
    # typed, currency, locale, reason, how it should be written
    ("24,00", "EUR", "en", "not-an-amount", "24.00"),
    ("24,0", "EUR", "en", "not-an-amount", "24.00"),
    ("12,345,67", "EUR", "en", "not-an-amount", "24.00"),
    ("1234,567", "EUR", "en", "not-an-amount", "24.00"),
    ("1 23", "EUR", "en", "not-an-amount", "24.00"),
    ("$24", "EUR", "en", "not-an-amount", "24.00"),
    ("-24", "EUR", "en", "not-an-amount", "24.00"),
    ("1e3", "EUR", "en", "not-an-amount", "24.00"),
    ("24.", "EUR", "de", "not-an-amount", "24,00"),
    ("", "JPY", "ja", "not-an-amount", "2,400"),
    ("€", "EUR", "en", "not-an-amount", "24.00"),
    ("9" * 17, "EUR", "en", "not-an-amount", "24.00"),
    # Three digits after a point may be meant as thousands: they are not cut off, even if zero.
    ("24.000", "EUR", "en", "too-many-decimals", "24.00"),
    ("24.005", "EUR", "en", "too-many-decimals", "24.00"),
    ("1,234", "EUR", "de", "too-many-decimals", "24,00"),
    ("0.0001", "KWD", "en", "too-many-decimals", "2.400"),
    ("24.00", "JPY", "ja", "no-decimals", "2,400"),
    ("24.5", "JPY", "en", "no-decimals", "2,400"),
]


@pytest.mark.parametrize(("typed", "currency", "locale", "reason", "example"), REFUSED)
def test_what_is_not_an_amount_is_refused_with_an_example(
    typed: str, currency: str, locale: str, reason: str, example: str
) -> None:
    with pytest.raises(AmountError) as raised:
        minor_units_of(typed, currency, locale)
    assert (raised.value.reason, raised.value.params["example"]) == (reason, example)


def test_an_amount_that_two_people_would_read_differently_is_refused() -> None:
    """A German point separates thousands, and a plain one the three decimals of a dinar."""
    with pytest.raises(AmountError) as raised:
        minor_units_of("1.234", "KWD", "de")
    assert raised.value.reason == AmountReason.TWO_AMOUNTS
    assert raised.value.params == {"example": "1,234", "other": "1.234,000"}
    assert minor_units_of("1,234", "KWD", "de") == 1_234
    assert minor_units_of("1.234,000", "KWD", "de") == 1_234_000


AMOUNTS = st.integers(0, 10**15)
SOME = st.sampled_from(sorted(CURRENCIES))
LOCALES = st.sampled_from(
    [
        "en",
        "en_US",
        "en_GB",
        "en_DE",
        "en_IN",
        "en_ZA",
        "ja",
        "ja_JP",
        "de",
        "de_CH",
        "fr",
        "es",
        "pl",
    ]
)


# The sign of this currency has a narrow space in it.
@pytest.mark.slow
@example(900, "XOF", "en")
@given(AMOUNTS, SOME, LOCALES)
def test_an_amount_that_is_shown_can_be_typed_again(
    amount: int, currency: str, locale: str
) -> None:
    assert minor_units_of(figures.money(amount, currency, locale), currency, locale) == amount


@given(AMOUNTS, SOME)
def test_what_the_terminal_prints_can_be_typed_again(amount: int, currency: str) -> None:
    for thousands in ("", ","):
        written = in_decimals(amount, currency, thousands)  # type: ignore[arg-type]
        assert minor_units_of(f"{written} {currency}", currency) == amount


@given(AMOUNTS, SOME, LOCALES)
def test_plain_decimals_mean_the_same_everywhere_or_are_refused(
    amount: int, currency: str, locale: str
) -> None:
    """Only where a currency has three decimals a locale may read them as thousands."""
    try:
        read = minor_units_of(in_decimals(amount, currency), currency, locale)
    except AmountError as error:
        read, reason = amount, error.reason
        assert (reason, decimals(currency)) == (AmountReason.TWO_AMOUNTS, 3)
    assert read == amount


@given(st.text("0123456789.,' \u00a0\u2019\u202f-+eE", max_size=12), SOME, LOCALES)
def test_any_text_is_an_amount_or_refused(text: str, currency: str, locale: str) -> None:
    """An amount has the digits that were typed, and no others beyond its decimals."""
    try:
        amount = minor_units_of(text, currency, locale)
    except AmountError:
        return
    typed = "".join(filter(str.isdigit, text))
    written = str(amount)
    missing = len(written.rstrip("0")) - len(typed.lstrip("0").rstrip("0"))
    assert typed.strip("0") == written.strip("0")
    assert missing <= decimals(currency)


@pytest.mark.parametrize(
    ("typed", "locale", "number"),
    [
        ("1,234", "en", 1_234),
        ("1.234", "de", 1_234),
        ("1 234", "en", 1_234),
        ("007", "en", 7),
        ("5,5", "en", None),
        ("5.0", "en", None),
        ("1.234", "en", None),
        ("1e3", "en", None),
        ("", "en", None),
        ("9" * 17, "en", None),
    ],
)
def test_a_whole_number_is_read_as_it_is_typed(typed: str, locale: str, number: int | None) -> None:
    assert whole_number_of(typed, locale) == number
