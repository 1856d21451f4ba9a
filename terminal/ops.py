"""``jointbuy export`` and ``park``, for ops."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated

import orjson
import typer

from runtime.follower import partitions_of
from runtime.records import InputRecord, OutputRecord
from runtime.running_stack import settings_here
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.ops import PARKED_KEYS, KeyParked
from schemas.topic import Topic
from terminal import (
    backup,
    dead_letters,
    doctor,
    erasure,
    lag_watch,
    mail,
    people,
    repartition,
    restore,
    topic_plans,
    topics,
    typed_values,
    waits,
)
from terminal.console import (
    Mistake,
    Step,
    cell,
    facts,
    mistakes,
    print_json,
    print_table,
    progress,
    say,
    steady_json,
    table,
    when,
    write,
)
from terminal.options import AsJson, checked, typed

LINES_PER_WRITE = 1_000


def register(app: typer.Typer) -> None:
    """Add the commands of ops."""
    app.command()(export)
    lag_watch.register(app)
    app.command()(park)
    app.command()(erasure.erase)
    app.command()(repartition.repartition)
    app.command()(backup.backup)
    app.command()(restore.restore)
    app.command()(erasure.erased)
    app.command()(people.export_person)
    waits.register(app)
    doctor.register(app)
    app.add_typer(dead_letters.commands, name="dead-letters")
    app.add_typer(mail.commands, name="letters")
    app.add_typer(topic_plans.commands, name="topics")


# --- export --------------------------------------------------------------------------------------


@mistakes()
def export(
    topic: Annotated[str, typer.Argument(help="A topic of the catalogue, without prefix.")],
) -> None:
    """Print a topic as JSON lines: the latest per key of a compacted topic, else every record.

    Deleted keys (tombstones) are left out. Lines are in the order of partition and offset.
    """
    if topic not in CATALOGUE:
        raise Mistake(f"there is no topic {topic}: use one of {', '.join(CATALOGUE)}", usage=True)
    with progress(f"reading {topic}") as step:
        asyncio.run(_export(settings_here(), CATALOGUE[topic], step))


async def _export(settings: Settings, topic: Topic, step: Step) -> None:
    partitions = partitions_of(settings, topic)
    # The reader of a pipe may close it.
    async with aclosing(topics.read(settings, partitions, step)) as records:
        if topic.compacted:
            _write([_line(record) for record in await topics.latest_per_key(records)])
            return
        lines: list[bytes] = []
        async for record in records:
            lines.append(_line(record))
            if len(lines) == LINES_PER_WRITE:
                _write(lines)
                lines = []
        _write(lines)


def _line(record: InputRecord) -> bytes:
    line = orjson.dumps(
        {
            "key": topics.as_text(record.key),
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
            "headers": topics.headers_of(record),
            "value": topics.as_json(record.value),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )
    return steady_json(line)


def _write(lines: Iterable[bytes]) -> None:
    write(b"".join(lines))


# --- parked keys ---------------------------------------------------------------------------------


@mistakes()
def park(
    key: Annotated[
        str | None, typer.Argument(help="The records' key, such as a group's ID.")
    ] = None,
    service: Annotated[str | None, typer.Option(help="The service that parks the key.")] = None,
    reason: Annotated[str | None, typer.Option(help="The reason, for other people.")] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Release the key: its records go on.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List parked keys.")] = False,
    as_json: AsJson = False,
) -> None:
    """Park one key of a service: its records wait, and all others go on. Or release it."""
    settings = settings_here()
    if listed:
        _print_parked(asyncio.run(_parked(settings)), as_json)
        return
    if key is None:
        raise Mistake("KEY is missing: name the key to park, or give --list", usage=True)
    if service not in PARKED_KEYS.consumers:
        known = ", ".join(PARKED_KEYS.consumers)
        wrong = "is missing" if service is None else f"{service} parks no keys"
        raise Mistake(f"--service {wrong}: give one of {known}", usage=True)
    fields = {
        "service": service,
        "parked": typed(typed_values.group_id, key),
        "at": datetime.now(UTC).isoformat(),
        **({"reason": reason} if reason else {}),
    }
    message = checked(KeyParked, fields, {"parked": "KEY"})
    asyncio.run(_release(settings, message) if release else _park(settings, message))
    if as_json:
        print_json({**facts(message), "released": release})
        return
    said = "released: its records go on" if release else "parked: its records wait"
    say(f"{message.parked} of {message.service} is {said}")


async def _parked(settings: Settings) -> list[KeyParked]:
    records = topics.read(settings, partitions_of(settings, PARKED_KEYS))
    latest = await topics.latest_per_key(records)
    found = [topics.message_of(settings, PARKED_KEYS, record) for record in latest]
    return sorted((each for each in found if isinstance(each, KeyParked)), key=lambda each: each.at)


async def _park(settings: Settings, message: KeyParked) -> None:
    await topics.send(settings, [topics.record_of(settings, PARKED_KEYS, message, message.at)])


async def _release(settings: Settings, message: KeyParked) -> None:
    if await topics.latest(settings, PARKED_KEYS, message.key) is None:
        raise Mistake(
            f"{message.parked} of {message.service} is not parked: `jointbuy park --list` shows"
            " what is"
        )
    record: OutputRecord = topics.record_of(settings, PARKED_KEYS, message, message.at)
    await topics.send(settings, [record._replace(value=None)])


def _print_parked(parked: list[KeyParked], as_json: bool) -> None:
    if as_json:
        print_json([facts(each) for each in parked])
        return
    if not parked:
        say("nothing is parked")
        return
    made = table("Key", "Service", "Since", "Reason")
    for each in parked:
        made.add_row(*map(cell, (each.parked, each.service, when(each.at), each.reason)))
    print_table(made)
