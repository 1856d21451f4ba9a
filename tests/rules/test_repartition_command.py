"""What `jointbuy repartition` refuses before it begins, and what it says of a copy."""

import json
from collections import Counter

import pytest
import typer
from typer.testing import CliRunner, Result

from runtime.key_digests import KeyDigests
from runtime.records import OutputRecord
from runtime.repartition import Reader
from terminal import ops
from terminal.copying import Compared, Proof
from terminal.moving import Moving

app = typer.Typer(pretty_exceptions_enable=False)
ops.register(app)


def jointbuy(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["repartition", "--to", "8", *arguments])


@pytest.fixture(autouse=True)
def _deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOPIC_PREFIX", "old-")
    monkeypatch.setenv("KAFKA_TRANSACTIONS", "true")


@pytest.mark.parametrize(
    ("prefix", "env", "code", "said"),
    [
        ("old-", {}, 2, "give another one than 'old-'"),
        ("new/", {}, 2, "letters, digits, dots, dashes"),
        ("n" * 101, {}, 2, "at most 100"),
        ("new-", {"KAFKA_TRANSACTIONS": "false"}, 1, "a broker without transactions"),
        ("new-", {"PARTITIONS": "none"}, 2, "PARTITIONS"),
    ],
    ids=["the same", "a slash", "too long", "no transactions", "a wrong setting"],
)
def test_what_can_t_be_is_refused_at_once(
    prefix: str, env: dict[str, str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    result = jointbuy("--prefix", prefix, "--yes")
    assert result.exit_code == code
    assert said in result.stderr


def test_it_asks_first() -> None:
    result = jointbuy("--prefix", "new-")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr


def of(*values: bytes) -> KeyDigests:
    """The digests of a key with these values."""
    made = KeyDigests()
    for value in values:
        made.take(OutputRecord("t", 3, b"g-1", value, 0, []))
    return made


def proof(after: KeyDigests, unread: int = 2) -> Proof:
    """A copy of one topic that one group has not read to its end."""
    before = of(b"1", b"2")
    reader = Reader("order_service-purchases", "orders", [0], Counter(), 2)
    compared = Compared("orders", before, after, before.differing(after))
    return Proof([compared], [(reader, unread)])


PROOFS: list[tuple[str, Proof, int, str]] = [
    ("the same", proof(of(b"1", b"2")), 0, "PARTITIONS=8 for every process"),
    ("a record less", proof(of(b"1")), 1, "orders differs at key g-1 of partition 3"),
    ("another order", proof(of(b"2", b"1")), 1, "orders differs at key g-1 of partition 3"),
    ("read less", proof(of(b"1", b"2"), unread=3), 1, "order_service-purchases"),
    ("complete before", Proof(was_complete=True), 0, "The copy was complete before."),
]


@pytest.mark.parametrize(
    ("what", "found", "code", "said"), PROOFS, ids=[each[0] for each in PROOFS]
)
def test_a_copy_that_differs_is_shown_and_fails(
    what: str, found: Proof, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(_: Moving) -> Proof:
        return found

    monkeypatch.setattr(Moving, "run", run)
    result = jointbuy("--prefix", "new-", "--yes")
    assert result.exit_code == code
    assert said in result.stdout
    assert ("Set TOPIC_PREFIX=new-" in result.stdout) == (code == 0)
    told = json.loads(jointbuy("--prefix", "new-", "--yes", "--json").stdout)
    assert told["same"] == (code == 0)
