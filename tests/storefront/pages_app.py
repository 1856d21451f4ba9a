"""The storefront without a broker: its routes over a read model, and what it sends to topics."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts

from runtime.settings import Settings
from schemas.parts import Message
from schemas.topic import Topic
from services.storefront.app import build
from services.storefront.commands.sender import Sender
from services.storefront.settings import PageSettings

SECRET = "link-secret-of-the-tests-of-the-storefront"
ADMIN_KEY = "admin-key-of-the-tests"
PAGE_URL = "https://shop.example"
ANSWER_SECONDS = 30


@dataclass
class Answer:
    """An answer; a stream's has no text, as it is cut off when it begins."""

    status: int
    headers: dict[str, str]
    text: str = ""
    content: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Storefront:
    """The app, and what was sent to topics by name."""

    app: FastAPI
    sent: list[tuple[str, Message]] = field(default_factory=list)
    _open: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Method and path of everything that can be asked for."""
        found = iter_route_contexts(self.app.routes)
        return sorted((way, str(each.path)) for each in found for way in each.methods or ())

    async def ask(
        self,
        method: str,
        path: str,
        client: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: Any = None,
        raw: bytes = b"",
    ) -> Answer:
        """What is answered to a client of this address; a stream is left open.

        ``body`` is sent as JSON, ``raw`` as it is.
        """
        sent = {"host": "shop.example"} | dict(headers or {})
        content = raw
        if form is not None:
            content = urlencode(form).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            content = json.dumps(body).encode()
            sent["content-type"] = "application/json"
        sent["content-length"] = str(len(content))
        place, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": place,
            "raw_path": place.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": (client, 1),
            "server": ("shop.example", 443),
        }
        return await self._run(scope, content)

    async def _run(self, scope: Any, content: bytes) -> Answer:
        begun: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        parts: list[bytes] = []
        asked = False

        async def receive() -> Any:
            nonlocal asked
            if asked:
                await asyncio.Event().wait()
            asked = True
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                named = {name.decode(): value.decode() for name, value in message["headers"]}
                begun.set_result(Answer(message["status"], named))
            else:
                parts.append(message.get("body", b""))

        run = asyncio.create_task(self.app(scope, receive, send))
        await asyncio.wait({run, begun}, return_when="FIRST_COMPLETED", timeout=ANSWER_SECONDS)
        if run.done():
            run.result()
        answer = begun.result()
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            self._open.append(run)
            return answer
        await asyncio.wait_for(run, ANSWER_SECONDS)
        answer.content = b"".join(parts)
        answer.text = answer.content.decode(errors="replace")
        return answer

    async def close(self) -> None:
        """End what is still open."""
        for each in self._open:
            each.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self.app.state.shop.reader.close()


#: The routes of the first app.
_router: APIRouter | None = None


def with_shared_routes(app: FastAPI) -> FastAPI:
    """The app with the routes of the first one.

    Only an app's state and what is around its routes is its own. For new routes FastAPI would look
    at the arguments of each handler again, which takes longer than most tests.
    """
    global _router  # noqa: PLW0603 - one for all tests of a process
    _router = _router or app.router
    app.router = _router
    return app


@contextmanager
def storefront_on(url: str, **settings: Any) -> Iterator[Storefront]:
    """A storefront over this read model; commands are answered at once, as nobody takes them."""
    given = {
        "database_url": url,
        "link_secret": SECRET,
        "admin_key": ADMIN_KEY,
        "page_url": PAGE_URL,
        "answer_seconds": 0,
    }
    made = Storefront(with_shared_routes(build(Settings(), PageSettings(**(given | settings)))))

    async def send(_: Sender, topic: Topic, *messages: Message, at: Any = None) -> None:
        made.sent += [(topic.name, each) for each in messages]

    with patch.object(Sender, "send", send):
        yield made
