"""What a deployment needs on its cluster: topics, and each process's rights; pure.

Both follow from the catalogue, the processors' declarations and the settings. In Kafka, an ACL that
allows Read, Write or Delete allows Describe too, so Describe stands only where nothing else does.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from runtime.processor import Processor
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.ops import DEAD_LETTERS, PARKED_KEYS, TASKS
from schemas.topic import Topic, compaction_in_time

#: The topic of ``runtime.broker_clock``. It has one partition, and it is made before all others.
CLOCK: Final = "clock"
#: Settings that make dead letters expire.
EXPIRES_BY: Final = ("retention.ms", "segment.ms", "message.timestamp.type")
#: The group of ``services.storefront.projector``.
PROJECTOR: Final = "storefront-projector"
#: Groups of ``services.shop_bridge.webhooks`` on shops' outboxes begin with this.
OUTBOXES: Final = "shop_bridge-outbox-"

Kind = Literal["topic", "group", "transactional-id"]
Operation = Literal["Read", "Write", "Delete", "Describe"]


# --- topics --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedTopic:
    """A topic by its name on the broker; ``replicas`` -1 is the cluster's default."""

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str] = field(default_factory=dict)


def topics_of(settings: Settings, processors: Iterable[Processor] = ()) -> list[PlannedTopic]:
    """The clock, the catalogue, and the changelogs of these processors."""
    planned = [_planned(settings, CLOCK, _OF_CLOCK, 1)]
    planned += [
        _planned(settings, each.name, set_on(settings, each)) for each in CATALOGUE.values()
    ]
    planned += [_planned(settings, each.changelog, _of_changelog(settings)) for each in processors]
    return planned


def set_on(settings: Settings, topic: Topic) -> dict[str, str]:
    """The settings of a topic of the catalogue."""
    days = settings.dead_letter_days or 0
    return dict(topic.settings(log_time=settings.clock == "log", dead_letter_days=days))


_OF_CLOCK: Final = {"message.timestamp.type": "LogAppendTime", "retention.ms": "3600000"}


def _of_changelog(settings: Settings) -> dict[str, str]:
    configs = {
        "cleanup.policy": "compact",
        "delete.retention.ms": str(settings.state_kept_seconds * 1000),
        "max.message.bytes": str(2 * 1024 * 1024),
    }
    # The notifier's changelog has addresses, and a person may be erased.
    return configs | (compaction_in_time() if settings.clock == "wall" else {})


def _planned(
    settings: Settings, name: str, configs: Mapping[str, str], partitions: int = 0
) -> PlannedTopic:
    least = settings.min_insync_replicas
    return PlannedTopic(
        settings.topic(name),
        partitions or settings.partitions,
        settings.replication_factor,
        {**configs, **({} if least is None else {"min.insync.replicas": str(least)})},
    )


@dataclass(frozen=True)
class FoundTopic:
    """A topic that is on the broker."""

    partitions: int
    replicas: int
    settings: Mapping[str, str] = field(default_factory=dict)


def differences(settings: Settings, planned: PlannedTopic, found: FoundTopic) -> dict[str, str]:
    """What is not as planned: ``{"partitions": "4, planned 8"}``.

    Without DEAD_LETTER_DAYS, dead letters may expire or not.
    """
    kept: Collection[str] = ()
    if settings.dead_letter_days is None and planned.name == settings.topic(DEAD_LETTERS.name):
        kept = EXPIRES_BY
    told = {
        name: f"{found.settings.get(name, 'not set')}, planned {value}"
        for name, value in planned.settings.items()
        if name not in kept and found.settings.get(name) != value
    }
    if planned.replicas not in (-1, found.replicas):
        told = {"replicas": f"{found.replicas}, planned {planned.replicas}", **told}
    if planned.partitions != found.partitions:
        told = {"partitions": f"{found.partitions}, planned {planned.partitions}", **told}
    return told


# --- rights --------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Right:
    """Something that one may do with a topic, a group or transactional ids, by the broker's name.

    With ``is_prefix``, with all whose names begin so.
    """

    kind: Kind
    name: str
    operation: Operation
    is_prefix: bool = False


@dataclass(frozen=True)
class Rights:
    """What a process may do, and nothing else."""

    process: str
    rights: tuple[Right, ...]


@dataclass(frozen=True, order=True)
class Acl:
    """A right of a principal."""

    principal: str
    right: Right


