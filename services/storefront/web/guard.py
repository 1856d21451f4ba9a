"""The outermost layer: it finds the client, counts requests, and limits bodies and origins.

Plain ASGI, so that streams pass untouched. A body is read here, up to its limit, whether or not
its length was said, before anything is made of it.
"""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.bodies import is_told_too_large
from runtime.networks import network_of
from schemas.refusals import RefusalCode
from services.storefront.access.callers import COOKIE, Access
from services.storefront.access.rates import Rates, What
from services.storefront.commands.authority import demand
from services.storefront.problems import NotAllowed, Refusal, TooLarge
from services.storefront.readmodel.database import DatabaseError
from services.storefront.settings import PageSettings
from services.storefront.wares.pictures import FILE_BYTES_MAX
from services.storefront.web.uploads import MULTIPART, kind_of

BODY_BYTES_MAX = 64_000
#: Ten thousand members of a group, and the like.
API_BODY_BYTES_MAX = 1_000_000
#: A picture with the form around it; and a page's form with several.
UPLOAD_BYTES_MAX = FILE_BYTES_MAX + 100_000
FORM_BYTES_MAX = 3 * FILE_BYTES_MAX
API = "/api/"
UPLOAD_API = "/api/v1/images"
#: Pages whose forms have files.
_UPLOAD_PAGE = re.compile(r"/seller/(?:open|profile)|/shops/[^/]+/edit")
PICTURES = "/images/"
#: Every page loads these.
UNCOUNTED = ("/static/",)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    # Tokens stand in addresses: no other site is told them, and forms still say their origin.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
HSTS = {"Strict-Transport-Security": "max-age=31536000"}

#: The answer of any error, a refusal or a fault.
Refuse = Callable[[Request, Exception], Response]


class Guard:
    """The outermost layer; ``refuse`` makes the answer of a refusal."""

    def __init__(
        self, app: ASGIApp, settings: PageSettings, rates: Rates, access: Access, refuse: Refuse
    ) -> None:
        self._app = app
        self._access = access
        self._proxies = settings.proxies
        self._rates = rates
        self._refuse = refuse
        self._origin = _origin(settings.page_url)
        self._headers = HEADERS | (HSTS if settings.page_url.startswith("https://") else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["client"] = (self._address(scope, headers), 0)

        is_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                answered = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    answered.setdefault(name, value)
            await send(message)

        try:
            await self._count(scope)
            self._need_own_page(scope, headers)
            most = await self._body_max(scope, headers)
            body = await _body(scope, headers, receive, most)
        except (Refusal, DatabaseError) as refusal:
            answer = self._refuse(Request(scope), refusal)
            # The rest of the body is never read.
            answer.headers["Connection"] = "close"
            await answer(scope, receive, send_with_headers)
            return
        if body is None:
            return
        try:
            await self._app(scope, _replayed(body, receive), send_with_headers)
        except Exception as error:
            answer = self._refuse(Request(scope), error)
            if not is_begun:
                await answer(scope, receive, send_with_headers)

    def _address(self, scope: Scope, headers: Headers) -> str:
        """The client's address, as the last proxy of ours saw it."""
        client = scope.get("client")
        direct = client[0] if client else ""
        if not self._proxies:
            return direct
        lines = ",".join(headers.getlist("x-forwarded-for"))
        seen = [each.strip() for each in lines.split(",") if each.strip()]
        return seen[-self._proxies] if len(seen) >= self._proxies else direct

    async def _count(self, scope: Scope) -> None:
        if scope["path"].startswith(UNCOUNTED):
            return
        what: What = "reads" if scope["method"] in SAFE else "writes"
        if what == "reads" and scope["path"].startswith(PICTURES):
            # A list shows many of them, and browsers keep them.
            what = "images"
        await self._rates.count(what, network_of(scope["client"][0]))

    async def _body_max(self, scope: Scope, headers: Headers) -> int:
        """The most bytes of the body: those of a file only from somebody who may send one.

        A form without files stays small, as it is parsed on the event loop.

        Raises ``NoCredential`` and ``NotAllowed``, before the file is read.
        """
        path: str = scope["path"]
        if scope["method"] in SAFE:
            return 0
        if path == UPLOAD_API:
            demand(await self._access.bearer(Request(scope)), "shop", "seller", "admin")
            return UPLOAD_BYTES_MAX
        if path.startswith(API):
            return API_BODY_BYTES_MAX
        if _UPLOAD_PAGE.fullmatch(path) and kind_of(headers) == MULTIPART:
            actor = await self._access.session(Request(scope))
            if actor.kind != "anonymous":
                return FORM_BYTES_MAX
        return BODY_BYTES_MAX

    def _need_own_page(self, scope: Scope, headers: Headers) -> None:
        """Refuse a form that a browser sends from another site's page.

        The API takes no cookies, so nobody can be made to use it. Mail programs that unsubscribe
        (RFC 8058) say no origin, and have no session.
        """
        if scope["method"] in SAFE or scope["path"].startswith(API):
            return
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            is_ours = site in ("same-origin", "none")
        elif origin is not None:
            is_ours = origin == (self._origin or f"{scope['scheme']}://{headers.get('host')}")
        else:
            is_ours = COOKIE not in headers.get("cookie", "")
        if not is_ours:
            raise NotAllowed(RefusalCode.OTHER_SITE)


async def _body(scope: Scope, headers: Headers, receive: Receive, most: int) -> bytes | None:
    """The whole body; ``None`` when the client has gone. Raises ``TooLarge``."""
    if scope["method"] in SAFE:
        return b""
    too_large = TooLarge(RefusalCode.BODY_TOO_LARGE, most=most)
    if is_told_too_large(headers, most):
        raise too_large
    body = bytearray()
    while True:
        # The server limits the time for a body (BODY_SECONDS), then closes the connection.
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            # The body of a GET, for example, is ignored.
            while (message := await receive())["type"] != "http.disconnect":
                pass
            return message
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _origin(page_url: str) -> str:
    parts = urlsplit(page_url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
