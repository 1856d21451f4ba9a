"""``jointbuy restore``: brings a backup back into an empty cluster."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import typer
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import TypeAdapter

from runtime import clients
from runtime.admin import cluster_id
from runtime.archive import Manifest, sealed
from runtime.metadata import counts_of
from runtime.processor import Processor
from runtime.repartition import TOPICS, Move
from runtime.running_stack import settings_here
from runtime.settings import Settings
from schemas.parts import PersonId
from schemas.people import PEOPLE, PersonErased
from terminal import topics
from terminal.archive_stores import Store, store_at
from terminal.archives import Archive, manifest_of
from terminal.backup import as_facts, print_topics
from terminal.console import (
    Mistake,
    Step,
    confirm,
    count,
    mistakes,
    print_json,
    progress,
    say,
    when,
)
from terminal.copying import PREFIX, Proof, Target, check_stopped, surveyed
from terminal.options import AsJson
from terminal.proofs import as_facts as facts_of_proof
from terminal.proofs import print_proof
from terminal.topic_plans import known_processors
from terminal.whole import QUICK

#: Who was erased so long before the backup is erased again, as clocks may differ.
CLOCKS_DIFFER: Final = timedelta(hours=1)
_person_id = TypeAdapter(PersonId).validate_python


@mistakes()
def restore(
    place: Annotated[
        str, typer.Argument(metavar="FROM", help="A folder, or s3://bucket/prefix: docs/backup.md.")
    ],
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Restore to this TOPIC_PREFIX.")
    ] = None,
    erased: Annotated[
        Path | None,
        typer.Option("--erased", help="What `jointbuy erased` printed: erases them again."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the backup, without a cluster.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back into an empty cluster: topics, rows, and where each service goes on.

    The settings are those of the new deployment: TOPIC_PREFIX and PARTITIONS may be other ones than
    in the backup. The whole backup is checked before anything is written. Then all is compared, key
    by key. A run that was stopped starts over. No worker starts before all is there. Run it as a
    user who may create and delete topics.
    """
    settings = settings_here()
    if prefix is not None:
        settings = settings.model_copy(update={"topic_prefix": prefix})
    if not PREFIX.fullmatch(settings.topic_prefix):
        raise Mistake(
            "--prefix: give at most 100 letters, digits, dots, dashes and underscores", usage=True
        )
    store = store_at(place)
    processors = known_processors()
    manifest = asyncio.run(manifest_of(store, [*TOPICS, *(each.changelog for each in processors)]))
    persons = [] if erased is None else erased_since(erased, manifest.made_at)
    if dry_run:
        _check(store, manifest, as_json=as_json)
        return
    if not settings.kafka_transactions:
        raise Mistake("restore to a broker with transactions: this one keeps nothing")
    if manifest.clock != settings.clock:
        raise Mistake(f"the backup's deployment has CLOCK={manifest.clock}: set it here, too")
    if not yes:
        confirm(_question(manifest, settings))
    with progress("restoring") as step:
        restoring = Restoring(store, manifest, settings, processors, step, persons)
        proof = asyncio.run(restoring.run())
    if as_json:
        print_json(facts_of_proof(proof))
    else:
        print_proof(proof)
    if not proof.is_same:
        raise Mistake("the copy differs, so it is not used: run this again")
    if not as_json:
        for line in what_follows(settings, proof, restoring.outboxes_left, len(persons)):
            say(line)


def _question(manifest: Manifest, settings: Settings) -> str:
    return (
        f"Restore {count(manifest.records, 'record')} of {when(manifest.made_at)} from the"
        f" prefix {manifest.topic_prefix!r} and {manifest.partitions} partitions to the prefix"
        f" {settings.topic_prefix!r} with {settings.partitions} on"
        f" {settings.kafka_bootstrap_servers}?"
    )


def _check(store: Store, manifest: Manifest, *, as_json: bool) -> None:
    with progress("checking") as step:
        asyncio.run(Archive(store, manifest, step).check())
    if as_json:
        print_json(as_facts(manifest))
        return
    print_topics(manifest)
    say(
        f"{store} is whole: {count(manifest.records, 'record')} of {when(manifest.made_at)}, made"
        f" by jointbuy {manifest.jointbuy}."
    )


