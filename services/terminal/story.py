"""A group's story from the topics: every fact that is left of it, with what made each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from schemas.messages import (
    GroupPurchase,
    IdIssued,
    Message,
    PurchaseOpened,
    PurchaseState,
    RequestRefused,
    Terms,
)
from schemas.topics import CATALOGUE, DEAD_LETTERS, Topic
from services.runtime.records import Cause, InputRecord
from services.runtime.settings import Settings
from services.terminal import topics
from services.terminal.console import Step
from services.terminal.describing import describe
from services.terminal.show import is_of

#: What tells of a request or a group, in the order in which one follows from the other.
TOLD_BY = (
    "parked-keys",
    "group-purchase-requests",
    "request-outcomes",
    "group-purchases",
    "purchases",
    "favors",
)


@dataclass
class Fact:
    """A record that tells of the group; ``input`` is what made it, if that is still kept."""

    topic: Topic
    record: InputRecord
    headers: dict[str, str]
    message: Message | None
    input: InputRecord | None = None

    @property
    def rule(self) -> str:
        """The rule that decided it; empty of what came from outside."""
        return self.headers.get("ce_rule", "")

    @property
    def because(self) -> str:
        """The input that made it, as ``topic/partition/offset``, or the clock's word."""
        return self.headers.get("ce_cause", "")

    @property
    def cause(self) -> Cause | None:
        """The input's place, if it was a record."""
        topic, _, place = self.because.partition("/")
        partition, _, offset = place.partition("/")
        if topic in CATALOGUE and partition.isdigit() and offset.isdigit():
            return Cause(topic, int(partition), int(offset))
        return None

    @property
    def place(self) -> Cause:
        """Where it lies."""
        return Cause(self.topic.name, self.record.partition, self.record.offset)

    @property
    def says(self) -> str:
        """What it says, in one line."""
        if self.topic is DEAD_LETTERS:
            said = {name: self.headers.get(name, "?") for name in ("service", "error")}
            return f"dead letter of {said['service']}: {said['error']}"
        if self.message is not None:
            return describe(self.message)
        key = (self.record.key or b"").decode("utf-8", "replace")
        return f"no longer: {key}" if self.record.value is None else f"unreadable: {key}"


@dataclass
class Story:
    """All that is left, in order of time."""

    reference: str
    group_id: str | None = None
    request_id: str | None = None
    facts: list[Fact] = field(default_factory=list)

    def last(self, kind: type[Message]) -> Fact | None:
        """The latest fact of a kind."""
        return next((fact for fact in reversed(self.facts) if isinstance(fact.message, kind)), None)

    @property
    def closing(self) -> Fact | None:
        """What closed the group: the first summary that is not open."""
        for fact in self.facts:
            if isinstance(fact.message, PurchaseState) and fact.message.status != "open":
                return fact
        return None


async def collect(settings: Settings, reference: str, step: Step | None = None) -> Story:
    """Read what is left of a group, or of a request, and of the one that belongs to it."""
    story = Story(reference)
    story.facts = await _facts_about(settings, reference, step)
    for fact in story.facts:
        message = fact.message
        if isinstance(message, IdIssued | Terms | PurchaseState):
            story.group_id, story.request_id = message.group_id, message.request_id
        elif isinstance(message, RequestRefused):
            story.request_id = message.request_id
    for other in {story.group_id, story.request_id} - {reference, None}:
        story.facts += await _facts_about(settings, str(other), step)
    ids = {reference, story.group_id, story.request_id} - {None}
    story.facts += await _dead_letters(settings, [str(each) for each in ids], step)
    order = {name: rank for rank, name in enumerate(TOLD_BY)}
    story.facts.sort(
        key=lambda fact: (
            fact.record.timestamp,
            order.get(fact.topic.name, len(order)),
            fact.record.offset,
        )
    )
    return story


async def add_inputs(settings: Settings, facts: Sequence[Fact]) -> None:
    """Read back what made these facts, as far as it is kept."""
    causes = {fact.cause for fact in facts if fact.cause is not None}
    found = await topics.read_back(settings, causes)
    for fact in facts:
        if fact.cause is not None:
            fact.input = found.get(fact.cause)


async def _facts_about(settings: Settings, key_id: str, step: Step | None) -> list[Fact]:
    partitions = [
        tp for name in TOLD_BY for tp in topics.partitions_of(settings, CATALOGUE[name], key_id)
    ]
    return [
        fact_of(settings, record)
        async for record in topics.read(settings, partitions, step)
        if is_of(record, key_id)
    ]


async def _dead_letters(settings: Settings, ids: Collection[str], step: Step | None) -> list[Fact]:
    # They lie in the partition that they came from, which need not be their key's.
    partitions = topics.partitions_of(settings, DEAD_LETTERS)
    return [
        fact_of(settings, record)
        async for record in topics.read(settings, partitions, step)
        if any(is_of(record, each) for each in ids)
    ]


def fact_of(settings: Settings, record: InputRecord) -> Fact:
    """A record with its topic, its headers as text, and its message if it can be read."""
    topic = CATALOGUE[record.topic.removeprefix(settings.topic_prefix)]
    message = topics.message_of(topic, record) if topic.messages else None
    return Fact(topic, record, topics.headers_of(record), message)


def important(fact: Fact) -> bool:
    """Whether it is of the group itself, and no step or member among many."""
    message = fact.message
    if isinstance(message, PurchaseState):
        return message.status != "open"
    return fact.topic.name not in ("purchases", "favors") or isinstance(
        message, PurchaseOpened | GroupPurchase
    )
