"""Routes of definitions and group purchases."""

from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Depends, Response
from fastapi.responses import StreamingResponse

from schemas.api.groups import (
    DefinitionGiven,
    DefinitionSummary,
    DefinitionView,
    GroupGiven,
    GroupSummary,
    GroupView,
    MessageAnswer,
    MessageGiven,
    RequestAnswer,
    TableRow,
)
from schemas.api.orders import (
    CancellationAnswer,
    CancellationGiven,
    OrderAnswer,
    OrderGiven,
    ReturnGiven,
)
from schemas.api.parts import CountedPage, GivenId, Page, WithdrawalGiven
from services.storefront.access.callers import Kind
from services.storefront.access.pseudonyms import shown_to
from services.storefront.api.parameters import (
    Absent,
    ActorDep,
    ClosesBy,
    Cursor,
    IdInPath,
    JsonBody,
    Limit,
    ListFilters,
    NearlyThere,
    Seed,
    ShopDep,
    Words,
    counted,
)
from services.storefront.api.routes import PREFIX, reads, router, writes
from services.storefront.commands.member_table import table_shown
from services.storefront.readmodel.details import group_shown, known_definition
from services.storefront.rules.views import (
    definition_summary,
    definition_view,
    group_summary,
    group_view,
)
from services.storefront.web.answers import order_answer, request_answer
from services.storefront.web.order_sheets import order_sheet

definitions = router("definitions")
groups = router("group-purchases")
requests = router("requests")

SHOPS: tuple[Kind, ...] = ("shop", "admin")
RUNNERS: tuple[Kind, ...] = ("organizer", "shop", "admin")
SELLING: tuple[Kind, ...] = ("shop", "seller", "admin")

_definition = JsonBody(DefinitionGiven)
_group = JsonBody(GroupGiven)
_withdrawal = JsonBody(WithdrawalGiven, optional=True)
_order = JsonBody(OrderGiven)
_cancellation = JsonBody(CancellationGiven)
_return = JsonBody(ReturnGiven)
_message = JsonBody(MessageGiven)


# --- definitions ---------------------------------------------------------------------------------


