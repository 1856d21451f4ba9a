"""What the links in letters lead to: confirming, withdrawing, unsubscribing; by POST only.

A GET shows what is going to happen and a button; scanners that open links change nothing. The
mail programs' own button (RFC 8058) posts without asking.
"""

from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from runtime.links import LinkError, Purpose
from schemas.auctions import AUCTIONS, ApplicationRefused, Auction
from schemas.letters import Resubscribed, Unsubscribed
from services.storefront.access.callers import MAX_AGE
from services.storefront.commands.orders import Confirmable
from services.storefront.pages import agreement, codes
from services.storefront.pages.errors import HOME
from services.storefront.pages.groups import order_said
from services.storefront.pages.paths import auction_path, group_path, path_of
from services.storefront.pages.payments import payments_told
from services.storefront.pages.visits import Visit, page, said
from services.storefront.problems import Impossible, Overtaken, Unknown
from services.storefront.readmodel.details import auction_shown, group_shown
from services.storefront.web.shop import shop_of
from texts.catalogue import mark
from texts.facts import APPLICATIONS
from texts.reasons import explained

router = APIRouter(include_in_schema=False)


def _two(request: Request, purpose: Purpose, token: str) -> tuple[str, str]:
    """What a token is about. Raises ``LinkError``."""
    about, id_ = _parts(request, purpose, token, 2)
    return about, id_


def _parts(request: Request, purpose: Purpose, token: str, count: int) -> list[str]:
    what = shop_of(request).links.read(purpose, token, MAX_AGE[purpose])
    if len(what) != count:
        raise LinkError()
    return what


async def _ask(
    request: Request, auction_id: str, action: str, *, title: str, text: str, button: str
) -> Response:
    """What is to become of a reservation, said with the product's name, and the button."""
    found = await shop_of(request).reader.fact(AUCTIONS.name, auction_id)
    about = found.product.name if isinstance(found, Auction) else auction_id
    return page(
        request,
        "ask.html",
        title=title,
        text=text,
        button=button,
        values={},
        about=about,
        action=action,
    )


# --- reservations --------------------------------------------------------------------------------


def _reservation_of(request: Request, token: str) -> tuple[str, str, int]:
    """The auction and the reservation that a token confirms, and its units; 0 in early letters."""
    what = shop_of(request).links.read("confirm-application", token, MAX_AGE["confirm-application"])
    try:
        auction_id, application_id, units = (*what, "0")[:3]
        return auction_id, application_id, int(units)
    except ValueError:
        raise LinkError() from None


@router.get("/confirm/{token}")
async def ask_to_confirm(request: Request, token: str) -> Response:
    """Whether the reservation is to count."""
    auction_id, _, units = _reservation_of(request, token)
    try:
        auction = await auction_shown(shop_of(request).reader, auction_id)
    except Unknown:
        # The read model is being built anew: the reservation can be confirmed all the same.
        return await _ask(
            request,
            auction_id,
            action=f"/confirm/{token}",
            title=mark("Confirm your reservation"),
            text=mark(
                "Your reservation counts once you confirm it. If the price falls before the end, "
                "you get the lower price."
            ),
            button=mark("Confirm"),
        )
    return page(
        request,
        "reserving.html",
        auction=auction,
        units=units,
        agreement=agreement.of_reservation(auction, max(units, 1)),
        action=f"/confirm/{token}",
    )


@router.post("/confirm/{token}")
async def confirm(request: Request, token: str) -> Response:
    """It counts."""
    auction_id, application_id, _ = _reservation_of(request, token)
    shop = shop_of(request)
    refusal = await shop.commands.reservations.confirm(auction_id, application_id)
    if refusal is not None:
        return _refused(request, refusal)
    withdrawal = path_of(shop.access.application_link(auction_id, application_id))
    return said(
        request,
        mark("Thank you: your reservation counts"),
        mark(
            "If the auction is still open, it is counted in a moment. We email you when the "
            "auction ends."
        ),
        next={"href": auction_path(auction_id), "words": mark("Back to the auction")},
        also={"href": withdrawal, "words": mark("Changed your mind? Withdraw your reservation")},
    )


def _refused(request: Request, refusal: ApplicationRefused) -> Response:
    """The page that says why a reservation can't count."""
    back = {"href": auction_path(refusal.auction_id), "words": mark("Back to the auction")}
    return said(
        request,
        mark("Your reservation does not count"),
        "",
        409,
        why=explained(APPLICATIONS, refusal.reason, Visit.of(request).writing),
        next=back,
    )


@router.get("/applications/{token}")
async def ask_to_withdraw(request: Request, token: str) -> Response:
    """Whether the reservation is to be taken back."""
    auction_id, _ = _two(request, "application", token)
    return await _ask(
        request,
        auction_id,
        action=f"/applications/{token}",
        title=mark("Withdraw your reservation"),
        text=mark("It then no longer counts. You can reserve again while the auction runs."),
        button=mark("Withdraw the reservation"),
    )


