"""Rows over a store, due rows in time order, and the fold, on real RocksDB without a broker."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime import due
from runtime.fold import Fold
from runtime.overlay import Overlay
from runtime.processor import Processor
from runtime.records import Encoder, Headers, Partitioner, encode, milliseconds
from runtime.rows import Due, MemoryRows, Rows
from runtime.rule_errors import RuleError
from runtime.store import Meta, Store
from schemas.letters import NOTICES, Notice, notices
from schemas.orders import ORDERS, PURCHASES, OrderPaid, PurchaseState
from schemas.parts import Message, Product
from schemas.people import PEOPLE, Person, person_of
from schemas.topic import PARTITIONS

T = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "G"


@dataclass(slots=True)
class Tally:
    quantity: int = 0
    version: int = 0
    closed: bool = False


def count(order: OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    if order.quantity == 13:
        raise ZeroDivisionError("thirteen")
    before = rows.get("tally") or Tally()
    rows["tally"] = Tally(before.quantity + order.quantity, before.version + 1, before.closed)
    if "due/close" not in rows and not before.closed:
        rows["due/close"] = Due(T + timedelta(hours=1))
    if order.quantity == 50:
        rows["chunk/slowly"] = Tally()
    return letter(order, now)


def letter(order: OrderPaid, now: datetime) -> Sequence[Message]:
    contact = order.contact
    if contact is None:
        return ()
    told = notices("offer-judged", contact.party(), order.group_id, now, order.order_id,
                   verdict="shown", reason="better", product=Product(name="tea"))  # fmt: skip
    return *person_of(contact, now), *told


def close(name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    tally = rows["tally"]
    rows["tally"] = Tally(tally.quantity, tally.version + 1, closed=True)
    return (state("tally", rows),)


def slowly(rows: Rows, now: datetime) -> Sequence[Message]:
    cursor = rows["chunk/slowly"]
    if cursor.quantity == 2:
        del rows["chunk/slowly"]
    else:
        rows["chunk/slowly"] = Tally(cursor.quantity + 1)
    return ()


def state(name: str, rows: Rows) -> PurchaseState:
    tally = rows["tally"]
    return PurchaseState(
        group_id=rows.key,
        request_id="r",
        version=tally.version,
        status="complete" if tally.closed else "open",
        quantity=tally.quantity,
        value=0,
        members=1,
    )


PROCESSOR = Processor(
    service="test_service",
    name="tallies",
    inputs=(ORDERS,),
    outputs=(PURCHASES, PEOPLE, NOTICES),
    on={OrderPaid: count},
    due={"close": close},
    chunks={"slowly": slowly},
    facts={"tally": state},
    rows={"tally": Tally, "chunk": Tally},
)


@contextmanager
def store_at(path: Path | None = None) -> Iterator[Store]:
    folder = path or Path(tempfile.mkdtemp())
    store = Store(folder / "rows", "cluster", 1_000.0)
    try:
        yield store
    finally:
        store.close()
        if path is None:
            shutil.rmtree(folder)


class Partition:
    """A fold with a store, without a broker."""

    def __init__(self, store: Store, parked: set[str] | None = None) -> None:
        self.store = store
        partitioner = Partitioner(PARTITIONS)
        topics: dict[type[Message], str] = {
            PurchaseState: "purchases",
            Person: "people",
            Notice: "notices",
        }
        encoder = Encoder("test", topics, partitioner)
        self.fold = Fold(
            PROCESSOR,
            store,
            encoder,
            partitioner,
            "dead-letters",
            parked=(parked if parked is not None else set()).__contains__,
        )
        self.offset = 0
        self.headers: Headers = ()
        self.told: list[str] = []
        self.people: list[str] = []

    def order(
        self,
        quantity: int,
        at: datetime = T,
        key: str = KEY,
        *,
        person_id: str = "",
        email: str = "",
    ) -> None:
        placed = OrderPaid(
            order_id=f"o{self.offset}",
            source="s",
            group_id=key,
            member_id="m",
            person_id=person_id or None,
            member_email=email or None,
            quantity=quantity,
            ordered_at=at,
        )
        self.raw(key.encode(), encode(placed), at)

    def raw(self, key: bytes | None, value: bytes | None, at: datetime = T) -> None:
        self.offset += 1
        partition = Partitioner(PARTITIONS)(KEY if key is None else key.decode())
        self.fold.now_ms = max(self.fold.now_ms, milliseconds(at))
        self.fold.apply(
            "orders",
            SimpleNamespace(  # type: ignore[arg-type]  # a record has these
                topic="orders",
                partition=partition,
                offset=self.offset,
                timestamp=milliseconds(at),
                key=key,
                value=value,
                headers=self.headers,
            ),
        )

    def commit(self) -> list[tuple[int, str]]:
        """(version, status) of the group's facts that the batch sends.

        ``told`` has the letters' keys, ``people`` those of persons.
        """
        rows, outputs = self.fold.take()
        now, stashed = self.fold.now_ms, self.fold.stashed
        self.store.write(rows, Meta(cluster="cluster", now=now, stashed=stashed))
        self.fold.due.load()
        for topic, keys in (("notices", self.told), ("people", self.people)):
            keys += [(each.key or b"").decode() for each in outputs if each.topic == topic]
        facts = [each.value or b"" for each in outputs if each.topic == "purchases"]
        sent = [PurchaseState.model_validate_json(value) for value in facts]
        return [(each.version, each.status) for each in sent]

    def tally(self, key: str = KEY) -> Tally | None:
        found: Tally | None = self.fold.overlay.get(key, "tally")
        return found


# --- facts -------------------------------------------------------------------------------------


def test_facts_of_a_batch_fold_into_the_last() -> None:
    """Three orders in one batch make one fact, with the version of the last."""
    with store_at() as store:
        partition = Partition(store)
        for _ in range(3):
            partition.order(1)
        assert partition.commit() == [(3, "open")]


def test_message_seals_the_facts_before_it() -> None:
    """The close is seen as it was, though an order follows in the same batch."""
    with store_at() as store:
        partition = Partition(store)
        partition.order(1)
        partition.fold.fire()
        partition.order(1, T + timedelta(hours=2))
        assert partition.commit() == [(2, "complete"), (3, "complete")]


@pytest.mark.parametrize("person_id", ["s:ann", KEY])
def test_letter_seals_nothing(person_id: str) -> None:
    """It is not of the key's story: the facts still fold into the last, whoever is written to."""
    with store_at() as store:
        partition = Partition(store)
        for _ in range(3):
            partition.order(1, person_id=person_id)
        assert partition.commit() == [(3, "open")]
        assert partition.told == [person_id] * 3