def erased_since(path: Path, since: datetime) -> list[str]:
    """The persons of a file that `jointbuy erased` wrote who were erased since then.

    Raises ``Mistake``.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is not UTF-8"
        raise Mistake(f"--erased: {path}: {said}", usage=True) from None
    found: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        at, _, person_id = line.strip().partition(" ")
        try:
            if line.strip() and datetime.fromisoformat(at) >= since - CLOCKS_DIFFER:
                found[_person_id(person_id)] = None
        except (TypeError, ValueError):
            raise Mistake(
                f"--erased: line {number} of {path} is not a time and a person's id, as `jointbuy"
                " erased` prints them",
                usage=True,
            ) from None
    return [*found]


def what_follows(settings: Settings, proof: Proof, outboxes: int, erased: int) -> list[str]:
    """What to do next, a step a line."""
    done = "was complete before" if proof.was_complete else "is complete"
    lines = [f"The restore {done}."]
    if erased:
        lines.append(
            f"{count(erased, 'person')} erased again. Dead letters may have their addresses:"
            " `jointbuy erase ADDRESS` purges them."
        )
    if outboxes:
        lines.append(
            f"{count(outboxes, 'reader')} of shops' topics will begin at the beginning, as this is"
            " another cluster. Orders that come again count once."
        )
    return [
        *lines,
        f"1. Set TOPIC_PREFIX={settings.topic_prefix} and PARTITIONS={settings.partitions} for"
        " every process, with the secrets and settings of the old deployment.",
        "2. If the cluster has ACLs: run `jointbuy topics apply` with these settings.",
        "3. See to it that the old deployment never starts again: both would charge and mail.",
        "4. Start all processes. They restore their rows, and the read model is built anew.",
    ]


class Restoring:
    """One run."""

    def __init__(
        self,
        store: Store,
        manifest: Manifest,
        settings: Settings,
        processors: Sequence[Processor],
        step: Step,
        erased: Sequence[str] = (),
    ) -> None:
        self._store = store
        self._manifest = manifest
        self._settings = settings.model_copy(update=QUICK)
        self._processors = processors
        self._step = step
        self._erased = erased
        #: Groups on shops' topics that begin at their beginnings.
        self.outboxes_left = 0

    async def run(self) -> Proof:
        """Check, copy and compare. If something differs, the copy stays incomplete.

        Raises ``Mistake`` where it would be wrong to begin, or to go on.
        """
        settings, manifest = self._settings, self._manifest
        is_same_cluster = await self._is_same_cluster()
        source = Archive(self._store, manifest, self._step, passes=2)
        move = Move(
            manifest.topic_prefix, settings.topic_prefix, manifest.partitions, settings.partitions
        )
        async with topics.connected(clients.admin(settings), settings) as client:
            # After a kill, a complete copy is used only if it is of the same backup.
            content = sha256(sealed(manifest)).hexdigest().encode()
            target = Target(client, settings, self._processors, content)
            await check_stopped(client, [settings], self._processors)
            if await target.was_complete():
                await self._open(target)
                return Proof(was_complete=True)
            found = await surveyed(source, move, self._processors)
            await target.make_topics()
            proof = Proof(await target.copy(source, move, found), await target.commit(found))
            if not proof.is_same:
                return proof
            await self._outboxes(target, client, is_same_cluster=is_same_cluster)
            await check_stopped(client, [settings], self._processors)
            await target.complete(manifest.dead_letters_expire)
            await self._open(target)
            return proof

    async def _is_same_cluster(self) -> bool:
        """Whether the backup is of this cluster; its topics' own names are refused then."""
        if await cluster_id(self._settings) != self._manifest.cluster_id:
            return False
        if self._settings.topic_prefix == self._manifest.topic_prefix:
            raise Mistake(
                f"the backup is of this cluster and its prefix {self._manifest.topic_prefix!r},"
                " where rows and the read model would be taken for those of the old topics: choose"
                " another --prefix, one that was never used"
            )
        return True

    async def _outboxes(
        self, target: Target, client: AIOKafkaAdminClient, *, is_same_cluster: bool
    ) -> None:
        """Let readers of shops' topics go on, where these are the same topics."""
        kept = self._manifest.outboxes
        names = {each.topic for each in kept} if is_same_cluster else set()
        there = await counts_of(client._client, names)
        offsets: dict[str, dict[TopicPartition, int]] = {each.group: {} for each in kept}
        for each in kept:
            if each.topic in there:
                offsets[each.group][TopicPartition(each.topic, each.partition)] = each.offset
        for group, at in offsets.items():
            await target.commit_for(group, at)
        self.outboxes_left = sum(not at for at in offsets.values())

    async def _open(self, target: Target) -> None:
        """Erase those who were erased since the backup, then let the processes start."""
        at = datetime.now(UTC)
        gone = [
            topics.record_of(self._settings, PEOPLE, PersonErased(person_id=each), at)
            for each in self._erased
        ]
        if gone:
            await topics.send(self._settings, [each._replace(value=None) for each in gone])
        await target.open()
