"""Bodies of the HTTP API about the tasks for people."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.api.parts import LINE_PATTERN, Amount, Currency, Given, Line, Moment, View
from schemas.ops import PROBLEM_MAX, TaskKind
from schemas.parts import MinorUnits

#: Transfers in one request.
TRANSFERS_MAX = 100


class TransferGiven(Given):
    """Money on a bank statement that could not be counted for an invoice.

    ``reference`` is the mark by which it counts once; ``reason`` a code, ``problem`` its words.
    """

    reference: Line
    reason: Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z]+(-[a-z]+)*$")]
    problem: Annotated[
        str, StringConstraints(min_length=1, max_length=PROBLEM_MAX, pattern=LINE_PATTERN)
    ]
    amount: Amount | None = None
    currency: Currency | None = None
    received_at: Moment | None = None


class TransfersGiven(Given):
    """Transfers that become tasks."""

    transfers: Annotated[tuple[TransferGiven, ...], Field(min_length=1, max_length=TRANSFERS_MAX)]


class DoneGiven(Given):
    """How a task was settled."""

    reason: Line


#: How a todo is closed: ``done`` by saying so, ``outcome`` by saying what became of the payment,
#: ``retry`` by trying it again.
Way = Literal["done", "outcome", "retry"]
TodoKind = Literal["payment", "transfer", "order", "letter", "record"]
TransferState = Literal["new", "known", "done"]


class TodoView(View):
    """A task for people; money in minor units.

    `task_id` is a task's id, a payment's or a letter's. `reason` is a code, `problem` the
    cause in words, `what_to_do` the instruction. `commands` are for a terminal, `link` is a page.
    """

    task_id: str
    kind: TodoKind
    since: datetime
    about: str
    group_id: str | None
    shop_id: str | None
    recipient_id: str | None
    letter: str | None
    amount: MinorUnits | None
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
