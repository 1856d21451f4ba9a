"""Whatever keeps its schema stops no service: any records, in any order, on any of its inputs.

They go through the real fold, so the facts of changed rows are made, and all that is kept and sent
is encoded; what is sent keeps its own schema. No row and no record holds a person's address or
name from outside, but the records of ``people``, and a row of the notifier, which goes with the
person.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.fold import Fold
from runtime.processor import Processor
from runtime.records import Encoder, Partitioner, encode, milliseconds
from runtime.rows import Call
from runtime.store import Meta, due_index_key
from schemas.auctions import AuctionOpened, Seller, StandingSince
from schemas.catalogue import CATALOGUE
from schemas.groups import GroupPurchase
from schemas.orders import PurchaseOpened
from schemas.parts import Message
from schemas.people import Person, PersonErased
from services.auction_service.processor import PROCESSORS as AUCTIONS
from services.favor_service.processor import PROCESSORS as FAVORS
from services.notifier.processor import letters
from services.notifier.rules.merging import MERGE_FOR
from services.order_service.processor import PROCESSORS as ORDERS
from services.payment_service.processor import PROCESSORS as PAYMENTS
from services.request_service.processor import PROCESSORS as REQUESTS
from services.shop_bridge.processor import PROCESSORS as SHOPS
from tests.rules.any_records import KEYS, LATER, PRIVATE, Choices, T

#: With letters that wait for others, as a worker has it.
LETTERS = (letters(MERGE_FOR),)
EVERY = (*REQUESTS, *ORDERS, *FAVORS, *PAYMENTS, *AUCTIONS, *LETTERS, *SHOPS)
#: How far time goes on before a step; long spans are rare, so that much meets before all is over.
STEPS_MS = tuple(
    span // timedelta(milliseconds=1)
    for span in (
        *(timedelta(0),) * 40,
        *(timedelta(seconds=1), timedelta(minutes=2)) * 5,
        *(timedelta(hours=2), timedelta(days=4), timedelta(days=100)),
    )
)
#: Why a record that keeps its schema is set aside all the same.
UNUSABLE = (
    "beyond-limits: ",
    "the group closed before its terms came",
    *("no group has the id ", "no group with the id ", "no auction with the id "),
)


#: The one kind of row that holds addresses and names: letters are written from it.
HOLDS_ADDRESSES = ("notifier-letters", b"person")


class MemoryStore:
    """What a fold asks of a store, in memory."""

    def __init__(self) -> None:
        self.meta = Meta(cluster="c")
        self._rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        return self._rows.get(key)

    def scan(self, prefix: bytes, start: bytes, *, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        keys = [
            key
            for key in self._keys[bisect_left(self._keys, prefix) :]
            if key[: len(prefix)] == prefix
        ]
        keys = [key for key in keys if (key <= start if reverse else key >= start)]
        for key in reversed(keys) if reverse else keys:
            yield key, self._rows[key]

    def due_after(self, after: bytes, limit: int) -> list[tuple[int, str, bytes]]:
        found = []
        for key in self._keys:
            if key.partition(b"\x00")[2].startswith(b"due/"):
                at = msgspec.json.decode(self._rows[key])["at"]
                at_ms = max(milliseconds(msgspec.convert(at, type=type(T))), 0)
                found.append((at_ms, key.decode(), due_index_key(at_ms, key)))
        return sorted(each for each in found if each[2] > after)[:limit]

    def held(self) -> Iterator[str]:
        return iter(())

    def waiting(self) -> Iterator[tuple[int, str]]:
        return iter(())

    def calls(self) -> list[str]:
        return [k.decode() for k in self._keys if k.partition(b"\x00")[2].startswith(b"call/")]

    def holding(self, content: bytes) -> list[bytes]:
        """The keys of the rows with this content."""
        return [key for key in self._keys if content in key or content in self._rows[key]]

    def write(self, rows: list[tuple[bytes, bytes | None]]) -> None:
        for key, value in rows:
            if value is None:
                if self._rows.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
            else:
                if key not in self._rows:
                    insort(self._keys, key)
                self._rows[key] = value


class Service:
    """A processor's fold over one partition, with its time and its calls."""

    def __init__(self, processor: Processor) -> None:
        self.processor = processor
        self.store = MemoryStore()
        self.known: dict[str, list[str]] = {"payment_id": []}
        self.wholes: list[dict[str, Message]] = [{} for _ in processor.reads_whole]
        self._topics = {
            message: topic.name for topic in processor.outputs for message in topic.messages
        }
        one = Partitioner(1)
        store: Any = self.store
        encoder = Encoder("test", self._topics, one)
        self.fold = Fold(processor, store, encoder, one, "dead-letters", self.wholes)
        self.fold.now_ms = milliseconds(T)
        self.offset = 0
        self._inputs = {
            kind: topic
            for topic in processor.inputs
            for kind in (*topic.messages, topic.tombstone)
            if kind in processor.on
        }
        self._kinds = tuple(self._inputs)
        #: Whether it is told of addresses, and keeps them.
        self.reads_people = PersonErased in self._inputs

    def step(self, given: bytes) -> None:
        """A record, or something else that happens; time goes on."""
        choices = Choices(given, self.known, self.offset + 1)
        self._pass_time(self.fold.now_ms + choices.of(STEPS_MS))
        match choices.evenly(("record",) * 9 + ("commit", "call", "chunk", "whole")):
            case "record":
                self._record(choices)
            case "commit":
                self.commit()
            case "call":
                self._call(choices)
            case "chunk":
                self._advance()
            case "whole":
                for topic, latest in zip(self.processor.reads_whole, self.wholes, strict=True):
                    message = choices.message(choices.evenly(topic.messages))
                    latest[message.key] = message

    def _record(self, choices: Choices) -> None:
        self.take(choices.message(choices.evenly(self._kinds)))
        if choices.of((True, True, False)):
            self._advance()

    def take(self, message: Message) -> None:
        """Fold a record of a message."""
        topic = self._inputs[type(message)]
        self.offset += 1
        record: Any = SimpleNamespace(
            topic=topic.name,
            partition=0,
            offset=self.offset,
            timestamp=self.fold.now_ms,
            key=message.key.encode(),
            value=None if type(message) is topic.tombstone else encode(message),
            headers=(),
        )
        self.fold.apply(topic.name, record)

    def _pass_time(self, until_ms: int) -> None:
        while True:
            earliest = self.fold.due.earliest()
            if earliest is None or earliest > until_ms:
                break
            self.fold.now_ms = max(self.fold.now_ms, earliest)
            self.fold.fire()
        self.fold.now_ms = until_ms

    def _advance(self) -> None:
        for _ in range(200):
            ready = self.fold.ready()
            if not ready:
                return
            for key in ready:
                self.fold.advance(key)
        raise AssertionError("chunks never end")

    def _call(self, choices: Choices) -> None:
        self.commit()
        calls = self.store.calls()
        if not calls:
            return
        key, _, name = choices.evenly(calls).partition("\x00")
        call: Call = self.fold.rows(key)[name]
        if not self.fold.can_call(key):
            return
        ambiguous = choices.evenly((False, True))
        claimed = replace(call, owner="w", ambiguous=ambiguous)
        self.fold.rows(key)[name] = claimed
        request = self.fold.request(key, name, self.fold.now_ms)
        reply = choices.reply(self.processor.calls[name.split("/")[1]].reply)
        # A caller that was to ask whose a payment is has done nothing.
        if getattr(request, "order_id", "known") or reply.outcome != "done":
            self.fold.settle(key, name, reply, self.fold.now_ms)

    def commit(self) -> None:
        rows, outputs = self.fold.take()
        for key, value in rows:
            name = key.partition(b"\x00")[2]
            # A stashed record is a command still, until its key's chunk is done.
            if (self.processor.group_id, name) != HOLDS_ADDRESSES and not name.startswith(
                b"stash/"
            ):
                assert PRIVATE.encode() not in (value or b""), key
        self.store.write(rows)
        self.fold.called.clear()
        self.fold.due.load()
        for output in outputs:
            if output.topic == "dead-letters":
                error = dict(output.headers)["error"].decode()
                assert error.startswith(UNUSABLE), error
                continue
            assert output.topic == "people" or PRIVATE.encode() not in (output.value or b"")
            message = CATALOGUE[output.topic].adapter.validate_json(output.value or b"")
            assert output.key == message.key.encode()
            found = getattr(message, "payment_id", None)
            if found is not None and found not in self.known["payment_id"]:
                self.known["payment_id"].insert(0, found)

    def forget_people(self) -> None:
        """Everybody is erased."""
        for person_id in dict.fromkeys(KEYS):
            self.take(PersonErased(person_id=person_id))
        self._advance()
        self.commit()

    def end(self) -> None:
        """Everything that was begun comes to its end, and is forgotten."""
        for days in (0, 1, 8, 100, 100, 200, 400):
            self._advance()
            self.commit()
            self._pass_time(self.fold.now_ms + days * 24 * 3_600_000)
        self._advance()
        self.commit()


