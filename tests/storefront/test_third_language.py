"""A third language is one file: pages have it, and show English where it lacks a text."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree

import pytest

from papers.bills import bill_of
from papers.paper import paper_of
from services.storefront.formats import Formats
from services.storefront.pages import visits
from tests.rules.paper_samples import ISSUER, PAYERS, group, payment
from tests.storefront.pages_app import Storefront
from tests.storefront.test_two_visitors import WALKS, A, credential, filled, storefront, world
from texts import catalogue

__all__ = ["storefront", "world"]

FRENCH = """\
msgid ""
msgstr ""
"Language: fr\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "Running now"
msgstr "En cours"

msgid "{n} unit"
msgid_plural "{n} units"
msgstr[0] "{n} unité"
msgstr[1] "{n} unités"
"""
PAGES = [each for each in WALKS if "/api/" not in each and "/static/" not in each]


def forget() -> None:
    for cached in (catalogue.languages, catalogue.texts, visits._environment):
        cached.cache_clear()


@pytest.fixture
def french(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """French beside the languages that are there."""
    copytree(str(catalogue.folder()), tmp_path / "locale")
    file = tmp_path / "locale" / "fr" / "LC_MESSAGES" / "jointbuy.po"
    file.parent.mkdir(parents=True)
    file.write_text(FRENCH, encoding="utf-8")
    monkeypatch.setattr(catalogue, "folder", lambda: tmp_path / "locale")
    forget()
    yield
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("route", PAGES)
@pytest.mark.usefixtures("french")
async def test_each_page_is_shown_in_it(storefront: Storefront, route: str) -> None:
    walk = WALKS[route]
    headers = {"accept-language": "fr-CA,en;q=0.5"}
    answer = await storefront.ask(
        route.partition(" ")[0],
        filled(route, A, walk),
        A.client,
        headers=headers | (credential(A, walk.by) if walk.by else {}),
        body=walk.body(A) if walk.body else None,
        form=walk.form(A) if walk.form else None,
    )
    assert answer.status == walk.status, answer.text
    if answer.headers.get("content-type", "").startswith("text/html") and answer.text:
        assert '<html lang="fr" data-locale="fr-CA"' in answer.text
        if route.endswith("/embed"):
            # A frame on another site has no menu and no foot.
            return
        assert "En cours" in answer.text
        assert "How it works" in answer.text, "without a translation, English"
        assert answer.text.count('<a class="language"') == len(catalogue.languages()) - 1


@pytest.mark.usefixtures("french")
async def test_the_other_pages_lead_to_it_by_its_own_name(storefront: Storefront) -> None:
    answer = await storefront.ask("GET", "/help", A.client, headers={"accept-language": "ja"})
    assert '?lang=en" lang="en" hreflang="en" rel="nofollow">English</a>' in answer.text
    assert '?lang=fr" lang="fr" hreflang="fr" rel="nofollow">français</a>' in answer.text


@pytest.mark.usefixtures("french")
def test_its_plurals_and_its_figures_are_its_own() -> None:
    visit = visits.Visit("fr", Formats.of("fr"), datetime.now(UTC))
    assert visit.ngettext("{n} unit", "{n} units", 0) == "0 unité"
    assert visit.ngettext("{n} unit", "{n} units", 2) == "2 unités"
    assert json.loads(visits._patterns("fr", "{n} unit", "{n} units")) == {
        "one": "{n} unité",
        "other": "{n} unités",
    }
    assert visit.formats.currency == "EUR"
    assert catalogue.language_of("fr_FR") == "fr"
    of = payment()
    paper = paper_of(bill_of(of, group().product, PAYERS["en"], of.amount), ISSUER, "fr")
    assert paper.title.startswith("Invoice ")
    assert paper.total[1] == "84,00\xa0€"
