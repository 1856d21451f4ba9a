"""Descriptions of products: a safe part of Markdown as HTML. Pure.

HTML in it is shown as text. There are no images, and headings stand below the page's own. Links are
for texts of those who answer for them; without them, the address stays in the text as it is.
"""

from collections.abc import MutableMapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from domain.web_addresses import WebAddressError, web_address

#: Search engines pass nothing on, and the page that opens can't reach this one.
REL: Final = "nofollow ugc noopener"
_RULES: Final = (
    *("paragraph", "heading", "lheading", "list", "blockquote", "hr", "newline", "escape"),
    *("entity", "emphasis", "strikethrough", "backticks", "balance_pairs", "fragments_join"),
)
_LINKS: Final = ("link", "autolink")
#: Lists and quotes within each other; more is read as text.
_NESTING_MAX: Final = 12
#: Below the page's own ``h2``, whatever is written, so that the outline has no gaps.
_HEADING: Final = "h3"


@lru_cache(maxsize=500)
def html_of(text: str, *, links: bool) -> str:
    """The HTML of a description."""
    html: str = _reader(links).render(text)
    return html


@cache
def _reader(links: bool) -> MarkdownIt:
    options = {"html": False, "linkify": False, "typographer": False, "maxNesting": _NESTING_MAX}
    reader = _Reader("zero", options)
    reader.enable([*_RULES, *(_LINKS if links else ())])
    reader.add_render_rule("heading_open", _heading)
    reader.add_render_rule("heading_close", _heading)
    reader.add_render_rule("link_open", _link)
    return reader


class _Reader(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Whether a text's address may become a link."""
        try:
            return bool(web_address(url))
        except WebAddressError:
            return False


def _heading(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: Any,
    _: MutableMapping[Any, Any],
) -> str:
    tokens[index].tag = _HEADING
    return self.renderToken(tokens, index, options, {})


def _link(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: Any,
    _: MutableMapping[Any, Any],
) -> str:
    tokens[index].attrSet("rel", REL)
    return self.renderToken(tokens, index, options, {})
