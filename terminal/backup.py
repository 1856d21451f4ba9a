"""``jointbuy backup``: writes all records of a stopped deployment to a folder or a bucket."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Final

import typer

from runtime import clients
from runtime.admin import cluster_id
from runtime.archive import (
    FORMAT,
    MANIFEST,
    Manifest,
    StoredOutbox,
    StoredReader,
    StoredTopic,
    sealed,
)
from runtime.processor import Processor
from runtime.records import InputRecord
from runtime.repartition import TOPICS, Reader
from runtime.running_stack import settings_here
from runtime.settings import Settings
from terminal import topics
from terminal.archive_stores import Store, check_free, store_at
from terminal.archives import TopicWriter
from terminal.console import (
    Mistake,
    Step,
    count,
    mistakes,
    print_json,
    print_table,
    progress,
    say,
    table,
)
from terminal.copying import check_stopped, rows_kept
from terminal.options import AsJson
from terminal.stopped import Stopped, stopped
from terminal.topic_plans import known_processors
from terminal.whole import QUICK

#: What a deployment has beside its topics.
ELSEWHERE: Final = (
    "Keep apart from the backup, as no topic has it:",
    "- the secrets: LINK_SECRET above all, without which no sent link works and persons get other"
    " ids; the keys of the admin, of shops' webhooks, of Stripe and of SMTP",
    "- the settings: environment, SHOPS, the issuer of invoices, users and rights of the cluster",
    "- the storefront's database, by its own means (pg_dump): idempotency keys, ended sessions, and"
    " confirmations by link. All else in it is built anew",
    "- persons erased from now on: `jointbuy erased >> FILE` every day, for `jointbuy restore"
    " --erased FILE`",
)


@mistakes()
def backup(
    to: Annotated[
        str,
        typer.Argument(metavar="TO", help="A new folder, or s3://bucket/prefix: docs/backup.md."),
    ],
    as_json: AsJson = False,
) -> None:
    """Write all records of a stopped deployment, and where each service goes on, to a place.

    Stop all its processes first, and all that writes to its topics. Nothing of the topics is
    changed. A place that has a backup is refused. A run that was stopped starts over. Run it as a
    user who may read all topics and use all transactional ids.
    """
    settings = settings_here()
    if not settings.kafka_transactions:
        raise Mistake("a broker without transactions keeps nothing that is worth a backup")
    store = store_at(to)
    began = time.monotonic()
    with progress("writing") as step:
        manifest = asyncio.run(_backed_up(settings, known_processors(), store, step))
    took = time.monotonic() - began
    if as_json:
        print_json({"at": str(store), "seconds": round(took, 1), **as_facts(manifest)})
        return
    print_topics(manifest)
    for each in manifest.left_out:
        say(f"left out, as it can't be read and every reader has passed it: {each}")
    say(
        f"The backup is complete: {count(manifest.records, 'record')}, {manifest.size:,} bytes in"
        f" {took:.0f} s. Start the processes again. `jointbuy restore {store} --dry-run` checks it."
    )
    for line in ELSEWHERE:
        say(line)


def as_facts(manifest: Manifest) -> dict[str, object]:
    """A backup as JSON."""
    return {
        "made_at": manifest.made_at,
        "jointbuy": manifest.jointbuy,
        "topic_prefix": manifest.topic_prefix,
        "partitions": manifest.partitions,
        "records": manifest.records,
        "bytes": manifest.size,
        "topics": {name: each.records for name, each in manifest.topics.items()},
        "left_out": manifest.left_out,
    }


def print_topics(manifest: Manifest) -> None:
    """A table of what a backup has."""
    made = table("Topic", "Records", "Segments", "Bytes", right=("Records", "Segments", "Bytes"))
    for name, each in manifest.topics.items():
        if each.records:
            size = sum(part.size for part in each.segments)
            made.add_row(name, f"{each.records:,}", f"{len(each.segments):,}", f"{size:,}")
    print_table(made)
    say(f"and {count(sum(not each.records for each in manifest.topics.values()), 'empty topic')}")


async def _backed_up(
    settings: Settings, processors: Sequence[Processor], store: Store, step: Step
) -> Manifest:
    """Write all. The manifest comes last, when nothing has changed meanwhile."""
    settings = settings.model_copy(update=QUICK)
    await check_free(store)
    async with (
        topics.connected(clients.admin(settings), settings) as client,
        stopped(client, settings, processors, step) as source,
    ):
        outboxes = await source.outboxes()
        await check_stopped(client, [settings], processors, outboxes)
        await source.fence()
        writing = _Writing(source, store, settings.partitions)
        await rows_kept(writing, processors)
        readers = await source.readers()
        for name in TOPICS:
            async for _ in writing.read(name):
                pass
        left_out = source.passed_over(readers)
        await source.check_unchanged(source.again())
        await check_stopped(client, [settings], processors, outboxes)
        manifest = Manifest(
            format=FORMAT,
            jointbuy=version("jointbuy"),
            made_at=datetime.now(UTC),
            cluster_id=await cluster_id(settings),
            topic_prefix=settings.topic_prefix,
            partitions=settings.partitions,
            clock=settings.clock,
            topics=writing.topics,
            groups=[StoredReader(each.group, each.topic, [*each.at]) for each in readers],
            outboxes=[
                StoredOutbox(settings.without_prefix(group), at.topic, at.partition, each.offset)
                for group, kept in outboxes.items()
                for at, each in kept.items()
            ],
            dead_letters_expire=await source.dead_letters_expire(),
            left_out=[str(each) for each in left_out],
        )
    await store.put(MANIFEST, sealed(manifest))
    return manifest


class _Writing:
    """A ``Source`` whose records are written to a store as they are read."""

    def __init__(self, source: Stopped, store: Store, partitions: int) -> None:
        self.topics: dict[str, StoredTopic] = {}
        self._source = source
        self._store = store
        self._partitions = partitions

    async def read(self, name: str) -> AsyncIterator[InputRecord]:
        """All records of a topic."""
        writer = TopicWriter(self._store, name, self._partitions)
        async for record in self._source.read(name):
            await writer.add(record)
            yield record
        await writer.end()
        self.topics[name] = writer.topic

    async def readers(self) -> list[Reader]:
        """Where each group goes on."""
        return await self._source.readers()
