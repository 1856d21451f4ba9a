"""The site has each document, and its links lead to its own pages and files."""

import os
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from contracts.generate import message_types
from schemas.catalogue import CATALOGUE
from schemas.parts import TimePassed
from services.storefront.api import document
from tests.contracts.contract_pages import contract_pages
from tests.contracts.folders import ROOT
from tests.contracts.site import DOCS, FILES, OUTSIDE, PLACES, SiteError, in_python_markdown, pages
from tests.contracts.test_docs import FENCE, HEADING, LINK

CONTRACTS = {"contracts/topics.md", "contracts/messages.md", "contracts/http-api.md"}


def config() -> Any:
    """mkdocs.yml, without what its tags stand for."""
    return yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def listed(nav: Any) -> list[str]:
    """The pages of a part of the navigation."""
    if isinstance(nav, str):
        return [nav]
    parts = nav if isinstance(nav, list) else nav.values()
    return [page for part in parts for page in listed(part)]


def test_the_navigation_lists_every_page_once_and_no_other() -> None:
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert not there & {*OUTSIDE.values(), *CONTRACTS}, "two pages have one path"
    assert sorted(listed(config()["nav"])) == sorted(there | {*OUTSIDE.values()} | CONTRACTS)


def test_nothing_comes_from_other_servers() -> None:
    """Fonts off; no script or style but the site's own."""
    told = config()
    assert told["theme"]["font"] == "false"
    linked = [*told.get("extra_javascript", ()), *told.get("extra_css", ())]
    assert linked == [f"{FILES}/mermaid.min.js"]


def test_every_place_of_a_folder_is_there() -> None:
    assert all((ROOT / name).exists() for name in (*OUTSIDE, *PLACES))


@cache
def made() -> tuple[dict[str, str], dict[str, Path]]:
    return pages()


@pytest.mark.slow
def test_links_lead_to_pages_and_files_of_the_site() -> None:
    texts, files = made()
    assert set(texts) >= CONTRACTS
    for page, text in texts.items():
        for link in LINK.findall(FENCE.sub("", text)):
            if "://" in link or link.startswith(("#", "mailto:")):
                continue
            place = os.path.normpath(PurePosixPath(page).parent / link.partition("#")[0])
            assert place in texts or place in files, f"{page}: {link} leads nowhere"


@pytest.mark.slow
def test_the_contracts_have_every_topic_message_and_operation() -> None:
    headings = {page: set(HEADING.findall(text)) for page, text in contract_pages().items()}
    assert {*CATALOGUE} <= headings["contracts/topics.md"]
    names = {message.__name__ for message in message_types()}
    assert names - {TimePassed.__name__} <= headings["contracts/messages.md"]
    text = contract_pages()["contracts/http-api.md"]
    for path, methods in document.own()["paths"].items():
        assert all(f"`{method.upper()} {path}`" in text for method in methods)


def test_a_link_that_the_site_has_no_place_for_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.md").write_text("[tests](../tests)")
    monkeypatch.setattr("tests.contracts.site.ROOT", tmp_path.parent)
    monkeypatch.setattr("tests.contracts.site.DOCS", tmp_path)
    monkeypatch.setattr("tests.contracts.site.OUTSIDE", {})
    with pytest.raises(
        SiteError, match=r"index\.md links tests: add its page to OUTSIDE or PLACES"
    ):
        pages()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Text:\n- one\n- two", "Text:\n\n- one\n- two"),
        ("- one\n  more\n- two", "- one\n    more\n- two"),
        ("1. one\n\n   ```sh\n   x\n   ```", "1. one\n\n    ```sh\n    x\n    ```"),
        ("1. one\n\n   more\n2. two", "1. one\n\n    more\n\n2. two"),
        ("10. one\n    more", "10. one\n    more"),
        ("- one\n  - inner\n    more", "- one\n    - inner\n        more"),
        ("```sh\n- no list\n  x\n```", "```sh\n- no list\n  x\n```"),
        ("a\n\n| b |\n|---|\n| - c |", "a\n\n| b |\n|---|\n| - c |"),
    ],
)
def test_lists_are_written_as_python_markdown_reads_them(written: str, expected: str) -> None:
    assert in_python_markdown(written) == expected


@pytest.mark.slow
def test_paths_in_links_are_those_of_a_page() -> None:
    """A runbook is in a folder, so it leads up."""
    text = made()[0]["runbooks/README.md"]
    assert "(../metrics.md)" in text
    assert f"(../{FILES}/deploy/prometheus/rules/jointbuy.yml)" in text
