"""Templates: the sentences of each kind, and the one layout that all letters share.

A template of a kind sets ``badge``, ``subject``, ``title``, ``lead``, ``action`` and ``closing``.
Text and HTML are made of these, so both tell the same. Each template is
compiled once: the layout, with its CSS inlined, on import, and the sentences once a language.
"""

import re
from functools import cache
from typing import Any, Literal, get_args

from css_inline import CSSInliner
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import escape

from texts.catalogue import paragraph, texts
from texts.templates import SharedCode, install

#: What colours a letter: good news, something to do, bad news, or just news.
Mood = Literal["good", "ask", "bad", "plain"]
_LOADER = PackageLoader("services.notifier.letters")


def _said(value: Any) -> Any:
    if value is None:
        raise ValueError("a template shows a value that the notice lacks")
    return value


#: Of plain text, which is escaped when it goes into HTML. A template that shows None is as wrong as
#: one that shows an unknown name.
_PLAIN = Environment(
    loader=_LOADER,
    autoescape=False,
    undefined=StrictUndefined,
    finalize=_said,
    trim_blocks=True,
    lstrip_blocks=True,
    bytecode_cache=SharedCode(),
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


_TEXT = _PLAIN.get_template("letter.txt")
_HTML = {mood: _inlined(mood) for mood in get_args(Mood)}


@cache
def _template(language: str, name: str) -> Template:
    return _environment(language).get_template(f"{name}.jinja")


@cache
def _environment(language: str) -> Environment:
    environment = _PLAIN.overlay()
    environment.globals = dict(_PLAIN.globals)
    install(environment, texts(language))
    return environment


def sentences(name: str, language: str, values: dict[str, Any]) -> dict[str, str]:
    """The texts that the template of a kind, or the ``frame``, sets, by name."""
    module = _template(language, name).make_module(values)
    return {
        said: str(text).strip() for said, text in vars(module).items() if not said.startswith("_")
    }


def paragraphs(text: str, language: str) -> list[str]:
    """The paragraphs of a text, each on one line; in the text a sentence has a line."""
    return [
        paragraph((line.strip() for line in lines.splitlines()), language)
        for lines in re.split(r"\n\s*\n", text)
        if lines.strip()
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
