"""The owner of a todo about a payment or a letter: the shop that runs its group.

The group's definition names the shop. Without one, the mark in the request's id stands for the
shop, but only a process with LINK_SECRET can match marks and shops. So ``/<mark>`` is kept in place
of the shop's id, as no id has a slash. All other groups belong to the admin.
``commands.authority`` has the same rule.

Todos, groups and definitions arrive in any order. So a todo begins without an owner. The owner is
looked up when the todo or its group is written, and every 15 seconds for all todos without one.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Update, and_, case, func, literal, or_, select, update

from services.storefront.readmodel.tables import DEFINITIONS, GROUPS, TODOS
from services.storefront.rules.todo_reasons import ADMINS

#: Topics with the facts that decide the owner of a todo.
TELLING: Final = frozenset({"group-purchases", "definitions"})
#: The beginning of ids of requests made here, and the length of a shop's mark in them.
_MADE_HERE: Final = "r-"
MARK_CHARACTERS: Final = 8


def of_mark(mark: str) -> str:
    """The owner that stands for the shop with this mark."""
    return f"/{mark}"


def _of_group() -> Any:
    """The owner of each group, if it is known by now."""
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
    """Set the owner of todos that have none, if their group is known; for these groups or all."""
    found = _of_group()
    where = [TODOS.c.owner.is_(None), found.exists()]
    if groups is not None:
        where.append(TODOS.c.group_id.in_(groups))
    return update(TODOS).where(*where).values(owner=found.scalar_subquery())


def forget() -> Update:
    """Clear the owner of payments and letters whose group is no longer known."""
    is_of_group = and_(TODOS.c.group_id.is_not(None), TODOS.c.topic != "tasks")
    is_lost = and_(TODOS.c.owner.is_not(None), is_of_group, ~_of_group().exists())
    return update(TODOS).where(is_lost).values(owner=None)
