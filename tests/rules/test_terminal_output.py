"""What others wrote can't steer the terminal, whichever command prints it, as words or as JSON."""

import ast
import json
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
import typer
from httpx_sse import ServerSentEvent
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from runtime.records import InputRecord
from runtime.rows import Waiting
from schemas.letters import Delivery
from schemas.orders import PURCHASES, PurchaseRow
from schemas.people import Person
from terminal import (
    console,
    dead_letter_list,
    erasure,
    invoices,
    mail,
    ops,
    purchases,
    waits,
    watch,
    watched,
    why,
)
from terminal.dead_letter_list import DeadLetter, Found
from terminal.story import Fact, Story

TERMINAL = Path(console.__file__).parent
#: Clears the screen, sets its title, writes backwards, hides, ends lines where none should end.
STEERING = (
    *("\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\x08\x08", "\x7f", "\r", "\x85", "\0", "\x0b"),
    *("\u202e", "\u2066", "\u2069", "\u200f", "\u061c", "\u200b", "\u2028", "\u2029", "\ufeff"),
    *("\xad", "\U000e0041", "\U000f0000", "\ue000", "\ufff9", "\U0001d173", "\u0378"),
)
NASTY = "tea" + "".join(STEERING) + "茶\u3000é"
T = datetime(2026, 5, 4, 9, tzinfo=UTC)


def steering_in(text: str) -> list[str]:
    """Characters that no output may hold."""
    bad = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return [ascii(each) for each in text if unicodedata.category(each) in bad and each != "\n"]


def test_the_characters_of_these_tests_are_of_that_kind() -> None:
    assert all(steering_in(each) for each in STEERING)
    assert steering_in("plain 茶\u3000é\xa0🫖\n") == []


# --- in itself -----------------------------------------------------------------------------------


@given(
    st.recursive(
        st.text() | st.integers(-(2**53), 2**53) | st.none(), lambda of: st.lists(of, max_size=4)
    )
)
def test_json_says_the_same_without_such_characters(value: Any) -> None:
    for options in (0, orjson.OPT_INDENT_2):
        raw = orjson.dumps(value, option=options)
        written = console.steady_json(raw)
        assert steering_in(written.decode()) == []
        assert json.loads(written) == json.loads(raw)


@given(st.text())
def test_words_hold_no_such_characters(text: str) -> None:
    assert steering_in(console.clean(text)) == []
    assert steering_in(console.cell(text).plain) == []


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("緑茶\u3000一番茶", "é\xa0ü 🫖", "two\nlines"):
        assert console.clean(text) == text
        assert console.steady_json(json.dumps([text], ensure_ascii=False).encode()) == (
            json.dumps([text], ensure_ascii=False).encode()
        )


# --- of each command -----------------------------------------------------------------------------


def record(value: bytes | None = None) -> InputRecord:
    raw = json.dumps({"product": NASTY}, ensure_ascii=False).encode() if value is None else value
    return cast(
        InputRecord,
        SimpleNamespace(
            partition=0,
            offset=1,
            timestamp=1_000,
            key=NASTY.encode(),
            value=raw,
            headers=[("error", NASTY.encode()), (NASTY, NASTY.encode()), ("service", b"s\x9b")],
        ),
    )


def letter() -> DeadLetter:
    return DeadLetter(record(), {"error": NASTY, "topic": NASTY, "service": NASTY})


def delivery() -> Delivery:
    return Delivery(
        recipient_id="m-1",
        notice_id="n-1",
        kind="order-counted",
        about="G\u202e1",
        status="bounced",
        attempts=1,
        reply=f"550 {NASTY}",
        queued_at=T,
        at=T,
        version=1,
    )


def facts() -> list[Fact]:
    row = PurchaseRow.model_validate(
        {
            "group_id": "G\u202e1",
            "request_id": "r\u202e",
            "member_id": "m\u202e\u2066",
            "version": 1,
            "quantity": 1,
            "value": 1,
            "orders": 1,
            "period": {"opens_at": T, "closes_at": T},
        }
    )
    raw = row.model_dump_json().encode()
    headers = {"ce_rule": NASTY, "ce_cause": f"clock/{NASTY}"}
    return [Fact(PURCHASES, record(raw), headers, row)]


class Answers:
    """An API whose answers are of somebody who wants to harm."""

    place = SimpleNamespace(key=None)

    def fetch(self, *_: object, **__: object) -> bytes:
        return f"Invoice\n{NASTY}\n".encode()

    def get(self, *_: object, **__: object) -> Any:
        payment = {"payment_id": NASTY, "begun_at": T.isoformat()}
        return payment | {"items": [], "cursor": None, "seller_id": NASTY, "api_key": NASTY}

    def post(self, *_: object, **__: object) -> Any:
        names = ("order_id", "source", "member_id", "status", "key_id", "role", "holder_id")
        return SimpleNamespace(body=dict.fromkeys((*names, "api_key"), NASTY))


