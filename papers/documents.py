"""A paper as a document of the kind that is asked for."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from papers.codes import svg_of
from papers.paper import Paper
from papers.pdf import pdf_of

As = Literal["pdf", "html", "text"]
MEDIA_TYPES: dict[As, str] = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}


@cache
def _style() -> str:
    return files(__package__).joinpath("templates/paper.css").read_text(encoding="utf-8")


def policy() -> str:
    """The Content-Security-Policy of a page: its own style, which stands in it, and nothing else.

    So a page that was saved is still one to be printed.
    """
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )


def document(paper: Paper, kind: As) -> bytes:
    """The document."""
    if kind == "pdf":
        return pdf_of(paper)
    name = "paper.html" if kind == "html" else "paper.txt"
    code = Markup(svg_of(paper.code)) if paper.code else None
    values = {"paper": paper, "style": Markup(_style()), "code": code}
    return _environment(kind).get_template(name).render(values).encode()


@cache
def _environment(kind: As) -> Environment:
    return Environment(
        loader=PackageLoader("papers"),
        autoescape=kind == "html",
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
