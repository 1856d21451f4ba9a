"""Routes of payments: what they are, their papers, and money that came for invoices."""

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Query, Request
from fastapi.responses import Response

from papers.documents import MEDIA_TYPES, As
from schemas.api.parts import Page
from schemas.api.payments import OutcomeGiven, PaymentDetail, PaymentView, ReceivedGiven
from schemas.payments import Payment
from services.storefront.access.callers import Actor, Kind
from services.storefront.access.pseudonyms import shown_to
from services.storefront.api.parameters import (
    Absent,
    ActorDep,
    Cursor,
    IdInPath,
    JsonBody,
    Limit,
    Seed,
    ShopDep,
)
from services.storefront.api.routes import PREFIX, reads, router, writes
from services.storefront.commands.payments import Reported, is_of_payer
from services.storefront.papers.lookup import paper_shown
from services.storefront.rules.views import payment_detail, payment_view
from services.storefront.web.documents import accepted_kind, as_document
from services.storefront.web.shop import Shop
from texts.catalogue import Language

payments = router("payments")

SEERS: tuple[Kind, ...] = ("payer", "member", "organizer", "shop", "seller", "admin")
_received = JsonBody(ReceivedGiven)
_outcome = JsonBody(OutcomeGiven)
_BINARY = {"type": "string", "contentMediaType": "application/pdf"}
_DOCUMENT: dict[str, Any] = {
    "description": "The document.",
    "content": {
        media_type.partition(";")[0]: {"schema": _BINARY if kind == "pdf" else {"type": "string"}}
        for kind, media_type in MEDIA_TYPES.items()
    },
}


@payments.get(
    "/group-purchases/{group_id}/payments",
    **reads(404, 422, by=("organizer", "shop", "seller", "admin")),
)
async def list_payments(
    shop: ShopDep, actor: ActorDep, group_id: IdInPath, cursor: Cursor = None, limit: Limit = 100
) -> Page[PaymentView]:
    """Every payment of a group: for the organizer, the shop, the winning seller."""
    await shop.commands.authority.group_run_by(actor, group_id)
    page = await shop.reader.payments(group_id, cursor, limit)
    items = [payment_view(_as_shown(shop, actor, each)) for each in page.rows]
    return Page(items=items, cursor=page.cursor)


@payments.get("/payments/{payment_id}", **reads(404, by=SEERS))
async def show_payment(shop: ShopDep, actor: ActorDep, payment_id: IdInPath) -> PaymentDetail:
    """A payment, by its id or by the number of the invoice or credit note."""
    payment, group = await shop.commands.payments.one(actor, payment_id)
    payments = await shop.reader.payments_of(group.group_id, payment.member_id or "")
    for_payer = is_of_payer(actor, payment, group)
    return payment_detail(_as_shown(shop, actor, payment), payments, for_payer=for_payer)


_show = reads(404, 409, by=SEERS)
_show["responses"][200] = _DOCUMENT


@payments.get("/payments/{payment_id}/document", response_class=Response, **_show)
async def show_document(
    request: Request,
    shop: ShopDep,
    actor: ActorDep,
    payment_id: IdInPath,
    kind: Annotated[
        As | Absent, Query(alias="as", description="Left out: as `Accept` says, else a PDF.")
    ] = None,
    lang: Annotated[Language | Absent, Query(description="Left out: the payer's.")] = None,
) -> Response:
    """The invoice or credit note, for its payer, the shop and the admin."""
    payment, group = await shop.commands.payments.one(actor, payment_id)
    with_address = actor.kind == "admin" or is_of_payer(actor, payment, group)
    paper = await paper_shown(shop, actor, payment, group, lang, with_address=with_address)
    accepted = request.headers.get("accept", "")
    kind = kind or accepted_kind(accepted)
    return as_document(await shop.printer.document(paper, kind), paper, payment.number or "", kind)


@payments.post(
    "/payments/{payment_id}/received",
    **writes(404, by=("admin",), takes=_received, later=PaymentView),
)
async def receive_payment(
    shop: ShopDep,
    actor: ActorDep,
    payment_id: IdInPath,
    seed: Seed,
    given: Annotated[ReceivedGiven, Depends(_received)],
    response: Response,
) -> PaymentView:
    """Record money received for an invoice, by its id or number. Needs the admin's key.

    The same `reference` counts once; without one, the same `Idempotency-Key` does.
    """
    return _told(
        shop, actor, await shop.commands.payments.receive(actor, payment_id, given, seed), response
    )


@payments.post("/payments/{payment_id}/retry", **writes(404, by=SEERS, later=PaymentView))
async def retry_payment(
    shop: ShopDep, actor: ActorDep, payment_id: IdInPath, response: Response
) -> PaymentView:
    """Try a failed payment again: for its payer, the shop, the winning seller and the admin."""
    return _told(shop, actor, await shop.commands.payments.retry(actor, payment_id), response)


@payments.post(
    "/payments/{payment_id}/outcome",
    **writes(404, by=("shop", "seller", "admin"), takes=_outcome, later=PaymentView),
)
async def say_outcome(
    shop: ShopDep,
    actor: ActorDep,
    payment_id: IdInPath,
    seed: Seed,
    given: Annotated[OutcomeGiven, Depends(_outcome)],
    response: Response,
) -> PaymentView:
    """Report the outcome of a payment by `shop`, or of a refund for an invoice."""
    return _told(
        shop,
        actor,
        await shop.commands.payments.say_outcome(actor, payment_id, given, seed),
        response,
    )


def _as_shown(shop: Shop, actor: Actor, payment: Payment) -> Payment:
    """A payment whose payer has the name that the actor may see."""
    if payment.member_id is None:
        return payment
    member_id = shown_to(actor, shop.access, payment.group_id, payment.member_id)
    return payment.model_copy(update={"member_id": member_id})


def _told(shop: Shop, actor: Actor, reported: Reported, response: Response) -> PaymentView:
    if reported.state == "recorded":
        response.status_code = 202
        segment = quote(reported.payment.payment_id, safe="")
        response.headers["Location"] = f"{PREFIX}/payments/{segment}"
    return payment_view(_as_shown(shop, actor, reported.payment))
