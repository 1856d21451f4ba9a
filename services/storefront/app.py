"""What the links in letters lead to: unsubscribing and confirming, by POST only.

A GET shows what is going to happen and a button; scanners that open links change nothing. The
mail programs' own button (RFC 8058) posts without asking.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError

from schemas.links import LinkError, Links
from schemas.messages import ApplicationConfirmed, Preference, Resubscribed, Unsubscribed
from schemas.topics import APPLICATIONS, MAIL_PREFERENCES
from services.runtime.transport import TransportError
from services.storefront.sending import Sender

#: Kinds in words; ``all`` is every kind that can be unsubscribed.
KINDS = {
    "condition-improved": "letters about better conditions",
    "invitation": "invitations to outbid",
    "offer-judged": "letters about what became of your offers",
    "deadline-reminder": "reminders of deadlines",
    "all": "all letters that are not part of a contract",
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
BODY_BYTES_MAX = 10_000
_log = structlog.get_logger()


def build(sender: Sender, links: Links) -> FastAPI:
    """The app; it connects when it starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await sender.start()
        yield
        await sender.stop()

    app = FastAPI(title="jointbuy", lifespan=lifespan, openapi_url=None)
    pages = Environment(
        loader=PackageLoader("services.storefront"), autoescape=True, undefined=StrictUndefined
    )

    def page(name: str, status: int = 200, **said: Any) -> HTMLResponse:
        return HTMLResponse(pages.get_template(name).render(**said), status)

    @app.middleware("http")
    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            too_large = int(request.headers.get("content-length", "0")) > BODY_BYTES_MAX
        except ValueError:
            too_large = True
        if too_large:
            response: Response = PlainTextResponse("the request is too large\n", 413)
        else:
            response = await answer(request)
        for header, value in HEADERS.items():
            response.headers.setdefault(header, value)
        return response

    @app.exception_handler(LinkError)
    async def bad_link(_: Request, error: LinkError) -> Response:
        return page("said.html", 404, title="This link does not work", text=f"{error}.")

    @app.exception_handler(TransportError)
    @app.exception_handler(KafkaError)
    async def not_now(_: Request, error: Exception) -> Response:
        _log.warning("could not be recorded", error=f"{type(error).__name__}: {error}")
        text = "It could not be recorded just now. Please try again in a minute."
        return page("said.html", 503, title="Not now", text=text)

    @app.exception_handler(ValidationError)
    async def bad_content(_: Request, __: ValidationError) -> Response:
        text = "The link is not complete: copy it whole from the letter."
        return page("said.html", 404, title="This link does not work", text=text)

    _add_links(app, sender, links, page)
    _add_ops(app, pages.get_template("style.css").render())
    return app


def _add_links(
    app: FastAPI, sender: Sender, links: Links, page: Callable[..., HTMLResponse]
) -> None:
    async def prefer(kind_of_word: type[Preference], token: str) -> str:
        """Send a recipient's word on the letters that a token is about; these in words."""
        recipient_id, kind = _two(links.read("unsubscribe", token))
        said = {"recipient_id": recipient_id, "kind": kind, "at": datetime.now(UTC)}
        await sender.send(MAIL_PREFERENCES, kind_of_word.model_validate(said))
        return KINDS.get(kind, kind)

    @app.get("/unsubscribe/{token}")
    async def ask_to_unsubscribe(token: str) -> Response:
        _, kind = _two(links.read("unsubscribe", token))
        return page("unsubscribe.html", what=KINDS.get(kind, kind), token=token)

    @app.post("/unsubscribe/{token}")
    async def unsubscribe(token: str) -> Response:
        what = await prefer(Unsubscribed, token)
        return page("unsubscribed.html", what=what, token=token)

    @app.post("/resubscribe/{token}")
    async def resubscribe(token: str) -> Response:
        what = await prefer(Resubscribed, token)
        return page("said.html", title="Welcome back", text=f"You will get {what} again.")

    @app.get("/confirm/{token}")
    async def ask_to_confirm(token: str) -> Response:
        auction_id, _ = _two(links.read("confirm-application", token))
        return page("confirm.html", auction_id=auction_id, token=token)

    @app.post("/confirm/{token}")
    async def confirm(token: str) -> Response:
        auction_id, application_id = _two(links.read("confirm-application", token))
        message = ApplicationConfirmed(
            application_id=application_id, auction_id=auction_id, at=datetime.now(UTC)
        )
        await sender.send(APPLICATIONS, message)
        text = "Your reservation counts, if the auction is still open. We will write to you."
        return page("said.html", title="Thank you", text=text)


def _two(what: list[str]) -> tuple[str, str]:
    if len(what) != 2:
        raise LinkError("the link is not complete: copy it whole from the letter")
    return what[0], what[1]


def _add_ops(app: FastAPI, style_sheet: str) -> None:
    @app.get("/livez")
    @app.get("/readyz")
    async def alive() -> Response:
        return PlainTextResponse("ok\n")

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/style.css")
    async def style() -> Response:
        return Response(style_sheet, media_type="text/css")
