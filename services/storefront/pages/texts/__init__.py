"""Every sentence of the pages, in both languages: ``*.toml`` beside this file, a table a page.

An entry is a pair, English and Japanese. ``{name}`` stands for a value; where a number decides
between singular and plural, ``|`` separates the two, and the number is the value ``n``.
"""

import tomllib
from importlib.resources import files
from typing import Literal, get_args

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class TextError(LookupError):
    """A text that is not there, or not in both languages; the message says which."""


def load() -> dict[str, tuple[str, str]]:
    """All texts by ``table.name``. Raises ``TextError`` when one lacks a language."""
    texts = {}
    for file in sorted(files(__package__).iterdir(), key=lambda each: each.name):
        if not file.name.endswith(".toml"):
            continue
        for table, entries in tomllib.loads(file.read_text(encoding="utf-8")).items():
            for name, pair in entries.items():
                key = f"{table}.{name}"
                if key in texts or len(pair) != len(LANGUAGES) or not all(pair):
                    raise TextError(f"{file.name}: {key} is there twice, or not in both languages")
                texts[key] = (pair[0], pair[1])
    return texts


_TEXTS = load()


def has(key: str) -> bool:
    """Whether there is such a text: of codes that a later version of a service may add to."""
    return key in _TEXTS


def text(key: str, language: Language, n: int | None = None) -> str:
    """A text with its ``{names}`` as they are; ``n`` picks singular or plural.

    Raises ``TextError`` when there is none.
    """
    if key not in _TEXTS:
        raise TextError(f"there is no text {key}")
    found = _TEXTS[key][LANGUAGES.index(language)]
    one, _, many = found.partition("|")
    return many if many and n != 1 else one
