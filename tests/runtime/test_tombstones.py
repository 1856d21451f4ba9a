"""What a record without a value says: a person is erased, and on other topics nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from runtime.records import BadRecordError, Partitioner, decode, encode
from schemas.catalogue import CATALOGUE
from schemas.parts import Contact
from schemas.people import PEOPLE, PersonErased, person_of
from schemas.topic import Topic

FOUR = Partitioner(4)
ANN = "acme:ann"
AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Record:
    """A record as a consumer gives it."""

    key: bytes | None
    value: bytes | None = None
    partition: int = FOUR(ANN)
    topic: str = "p.people"
    offset: int = 7
    timestamp: int = 5
    headers: tuple[tuple[str, bytes], ...] = ()


def test_a_person_and_then_a_tombstone_of_the_same_key_are_read() -> None:
    (ann,) = person_of(Contact(id="ann", person_id=ANN, email="ann@x.example"), AT)
    assert decode(PEOPLE, Record(ANN.encode(), encode(ann)), FOUR) == ann
    assert decode(PEOPLE, Record(ANN.encode()), FOUR) == PersonErased(person_id=ANN)


def test_a_tombstone_of_any_other_person_is_that_person_s() -> None:
    key = "leaf:アン".encode()
    record = Record(key, partition=FOUR("leaf:アン"))
    assert decode(PEOPLE, record, FOUR) == PersonErased(person_id="leaf:アン")


UNREAD: dict[str, tuple[Record, str]] = {
    "no key": (Record(None), "wrong-key"),
    "an empty key": (Record(b""), "wrong-key"),
    "a key that is not UTF-8": (Record(b"\xff"), "wrong-key"),
    "a key with a slash": (Record(b"acme:ann/1"), "wrong-key"),
    "a key of control characters": (Record(b"\x00"), "wrong-key"),
    "a key longer than a person's id": (Record(b"x" * 257), "wrong-key"),
    "another partition": (Record(ANN.encode(), partition=(FOUR(ANN) + 1) % 4), "wrong-partition"),
    "a value of nothing": (Record(ANN.encode(), b""), "schema"),
    "a value of null": (Record(ANN.encode(), b"null"), "schema"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_tombstone_that_does_not_name_its_person_erases_nobody(name: str) -> None:
    record, reason = UNREAD[name]
    with pytest.raises(BadRecordError) as error:
        decode(PEOPLE, record, FOUR)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "topic",
    [each for each in CATALOGUE.values() if each.messages and each is not PEOPLE],
    ids=lambda each: each.name,
)
def test_any_other_topic_refuses_a_record_without_a_value(topic: Topic) -> None:
    with pytest.raises(BadRecordError, match="no tombstones") as error:
        decode(topic, Record(ANN.encode()), FOUR)
    assert error.value.reason == "no-value"
