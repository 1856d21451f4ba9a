"""Queries for pages of todos, the oldest first.

A page combines one index range for each kind and each name of the owner. So its cost does not
depend on the number of open or done todos.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select, tuple_, union_all

from services.storefront.readmodel.tables import TODOS
from services.storefront.rules.columns import milliseconds
from services.storefront.rules.todo_reasons import TODO_KINDS

#: After that time the notifier has deleted a letter's content, so nobody can send it.
LETTERS_KEPT_FOR: Final = timedelta(days=30)
ORDER: Final = "todo"
_PLACE: Final = (TODOS.c.since, TODOS.c.topic, TODOS.c.key)
#: The form of a place in a cursor.
PLACE_TYPES: Final = [int, str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter of todos: one kind or all; one owner by each of its names, or all owners."""

    kind: str | None
    owners: Sequence[str] | None
    now: datetime

    def page(self, after: Sequence[Any] | None, limit: int) -> Select[Any]:
        """The first open todos after a place: their ``since``, topic, key and owner."""
        kinds = TODO_KINDS if self.kind is None else (self.kind,)
        ranges = [
            self._range(kind, owner, after, limit)
            for kind in kinds
            for owner in (self.owners if self.owners is not None else (None,))
        ]
        found = union_all(*(select(each.subquery()) for each in ranges)).subquery()
        columns = found.c
        in_order = (columns.since, columns.topic, columns.key)
        return select(*in_order, columns.owner).order_by(*in_order).limit(limit)

    def _range(
        self, kind: str, owner: str | None, after: Sequence[Any] | None, limit: int
    ) -> Select[Any]:
        where = [TODOS.c.done_at.is_(None), TODOS.c.kind == kind, *_recent(kind, self.now)]
        if owner is not None:
            where.append(TODOS.c.owner == owner)
        if after is not None:
            where.append(tuple_(*_PLACE) > tuple(after))
        return select(*_PLACE, TODOS.c.owner).where(*where).order_by(*_PLACE).limit(limit)


def counts(now: datetime) -> Select[Any]:
    """The number of open todos by kind, without zeros."""
    each = [
        select(TODOS.c.kind, func.count().label("number"))
        .where(TODOS.c.done_at.is_(None), TODOS.c.kind == kind, *_recent(kind, now))
        .group_by(TODOS.c.kind)
        for kind in TODO_KINDS
    ]
    found = union_all(*each).subquery()
    return select(found.c.kind, found.c.number)


def _recent(kind: str, now: datetime) -> list[ColumnElement[bool]]:
    if kind != "letter":
        return []
    return [TODOS.c.since >= milliseconds(now - LETTERS_KEPT_FOR)]
