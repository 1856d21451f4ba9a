"""Payers brought to level, and the group settled when none of them has anything open."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runtime.rows import Rows
from schemas.parts import Message
from services.payment_service.book import Book
from services.payment_service.leveling import level
from services.payment_service.rows import Group, Payer, Settled, payer_name
from services.payment_service.waiting import count_waiting


def bring_to_level(payer_id: str | None, rows: Rows, now: datetime) -> Sequence[Message]:
    """Ask for what a payer's payments lack of what is owed; letters about them."""
    if payer_id is None:
        count_waiting(rows, now)
        return ()
    if payer_name(payer_id) not in rows:
        return ()
    return close_book(Book(payer_id, rows, now))


def close_book(book: Book) -> Sequence[Message]:
    """Bring the payer of a book to level, after what was changed in it."""
    rows = book.rows
    rests = level(book)
    group: Group = rows["group"]
    payer: Payer = rows[payer_name(book.payer_id)]
    has_ended = group.ended == "withdrawn" or (group.ended != "" and group.decided)
    is_settled = rests and has_ended
    if is_settled != payer.settled:
        rows[payer_name(book.payer_id)] = replace(payer, settled=is_settled)
        change = -1 if is_settled else 1
        rows["group"] = replace(group, unsettled=group.unsettled + change)
    settle_group(rows, book.now)
    return book.sent


def settle_group(rows: Rows, now: datetime) -> None:
    """Say that a group is settled once its end is decided and no payer has anything open.

    A payment that something later makes necessary unsettles it, until that is through too.
    """
    group: Group = rows["group"]
    has_ended = group.ended == "withdrawn" or (group.ended != "" and group.decided)
    is_settled = has_ended and not group.unsettled and "chunk/level" not in rows
    if is_settled != group.is_settled:
        rows["group"] = replace(group, is_settled=is_settled)
        if is_settled:
            before: Settled | None = rows.get("settled")
            rows["settled"] = Settled(1 if before is None else before.version + 1, now)
