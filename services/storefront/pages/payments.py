"""A payer's payments in a group, by a signed link: to pay, to see how they stand, to read."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from domain.invoices import open_of
from domain.pseudonyms import short_number
from papers.bills import has_paper
from papers.codes import svg_of
from papers.documents import As
from papers.issuer import Issuer
from papers.transfer import Transfer, transfer_for
from runtime.links import LinkError
from schemas.api.groups import PaidState
from schemas.groups import GroupPurchase
from schemas.orders import PURCHASES, PurchaseRow
from schemas.payments import Payment
from schemas.refusals import RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.access.pseudonyms import pseudonym
from services.storefront.commands.payments import is_of_payer
from services.storefront.pages import codes
from services.storefront.pages.agreement import how_discount_comes
from services.storefront.pages.paths import path_of
from services.storefront.pages.visits import Visit, page
from services.storefront.pages.wares import SoldBy, wares
from services.storefront.papers.lookup import paper_shown
from services.storefront.problems import Impossible, NotAllowed
from services.storefront.readmodel.details import group_shown
from services.storefront.rules.paid import has_come, is_unpaid_order, paid_state
from services.storefront.web.documents import as_document
from services.storefront.web.shop import shop_of
from texts.facts import PAYMENTS
from texts.reasons import explained

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Told:
    """A payment as a line.

    ``page`` is where it is paid, ``paper`` where its document is, ``retry`` where a form asks for
    it to be tried again. ``transfer`` pays what is open of an invoice; ``code`` is its QR code, as
    SVG. ``is_paid``: all money of an invoice has come.
    """

    kind: str
    number: str | None
    amount: int
    currency: str
    standing: str
    open: int
    problem: object
    page: str | None
    paper: str | None
    retry: str | None
    transfer: Transfer | None
    code: Markup | None
    is_paid: bool


@dataclass(frozen=True, slots=True)
class Own:
    """What a payer has ordered so far and whether it is paid; ``page`` is where to pay, if known.

    ``quantity`` is what counts; 0 if the link shows one order alone. ``means`` are texts that say
    what the state means.
    """

    state: PaidState
    quantity: int
    page: str | None
    means: Sequence[str]


@dataclass(frozen=True, slots=True)
class Paid:
    """All of a payer's lines; ``waits`` says that more is to be known in seconds.

    ``own`` is ``None`` where the organizer pays for all. ``discount`` says how the discount comes,
    as long as it is not decided. ``seller`` is who sells, if the page knows it, and ``issuer`` who
    issues the invoices, if that is somebody else.
    """

    group_id: str
    product: str
    lines: Sequence[Told]
    waits: bool
    own: Own | None
    closes_at: datetime
    discount: str | None
    seller: SoldBy | None
    issuer: str | None
    #: The number by which the organizer knows the payer, if there is one.
    buyer: str | None = None

    @property
    def counts(self) -> bool:
        """Whether the order counts: its invoice is issued, or its money is here or held."""
        is_held = self.own is not None and self.own.state in ("paid", "reserved")
        return self.invoice is not None or is_held

    @property
    def invoice(self) -> Told | None:
        """The first invoice that is still to be paid, else the first one."""
        issued = [each for each in self.lines if each.kind == "invoice" and each.number]
        return next((each for each in issued if each.open), next(iter(issued), None))


async def payments_told(request: Request, actor: Actor, visit: Visit) -> Paid:
    """What stands of the payments of whoever has a link."""
    shop = shop_of(request)
    group, payments = await shop.commands.payments.of_payer(actor)
    payer_id = actor.id
    if actor.kind == "organizer" and group.organizer is not None:
        payer_id = group.organizer.id
    link = shop.access.payments_path(
        group.group_id,
        payer_id,
        actor.order,
        is_anothers=actor.is_anothers,
        holder=actor.holder,
    )
    base = path_of(link)
    lines = [_told(each, payments, base, shop.issuer, visit) for each in payments if each.amount]
    is_by_card = group.payment.scope == "member" and group.payment.method == "card"
    # An order of a moment ago whose page to pay on is still being made.
    waits = bool(actor.order) and is_by_card and all(_is_being_made(each) for each in payments)
    own = None
    if group.payment.scope == "member" and actor.kind != "organizer":
        quantity = 0
        if not actor.order and payer_id:
            row = await shop.reader.fact(PURCHASES.name, f"{group.group_id}/member/{payer_id}")
            quantity = row.quantity if isinstance(row, PurchaseRow) else 0
        is_at_shop = group.payment.method == "shop"
        state = paid_state(payments, counts_once_paid=is_at_shop and quantity > 0)
        if waits:
            state = "unpaid"
        to_pay = (each.page for each in lines if each.page)
        own = Own(state, quantity, next(to_pay, None), _means(state, payments, waits=waits))
    about = await wares(request, group.product, group.shop_id, group.seller_id)
    seller, issuer = about.sold_by, shop.issuer
    is_invoiced = any(each.number for each in lines)
    is_other = issuer is not None and seller is not None and issuer.name != seller.name
    return Paid(
        group_id=group.group_id,
        product=group.product.name,
        lines=lines,
        waits=waits,
        own=own,
        closes_at=group.closes_at,
        discount=await _discount_to_come(request, group) if lines else None,
        seller=seller,
        buyer=None if actor.kind == "organizer" else buyer_number(request, group, actor.id),
        issuer=issuer.name if issuer and is_invoiced and is_other else None,
    )


def buyer_number(request: Request, group: GroupPurchase, member_id: str) -> str | None:
    """The number by which the organizer knows a buyer, unless the organizer made a list."""
    if not member_id or group.members or group.member_parts:
        return None
    return short_number(pseudonym(shop_of(request).access, group.group_id, member_id))


def _means(state: PaidState, payments: Sequence[Payment], *, waits: bool) -> Sequence[str]:
    """What a state means for these payments: only what fits how they are paid."""
    if state != "unpaid":
        return (codes.PAID_MEANS[state],)
    found = [codes.UNPAID_SOME if any(map(has_come, payments)) else codes.UNPAID_ALL]
    if waits or any(map(is_unpaid_order, payments)):
        found.append(codes.UNPAID_BY_CARD)
    return found


async def _discount_to_come(request: Request, group: GroupPurchase) -> str | None:
    """How the group's discount reaches the payer; ``None`` once it is decided, or can't come."""
    view = (await group_shown(shop_of(request).reader, group.group_id)).view
    is_settled = view.decision is not None or view.status == "withdrawn"
    return None if is_settled else how_discount_comes(view)


def _is_being_made(payment: Payment) -> bool:
    return payment.method == "card" and payment.status == "pending" and payment.page is None


def _told(
    payment: Payment, payments: Sequence[Payment], base: str, issuer: Issuer | None, visit: Visit
) -> Told:
    still_open = open_of(payment, payments)
    payable = payment.page if payment.status == "pending" else None
    if payable is not None and urlsplit(payable).scheme not in ("https", "http"):
        payable = None
    standing = "to_pay" if payable else "open" if still_open else payment.status
    transfer = None
    if issuer is not None and payment.number is not None:
        given = (payment.number, payment.begun_at, still_open, payment.currency)
        transfer = transfer_for(*given, issuer)
    has_link = issuer is not None and has_paper(payment)
    segment = quote(payment.payment_id, safe="")
    return Told(
        kind=payment.kind,
        number=payment.number,
        amount=payment.amount,
        currency=payment.currency,
        standing=standing,
        open=still_open,
        problem=_problem(payment, visit) if payment.status == "failed" else None,
        page=payable,
        paper=f"{base}/{segment}" if has_link else None,
        retry=f"{base}/{segment}/retry" if payment.status == "failed" else None,
        transfer=transfer,
        code=Markup(svg_of(transfer.code)) if transfer and transfer.code else None,
        is_paid=payment.kind == "invoice" and (payment.received or 0) >= payment.amount,
    )


def _problem(payment: Payment, visit: Visit) -> object:
    return explained(PAYMENTS, payment.problem or "?", visit.writing)


def _payer(request: Request, group_id: str, token: str) -> Actor:
    actor = shop_of(request).access.by_link(request, "payer", token)
    if actor.about != group_id:
        raise LinkError(RefusalCode.LINK_OF_OTHER_GROUP)
    return actor


@router.get("/groups/{group_id}/payments/{token}")
async def payments(request: Request, group_id: str, token: str) -> Response:
    """The payments of a payer, or those for one order."""
    visit = Visit.of(request)
    actor = _payer(request, group_id, token)
    paid = await payments_told(request, actor, visit)
    return page(request, "payments.html", visit=visit, paid=paid)


@router.post("/groups/{group_id}/payments/{token}/{payment_id}/retry")
async def retry(request: Request, group_id: str, token: str, payment_id: str) -> Response:
    """Have a payment of the payer's own that failed tried again, and show how it stands then."""
    actor = _payer(request, group_id, token)
    # One that is no longer failed has been tried again already: what is shown says so.
    with suppress(Impossible):
        await shop_of(request).commands.payments.retry(actor, payment_id)
    return RedirectResponse(request.url.path.rsplit("/", 2)[0], 303)


@router.get("/groups/{group_id}/payments/{token}/{payment_id}")
async def paper(request: Request, group_id: str, token: str, payment_id: str) -> Response:
    """An invoice or credit note, in the reader's language; a page to be printed unless ``?as=``."""
    actor = _payer(request, group_id, token)
    shop = shop_of(request)
    payment, group = await shop.commands.payments.one(actor, payment_id)
    if not is_of_payer(actor, payment, group):
        raise NotAllowed(RefusalCode.PAYMENT_OF_OTHER)
    visit = Visit.of(request)
    shown = await paper_shown(shop, actor, payment, group, visit.language, with_address=True)
    kinds: dict[str, As] = {"pdf": "pdf", "text": "text"}
    kind = kinds.get(request.query_params.get("as", ""), "html")
    back = (str(visit.gettext("Back to your payments")), request.url.path.rpartition("/")[0])
    content = await shop.printer.document(replace(shown, back=back), kind)
    answer = as_document(content, shown, payment.number or "", kind)
    answer.headers["Vary"] = "Accept-Language, Cookie"
    return answer
