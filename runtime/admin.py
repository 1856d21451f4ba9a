"""Topics made from the catalogue and from processors' declarations, before any worker starts."""

import asyncio
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from runtime import acls
from runtime.broker_watch import other_partitions, partitions, wanted_of
from runtime.clients import admin
from runtime.lasting_errors import LastingError, lasting
from runtime.metadata import AWAY, asked, counts_of
from runtime.processor import Processor
from runtime.settings import CLUSTER_S_OWN, Settings
from runtime.topic_plan import CLOCK, EXPIRES_BY, PlannedTopic, set_on, topics_of
from schemas.catalogue import CATALOGUE
from schemas.ops import DEAD_LETTERS, PARKED_KEYS, TASKS

_log = structlog.get_logger()
#: Kafka's number for a setting of the topic itself (DescribeConfigs, ``config_source``).
TOPIC_S_OWN = 1
#: Seconds until every broker should know which topics are there.
LISTED_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 0.05


async def create_topics(
    settings: Settings,
    processors: Iterable[Processor] = (),
    needed: Collection[str] | None = None,
) -> list[str]:
    """Create what is missing of the catalogue, and the changelogs; returns the names made.

    ``needed`` are the topics that a process can't work without, by their names on the broker: if
    they are there, it makes none, and needs no right to. By default all are needed.
    An existing topic of dead letters gets the expiry of the settings, if they have one.
    Raises ``LastingError`` for topics of our names that another application made or that have
    another number of partitions, as equal keys would be in other partitions, and when the broker
    refuses to create one for a lasting reason.
    """
    client = admin(settings)
    await client.start()
    try:
        planned = topics_of(settings, processors)
        clock, *others = planned
        there = await counts_of(client._client, [each.name for each in planned])
        asked = {clock.name, *(needed or ())} - there.keys()
        if asked:
            await _check_hidden(client, asked)
        counts = {topic.name: topic.partitions for topic in others}
        if (failure := not_ours(there, counts, clock.name)) is not None:
            raise failure
        if settings.topic(DEAD_LETTERS.name) in there:
            await _let_dead_letters_expire(client, settings, must=needed is None)
        if needed is not None and all(name in there for name in needed):
            return []
        # The clock first: where it is, the others are ours.
        refused = [] if clock.name in there else await create(client, [clock])
        missing = [topic for topic in others if topic.name not in there]
        if missing and not refused:
            refused = await create(client, missing)
        lacking = [name for name in refused if needed is None or name in needed]
        if lacking:
            raise _may_not_make(settings, lacking)
        gone = {*there, *refused}
        return [topic.name for topic in (*others, clock) if topic.name not in gone]
    finally:
        await client.close()


def _may_not_make(settings: Settings, missing: Sequence[str]) -> LastingError:
    who = acls.US.principal or "this process"
    return LastingError(
        f"the broker at {settings.kafka_bootstrap_servers} has no {', '.join(missing)}, and {who}"
        " may not create topics: run `jointbuy topics apply` as a user who may, with the same"
        " TOPIC_PREFIX and PARTITIONS"
    )


async def _check_hidden(client: AIOKafkaAdminClient, names: Collection[str]) -> None:
    """Raise ``LastingError`` for topics that the broker does not let us see; asking makes none."""
    told = await asked(client._client, names)
    refused = TopicAuthorizationFailedError
    if hidden := {name for code, name, *_ in told.topics if code == refused.errno}:
        raise lasting(refused(hidden)) or refused(hidden)


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
    return other_partitions(wrong, {**{n: needed[n] for n in known}, clock: 1}) if wrong else None


async def delete_topics(settings: Settings, names: list[str]) -> None:
    """Delete topics, with all that is in them, and wait until no broker lists them.

    Raises ``LastingError`` for topics that we may not delete, or ``KafkaError``.
    """
    client = admin(settings)
    await client.start()
    try:
        response = await client.delete_topics(names)
        for name, code in response.topic_error_codes:
            if code and code != UnknownTopicOrPartitionError.errno:
                refusal = for_code(code)(name)
                raise lasting(refusal, "Delete") or refusal
        await _until_all_brokers_list(client, names, are_there=False)
    finally:
        await client.close()


async def _until_all_brokers_list(
    client: AIOKafkaAdminClient, names: Collection[str], *, are_there: bool
) -> None:
    """Wait until every broker lists these topics, or none of them.

    A broker hears of topics made and deleted a moment after the controller's answer: until then, it
    lists deleted ones, with no partition, and not those just made.
    Raises ``KafkaTimeoutError`` after ``LISTED_SECONDS``.
    """
    wanted = sorted(names)
    if not wanted:
        return
    try:
        async with asyncio.timeout(LISTED_SECONDS):
            for node in client._client.cluster.brokers():
                while True:
                    if await _lists(client, node.nodeId, wanted, are_there=are_there):
                        break
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
    except TimeoutError:
        done = "made" if are_there else "deleted"
        raise KafkaTimeoutError(
            f"a broker does not know yet that {', '.join(wanted)} are {done}: run this again"
        ) from None


