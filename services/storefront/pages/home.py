"""What runs: the lists of the home page; and how all of it works."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from markupsafe import Markup

from domain.money import CURRENCIES
from schemas.shops import SHOPS, Shop
from services.storefront.access.callers import COOKIE
from services.storefront.pages import figures
from services.storefront.pages.forms import Form
from services.storefront.pages.visits import Visit, answered, body_of, page
from services.storefront.readmodel.lists import TOTAL_MAX
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.rows import (
    AuctionRow,
    DefinitionRow,
    Filters,
    GroupRow,
    Listed,
    Total,
)
from services.storefront.rules.views import auction_summary, definition_summary, group_summary
from services.storefront.web.parameters import TEXT_PATTERN
from services.storefront.web.shop import shop_of

T = TypeVar("T")

router = APIRouter(include_in_schema=False)
LINES = 20
SHELF = 12
#: What closes within this time is "ending soon".
SOON = timedelta(hours=24)
_LONGEST = 200
_Text = Annotated[str, Query(max_length=_LONGEST, pattern=TEXT_PATTERN)]
#: Of the next lines of auctions, groups and definitions.
Cursors = tuple[str | None, str | None, str | None]
#: Only what closes within a day, or what has four fifths of what it needs.
Only = Literal["", "ending", "nearly"]


@dataclass(frozen=True, slots=True)
class HomeChoices:
    """What the lists can be narrowed by: names of categories, shops' ids and names, currencies.

    ``totals`` are those of the three lists if nothing narrows them.
    """

    categories: tuple[str, ...]
    shops: tuple[tuple[str, str], ...]
    currencies: tuple[str, ...]
    totals: tuple[Total, ...]


@router.get("/")
async def home(
    request: Request,
    q: _Text = "",
    sort: Literal["ending", "nearest"] = "ending",
    only: Only = "",
    category: _Text = "",
    tag: _Text = "",
    shop: _Text = "",
    price_min: _Text = "",
    price_max: _Text = "",
    currency: _Text = "",
    auctions: str | None = None,
    groups: str | None = None,
    definitions: str | None = None,
) -> Response:
    """The lists; ``auctions``, ``groups`` and ``definitions`` are cursors of the next lines.

    Nothing on it is about who asks: all who ask alike within a second get the same. Only the admin
    is shown what to do first, as long as there is nothing.
    """
    visit = Visit.of(request)
    asked = {
        **{"q": q.strip(), "sort": "" if sort == "ending" else sort, "only": only},
        **{"category": category, "tag": tag, "shop": shop},
        **{"price_min": price_min.strip(), "price_max": price_max.strip(), "currency": currency},
    }
    cursors = (auctions, groups, definitions)
    is_admin = await _is_admin(request)
    alike = (visit.language, visit.formats, is_admin, tuple(request.query_params.multi_items()))
    body = await shop_of(request).home_pages.get(
        alike, lambda: _home(request, visit, asked, cursors, is_admin)
    )
    return answered(request, visit, body)


async def _is_admin(request: Request) -> bool:
    """Whether the admin is signed in; who has no session is not asked about."""
    if COOKIE not in request.cookies:
        return False
    return (await shop_of(request).access.session(request)).kind == "admin"


async def _home(
    request: Request,
    visit: Visit,
    asked: dict[str, str],
    cursors: Cursors,
    is_admin: bool,
) -> str:
    shop = shop_of(request)
    choices = await shop.home_choices.get("", lambda: _choices(shop.reader))
    form = Form(visit, {name: value for name, value in asked.items() if value})
    is_narrowed = any(value for name, value in asked.items() if name not in ("sort", "currency"))
    found = await _found(shop.reader, asked, _filters(form, asked), cursors, counts=is_narrowed)
    totals = choices.totals
    auctions = _listed(found[0], auction_summary, totals[0], cursors[0])
    groups = _listed(found[1], group_summary, totals[1], cursors[1])
    definitions = _listed(found[2], definition_summary, totals[2], cursors[2])
    return body_of(
        request,
        "home.html",
        visit,
        words=asked["q"],
        sort=_sort(asked),
        asked=asked,
        is_narrowed=is_narrowed,
        form=form,
        choices=choices,
        currency=_currency(visit, asked, choices),
        currency_options=[(each, each) for each in choices.currencies],
        shop_options=[("", visit.gettext("All shops")), *choices.shops],
        auctions=auctions,
        groups=groups,
        goals={row.group_id: figures.goal_line_of_row(visit, row) for row in found[1].rows},
        definitions=definitions,
        count=partial(_count, visit),
        url=partial(_url, asked),
        is_admin=is_admin,
    )


def _sort(asked: dict[str, str]) -> Literal["ending", "nearest"]:
    return "nearest" if asked["sort"] else "ending"


async def _found(
    reader: Reader, asked: dict[str, str], filters: Filters, cursors: Cursors, *, counts: bool
) -> tuple[Listed[AuctionRow], Listed[GroupRow], Listed[DefinitionRow]]:
    """The pages of the lists. Auctions do not say who sells, and definitions do not end."""
    alike: dict[str, Any] = {"words": asked["q"], "filters": filters, "counts": counts}
    sorted_: dict[str, Any] = {"sort": _sort(asked), "limit": LINES}
    auctions, groups, definitions = cursors
    found: tuple[Any, Any, Any] = await asyncio.gather(
        _nothing() if asked["shop"] else reader.auctions(cursor=auctions, **sorted_, **alike),
        reader.groups(cursor=groups, **sorted_, **alike),
        _nothing()
        if asked["only"]
        else reader.definitions(cursor=definitions, limit=SHELF, **alike),
    )
    return found


async def _nothing() -> Listed[Any]:
    """What a list has that can't be narrowed so."""
    return Listed([], None, Total(0))