@router.post("/applications/{token}")
async def withdraw(request: Request, token: str) -> Response:
    """It is taken back."""
    auction_id, application_id = _two(request, "application", token)
    shop = shop_of(request)
    actor = shop.access.by_link(request, "application", token)
    await shop.commands.reservations.withdraw(actor, auction_id, application_id)
    back = {"href": auction_path(auction_id), "words": mark("Back to the auction")}
    return said(
        request,
        mark("Your reservation is withdrawn"),
        mark("If the auction had already ended, the reservation still counts."),
        next=back,
    )


# --- orders --------------------------------------------------------------------------------------


def _order_of(request: Request, token: str) -> Confirmable:
    """The order that a token confirms. Raises ``LinkError``."""
    what = shop_of(request).links.read("confirm-order", token, MAX_AGE["confirm-order"])
    try:
        group_id, member_id, source, order_id, quantity, until = what
        at = datetime.fromisoformat(until)
        return Confirmable(group_id, member_id, source, order_id, int(quantity), at)
    except ValueError:
        raise LinkError() from None


@router.get("/confirm-order/{token}")
async def ask_to_confirm_order(request: Request, token: str) -> Response:
    """The page that asks to confirm the order."""
    order = _order_of(request, token)
    visit = Visit.of(request)
    if visit.now >= order.until:
        return _expired(request, order)
    return await order_said(
        request,
        visit,
        order.group_id,
        order.quantity,
        title=mark("Confirm your order"),
        text=mark(
            "{units} of {product} under {id}. The order does not count until you confirm it."
        ),
        action=f"/confirm-order/{token}",
    )


@router.post("/confirm-order/{token}")
async def confirm_order(request: Request, token: str) -> Response:
    """Confirm the order; a repeat shows the same page."""
    order = _order_of(request, token)
    visit = Visit.of(request)
    shop = shop_of(request)
    view = (await group_shown(shop.reader, order.group_id)).view
    to_group = {"href": group_path(order.group_id), "words": mark("Go to the group purchase")}
    try:
        await shop.commands.orders.confirm(order)
    except Overtaken:
        return _expired(request, order)
    except Impossible:
        return said(
            request,
            mark("This order can no longer count"),
            mark(
                "The group purchase was withdrawn, or the order was refused for another reason. "
                "You owe nothing for it. The group's page shows the current status."
            ),
            422,
            visit=visit,
            next=to_group,
        )
    paid = link = None
    if view.payment.scope == "member":
        link = shop.access.payments_path(order.group_id, order.member_id, order.order_id)
        payer = shop.access.by_link(request, "payer", link.rpartition("/")[2])
        paid = await payments_told(request, payer, visit)
    return await order_said(
        request,
        visit,
        order.group_id,
        order.quantity,
        title=mark("Thank you: your order is confirmed"),
        text=mark("{units} of {product} under {id}. We email you as soon as it counts."),
        paid=paid,
        pay_path=link,
    )


def _expired(request: Request, order: Confirmable) -> Response:
    """The page that says that the link has expired, and what to do."""
    again = {"href": group_path(order.group_id), "words": mark("Go to the group purchase")}
    return said(
        request,
        mark("This link has expired"),
        mark(
            "You have 48 hours to confirm an order. If you confirmed yours in time, it is valid "
            "and there is nothing to do. If not, it has expired: please order again on the "
            "group's page."
        ),
        410,
        next=again,
    )


# --- which letters people want -------------------------------------------------------------------


def _kind(request: Request, kind: str) -> dict[str, object]:
    """A kind of letters in words; one that is new to us as it is called."""
    known = codes.LETTERS.get(kind)
    return {"what": Visit.of(request).gettext(known) if known else kind}


@router.get("/unsubscribe/{token}")
async def ask_to_unsubscribe(request: Request, token: str) -> Response:
    """Whether letters of a kind are to end."""
    _, kind, _ = _parts(request, "unsubscribe", token, 3)
    return page(
        request,
        "ask.html",
        title=mark("Do you want to unsubscribe?"),
        text=mark(
            "If you unsubscribe, you no longer get {what}. You still get emails that are "
            "part of a contract."
        ),
        button=mark("Unsubscribe"),
        values=_kind(request, kind),
        about=None,
        action=f"/unsubscribe/{token}",
    )


@router.post("/unsubscribe/{token}")
async def unsubscribe(request: Request, token: str) -> Response:
    """They end; also for the button of mail programs."""
    recipient_id, kind, mailbox = _parts(request, "unsubscribe", token, 3)
    await shop_of(request).commands.preferences.prefer(Unsubscribed, recipient_id, kind, mailbox)
    again = {"action": f"/resubscribe/{token}", "words": mark("Subscribe again")}
    return said(
        request,
        mark("You are unsubscribed"),
        mark("You no longer get {what}. You still get emails that are part of a contract."),
        values=_kind(request, kind),
        button=again,
    )


@router.post("/resubscribe/{token}")
async def resubscribe(request: Request, token: str) -> Response:
    """They come again."""
    recipient_id, kind, mailbox = _parts(request, "unsubscribe", token, 3)
    await shop_of(request).commands.preferences.prefer(Resubscribed, recipient_id, kind, mailbox)
    return said(
        request,
        mark("Welcome back"),
        mark("You get {what} again."),
        values=_kind(request, kind),
        next=HOME,
    )
