"""``--help`` of a process: its purpose, and each setting with its default and meaning.

A process that can't start with its settings says why in one line.
"""

import json
import os
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import typer
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from runtime.lasting_errors import LASTING_EXIT_CODE, lasting
from runtime.settings_words import allowed, default


def told_settings(*settings: type[BaseSettings]) -> str:
    """Each setting with its default and its allowed values; its meaning is in the next line.

    If two classes have a setting of the same name, the last class's counts.
    """
    fields = {name: field for each in settings for name, field in each.model_fields.items()}
    lines = ["Settings come from the environment:", "", "\b"]
    for name, field in fields.items():
        or_file = f", or {name.upper()}_FILE" if field.annotation is SecretStr else ""
        lines.append(f"{name.upper()}={default(field)}  ({allowed(field)}{or_file})")
        lines += textwrap.wrap(
            field.description or "",
            72,
            initial_indent="    ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def refuse_to_start(name: str, error: BaseException) -> NoReturn:
    """Say in one line why a process can't start, and exit: a restart would not help.

    In a log the line is JSON, as all lines there. The settings may be unreadable, so the form does
    not depend on them.
    """
    why = str(lasting(error) or error)
    line = f"{name}: {why}"
    if not sys.stderr.isatty() and os.environ.get("LOG_FORMAT") != "console":
        line = json.dumps(
            {
                "service": name,
                "event": "the process can't start",
                "error": why,
                "level": "error",
                "timestamp": datetime.now(UTC).isoformat(),
            },
            ensure_ascii=False,
        )
    sys.stderr.write(f"{line}\n")
    sys.exit(LASTING_EXIT_CODE)


def command_line(
    run: Callable[..., Any], name: str, summary: str, *settings: type[BaseSettings]
) -> None:
    """``python -m services.<name>``."""
    run.__doc__ = f"{summary}\n\n{told_settings(*settings)}"
    command = typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    command.command()(run)
    command(prog_name=f"python -m services.{name}")
