"""Brings a partition's rows to its changelog's end before anything is processed.

A ``Follower`` does not fit: rows are kept with their offset, and may be ahead of the log.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from runtime.clients import consumer, read_end
from runtime.lasting_errors import LastingError
from runtime.records import Unreadable
from runtime.settings import Settings
from runtime.store import POSITIONS_KEY, Store, with_positions


class UnreadableChangelogError(LastingError):
    """A record of the changelog can't be read."""


async def restore(
    store: Store,
    changelog: TopicPartition,
    settings: Settings,
    cluster: str,
    halting: asyncio.Event,
) -> None:
    """Read the changelog to its end, from the offset of the local rows or from its beginning.

    Or until ``halting`` is set; what is read by then is kept. Raises ``UnreadableChangelogError``,
    as no record may be skipped.
    """
    reader = consumer(settings)
    try:
        await reader.start()
        reader.assign([changelog])
        first = (await reader.beginning_offsets([changelog]))[changelog]
        reader.seek(changelog, max(store.meta.changelog_offset, first))
        at_end = False
        while not at_end and not halting.is_set():
            fetched = await reader.getmany(changelog, timeout_ms=100, max_records=20_000)
            at_end = await take(reader, changelog, store, fetched.get(changelog, ()), cluster)
    finally:
        await reader.stop()


async def take(
    reader: AIOKafkaConsumer,
    changelog: TopicPartition,
    store: Store,
    records: Sequence[Any],
    cluster: str,
) -> bool:
    """Put what was fetched into the rows; whether they are at the changelog's end.

    Starts over if the rows are ahead of it. Raises ``UnreadableChangelogError``.
    """
    rows: dict[bytes, bytes | None] = {}
    meta = store.meta
    for record in records:
        if isinstance(record, Unreadable):
            raise UnreadableChangelogError(_what_to_do(record))
        if record.key == POSITIONS_KEY:
            meta = with_positions(meta, record.value)
        else:
            rows[record.key] = record.value
    position = await reader.position(changelog)
    end = read_end(reader, changelog)
    # The client starts over by itself when rows are ahead of all there is.
    if position < meta.changelog_offset or (end is not None and position > end):
        store.wipe(cluster)
        await reader.seek_to_beginning(changelog)
        return False
    meta.changelog_offset = position
    if records:
        store.write(rows.items(), meta)
    return end is not None and position >= end


def _what_to_do(record: Unreadable) -> str:
    return (
        f"the changelog can't be read at {record}. State without it would be wrong, so this worker"
        " stops. Start it where the rows of this partition still are (STATE_DIR of the worker that"
        " had it last), or bring the topic back from a replica or a backup"
    )
