"""What people who run the system and its programs act on: keys, tasks, dead letters."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from schemas.parts import Id, Instant, Message, Money, Text, Version
from schemas.topic import Topic


class ApiKey(Message):
    """A key by which a seller's or a shop's programs act; the key itself is known to them alone.

    ``digest`` is the SHA-256 of the key in hexadecimal; as keys are random, it needs no salt.
    """

    type: Literal["ApiKey"] = "ApiKey"
    key_id: Id
    role: Literal["seller", "shop"]
    holder_id: Id
    digest: Id
    issued_at: Instant
    revoked_at: Instant | None = None
    version: Version
    keyed_by: ClassVar[str] = "key_id"


class KeyParked(Message):
    """Ops set one key of one service aside until a tombstone of the same record key."""

    type: Literal["KeyParked"] = "KeyParked"
    service: Id
    parked: Id
    at: Instant
    reason: Text | None = None
    keyed_by: ClassVar[str] = "parked"

    @property
    def key(self) -> str:
        """``<key>/<service>``."""
        return f"{self.parked}/{self.service}"


TaskKind = Literal["transfer", "order", "record"]


Outcome = Literal["replayed", "purged", "expired"]


#: Most characters of an id.
ID_MAX = 64


#: Most characters of ``Task.problem``.
PROBLEM_MAX = 1_000


#: Most characters of ``Task.about`` and of ``Task.reason``.
ABOUT_MAX = 200


Short = Annotated[str, StringConstraints(max_length=ABOUT_MAX)]


class Task(Message):
    """Something that only people can do: it is open until ``done_at``.

    ``transfer`` is money that came for no invoice, ``order`` a shop's order that could not be read
    or fetched, ``record`` any other dead letter. ``shop_id`` is the shop that may see the task, by
    the id of its API key; without one it is the admin's alone. ``about`` is what people call the
    thing: the order's number in the shop, the bank's reference, the record's place
    (``topic/partition/offset``). ``reason`` is a code, ``problem`` says it in words. ``amount`` is
    in minor units of ``currency``. ``done_reason`` is what people said when they closed it.
    ``outcome`` says how a task with a dead letter was done: the dead letter was replayed or purged,
    or it had expired.

    ``version`` is as ``next_version`` says.

    Payments and letters that are left to people are not tasks: their own facts tell of them. The
    beginning of ``task_id`` says which service opens a task: ``transfer-`` the storefront,
    ``order-`` shop_bridge, ``record-<topic>-<partition>-<offset>`` the service that read the
    record. People close tasks by the storefront, or by the terminal with the dead letter.
    """

    type: Literal["Task"] = "Task"
    task_id: Id
    kind: TaskKind
    shop_id: Id | None = None
    group_id: Id | None = None
    about: Short
    reason: Short
    problem: Annotated[str, StringConstraints(max_length=PROBLEM_MAX)]
    amount: Money | None = None
    currency: Annotated[str, StringConstraints(max_length=16)] | None = None
    since: Instant
    done_at: Instant | None = None
    done_reason: Short | None = None
    outcome: Outcome | None = None
    version: Version = 1
    keyed_by: ClassVar[str] = "task_id"


def next_version(known: int, now: datetime) -> int:
    """The version of a task that is written at ``now``; ``known`` is the writer's last, or 0.

    A task has several writers that do not know of each other: shop_bridge tells what it finds, and
    people close a task by hand. Of all that was written the highest version stands, so it is the
    writer's time in milliseconds since 1970: the latest word wins, in whichever order it arrives.
    A writer's own versions rise even where its clock does not. ``now`` is a rule's ``now`` in a
    rule, so that a replay gives the same version.

    A task that opens only once, of a transfer or a record, begins with 1: if its opening is written
    again, that is never the latest word.
    """
    return max(known + 1, round(now.timestamp() * 1_000))


def order_task_id(source: str, order_id: str) -> str:
    """The id of the task for a shop's order, by the order's source and the shop's own order id.

    The same order gives the same id, whether a webhook or a poll met it.
    """
    return f"order-{sha256(f'{source}/{order_id}'.encode()).hexdigest()[:32]}"


def transfer_task_id(reference: str) -> str:
    """The id of the task for a bank's transfer, by the mark by which its money counts once.

    The same transfer gives the same id in whichever statement it stands.
    """
    return f"transfer-{sha256(reference.encode(errors='replace')).hexdigest()[:32]}"


def record_task_id(topic: str, partition: int | str, offset: int | str) -> str:
    """The id of the task for a dead letter, by the place of its record; ``topic`` has no prefix.

    A place that makes no id, as it is too long or holds a slash, is hashed.
    """
    task_id = f"record-{topic}-{partition}-{offset}"
    if (
        len(task_id) <= ID_MAX
        and task_id.isascii()
        and task_id.isprintable()
        and "/" not in task_id
    ):
        return task_id
    return f"record-{sha256(task_id.encode()).hexdigest()[:32]}"


API_KEYS = Topic(
    name="api-keys",
    kind="fact",
    key="key_id",
    messages=(ApiKey,),
    producers=("storefront",),
    consumers=("storefront",),
    purpose="Digests of the keys by which sellers' and shops' programs act.",
    compacted=True,
)


WITH_PROCESSORS = (
    "request_service",
    "order_service",
    "favor_service",
    "payment_service",
    "auction_service",
    "notifier",
    "shop_bridge",
)


DEAD_LETTERS = Topic(
    name="dead-letters",
    kind="ops",
    key="the record's own",
    messages=(),
    producers=WITH_PROCESSORS,
    consumers=("terminal",),
    purpose="Records that could not be read, card numbers masked; headers say where from and why.",
)


TASKS = Topic(
    name="tasks",
    kind="fact",
    key="task_id",
    messages=(Task,),
    producers=(*WITH_PROCESSORS, "storefront", "terminal"),
    consumers=("storefront",),
    purpose="Tasks for people that no other fact contains; the latest word on a task stands.",
    compacted=True,
)


PARKED_KEYS = Topic(
    name="parked-keys",
    kind="ops",
    key="parked/service",
    messages=(KeyParked,),
    producers=("terminal",),
    consumers=WITH_PROCESSORS,
    purpose="Keys that ops set aside; their records wait until a tombstone.",
    compacted=True,
)
