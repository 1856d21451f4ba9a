"""``jointbuy dead-letters``: list, show, replay and purge records that could not be read."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError

from runtime.clients import admin
from runtime.follower import partitions_of
from runtime.records import OutputRecord, Partitioner, key_id
from runtime.running_stack import settings_here
from runtime.settings import Settings
from schemas.catalogue import CATALOGUE
from schemas.ops import DEAD_LETTERS
from terminal import dead_letter_list, topics, typed_values
from terminal.console import (
    Mistake,
    cell,
    clean,
    confirm,
    count,
    mistakes,
    print_json,
    print_table,
    say,
    table,
    when,
)
from terminal.dead_letter_list import DeadLetter, State, Wanted
from terminal.options import AsJson, typed

commands = typer.Typer(
    no_args_is_help=False,
    invoke_without_command=True,
    help="List, show, replay and purge records that could not be read.",
)
Places = Annotated[
    list[str] | None, typer.Argument(metavar="N…", help="partition/offset, as in the list.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Only those with this code, such as schema.")
]
Topic = Annotated[str | None, typer.Option("--topic", help="Only those from this topic.")]
Since = Annotated[str | None, typer.Option("--since", help="Only those at or after this time.")]
Until = Annotated[str | None, typer.Option("--until", help="Only those before this time.")]
OfTask = Annotated[str | None, typer.Option("--task", help="The task's id, as in `jointbuy todo`.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@commands.callback()
def _without_command(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_them(as_json=as_json)


@commands.command("list")
@mistakes()
def list_them(
    reason: Reason = None,
    topic: Topic = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[
        str, typer.Option("--state", help="open, done (replayed or purged), or all.")
    ] = "open",
    as_json: AsJson = False,
) -> None:
    """List dead letters, the oldest first: open ones, or those with another --state."""
    wanted = _wanted(reason, topic, since, until, state)
    found = [
        each for each in dead_letter_list.read(settings_here()).letters if wanted.includes(each)
    ]
    if as_json:
        print_json([letter.as_json() for letter in found])
        return
    if not found:
        say("no dead letters" if state == "all" else f"no {state} dead letters")
        return
    made = table("Id", "When", "Service", "From", "Key", "Reason", "Error", "Done")
    for letter in found:
        key = topics.as_text(letter.record.key)
        said = (letter.about.get(name, "") for name in ("reason", "error"))
        service = letter.about.get("service", "")
        row = (letter.place, when(letter.at), service, letter.source, key, *said, letter.done)
        made.add_row(*map(cell, row))
    print_table(made)


def _wanted(
    reason: str | None, topic: str | None, since: str | None, until: str | None, state: str
) -> Wanted:
    states: dict[str, State] = {"open": "open", "done": "done", "all": "all"}
    if state not in states:
        raise Mistake(f"--state is open, done or all, not {state}", usage=True)
    times = [typed(typed_values.instant, each) if each else None for each in (since, until)]
    return Wanted(reason, topic, times[0], times[1], states[state])


@commands.command("show")
@mistakes()
def show_one(
    place: Annotated[
        str | None, typer.Argument(metavar="N", help="partition/offset, as listed.")
    ] = None,
    task: OfTask = None,
    as_json: AsJson = False,
) -> None:
    """Show a dead letter: its source, its reason, and its bytes as text or hex.

    If a task has several, the latest.
    """
    if (place is None) == (task is None):
        raise Mistake("name a dead letter by N, or by --task", usage=True)
    found = dead_letter_list.read(settings_here())
    letter = found.at([place])[0] if place is not None else found.of_task(task or "")[-1]
    value = letter.record.value
    if as_json:
        headers = topics.headers_of(letter.record)
        print_json({**letter.as_json(), "headers": headers, "value": topics.as_json(value)})
        return
    made = table("", "")
    made.show_header = False
    made.add_row("id", letter.place)
    made.add_row("when", when(letter.at))
    made.add_row("from", cell(letter.source))
    made.add_row("key", cell(topics.as_text(letter.record.key)))
    made.add_row("state", cell(letter.done or "open"))
    for name, header in topics.headers_of(letter.record).items():
        if name not in ("topic", "partition", "offset"):
            made.add_row(cell(name), cell(header))
    print_table(made)
    say()
    say(readable(value))


def readable(value: bytes | None) -> str:
    """Bytes as text, or as hex beside their ASCII characters."""
    if value is None:
        return "(null)"
    try:
        return clean(value.decode()) or "(empty)"
    except UnicodeDecodeError:
        rows = [value[start : start + 16] for start in range(0, len(value), 16)]
        return "\n".join(
            f"{number * 16:08x}  {row.hex(' '):47}  "
            + "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            for number, row in enumerate(rows)
        )


# --- replay --------------------------------------------------------------------------------------


@commands.command("replay")
@mistakes()
def replay(
    places: Places = None,
    task: OfTask = None,
    everything: Annotated[bool, typer.Option("--all", help="All open dead letters.")] = False,
    value: Annotated[
        Path | None, typer.Option("--value", help="Send this file's bytes instead of the value.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were replayed before.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, byte for byte, to the topics they came from.

    Then they and their tasks are done; the list shows them with --state done. If a task has
    several, the latest is sent.
    """
    if bool(places) + everything + (task is not None) != 1:
        raise Mistake("name dead letters by N or --task, or give --all", usage=True)
    if value is not None and (everything or len(places or ()) > 1):
        raise Mistake("--value is for one dead letter: name it", usage=True)
    mended = value.read_bytes() if value is not None else None
    settings = settings_here()
    found = dead_letter_list.read(settings)
    letters = found.at(places or []) if task is None else found.of_task(task)[-1:]
    if everything:
        letters = [
            each for each in found.letters if not each.is_done or (again and not each.is_purged)
        ]
    letters = _can_be_sent(
        letters, is_mended=mended is not None, again=again, others_go_on=everything
    )
    records = [_original(settings, letter, mended) for letter in letters]
    if letters and not yes:
        _ask(letters, f"Send {len(letters)} again?")
    if records:
        done = dead_letter_list.done_records(settings, letters, [], "replayed", datetime.now(UTC))
        asyncio.run(_replay(settings, records, done))
    if as_json:
        print_json([letter.as_json() for letter in letters])
        return
    say(f"{len(letters)} sent again" if letters else "no open dead letters")


