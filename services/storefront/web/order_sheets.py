"""The order sheet of a group: its table as a CSV file."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from fastapi.responses import StreamingResponse

from domain.money import in_decimals
from domain.pseudonyms import short_number
from domain.spreadsheets import BOM, csv_rows
from schemas.api.groups import TableRow
from schemas.groups import GroupPurchase
from services.storefront.access.callers import Actor
from services.storefront.commands.member_table import table_shown
from services.storefront.rules.paid import IN_TABLE
from services.storefront.rules.rows import Listed
from services.storefront.web.shop import Shop
from texts.catalogue import mark

#: Lines that are read at once.
LINES = 500
MEDIA_TYPE = "text/csv; charset=utf-8"
Words = Callable[[str], str]
_COLUMNS = (
    *(mark("Buyer"), mark("ID"), mark("Units"), mark("Value"), mark("Currency"), mark("Payment")),
    *(mark("Discount"), mark("Gift"), mark("First order (UTC)"), mark("Latest order (UTC)")),
)
_OF_CONTRACT = (mark("Email"), mark("Reserved"))


async def order_sheet(
    shop: Shop, actor: Actor, terms: GroupPurchase, words: Words
) -> StreamingResponse:
    """The whole table as an actor sees it, who may see it; ``words`` translates.

    Units are numbers, money is decimal with a point, times are in UTC.
    """
    first = await table_shown(shop.reader, shop.access, actor, terms, None, LINES)
    name = re.sub(r"[^A-Za-z0-9.-]", "_", terms.group_id)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    lines = _lines(shop, actor, terms, words, first)
    return StreamingResponse(lines, media_type=MEDIA_TYPE, headers=headers)


async def _lines(
    shop: Shop, actor: Actor, terms: GroupPurchase, words: Words, page: Listed[TableRow]
) -> AsyncIterator[str]:
    is_contract = any(row.email is not None or row.reserved is not None for row in page.rows)
    columns = (*_COLUMNS, *_OF_CONTRACT) if is_contract else _COLUMNS
    yield BOM + csv_rows([map(words, columns)])
    while True:
        yield csv_rows(_cells(row, words)[: len(columns)] for row in page.rows)
        if page.cursor is None:
            return
        page = await table_shown(shop.reader, shop.access, actor, terms, page.cursor, LINES)


def _cells(row: TableRow, words: Words) -> list[str]:
    paid = IN_TABLE.get(row.payment) if row.payment else None
    return [
        row.name or short_number(row.member_id) or "",
        row.member_id,
        str(row.quantity),
        _money(row.value, row.currency),
        row.currency or "",
        words(paid) if paid else "",
        "" if row.favor_amount is None else _money(row.favor_amount, row.currency),
        row.gift or "",
        _minute(row.first_ordered_at),
        _minute(row.last_ordered_at),
        row.email or "",
        "" if row.reserved is None else str(row.reserved),
    ]


def _money(amount: int, currency: str | None) -> str:
    return "" if currency is None else str(in_decimals(amount, currency))


def _minute(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"