@definitions.get("/definitions", **reads(422))
async def list_definitions(
    shop: ShopDep,
    filters: ListFilters,
    q: Words = "",
    shop_id: GivenId | Absent = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> CountedPage[DefinitionSummary]:
    """Definitions that anyone can start a group purchase from, the newest first."""
    page = await shop.reader.definitions(
        words=q,
        filters=replace(filters, shop_id=shop_id),
        cursor=cursor,
        limit=limit,
        counts=True,
    )
    return counted([definition_summary(each) for each in page.rows], page)


@definitions.post("/definitions", status_code=201, **writes(404, by=SHOPS, takes=_definition))
async def publish_definition(
    shop: ShopDep,
    actor: ActorDep,
    seed: Seed,
    given: Annotated[DefinitionGiven, Depends(_definition)],
    response: Response,
) -> DefinitionView:
    """Publish a definition, or its next version. Needs a shop's key."""
    made = await shop.commands.definitions.publish(actor, given, seed)
    response.headers["Location"] = f"{PREFIX}/definitions/{quote(made.definition_id, safe='')}"
    return definition_view(made)


@definitions.get("/definitions/{definition_id}", **reads(404))
async def show_definition(shop: ShopDep, definition_id: IdInPath) -> DefinitionView:
    """A definition, withdrawn or not."""
    return definition_view(await known_definition(shop.reader, definition_id))


@definitions.post("/definitions/{definition_id}/withdrawal", **writes(404, by=SHOPS))
async def withdraw_definition(
    shop: ShopDep, actor: ActorDep, definition_id: IdInPath
) -> DefinitionView:
    """Withdraw a definition: running groups go on, no new ones start. Needs its shop's key."""
    return definition_view(await shop.commands.definitions.withdraw(actor, definition_id))


# --- requests ------------------------------------------------------------------------------------


@groups.post(
    "/group-purchases",
    status_code=201,
    **writes(takes=_group, later=RequestAnswer),
)
async def request_group_purchase(
    shop: ShopDep,
    actor: ActorDep,
    seed: Seed,
    given: Annotated[GroupGiven, Depends(_group)],
    response: Response,
) -> RequestAnswer:
    """Request a group purchase. Without a definition it needs a shop's key."""
    asked = await shop.commands.groups.request(actor, given, seed)
    if asked.group_id is None:
        response.status_code = 202
        response.headers["Location"] = f"{PREFIX}/requests/{asked.request_id}"
    else:
        response.headers["Location"] = f"{PREFIX}/group-purchases/{asked.group_id}"
    return request_answer(shop, asked)


@requests.get("/requests/{request_id}", **reads(422, by=("requester", "admin")))
async def show_request(shop: ShopDep, actor: ActorDep, request_id: IdInPath) -> RequestAnswer:
    """The result of a request. Needs the `request_token` that came with the request."""
    return request_answer(shop, await shop.commands.groups.outcome(actor, request_id))


# --- group purchases -----------------------------------------------------------------------------


@groups.get("/group-purchases", **reads(422))
async def list_group_purchases(
    shop: ShopDep,
    filters: ListFilters,
    q: Words = "",
    sort: Literal["ending", "nearest", "ended"] = "ending",
    status: Literal["open", "complete", "elapsed", "withdrawn"] = "open",
    shop_id: GivenId | Absent = None,
    closes_by: ClosesBy = None,
    nearly_there: NearlyThere = False,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> CountedPage[GroupSummary]:
    """Public group purchases of a status; unlisted ones are left out."""
    page = await shop.reader.groups(
        words=q,
        sort=sort,
        status=status,
        filters=replace(
            filters, shop_id=shop_id, closes_by=closes_by, is_nearly_there=nearly_there
        ),
        cursor=cursor,
        limit=limit,
        counts=True,
    )
    return counted([group_summary(each) for each in page.rows], page)


@groups.get("/group-purchases/{group_id}", **reads(404))
async def show_group_purchase(shop: ShopDep, group_id: IdInPath) -> GroupView:
    """A group purchase, listed or not: its terms and its progress."""
    return (await group_shown(shop.reader, group_id)).view


@groups.get(
    "/group-purchases/{group_id}/members",
    **reads(404, 422, by=("organizer", "shop", "seller", "admin")),
)
async def list_members(
    shop: ShopDep, actor: ActorDep, group_id: IdInPath, cursor: Cursor = None, limit: Limit = 100
) -> Page[TableRow]:
    """The purchase condition management table: for the organizer, the shop, the winning seller."""
    terms = await shop.commands.authority.group_run_by(actor, group_id)
    page = await table_shown(shop.reader, shop.access, actor, terms, cursor, limit)
    return Page(items=page.rows, cursor=page.cursor)


_sheet = reads(404, by=("organizer", "shop", "seller", "admin"))
_sheet["responses"][200] = {
    "description": "A CSV file in UTF-8 with a byte order mark.",
    "content": {"text/csv": {"schema": {"type": "string"}}},
}


@groups.get(
    "/group-purchases/{group_id}/order-sheet.csv", response_class=StreamingResponse, **_sheet
)
async def show_order_sheet(shop: ShopDep, actor: ActorDep, group_id: IdInPath) -> Response:
    """The whole purchase condition management table for a spreadsheet, in English.

    Money is decimal, times are in UTC. A text that a spreadsheet would run as a formula has an
    apostrophe in front.
    """
    terms = await shop.commands.authority.group_run_by(actor, group_id)
    return await order_sheet(shop, actor, terms, str)


@groups.post(
    "/group-purchases/{group_id}/messages",
    status_code=201,
    **writes(404, 409, by=("organizer", *SELLING), takes=_message),
)
async def write_to_members(
    shop: ShopDep,
    actor: ActorDep,
    group_id: IdInPath,
    seed: Seed,
    given: Annotated[MessageGiven, Depends(_message)],
) -> MessageAnswer:
    """Email plain text to all who are listed or have ordered, at most three times a day."""
    sent = await shop.commands.messages.send(actor, group_id, given, seed)
    return MessageAnswer(message_id=sent.message_id, recipients=sent.recipients)


@groups.post(
    "/group-purchases/{group_id}/withdrawal",
    **writes(404, 409, by=RUNNERS, takes=_withdrawal, later=GroupView),
)
async def withdraw_group_purchase(
    shop: ShopDep,
    actor: ActorDep,
    group_id: IdInPath,
    given: Annotated[WithdrawalGiven, Depends(_withdrawal)],
    response: Response,
) -> GroupView:
    """Withdraw an open group purchase. Needs the organizer's token, or the shop's key."""
    group = await shop.commands.groups.withdraw(actor, group_id, given)
    if group.withdrawn_at is None:
        response.status_code = 202
        response.headers["Location"] = f"{PREFIX}/group-purchases/{group_id}"
        return (await group_shown(shop.reader, group_id)).view
    return group_view(group)


# --- orders --------------------------------------------------------------------------------------


@groups.post(
    "/group-purchases/{group_id}/orders",
    status_code=201,
    **writes(404, by=("member", *SELLING), takes=_order),
)
async def place_order(
    shop: ShopDep,
    actor: ActorDep,
    group_id: IdInPath,
    seed: Seed,
    given: Annotated[OrderGiven, Depends(_order)],
) -> OrderAnswer:
    """Order under a group's id: a shop's orders, placed or paid, or a member's by a link.

    An order by a link counts once the purchaser confirms it by the link in a letter. It needs an
    address for that letter, and may have at most the units that the group still takes, or its
    number.
    """
    ordered = await shop.commands.orders.place(actor, group_id, given, seed)
    member_id = shown_to(actor, shop.access, group_id, ordered.member_id)
    return order_answer(replace(ordered, member_id=member_id))


@groups.post(
    "/group-purchases/{group_id}/cancellations",
    status_code=201,
    **writes(404, by=SELLING, takes=_cancellation),
)
async def cancel_order(
    shop: ShopDep,
    actor: ActorDep,
    group_id: IdInPath,
    given: Annotated[CancellationGiven, Depends(_cancellation)],
) -> CancellationAnswer:
    """Cancel an order of the shop."""
    await shop.commands.orders.cancel(actor, group_id, given)
    return CancellationAnswer(order_id=given.order_id)


@groups.post(
    "/group-purchases/{group_id}/returns",
    status_code=201,
    **writes(404, by=SELLING, takes=_return),
)
async def return_order(
    shop: ShopDep,
    actor: ActorDep,
    group_id: IdInPath,
    given: Annotated[ReturnGiven, Depends(_return)],
) -> OrderAnswer:
    """Report returned goods; `order_id` in the answer is the `return_id`."""
    return order_answer(await shop.commands.orders.return_goods(actor, group_id, given))
