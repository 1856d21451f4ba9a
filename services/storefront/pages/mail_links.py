"""What the links in letters lead to: confirming, withdrawing, unsubscribing; by POST only.

A GET shows what is going to happen and a button; scanners that open links change nothing. The
mail programs' own button (RFC 8058) posts without asking.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from runtime.links import LinkError, Purpose
from schemas.api.auctions import AuctionDetail
from schemas.auctions import AUCTIONS, ApplicationRefused, Auction
from schemas.letters import Resubscribed, Unsubscribed
from schemas.orders import PURCHASES, OrderRefused
from schemas.reasons import OrderRefusal
from schemas.refusals import RefusalCode
from services.storefront.access.callers import MAX_AGE
from services.storefront.commands.orders import Confirmable
from services.storefront.pages import agreement, codes
from services.storefront.pages.errors import HOME
from services.storefront.pages.groups import order_said
from services.storefront.pages.paths import auction_path, group_path, path_of
from services.storefront.pages.payments import buyer_number, payments_told
from services.storefront.pages.visits import Visit, page, said
from services.storefront.problems import Impossible, Overtaken, Unknown
from services.storefront.readmodel.details import auction_shown, group_shown, known_auction
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.rows import KeptReservation
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
    request: Request,
    auction_id: str,
    action: str,
    *,
    title: str,
    text: str,
    button: str,
    values: Mapping[str, object] | None = None,
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
        values=dict(values or {}),
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
    """Whether the reservation is to count; or what became of it."""
    auction_id, application_id, units = _reservation_of(request, token)
    reader = shop_of(request).reader
    kept = await reader.reservation(application_id)
    auction = await _auction_if_known(reader, auction_id)
    if settled := await _settled(request, kept, auction, auction_id, application_id):
        return settled
    if auction is None:
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
        before=kept.before,
        agreement=agreement.of_reservation(auction, max(units, 1)),
        action=f"/confirm/{token}",
    )


async def _auction_if_known(reader: Reader, auction_id: str) -> AuctionDetail | None:
    """The auction, unless the read model is being built anew."""
    with suppress(Unknown):
        return await auction_shown(reader, auction_id)
    return None


def _takes(request: Request, auction: AuctionDetail | None) -> bool:
    """Whether an auction takes reservations, as far as it is known."""
    if auction is None:
        return True
    return auction.status == "open" and Visit.of(request).now < auction.closes_at


async def _settled(
    request: Request,
    kept: KeptReservation,
    auction: AuctionDetail | None,
    auction_id: str,
    application_id: str,
) -> Response | None:
    """The page that says what became of a reservation; ``None`` if it can be confirmed."""
    if auction is not None:
        refused = f"{auction_id}/refused/{application_id}"
        refusal = await shop_of(request).reader.fact(AUCTIONS.name, refused)
        if isinstance(refusal, ApplicationRefused):
            return _refused(request, refusal)
    if kept.standing not in ("unknown", "unconfirmed") or not _takes(request, auction):
        return _became(request, kept, auction, auction_id, application_id)
    return None


def _became(
    request: Request,
    kept: KeptReservation,
    auction: AuctionDetail | None,
    auction_id: str,
    application_id: str,
) -> Response:
    """What became of a reservation that can't be confirmed any more, and what can be done."""
    takes = _takes(request, auction)
    back = {"href": auction_path(auction_id), "words": mark("Back to the auction")}
    again = back
    if takes:
        again = {"href": f"{auction_path(auction_id)}#apply", "words": mark("Reserve again")}
    is_late = (
        auction is not None
        and kept.withdrawn_at is not None
        and kept.withdrawn_at >= auction.closes_at
    )
    if kept.standing == "withdrawn" and not is_late:
        text = mark("It does not count.")
        return said(request, mark("You have withdrawn this reservation"), text, next=again)
    if kept.standing == "replaced":
        text = mark("It does not count. What counts is your latest confirmed reservation.")
        return said(
            request, mark("A later reservation of yours replaced this one"), text, next=back
        )
    if kept.standing == "confirmed":
        return _counts(
            request,
            kept.quantity,
            auction,
            auction_id,
            application_id,
            title=mark("You have already confirmed this reservation"),
            takes=takes,
        )
    if kept.standing == "unconfirmed":
        title = mark("This reservation was not confirmed in time")
        text = mark("The auction has ended. The reservation does not count, and you owe nothing.")
        return said(request, title, text, next=again)
    # It is older than what we keep, or its withdrawal came while the end was being decided.
    text = mark(
        "Its page says how. A reservation that you did not confirm, or that you withdrew, does not "
        "count."
    )
    return said(request, mark("The auction has ended"), text, next=again)


