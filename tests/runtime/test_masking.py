"""Addresses stay out of logs, card numbers out of dead letters."""

import json
import logging
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from runtime import logs
from runtime.masking import without_addresses, without_cards
from runtime.records import dead_letter
from runtime.settings import Settings

ADDRESSES = [
    ("550 5.1.1 <ann@x.example>: no such mailbox", "550 5.1.1 <(an address)>: no such mailbox"),
    ("thirteen of ann+1@mail.x.example on orders/3", "thirteen of (an address) on orders/3"),
    ("key G/member/ann@x.example, parked", "key G/member/(an address), parked"),
    ("GET /x?to=ann%40x.example&y=1", "GET /x?to=(an address)&y=1"),
    ('{"email": "jörg@mårk.example"}', '{"email": "(an address)"}'),
    ('RCPT TO:<"ann.b"@x.example>', "RCPT TO:<(an address)>"),
    ("ann@xn--mrk-ula.example.", "(an address)."),
    ("PurchaseRow:G-1/member/ann@3", "PurchaseRow:G-1/member/ann@3"),
    ("PurchaseRow:G-1/member/ann@3: late", "PurchaseRow:G-1/member/ann@3: late"),
    ("from jointbuy@localhost.", "from (an address)."),
    ("to ann@intranet, refused", "to (an address), refused"),
    ("ann@10.0.0.1 and ann@[10.0.0.1]", "(an address) and (an address)"),
    ("550 <a..b@docomo.ne.jp>", "550 <(an address)>"),
    ('RCPT TO:<"ann lee"@x.example>', "RCPT TO:<(an address)>"),
    ('{"email": "\\"ann lee\\"@x.example"}', '{"email": "(an address)"}'),
    ("of o'hara@x.example", "of (an address)"),
    ("{'email': 'ann@x.example'}", "{'email': '(an address)'}"),
    ("at version ann@3.", "at version ann@3."),
    ("smtp://ann:pw@localhost:25", "smtp://ann:(an address):25"),
    ("ann\uff20x.example", "(an address)"),
    ("@ 12.5 s", "@ 12.5 s"),
]
CARDS = [
    (b'"4242424242424242"', b'"9999999999994242"'),
    (b'{"n": 378282246310005}', b'{"n": 999999999990005}'),
    (b"4242 4242 4242 4242 12/30", b"9999 9999 9999 4242 12/30"),
    (b"3782-822463-10005", b"9999-999999-90005"),
    (b"5555555555554444,6011111111111117", b"9999999999994444,9999999999991117"),
    (b"a wrong check digit 4242424242424241", b"a wrong check digit 4242424242424241"),
    (b'{"id": 890088186047892319}', b'{"id": 890088186047892319}'),
    (b'{"id": 4242424242424242424242}', b'{"id": 4242424242424242424242}'),
    (b"0.4242424242424242", b"0.4242424242424242"),
    (b"\xff4242424242424242\x00", b"\xff9999999999994242\x00"),
]


@pytest.mark.parametrize(("text", "masked"), ADDRESSES)
def test_an_address_is_replaced_and_what_is_around_it_stays(text: str, masked: str) -> None:
    assert without_addresses(text) == masked
    assert without_addresses({"a": [text, 1, None]}) == {"a": [masked, 1, None]}


@pytest.mark.parametrize(("content", "masked"), CARDS)
def test_a_card_number_is_masked_and_what_is_around_it_stays(content: bytes, masked: bytes) -> None:
    assert without_cards(content) == masked


@given(st.binary() | st.text("0123456789 -.x").map(str.encode))
def test_masking_keeps_the_length_and_is_done_once(content: bytes) -> None:
    masked = without_cards(content)
    assert len(masked) == len(content)
    assert without_cards(masked) == masked


@given(st.from_regex(r"[a-z0-9.+_-]{1,20}@([a-z0-9-]{1,9}\.){1,3}[a-z]{2,5}", fullmatch=True))
def test_whatever_address_it_is(address: str) -> None:
    assert "@" not in without_addresses(f"to {address}: refused")


class Record:
    """As a consumer gives it."""

    topic, partition, offset, timestamp = "orders", 1, 2, 3
    key: bytes | None = b"4242424242424242"
    value: bytes | None = b'{"card": "4242424242424242"'
    headers = (("from", b"4242-4242-4242-4242"), ("empty", None))


def test_a_dead_letter_is_the_record_but_for_card_numbers() -> None:
    letter = dead_letter("dead-letters", 1, Record(), "order_service", "not JSON", "schema")  # type: ignore[arg-type]
    assert (letter.key, letter.value) == (b"9999999999994242", b'{"card": "9999999999994242"')
    assert letter.headers[:2] == [("from", b"9999-9999-9999-4242"), ("empty", None)]
    tombstone = Record()
    tombstone.key = tombstone.value = None
    letter = dead_letter("dead-letters", 1, tombstone, "order_service", "null", "no-value")  # type: ignore[arg-type]
    assert (letter.key, letter.value) == (None, None)


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_log_line_holds_an_address(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours or a library's, in its words, its values, or the error it tells of."""
    before = logging.root.handlers[:], logging.root.level
    logs.set_up(Settings(log_format=form), "tests")
    try:
        try:
            raise ValueError("nobody is called ann@x.example")
        except ValueError as error:
            structlog.get_logger().error(
                "refused", error=error, to=["ann@x.example"], exc_info=True
            )
            logging.getLogger("a.library").exception("for %s", "ann@x.example")
    finally:
        logging.root.handlers[:], level = before[0], before[1]
        logging.root.setLevel(level)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    lines = capsys.readouterr().err
    assert lines.count("Traceback") == 2
    assert lines.count("nobody is called (an address)") >= 2
    assert "ann" not in lines
    if form == "json":
        assert all(json.loads(line)["service"] == "tests" for line in lines.splitlines())
