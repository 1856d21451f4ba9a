"""Closing tasks for people."""

from schemas.ops import TASKS, Task, next_version, transfer_task_id
from schemas.payments import Payment
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.readmodel.reader import Reader


class Tasks:
    """Closes tasks: by a person, or because the money of a transfer was counted."""

    def __init__(self, reader: Reader, outcomes: Outcomes) -> None:
        self._reader = reader
        self._outcomes = outcomes

    async def close(self, task: Task, reason: str) -> Task:
        """Mark a task as done, with the reason."""
        done_at = max(now(), task.since)
        changed = {
            "done_at": done_at,
            "done_reason": reason,
            "version": next_version(task.version, now()),
        }
        return await self._outcomes.tell(TASKS, task.model_copy(update=changed))

    async def close_transfer(self, reference: str, amount: int, payment: Payment) -> None:
        """Close the open task of a transfer if at least all of its money was counted."""
        task = await self._reader.fact(TASKS.name, transfer_task_id(reference))
        if not isinstance(task, Task) or task.done_at is not None:
            return
        if amount >= (task.amount or 0):
            await self.close(task, f"counted for {payment.number or payment.payment_id}")
