"""Writes backups, and reads them as a ``Source`` of records."""

from collections.abc import AsyncGenerator, Sequence

from runtime.archive import (
    MANIFEST,
    SEGMENT_BYTES,
    SEGMENT_RECORDS,
    ArchiveError,
    Manifest,
    Stored,
    StoredPartition,
    StoredTopic,
    check_same,
    decode,
    encode,
    note,
    opened,
    segment_name,
    size_of,
    stored,
)
from runtime.records import InputRecord
from runtime.repartition import Reader
from terminal.archive_stores import Store
from terminal.console import Mistake, Step


class TopicWriter:
    """Writes a topic's records as segments. Holds one segment in memory."""

    def __init__(self, store: Store, name: str, partitions: int) -> None:
        self.topic = StoredTopic([StoredPartition() for _ in range(partitions)], [])
        self._store = store
        self._name = name
        self._waiting: list[Stored] = []
        self._size = 0

    async def add(self, record: InputRecord) -> None:
        """Take the next record."""
        kept = stored(record)
        note(self.topic, kept)
        self._waiting.append(kept)
        self._size += size_of(kept)
        if self._size >= SEGMENT_BYTES or len(self._waiting) >= SEGMENT_RECORDS:
            await self.end()

    async def end(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        raw, segment = encode(self._waiting)
        name = segment_name(self._name, len(self.topic.segments))
        await self._store.put(name, raw)
        self.topic.segments.append(segment)
        self._waiting, self._size = [], 0


class Archive:
    """A backup as a ``Source``; each segment is checked whenever it is read."""

    def __init__(self, store: Store, manifest: Manifest, step: Step, passes: int = 1) -> None:
        self.manifest = manifest
        self._store = store
        self._step = step
        self._done, self._of = 0, passes * manifest.records

    async def read(self, name: str) -> AsyncGenerator[InputRecord, None]:
        """All records of a topic; none if the backup has none. Raises ``Mistake``."""
        told = self.manifest.topics.get(name)
        if told is None:
            return
        found = StoredTopic([StoredPartition() for _ in range(self.manifest.partitions)], [])
        try:
            for number, segment in enumerate(told.segments):
                part = segment_name(name, number)
                raw = await self._store.get(part)
                if raw is None:
                    raise ArchiveError(f"{part} is missing")
                for record in decode(part, raw, segment):
                    if not 0 <= record.partition < self.manifest.partitions:
                        raise ArchiveError(f"{part} has a record of partition {record.partition}")
                    note(found, record)
                    yield record
                self._done += segment.records
                self._step(self._done, self._of)
            check_same(name, told, found.partitions)
        except ArchiveError as error:
            raise unusable(self._store, error) from None

    async def readers(self) -> list[Reader]:
        """Where each group goes on in each of its topics."""
        return [Reader(each.group, each.topic, each.at) for each in self.manifest.groups]

    async def check(self) -> None:
        """Read all of it. Raises ``Mistake``."""
        for name in self.manifest.topics:
            async for _ in self.read(name):
                pass


def unusable(store: Store, error: ArchiveError) -> Mistake:
    """What to say of a backup that can't be used."""
    return Mistake(f"{store}: {error}: nothing was restored; take another backup")


async def manifest_of(store: Store, known: Sequence[str]) -> Manifest:
    """The manifest of a backup; ``known`` are the topics of this version. Raises ``Mistake``."""
    raw = await store.get(MANIFEST)
    if raw is None:
        raise Mistake(
            f"{store} has no {MANIFEST}: it is not a backup, or one that was stopped before its end"
        )
    try:
        return opened(raw, known)
    except ArchiveError as error:
        raise unusable(store, error) from None
