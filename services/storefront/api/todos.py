"""Routes of the tasks for people."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import Field

from schemas.ops import Task, TaskKind
from services.storefront.api.routes import reads, router, writes
from services.storefront.api.taking import (
    Absent,
    Cursor,
    IdInPath,
    Limit,
    Page,
    Seed,
    Taken,
    The,
    Who,
)
from services.storefront.commands.given import DoneGiven, GivenId, TransfersGiven
from services.storefront.commands.todos import Owned, TransferState
from services.storefront.pages.texts import Language
from services.storefront.shop import Shop
from services.storefront.todo import Way
from services.storefront.views import View

todos = router("todo")

Kind = Literal["payment", "transfer", "order", "letter", "record"]
_transfers = Taken(TransfersGiven)
_done = Taken(DoneGiven)


class TodoView(View):
    """A task for people; money in minor units.

    `task_id` is a task's id, a payment's or a letter's. `reason` is a code, `problem` the
    cause in words, `what_to_do` the instruction. `commands` are for a terminal, `link` is a page.
    """

    task_id: str
    kind: Kind
    since: datetime
    about: str
    group_id: str | None
    shop_id: str | None
    recipient_id: str | None
    letter: str | None
    amount: int | None
    currency: str | None
    reason: str
    problem: str
    what_to_do: str
    commands: tuple[str, ...]
    link: str | None
    closed_by: tuple[Way, ...] = Field(
        description="`done`: `POST /todo/{task_id}/done`; `outcome` and `retry`: `POST"
        " /payments/{task_id}/…`. If empty, it closes without help."
    )


class TaskView(View):
    """A task, and whether it is done."""

    task_id: str
    kind: TaskKind
    about: str
    group_id: str | None
    shop_id: str | None
    since: datetime
    done_at: datetime | None
    done_reason: str | None
    version: int


class TransferAnswer(View):
    """A transfer's task: `new`, `known` from before, or `done` already."""

    task_id: str
    status: TransferState


def todo_view(shop: Shop, owned: Owned, language: Language = "en") -> TodoView:
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
    shop: The,
    actor: Who,
    kind: Annotated[
        Kind | Absent, Query(description="Only tasks of this kind; all if left out.")
    ] = None,
    of_shop: Annotated[
        GivenId | Absent,
        Query(alias="shop", description="Only this shop's tasks; needs the admin's key."),
    ] = None,
    lang: Annotated[Language | Absent, Query(description="The language of `what_to_do`.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[TodoView]:
    """Open tasks, the oldest first: a shop's own, or all with the admin's key."""
    page = await shop.commands.todos(actor, kind, of_shop, cursor, limit)
    return Page(
        items=[todo_view(shop, each, lang or "en") for each in page.rows], cursor=page.cursor
    )


@todos.post("/todo/{task_id}/done", **writes(404, by=("shop", "admin"), takes=_done))
async def close_task(
    shop: The,
    actor: Who,
    task_id: IdInPath,
    seed: Seed,
    given: Annotated[DoneGiven, Depends(_done)],
) -> TaskView:
    """Mark a transfer or an order as done; a repeat changes nothing."""
    return task_view(await shop.commands.close_task(actor, task_id, given.reason))


@todos.post("/transfers", **writes(by=("admin",), takes=_transfers))
async def leave_transfers(
    shop: The,
    actor: Who,
    seed: Seed,
    given: Annotated[TransfersGiven, Depends(_transfers)],
) -> Page[TransferAnswer]:
    """Make tasks of transfers without a certain invoice: needs the admin's key.

    Each `reference` becomes one task; a task that is done stays done.
    """
    left = await shop.commands.leave_transfers(actor, given.transfers)
    items = [TransferAnswer(task_id=each.task_id, status=each.state) for each in left]
    return Page(items=items, cursor=None)


def task_view(task: Task) -> TaskView:
    """The task in the API's form."""
    return TaskView.model_validate(task)
