"""Forms that email a link to a typed address. No answer says whether the address is known."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response

from services.storefront.access.callers import Actor, visitor
from services.storefront.pages.errors import HOME
from services.storefront.pages.forms import Form
from services.storefront.pages.typed import to_check, typed
from services.storefront.pages.visits import Visit, page, said
from texts.catalogue import mark


@dataclass(frozen=True)
class LinkForm:
    """A form at ``place``, and the page after it; all words in English as the code marks them.

    ``sent`` is said to readers whose address the browser has lost, ``sent_to`` with their
    ``{email}``.
    """

    place: str
    title: str
    lead: str
    button: str
    sent: str
    sent_to: str

    def ask(self, request: Request) -> Response:
        """The form that asks for the address."""
        visit = Visit.of(request)
        return page(request, "link_form.html", visit=visit, form=Form(visit), asked=self)

    async def take(
        self, request: Request, send: Callable[[Actor, str], Awaitable[None]]
    ) -> Response:
        """Have the letter sent by ``send``, if the address is known."""
        visit = Visit.of(request)
        form = await Form.of(request, visit)
        email = form.email()
        if form.problems:
            return page(request, "link_form.html", 422, visit, form=form, asked=self)
        await send(visitor(request), email)
        return to_check(request, f"{self.place}/sent", email)

    def taken(self, request: Request) -> Response:
        """What happens now: the same for every address."""
        email = typed(request)
        return said(
            request,
            mark("Check your email"),
            self.sent_to if email else self.sent,
            values={"email": email},
            next=HOME,
            also={"href": self.place, "words": mark("Try another address")},
        )
