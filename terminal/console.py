"""Output of the terminal: tables and facts on stdout, errors and progress on stderr."""

import logging
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import structlog
import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from domain.money import in_decimals
from domain.unverified import HIDDEN
from runtime.clients import TransportError
from runtime.lasting_errors import LastingError, lasting
from runtime.ports import PortError
from runtime.running_stack import settings_here
from runtime.security import access_of
from runtime.settings import SettingsError
from schemas.parts import Message
from terminal.folding import folded
from texts.shapes import problem_of

#: ``(done, of)``; called as often as is handy.
Step = Callable[[int, int], None]

#: Wider than any line, as output to a pipe must not be cut.
PIPE_COLUMNS = 10_000


class Mistake(Exception):
    """An error and what to do, a line each; ``usage`` if the command itself was wrong."""

    def __init__(self, *lines: str, usage: bool = False) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.exit_code = 2 if usage else 1


@contextmanager
def mistakes() -> Iterator[None]:
    """Around a command (also as its decorator): errors become lines on stderr and an exit code."""
    # Lines of aiokafka repeat our errors, or report what is over.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    # The runtime's log lines must not be mixed into an export.
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    try:
        yield
    except Mistake as mistake:
        _end(mistake.lines, mistake.exit_code)
    except ValidationError as error:
        _end(problems(error), 2)
    except (SettingsError, PortError) as error:
        _end([str(error)], 2)
    except BrokenPipeError:
        # The reader of our output closed it; typer ends quietly.
        raise
    except (KafkaError, TransportError, LastingError) as error:
        _end([_broker_error(error)], 1)
    except OSError as error:
        _end([f"{error.filename or 'broker'}: {error.strerror or error}"], 1)
    except KeyboardInterrupt:
        _end(["interrupted"], 130)


def _end(lines: Sequence[str], exit_code: int) -> None:
    for line in lines:
        say(f"jointbuy: {line}", err=True)
    raise typer.Exit(exit_code)


def _broker_error(error: Exception) -> str:
    settings = settings_here()
    servers = settings.kafka_bootstrap_servers
    if (failure := lasting(error) or access_of(settings).refusal) is not None:
        return f"{failure}; the broker is {servers}"
    return (
        f"the broker at {servers} failed ({error or type(error).__name__}): see"
        " `jointbuy status`, run `jointbuy up`, or set KAFKA_BOOTSTRAP_SERVERS"
    )


def problems(error: ValidationError, options: Mapping[str, str] | None = None) -> list[str]:
    """The problems of a message, a line each; ``options`` maps fields to options."""
    lines = []
    for found in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in found["loc"]) or "value"
        option = (options or {}).get(path)
        lines.append(
            f"{path}{f' ({option})' if option else ''}: {problem_of(path, dict(found)).problem}"
        )
    return lines


# --- output --------------------------------------------------------------------------------------


def say(text: str = "", *, err: bool = False) -> None:
    """Print lines; control sequences in them, which strangers may have written, are spelled out."""
    typer.echo(clean(text), err=err)


def write(raw: bytes) -> None:
    """Write bytes to standard output unchanged, for another program or for a terminal."""
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()


class Rows(Table):
    """A table that cleans all plain texts in its cells."""

    def add_row(
        self,
        *renderables: RenderableType | None,
        style: Any = None,
        end_section: bool = False,
    ) -> None:
        """Add a row of cells."""
        cells = (cell(each) if isinstance(each, str) else each for each in renderables)
        super().add_row(*cells, style=style, end_section=end_section)