def worker_rights(settings: Settings, processors: Sequence[Processor]) -> Rights:
    """The rights of a worker that hosts these processors of one service."""
    reads, writes = [PARKED_KEYS.name], [DEAD_LETTERS.name, TASKS.name]
    found: list[Right] = []
    for each in processors:
        reads += [*_names(each.inputs), *_names(each.reads_whole), each.changelog]
        writes += [*_names(each.outputs), each.changelog]
        group = settings.topic(each.group_id)
        found.append(Right("group", group, "Read"))
        if settings.kafka_transactions:
            found.append(Right("transactional-id", f"{group}-", "Write", is_prefix=True))
    if settings.clock == "wall":
        writes.append(CLOCK)
    else:
        found.append(Right("topic", settings.topic(CLOCK), "Describe"))
    return _rights(settings, processors[0].service, reads, writes, found)


def rights_of(
    settings: Settings,
    processors: Iterable[Processor],
    followed: Iterable[Topic],
    outboxes: Iterable[str] = (),
) -> list[Rights]:
    """The rights of every process.

    ``followed`` are the topics that the pages follow, ``outboxes`` those of shops, by their names
    on the broker.
    """
    known = [*processors]
    services = dict.fromkeys(each.service for each in known)
    facts = [each for each in CATALOGUE.values() if each.kind == "fact" and each.compacted]
    joined = Right("group", settings.topic(PROJECTOR), "Read")
    sees_clock = Right("topic", settings.topic(CLOCK), "Describe")
    follows = [Right("topic", each, "Read") for each in outboxes]
    follows += [Right("group", settings.topic(OUTBOXES), "Read", is_prefix=True)] if follows else []
    return [
        *(worker_rights(settings, [each for each in known if each.service == name])
          for name in services),
        _rights(settings, "payment_service.webhooks", (), ("payment-reports",)),
        _rights(settings, "shop_bridge.webhooks", (), _OF_WEBHOOKS, follows),
        _rights(settings, "storefront", _names(followed), _written_by("storefront")),
        _rights(settings, "storefront.projector", _names(facts), (), [joined, sees_clock]),
        _ops(settings, known),
    ]  # fmt: skip


#: What ``services.shop_bridge.edge.publisher`` writes.
_OF_WEBHOOKS: Final = ("shop-events", "orders", DEAD_LETTERS.name)


def _ops(settings: Settings, processors: Sequence[Processor]) -> Rights:
    """The terminal's: it reads all topics, sends dead letters again, and looks at groups."""
    again = [name for each in processors for name in _names(each.inputs)]
    waits = [each.changelog for each in processors if "waiting" in each.rows]
    groups = [*(each.group_id for each in processors), PROJECTOR]
    found = [Right("group", settings.topic(each), "Describe") for each in groups]
    found.append(Right("group", settings.topic(OUTBOXES), "Describe", is_prefix=True))
    found.append(Right("topic", settings.topic(DEAD_LETTERS.name), "Delete"))
    writes = [*_written_by("terminal"), *again]
    return _rights(settings, "terminal", [*CATALOGUE, *waits], writes, found)


def _rights(
    settings: Settings,
    process: str,
    reads: Iterable[str],
    writes: Iterable[str],
    more: Iterable[Right] = (),
) -> Rights:
    found = {Right("topic", settings.topic(name), "Read") for name in reads}
    found |= {Right("topic", settings.topic(name), "Write") for name in writes}
    return Rights(process, tuple(sorted(found | {*more}, key=_place)))


def _place(right: Right) -> tuple[int, Right]:
    return ("topic", "group", "transactional-id").index(right.kind), right


def _names(topics: Iterable[Topic]) -> list[str]:
    return [each.name for each in topics]


def _written_by(program: str) -> list[str]:
    return [each.name for each in CATALOGUE.values() if program in each.producers]


def acls_of(rights: Iterable[Rights], principal: str) -> list[Acl]:
    """The ACLs of processes; ``principal`` names each one's user, as ``User:jointbuy-{service}``.

    Without ``{service}`` all have the same user.
    """
    found = (
        Acl(principal.replace("{service}", each.process), right)
        for each in rights
        for right in each.rights
    )
    return list(dict.fromkeys(found))


# --- ACLs that are there -------------------------------------------------------------------------


@dataclass(frozen=True)
class FoundAcl:
    """An ACL on the broker that allows something, in Kafka's words for it."""

    principal: str
    kind: str
    name: str
    operation: str
    is_prefix: bool


def is_covered(acl: Acl, found: Iterable[FoundAcl]) -> bool:
    """Whether one of these allows it."""
    return any(_covers(each, acl) for each in found)


def _covers(found: FoundAcl, acl: Acl) -> bool:
    right = acl.right
    allowed = {right.operation, "All"}
    if right.operation == "Describe":
        allowed |= {"Read", "Write", "Delete", "Alter"}
    if found.kind != right.kind or found.principal not in (acl.principal, "User:*"):
        return False
    if found.is_prefix:
        is_named = right.name.startswith(found.name)
    else:
        is_named = found.name == "*" or (found.name == right.name and not right.is_prefix)
    return is_named and found.operation in allowed