def test_person_seals_nothing() -> None:
    """An address is a fact of another key: those of the group still fold into the last."""
    with store_at() as store:
        partition = Partition(store)
        for _ in range(3):
            partition.order(1, email="ann@x.example")
        assert partition.commit() == [(3, "open")]
        assert partition.people == ["s:m"] * 3


# --- due rows ----------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=60), st.data())
def test_due_rows_come_in_order_whatever_the_window(times: list[int], data: st.DataObject) -> None:
    """Put in any order, over any number of batches, they come out by time and each once."""
    before, due.WINDOW = due.WINDOW, 4
    try:
        with store_at() as store:
            overlay, queue = Overlay(PROCESSOR, store), due.DueQueue(store)
            taken: list[int] = []
            for number, seconds in enumerate(times):
                at = T + timedelta(seconds=seconds)
                overlay.put(str(number), "due/close", Due(at))
                queue.add(milliseconds(at), f"{number}\x00due/close")
                if data.draw(st.booleans()):
                    store.write(overlay.take(), Meta(cluster="cluster"))
                    queue.load()
            store.write(overlay.take(), Meta(cluster="cluster"))
            queue.load()
            while queue.earliest() is not None:
                at_ms, row_key = queue.pop()
                overlay.put(row_key.partition("\x00")[0], "due/close", None)
                taken.append(at_ms)
                store.write(overlay.take(), Meta(cluster="cluster"))
                queue.load()
        assert taken == sorted(milliseconds(T + timedelta(seconds=each)) for each in times)
    finally:
        due.WINDOW = before


