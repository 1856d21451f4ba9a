"""The story of a group or an auction: every fact that is kept, each with its input."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from domain.orders import confirm_by
from runtime.follower import partitions_of
from runtime.records import Cause, InputRecord
from runtime.settings import Settings
from schemas.auctions import (
    ApplicationRefused,
    Auction,
    CounterOffered,
    Offer,
    OfferJudged,
    RightIntercepted,
)
from schemas.catalogue import CATALOGUE
from schemas.groups import GroupPurchase, IdIssued, RequestRefused, Terms
from schemas.ops import DEAD_LETTERS
from schemas.orders import (
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    PurchaseOpened,
    PurchaseState,
)
from schemas.parts import Message
from schemas.topic import Topic
from terminal import topics
from terminal.console import Step
from terminal.descriptions import describe

OUTCOMES = "request-outcomes"
ORDERED = "orders"
#: Topics with facts about an auction, a request or a group, in the order of cause and effect.
TOLD_BY = (
    "parked-keys",
    "offers",
    "auctions",
    "group-purchase-requests",
    OUTCOMES,
    "group-purchases",
    ORDERED,
    "purchases",
    "favors",
)


@dataclass
class Fact:
    """A record about the subject; ``input`` is the record that made it, if it is still kept."""

    topic: Topic
    record: InputRecord
    headers: dict[str, str]
    message: Message | None
    input: InputRecord | None = None

    @property
    def rule(self) -> str:
        """The rule that decided it; empty for records from outside."""
        return self.headers.get("ce_rule", "")

    @property
    def because(self) -> str:
        """The input that made it, as ``topic/partition/offset``, or ``clock/…``."""
        return self.headers.get("ce_cause", "")

    @property
    def cause(self) -> Cause | None:
        """The input's place, if it was a record."""
        topic, _, place = self.because.partition("/")
        partition, _, offset = place.partition("/")
        if topic in CATALOGUE and topics.is_number(partition) and topics.is_number(offset):
            return Cause(topic, int(partition), int(offset))
        return None

    @property
    def place(self) -> Cause:
        """Its place on the broker."""
        return Cause(self.topic.name, self.record.partition, self.record.offset)

    @property
    def says(self) -> str:
        """Its text, in one line."""
        if self.topic is DEAD_LETTERS:
            said = {name: self.headers.get(name, "?") for name in ("service", "error")}
            return f"dead letter of {said['service']}: {said['error']}"
        if self.message is not None:
            return describe(self.message)
        key = (self.record.key or b"").decode("utf-8", "replace")
        return f"no longer: {key}" if self.record.value is None else f"unreadable: {key}"


@dataclass
class Story:
    """All facts, in order of time."""

    reference: str
    auction_id: str | None = None
    group_id: str | None = None
    request_id: str | None = None
    facts: list[Fact] = field(default_factory=list)

    def last(self, kind: type[Message]) -> Fact | None:
        """The latest fact of a kind."""
        return next((fact for fact in reversed(self.facts) if isinstance(fact.message, kind)), None)

    def unconfirmed(self, now: datetime) -> list[OrderPlaced]:
        """Orders by a link that are neither confirmed nor expired."""
        waiting: dict[tuple[str, str], OrderPlaced] = {}
        told: set[tuple[str, str]] = set()
        for message in (fact.message for fact in self.facts):
            match message:
                case OrderPlaced(unconfirmed=True):
                    if now < confirm_by(message.ordered_at):
                        waiting[message.source, message.order_id] = message
                case OrderConfirmed() | OrderCancelled() | OrderPaid() | OrderRefused():
                    told.add((message.source, message.order_id))
        return [order for name, order in waiting.items() if name not in told]

    @property
    def closing(self) -> Fact | None:
        """The fact of the close: the first state that is not open."""
        for fact in self.facts:
            if isinstance(fact.message, PurchaseState) and fact.message.status != "open":
                return fact
        return None


