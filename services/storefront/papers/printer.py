"""PDFs are made outside the event loop, one after the other, with a limited queue."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor

from schemas.refusals import RefusalCode
from services.storefront.papers.documents import As, document
from services.storefront.papers.papers import Paper
from services.storefront.problems import NotNow

#: Most PDFs being made or waiting; each takes 30 to 200 ms.
INSIDE_MAX = 20


class Printer:
    """Makes documents for one web process.

    A PDF takes as long as a hundred pages. A thread leaves the event loop free for other requests.
    A second thread would slow them down again, as all threads share one interpreter.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="papers")
        self._inside: set[Future[bytes]] = set()

    async def document(self, paper: Paper, kind: As) -> bytes:
        """The document. Raises ``NotNow`` if too many PDFs are requested at once."""
        if kind != "pdf":
            return document(paper, kind)
        if len(self._inside) >= INSIDE_MAX:
            raise NotNow(RefusalCode.TOO_MANY_PDFS)
        made = self._thread.submit(document, paper, kind)
        self._inside.add(made)
        # A cancelled caller frees its place only when its PDF is done or was never started.
        made.add_done_callback(self._inside.discard)
        return await asyncio.wrap_future(made)

    def close(self) -> None:
        """Stop making PDFs."""
        self._thread.shutdown(wait=False, cancel_futures=True)
