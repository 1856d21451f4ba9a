"""PDFs are made beside the event loop, one after the other, and only so many wait."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

from services.storefront.invoices.documents import As, document
from services.storefront.invoices.papers import Paper
from services.storefront.problems import NotNow

#: The one being made, and those behind it: each takes 30 to 200 ms.
INSIDE_MAX = 20


class Printer:
    """Makes documents for one web process.

    A PDF takes as long as a hundred pages. In a thread it lets other requests have their turns; a
    second thread would only take them away again, as they share one interpreter.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="papers")
        self._inside: set[Future[bytes]] = set()

    async def document(self, paper: Paper, kind: As) -> bytes:
        """The document. Raises ``NotNow`` when too many PDFs are asked for at once."""
        if kind != "pdf":
            return document(paper, kind)
        if len(self._inside) >= INSIDE_MAX:
            raise NotNow("too many PDFs are being made: try again in a minute, or take it as HTML")
        made = self._thread.submit(document, paper, kind)
        self._inside.add(made)
        # Who leaves gives the place back only when the work is over, or was never begun.
        made.add_done_callback(self._inside.discard)
        return await asyncio.wrap_future(made)

    def close(self) -> None:
        """Make no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
