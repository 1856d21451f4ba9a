"""What an organizer writes: it goes to all who are listed or have ordered, each person once.

A call reads the next rows of one table: the listed members, then the members with orders that
count, then the orders that await their money. At last it deletes the marks of who was told. Orders
that were cancelled, refused or not confirmed lead to nobody.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from runtime.rows import ROWS_PER_CALL, Rows, Table, drop_some, next_rows
from schemas.letters import Notice
from schemas.orders import GroupMessage
from schemas.parts import Message, Party
from services.order_service.rows import (
    ADMITTED,
    CHUNKS,
    MEMBERS,
    MESSAGES,
    ORDERS,
    TOLD,
    Chunk,
    Mark,
    Member,
    Order,
    reached_as,
)
from services.order_service.rules import letters

#: The tables in the order in which they are read; the last one's rows are deleted.
_TABLES: Final[Sequence[Table[Any]]] = (ADMITTED, MEMBERS, ORDERS, TOLD)
_NEXT: Final = {table.name: following.name for table, following in pairwise(_TABLES)}


def begin(message: GroupMessage, rows: Rows) -> None:
    """Begin to send a message; a repeat of its id changes nothing."""
    name = MESSAGES(message.message_id)
    if name not in rows:
        rows[name] = Mark()
        rows[CHUNKS("message", message.message_id)] = Chunk(
            step=_TABLES[0].name, words=message.words
        )


def send(rows: Rows, now: datetime) -> Sequence[Message]:
    """Send a message to the next people; of several messages, the first is sent to its end."""
    name, cursor = next(rows.scan(CHUNKS, "message"))
    if cursor.step == TOLD.name:
        if not drop_some(rows, [TOLD]):
            del rows[name]
        return ()
    message_id = name.rpartition("/")[2]
    table = next(each for each in _TABLES if each.name == cursor.step)
    page = next_rows(rows, table, after=cursor.after)
    sent: list[Notice] = []
    for row_name, row in page:
        member_id, person_id = _recipient(table.part(row_name), row, rows)
        if person_id is not None and TOLD(person_id) not in rows:
            rows[TOLD(person_id)] = Mark()
            party = Party(id=member_id, person_id=person_id)
            sent += letters.group_message(message_id, cursor.words, party, rows, now)
    if len(page) == ROWS_PER_CALL:
        rows[name] = replace(cursor, after=page[-1][0])
    else:
        rows[name] = replace(cursor, after="", step=_NEXT[table.name])
    return sent


def _recipient(part: str, row: Any, rows: Rows) -> tuple[str, str | None]:
    """The member whom a row leads to, and the person; None if nobody is to be told."""
    if isinstance(row, Member):
        return part, reached_as(part, row.person_id, rows) if row.orders else None
    if isinstance(row, Order):
        awaits_money = row.state == "placed"
        person_id = reached_as(row.member_id, row.person_id, rows) if awaits_money else None
        return row.member_id, person_id
    return part, reached_as(part, None, rows)
