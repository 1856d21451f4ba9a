"""The app of a service, where ``faust -A services.<name> worker`` looks for it."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any


def app_finder(package: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a service's package: it makes ``app`` when Faust asks for it.

    The settings are read then, so a process that can't start with them ends in one line.
    """

    @cache
    def app() -> Any:
        return import_module(f"{package}.__main__").PROCESS.app()

    def find(name: str) -> Any:
        if name != "app":
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return app()

    return find
