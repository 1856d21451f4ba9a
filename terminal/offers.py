"""``jointbuy offer``: open an auction, outbid its offer, or withdraw it."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from domain.offers import is_doubtful, percent_below
from schemas.api.auctions import AuctionView
from schemas.parts import Problem
from terminal.amounts import amount_of
from terminal.answers import shown
from terminal.api import Api, connected, once_of, segment
from terminal.console import Mistake, confirm, mistakes, money, print_json, say, when
from terminal.descriptions import of_condition, of_count, verdict_in_words
from terminal.images import product_of, with_images
from terminal.options import (
    PRODUCT_BY,
    AsJson,
    Category,
    Currency,
    Description,
    DescriptionFile,
    Images,
    Once,
    Price,
    Product,
    ProductId,
    ProductPage,
    Tags,
    Url,
    given,
    moment,
)

SAID_BY = {
    "auction_id": "AUCTION",
    "seller_id": "--seller",
    "minimum_reservations": "--minimum",
    "unit_price": "--price",
    **PRODUCT_BY,
    "currency": "--currency",
    "minimum_step": "--step",
    "quantity_max_per_applicant": "--most-for-one",
    "closes_at": "--closes-at",
    "invites_at": "--invites-at",
}
RFC_3339 = "RFC 3339."
FROM_NOW = "The same from now: 2h, 3d, 1d12h."
#: Fields of an opening only.
OPENING = (
    *("product", "currency", "closes_at", "invites_at", "minimum_step"),
    "quantity_max_per_applicant",
)


SellerId = Annotated[str | None, typer.Option(help="The seller's id; needs the admin's key.")]
AuctionId = Annotated[
    str | None, typer.Argument(help="The auction's id; without it, an auction opens.")
]
Step = Annotated[
    str | None,
    typer.Option(
        help="Smallest price cut of an offer, such as 0.50; default: the smallest possible."
    ),
]
MostForOne = Annotated[
    int | None, typer.Option(help="Most units that one buyer may reserve; default 100.")
]

Minimum = Annotated[int | None, typer.Option(help="Reservations needed; default: shown.")]
Yes = Annotated[
    bool, typer.Option("--yes", help="Do not ask about a price far below the one shown.")
]


@mistakes()
def offer(
    auction: AuctionId = None,
    seller: SellerId = None,
    price: Price = None,
    minimum: Minimum = None,
    product: Product = None,
    product_id: ProductId = None,
    description: Description = None,
    description_file: DescriptionFile = None,
    product_url: ProductPage = None,
    image: Images = None,
    category: Category = None,
    tag: Tags = None,
    currency: Currency = None,
    closes_at: Annotated[str | None, typer.Option(help=f"End of a new auction, {RFC_3339}")] = None,
    closes_in: Annotated[str | None, typer.Option(help=FROM_NOW)] = None,
    invites_at: Annotated[
        str | None, typer.Option(help="When others are invited; default: after 3/4 of the time.")
    ] = None,
    invites_in: Annotated[str | None, typer.Option(help=FROM_NOW)] = None,
    step: Step = None,
    most_for_one: MostForOne = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Withdraw the auction; for its opener.")
    ] = False,
    yes: Yes = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the verdict.")] = 90.0,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Offer a price and print the verdict: without AUCTION this opens an auction.

    With AUCTION it is a counter-offer to the offer shown; a price more than 30 % lower may be a
    slip, so it is asked for a second time. Exits with 1 if it is refused.
    """
    now = datetime.now(UTC)
    fields = {
        "seller_id": seller,
        "product": product_of(
            product, product_id, description, description_file, product_url, image, category, tag
        ),
        "minimum_reservations": minimum,
        "unit_price": price,
        "currency": currency,
        "closes_at": moment("--closes-at", closes_at, "--closes-in", closes_in, now),
        "invites_at": moment("--invites-at", invites_at, "--invites-in", invites_in, now),
        "minimum_step": step,
        "quantity_max_per_applicant": most_for_one,
    }
    key = once_of(once)
    instead = _instead(fields, closes=closes_in, invites=invites_in)
    with connected(url, as_json=as_json, patience=timeout) as api:
        if withdraw:
            _take_back(api, auction, as_json)
            return
        body = _body(api, auction, given(fields), yes=yes)
        verdict = _offer(api, auction, body, key, instead)
        page = None if verdict["verdict"] == "refused" else page_of(api, verdict["auction_id"])
    _print_verdict(verdict, body, page, as_json)


