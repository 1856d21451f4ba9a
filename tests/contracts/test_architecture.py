"""Who may import whom, what rooms a service has, and the habits of the house."""

import ast
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from runtime.processor import Processor
from schemas.catalogue import CATALOGUE, buries
from schemas.ops import DEAD_LETTERS, PARKED_KEYS, TASKS
from schemas.payments import PAYMENT_REPORTS
from schemas.topic import Topic
from terminal import waits
from tests.syntax import nodes

ROOT = Path(__file__).parents[2]
SERVICES = sorted(room.parent.name for room in (ROOT / "services").glob("*/__init__.py"))
#: What else writes or reads topics.
CLIENTS = {"terminal", "replay"}
#: Every package of ours but tests, the demo and benches.
PACKAGES = (
    *("services", "runtime", "terminal", "stack", "replay"),
    *("contracts", "schemas", "domain", "papers", "texts"),
)
#: In the catalogue, but not built yet; a service that is there must go from here.
PLANNED: set[str] = set()


def in_repository(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def repository() -> tuple[Path, ...]:
    """Files of ours: no environment, no cache, no data."""
    found = []
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [
            name
            for name in subfolders
            if name not in {"__pycache__", "node_modules", "data", "dist"}
            and not name.endswith(".egg-info")
            and (not name.startswith(".") or name == ".github")
        ]
        found += [Path(folder, name) for name in names]
    return tuple(sorted(found))


@cache
def python(*folders: str) -> tuple[Path, ...]:
    return tuple(
        path
        for path in repository()
        if path.suffix == ".py" and in_repository(path).split("/")[0] in folders
    )


def modules_of(service: str) -> list[Path]:
    return [path for path in python("services") if f"/services/{service}/" in path.as_posix()]


# --- Kafka ---------------------------------------------------------------------------------------

#: What aiokafka asks about all topics of a cluster, however many others have there.
ABOUT_ALL_TOPICS = {
    *("describe_cluster", "describe_topics", "fetch_all_metadata", "list_topics"),
    "_get_cluster_metadata",
}


def test_brokers_are_asked_for_all_topics_only_to_find_ours() -> None:
    """Everything else asks by name, by ``runtime.metadata``."""
    asks = [
        f"{in_repository(path)}: {node.func.attr}"
        for path in python("services", "runtime", "terminal", "replay", "stack")
        for node in nodes(path, ast.Call)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ABOUT_ALL_TOPICS
    ]
    # `up --fresh` looks for changelogs of services that are not of this release.
    assert asks == ["runtime/admin.py: list_topics"]


# --- imports -------------------------------------------------------------------------------------


def test_import_contracts_hold(capfd: pytest.CaptureFixture[str]) -> None:
    """Those of ``[tool.importlinter]`` in pyproject.toml."""
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert status == 0, capfd.readouterr().out


IMPURE = {
    "asyncio",
    "multiprocessing",
    "os",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "urllib",
    "uuid",
}


def is_plain(name: str) -> bool:
    """Whether a full name is of a part of the standard library that does no I/O."""
    root = name.split(".", maxsplit=1)[0]
    return name.startswith("urllib.parse.") or (
        root in sys.stdlib_module_names and root not in IMPURE
    )


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a module imports, of whatever is imported from it too."""
    for node in nodes(path, ast.Import):
        yield from ((node.lineno, alias.name) for alias in node.names)
    for node in nodes(path, ast.ImportFrom):
        assert not node.level, f"{in_repository(path)}:{node.lineno}: import by full name"
        yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def is_pure(path: Path) -> bool:
    """Whether a module is a rule, or holds the rows that rules read and write."""
    return "rules" in path.parts or path.name == "rows.py"


@pytest.mark.parametrize("service", SERVICES)
def test_rules_import_only_the_standard_library_schemas_texts_and_rows(service: str) -> None:
    for path in modules_of(service):
        if not is_pure(path):
            continue
        for line, name in imported(path):
            ours = ("schemas.", "domain.", "texts.", f"services.{service}.", "runtime.rows.")
            assert is_plain(name) or f"{name}.".startswith(ours) or name == f"services.{service}", (
                f"{in_repository(path)}:{line}: {name}; rules get all they need as arguments"
            )


def test_domain_imports_only_the_standard_library_and_three_pure_libraries() -> None:
    for path in python("domain"):
        for line, name in imported(path):
            root = name.split(".")[0]
            assert is_plain(name) or root in {"babel", "domain", "icalendar", "idna"}, (
                f"{in_repository(path)}:{line}: {name}; domain is arithmetic on its arguments"
            )


def asks_no_clock(path: Path) -> None:
    for node in nodes(path, ast.Call):
        if isinstance(node.func, ast.Attribute):
            assert node.func.attr not in {"now", "today", "utcnow"}, (
                f"{in_repository(path)}:{node.lineno}: use the argument `now`"
            )


@pytest.mark.parametrize("service", SERVICES)
def test_rules_ask_no_clock(service: str) -> None:
    for path in modules_of(service):
        if is_pure(path):
            asks_no_clock(path)


def test_domain_asks_no_clock() -> None:
    for path in python("domain"):
        asks_no_clock(path)


# --- rooms ---------------------------------------------------------------------------------------

#: What a service reads and writes beside its processors: here, the page for webhooks.
BESIDE_PROCESSORS: dict[str, tuple[set[Topic], set[Topic]]] = {
    "payment_service": (set(), {PAYMENT_REPORTS}),
}
WITH_PROCESSOR = [name for name in SERVICES if (ROOT / f"services/{name}/processor.py").exists()]


def processors(service: str) -> tuple[Processor, ...]:
    module = importlib.import_module(f"services.{service}.processor")
    if hasattr(module, "PROCESSORS"):
        return tuple(module.PROCESSORS)
    return (module.PROCESSOR,)


def test_every_service_of_the_catalogue_is_there_or_planned() -> None:
    named = {
        service for topic in CATALOGUE.values() for service in (*topic.producers, *topic.consumers)
    }
    there = {*SERVICES, *CLIENTS}
    assert named - there <= PLANNED, "misspelt, or to be added to PLANNED"
    assert not PLANNED & there, "built: take it out of PLANNED"
    assert there <= named, "a service that no topic names"


@pytest.mark.parametrize("service", WITH_PROCESSOR)
def test_a_service_with_a_processor_has_the_same_rooms_as_its_siblings(service: str) -> None:
    rooms = {path.name for path in (ROOT / "services" / service).iterdir()}
    assert {"__init__.py", "__main__.py", "processor.py", "rows.py", "rules"} <= rooms


@pytest.mark.parametrize("service", WITH_PROCESSOR)
def test_what_rules_stand_on_is_as_pure_as_they_are(service: str) -> None:
    """Else a decision that moves out of ``rules/`` would move out of these contracts too."""
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in modules_of(service)
    }
    for path in paths.values():
        if not is_pure(path):
            continue
        for line, name in imported(path):
            other = paths.get(name) or paths.get(name.rpartition(".")[0])
            assert other is None or is_pure(other) or other.name == "__init__.py", (
                f"{in_repository(path)}:{line}: {name}; move it to rules/"
            )


@pytest.mark.parametrize("service", WITH_PROCESSOR)
def test_processors_read_and_write_what_the_catalogue_says(service: str) -> None:
    declared = processors(service)
    reads = {topic for each in declared for topic in (*each.inputs, *each.reads_whole)}
    writes = {topic for each in declared for topic in each.outputs} - {TASKS}
    reads_beside, writes_beside = BESIDE_PROCESSORS.get(service, (set(), set()))
    assert not (reads & reads_beside) | (writes & writes_beside), "not beside: declared"
    reads, writes = reads | reads_beside, writes | writes_beside
    # The runtime writes dead letters and their tasks for every processor; some write more tasks.
    flows = [each for each in CATALOGUE.values() if each.kind != "ops" and each is not TASKS]
    assert names(reads) == names(topic for topic in flows if service in topic.consumers)
    assert names(writes - {TASKS}) == names(t for t in flows if service in t.producers)
    assert service in DEAD_LETTERS.producers, "what it can't read goes there"
    assert service in TASKS.producers, "and people are told of it"
    assert service in PARKED_KEYS.consumers, "ops can park its keys"


READ_BY_PROCESSORS = sorted(
    {
        topic.name
        for service in WITH_PROCESSOR
        for each in processors(service)
        for topic in each.inputs
    }
)


@pytest.mark.parametrize("name", READ_BY_PROCESSORS)
def test_one_processor_writes_the_dead_letters_of_what_nobody_can_read(name: str) -> None:
    """However many services read the topic."""
    topic = CATALOGUE[name]
    writer = buries(topic)
    assert writer is not None
    assert len([each for each in processors(writer) if topic in each.inputs]) == 1


def test_the_terminal_looks_for_waiting_rows_where_there_are_any() -> None:
    keeps = {
        service: each.changelog
        for service in WITH_PROCESSOR
        for each in processors(service)
        if "waiting" in each.rows
    }
    assert keeps == waits.CHANGELOGS


@pytest.mark.parametrize("service", WITH_PROCESSOR)
def test_a_processor_s_declaration_is_sound(service: str) -> None:
    for processor in processors(service):
        assert processor.service == service
        readable = {
            message for topic in processor.inputs for message in (*topic.messages, topic.tombstone)
        }
        assert set(processor.on) <= readable, "a rule for what no input carries"
        assert set(processor.facts) <= set(processor.rows), "a fact of a table that is not there"
        assert all(topic.compacted for topic in processor.reads_whole)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_names_only_topics_that_the_catalogue_gives_it(service: str) -> None:
    for path in modules_of(service):
        for line, name in imported(path):
            module, _, attribute = name.rpartition(".")
            is_ours = module.startswith("schemas.")
            topic = getattr(importlib.import_module(module), attribute, None) if is_ours else None
            if isinstance(topic, Topic):
                assert service in {*topic.producers, *topic.consumers}, (
                    f"{in_repository(path)}:{line}: {topic.name} neither has {service} as a"
                    " producer nor as a consumer; say so beside the topic in schemas/"
                )


def names(topics: Iterator[Topic] | set[Topic]) -> list[str]:
    return sorted(topic.name for topic in topics)


# --- habits --------------------------------------------------------------------------------------

Offence = tuple[int, str]
TEXT = {
    ".cfg",
    ".ini",
    ".json",
    ".lock",
    ".md",
    ".mmd",
    ".properties",
    ".py",
    ".sh",
    ".toml",
    ".txt",
    ".xml",
    ".yaml",
    ".yml",
}


@dataclass(frozen=True)
class Habit:
    """What we do not do, where, and what we do instead."""

    name: str
    where: Callable[[], tuple[Path, ...]]
    find: Callable[[Path], Iterator[Offence]]
    instead: str


def text_files() -> tuple[Path, ...]:
    """All that people wrote but this file, which has to name what it forbids."""
    return tuple(
        path
        for path in repository()
        if (path.suffix in TEXT or path.name in {"Makefile", "Dockerfile"})
        and path != Path(__file__)
    )


def lock_files() -> tuple[Path, ...]:
    pattern = re.compile(r".*\.lock|(requirements|constraints).*\.txt|.*-lock\.(json|yaml)")
    return tuple(path for path in repository() if pattern.fullmatch(path.name))


def matching(pattern: str) -> Callable[[Path], Iterator[Offence]]:
    expression = re.compile(pattern)

    def find(path: Path) -> Iterator[Offence]:
        text = path.read_text(encoding="utf-8")
        # Line by line only to say where, which takes many times as long.
        for number, line in enumerate(text.splitlines() if expression.search(text) else (), 1):
            if found := expression.search(line):
                yield number, found.group()

    return find


def calls_of(name: str) -> Callable[[Path], Iterator[Offence]]:
    def find(path: Path) -> Iterator[Offence]:
        # Parsing every test for a word that is nowhere in it takes longer than all else here.
        if name not in path.read_text(encoding="utf-8"):
            return
        for node in nodes(path, ast.Call):
            called = node.func
            if name in {getattr(called, "id", ""), getattr(called, "attr", "")}:
                yield node.lineno, ast.unparse(called)

    return find


def imports_of(root: str) -> Callable[[Path], Iterator[Offence]]:
    def find(path: Path) -> Iterator[Offence]:
        if root not in path.read_text(encoding="utf-8"):
            return
        for node in nodes(path, ast.Import, ast.ImportFrom):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            yield from ((node.lineno, name) for name in names if name.split(".")[0] == root)

    return find


def long_files(path: Path) -> Iterator[Offence]:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if lines > 600:
        yield lines, "the last line"


def long_functions(path: Path) -> Iterator[Offence]:
    for node in nodes(path, ast.FunctionDef, ast.AsyncFunctionDef):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > 60:
            yield node.lineno, f"{node.name} has {lines} lines"


def grab_bags(path: Path) -> Iterator[Offence]:
    bags = {"base", "common", "data", "helper", "helpers", "manager", "misc", "util", "utils"}
    # The folders count from the repository on: what it lies in is not ours to name.
    for part in Path(in_repository(path)).with_suffix("").parts:
        if part in bags:
            yield 1, part


HABITS = [
    Habit(
        "no sleeping in tests",
        lambda: python("tests"),
        calls_of("sleep"),
        "give the rule its `now`, wait on an Event with a timeout, or use `jointbuy wait --idle`",
    ),
    Habit(
        "type ignores say what",
        lambda: tuple(path for path in text_files() if path.suffix == ".py"),
        matching(r"#\s*(type:\s*ignore(?!\[)|noqa(?!:)).*"),
        "name the code: `# type: ignore[code]`, `# noqa: CODE - why`",
    ),
    Habit(
        "no notes to self",
        text_files,
        matching(r"\b(TODO|FIXME)\b"),
        "do it, or write in ARCHITECTURE.md what is left out and why",
    ),
    Habit(
        "files of at most 600 lines",
        lambda: python(*PACKAGES),
        long_files,
        "cut the file where a subject ends",
    ),
    Habit(
        "functions of at most 60 lines",
        lambda: python(*PACKAGES),
        long_functions,
        "keep the control flow, move leaves into functions of their own",
    ),
    Habit(
        "no grab-bag modules",
        lambda: python(*PACKAGES, "tests"),
        grab_bags,
        "name the module for what it is about",
    ),
    Habit(
        "no paths of one machine",
        text_files,
        matching(r"(?<![\w.~])/(home|root|Users|work|mnt)/\w+"),
        "start from __file__, from a setting, or from the working directory",
    ),
    Habit(
        "Kafka clients are made in one module",
        lambda: tuple(
            path
            for path in python(*PACKAGES, "demo")
            if in_repository(path)
            not in {"runtime/clients.py", "runtime/security.py", "stack/brokers.py"}
        ),
        matching(r"\bAIOKafka\w*\("),
        "ask runtime/clients.py for it; runtime/security.py makes their connections, and"
        " stack/brokers.py probes brokers before there are settings",
    ),
    Habit(
        "nothing imports localstripe, which is under the GPL",
        lambda: python(*PACKAGES, "demo", "bench", "tests"),
        imports_of("localstripe"),
        "run it as a process of its own: tests/system/stripe_servers.py",
    ),
    Habit(
        "services do not print",
        lambda: tuple(
            path
            for path in python("services")
            if in_repository(path).split("/")[1] not in {"terminal", "shop_bridge"}
        ),
        calls_of("print"),
        "log it with structlog; only command lines print",
    ),
    Habit(
        "lock files name no addresses",
        lock_files,
        matching(r"https?://\S+"),
        "lock names, versions and hashes; where from is the installing machine's own setting",
    ),
]


@pytest.mark.parametrize("habit", HABITS, ids=lambda habit: habit.name)
def test_habits(habit: Habit) -> None:
    offences = [
        f"{in_repository(path)}:{line}: {what}"
        for path in habit.where()
        for line, what in habit.find(path)
    ]
    assert not offences, "\n".join([f"{habit.name}: {habit.instead}", *offences])