def _can_be_sent(
    letters: Sequence[DeadLetter], *, is_mended: bool, again: bool, others_go_on: bool
) -> list[DeadLetter]:
    kept = []
    for letter in letters:
        why_not = letter.why_not_replayed(is_mended=is_mended, again=again)
        if not why_not:
            kept.append(letter)
        elif others_go_on:
            say(f"not sent: {why_not}", err=True)
        else:
            raise Mistake(why_not)
    return kept


def _ask(letters: Sequence[DeadLetter], question: str) -> None:
    for letter in letters[:10]:
        say(f"{letter.place}  from {letter.source}: {letter.about.get('error', '')}")
    if len(letters) > 10:
        say(f"and {len(letters) - 10} more")
    confirm(question)


async def _replay(
    settings: Settings, records: Sequence[OutputRecord], done: Sequence[OutputRecord]
) -> None:
    """Send the records, then their done tasks, so that a broken replay can be repeated."""
    await topics.send(settings, records)
    await topics.send(settings, done)


def _original(settings: Settings, letter: DeadLetter, mended: bytes | None) -> OutputRecord:
    """The record as it was sent; a key gets the partition that murmur2 gives it."""
    record, name = letter.record, letter.about.get("topic", "")
    topic = CATALOGUE.get(name)
    if topic is None:
        raise Mistake(
            f"dead letter {letter.place} is from {name or 'nowhere'}, which is not our topic"
        )
    if record.key is None:
        said = letter.about.get("partition", "")
        partition = int(said) if topics.is_number(said) else 0
    else:
        key = record.key.decode("utf-8", "replace")
        partition = Partitioner(settings.partitions)(key_id(key))
    return OutputRecord(
        topic=settings.topic(name),
        partition=partition,
        key=record.key,
        value=record.value if mended is None else mended,
        timestamp=letter.sent_at_ms,
        headers=dead_letter_list.own_headers(record),
    )