def _counts(
    request: Request,
    units: int,
    auction: AuctionDetail | None,
    auction_id: str,
    application_id: str,
    *,
    title: str,
    takes: bool,
    note: str | None = None,
) -> Response:
    """The page of a confirmed reservation: its units, and how far the auction is."""
    visit = Visit.of(request)
    f = visit.formats
    values: dict[str, object] = {
        "units": visit.ngettext("{n} unit", "{n} units", units),
    }
    text = mark("If the auction is still open, your reservation is counted.")
    if auction is not None and units:
        values |= {
            "product": auction.product.name,
            "price": f.money(auction.unit_price, auction.currency),
            "reserved": f.number(auction.reservations),
            "minimum": f.number(auction.minimum_reservations),
        }
        text = mark(
            "{units} of {product} at {price} each at most. So far {reserved} are reserved, and the "
            "minimum is {minimum}."
        )
        if not takes:
            text = mark(
                "{units} of {product} at {price} each. The auction has ended: {reserved} were "
                "reserved, and the minimum was {minimum}."
            )
    withdrawal = path_of(shop_of(request).access.application_link(auction_id, application_id))
    also = {"href": withdrawal, "words": mark("Changed your mind? Withdraw your reservation")}
    return said(
        request,
        title,
        text,
        visit=visit,
        values=values,
        note=note or (mark("We email you when the auction ends.") if takes else None),
        next={"href": auction_path(auction_id), "words": mark("Back to the auction")},
        also=also if takes else None,
    )


