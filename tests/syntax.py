"""The syntax of our modules, parsed and walked once for all tests that look at it."""

import ast
from functools import cache
from pathlib import Path
from typing import Any


@cache
def by_kind(path: Path) -> dict[type[ast.AST], list[Any]]:
    """All nodes of a module by their class, each list in the order of ``ast.walk``."""
    found: dict[type[ast.AST], list[Any]] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found.setdefault(type(node), []).append(node)
    return found


def nodes(path: Path, *kinds: type[ast.AST]) -> list[Any]:
    """All nodes of these classes in a module."""
    return [node for kind in kinds for node in by_kind(path).get(kind, ())]