# --- purge ---------------------------------------------------------------------------------------


@commands.command("purge")
@mistakes()
def purge(
    places: Places = None,
    task: OfTask = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters.")] = False,
    reason: Reason = None,
    topic: Topic = None,
    since: Since = None,
    until: Until = None,
    state: Annotated[str, typer.Option("--state", help="open, done or all.")] = "all",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good: by N, --task, --reason, --topic or time, or all.

    Kafka deletes records only from the beginning of a partition. So those before the oldest
    dead letter that stays are deleted, and the broker frees the disk within minutes. Later ones are
    marked as purged: they can't be replayed, and are deleted by the purge that deletes the older
    ones. The source record stays in its topic. Tasks of expired dead letters are closed, too.
    """
    wanted = _wanted(reason, topic, since, until, state)
    if (bool(places) + everything + wanted.says_which + (task is not None)) != 1:
        ways = "name dead letters by N or --task, choose by --reason, --topic, --since or"
        raise Mistake(f"{ways} --until, or give --all", usage=True)
    settings = settings_here()
    ends = ends_now(settings)
    found = dead_letter_list.read(settings)
    doomed = found.at(places or []) if task is None else found.of_task(task)
    if not places and task is None:
        doomed = [letter for letter in found.letters if wanted.includes(letter)]
    if doomed and not yes:
        _ask(doomed, f"Purge {len(doomed)}? They can't be restored.")
    deleted, why_not = purge_these(settings, found, doomed, ends)
    if as_json:
        told = {"purged": len(doomed), "deleted": deleted, "expired": len(found.expired)}
        print_json({**told, "ids": [letter.place for letter in doomed]})
        return
    tell_purged(len(doomed), deleted, len(found.expired), why_not)


def ends_now(settings: Settings) -> dict[int, int]:
    """The ends of the partitions of dead letters; read them before the dead letters."""
    _, ends = asyncio.run(topics.stable_ends(settings, partitions_of(settings, DEAD_LETTERS)))
    return {tp.partition: at for tp, at in ends.items()}


def purge_these(
    settings: Settings,
    found: dead_letter_list.Found,
    doomed: Sequence[DeadLetter],
    ends: dict[int, int],
) -> tuple[int, str]:
    """Purge these of the dead letters that were found, and close the tasks of expired ones.

    Returns how many the broker deletes now, and its error if it deletes none. The others are marked
    as purged.
    """
    up_to = dead_letter_list.to_delete(found.letters, doomed, ends)
    why_not = asyncio.run(_delete(settings, up_to)) if doomed else ""
    done = dead_letter_list.done_records(
        settings, doomed, found.expired, "purged", datetime.now(UTC)
    )
    if done:
        asyncio.run(topics.send(settings, done))
    gone = [each for each in doomed if each.record.offset < up_to[each.record.partition]]
    return 0 if why_not else len(gone), why_not


def tell_purged(doomed: int, deleted: int, expired: int, why_not: str) -> None:
    """Say what became of dead letters that were purged."""
    say(f"{count(deleted, 'dead letter')} deleted" if doomed else "no dead letters to purge")
    if why_not:
        say(f"the broker does not delete records ({why_not}): they are only marked", err=True)
    elif doomed > deleted:
        say(
            f"{doomed - deleted} marked as purged: they are deleted when the older ones in their"
            " partition are purged"
        )
    if expired:
        say(f"{count(expired, 'task')} of expired dead letters closed")


async def _delete(settings: Settings, up_to: dict[int, int]) -> str:
    """Delete the records before these offsets; the error if the broker refuses, else empty."""
    name = settings.topic(DEAD_LETTERS.name)
    asked = {TopicPartition(name, number): RecordsToDelete(at) for number, at in up_to.items()}
    async with topics.connected(admin(settings), settings) as client:
        try:
            await client.delete_records(asked)
        except (KafkaError, NotImplementedError) as error:
            return type(error).__name__
    return ""
