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
from schemas.erasure import Place, kept_after
from schemas.people import PEOPLE, Person
from schemas.topic import PARTITIONS
from terminal import erasure, ops
from terminal.dead_letter_list import DeadLetter, Found
from terminal.erasure import holding, kept, mailboxes_of, matching
from texts.erasure import STAYS, told_of

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
        partition=number % PARTITIONS,
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

    assert await erasure.known(Settings(), records()) == held


# --- the command ---------------------------------------------------------------------------------


class Kafka:
    """What the command reads and sends."""

    def __init__(self) -> None:
        self.sent: list[OutputRecord] = []
        self.letters: list[DeadLetter] = []
        self.purged: list[str] = []

    async def found(self, settings: Settings, wanted: str, step: Any) -> list[Person]:
        return matching(PEOPLE_THERE, wanted)

    async def send(self, settings: Settings, records: list[OutputRecord]) -> None:
        self.sent += records

    def purge(
        self, settings: Settings, found: Found, doomed: list[DeadLetter], ends: dict[int, int]
    ) -> tuple[int, str]:
        self.purged += [each.place for each in doomed]
        return len(doomed), ""


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    made = Kafka()
    monkeypatch.setattr(erasure, "_found", made.found)
    monkeypatch.setattr("terminal.topics.send", made.send)
    monkeypatch.setattr("terminal.dead_letters.ends_now", lambda _: {})
    monkeypatch.setattr("terminal.dead_letters.purge_these", made.purge)
    monkeypatch.setattr("terminal.dead_letter_list.read", lambda _: Found(made.letters, []))
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
        ("here-people", key, None, (murmur2(key) & 0x7FFFFFFF) % PARTITIONS)
        for key in (b"acme:ann", b"m-ann")
    ]


def test_the_persons_are_shown_before_they_are_erased(kafka: Kafka) -> None:
    shown = jointbuy("erase", "ann@gmail.com", "--yes").stdout.splitlines()
    assert ["acme:ann" in line and "Ann Lee" in line for line in shown].index(True) < [
        line.startswith("Erased: 2 persons.") for line in shown
    ].index(True)


@pytest.mark.slow
def test_nobody_is_erased_without_a_yes(kafka: Kafka) -> None:
    asked = jointbuy("erase", "m-ann")
    assert (asked.exit_code, kafka.sent) == (2, [])
    assert "add --yes" in asked.stderr


@pytest.mark.parametrize("wanted", ["nobody", "bob@gmail.com"])
def test_an_unknown_person_is_an_error(kafka: Kafka, wanted: str) -> None:
    said = jointbuy("erase", wanted, "--yes")
    assert (said.exit_code, kafka.sent) == (1, [])
    assert f"no person has the id or address {wanted}" in said.stderr


def test_a_program_reads_who_is_erased_and_until_when_copies_stay(kafka: Kafka) -> None:
    said = json.loads(jointbuy("erase", "m-ann", "--yes", "--json").stdout)
    assert (said["erased"], said["dead_letters"]) == (["m-ann"], [])
    erased_at = datetime.fromisoformat(said["erased_at"])
    days = {
        each["place"]: (datetime.fromisoformat(each["until"]) - erased_at).days
        for each in said["kept"]
        if each["until"]
    }
    assert days == {"people": 8, "commands": 37}
    assert all(each["what"] and each["why"] for each in said["kept"])
    assert all(bool(each["end"]) is not bool(each["until"]) for each in said["kept"])


# --- dead letters --------------------------------------------------------------------------------


def dead(value: bytes | None, key: bytes = b"GB-1", offset: int = 0, **headers: str) -> DeadLetter:
    said = [(name, text.encode()) for name, text in headers.items()]
    return DeadLetter(
        SimpleNamespace(
            partition=0, offset=offset, timestamp=0, key=key, value=value, headers=said
        ),
        {},
    )  # type: ignore[arg-type]


#: What a dead letter holds, and whether it is one of ann@gmail.com.
HELD: list[tuple[str, DeadLetter, bool]] = [
    ("the address", dead(b'{"member_email": "ann@gmail.com"}'), True),
    ("another spelling", dead(b'{"member_email": "A.NN+tea@googlemail.com"'), True),
    ("in a form", dead(b"email=ann%40gmail.com&x=1"), True),
    ("in the key", dead(None, key=b"ann@gmail.com"), True),
    ("in the error", dead(b"{}", error="no group is ann@gmail.com"), True),
    ("beside bytes", dead(b"\xff\x00 ann@gmail.com \xff"), True),
    ("another's", dead(b'{"member_email": "bob@gmail.com"}'), False),
    ("a longer one", dead(b'{"member_email": "joann@gmail.com"}'), False),
    ("the id alone", dead(b'{"person_id": "m-ann"}'), False),
    ("nothing", dead(None), False),
]


