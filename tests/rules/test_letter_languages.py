"""A third language is one file: letters are written in it, in English where a text is missing."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.notifier.letters import figures, layout
from services.notifier.letters.letter import _form
from tests.rules.letter_samples import parts, read, samples, written
from texts import catalogue, update

FILE = """\
msgid ""
msgstr ""
"Language: de\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "Hello {name},"
msgstr "Guten Tag {name},"

msgid "from {n} unit"
msgid_plural "from {n} units"
msgstr[0] "ab {n} Stück"
msgstr[1] "ab {n} Stück"

msgid "{n} unit"
msgid_plural "{n} units"
msgstr[0] "{n} Stück"
msgstr[1] "{n} Stück"
"""
CACHES = (
    *(catalogue.languages, catalogue.texts, figures._locale),
    *(layout._environment, layout._template, _form),
)


@pytest.fixture
def _german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The languages of the project, and German in a file of two texts."""
    shutil.copytree(update.LOCALE, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "de" / "LC_MESSAGES" / f"{catalogue.DOMAIN}.po"
    file.parent.mkdir(parents=True)
    file.write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(catalogue, "folder", lambda: tmp_path)
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("_german")
@pytest.mark.parametrize("name", samples("en"))
def test_a_letter_in_a_new_language(name: str) -> None:
    """Greeting, units, dates and money are German; a sentence without a translation is English."""
    german = samples("en")[name].to(locale="de-DE", time_zone="Europe/Berlin")
    message = read(written(german))
    assert message["Content-Language"] == "de"
    text = parts(message)["text/plain"]
    assert f"\nGuten Tag {german.person.name},\n" in text
    assert "You get this email because" in text
    assert not re.search(r"\d units?\b|£\d|\bMarch\b", text)
    assert not re.search(r"\d:\d\d (AM|PM)", text)


@pytest.mark.usefixtures("_german")
def test_figures_are_those_of_the_language() -> None:
    """They come from the locale's data, so that they need no translation."""
    austrian = samples("en")["id-issued-member"].to(locale="de_AT", time_zone="Europe/Vienna")
    text = parts(read(written(austrian)))["text/plain"]
    assert "Freitag, 13. März 2026, 18:00 (Mitteleuropäische Normalzeit)" in text
    assert "100 Stück" in text
