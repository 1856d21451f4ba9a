"""PDFs are made outside the event loop, one after the other, with a limited queue."""

from functools import partial

from papers.documents import As, document
from papers.paper import Paper
from schemas.refusals import RefusalCode
from services.storefront.background import Background

#: Most PDFs being made or waiting; each takes 30 to 200 ms, as long as a hundred pages.
INSIDE_MAX = 20


class Printer:
    """Makes documents for one web process."""

    def __init__(self) -> None:
        self._background = Background("papers", INSIDE_MAX, RefusalCode.TOO_MANY_PDFS)

    async def document(self, paper: Paper, kind: As) -> bytes:
        """The document. Raises ``NotNow`` if too many PDFs are requested at once."""
        if kind != "pdf":
            return document(paper, kind)
        return await self._background.run(partial(document, paper, kind))

    def close(self) -> None:
        """Stop making PDFs."""
        self._background.close()