@router.post("/confirm/{token}")
async def confirm(request: Request, token: str) -> Response:
    """It counts, unless something became of it before."""
    auction_id, application_id, units = _reservation_of(request, token)
    shop = shop_of(request)
    kept = await shop.reader.reservation(application_id)
    auction = await _auction_if_known(shop.reader, auction_id)
    if settled := await _settled(request, kept, auction, auction_id, application_id):
        return settled
    answer = await shop.commands.reservations.confirm(auction_id, application_id)
    if isinstance(answer, ApplicationRefused):
        return _refused(request, answer)
    auction = await _auction_if_known(shop.reader, auction_id)
    is_early = kept.standing == "unknown"
    note = mark("It is counted in a moment. We email you when the auction ends.")
    if is_early:
        # An early letter: whether the reservation was withdrawn is not known.
        note = mark("If you had not withdrawn it before, it is counted in a moment.")
    return _counts(
        request,
        units,
        auction,
        auction_id,
        application_id,
        title=mark("We have your confirmation")
        if is_early
        else mark("Thank you: your reservation is confirmed"),
        takes=True,
        note=note if is_early or answer is None else None,
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
    auction_id, application_id = _two(request, "application", token)
    visit = Visit.of(request)
    reader = shop_of(request).reader
    kept = await reader.reservation(application_id)
    auction = await _auction_if_known(reader, auction_id)
    if kept.standing in ("withdrawn", "replaced"):
        return _became(request, kept, auction, auction_id, application_id)
    if auction is not None and auction.status != "open":
        if kept.standing == "confirmed":
            # A contract binds, and without one there is nothing to withdraw.
            raise Overtaken(RefusalCode.RESERVATIONS_STAND, status=auction.status)
        return _became(request, kept, auction, auction_id, application_id)
    return await _ask(
        request,
        auction_id,
        action=f"/applications/{token}",
        title=mark("Withdraw your reservation"),
        text=mark("It then no longer counts. You can reserve again while the auction runs.")
        if auction is None or not kept.quantity
        else mark(
            "{units} at {price} each at most. The reservation then no longer counts. You can "
            "reserve again while the auction runs."
        ),
        button=mark("Withdraw the reservation"),
        values={
            "units": visit.ngettext("{n} unit", "{n} units", kept.quantity),
            "price": visit.formats.money(auction.unit_price, auction.currency) if auction else "",
        },
    )


@router.post("/applications/{token}")
async def withdraw(request: Request, token: str) -> Response:
    """It is taken back."""
    auction_id, application_id = _two(request, "application", token)
    shop = shop_of(request)
    actor = shop.access.by_link(request, "application", token)
    await shop.commands.reservations.withdraw(actor, auction_id, application_id)
    auction = await known_auction(shop.reader, auction_id)
    back = {"href": auction_path(auction_id), "words": mark("Back to the auction")}
    if Visit.of(request).now >= auction.closes_at:
        # The end is being decided: whether the withdrawal came in time is not known here.
        return said(
            request,
            mark("We have your withdrawal"),
            mark(
                "The auction's time is over, and its result is being decided. If your withdrawal "
                "came too late, the reservation still counts. The email about the result says so."
            ),
            next=back,
        )
    return said(
        request,
        mark("Your reservation is withdrawn"),
        mark("It no longer counts. You can reserve again while the auction runs."),
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
    reader = shop_of(request).reader
    refused = await reader.fact(PURCHASES.name, order.refused_key)
    if isinstance(refused, OrderRefused) and refused.reason != OrderRefusal.EXPIRED:
        return _hopeless(request, order)
    if refused is None and await reader.is_order_confirmed(order.key):
        title, counting = mark("You have already confirmed this order"), mark("Your order counts")
        return await _confirmed(request, visit, order, title, counting)
    if refused is not None or visit.now >= order.until:
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
    try:
        await shop_of(request).commands.orders.confirm(order)
    except Overtaken:
        return _expired(request, order)
    except Impossible:
        return _hopeless(request, order)
    title = mark("Thank you: your order is confirmed")
    return await _confirmed(request, visit, order, title, title)


def _hopeless(request: Request, order: Confirmable) -> Response:
    """The page that says that the order was refused."""
    return said(
        request,
        mark("This order can no longer count"),
        mark(
            "The group purchase was withdrawn, or the order was refused for another reason. "
            "You owe nothing for it. The group's page shows the current status."
        ),
        422,
        next={"href": group_path(order.group_id), "words": mark("Go to the group purchase")},
    )


async def _confirmed(
    request: Request, visit: Visit, order: Confirmable, title: str, counting: str
) -> Response:
    """The page of an order that is confirmed, with the way to pay for it.

    ``counting`` is its title if the order counts already.
    """
    shop = shop_of(request)
    shown = await group_shown(shop.reader, order.group_id)
    view = shown.view
    paid = link = None
    if view.payment.scope == "member":
        link = shop.access.payments_path(order.group_id, order.member_id, order.order_id)
        payer = shop.access.by_link(request, "payer", link.rpartition("/")[2])
        paid = await payments_told(request, payer, visit)
    text = mark("{units} of {product} under {id}. We email you as soon as it counts.")
    if paid is not None and paid.counts:
        title, text = counting, mark("{units} of {product} under {id}.")
    return await order_said(
        request,
        visit,
        order.group_id,
        order.quantity,
        title=title,
        text=text,
        paid=paid,
        pay_path=link,
        buyer=buyer_number(request, shown.terms, order.member_id),
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
