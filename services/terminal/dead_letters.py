"""``jointbuy dead-letters``: records that could not be read, and sending them again."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.topics import CATALOGUE, DEAD_LETTERS
from services.runtime.records import (
    LETTER_LEFT_OUT,
    LETTER_OF_BATCH,
    InputRecord,
    OutputRecord,
    Partitioner,
    instant,
    key_id,
)
from services.runtime.running import settings_here
from services.runtime.settings import Settings
from services.terminal import topics
from services.terminal.console import (
    Mistake,
    Step,
    cell,
    clean,
    mistakes,
    print_json,
    print_table,
    progress,
    say,
    table,
    when,
)
from services.terminal.options import AsJson

commands = typer.Typer(
    no_args_is_help=False,
    invoke_without_command=True,
    help="List, show and replay records that could not be read.",
)
#: Headers that say where a dead letter is from; any other is the record's own.
ABOUT = frozenset(
    {"service", "topic", "partition", "offset", "error", "reason", "task", "attempt"}
    | {"last-offset", "unreadable", "letter-content", "left-out-bytes"}
)
Places = Annotated[
    list[str] | None, typer.Argument(metavar="N…", help="partition/offset, as the list says.")
]


@dataclass(frozen=True)
class DeadLetter:
    """A record as it came, and what is known of it."""

    record: InputRecord
    #: Service, topic (without the prefix), partition, offset, error, attempt, and the
    #: other headers in ``ABOUT``.
    about: dict[str, str]

    @property
    def place(self) -> str:
        """Where it lies in the topic of dead letters: what ops call it by."""
        return f"{self.record.partition}/{self.record.offset}"

    @property
    def source(self) -> str:
        """Where it came from."""
        place = "/".join(self.about.get(name, "?") for name in ("topic", "partition", "offset"))
        last = self.about.get("last-offset")
        return place if last in (None, self.about.get("offset")) else f"{place}-{last}"

    def why_not_replayed(self, *, is_mended: bool) -> str:
        """Why the dead letter can't be sent again as a record; empty if it can."""
        content = self.about.get("letter-content")
        if content == LETTER_OF_BATCH.decode():
            return (
                f"dead letter {self.place} holds a whole batch that can't be read, not a record:"
                f" ask the sender of {self.about.get('topic')} to send its records again"
            )
        if content == LETTER_LEFT_OUT.decode() and self.record.key is None:
            return (
                f"dead letter {self.place} holds neither key nor value, as they were too large:"
                f" ask the sender of {self.about.get('topic')} to send the record again"
            )
        if content == LETTER_LEFT_OUT.decode() and not is_mended:
            return (
                f"dead letter {self.place} does not hold its value, as it was too large: give one"
                " with --value"
            )
        return ""

    def as_json(self) -> dict[str, Any]:
        """All but the value."""
        return {
            "id": self.place,
            "at": instant(self.record.timestamp).isoformat(),
            "key": topics.as_text(self.record.key),
            **{k: int(v) if topics.is_number(v) else v for k, v in self.about.items()},
            "bytes": len(self.record.value or b""),
        }


