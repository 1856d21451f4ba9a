"""``make texts``: brings every file of translations up to date with the code and the templates.

A new text is added without a translation. A text that is no longer used is deleted. The test
``tests/texts/test_complete.py`` then names each text that somebody must translate.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir, extract_python
from babel.messages.pofile import read_po, write_po

from texts.catalogue import DOMAIN
from texts.document import FILE, document

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "texts" / "locale"
#: Folders whose texts people read.
FOLDERS = ("services", "papers", "runtime", "terminal", "stack", "schemas", "texts")
METHODS = [
    ("**.py", "texts.update:of_code"),
    ("**/templates/**.html", "jinja2.ext:babel_extract"),
    ("**/templates/**.jinja", "jinja2.ext:babel_extract"),
    ("**/templates/**.txt", "jinja2.ext:babel_extract"),
]
OPTIONS = {
    method: {"silent": "false", "trimmed": "true"} for method, how in METHODS if "jinja2" in how
}
#: Functions that take a text; the first argument of ``pgettext`` is its context.
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "mark": None,
    "_": None,
    "gettext": None,
    "pgettext": ((1, "c"), 2),
    "ngettext": (1, 2),
    "pattern": None,
    "patterns": (1, 2),
}
#: No dates and no names: the same texts give the same file.
HEADER = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural_forms}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def of_code(
    file: BinaryIO, keywords: Mapping[str, Any], comment_tags: Collection[str], options: Any
) -> Iterator[Any]:
    """The texts of a module as Babel finds them, if it calls a function that takes a text.

    Babel reads token by token, which takes long for all modules.
    """
    if re.search(rb"\b(" + "|".join(keywords).encode() + rb")\s*\(", file.read()):
        file.seek(0)
        yield from extract_python(file, keywords, comment_tags, options)


def template() -> Catalog:
    """All texts of the code, without translations."""
    found = Catalog(domain=DOMAIN, fuzzy=False)
    for folder in FOLDERS:
        for file, _, text, _, context in extract_from_dir(
            ROOT / folder, METHODS, OPTIONS, KEYWORDS
        ):
            if text:
                found.add(text, locations=[(f"{folder}/{file}", 0)], context=context)
    return found


def files() -> Iterator[Path]:
    """The file of every language."""
    yield from sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def read(file: Path) -> Catalog:
    """The translations of a language."""
    with file.open("rb") as opened:
        return read_po(opened, locale=file.parent.parent.name, domain=DOMAIN)


def updated(file: Path) -> bytes:
    """What a file is to hold: its translations of the texts that the code has now."""
    known = read(file)
    new = Catalog(locale=known.locale, domain=DOMAIN, fuzzy=False)
    for message in template():
        if message.id:
            old = known.get(message.id, message.context)
            translation = old.string if old else None
            new.add(message.id, translation, locations=message.locations, context=message.context)
    written = BytesIO()
    write_po(written, new, width=0, sort_by_file=True, omit_header=True, include_lineno=False)
    header = HEADER.format(language=known.locale, plural_forms=known.plural_forms)
    return header.encode() + written.getvalue()


def main() -> None:
    """Write all files, and the table of reasons in the docs."""
    for file in files():
        file.write_bytes(updated(file))
    FILE.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
