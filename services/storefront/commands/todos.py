"""Commands of the tasks for people: access, transfers of bank statements, closing."""

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.api.todos import TransferGiven, TransferState
from schemas.ops import TASKS, Task, transfer_task_id
from schemas.payments import Payment
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.authority import demand
from services.storefront.commands.ids import Ids
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.commands.payments import PaymentCommands
from services.storefront.commands.tasks import Tasks
from services.storefront.commands.todo_items import Todo, is_open, is_under_way, todo_of
from services.storefront.problems import Impossible, NotAllowed, Overtaken, Unknown
from services.storefront.readmodel.owners import of_mark
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.todo_pages import Asked
from services.storefront.rules.rows import Listed, TodoRow
from services.storefront.settings import PageSettings
from texts.reasons import problem


@dataclass(frozen=True, slots=True)
class Owned:
    """A task and its shop, if the shop is known and may be shown."""

    todo: Todo
    shop_id: str | None


@dataclass(frozen=True, slots=True)
class Transferred:
    """A transfer's task: ``new``, ``known`` from before, or ``done`` already."""

    task_id: str
    state: TransferState


class TodoCommands:
    """Tasks for people. Each raises a ``Refusal`` if it can't be done."""

    def __init__(
        self,
        settings: PageSettings,
        reader: Reader,
        outcomes: Outcomes,
        ids: Ids,
        tasks: Tasks,
        payments: PaymentCommands,
    ) -> None:
        self._shops_paid_back = settings.shops_paid_back
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids
        self._tasks = tasks
        self._payments = payments

    async def page(
        self,
        actor: Actor,
        kind: str | None = None,
        shop_id: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Listed[Owned]:
        """Open tasks, the oldest first: all for the admin, its own for a shop.

        A page may hold fewer than asked for and still have a cursor. Raises ``BadCursor``.
        """
        demand(actor, "shop", "admin")
        if actor.kind == "shop" and shop_id not in (None, actor.id):
            raise NotAllowed(RefusalCode.KEY_OF_OTHER_SHOP)
        shop_id = actor.id if actor.kind == "shop" else shop_id
        at = now()
        asked = Asked(kind, None if shop_id is None else self._owners(actor, shop_id), at)
        page = await self._reader.todos(asked, cursor, limit)
        paid_back = {owner for each in self._shops_paid_back for owner in self._owners(actor, each)}
        rows = [
            Owned(
                todo_of(row, for_admin=actor.kind == "admin"),
                # A mark alone does not show the shop.
                shop_id or (None if not row.owner or row.owner[0] == "/" else row.owner),
            )
            for row in page.rows
            if not (row.owner in paid_back and is_under_way(row.fact, row.since, at))
        ]
        return Listed(rows, page.cursor)

    async def one(self, actor: Actor, task_id: str) -> Owned:
        """A task or a payment that needs people. Raises ``Overtaken`` if it is closed."""
        demand(actor, "shop", "admin")
        found: Task | Payment = await self._task_or_payment(actor, task_id)
        if not is_open(found):
            raise Overtaken(RefusalCode.TASK_CLOSED)
        since = found.since if isinstance(found, Task) else found.begun_at or now()
        todo = todo_of(TodoRow(found, since, None), for_admin=actor.kind == "admin")
        return Owned(todo, None)

    async def _task_or_payment(self, actor: Actor, id_: str) -> Task | Payment:
        task = await self._reader.fact(TASKS.name, id_)
        if not isinstance(task, Task):
            if await self._reader.payment(id_) is None:
                raise Unknown(RefusalCode.NO_TASK, id=id_)
            return (await self._payments.one(actor, id_))[0]
        if actor.kind == "shop" and task.shop_id != actor.id:
            raise NotAllowed(RefusalCode.TASK_OF_OTHER_SHOP)
        return task

    def _owners(self, actor: Actor, shop_id: str) -> tuple[str, str]:
        """The names of a shop as the owner of a todo."""
        return shop_id, of_mark(self._ids.mark(Actor("shop", shop_id, client=actor.client)))

    async def leave_transfers(
        self, actor: Actor, given: Iterable[TransferGiven]
    ) -> list[Transferred]:
        """Make one task of each bank transfer; known tasks stay unchanged."""
        demand(actor, "admin")
        wanted = {transfer_task_id(each.reference): each for each in given}
        there = await self._reader.facts_of(TASKS.name, list(wanted))
        states: dict[str, TransferState] = {}
        new: list[Task] = []
        for task_id, each in wanted.items():
            task = there.get(task_id)
            if isinstance(task, Task):
                states[task_id] = "known" if task.done_at is None else "done"
                continue
            states[task_id] = "new"
            new.append(
                Task(
                    task_id=task_id,
                    kind="transfer",
                    about=each.reference,
                    reason=each.reason,
                    problem=each.problem,
                    amount=each.amount,
                    currency=each.currency,
                    since=each.received_at or now(),
                )
            )
        await self._outcomes.tell_all(TASKS, new)
        return [Transferred(task_id, state) for task_id, state in states.items()]

    async def close(self, actor: Actor, task_id: str, reason: str) -> Task:
        """Mark a task as done, with the reason; a task that is done stays unchanged."""
        demand(actor, "shop", "admin")
        task = await self._task_or_payment(actor, task_id)
        if isinstance(task, Payment) or task.kind == "record":
            is_payment = isinstance(task, Payment)
            code = ProblemCode.A_PAYMENT if is_payment else ProblemCode.A_DEAD_LETTER
            raise Impossible(RefusalCode.CLOSING_REFUSED, [problem("task_id", code)])
        return task if task.done_at is not None else await self._tasks.close(task, reason)
