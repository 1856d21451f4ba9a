"""Whatever fails over one key is told with its key and record, and parking it lets the rest go on.

A rule that raises, a fact that can't be made, a message that can't be sent, a row that can't be
kept, something due or in chunks, a record that waited: the same words, the same way out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runtime.fold import Fold
from runtime.overlay import VALUE_BYTES_MAX
from runtime.processor import Processor
from runtime.records import Encoder, OutputRecord, Partitioner, encode, milliseconds
from runtime.rows import Due, Rows, Table, UnusableError
from runtime.rule_errors import RuleError
from runtime.store import Meta, Store
from schemas.auctions import SellerApproved
from schemas.catalogue import CATALOGUE
from schemas.orders import ORDERS, PURCHASES, OrderPaid, OrderPlaced, PurchaseState
from schemas.parts import Message

T = datetime(2026, 1, 1, tzinfo=UTC)
BAD = "bad"


@dataclass(slots=True)
class Tally:
    quantity: int
    what: Any = ""


def summary(rows: Rows, **fields: Any) -> PurchaseState:
    given: dict[str, Any] = {
        "group_id": rows.key,
        "request_id": "r",
        "version": 1,
        "status": "open",
        "quantity": 1,
        "value": 0,
        "members": 1,
    }
    return PurchaseState(**given | fields)


def count(order: OrderPaid, rows: Rows, now: datetime) -> Sequence[Message]:
    """Count an order; of one whose ``source`` names a way to fail, fail that way."""
    what = order.source
    tally: Tally = rows.get("tally") or Tally(0)
    if what == "unusable":
        raise UnusableError("beyond-limits: no sum can be that much", "beyond-limits")
    sent: list[Message] = []
    match what:
        case "rule":
            raise ZeroDivisionError("thirteen")
        case "message":
            sent = [summary(rows, value=-1)]
        case "too large a message":
            sent = [summary(rows, request_id="r", currency="x" * VALUE_BYTES_MAX)]
        case "a message of no output":
            sent = [SellerApproved(seller_id="s", at=T)]
        case "row":
            rows["kept"] = Tally(1, object())
        case "too large a row":
            rows["kept"] = Tally(1, "x" * VALUE_BYTES_MAX)
        case "due":
            rows["due/fail"] = Due(T + timedelta(hours=1))
        case "due of no rule":
            rows["due/gone"] = Due(T + timedelta(hours=1))
        case "chunk":
            rows["chunk/fail"] = Tally(0)
        case "chunk of no rule":
            rows["chunk/gone"] = Tally(0)
        case "deleted fact":
            rows["tally"] = Tally(-1)
            del rows["tally"]
        case "fact":
            tally = Tally(-20)
        case "refused too late":
            rows["tally"] = tally
            raise UnusableError("too late", "late")
    if what != "deleted fact":
        rows["tally"] = Tally(tally.quantity + order.quantity)
    return sent


def fail(*_: Any) -> Sequence[Message]:
    raise ZeroDivisionError("thirteen")


def refuse(*_: Any) -> Sequence[Message]:
    raise UnusableError("nothing came that could be set aside", "nothing")


def state(name: str, rows: Rows) -> PurchaseState:
    return summary(rows, quantity=rows[name].quantity)


PROCESSOR = Processor(
    service="test_service",
    name="tallies",
    inputs=(ORDERS,),
    outputs=(PURCHASES,),
    on={OrderPaid: count, OrderPlaced: fail},
    due={"fail": fail},
    chunks={"fail": refuse},
    facts={"tally": state},
    rows={"tally": Tally, "kept": Tally, "chunk": Tally},
)


class Partition:
    """A fold with a store, without a broker."""

    def __init__(self, store: Store, *parked: str) -> None:
        one = Partitioner(1)
        encoder = Encoder("test", {PurchaseState: "purchases"}, one)
        self.parked = set(parked)
        self.store = store
        self.fold = Fold(
            PROCESSOR, store, encoder, one, "p.dead-letters", parked=self.parked.__contains__
        )
        self.offset = 0

    def order(self, key: str, what: str = "", at: datetime = T) -> None:
        self.offset += 1
        message = OrderPaid(
            order_id="o", source=what or "shop", group_id=key, member_id="m", quantity=1,
            ordered_at=T,
        )  # fmt: skip
        self.fold.now_ms = max(self.fold.now_ms, milliseconds(at))
        record: Any = SimpleNamespace(
            topic="p.orders",
            partition=0,
            offset=self.offset,
            timestamp=milliseconds(at),
            key=key.encode(),
            value=encode(message),
            headers=(("feed", b"1"),),
        )
        self.fold.apply("orders", record)

    def work(self) -> list[OutputRecord]:
        """All that can be done without another record, then a commit; what is sent."""
        self.fold.now_ms += 7_200_000
        while (earliest := self.fold.due.earliest()) is not None and earliest <= self.fold.now_ms:
            self.fold.fire()
        while ready := self.fold.ready():
            self.fold.advance(ready[0])
        rows, outputs = self.fold.take()
        meta = Meta(cluster="c", now=self.fold.now_ms, stashed=self.fold.stashed)
        self.store.write(rows, meta)
        self.fold.due.load()
        return outputs


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = Store(tmp_path / "rows", "c", 1_000.0)
    yield opened
    opened.close()


WAYS = [
    ("rule", "rule count raised ZeroDivisionError: thirteen on orders/0/1,"),
    ("message", "rule count raised ValidationError: 1 validation error for PurchaseState value"),
    ("too large a message", "rule count raised ValueError: "),
    ("a message of no output", "rule count raised KeyError: "),
    ("fact", "the fact of row tally, changed by rule count, raised ValidationError: 1 validation"),
    ("deleted fact", "the fact of row tally, changed by rule count, raised ValidationError: "),
    ("row", "keeping row kept, with rule count the last of its key, raised TypeError: "),
    ("too large a row", "keeping row kept, with rule count the last of its key, raised ValueError"),
    ("due", "rule fail raised ZeroDivisionError: thirteen on clock/due/fail,"),
    ("due of no rule", "finding the rule of row due/gone raised KeyError: 'gone' on due/gone,"),
    ("chunk", "rule refuse raised UnusableError: nothing came"),
    ("chunk of no rule", "finding the rule of row chunk/gone raised KeyError: 'gone' on chunk/"),
    ("refused too late", "rule count raised AssertionError: refused the record after it had put"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("way", "said"), WAYS, ids=[each[0] for each in WAYS])
def test_what_fails_names_its_key_and_record_and_parked_it_lets_the_rest_go_on(
    way: str, said: str, store: Store
) -> None:
    def feed(partition: Partition) -> list[OutputRecord]:
        partition.order(BAD, way)
        partition.order("good")
        return partition.work()

    with pytest.raises(RuleError) as raised:
        feed(Partition(store))
    text = str(raised.value)
    assert text.startswith(f"test_service: {said}"), text
    assert f", key {BAD}; nothing is skipped." in text
    assert text.endswith(f"jointbuy park {BAD} --service test_service")
    assert "\n" not in text

    parked = Partition(store, BAD)
    assert [each.key for each in feed(parked)] == [b"good"]
    assert parked.fold.ready() == []
    assert parked.fold.waiting == 1
    parked.parked.clear()
    if way.startswith("due"):
        parked.work()  # what was due meanwhile comes after what waited
    with pytest.raises(RuleError):  # nothing is lost: it is applied when the key goes on
        parked.work()


@pytest.mark.parametrize("way", ["fact", "row"])
def test_what_fails_at_the_commit_names_the_last_record_of_its_key(way: str, store: Store) -> None:
    partition = Partition(store)
    for what, key in ((way, BAD), ("", "good"), ("", BAD), ("", "good")):
        partition.order(key, what)
    with pytest.raises(RuleError, match=rf"on orders/0/3, key {BAD};"):
        partition.work()


@pytest.mark.parametrize("waits", [False, True])
def test_a_record_a_rule_can_t_use_is_a_dead_letter_with_the_reason(
    waits: bool, store: Store
) -> None:
    """Its key goes on; one that waited has lost its headers, and all else is there."""
    partition = Partition(store, *([BAD] if waits else []))
    for what in ("", "unusable", ""):
        partition.order(BAD, what)
    partition.parked.clear()
    outputs = partition.work()
    (dead,) = [each for each in outputs if each.topic == "p.dead-letters"]
    headers = dict(dead.headers)
    assert headers["error"] == b"beyond-limits: no sum can be that much"
    assert (headers["topic"], headers["partition"], headers["offset"]) == (b"p.orders", b"0", b"2")
    assert (dead.key, headers.get("feed")) == (BAD.encode(), None if waits else b"1")
    assert OrderPaid.model_validate_json(dead.value or b"").source == "unusable"
    assert [each.key for each in outputs if each.topic == "purchases"] == [BAD.encode()]
    assert partition.fold.overlay.get(BAD, "tally") == Tally(2)


def test_a_record_that_waited_and_can_t_be_read_any_more_names_its_place(store: Store) -> None:
    partition = Partition(store, BAD)
    partition.order(BAD)
    partition.work()
    (name,) = [name for name, _ in partition.fold.rows(BAD).scan(Table("stash", object))]
    stashed = partition.fold.rows(BAD)[name]
    stashed.value = "{}"
    partition.parked.clear()
    with pytest.raises(RuleError, match=rf"a record that waited raised .* orders/0/1, key {BAD};"):
        partition.work()


def test_what_was_due_before_any_clock_is_done_after_a_restart_too(store: Store) -> None:
    """The index knows no time before 1970: what is due then is due now."""
    partition = Partition(store, BAD)
    partition.fold.rows(BAD)["due/fail"] = Due(datetime(1, 1, 1, tzinfo=UTC))
    rows, _ = partition.fold.take()
    store.write(rows, Meta(cluster="c"))
    with pytest.raises(RuleError, match="on clock/due/fail"):
        Partition(store).work()


@pytest.mark.parametrize("topic", CATALOGUE.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("log_time", [False, True])
def test_every_topic_takes_what_the_fold_lets_out(topic: Any, log_time: bool) -> None:
    settings: Callable[..., Any] = topic.settings
    assert int(settings(log_time=log_time)["max.message.bytes"]) >= VALUE_BYTES_MAX + 8_192