def test_due_rows_survive_a_restart(tmp_path: Path) -> None:
    """The index is found again, and a row that moved is found at its new time only."""
    with store_at(tmp_path) as store:
        overlay = Overlay(PROCESSOR, store)
        for seconds in (5, 9):
            overlay.put("G", "due/close", Due(T + timedelta(seconds=seconds)))
            store.write(overlay.take(), Meta(cluster="cluster"))
    with store_at(tmp_path) as store:
        queue = due.DueQueue(store)
        assert queue.pop() == (milliseconds(T + timedelta(seconds=9)), "G\x00due/close")
        assert queue.earliest() is None


# --- keys that wait ----------------------------------------------------------------------------


def test_records_wait_while_chunks_go_on(tmp_path: Path) -> None:
    """A key in chunks holds its records, also over a restart; other keys go on."""
    with store_at(tmp_path) as store:
        partition = Partition(store)
        partition.order(50)
        partition.order(1)
        partition.order(7, key="H")
        assert partition.tally() == Tally(50, 1)
        assert partition.tally("H") == Tally(7, 1)
        partition.commit()
    with store_at(tmp_path) as store:
        partition = Partition(store)
        turns = 0
        while partition.fold.ready():
            partition.fold.advance(KEY)
            turns += 1
        assert partition.tally() == Tally(51, 2)
        assert turns == 5, "three chunks, the stash, and the release"


def test_parked_key_waits_and_goes_on_in_order() -> None:
    """Its records and its deadline wait; each is then handled at its own time."""
    parked = {KEY}
    with store_at() as store:
        partition = Partition(store, parked)
        parked.clear()
        partition.order(1)
        parked.add(KEY)
        partition.order(2, T + timedelta(minutes=59))
        partition.fold.fire()
        partition.order(4, T + timedelta(hours=2))
        assert partition.tally() == Tally(1, 1)
        assert partition.fold.ready() == []
        parked.clear()
        while partition.fold.ready():
            partition.fold.advance(KEY)
        assert partition.tally() == Tally(7, 4, closed=True)
        assert (3, "complete") in partition.commit(), "closed between the two orders"


def test_bug_in_a_rule_names_the_record() -> None:
    """Nothing is skipped: who, where, and what to do stand in the error."""
    with store_at() as store, pytest.raises(RuleError) as raised:
        Partition(store).order(13)
    for part in ("test_service", "count", "thirteen", "orders/", "/1,", "jointbuy park G"):
        assert part in str(raised.value)


# --- scans -------------------------------------------------------------------------------------

NAMES = st.text("ab/", min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(NAMES, st.none() | st.integers(1, 9), st.booleans()), max_size=20),
    NAMES,
    st.just("") | NAMES,
    st.booleans(),
)
@example([("/", 1, False), ("a", 1, True)], "a", "/", False)
def test_scan_sees_the_store_and_the_batch_as_one(
    puts: list[tuple[str, int | None, bool]], prefix: str, after: str, reverse: bool
) -> None:
    """Whatever is committed or not, put or deleted, a scan is that of a plain dict."""
    plain = MemoryRows(KEY)
    with store_at() as store:
        overlay = Overlay(PROCESSOR, store)
        for name, quantity, committed in puts:
            row: Any = None if quantity is None else Tally(quantity)
            overlay.put("G", f"tally/{name}", row)
            if row is None:
                plain.pop(f"tally/{name}", None)
            else:
                plain[f"tally/{name}"] = row
            if committed:
                store.write(overlay.take(), Meta(cluster="cluster"))
        beyond = f"tally/{after}" if after else ""
        found = list(overlay.scan("G", f"tally/{prefix}", beyond, reverse=reverse))
    wanted = list(plain.scan(f"tally/{prefix}", after=beyond, reverse=reverse))
    assert found == wanted
