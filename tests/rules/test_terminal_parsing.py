"""What people type at the terminal, and how it speaks to them."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from domain.ids import derive
from runtime.records import InputRecord
from schemas.parts import Tier
from terminal import amounts, typed_values
from terminal.console import Mistake, clean, money
from terminal.dead_letter_list import DeadLetter
from terminal.dead_letters import readable
from terminal.options import draft, file_fields
from terminal.topics import as_json, as_text


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("10:5%", Tier(from_quantity=10, percent_off=5)),
        (" 10 : 2.5 % ", Tier(from_quantity=10, percent_off=2.5)),
        ("50:-2.00", Tier(from_quantity=50, amount_off=200)),
        ("50:-2", Tier(from_quantity=50, amount_off=200)),
        ("50:= 9.00", Tier(from_quantity=50, unit_price=900)),
        ("50:=0", Tier(from_quantity=50, unit_price=0)),
        ("50:gift=A mug: blue", Tier(from_quantity=50, gift="A mug: blue")),
        ("value=500:5%", Tier(from_value=50_000, percent_off=5)),
        ("value=1,500.50:-1", Tier(from_value=150_050, amount_off=100)),
    ],
)
def test_tier(text: str, tier: Tier) -> None:
    read = typed_values.tier(text, "EUR", "en")
    assert read == tier
    assert type(read.percent_off) is type(tier.percent_off)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "10:",
        "5%",
        "ten:5%",
        "-1:5%",
        "10:5",
        "10:gift=",
        "10:-",
        "1²:5%",
        "10:5%%",
        "1" * 5_000 + ":5%",
        "10:" + "9" * 5_000 + "%",
        "1_0:5%",
        "\u0661\u0660:5%",
    ],
)
def test_tier_that_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"write FROM:DISCOUNT"):
        typed_values.tier(text, "EUR", "en")


@pytest.mark.parametrize(
    ("text", "currency", "said"),
    [
        ("50:=9.005", "EUR", "EUR has 2 decimals: give an amount such as 24.00"),
        ("10:-5%", "EUR", "give an amount such as 24.00"),
        ("50:-2.5", "JPY", "JPY has no decimals: give an amount such as 2,400"),
        ("50:=" + "9" * 5_000, "EUR", "give an amount such as 24.00"),
        ("value=x:5%", "EUR", "write FROM:DISCOUNT"),
        ("value=1.2.3:5%", "EUR", "give an amount such as 24.00"),
        ("50:=9", None, "an amount needs its currency: give --currency too"),
        ("50:=9", "EURO", "'EURO' is not a currency: give an ISO 4217 code such as EUR"),
    ],
)
def test_an_amount_of_a_tier_that_cannot_be_read_says_why(
    text: str, currency: str | None, said: str
) -> None:
    with pytest.raises(ValueError, match=f"^tier .*{re.escape(said)}"):
        typed_values.tier(text, currency, "en")


def test_a_tier_without_an_amount_needs_no_currency() -> None:
    assert typed_values.tier("10:5%", None, "en") == Tier(from_quantity=10, percent_off=5)


@pytest.mark.parametrize(
    ("env", "typed", "amount"),
    [
        ({}, "24.00", 2_400),
        ({"LANG": "C.UTF-8"}, "24.00", 2_400),
        ({"LANG": "de_DE.UTF-8"}, "24,00", 2_400),
        ({"LANG": "de_DE@euro", "LC_ALL": ""}, "24,00", 2_400),
        ({"LANG": "en_US.UTF-8", "LC_MONETARY": "de_AT.UTF-8"}, "24,00", 2_400),
        ({"LC_ALL": "de_DE.UTF-8", "LANG": "en_US.UTF-8"}, "24.00", 2_400),
        ({"LANG": "no such"}, "24", 2_400),
    ],
)
def test_an_amount_is_typed_as_the_environment_writes_it(
    env: dict[str, str], typed: str, amount: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MONETARY", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert amounts.amount_of("--price", typed, "EUR") == amount


def test_a_wrong_amount_names_its_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert amounts.amount_of("--price", None, None) is None
    with pytest.raises(
        Mistake, match=r"^--price '24,00': give an amount such as 24\.00$"
    ) as raised:
        amounts.amount_of("--price", "24,00", "EUR")
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h", 7_200),
        ("3d", 259_200),
        ("2w", 1_209_600),
        ("1D 12h", 129_600),
    ],
)
def test_duration(text: str, seconds: int) -> None:
    assert typed_values.duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "3", "h", "3x", "-1h", "1.5h", "2h3"])
def test_duration_that_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not a length of time: write"):
        typed_values.duration(text)


@pytest.mark.parametrize("text", ["999999999w", "999999999d" * 50, "60000w"])
def test_a_duration_that_no_time_can_be_added_to_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a shorter one"):
        typed_values.duration(text)
    assert datetime.now(UTC) + typed_values.duration("50000w") > datetime.now(UTC)


def test_instant_is_in_utc() -> None:
    assert typed_values.instant("2026-06-15T10:00:00+02:00") == datetime(2026, 6, 15, 8, tzinfo=UTC)
    assert typed_values.instant("2026-06-15T10:00:00+02:00").tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("tomorrow", "is not a time"),
        ("2026-06-15T10:00:00", "time zone"),
        ("0001-01-01T00:00:00+14:00", "out of range"),
        ("9999-12-31T23:59:59-14:00", "out of range"),
        ("\u0662\u0660\u0662\u0666-06-15T10:00:00Z", "is not a time"),
    ],
)
def test_instant_that_cannot_be_read(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        typed_values.instant(text)


def test_group_id_is_read_as_over_the_phone() -> None:
    group_id = derive("r1")
    assert typed_values.group_id(group_id.lower().replace("-", " ")) == group_id
    assert typed_values.group_id("any-other-id") == "any-other-id"
    wrong = group_id[:-1] + ("0" if group_id[-1] != "0" else "1")
    with pytest.raises(ValueError, match="mistyped"):
        typed_values.group_id(wrong)


def test_draft_puts_options_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text('{"product": {"id": "T-1", "name": "Tea"}, "number_of_products": 3}')
    options: dict[str, Any] = {
        "product": {"name": "Green tea", "id": None},
        "number_of_products": None,
        "payment": {"scope": None, "method": None},
        "currency": "EUR",
    }
    assert draft(file_fields(str(file)), options) == {
        "product": {"id": "T-1", "name": "Green tea"},
        "number_of_products": 3,
        "currency": "EUR",
    }


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_draft_of_a_wrong_file_is_a_usage_mistake(text: str, tmp_path: Path) -> None:
    file = tmp_path / "definition.json"
    file.write_text(text)
    with pytest.raises(Mistake) as raised:
        file_fields(str(file))
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (123_450, "EUR", "1,234.50 EUR"),
        (5, "EUR", "0.05 EUR"),
        (1_234, "JPY", "1,234 JPY"),
        (1_234, "KWD", "1.234 KWD"),
        (-250, "EUR", "-2.50 EUR"),
        (1_234, None, "1,234"),
    ],
)
def test_money(amount: int, currency: str | None, text: str) -> None:
    assert money(amount, currency) == text


def test_text_of_others_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b[31mb\x07\n é") == "a\\x1b[31mb\\x07\n é"
    assert readable(b"\x1b[2J") == "\\x1b[2J"
    assert readable(b"\xff\x00zz").startswith("00000000  ff 00 7a 7a ")
    assert readable(None) == "(null)"


def test_values_as_json_text_or_base64() -> None:
    values = [b'{"n":\n123456789012345678901234567890}', b"plain", b"\xff", None, b'"\\n"']
    printed = orjson.dumps([as_json(value) for value in values])
    assert printed == (
        b'[{"n": 123456789012345678901234567890},"plain",{"base64":"/w=="},null,"\\n"]'
    )
    assert as_text(b"k\xff") == "k\\xff"


@pytest.mark.parametrize("said", ["²", "9" * 5_000, "1_0", "\u0661", "-1", " 1", ""])
def test_a_dead_letter_s_headers_may_say_anything(said: str) -> None:
    record = SimpleNamespace(partition=0, offset=1, timestamp=0, key=b"k", value=b"", headers=[])
    letter = DeadLetter(cast(InputRecord, record), {"partition": said, "offset": "7"})
    assert letter.as_json()["partition"] == said
    assert letter.as_json()["offset"] == 7