@contextmanager
def hostile(*_: object, **__: object) -> Iterator[Answers]:
    yield Answers()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    async def of_letter(*_: object) -> tuple[Delivery, None]:
        return delivery(), None

    async def deliveries(*_: object) -> list[Delivery]:
        return [delivery()]

    async def read_why(*_: object) -> tuple[Story, list[Fact]]:
        found = facts()
        return Story("G\u202e1", group_id="G\u202e1", facts=found), found

    async def keys(*_: object) -> list[waits.Key]:
        return [waits.Key("s\x9b", NASTY, [Waiting(NASTY, "", T, T, NASTY)])]

    async def people(_: object, wanted: str, __: object) -> list[Person]:
        found = Person(person_id="m\u202e", email=NASTY, name=NASTY, seen_at=T)
        return [found] if wanted == "m" else []

    async def erased(*_: object) -> None:
        """Nothing is sent."""

    async def of_topic(*_: object) -> None:
        ops._write([ops._line(record())])

    monkeypatch.setattr(dead_letter_list, "read", lambda settings: Found([letter()], []))
    monkeypatch.setattr(waits, "_read", keys)
    monkeypatch.setattr(mail, "_one", of_letter)
    monkeypatch.setattr(mail, "_deliveries", deliveries)
    monkeypatch.setattr(erasure, "_found", people)
    monkeypatch.setattr(erasure, "_erase", erased)
    monkeypatch.setattr(why, "_read", read_why)
    monkeypatch.setattr(ops, "_export", of_topic)
    for module in (invoices, purchases, purchases.keys):
        monkeypatch.setattr(module, "connected", hostile)
    made = typer.Typer(pretty_exceptions_enable=False)
    purchases.register(made)
    ops.register(made)
    return made


COMMANDS = [
    ("dead-letters",),
    ("dead-letters", "--json"),
    ("dead-letters", "show", "0/1"),
    ("dead-letters", "show", "0/1", "--json"),
    ("dead-letters", "show", "nothing\x1b"),
    ("waiting",),
    ("waiting", "--json"),
    ("letters", "list"),
    ("letters", "list", "--json"),
    ("letters", "show", "m-1/n-1"),
    ("letters", "show", "m-1/n-1", "--json"),
    ("why", "G"),
    ("why", "G", "--json"),
    ("why", "nothing\x1b", "--member", "none"),
    ("export", "purchases"),
    ("export", "nothing\x1b"),
    ("erase", "m", "--yes"),
    ("erase", "m"),
    ("erase", "nothing\x1b", "--yes"),
    ("invoice", "show", "I1"),
    ("invoice", "show", "I1", "--as", "text"),
    ("order", "G", "--member", "ann"),
    ("order", "G", "--member", "ann", "--json"),
    ("key", "seller", "s"),
    ("key", "seller", "s", "--json"),
    ("key", "revoke", "k"),
]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_command_prints_such_characters(app: typer.Typer, arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    said = result.stdout + result.stderr
    assert said.strip()
    assert steering_in(said) == []
    if "--json" in arguments or arguments == ("export", "purchases"):
        json.loads(result.stdout)
        assert "tea" in said or "G\\u202e1" in said


def watched_one() -> watched.Watched:
    return watched.Watched(
        id="a\x1b1",
        path="/auctions/a",
        name=NASTY,
        status=f"open{NASTY}",
        done=1,
        of=2,
        price=NASTY,
        closes_at=T + timedelta(hours=1),
        version=1,
        change=NASTY,
        changed_at=T,
        trouble=NASTY,
    )


@pytest.mark.parametrize("trouble", ["", NASTY])
def test_what_is_watched_can_t_steer_either(
    capsys: pytest.CaptureFixture[str], trouble: str
) -> None:
    one = watched_one()
    one.trouble = trouble
    data = json.dumps({"product": NASTY}, ensure_ascii=False)
    watch._print_event(one, ServerSentEvent(id="1", data=data), True)
    line = capsys.readouterr().out
    assert json.loads(line) == {"product": NASTY}
    assert steering_in(line) == []
    watch._print_line(one, ServerSentEvent(id="1", data=data), True)
    watch._print_trouble(one)
    both = capsys.readouterr()
    assert "tea" in both.out
    assert steering_in(both.out + both.err) == []
    file = StringIO()
    Console(file=file, width=400, force_terminal=False, markup=False).print(
        watched.screen([one], T)
    )
    assert "tea" in file.getvalue()
    assert steering_in(file.getvalue()) == []


def test_cells_are_clean_whoever_forgot_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for make in (lambda: console.table("A", "B"), console.grid):
        made = make()
        made.add_row(NASTY, Text("styled"))
        file = StringIO()
        Console(file=file, width=400, force_terminal=True, color_system=None).print(made)
        assert "tea" in file.getvalue()
        assert steering_in(file.getvalue()) == []


# --- of those that come --------------------------------------------------------------------------


def is_output(node: ast.AST) -> bool:
    """Whether a call writes to a stream, or makes a table, by itself."""
    if not isinstance(node, ast.Call | ast.Attribute):
        return False
    named = ast.unparse(node.func if isinstance(node, ast.Call) else node)
    return named in ("print", "typer.echo", "typer.secho", "Table", "Table.grid", "Rows") or (
        named in ("sys.stdout.write", "sys.stdout.buffer", "sys.stderr.write", "sys.stderr.buffer")
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(TERMINAL.glob("*.py")), ids=lambda path: path.stem)
def test_only_the_console_writes(path: Path) -> None:
    found = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if is_output(node)
    ]
    if path.stem == "console":
        assert found
    else:
        assert not found, f"use say, write, table or grid of terminal.console: {found}"


def test_the_search_finds(tmp_path: Path) -> None:
    for line in ("print(1)", "typer.echo(x)", "Table()", "Table.grid()", "sys.stdout.buffer.x()"):
        assert any(is_output(node) for node in ast.walk(ast.parse(line))), line
