"""Templates: the sentences of each kind and language, and the one layout that all letters share.

A template of a kind sets ``badge``, ``subject``, ``title``, ``lead``, ``action`` and ``closing``.
Text and HTML are made of the same ones, so they can't tell different things. All is read, its CSS
inlined, and compiled once, when this module is imported.
"""

import re
from typing import Any, Literal, get_args

from css_inline import CSSInliner
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import escape

from schemas.letters import LetterKind
from services.notifier.letters.wording import LANGUAGES, Language

#: What colours a letter: good news, something to do, bad news, or just news.
Mood = Literal["good", "ask", "bad", "plain"]
_LOADER = PackageLoader("services.notifier.letters")


def _said(value: Any) -> Any:
    if value is None:
        raise ValueError("a template says what the notice does not")
    return value


#: Of plain text, which is escaped when it goes into HTML. To say None is as much a mistake as to
#: say what is missing.
_PLAIN = Environment(
    loader=_LOADER,
    autoescape=False,
    undefined=StrictUndefined,
    finalize=_said,
    trim_blocks=True,
    lstrip_blocks=True,
)
#: Of HTML; statements are comments there, which the inliner leaves where they are.
_MARKUP = Environment(
    block_start_string="<!--%",
    block_end_string="%-->",
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_said,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _source(name: str) -> str:
    return _LOADER.get_source(_PLAIN, name)[0]


def _inlined(mood: str) -> Template:
    inliner = CSSInliner(
        keep_at_rules=True, load_remote_stylesheets=False, extra_css=_source("letter.css")
    )
    return _MARKUP.from_string(inliner.inline(_source("letter.html").replace("_mood_", mood)))


_SENTENCES = {
    (language, name): _PLAIN.get_template(f"{language}/{name}.jinja")
    for language in LANGUAGES
    for name in (*get_args(LetterKind), "frame")
}
_TEXT = _PLAIN.get_template("letter.txt")
_HTML = {mood: _inlined(mood) for mood in get_args(Mood)}


def sentences(name: str, language: Language, values: dict[str, Any]) -> dict[str, str]:
    """All that the template of a kind, or the ``frame``, says in a language."""
    module = _SENTENCES[language, name].make_module(values, shared=True)
    return {
        said: str(text).strip() for said, text in vars(module).items() if not said.startswith("_")
    }


def paragraphs(text: str, language: Language) -> list[str]:
    """The paragraphs of a text, a line each; Japanese has no spaces where lines meet."""
    between = "" if language == "ja" else " "
    return [
        between.join(line.strip() for line in paragraph.splitlines())
        for paragraph in re.split(r"\n\s*\n", text)
        if paragraph.strip()
    ]


def rendered(mood: Mood, content: dict[str, Any]) -> tuple[str, str]:
    """A letter's text and HTML."""
    return _filled(_TEXT, content), _filled(_HTML[mood], content)


def escaped(value: str) -> str:
    """A value as it stands in HTML."""
    return str(escape(value))


def _filled(template: Template, content: dict[str, Any]) -> str:
    # Shared: without a copy of the content and of the globals, which no template of ours uses.
    return str(template.make_module(content, shared=True))
