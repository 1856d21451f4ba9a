"""What runs: the lists of the home page; and how all of it works."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from domain.ids import read_aloud
from domain.money import CURRENCIES
from schemas.shops import SHOPS, Shop
from services.storefront.access.callers import COOKIE
from services.storefront.pages import figures
from services.storefront.pages.forms import Form
from services.storefront.pages.paths import group_path
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
from texts.catalogue import mark

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
_Lists = tuple[Listed[AuctionRow], Listed[GroupRow], Listed[DefinitionRow]]
#: A price with a comma before its cents; thousands are three digits.
_WITH_CENTS = re.compile(r"(\d+),(\d\d)")
#: How a group id begins, as people write it.
_LIKE_ID = re.compile(r"gb[-\s]?\d|gb-", re.IGNORECASE)
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
    group_id = _group_id(q)
    if group_id and await shop_of(request).reader.group(group_id) is not None:
        return RedirectResponse(group_path(group_id), 303)
    asked = {
        **{"q": q.strip(), "sort": "" if sort == "ending" else sort, "only": only},
        **{"category": category, "tag": tag, "shop": shop},
        **{"price_min": price_min.strip(), "price_max": price_max.strip(), "currency": currency},
    }
    cursors = (auctions, groups, definitions)
    is_admin = await _is_admin(request)
    is_signed_in = COOKIE in request.cookies
    alike = (
        visit.language,
        visit.formats,
        is_admin,
        is_signed_in,
        tuple(request.query_params.multi_items()),
    )
    body = await shop_of(request).home_pages.get(
        alike, lambda: _home(request, visit, asked, cursors, is_admin)
    )
    return answered(request, visit, body)


def _group_id(text: str) -> str | None:
    """The group id that a search names; empty if it is one with a typing error."""
    try:
        return read_aloud(text)
    except ValueError:
        return "" if _LIKE_ID.match(text.strip()) else None


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
    filters = _filters(form, asked, _currency(visit, asked, choices))
    is_crossed = not form.problems and filters.is_crossed
    if is_crossed:
        form.problems["price_max"] = visit.gettext("“From” is above “up to”.")
    if form.problems:
        # Lists that a price does not narrow must not look as if it did.
        found: _Lists = (await _nothing(), await _nothing(), await _nothing())
    else:
        found = await _found(shop.reader, asked, filters, cursors, counts=is_narrowed)
    totals = choices.totals
    auctions = _listed(found[0], auction_summary, totals[0], cursors[0])
    groups = _listed(found[1], group_summary, totals[1], cursors[1])
    definitions = _listed(found[2], definition_summary, totals[2], cursors[2])
    return body_of(
        request,
        "home.html",
        visit,
        words=asked["q"],
        searched_id=_group_id(asked["q"]),
        sort=_sort(asked),
        asked=asked,
        is_narrowed=is_narrowed,
        applied=_applied(visit, asked, choices),
        form=form,
        choices=choices,
        currency=_currency(visit, asked, choices),
        currency_options=[(each, each) for each in choices.currencies],
        shop_names={id_: name for id_, name in choices.shops if name != id_},
        is_crossed=is_crossed,
        shop_options=[("", visit.gettext("All shops")), *choices.shops],
        auctions=auctions,
        groups=groups,
        **figures.of_rows(visit, found[1].rows),
        definitions=definitions,
        discounts=await figures.first_steps(shop.reader, found[2].rows),
        count=partial(_count, visit),
        url=partial(_url, asked),
        is_admin=is_admin,
    )


def _sort(asked: dict[str, str]) -> Literal["ending", "nearest"]:
    return "nearest" if asked["sort"] else "ending"


async def _found(
    reader: Reader, asked: dict[str, str], filters: Filters, cursors: Cursors, *, counts: bool
) -> _Lists:
    """The pages of the lists. Auctions do not say who sells, and definitions do not end."""
    words = asked["q"]
    alike: dict[str, Any] = {"words": words, "filters": filters, "counts": counts}
    # Once for all three lists.
    alike["named"] = await reader.named(words)
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


def _filters(form: Form, asked: dict[str, str], likely: str) -> Filters:
    """The filters that are asked for; the form tells prices that can't be read.

    Prices are of the currency that is asked for, else of the ``likely`` one.
    """
    currency = asked["currency"] if asked["currency"] in CURRENCIES else likely
    prices: dict[str, int | None] = {"price_min": None, "price_max": None}
    if currency:
        prices = {name: _price(form, name, currency) for name in prices}
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


def _applied(visit: Visit, asked: dict[str, str], choices: HomeChoices) -> list[tuple[str, str]]:
    """The filters that narrow the lists: each one's name in an address, and in words."""
    only = {"ending": mark("Closing within 24 hours"), "nearly": mark("Nearly there")}
    which = only.get(asked["only"], "")
    words = {
        "only": visit.gettext(which) if which else "",
        "category": asked["category"],
        "tag": f"#{asked['tag']}",
        "shop": dict(choices.shops).get(asked["shop"], asked["shop"]),
        "price_min": f"{visit.gettext(mark('Price each, from'))} {asked['price_min']}",
        "price_max": f"{visit.gettext(mark('Price each, up to'))} {asked['price_max']}",
    }
    return [(name, label) for name, label in words.items() if asked[name]]


def _price(form: Form, name: str, currency: str) -> int | None:
    """A typed price; its cents may stand after a comma in any language."""
    typed = form.values.get(name, "")
    if cents := _WITH_CENTS.fullmatch(typed):
        form.values[name] = f"{cents[1]}.{cents[2]}"
    found = form.amount(name, currency, required=False)
    if typed:
        form.values[name] = typed
    return found


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
