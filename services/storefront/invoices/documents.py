"""A paper as a document of the kind that is asked for."""

from functools import cache
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.storefront.invoices.papers import Paper
from services.storefront.invoices.pdf import pdf_of

As = Literal["pdf", "html", "text"]
MEDIA_TYPES: dict[As, str] = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}


def document(paper: Paper, kind: As, style: str | None = None) -> bytes:
    """The document; ``style`` is where a page's style sheet is."""
    if kind == "pdf":
        return pdf_of(paper)
    name = "paper.html" if kind == "html" else "paper.txt"
    return _environment(kind).get_template(name).render(paper=paper, style=style).encode()


@cache
def _environment(kind: As) -> Environment:
    return Environment(
        loader=PackageLoader("services.storefront.invoices"),
        autoescape=kind == "html",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