async def collect(settings: Settings, reference: str, step: Step | None = None) -> Story:
    """Read all facts of a group, a request or an auction, and of the subjects that belong to it."""
    story = Story(reference)
    story.facts = await _facts_about(settings, reference, TOLD_BY, step)
    _name(story)
    ids = {story.group_id, story.request_id} - {reference, None}
    # An auction's story ends with the id of the group purchase, which has a story of its own.
    told_by = TOLD_BY if story.auction_id is None else ("group-purchase-requests", OUTCOMES)
    for other in ids:
        story.facts += await _facts_about(settings, str(other), told_by, step)
    _name(story)
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


def _name(story: Story) -> None:
    """Take the ids from the facts."""
    for fact in story.facts:
        match fact.message:
            case IdIssued() | Terms() | PurchaseState() as message:
                story.group_id, story.request_id = message.group_id, message.request_id
            case RequestRefused() as message:
                story.request_id = message.request_id
            case Auction() as message:
                story.auction_id = message.auction_id
                story.request_id = message.group_request_id or story.request_id
            case Offer() | OfferJudged() | ApplicationRefused() as message:
                story.auction_id = message.auction_id


async def add_inputs(settings: Settings, facts: Sequence[Fact]) -> None:
    """Read the inputs of these facts, as far as they are kept."""
    causes = {fact.cause for fact in facts if fact.cause is not None}
    found = await topics.read_back(settings, causes)
    for fact in facts:
        if fact.cause is not None:
            fact.input = found.get(fact.cause)


async def _facts_about(
    settings: Settings, key_id: str, told_by: Sequence[str], step: Step | None
) -> list[Fact]:
    partitions = [tp for name in told_by for tp in partitions_of(settings, CATALOGUE[name], key_id)]
    facts: list[Fact] = []
    by_link: set[tuple[str, str]] = set()
    async for record in topics.read(settings, partitions, step):
        if not is_of(record, key_id):
            continue
        fact = fact_of(settings, record)
        if fact.topic.name != ORDERED or is_by_link(fact.message, by_link):
            facts.append(fact)
    return facts


def is_by_link(message: Message | None, by_link: set[tuple[str, str]]) -> bool:
    """Whether a command is about an order that must be confirmed; no fact tells of such an order.

    ``by_link`` holds the names of such orders seen so far; the new one is added.
    """
    match message:
        case OrderPlaced(unconfirmed=True) | OrderConfirmed():
            by_link.add((message.source, message.order_id))
            return True
        case Order() | OrderCancelled():
            return (message.source, message.order_id) in by_link
    return False


def is_of(record: InputRecord, key_id: str) -> bool:
    """Whether a record's key is this id, or begins with it and a slash."""
    key = record.key or b""
    wanted = key_id.encode()
    return key.startswith(wanted) and key[len(wanted) : len(wanted) + 1] in (b"", b"/")


async def _dead_letters(settings: Settings, ids: Collection[str], step: Step | None) -> list[Fact]:
    # They lie in the partition that they came from, which need not be their key's.
    partitions = partitions_of(settings, DEAD_LETTERS)
    return [
        fact_of(settings, record)
        async for record in topics.read(settings, partitions, step)
        if any(is_of(record, each) for each in ids)
    ]


def fact_of(settings: Settings, record: InputRecord) -> Fact:
    """A record with its topic, its headers as text, and its message if it can be read."""
    topic = CATALOGUE[settings.without_prefix(record.topic)]
    message = topics.message_of(settings, topic, record) if topic.messages else None
    return Fact(topic, record, topics.headers_of(record), message)


def important(fact: Fact) -> bool:
    """Whether a fact is about the group or auction as a whole, not about one of many people."""
    match fact.message:
        case PurchaseState() as state:
            return state.status != "open"
        case Auction() as page:
            return page.status != "open"
        case OfferJudged() as judged:
            return judged.verdict == "shown"
        case CounterOffered() | RightIntercepted() | ApplicationRefused():
            return False
        case PurchaseOpened() | GroupPurchase():
            return True
    return fact.topic.name not in ("purchases", "favors", ORDERED)
