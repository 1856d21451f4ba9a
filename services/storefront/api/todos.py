"""Routes of the tasks for people."""

from typing import Annotated

from fastapi import Depends, Query

from schemas.api.parts import GivenId, Page
from schemas.api.todos import (
    DoneGiven,
    TaskView,
    TodoKind,
    TodoView,
    TransferAnswer,
    TransfersGiven,
)
from schemas.ops import Task
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
from services.storefront.api.routes import reads, router, writes
from services.storefront.commands.todos import Owned
from services.storefront.web.shop import Shop
from texts.catalogue import ENGLISH, Language

todos = router("todo")

_transfers = JsonBody(TransfersGiven)
_done = JsonBody(DoneGiven)


def todo_view(shop: Shop, owned: Owned, language: str = ENGLISH) -> TodoView:
    """The task in the API's form."""
    todo = owned.todo
    same = ("task_id", "kind", "since", "about", "group_id", "recipient_id", "letter", "amount")
    more = ("currency", "reason", "problem", "commands")
    return TodoView(
        shop_id=owned.shop_id,
        what_to_do=todo.what_to_do(language),
        link=todo.link and shop.settings.page_url.rstrip("/") + todo.link,
        closed_by=todo.ways,
        **{name: getattr(todo, name) for name in (*same, *more)},
    )


@todos.get("/todo", **reads(422, by=("shop", "admin")))
async def list_todos(
    shop: ShopDep,
    actor: ActorDep,
    kind: Annotated[
        TodoKind | Absent, Query(description="Only tasks of this kind; all if left out.")
    ] = None,
    of_shop: Annotated[
        GivenId | Absent,
        Query(alias="shop", description="Only this shop's tasks; needs the admin's key."),
    ] = None,
    lang: Annotated[Language | Absent, Query(description="The language of `what_to_do`.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[TodoView]:
    """Open tasks, the oldest first: a shop's tasks, or all with the admin's key."""
    page = await shop.commands.todos.page(actor, kind, of_shop, cursor, limit)
    return Page(
        items=[todo_view(shop, each, lang or ENGLISH) for each in page.rows], cursor=page.cursor
    )


@todos.post("/todo/{task_id}/done", **writes(404, by=("shop", "admin"), takes=_done))
async def close_task(
    shop: ShopDep,
    actor: ActorDep,
    task_id: IdInPath,
    seed: Seed,
    given: Annotated[DoneGiven, Depends(_done)],
) -> TaskView:
    """Mark a transfer or an order as done; a repeat changes nothing."""
    return task_view(await shop.commands.todos.close(actor, task_id, given.reason))


@todos.post("/transfers", **writes(by=("admin",), takes=_transfers))
async def leave_transfers(
    shop: ShopDep,
    actor: ActorDep,
    seed: Seed,
    given: Annotated[TransfersGiven, Depends(_transfers)],
) -> Page[TransferAnswer]:
    """Make tasks from transfers without a certain invoice. Needs the admin's key.

    Each `reference` becomes one task; a task that is done stays done.
    """
    left = await shop.commands.todos.leave_transfers(actor, given.transfers)
    items = [TransferAnswer(task_id=each.task_id, status=each.state) for each in left]
    return Page(items=items, cursor=None)


def task_view(task: Task) -> TaskView:
    """The task in the API's form."""
    return TaskView.model_validate(task)