TERMS: Mapping[str, Any] = {"group_id": "a", "opens_at": T, "closes_at": LATER[0]}
SELLER = Seller(
    seller_id="a",
    name="a",
    email="a@x.example",
    registered_at=T,
    standing="good",
    standings=(StandingSince(standing="good", since=T - timedelta(days=1)),),
    version=1,
)
#: What most examples begin with, so that what follows has something to meet; with odd fields else.
OPENING: Mapping[str, tuple[type[Message], Mapping[str, Any]]] = {
    "order_service-purchases": (GroupPurchase, TERMS | {"number_of_products": 2}),
    "favor_service-favors": (PurchaseOpened, TERMS),
    "payment_service-payments": (GroupPurchase, TERMS),
    "auction_service-auction": (
        AuctionOpened,
        {"auction_id": "a", "seller_id": "a", "minimum_reservations": 1, "unit_price": 5}
        | {"currency": "EUR", "offered_at": T, "invites_at": None, "closes_at": LATER[0]}
        | {"minimum_step": 1},
    ),
}


def play(processor: Processor, steps: list[bytes]) -> Service:
    service = Service(processor)
    for latest in service.wholes:
        latest["a"] = SELLER  # of another type than definitions, which then are not known
    if processor.group_id in OPENING and steps and steps[0][:1] < b"\xe0":
        kind, fields = OPENING[processor.group_id]
        message = Choices(steps[0], service.known).message(kind)
        service.take(message.model_copy(update=dict(fields)))
    for step in steps:
        service.step(step)
    if service.reads_people:
        service.forget_people()
        assert not service.store.holding(PRIVATE.encode())
    service.end()
    return service


