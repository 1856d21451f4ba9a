"""Texts in Jinja templates: ``{{ _("Your order {order} counts.") }}``.

``_``, ``pgettext`` and ``ngettext`` fill a ``{name}`` with the value that the call gives, else with
the template's value of that name, escaped where the template escapes. A text without values is
filled once. A value that is missing raises ``KeyError``, and one that is None ``ValueError``.
"""

import string
from collections.abc import Mapping
from functools import cache
from types import CodeType
from typing import Any

from jinja2 import BytecodeCache, Environment, pass_context
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markupsafe import Markup, escape

from texts.catalogue import Texts


class SharedCode(BytecodeCache):
    """Templates of several environments, compiled once.

    Only for environments that differ in nothing but their globals, as those of languages do.
    """

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the code of this source, if there is some."""
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of this source."""
        if bucket.code is not None:
            self._compiled[bucket.key, bucket.checksum] = bucket.code


def install(environment: Environment, texts: Texts) -> None:
    """Give all templates of an environment the texts in a language."""

    @pass_context
    def gettext(context: Context, text: str, /, **values: Any) -> str:
        return _filled(context, texts.gettext(text), values)

    @pass_context
    def pgettext(context: Context, of: str, text: str, /, **values: Any) -> str:
        return _filled(context, texts.pgettext(of, text), values)

    @pass_context
    def ngettext(context: Context, one: str, many: str, n: int, /, **values: Any) -> str:
        return _filled(context, texts.ngettext(one, many, n), {"n": n, **values})

    environment.globals.update({"_": gettext, "pgettext": pgettext, "ngettext": ngettext})


def escaped(text: str, values: Mapping[str, Any]) -> Markup:
    """A text for HTML with its values: what is not safe there yet is escaped."""
    html, wanted = _html(text)
    return html.format(**values) if wanted else html


def names(text: str) -> tuple[str, ...]:
    """The ``{names}`` of values in a text."""
    return tuple(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@cache
def _html(text: str) -> tuple[Markup, tuple[str, ...]]:
    """A text for HTML, and the names of its values; without values it is filled."""
    html, wanted = Markup(escape(text)), names(text)
    return html if wanted else html.format(), wanted


def _filled(context: Context, text: str, values: dict[str, Any]) -> str:
    html, wanted = _html(text)
    if not wanted and context.eval_ctx.autoescape:
        return html
    for name in wanted:
        if name not in values:
            values[name] = context[name]
        if values[name] is None:
            raise ValueError(f"the value {name} is None: {text}")
    return html.format(**values) if context.eval_ctx.autoescape else text.format(**values)
