"""Texts in Jinja templates: ``{{ _("Your order {order} counts.") }}``.

``_``, ``pgettext`` and ``ngettext`` fill a ``{name}`` with the value that the call gives, else with
the template's value of that name, escaped where the template escapes.
"""

import string
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from texts.catalogue import Texts


def install(environment: Environment, texts: Texts) -> None:
    """Give all templates of an environment the texts in a language."""

    @pass_context
    def gettext(context: Context, text: str, **values: Any) -> str:
        return _filled(context, texts.gettext(text), values)

    @pass_context
    def pgettext(context: Context, of: str, text: str, **values: Any) -> str:
        return _filled(context, texts.pgettext(of, text), values)

    @pass_context
    def ngettext(context: Context, one: str, many: str, n: int, **values: Any) -> str:
        return _filled(context, texts.ngettext(one, many, n), {"n": n, **values})

    environment.globals.update({"_": gettext, "pgettext": pgettext, "ngettext": ngettext})


@cache
def _names(text: str) -> tuple[str, ...]:
    return tuple(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def _filled(context: Context, text: str, given: Mapping[str, Any]) -> str:
    values = {name: given[name] if name in given else context[name] for name in _names(text)}
    if context.eval_ctx.autoescape:
        return Markup(escape(text)).format(**values)
    return text.format(**values)
