"""Pages of what is left to people, as queries: the oldest first.

A page is put together of a range of an index for each kind, and for each name that an owner has, so
its cost does not depend on how much there is, nor on what is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, func, select, tuple_, union_all

from services.storefront.model.listing import milliseconds
from services.storefront.model.tables import TODOS
from services.storefront.model.todos import TODO_KINDS

#: After that time the notifier has let go of a letter's content: nobody can send it any more.
LETTERS_KEPT_FOR: Final = timedelta(days=30)
ORDER: Final = "todo"
_PLACE: Final = (TODOS.c.since, TODOS.c.topic, TODOS.c.key)
#: How a place is written into a cursor.
PLACE_TYPES: Final = [int, str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which todos: of a kind, or of all; of an owner by each of its names, or of everybody's."""

    kind: str | None
    owners: Sequence[str] | None
    now: datetime

    def page(self, after: Sequence[Any] | None, limit: int) -> Select[Any]:
        """The first todos that are open after a place: their ``since``, topic, key and owner."""
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
    """How many are open of each kind of which any is."""
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
