"""The texts in a language, read once from ``locale/<language>/LC_MESSAGES/jointbuy.po``.

English needs no file: a text without a translation is shown as it stands in the code, and a test
holds that no translation is missing.
"""

from collections.abc import Iterable
from functools import cache
from gettext import c2py
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Final, Literal

from babel.core import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

ENGLISH: Final = "en"
DOMAIN: Final = "jointbuy"
_Key = tuple[str, str | None]
#: Languages that write no space between two sentences.
_UNSPACED: Final = frozenset({"ja", "zh"})


def mark(text: str) -> str:
    """The text as it is: marks one that stands in a table for ``make texts``."""
    return text


def folder() -> Traversable:
    """Where the translations are: a folder for each language."""
    return files("texts") / "locale"


@cache
def languages() -> tuple[str, ...]:
    """The codes of all languages (ISO 639-1): English first, then one for each folder."""
    others = (each.name for each in folder().iterdir() if each.is_dir())
    return (ENGLISH, *sorted(others))


def language_of(locale: str) -> str:
    """The language of a locale (BCP 47, such as ``ja-JP``); English if it has no texts here."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in languages() else ENGLISH


@cache
def own_name(language: str) -> str:
    """What a language calls itself: ``日本語`` for ``ja``."""
    return Locale(language).get_display_name(language) or language


if TYPE_CHECKING:
    Language = str
else:
    #: A language's code, as pydantic and typer check it.
    Language = Literal[languages()]


def paragraph(sentences: Iterable[str], language: str) -> str:
    """Sentences in a row, with a space between them if the language has one there."""
    return ("" if language in _UNSPACED else " ").join(sentences)


class Texts:
    """Looks texts up in one language."""

    def __init__(self, language: str, catalog: Catalog | None = None) -> None:
        self.language = language
        self._translated: dict[_Key, tuple[str, ...]] = {}
        self._plural = c2py(catalog.plural_expr if catalog else "n != 1")
        for message in catalog or ():
            if message.id and message.string:
                one = message.id if isinstance(message.id, str) else message.id[0]
                said = message.string
                forms = (said,) if isinstance(said, str) else tuple(said)
                self._translated[one, message.context] = forms

    def gettext(self, text: str) -> str:
        """A text."""
        return self._one(text, None)

    def pgettext(self, context: str, text: str) -> str:
        """A text that English writes like another; ``context`` tells the two apart."""
        return self._one(text, context)

    def ngettext(self, one: str, many: str, n: int) -> str:
        """The text for a number: in English ``one`` for 1, else ``many``."""
        found = self._translated.get((one, None))
        if not found:
            return one if n == 1 else many
        return found[min(self._plural(n), len(found) - 1)]

    def _one(self, text: str, context: str | None) -> str:
        found = self._translated.get((text, context))
        return found[0] if found else text


@cache
def texts(language: str) -> Texts:
    """The texts in a language; in English if nobody translated into it."""
    file = folder() / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    if language not in languages() or language == ENGLISH:
        return Texts(ENGLISH)
    with file.open("rb") as opened:
        return Texts(language, read_po(opened, locale=language))