def _listed(
    found: Listed[Any], summary: Callable[[Any], T], total: Total, cursor: str | None
) -> Listed[T]:
    """A list's page with its total: its own, else its rows if these are all, else ``total``."""
    if found.total is not None:
        total = found.total
    elif found.cursor is None and cursor is None:
        total = Total(len(found.rows))
    return Listed([summary(row) for row in found.rows], found.cursor, total)


async def _choices(reader: Reader) -> HomeChoices:
    found, totals = await asyncio.gather(reader.choices(), reader.totals())
    shops = await reader.facts_of(SHOPS.name, found.shops)
    names = ((each, shops.get(each)) for each in found.shops)
    named = [(each, fact.name if isinstance(fact, Shop) else each) for each, fact in names]
    shops_by_name = tuple(sorted(named, key=lambda each: each[1]))
    lists = tuple(totals[name] for name in ("auctions", "groups", "definitions"))
    return HomeChoices(found.categories, shops_by_name, found.currencies, lists)


def _filters(form: Form, asked: dict[str, str]) -> Filters:
    """The filters that are asked for; prices that can't be read narrow nothing, and are told."""
    currency = asked["currency"] if asked["currency"] in CURRENCIES else ""
    prices: dict[str, int | None] = {"price_min": None, "price_max": None}
    if currency:
        prices = {name: form.amount(name, currency, required=False) for name in prices}
    is_priced = any(each is not None for each in prices.values())
    return Filters(
        category=asked["category"] or None,
        tag=asked["tag"] or None,
        shop_id=asked["shop"] or None,
        currency=currency if is_priced else None,
        closes_by=form.visit.now + SOON if asked["only"] == "ending" else None,
        is_nearly_there=asked["only"] == "nearly",
        **prices,
    )


def _currency(visit: Visit, asked: dict[str, str], choices: HomeChoices) -> str:
    """The currency that the form of prices shows first."""
    likely = (asked["currency"], visit.formats.currency)
    return next((each for each in likely if each in choices.currencies), "")


def _count(visit: Visit, total: Total) -> Markup:
    """A list's total in words: ``1,000+`` where it is not counted on."""
    if total.is_exact:
        return visit.ngettext("{n} in all", "{n} in all", total.count)
    if total.count >= TOTAL_MAX:
        return visit.gettext("{number}+ in all", number=visit.formats.number(total.count))
    return visit.gettext("at least {number} in all", number=visit.formats.number(total.count))


def _url(asked: dict[str, str], **changed: str) -> str:
    """The home page as it is asked for, but for what is changed."""
    query = urlencode({name: value for name, value in {**asked, **changed}.items() if value})
    return f"/?{query}" if query else "/"


@router.get("/help")
async def how_it_works(request: Request) -> Response:
    """How it works."""
    return page(request, "help.html")