def _instead(fields: dict[str, Any], **lengths: str | None) -> str:
    """The options with fixed times, so that a repeated command means the same later."""
    return "".join(
        f" and --{name}-at {fields[f'{name}_at']} for --{name}-in"
        for name, length in lengths.items()
        if length
    )


def _body(api: Api, auction: str | None, fields: dict[str, Any], *, yes: bool) -> dict[str, Any]:
    """The offer in minor units; a counter-offer without a minimum has that of the offer shown.

    Asks about a price that may be a slip, unless ``yes``.
    """
    currency, shown_price = fields.get("currency"), None
    if auction is not None:
        check_counter(fields)
        page = page_of(api, auction)
        currency, shown_price = page["currency"], page["unit_price"]
        fields = {"minimum_reservations": page["minimum_reservations"], **fields}
    amounts = {
        name: amount_of(SAID_BY[name], fields[name], currency)
        for name in ("unit_price", "minimum_step")
        if name in fields
    }
    price = amounts.get("unit_price")
    if shown_price is not None and price is not None and not yes:
        _ask_if_doubtful(price, shown_price, currency)
    return with_images(api, fields | amounts)


def _ask_if_doubtful(price: int, shown_price: int, currency: str | None) -> None:
    if is_doubtful(price, shown_price):
        confirm(
            f"{money(price, currency)} is {percent_below(shown_price, price):g} % below the price"
            f" shown, {money(shown_price, currency)}. Make this offer?"
        )


def check_counter(fields: dict[str, Any]) -> None:
    """Refuse fields of an opening. Raises ``Mistake``."""
    if wrong := [SAID_BY[name] for name in OPENING if name in fields]:
        raise Mistake(
            f"{', '.join(wrong)}: only to open an auction: leave AUCTION out",
            usage=True,
        )


def _offer(
    api: Api, auction: str | None, body: dict[str, Any], once: str, instead: str
) -> dict[str, Any]:
    path = "/auctions" if auction is None else f"/auctions/{segment(auction)}/offers"
    answer = api.post(path, body, SAID_BY, once=once, instead=instead)
    judged: dict[str, Any] = answer.body
    if not answer.is_final:
        judged = api.until(
            answer.location,
            lambda offered: offered["verdict"] is not None,
            "check with `jointbuy status` that auction_service runs, then see"
            f" `jointbuy why {judged['auction_id']}`",
        )
    return judged


def page_of(api: Api, auction_id: str) -> dict[str, Any]:
    """The auction's page as it is now."""
    page: dict[str, Any] = api.get(f"/auctions/{segment(auction_id)}")
    return page


# --- output --------------------------------------------------------------------------------------


def _print_verdict(
    judged: dict[str, Any], body: dict[str, Any], page: dict[str, Any] | None, as_json: bool
) -> None:
    is_refused = judged["verdict"] == "refused"
    problems = [Problem(**each) for each in judged["problems"]]
    words = verdict_in_words(judged["verdict"], judged["reason"], problems)
    if as_json:
        print_json({**judged, "words": words, "page": page})
        raise typer.Exit(1 if is_refused else 0)
    if is_refused or page is None:
        raise Mistake(*([f"refused: {each.field}: {each.problem}" for each in problems] or [words]))
    condition = of_condition(body["unit_price"], body["minimum_reservations"], page["currency"])
    say(f"offer {judged['offer_id']}, {condition}: {words}")
    say(page_in_words(page))


def page_in_words(page: dict[str, Any]) -> str:
    """An auction in one line: its status, count, condition and end."""
    auction = shown(AuctionView, page)
    currency, minimum = auction.currency, auction.minimum_reservations
    so_far = of_count(auction.reservations, minimum, auction.applicants)
    condition = of_condition(auction.unit_price, minimum, currency)
    return (
        f"{auction.auction_id}: {auction.status}, {so_far}, shown at {condition},"
        f" step {money(auction.minimum_step, currency)}, closes {when(auction.closes_at)}"
    )


# --- withdrawal ----------------------------------------------------------------------------------


def _take_back(api: Api, auction: str | None, as_json: bool) -> None:
    if auction is None:
        raise Mistake("AUCTION is missing: name the auction to withdraw", usage=True)
    place = f"/auctions/{segment(auction)}"
    answer = api.post(f"{place}/withdrawal", said_by=SAID_BY)
    page = answer.body
    if not answer.is_final:
        late = f"it stays if somebody reserved meanwhile: see `jointbuy show {auction}`"
        page = api.until(place, lambda seen: seen["status"] != "open", late)
    if as_json:
        print_json(page)
    elif page["status"] == "withdrawn":
        say(f"{auction} is withdrawn")
    else:
        raise Mistake(f"refused: the auction is {page['status']}")
