"""Topics made from the catalogue and from processors' declarations, before any worker starts."""

import re
from collections.abc import Iterable, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from runtime import broker_clock
from runtime.broker_watch import other_partitions, partitions, wanted_of
from runtime.clients import admin
from runtime.lasting_errors import LastingError, lasting
from runtime.processor import Processor
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.ops import DEAD_LETTERS, PARKED_KEYS
from schemas.topic import Topic, compaction_in_time

#: Settings that make dead letters expire.
EXPIRES_BY = ("retention.ms", "segment.ms", "message.timestamp.type")
#: Kafka's number for a setting of the topic itself (DescribeConfigs, ``config_source``).
TOPIC_S_OWN = 1


async def create_topics(settings: Settings, processors: Iterable[Processor] = ()) -> list[str]:
    """Create what is missing of the catalogue, and the changelogs; returns the names made.

    An existing topic of dead letters gets the expiry of the settings, if they have one.
    Raises ``LastingError`` for topics of our names that another application made or that have
    another number of partitions, as equal keys would be in other partitions, and when the broker
    refuses to create one for a lasting reason.
    """
    client = admin(settings)
    await client.start()
    try:
        there = await _partitions(client)
        wanted = [_new_topic(settings, topic) for topic in CATALOGUE.values()]
        wanted += [_changelog(settings, processor) for processor in processors]
        needed = {topic.name: topic.num_partitions for topic in wanted}
        clock = _clock(settings)
        if (failure := not_ours(there, needed, clock.name)) is not None:
            raise failure
        missing = [topic for topic in wanted if topic.name not in there]
        # The clock first: where it is, the others are ours.
        if clock.name not in there:
            await _create(client, [clock])
        if missing:
            await _create(client, missing)
        if settings.topic(DEAD_LETTERS.name) in there:
            await _let_dead_letters_expire(client, settings)
        made = [topic.name for topic in missing]
        return made if clock.name in there else [*made, clock.name]
    finally:
        await client.close()


def not_ours(
    there: Mapping[str, int], needed: Mapping[str, int], clock: str
) -> LastingError | None:
    """The error for topics that jointbuy can't use, all of them in one line.

    ``there`` and ``needed`` have the partitions of each topic by its name. The topic ``clock`` is
    made before all others.
    """
    known = {name: there[name] for name in needed if name in there}
    wrong = {name: count for name, count in known.items() if count != needed[name]}
    if known and clock not in there:
        said = [
            f"{name} ({partitions(wrong[name])}, {needed[name]} are needed)"
            if name in wrong
            else name
            for name in known
        ]
        return LastingError(
            f"the broker has {', '.join(said)} already, but no topic {clock}, which jointbuy makes"
            " first: if another application uses them, set TOPIC_PREFIX, such as jointbuy-; if they"
            f" were made for jointbuy, make {clock} with 1 partition too"
        )
    if there.get(clock, 1) != 1:
        wrong[clock] = there[clock]
    return other_partitions(wrong, {**needed, clock: 1}) if wrong else None


async def delete_topics(settings: Settings, names: list[str]) -> None:
    """Delete topics, with all that is in them."""
    client = admin(settings)
    await client.start()
    try:
        await client.delete_topics(names)
    finally:
        await client.close()


async def topics_of_ours(settings: Settings) -> list[str]:
    """Topics on the broker that carry the prefix and are of the catalogue, or a changelog."""
    client = admin(settings)
    await client.start()
    try:
        names = await client.list_topics()
    finally:
        await client.close()
    ours = {settings.topic(name) for name in (*CATALOGUE, broker_clock.TOPIC)}
    changelog = re.compile(re.escape(settings.topic_prefix) + r"[a-z]+_service-[a-z]+-changelog")
    return sorted(name for name in names if name in ours or changelog.fullmatch(name))


async def cluster_id(settings: Settings) -> str:
    """The cluster's id, so that rows of another cluster are never taken for its own."""
    client = admin(settings)
    await client.start()
    try:
        described = await client.describe_cluster()
        return str(described.get("cluster_id") or "unnamed")
    finally:
        await client.close()