@pytest.mark.parametrize(("what", "letter", "is_held"), HELD, ids=[each[0] for each in HELD])
def test_dead_letters_are_found_by_the_address_in_whatever_spelling(
    what: str, letter: DeadLetter, is_held: bool
) -> None:
    mailboxes = mailboxes_of([PEOPLE_THERE[0]], "m-ann")
    assert holding([letter], mailboxes) == ([letter] if is_held else [])


@pytest.mark.parametrize(
    ("wanted", "erased", "purged"),
    [
        ("m-ann", ["m-ann"], ["0/1"]),
        ("seller:nord", ["seller:nord"], []),
        # Erased before: what is left of the address is in the dead letter.
        ("cleo@gone.example", [], ["0/2"]),
    ],
)
def test_dead_letters_with_the_address_are_purged_and_no_others(
    kafka: Kafka, wanted: str, erased: list[str], purged: list[str]
) -> None:
    kafka.letters = [
        dead(b"bob@gmail.com", offset=0),
        dead(b"ann@gmail.com", offset=1),
        dead(b"cleo@gone.example", offset=2),
    ]
    said = json.loads(jointbuy("erase", wanted, "--yes", "--json").stdout)
    assert (said["erased"], said["dead_letters"]) == (erased, purged)
    assert kafka.purged == purged


# --- what is said --------------------------------------------------------------------------------

ANN, NORD = PEOPLE_THERE[0], PEOPLE_THERE[3]
DATED = {Place.PEOPLE: T + timedelta(days=8), Place.COMMANDS: T + timedelta(days=37)}
BURIED = {Place.DEAD_LETTERS: T + timedelta(days=91)}


@pytest.mark.parametrize(
    ("given", "person_id", "dated", "has_seller"),
    [
        ({}, "m-ann", DATED, False),
        ({"dead_letter_days": 90}, "m-ann", DATED | BURIED, False),
        ({"dead_letter_days": 0}, "seller:nord", DATED, True),
        # A shop's person whose id reads alike is no seller.
        ({}, "acme:seller:nord", DATED, False),
        # No topic of a replay drops a record.
        ({"clock": "log", "dead_letter_days": 90}, "m-ann", {}, False),
    ],
)
def test_every_place_is_listed_with_its_end(
    given: dict[str, Any], person_id: str, dated: dict[Place, datetime], has_seller: bool
) -> None:
    settings = Settings(**given)
    found = kept(settings, [person(person_id, "a@b.example")], T)
    assert {each.place: each.until for each in found if each.until} == dated
    assert {each.place for each in found} == set(Place) - (set() if has_seller else {Place.SELLER})


def test_every_place_has_words() -> None:
    assert set(STAYS) == set(Place)
    for each in kept_after("seller:nord", T, dead_letter_days=None, is_log_time=False):
        assert all(told_of(each)[:3])


def test_a_seller_among_several_is_said_once() -> None:
    places = [each.place for each in kept(Settings(), [ANN, NORD], T)]
    assert len(places) == len(set(places)) == len(Place)


def test_the_terminal_says_what_stays_and_until_when(kafka: Kafka) -> None:
    shown = jointbuy("erase", "seller:nord", "--yes").stdout
    for place, said in STAYS.items():
        assert said.what in shown, place
        assert said.why in shown, place
    assert shown.count("Until 2") == len(DATED)


def test_kafka_is_told_to_compact_people_in_that_time() -> None:
    """Else a quiet topic keeps a person for as long as nobody is written to it."""
    day_ms = 24 * 3_600_000
    told = PEOPLE.settings(log_time=False)
    assert (told["max.compaction.lag.ms"], told["segment.ms"]) == (f"{7 * day_ms}", f"{day_ms}")
    # No shorter: a notifier or storefront that is down so long still finds the tombstone.
    assert told["min.compaction.lag.ms"] == f"{7 * day_ms}"
    # A replay's records have times of any year: by them all would be old at once.
    assert not {"max.compaction.lag.ms", "segment.ms"} & set(PEOPLE.settings(log_time=True))
