"""The packages and what each imports, as ARCHITECTURE.md draws them, read from the imports."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
#: Packages that may import everything, so that a drawing of them says nothing.
USERS = {"bench", "demo", "tests"}
#: The package whose children are drawn one by one.
SERVICES = "services"

Edges = Mapping[str, frozenset[str]]


@cache
def packages() -> tuple[str, ...]:
    """The top-level packages of the repository that are part of the product."""
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    return tuple(sorted(found - USERS))


def files() -> Iterator[tuple[Path, str]]:
    """Every module's file of ``packages()``, and its text."""
    for package in packages():
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, path.read_text(encoding="utf-8")


def dotted(path: Path) -> str:
    """The name by which a module's file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def graph() -> grimp.ImportGraph:
    """Every import between modules of ``packages()``."""
    return grimp.build_graph(*packages(), cache_dir=None)


def unit_of(module: str) -> str:
    """The box of the drawing that a module is in: a service, or a top-level package."""
    first, *rest = module.split(".")
    return f"{SERVICES}.{rest[0]}" if first == SERVICES and rest else first


def module_imports() -> Edges:
    """For each module, the modules that it imports."""
    return {
        module: frozenset(graph().find_modules_directly_imported_by(module))
        for module in sorted(graph().modules)
    }


def unit_imports() -> Edges:
    """For each box of the drawing, the boxes that it imports."""
    boxes: dict[str, set[str]] = defaultdict(set)
    for importer, imported in module_imports().items():
        boxes[unit_of(importer)] |= {unit_of(each) for each in imported}
    return {box: frozenset(others - {box}) for box, others in boxes.items()}


def circles(edges: Edges) -> list[tuple[str, ...]]:
    """Every group of names that import each other in a circle (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in sorted(edges.get(name, ())):
            if other not in order:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == order[name]:
            start = stack.index(name)
            if len(stack) - start > 1:
                found.append(tuple(sorted(stack[start:])))
            del stack[start:]

    for name in sorted(edges):
        if name not in order:
            visit(name)
    return sorted(found)


def drawing() -> str:
    """A Mermaid block: an arrow means "imports"; services with the same arrows share a box."""
    edges = unit_imports()
    boxes = list(_boxes(edges))
    box_of = {unit: number for number, units in enumerate(boxes) for unit in units}
    arrows = {
        (box_of[importer], box_of[imported])
        for importer, names in edges.items()
        for imported in names
    }
    return "\n".join(
        [
            "```mermaid",
            "flowchart TD",
            *(f'  p{number}["{"<br>".join(units)}"]' for number, units in enumerate(boxes)),
            *(f"  p{importer} --> p{imported}" for importer, imported in sorted(arrows)),
            "```",
        ]
    )


def _boxes(edges: Edges) -> Iterator[tuple[str, ...]]:
    importers = {
        unit: frozenset(other for other, names in edges.items() if unit in names) for unit in edges
    }
    together: dict[tuple[frozenset[str], frozenset[str]], list[str]] = defaultdict(list)
    alone: list[str] = []
    for unit in _without_empty(edges, importers):
        if unit.startswith(f"{SERVICES}."):
            together[edges[unit], importers[unit]].append(unit)
        else:
            alone.append(unit)
    yield from sorted(tuple(units) for units in together.values())
    yield from ((unit,) for unit in sorted(alone))


def _without_empty(edges: Edges, importers: Edges) -> Iterable[str]:
    # The package ``services`` itself holds no code.
    return (unit for unit in sorted(edges) if edges[unit] or importers[unit])