async def _partitions(client: AIOKafkaAdminClient) -> dict[str, int]:
    names = [name for name in await client.list_topics() if not name.startswith("__")]
    if not names:
        return {}
    return {
        topic["topic"]: len(topic["partitions"]) for topic in await client.describe_topics(names)
    }


async def _create(client: AIOKafkaAdminClient, topics: list[NewTopic]) -> None:
    try:
        response = await client.create_topics(topics)
    except TopicAlreadyExistsError:
        return
    for name, code, *_ in getattr(response, "topic_errors", ()):
        error = for_code(code)
        # Another starter may have been quicker.
        if code and error is not TopicAlreadyExistsError:
            refusal = error(f"topic {name} could not be made")
            raise lasting(refusal) or refusal


def needed_by(settings: Settings, processors: Iterable[Processor]) -> dict[str, int]:
    """The partitions of each topic that these processors can't work without, by its name."""
    needed: dict[str, int] = {}
    for each in processors:
        topics = (*each.inputs, *each.outputs, *each.reads_whole, PARKED_KEYS, DEAD_LETTERS)
        needed |= wanted_of(settings, *topics)
        needed[settings.topic(each.changelog)] = each.inputs[0].partitions
    if settings.clock == "wall":
        needed[settings.topic(broker_clock.TOPIC)] = 1
    return needed


def _new_topic(settings: Settings, topic: Topic) -> NewTopic:
    return NewTopic(
        settings.topic(topic.name),
        topic.partitions,
        settings.replication_factor,
        topic_configs=_configured(settings, topic),
    )


def _configured(settings: Settings, topic: Topic) -> dict[str, str]:
    days = settings.dead_letter_days or 0
    return dict(topic.settings(log_time=settings.clock == "log", dead_letter_days=days))


async def _let_dead_letters_expire(client: AIOKafkaAdminClient, settings: Settings) -> None:
    """Set the expiry from the settings; other settings of the topic stay unchanged."""
    if settings.dead_letter_days is None or settings.clock == "log":
        return
    name = settings.topic(DEAD_LETTERS.name)
    there = await set_of_topic(client, name)
    wanted = {k: v for k, v in there.items() if k not in EXPIRES_BY}
    wanted |= _configured(settings, DEAD_LETTERS)
    if wanted == there:
        return
    resource = ConfigResource(ConfigResourceType.TOPIC, name, wanted)
    for response in await client.alter_configs([resource]):
        for code, said, *_ in response.resources:
            if code:
                raise LastingError(f"topic {name} can't be set to DEAD_LETTER_DAYS: {said or code}")


async def set_of_topic(client: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    """The settings of a topic that are its own, not the broker's defaults."""
    asked = ConfigResource(ConfigResourceType.TOPIC, name)
    found: dict[str, str] = {}
    for response in await client.describe_configs([asked]):
        for resource in response.to_object()["resources"]:
            for entry in resource["config_entries"]:
                if entry.get("config_source") == TOPIC_S_OWN:
                    found[entry["config_names"]] = entry["config_value"]
    return found


def _changelog(settings: Settings, processor: Processor) -> NewTopic:
    kept_ms = str(settings.state_kept_seconds * 1000)
    configs = {
        "cleanup.policy": "compact",
        "delete.retention.ms": kept_ms,
        "max.message.bytes": str(2 * 1024 * 1024),
    }
    if settings.clock == "wall":
        # The notifier's changelog has addresses, and a person may be erased.
        configs |= compaction_in_time()
    return NewTopic(
        settings.topic(processor.changelog),
        processor.inputs[0].partitions,
        settings.replication_factor,
        topic_configs=configs,
    )


def _clock(settings: Settings) -> NewTopic:
    return NewTopic(
        settings.topic(broker_clock.TOPIC),
        1,
        settings.replication_factor,
        topic_configs={"message.timestamp.type": "LogAppendTime", "retention.ms": "3600000"},
    )
