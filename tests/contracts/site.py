"""Writes the pages of the site into dist/site-pages: ``python -m tests.contracts.site``.

They are the documents of docs/ and those beside README.md, with links that lead inside the site,
and the contracts as pages. ``make site`` makes the site of them.
"""

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from markdown_it import MarkdownIt

from tests.contracts.contract_pages import contract_pages
from tests.contracts.folders import ROOT

PAGES = ROOT / "dist" / "site-pages"
DOCS = ROOT / "docs"
#: The pages of documents that are not in docs/.
OUTSIDE = {
    "README.md": "readme.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "report-a-weakness.md",
}
#: Where links to folders and long files lead in the site.
PLACES = {
    "docs/decisions": "architecture.md#decisions",
    "docs/pages": "readme.md",
    "schemas/examples": "contracts/messages.md",
    "schemas/generated/asyncapi.json": "contracts/topics.md",
    "schemas/generated/json": "contracts/messages.md",
}
#: Of other files that pages link, by their paths in the repository.
FILES = "files"
#: The theme would load it from another server; the hash is the one that npm has for the package.
MERMAID = "mermaid@11.16.0"
MERMAID_SHA512 = (
    "Zvm3kbstgdpvIJPPItlL7fppIZ3kibvc1oZIGxdvk9t6UFz6flv+Jw7FtRGKwfcI8OckmH04LqG6LlS6X4B1pA=="
)
MERMAID_FILE = "package/dist/mermaid.min.js"

_LINK_OUTSIDE_FENCES = re.compile(
    r"^ *```.*?^ *```|(?<=\]\()[^)\s]+(?=\))", re.DOTALL | re.MULTILINE
)
_MARKER = re.compile(r" *(?:[-*+]|\d+[.)]) +")
_LIST_INDENT = 4


class SiteError(Exception):
    """The site can't be made; says what to do."""


def pages() -> tuple[dict[str, str], dict[str, Path]]:
    """The site's pages and what they say, and the other files that they link; by their paths."""
    sources = {path.relative_to(DOCS).as_posix(): path for path in DOCS.rglob("*.md")}
    sources |= {page: ROOT / name for name, page in OUTSIDE.items()}
    files: dict[str, Path] = {}
    made = {
        page: in_python_markdown(_relinked(source, page, files)) for page, source in sources.items()
    }
    return made | contract_pages(), files


def _relinked(source: Path, page: str, files: dict[str, Path]) -> str:
    """A document whose links lead to the site's pages, or to files that are added to ``files``."""

    def relinked(found: re.Match[str]) -> str:
        link = found.group()
        if "://" in link or link.lstrip().startswith(("```", "#", "mailto:")):
            return link
        name, hash_, anchor = link.partition("#")
        target = Path(os.path.normpath(source.parent / name))
        return _between(page, _place(source, target, files)) + hash_ + anchor

    return _LINK_OUTSIDE_FENCES.sub(relinked, source.read_text(encoding="utf-8"))


def _place(source: Path, target: Path, files: dict[str, Path]) -> str:
    """Where the site has a file or folder of the repository."""
    path = target.relative_to(ROOT).as_posix()
    if path in OUTSIDE or path in PLACES:
        return OUTSIDE.get(path) or PLACES[path]
    if target.suffix == ".md" and target.is_relative_to(DOCS):
        return target.relative_to(DOCS).as_posix()
    if target.suffix == ".md" or not target.is_file():
        named = f"{source.relative_to(ROOT)} links {path}"
        raise SiteError(f"{named}: add its page to OUTSIDE or PLACES in tests/contracts/site.py")
    place = f"{FILES}/{path}"
    files[place] = target
    return place


def _between(page: str, place: str) -> str:
    """The link from a page to a place."""
    return PurePosixPath(os.path.relpath(place, PurePosixPath(page).parent)).as_posix()


def in_python_markdown(text: str) -> str:
    """A document that Python-Markdown reads as GitHub does.

    It needs four spaces before what belongs to an item of a list, and an empty line before a list
    and after an item with several paragraphs.
    """
    lines = text.split("\n")
    shifts, gaps, long_ends = [0] * len(lines), set(), set()
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.map is None:
            continue
        first, end = token.map
        if token.type == "list_item_open" and (marker := _MARKER.match(lines[first])):
            outer = len(marker.group()) - len(marker.group().lstrip())
            width = len(marker.group()) - outer
            for number in range(first + 1, end):
                shifts[number] += _LIST_INDENT - width
            if first in long_ends and lines[first - 1].strip():
                gaps.add(first)
            if not all(line.strip() for line in lines[first:end]):
                long_ends.add(end)
        is_list = token.type in {"bullet_list_open", "ordered_list_open"}
        if is_list and token.level == 0 and first and lines[first - 1].strip():
            gaps.add(first)
    return "\n".join(
        "\n" * (number in gaps) + (" " * shifts[number] + line if line.strip() else "")
        for number, line in enumerate(lines)
    )


def mermaid() -> bytes:
    """The script that draws the diagrams, from the package registry."""
    npm = shutil.which("npm")
    if npm is None:
        raise SiteError("npm is needed for the script that draws the diagrams: install Node.js")
    with TemporaryDirectory() as folder:
        command = [npm, "pack", MERMAID, "--silent", "--pack-destination", folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise SiteError(f"npm pack {MERMAID} failed: {done.stderr.strip()[-500:]}")
        (archive,) = Path(folder).iterdir()
        data = archive.read_bytes()
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != MERMAID_SHA512:
        raise SiteError(f"{MERMAID} is not the file that its hash names")
    with tarfile.open(fileobj=io.BytesIO(data)) as unpacked:
        script = unpacked.extractfile(MERMAID_FILE)
        assert script is not None
        return script.read()


def main() -> int:
    """Write all of them anew."""
    try:
        texts, files = pages()
        script = mermaid()
    except SiteError as error:
        print(error, file=sys.stderr)
        return 1
    shutil.rmtree(PAGES, ignore_errors=True)
    contents = {page: text.encode() for page, text in texts.items()}
    contents |= {place: path.read_bytes() for place, path in files.items()}
    contents[f"{FILES}/mermaid.min.js"] = script
    for place, content in contents.items():
        path = PAGES / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
