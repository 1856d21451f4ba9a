"""Every text has a translation in every language."""

import string
from pathlib import Path

import pytest

from texts import update
from texts.catalogue import ENGLISH, languages, texts


def names(text: str) -> set[str | None]:
    """The ``{names}`` of values in a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}


def forms(text: str | tuple[str, ...] | list[str] | None) -> list[str]:
    """A text's singular and plurals, or its only form."""
    return [text] if isinstance(text, str) else list(text or ())


FILES = [pytest.param(file, id=file.parent.parent.name) for file in update.files()]


@pytest.mark.parametrize("file", FILES)
def test_a_language_has_the_texts_of_the_code_and_no_others(file: Path) -> None:
    """``make texts`` changes nothing."""
    assert file.read_bytes() == update.updated(file), "run make texts, then translate what is new"


@pytest.mark.parametrize("file", FILES)
def test_no_text_lacks_a_translation(file: Path) -> None:
    """Each is translated, in every plural form, and nothing is left as a guess."""
    for message in update.read(file):
        if message.id:
            assert forms(message.string), f"not translated: {message.id}"
            assert all(forms(message.string)), f"not translated: {message.id}"
            assert not message.fuzzy, f"only a guess: {message.id}"


@pytest.mark.parametrize("file", FILES)
def test_a_translation_names_the_values_of_its_text(file: Path) -> None:
    """A ``{name}`` that the text lacks would fail; one that is left out would hide a value."""
    for message in update.read(file):
        if not message.id:
            continue
        wanted = set[str | None]().union(*map(names, forms(message.id)))
        for each in forms(message.string):
            # A singular may leave the number out.
            assert wanted - {"n"} <= names(each) <= wanted, f"{message.id}: {each}"


def test_a_language_nobody_translated_into_is_shown_in_english() -> None:
    """A reader gets a readable text in any case."""
    assert texts("xx").language == ENGLISH
    assert texts("xx").gettext("Copy") == "Copy"


def test_english_is_the_first_language() -> None:
    """It needs no file."""
    assert languages()[0] == ENGLISH
    assert set(languages()[1:]) == {file.parent.parent.name for file in update.files()}
