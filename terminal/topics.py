"""Reads topics without a consumer group, up to their end at the start; sends messages."""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError

from runtime import clients, transport
from runtime.broker_watch import other_partitions
from runtime.follower import RECORDS_MAX, Follower, partitions_of
from runtime.metadata import counts_of
from runtime.records import (
    BadRecordError,
    Cause,
    InputRecord,
    OutputRecord,
    Partitioner,
    Unreadable,
    as_record,
    decode,
    key_id,
    milliseconds,
)
from runtime.security import access_of
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.parts import Message
from schemas.topic import Topic
from terminal.console import Mistake, Step, say

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0


@asynccontextmanager
async def connected(client: Any, settings: Settings) -> AsyncIterator[Any]:
    """Start a consumer, producer or admin client and stop it at the end."""
    stop = client.stop if hasattr(client, "stop") else client.close
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await client.start()
    except (KafkaConnectionError, TimeoutError):
        await stop()
        if (refusal := access_of(settings).refusal) is not None:
            raise refusal from None
        raise Mistake(
            f"no broker answers at {settings.kafka_bootstrap_servers}:"
            " run `jointbuy up`, or set KAFKA_BOOTSTRAP_SERVERS"
        ) from None
    try:
        yield client
    finally:
        await stop()


async def read(
    settings: Settings, partitions: Sequence[TopicPartition], step: Step | None = None
) -> AsyncGenerator[InputRecord, None]:
    """Every record from the beginning to the end as it stood at the start, partition by partition.

    Records from an open transaction on are left out; a record that can't be read is named on
    stderr. A caller that may stop early uses ``aclosing``, so that the connection does not outlive
    the loop.
    """
    async with _follower(settings, partitions) as follower:
        begins = {tp: await follower.reader.position(tp) for tp in partitions}
        done = 0
        for tp in partitions:
            async for batch in _batches(follower, tp):
                done += len(batch)
                if step is not None:
                    step(done, sum(end - begins[known] for known, end in follower.ends.items()))
                for record in batch:
                    yield record


@asynccontextmanager
async def _follower(
    settings: Settings, partitions: Sequence[TopicPartition]
) -> AsyncIterator[Follower]:
    """A follower of partitions that exist, from their beginnings."""
    follower = Follower(settings, _name_unreadable, leaves_open=True)
    async with connected(follower, settings):
        await assign(follower.reader, settings, partitions)
        yield follower


def _name_unreadable(record: Unreadable) -> None:
    say(f"left out, as it can't be read: {record}", err=True)


async def _batches(
    follower: Follower, tp: TopicPartition, records_max: int = RECORDS_MAX
) -> AsyncGenerator[list[InputRecord], None]:
    """The batches of a partition up to its end, none of them empty."""
    heard = time.monotonic()
    async for batch in follower.to_end(tp, records_max):
        if batch:
            yield batch
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENCE_SECONDS:
            raise Mistake(
                f"no records of {tp.topic} partition {tp.partition} for {SILENCE_SECONDS:.0f} s:"
                " check the broker, then try again"
            )


async def latest_per_key(records: AsyncIterator[InputRecord]) -> list[InputRecord]:
    """The latest record of each key that is not deleted, in the order of partition and offset."""
    kept: dict[tuple[int, bytes | None], InputRecord] = {}
    async for record in records:
        place = (record.partition, record.key)
        # A repeated key moves to the end, so the rest is in the order of offsets.
        kept.pop(place, None)
        if record.value is not None:
            kept[place] = record
    return list(kept.values())


