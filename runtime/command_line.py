"""``--help`` of a process: its purpose, and each setting with its default and meaning.

A process that can't start with its settings says why in one line.
"""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from runtime.lasting_errors import LASTING_EXIT_CODE, lasting


def told_settings(*settings: type[BaseSettings]) -> str:
    """One line for each setting; if two classes have one of the same name, the last class's."""
    fields = {name: field for each in settings for name, field in each.model_fields.items()}
    lines = ["Settings come from the environment:", "", "\b"]
    for name, field in fields.items():
        about = f"  {field.description}" if field.description else ""
        or_file = f" (or {name.upper()}_FILE)" if field.annotation is SecretStr else ""
        default = "" if field.default is None else field.default
        lines.append(f"{name.upper()}={default}{or_file}{about}")
    return "\n".join(lines)


def refuse_to_start(name: str, error: BaseException) -> NoReturn:
    """Say in one line why a process can't start, and exit: a restart would not help."""
    sys.stderr.write(f"{name}: {lasting(error) or error}\n")
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