@commands.callback()
def _without_command(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_them(as_json)


@commands.command("list")
@mistakes()
def list_them(as_json: AsJson = False) -> None:
    """List dead letters, the oldest first."""
    found = _read()
    if as_json:
        print_json([letter.as_json() for letter in found])
        return
    if not found:
        say("no dead letters")
        return
    made = table("Id", "When", "Service", "From", "Key", "Error")
    for letter in found:
        key = topics.as_text(letter.record.key)
        at = when(instant(letter.record.timestamp))
        error = letter.about.get("error", "")
        service = letter.about.get("service", "")
        made.add_row(*map(cell, (letter.place, at, service, letter.source, key, error)))
    print_table(made)


@commands.command("show")
@mistakes()
def show_one(
    place: Annotated[str, typer.Argument(metavar="N", help="partition/offset, as listed.")],
    as_json: AsJson = False,
) -> None:
    """Show a dead letter: where it is from, why, and its bytes as text or hex."""
    letter = _named([place])[0]
    value = letter.record.value
    if as_json:
        headers = topics.headers_of(letter.record)
        print_json({**letter.as_json(), "headers": headers, "value": topics.as_json(value)})
        return
    made = table("", "")
    made.show_header = False
    made.add_row("id", letter.place)
    made.add_row("when", when(instant(letter.record.timestamp)))
    made.add_row("from", cell(letter.source))
    made.add_row("key", cell(topics.as_text(letter.record.key)))
    for name, header in topics.headers_of(letter.record).items():
        if name not in ("topic", "partition", "offset"):
            made.add_row(cell(name), cell(header))
    print_table(made)
    say()
    say(readable(value))


def readable(value: bytes | None) -> str:
    """Bytes as text, or as hex beside what can be read of them."""
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


@commands.command("replay")
@mistakes()
def replay(
    places: Places = None,
    everything: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    value: Annotated[
        Path | None, typer.Option("--value", help="Send this file's bytes instead: it is mended.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again, byte for byte, to the topics they came from."""
    if bool(places) == everything:
        raise Mistake("name dead letters by N, or give --all", usage=True)
    if value is not None and (everything or len(places or ()) != 1):
        raise Mistake("--value mends one dead letter: name that one", usage=True)
    mended = value.read_bytes() if value is not None else None
    settings = settings_here()
    letters = _read() if everything else _named(places or [])
    letters = _can_be_sent(letters, is_mended=mended is not None, others_go_on=everything)
    records = [_original(settings, letter, mended) for letter in letters]
    if letters and not yes:
        _ask(letters)
    if records:
        asyncio.run(topics.send(settings, records))
    if as_json:
        print_json([letter.as_json() for letter in letters])
        return
    say(f"{len(letters)} sent again" if letters else "no dead letters")


def _can_be_sent(
    letters: Sequence[DeadLetter], *, is_mended: bool, others_go_on: bool
) -> list[DeadLetter]:
    kept = []
    for letter in letters:
        why_not = letter.why_not_replayed(is_mended=is_mended)
        if not why_not:
            kept.append(letter)
        elif others_go_on:
            say(f"left: {why_not}", err=True)
        else:
            raise Mistake(why_not)
    return kept


def _ask(letters: Sequence[DeadLetter]) -> None:
    if not sys.stdin.isatty():
        raise Mistake("nobody is here to be asked: add --yes", usage=True)
    for letter in letters[:10]:
        say(f"{letter.place}  from {letter.source}: {letter.about.get('error', '')}")
    typer.confirm(f"Send {len(letters)} again?", abort=True, err=True)


def _original(settings: Settings, letter: DeadLetter, mended: bytes | None) -> OutputRecord:
    """The record as it was sent; a key gets the partition that murmur2 gives it."""
    record, name = letter.record, letter.about.get("topic", "")
    topic = CATALOGUE.get(name)
    if topic is None:
        raise Mistake(f"dead letter {letter.place} is from {name or 'nowhere'}, no topic of ours")
    if record.key is None:
        said = letter.about.get("partition", "")
        partition = int(said) if topics.is_number(said) else 0
    else:
        key = record.key.decode("utf-8", "replace")
        partition = Partitioner(topic.partitions)(key_id(key))
    return OutputRecord(
        topic=settings.topic(name),
        partition=partition,
        key=record.key,
        value=record.value if mended is None else mended,
        timestamp=record.timestamp,
        headers=[header for header in record.headers if header[0] not in ABOUT],
    )


# --- reading -------------------------------------------------------------------------------------


def _read() -> list[DeadLetter]:
    with progress("reading dead letters") as step:
        letters = asyncio.run(_read_all(settings_here(), step))
    # They come by partition and offset, and those of one time stay so.
    return sorted(letters, key=lambda each: each.record.timestamp)


async def _read_all(settings: Settings, step: Step) -> list[DeadLetter]:
    partitions = topics.partitions_of(settings, DEAD_LETTERS)
    return [_letter(settings, record) async for record in topics.read(settings, partitions, step)]


def _letter(settings: Settings, record: InputRecord) -> DeadLetter:
    about = {name: text for name, text in topics.headers_of(record).items() if name in ABOUT}
    about["topic"] = about.get("topic", "").removeprefix(settings.topic_prefix)
    return DeadLetter(record, about)


def _named(places: Sequence[str]) -> list[DeadLetter]:
    known = {letter.place: letter for letter in _read()}
    missing = [place for place in places if place not in known]
    if missing:
        raise Mistake(
            f"there is no dead letter {missing[0]}: `jointbuy dead-letters` lists them as"
            " partition/offset",
            usage=True,
        )
    return [known[place] for place in dict.fromkeys(places)]