async def stable_ends(
    settings: Settings, partitions: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """The first offsets of partitions, and the offsets of their stable ends."""
    async with _follower(settings, partitions) as follower:
        begins = await follower.reader.beginning_offsets(list(partitions))
        await follower.reader.seek_to_end(*partitions)
        for tp in partitions:
            async for _ in _batches(follower, tp):
                pass
        return begins, follower.ends


async def timestamps_from(
    settings: Settings, places: Collection[tuple[TopicPartition, int]]
) -> dict[tuple[TopicPartition, int], int]:
    """The timestamp, in milliseconds, of the first committed record from each offset on.

    Places from which there is none up to the stable end are left out. A record that can't be read
    counts as one.
    """
    found: dict[tuple[TopicPartition, int], int] = {}
    waiting: dict[TopicPartition, list[int]] = {}
    for tp, offset in sorted(places, reverse=True):
        waiting.setdefault(tp, []).append(offset)
    if not waiting:
        return found
    passed: list[Unreadable] = []
    follower = Follower(settings, passed.append, leaves_open=True)
    async with connected(follower, settings):
        await assign(follower.reader, settings, [*waiting])
        # All partitions are fetched at once; of several offsets in one, the lowest comes first.
        while now := {tp: offsets.pop() for tp, offsets in waiting.items() if offsets}:
            follower.reader.pause(*(waiting.keys() - now.keys()))
            for tp, offset in now.items():
                follower.reader.seek(tp, offset)
            for tp, offset in now.items():
                passed.clear()
                first = await anext(_batches(follower, tp, records_max=1), None)
                seen = [*passed, *(first or ())]
                stamps = [each.timestamp for each in seen if each.timestamp >= 0]
                if stamps:
                    found[tp, offset] = stamps[0]
    return found


async def read_back(settings: Settings, causes: Collection[Cause]) -> dict[Cause, InputRecord]:
    """The records at these places, where they are still kept; topics are the catalogue's."""
    found: dict[Cause, InputRecord] = {}
    places = {
        cause: TopicPartition(settings.topic(cause.topic), cause.partition)
        for cause in causes
        if cause.topic in CATALOGUE
    }
    if not places:
        return found
    partitions = sorted(set(places.values()))
    async with _follower(settings, partitions) as follower:
        follower.reader.pause(*partitions)
        for cause, tp in places.items():
            follower.reader.resume(tp)
            follower.reader.seek(tp, cause.offset)
            first = await anext(_batches(follower, tp, records_max=1), None)
            follower.reader.pause(tp)
            if first and first[0].offset == cause.offset:
                found[cause] = first[0]
    return found


async def assign(
    reader: AIOKafkaConsumer, settings: Settings, partitions: Sequence[TopicPartition]
) -> None:
    """Give a consumer its partitions, once it is known that they are there."""
    names = {tp.topic for tp in partitions}
    await _check(settings, reader._client, names)
    reader.assign(list(partitions))


async def _check(settings: Settings, client: AIOKafkaClient, names: Collection[str]) -> None:
    """Check that these topics are there, each with all of its partitions."""
    counts = await counts_of(client, names)
    check_there(settings, counts, names)
    check_partitions(settings, counts, names)


def check_there(settings: Settings, there: Collection[str], wanted: Collection[str]) -> None:
    """Refuse to read a missing topic: the broker might create it, or never answer."""
    missing = sorted(set(wanted) - set(there))
    if missing:
        raise Mistake(
            f"the broker at {settings.kafka_bootstrap_servers} has no topic {missing[0]}:"
            " run `jointbuy up`, or look at TOPIC_PREFIX"
        )


def check_partitions(settings: Settings, there: Mapping[str, int], wanted: Collection[str]) -> None:
    """Refuse to read a part of a topic, or to write where nobody looks for a key."""
    needed = dict.fromkeys(sorted(wanted), settings.partitions)
    if wrong := {name: there[name] for name, count in needed.items() if there[name] != count}:
        raise Mistake(str(other_partitions(wrong, needed)))


# --- contents of records -------------------------------------------------------------------------


def message_of(settings: Settings, topic: Topic, record: InputRecord) -> Message | None:
    """The message of a record; ``None`` for a tombstone, and if it breaks its schema."""
    try:
        return decode(topic, record, Partitioner(settings.partitions))
    except BadRecordError:
        return None


def headers_of(record: InputRecord) -> dict[str, str]:
    """A record's headers as text."""
    return as_texts(record.headers)


def as_texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers as text; the last one of each name."""
    return {name: (value or b"").decode("utf-8", "replace") for name, value in headers}


def is_number(text: str) -> bool:
    """Whether a header's text is a whole number as we write them; others may write anything."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def as_text(raw: bytes | None) -> str | None:
    """A key as text; bytes that are not UTF-8 are spelled out."""
    return None if raw is None else raw.decode("utf-8", "backslashreplace")


def as_json(raw: bytes | None) -> Any:
    """A value as the JSON it is, else as text, else ``{"base64": …}``; for orjson to print."""
    if raw is None:
        return None
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return {"base64": b64encode(raw).decode()}
    # Byte for byte as it was sent, but without line ends, which are never part of a string.
    return orjson.Fragment(raw.replace(b"\r", b" ").replace(b"\n", b" "))


async def latest(settings: Settings, topic: Topic, key: str) -> Message | None:
    """The latest message of a key of a compacted topic."""
    (message,) = await latest_of(settings, topic, [key])
    return message


async def latest_of(settings: Settings, topic: Topic, keys: Sequence[str]) -> list[Message | None]:
    """The latest message of each of these keys, which begin with the same id."""
    found: dict[bytes | None, InputRecord | None] = {key.encode(): None for key in keys}
    async for record in read(settings, partitions_of(settings, topic, key_id(keys[0]))):
        if record.key in found:
            found[record.key] = record
    return [
        None if record is None else message_of(settings, topic, record) for record in found.values()
    ]


# --- sending -------------------------------------------------------------------------------------


def record_of(
    settings: Settings, topic: Topic, message: Message, at: datetime, value: bytes | None = None
) -> OutputRecord:
    """A message as a record in its key's partition; ``value`` if it is not to be all of it."""
    name, partitioner = settings.topic(topic.name), Partitioner(settings.partitions)
    return as_record(message, name, partitioner, milliseconds(at), value)


async def send(
    settings: Settings, records: Sequence[OutputRecord]
) -> Mapping[tuple[str, int], int]:
    """Send records; returns the offset after the last one of each topic and partition."""
    async with connected(clients.producer(settings), settings) as sender:
        return await send_by(sender, settings, records)


async def send_by(
    sender: AIOKafkaProducer, settings: Settings, records: Sequence[OutputRecord]
) -> Mapping[tuple[str, int], int]:
    """Send records by a producer that is connected."""
    await _check(settings, sender.client, {record.topic for record in records})
    return await transport.send(sender, records)
