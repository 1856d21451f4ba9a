"""``jointbuy erase``: which persons are found, what is sent for them, and what is said then."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from aiokafka.partitioner import murmur2
from typer.testing import CliRunner

from runtime.records import OutputRecord, encode
from runtime.settings import Settings
from schemas.people import PEOPLE, Person
from terminal import erasure, ops
from terminal.erasure import matching, what_follows

T = datetime(2026, 11, 30, 9, tzinfo=UTC)


def person(person_id: str, email: str, name: str | None = None) -> Person:
    return Person(person_id=person_id, email=email, name=name, seen_at=T)


PEOPLE_THERE = (
    person("m-ann", "ann@gmail.com"),
    person("acme:ann", "A.n.n+shop@googlemail.com", "Ann Lee"),
    person("leaf:7", "ann@other.example"),
    person("seller:nord", "shop@nord.example", "Nord Foto"),
    person("seller:süd", "info@süd.example"),
    person("odd", "not an address"),
    person("ann@raw.example", "else@where.example"),
    person("feed", "ann@raw.example"),
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("m-ann", ["m-ann"]),
        ("acme:ann", ["acme:ann"]),
        ("ann", []),
        ("acme", []),
        ("ann@gmail.com", ["acme:ann", "m-ann"]),
        (" ANN@Gmail.com ", ["acme:ann", "m-ann"]),
        ("ann+any@googlemail.com", ["acme:ann", "m-ann"]),
        ("ann@other.example", ["leaf:7"]),
        ("shop@nord.example", ["seller:nord"]),
        ("info@xn--sd-xka.example", ["seller:süd"]),
        # An id that reads as an address is both.
        ("ann@raw.example", ["ann@raw.example", "feed"]),
        ("bob@gmail.com", []),
        ("not an address", []),
        ("@", []),
        ("", []),
    ],
)
def test_an_id_is_one_person_and_an_address_is_all_of_its_mailbox(
    wanted: str, found: list[str]
) -> None:
    assert [each.person_id for each in matching(PEOPLE_THERE, wanted)] == found


def record(message: Person | None, key: str = "acme:ann") -> Any:
    number = murmur2(key.encode()) & 0x7FFFFFFF
    return SimpleNamespace(
        topic=PEOPLE.name,
        partition=number % PEOPLE.partitions,
        offset=0,
        timestamp=0,
        key=key.encode(),
        value=message and encode(message),
        headers=(),
    )


OLD, NEW = person("acme:ann", "old@x.example"), person("acme:ann", "new@x.example")
NEW = NEW.model_copy(update={"seen_at": T + timedelta(seconds=1)})


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ([OLD, NEW], [NEW]),
        # A service that lags writes what it took in before; nobody holds that.
        ([NEW, OLD], [NEW]),
        ([NEW, None, OLD], [OLD]),
        ([OLD, NEW, None], []),
        ([], []),
    ],
)
async def test_the_address_that_services_and_pages_hold_is_found(
    written: list[Person | None], held: list[Person]
) -> None:
    async def records() -> AsyncIterator[Any]:
        for each in written:
            yield record(each)

    assert await erasure.known(records()) == held


# --- the command ---------------------------------------------------------------------------------


class Kafka:
    """What the command reads and sends."""

    def __init__(self) -> None:
        self.sent: list[OutputRecord] = []

    async def found(self, settings: Settings, wanted: str, step: Any) -> list[Person]:
        return matching(PEOPLE_THERE, wanted)

    async def send(self, settings: Settings, records: list[OutputRecord]) -> None:
        self.sent += records


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    made = Kafka()
    monkeypatch.setattr(erasure, "_found", made.found)
    monkeypatch.setattr("terminal.topics.send", made.send)
    monkeypatch.setenv("TOPIC_PREFIX", "here-")
    return made


def jointbuy(*arguments: str) -> Any:
    app = typer.Typer(pretty_exceptions_enable=False)
    ops.register(app)
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_each_person_gets_a_tombstone_in_the_partition_of_the_id(kafka: Kafka) -> None:
    assert jointbuy("erase", "ann@gmail.com", "--yes").exit_code == 0
    said = [(each.topic, each.key, each.value, each.partition) for each in kafka.sent]
    assert said == [
        ("here-people", key, None, (murmur2(key) & 0x7FFFFFFF) % PEOPLE.partitions)
        for key in (b"acme:ann", b"m-ann")
    ]


def test_the_persons_are_shown_before_they_are_erased(kafka: Kafka) -> None:
    shown = jointbuy("erase", "ann@gmail.com", "--yes").stdout.splitlines()
    assert ["acme:ann" in line and "Ann Lee" in line for line in shown].index(True) < [
        line.startswith("Erased: 2 persons.") for line in shown
    ].index(True)


def test_nobody_is_erased_without_a_yes(kafka: Kafka) -> None:
    asked = jointbuy("erase", "m-ann")
    assert (asked.exit_code, kafka.sent) == (2, [])
    assert "add --yes" in asked.stderr


@pytest.mark.parametrize("wanted", ["nobody", "bob@gmail.com"])
def test_an_unknown_person_is_an_error(kafka: Kafka, wanted: str) -> None:
    said = jointbuy("erase", wanted, "--yes")
    assert (said.exit_code, kafka.sent) == (1, [])
    assert f"no person with the id or address {wanted}" in said.stderr


def test_a_program_reads_who_is_erased_and_until_when_copies_stay(kafka: Kafka) -> None:
    said = json.loads(jointbuy("erase", "m-ann", "--yes", "--json").stdout)
    erased_at, compacted_by, kept_until = (
        datetime.fromisoformat(said[name])
        for name in ("erased_at", "compacted_by", "commands_kept_until")
    )
    assert said["erased"] == ["m-ann"]
    assert ((compacted_by - erased_at).days, (kept_until - erased_at).days) == (8, 30)


# --- what is said --------------------------------------------------------------------------------

ANN, NORD = PEOPLE_THERE[0], PEOPLE_THERE[3]


@pytest.mark.parametrize(
    ("clock", "erased", "says", "does_not_say"),
    [
        ("wall", [ANN], ["by 2026-12-08 09:00:00Z", "until 2026-12-30 09:00:00Z"], "registration"),
        ("wall", [ANN, NORD], ["Erased: 2 persons.", "A seller's registration keeps"], "records'"),
        ("log", [ANN], ["Erased: 1 person.", "no topic ever drops a record"], "2026"),
    ],
    ids=["a buyer", "a seller too", "a replay"],
)
def test_it_says_when_the_address_is_gone(
    clock: Any, erased: list[Person], says: list[str], does_not_say: str
) -> None:
    text = "\n".join(what_follows(Settings(clock=clock), erased, T))
    assert all(each in text for each in says), text
    assert does_not_say not in text


def test_kafka_is_told_to_compact_people_in_that_time() -> None:
    """Else a quiet topic keeps a person for as long as nobody is written to it."""
    day_ms = 24 * 3_600_000
    told = PEOPLE.settings(log_time=False)
    assert (told["max.compaction.lag.ms"], told["segment.ms"]) == (f"{7 * day_ms}", f"{day_ms}")
    # No shorter: a notifier or storefront that is down so long still finds the tombstone.
    assert told["min.compaction.lag.ms"] == f"{7 * day_ms}"
    # A replay's records have times of any year: by them all would be old at once.
    assert not {"max.compaction.lag.ms", "segment.ms"} & set(PEOPLE.settings(log_time=True))
