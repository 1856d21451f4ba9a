"""``jointbuy show``: a group with its table of purchasers, or an auction."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from schemas.api.auctions import AuctionDetail
from schemas.api.groups import GroupView, TableRow
from terminal import typed_values
from terminal.answers import shown
from terminal.api import Api, Refused, connected, segment
from terminal.auction_page import print_page
from terminal.console import Mistake, mistakes, print_json, progress
from terminal.group_page import print_group
from terminal.options import AsJson, Url, typed

LINES_AT_ONCE = 100


@mistakes()
def show(
    reference: Annotated[
        str, typer.Argument(metavar="ID", help="A group's id, GB-…, or an auction's.")
    ],
    limit: Annotated[int, typer.Option(min=0, help="Lines of a table; 0 for all.")] = 200,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show a group's progress and its table of purchasers, or an auction's page."""
    wanted = typed(typed_values.group_id, reference)
    most, now = limit or sys.maxsize, datetime.now(UTC)
    with connected(url) as api:
        path, found = what_is(api, wanted)
        if "auction_id" in found:
            if as_json:
                print_json(found)
            else:
                print_page(shown(AuctionDetail, found), now, most)
            return
        rows, more = _members(api, path, most)
    if as_json:
        print_json({**found, "table": rows})
        return
    purchasers = None if rows is None else [shown(TableRow, each) for each in rows]
    print_group(shown(GroupView, found), purchasers, now, more=more)


def what_is(api: Api, reference: str) -> tuple[str, dict[str, Any]]:
    """The path and the JSON of the group purchase or auction with this id."""
    paths = [f"/{kind}/{segment(reference)}" for kind in ("group-purchases", "auctions")]
    for path in paths if reference.startswith("GB-") else reversed(paths):
        try:
            return path, api.get(path)
        except Refused as refused:
            if refused.status != 404:
                raise
    raise Mistake(
        f"no group purchase or auction {reference} is known: see `jointbuy why {reference}`"
    )


def _members(api: Api, path: str, most: int) -> tuple[list[Any] | None, bool]:
    """At most ``most`` lines of the table, ``None`` if it is secret; whether there are more."""
    rows: list[Any] = []
    asked: dict[str, Any] = {"limit": min(most, LINES_AT_ONCE)}
    with progress("reading the table") as step:
        while True:
            try:
                page = api.get(f"{path}/members", **asked)
            except Refused as refused:
                if refused.status not in (401, 403):
                    raise
                return None, False
            rows += page["items"]
            step(len(rows), len(rows))
            if page["cursor"] is None or len(rows) >= most:
                return rows[:most], page["cursor"] is not None or len(rows) > most
            asked["cursor"] = page["cursor"]
