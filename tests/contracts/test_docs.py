"""Links in documents lead somewhere, and what is made from the code is current."""

import re
from functools import cache
from itertools import count
from pathlib import Path

import pytest

from tests.contracts.docs import ARCHITECTURE, DRAWING, generated_docs
from tests.contracts.folders import ROOT
from tests.contracts.test_architecture import repository

FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
#: A file in backticks or at the head of a diff, in full or from a folder on.
FILE = re.compile(r"(?:`|[ab]/)((?:[\w.-]+/)+[\w-]+\.(?:py|jinja))\b")
#: Its language is one that we do not have.
NOT_HERE = "add-a-language"
ARCHITECTURE_LINES_MAX = 200


@cache
def documents() -> tuple[Path, ...]:
    return tuple(path for path in repository() if path.suffix == ".md")


@cache
def files() -> tuple[str, ...]:
    return tuple(f"/{each.relative_to(ROOT).as_posix()}" for each in repository())


@cache
def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors that GitHub gives a document's headings."""
    found: set[str] = set()
    for heading in HEADING.findall(prose(path)):
        words = re.sub(r"[^\w\- ]", "", LINK.sub("]", heading).lower()).replace(" ", "-")
        found.add(next(n for i in count() if (n := f"{words}-{i}" if i else words) not in found))
    return frozenset(found)


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for link in LINK.findall(prose(path)):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{link}: there is no such file"
        assert target.is_relative_to(ROOT), f"{link}: is outside of the repository"
        if anchor:
            assert anchor in anchors(target), f"{link}: {target.name} has no such heading"


@pytest.mark.slow
@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_documents_name_are_there(path: Path) -> None:
    named = set(FILE.findall(path.read_text(encoding="utf-8")))
    gone = {name for name in named if not any(each.endswith(f"/{name}") for each in files())}
    assert path.stem == NOT_HERE or not gone


def test_what_is_made_from_the_code_is_current() -> None:
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in generated_docs().items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run make docs and commit what it writes"
    assert DRAWING.search(ARCHITECTURE.read_text(encoding="utf-8")), "the drawing's place is gone"


def test_the_architecture_is_short() -> None:
    lines = ARCHITECTURE.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= ARCHITECTURE_LINES_MAX, "move what one part alone needs to docs/decisions"


# --- guides --------------------------------------------------------------------------------------

GUIDES = [path for path in documents() if path.parent == ROOT / "docs" / "guides"]
#: What the diffs of guides are about.
CODE = {".css", ".html", ".jinja", ".json", ".po", ".py", ".toml", ".txt"}
DIFF = re.compile(r"^ *```diff\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


@cache
def lines_of_the_code() -> frozenset[str]:
    return frozenset(
        line.strip()
        for path in repository()
        if path.suffix in CODE
        for line in path.read_text(encoding="utf-8").splitlines()
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_the_lines_that_a_guide_adds_are_lines_of_the_code(path: Path) -> None:
    """So a guide shows a change as it would be made today."""
    diffs = DIFF.findall(path.read_text(encoding="utf-8"))
    assert diffs, "a guide shows a real change"
    lines = [line.lstrip() for diff in diffs for line in diff.splitlines()]
    added = {
        line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++")
    }
    assert path.stem == NOT_HERE or not added - lines_of_the_code()


def test_every_guide_is_named_in_contributing() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"(docs/guides/{path.name})" in text for path in GUIDES)
