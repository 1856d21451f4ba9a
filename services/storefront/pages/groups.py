"""A group purchase's page, and ordering under its id by a link."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from runtime.links import LinkError
from schemas.api.groups import GroupView
from schemas.api.orders import OrderGiven
from schemas.orders import PURCHASES, PurchaseRow
from schemas.parts import NUMBER_MAX
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.orders import Ordered
from services.storefront.pages import agreement, figures, shared_views
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import group_path, payments_path
from services.storefront.pages.payments import Paid, payments_told
from services.storefront.pages.sharing import sharing
from services.storefront.pages.typed import to_check, typed
from services.storefront.pages.visits import Visit, page, said
from services.storefront.pages.wares import wares, where_to_order
from services.storefront.problems import Impossible, Invalid
from services.storefront.readmodel.details import group_shown
from services.storefront.web.bodies import given
from services.storefront.web.parameters import Digits
from services.storefront.web.shop import shop_of
from texts.catalogue import mark

router = APIRouter(include_in_schema=False)
Units = Annotated[int, Digits]


@router.get("/groups/{group_id}")
async def group(request: Request, group_id: str) -> Response:
    """A group purchase, listed or not: who has the address may see it."""
    shop = shop_of(request)
    view = (await group_shown(shop.reader, group_id)).view
    # Who pays orders: where the organizer does, it takes the organizer's link.
    is_for_all = view.visibility == "public" and not view.members_listed
    is_paid_by_buyer = view.payment.scope == "member" and view.takes_orders_here
    visit = Visit.of(request)
    about = await wares(request, view.product, view.shop_id, view.seller_id)
    opens = is_open(view, visit) and is_for_all and is_paid_by_buyer
    return page(
        request,
        "group.html",
        visit=visit,
        group=view,
        wares=about,
        sold_by=about.sold_by,
        where=where_to_order(view, about),
        tier_price=figures.tier_price(view),
        tier_prices=figures.tier_prices(view),
        marks=figures.marks(view),
        starts=figures.starts(view),
        goal=figures.goal_line_of(visit, view),
        next_tier=figures.goal(view).tier,
        held=figures.held(view),
        sharing=sharing(request, visit, shared_views.of_group(view)),
        order_token=shop.links.token("order", group_id, "") if opens else None,
        counts_once=agreement.counts_once(confirms=shop.commands.orders.confirms_orders),
        discount_comes=agreement.how_discount_comes(view) if view.status == "open" else None,
    )


def is_open(view: GroupView, visit: Visit) -> bool:
    """Whether an order that is made now can count."""
    return view.status == "open" and view.opens_at <= visit.now < view.closes_at


@router.get("/groups/{group_id}/order/{token}")
async def order_form(request: Request, group_id: str, token: str) -> Response:
    """The form of an order."""
    visit = Visit.of(request)
    return await _form(request, _link_holder(request, group_id, token), token, Form(visit), visit)


async def _form(
    request: Request, actor: Actor, token: str, form: Form, visit: Visit, status: int = 200
) -> Response:
    shown = await group_shown(shop_of(request).reader, actor.about)
    view = shown.view
    if not is_open(view, visit):
        back = {"href": group_path(view.group_id), "words": mark("Go to the group purchase")}
        also = None
        if actor.id:
            link = shop_of(request).access.payments_path(view.group_id, actor.id)
            also = {"href": link, "words": mark("See your payments")}
        return said(
            request,
            mark("This group takes no more orders"),
            mark("Its page shows how it ended."),
            next=back,
            also=also,
        )
    orders = shop_of(request).commands.orders
    paid = await payments_told(request, actor, visit) if actor.id else None
    most = await orders.units_by_link_max(shown.terms)
    about = await wares(request, view.product, view.shop_id, view.seller_id)
    return page(
        request,
        "order.html",
        status,
        visit,
        group=view,
        sold_by=about.sold_by,
        form=form,
        token=token,
        most=most,
        is_limited=_is_limited(view),
        agreement=agreement.of_order(
            view,
            about.sold_by,
            form.units("quantity", most),
            confirms=orders.confirms_orders,
        ),
        own=paid.own if paid and (paid.lines or (paid.own and paid.own.quantity)) else None,
        units=await _units_of(request, actor),
        payments=(
            shop_of(request).access.payments_path(view.group_id, actor.id)
            if paid and paid.lines
            else None
        ),
        once=form.values.get("once") or secrets.token_hex(16),
        asks_email=orders.asks_address(actor, shown.terms),
        has_own_link=bool(actor.id),
        paid=paid,
    )


async def _units_of(request: Request, actor: Actor) -> int:
    """How many units of whoever has a link of their own count already."""
    if not actor.id:
        return 0
    row = await shop_of(request).reader.fact(PURCHASES.name, f"{actor.about}/member/{actor.id}")
    return row.quantity if isinstance(row, PurchaseRow) else 0


def _is_limited(view: GroupView) -> bool:
    """Whether an order may have only what is missing to the number, at which the group closes."""
    return view.stop_at_number and view.missing > 0


def _link_holder(request: Request, group_id: str, token: str) -> Actor:
    actor = shop_of(request).access.by_link(request, "order", token)
    if actor.about != group_id:
        raise LinkError(RefusalCode.LINK_OF_OTHER_GROUP)
    return actor


@router.post("/groups/{group_id}/order/{token}")
async def order(request: Request, group_id: str, token: str) -> Response:
    """Order."""
    visit = Visit.of(request)
    actor = _link_holder(request, group_id, token)
    form = await Form.of(request, visit)
    commands = shop_of(request).commands
    shown = await group_shown(shop_of(request).reader, group_id)
    terms = shown.terms
    most = await commands.orders.units_by_link_max(terms)
    quantity = form.number("quantity")
    if "quantity" not in form.problems and quantity > most:
        if _is_limited(shown.view):
            form.wrong("quantity", ProblemCode.MORE_THAN_LEFT, left=most)
        else:
            form.wrong("quantity", ProblemCode.ABOVE_MOST, most=most)
    fields: dict[str, object] = {"quantity": quantity}
    if commands.orders.asks_address(actor, terms):
        fields["member"] = form.person()
    ordered: Ordered | None = None
    if not form.problems:
        try:
            wanted = given(OrderGiven, fields)
            seed = form.seed(request)
            ordered = await commands.orders.place(actor, group_id, wanted, seed)
        except (Invalid, Impossible) as refusal:
            form.refused(refusal, {"member.email": "email"})
    if form.problems or ordered is None:
        return await _form(request, actor, token, form, visit, 422)
    done = f"{group_path(group_id)}/order/{token}/done?n={fields['quantity']}"
    if ordered.state == "unconfirmed":
        return to_check(request, f"{done}&state=unconfirmed", form.text("email", required=False))
    # Who has the link for anybody may have typed another's address: shown is this order alone.
    only = "" if actor.id else ordered.order_id
    path = shop_of(request).access.payments_path(group_id, ordered.member_id, only)
    return RedirectResponse(f"{done}&payments={path.rpartition('/')[2]}", 303)


@router.get("/groups/{group_id}/order/{token}/done")
async def ordered(
    request: Request, group_id: str, token: str, n: Units = 1, payments: str = "", state: str = ""
) -> Response:
    """The page after an order; ``payments`` is the token of the link to pay for it.

    If its ``state`` is ``unconfirmed``, the page says that a letter asks to confirm the order.
    """
    actor = _link_holder(request, group_id, token)
    visit = Visit.of(request)
    units = min(max(n, 1), NUMBER_MAX)
    if state == "unconfirmed":
        return await order_said(
            request,
            visit,
            actor.about,
            units,
            title=mark("Please confirm your order: we sent you an email"),
            text=mark(
                "{units} of {product} under {id}. Confirm the order by the link in the email "
                "within 48 hours. After that it expires."
            ),
            confirms=True,
            sent_to=typed(request),
        )
    payer = shop_of(request).access.by_link(request, "payer", payments) if payments else None
    if payer is not None and payer.about != group_id:
        raise LinkError(RefusalCode.LINK_OF_OTHER_GROUP)
    paid = await payments_told(request, payer, visit) if payer else None
    return await order_said(
        request,
        visit,
        actor.about,
        units,
        title=mark("We have your order"),
        text=mark("{units} of {product} under {id}. We email you as soon as it counts."),
        paid=paid,
        pay_path=payments_path(group_id, payments) if payments else None,
        buyer=paid.buyer if paid else None,
    )


async def order_said(
    request: Request,
    visit: Visit,
    group_id: str,
    units: int,
    *,
    title: str,
    text: str,
    paid: Paid | None = None,
    pay_path: str | None = None,
    buyer: str | None = None,
    action: str | None = None,
    confirms: bool = False,
    sent_to: str = "",
) -> Response:
    """A page that says what was ordered, all that it agrees to, and whether it is paid.

    With ``action`` it asks to confirm the order by a button; ``confirms``: an email asks for that,
    which went to the address ``sent_to``, if it is known. ``buyer`` is the buyer's number.
    """
    view = (await group_shown(shop_of(request).reader, group_id)).view
    about = await wares(request, view.product, view.shop_id, view.seller_id)
    is_paid_by_buyer = view.payment.scope == "member"
    return page(
        request,
        "ordered.html",
        visit=visit,
        group=view,
        sold_by=about.sold_by,
        title=title,
        text=text,
        units=units,
        agreement=agreement.of_order(
            view, about.sold_by, units, confirms=confirms, counts=bool(paid and paid.counts)
        ),
        own=paid.own if paid else None,
        invoice=paid.invoice if paid else None,
        buyer=buyer,
        waits=paid.waits if paid else False,
        pay_path=pay_path if is_paid_by_buyer else None,
        action=action,
        sent_to=sent_to,
    )