STEPS = st.binary(min_size=40 * 48, max_size=80 * 48).map(
    lambda given: [given[at : at + 48] for at in range(0, len(given), 48)]
)


def test_the_notifier_holds_an_address_until_its_person_is_erased() -> None:
    """So that a search for addresses that finds none says something."""
    (processor,) = LETTERS
    service = Service(processor)
    service.take(Person(person_id=KEYS[0], email=f"{PRIVATE}@x.example", seen_at=T))
    service.commit()
    assert service.store.holding(PRIVATE.encode())
    service.forget_people()
    assert not service.store.holding(PRIVATE.encode())


@pytest.mark.slow
@pytest.mark.parametrize("processor", EVERY, ids=lambda each: each.group_id)
@settings(max_examples=30)
@given(steps=STEPS)
def test_no_records_stop_a_service(processor: Processor, steps: list[bytes]) -> None:
    play(processor, steps)


@pytest.mark.slow
@pytest.mark.parametrize("processor", EVERY, ids=lambda each: each.group_id)
@settings(max_examples=150)
@given(steps=STEPS)
def test_more_records_stop_no_service(processor: Processor, steps: list[bytes]) -> None:
    play(processor, steps)


@pytest.mark.long
@pytest.mark.parametrize("processor", EVERY, ids=lambda each: each.group_id)
@settings(max_examples=5_000)
@given(steps=STEPS)
def test_no_end_of_records_stops_a_service(processor: Processor, steps: list[bytes]) -> None:
    play(processor, steps)