def out() -> Console:
    """Standard output; data is never read as markup."""
    width = None if sys.stdout.isatty() else PIPE_COLUMNS
    return Console(width=width, markup=False, highlight=False, emoji=False)


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An aligned table without frames; columns named in ``right`` hold numbers."""
    made = Rows(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def grid() -> Table:
    """A table without a head or lines."""
    return Rows.grid(padding=(0, 2))


def print_table(made: Table) -> None:
    """Print a table without blanks at the ends of lines; on a narrow screen it is folded."""
    console = out()
    if console.is_terminal:
        wanted = console.options.update_width(PIPE_COLUMNS)
        if Measurement.get(console, wanted, made).maximum <= console.width:
            console.print(made)
            return
        for line in folded(made, console.width):
            print_line(line)
        return
    with console.capture() as capture:
        console.print(made)
    say("\n".join(line.rstrip() for line in capture.get().split("\n")).rstrip("\n"))


def print_line(line: Text) -> None:
    """Print a line whole: a terminal may show it on two, but copies it as one."""
    out().print(line, soft_wrap=True)


def print_json(value: Any) -> None:
    """One value as indented JSON."""
    typer.echo(steady_json(orjson.dumps(value, option=orjson.OPT_INDENT_2)).decode())


def facts(message: Message) -> dict[str, Any]:
    """A message as plain JSON, without empty fields."""
    plain: dict[str, Any] = message.model_dump(mode="json", exclude_none=True)
    return plain


@contextmanager
def progress(what: str) -> Iterator[Step]:
    """A progress bar on stderr, removed at the end; only on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def confirm(question: str) -> None:
    """Ask on the terminal; a no ends the command. Raises ``Mistake`` without a terminal."""
    if not sys.stdin.isatty():
        raise Mistake(f"{question} There is no terminal to ask on: add --yes", usage=True)
    typer.confirm(clean(question), abort=True, err=True)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A spinner on stderr while we wait; only on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


# --- words ---------------------------------------------------------------------------------------


class _Spelled(dict[int, str]):
    """How each character is written, for ``str.translate``; computed once per character."""

    def __init__(self, spell: Callable[[str], str]) -> None:
        super().__init__()
        self._spell = spell

    def __missing__(self, code: int) -> str:
        character = chr(code)
        is_steering = unicodedata.category(character) in HIDDEN and character != "\n"
        written = self[code] = self._spell(character) if is_steering else character
        return written


_IN_WORDS = _Spelled(lambda character: ascii(character)[1:-1])
_IN_JSON = _Spelled(
    lambda character: "".join(f"\\u{unit:04x}" for unit in memoryview(_utf_16(character)).cast("H"))
)


def _utf_16(character: str) -> bytes:
    return character.encode(f"utf-16-{sys.byteorder[0]}e", "surrogatepass")


def clean(text: str) -> str:
    """Text with its control characters spelled out, as a stranger may have sent it."""
    return text if text.isprintable() else text.translate(_IN_WORDS)


def steady_json(raw: bytes) -> bytes:
    """The same JSON, its control, format and direction characters written as ``\\u…``.

    Outside of strings JSON has only line ends of these, so a parser reads the same data.
    """
    if raw.isascii() and b"\x7f" not in raw:
        return raw
    return raw.decode().translate(_IN_JSON).encode()


def cell(text: object, style: str = "") -> Text:
    """A cell of a table."""
    return Text("" if text is None else clean(str(text)).replace("\n", " "), style=style)


def count(number: int, what: str) -> str:
    """``1 order``, ``2 orders``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def money(minor_units: int, currency: str | None) -> str:
    """``1,234.50 EUR`` of 123450 minor units."""
    if currency is None:
        return f"{minor_units:,}"
    return f"{in_decimals(minor_units, currency, ',')} {currency}"


def minute(at: datetime | None) -> str:
    """A time to the minute in UTC, for columns that name UTC."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def when(at: datetime | None) -> str:
    """A time to the second, in UTC."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def span(length: timedelta) -> str:
    """``2 d 3 h``, ``5 min 3 s``: the two largest units of a duration."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit, rest, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} {seconds % size // rest} {smaller}"
    return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"


def bar(done: int, of: int, width: int = 24) -> str:
    """A bar of ``done`` of ``of``; full only at the end."""
    filled = min(done * width // max(of, 1), width)
    return "█" * filled + "░" * (width - filled)
