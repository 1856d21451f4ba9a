"""Answers that carry the document of an invoice or credit note."""

import re

from fastapi.responses import Response

from papers.documents import MEDIA_TYPES, As, policy
from papers.paper import Paper


def accepted_kind(accept: str) -> As:
    """The kind that ``Accept`` would have most (RFC 9110, 12.5.1); a PDF if any will do."""
    best, kind = 0.0, "pdf"
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        quality = float(weight) if re.fullmatch(r"[01](\.[0-9]{0,3})?", weight) else 0.0
        found = next((k for k, m in MEDIA_TYPES.items() if m.partition(";")[0] == name), None)
        if found is not None and quality > best:
            best, kind = quality, found
    return kind  # type: ignore[return-value]  # one of the keys


def as_document(content: bytes, paper: Paper, number: str, kind: As) -> Response:
    """The answer with an invoice document, shown or saved under its number."""
    name = re.sub(r"[^A-Za-z0-9.-]", "_", number)
    ending = "txt" if kind == "text" else kind
    headers = {
        "Content-Disposition": f'inline; filename="{name}.{ending}"',
        "Content-Language": paper.language,
        "Vary": "Accept",
    }
    if kind == "html":
        headers["Content-Security-Policy"] = policy()
    return Response(content, media_type=MEDIA_TYPES[kind], headers=headers)
