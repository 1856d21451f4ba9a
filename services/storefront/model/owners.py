"""Whose a payment or letter is that is left to people: the shop's that runs its group.

A group is a shop's by its definition, else by the mark in its request's id, which only who has
LINK_SECRET can tell from others: ``/<mark>`` is kept in place of the shop's id, as no id has a
slash. A group that neither names is the admin's. So it is in ``commands.acting.runs``, too.

Todos, groups and definitions come on topics that race. So a todo begins without an owner. The owner
is looked for when the todo or its group is written, and every few seconds for all that have none.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Update, and_, case, func, literal, or_, select, update

from services.storefront.model.tables import DEFINITIONS, GROUPS, TODOS
from services.storefront.model.todos import ADMINS

#: Topics without whose facts it is not known whose a todo is.
TELLING: Final = frozenset({"group-purchases", "definitions"})
#: How the id of a request begins that was made here, and how long a shop's mark in it is.
_MADE_HERE: Final = "r-"
MARK_CHARACTERS: Final = 8


def of_mark(mark: str) -> str:
    """The owner that stands for the shop with this mark."""
    return f"/{mark}"


def _of_group() -> Any:
    """Each group's owner, as far as it can be told by now."""
    mark = func.substr(GROUPS.c.request_id, len(_MADE_HERE) + 1, MARK_CHARACTERS)
    is_made_here = func.substr(GROUPS.c.request_id, 1, len(_MADE_HERE)) == _MADE_HERE
    owner = case(
        (DEFINITIONS.c.shop_id.is_not(None), DEFINITIONS.c.shop_id),
        (is_made_here, literal("/") + mark),
        else_=ADMINS,
    )
    both = GROUPS.outerjoin(DEFINITIONS, DEFINITIONS.c.definition_id == GROUPS.c.definition_id)
    is_known = or_(GROUPS.c.definition_id.is_(None), DEFINITIONS.c.shop_id.is_not(None))
    return (
        select(owner.label("owner"))
        .select_from(both)
        .where(GROUPS.c.group_id == TODOS.c.group_id, GROUPS.c.terms_version > 0, is_known)
        .correlate(TODOS)
    )


def find(groups: Sequence[str] | None = None) -> Update:
    """Give an owner to each todo without one whose group is known; of these groups, or of all."""
    found = _of_group()
    where = [TODOS.c.owner.is_(None), found.exists()]
    if groups is not None:
        where.append(TODOS.c.group_id.in_(groups))
    return update(TODOS).where(*where).values(owner=found.scalar_subquery())


def forget() -> Update:
    """Take the owner from each payment and letter whose group is not known any more."""
    is_of_group = and_(TODOS.c.group_id.is_not(None), TODOS.c.topic != "tasks")
    is_lost = and_(TODOS.c.owner.is_not(None), is_of_group, ~_of_group().exists())
    return update(TODOS).where(is_lost).values(owner=None)