async def _lists(
    client: AIOKafkaAdminClient, node: int, names: Sequence[str], *, are_there: bool
) -> bool:
    """Whether a broker lists all of these topics, or none; one that is away confuses nobody."""
    try:
        told = await asked(client._client, names, node)
    except AWAY:
        return True
    unknown = UnknownTopicOrPartitionError.errno
    return all((code != unknown) is are_there for code, *_ in told.topics)


async def topics_of_ours(settings: Settings) -> list[str]:
    """Topics on the broker that carry the prefix and are of the catalogue, or a changelog."""
    client = admin(settings)
    await client.start()
    try:
        names = await client.list_topics()
    finally:
        await client.close()
    ours = {settings.topic(name) for name in (*CATALOGUE, CLOCK)}
    changelog = re.compile(re.escape(settings.topic_prefix) + r"[a-z]+_service-[a-z]+-changelog")
    return sorted(name for name in names if name in ours or changelog.fullmatch(name))


async def origin(settings: Settings) -> str:
    """The cluster's id and the prefix, so that rows of other topics are never taken for ours."""
    cluster = await cluster_id(settings)
    return f"{cluster}/{settings.topic_prefix}" if settings.topic_prefix else cluster


async def cluster_id(settings: Settings) -> str:
    """The cluster's id."""
    client = admin(settings)
    await client.start()
    try:
        return str((await asked(client._client)).cluster_id or "unnamed")
    finally:
        await client.close()


async def create(client: AIOKafkaAdminClient, topics: Sequence[PlannedTopic]) -> list[str]:
    """Create topics that are not there, and wait until every broker lists them.

    Returns the names of those that we may not create. Raises ``LastingError``.
    """
    response = await client.create_topics([_new(topic) for topic in topics])
    refused = []
    for name, code, *_ in getattr(response, "topic_errors", ()):
        error = for_code(code)
        if error in (TopicAuthorizationFailedError, ClusterAuthorizationFailedError):
            refused.append(name)
        # Another starter may have been quicker.
        elif code and error is not TopicAlreadyExistsError:
            refusal = error(f"topic {name} could not be made")
            raise lasting(refusal, "Create") or refusal
    made = {topic.name for topic in topics} - {*refused}
    await _until_all_brokers_list(client, made, are_there=True)
    return refused


def _new(topic: PlannedTopic) -> NewTopic:
    # aiokafka wants assignments, if only empty ones, beside the cluster's own number of copies.
    assigned: dict[int, list[int]] | None = {} if topic.replicas == CLUSTER_S_OWN else None
    return NewTopic(
        topic.name, topic.partitions, topic.replicas, assigned, topic_configs=dict(topic.settings)
    )


def needed_by(settings: Settings, processors: Iterable[Processor]) -> dict[str, int]:
    """The partitions of each topic that these processors can't work without, by its name."""
    needed: dict[str, int] = {}
    for each in processors:
        topics = (*each.inputs, *each.outputs, *each.reads_whole, PARKED_KEYS, DEAD_LETTERS, TASKS)
        needed |= wanted_of(settings, *topics)
        needed[settings.topic(each.changelog)] = settings.partitions
    if settings.clock == "wall":
        needed[settings.topic(CLOCK)] = 1
    return needed


async def _let_dead_letters_expire(
    client: AIOKafkaAdminClient, settings: Settings, *, must: bool
) -> None:
    """Set the expiry from the settings; other settings of the topic stay unchanged.

    Who may not is only told so, unless it ``must`` be done: `jointbuy topics apply` does it too.
    """
    if settings.dead_letter_days is None or settings.clock == "log":
        return
    try:
        await _set_expiry(client, settings)
    except LastingError as error:
        if must:
            raise
        _log.warning("DEAD_LETTER_DAYS is left to `jointbuy topics apply`", error=str(error))


async def _set_expiry(client: AIOKafkaAdminClient, settings: Settings) -> None:
    name = settings.topic(DEAD_LETTERS.name)
    there = await set_of_topic(client, name)
    wanted = {k: v for k, v in there.items() if k not in EXPIRES_BY}
    wanted |= set_on(settings, DEAD_LETTERS)
    if wanted != there:
        await replace_settings(client, {name: wanted})


async def replace_settings(
    client: AIOKafkaAdminClient, wanted: Mapping[str, Mapping[str, str]]
) -> None:
    """Give topics these settings of their own, by their names, and no others.

    Raises ``LastingError``.
    """
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, dict(settings))
        for name, settings in wanted.items()
    ]
    for response in await client.alter_configs(resources):
        for code, said, _, name, *_ in response.resources:
            if code:
                refused = lasting(for_code(code)(name), "AlterConfigs")
                raise refused or LastingError(
                    f"the settings of topic {name} can't be changed: {said or code}"
                )


async def set_of_topic(client: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    """The settings of a topic that are its own, not the broker's defaults."""
    asked = ConfigResource(ConfigResourceType.TOPIC, name)
    found: dict[str, str] = {}
    for response in await client.describe_configs([asked]):
        for resource in response.to_object()["resources"]:
            kind = for_code(resource["error_code"])
            if kind in acls.KINDS:
                raise lasting(kind(name), "DescribeConfigs") or kind(name)
            for entry in resource["config_entries"]:
                if entry.get("config_source") == TOPIC_S_OWN:
                    found[entry["config_names"]] = entry["config_value"]
    return found
