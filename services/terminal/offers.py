"""``jointbuy offer``: open an auction, better its condition or take it back; hear the verdict."""

import asyncio
import secrets
from datetime import datetime
from typing import Annotated, Any

import typer

from schemas.messages import (
    Auction,
    AuctionOpened,
    AuctionWithdrawn,
    CounterOffered,
    Message,
    Notice,
    OfferJudged,
)
from schemas.topics import AUCTIONS, NOTICES, OFFERS
from services.runtime.running import settings_here
from services.runtime.settings import Settings
from services.terminal import topics
from services.terminal.answers import ask
from services.terminal.console import Mistake, facts, mistakes, money, print_json, when
from services.terminal.describing import describe, of_condition, of_count, of_verdict
from services.terminal.options import (
    AsJson,
    At,
    Currency,
    Price,
    Product,
    ProductId,
    checked,
    moment,
    time_of,
)
from services.terminal.reasons import meaning

SAID_BY = {
    "auction_id": "AUCTION",
    "seller_id": "--seller",
    "minimum_reservations": "--minimum",
    "unit_price": "--price",
    "product": "--product",
    "product.name": "--product",
    "currency": "--currency",
    "minimum_step": "--step",
    "offer_id": "--offer-id",
}
RFC_3339 = "RFC 3339."
FROM_NOW = "Instead: 2h, 3d, 1d12h from now."


@mistakes()
def offer(
    auction: Annotated[str, typer.Argument(help="The auction's id; a new one to open it.")],
    seller: Annotated[str, typer.Option(help="Who offers.")],
    price: Price = None,
    minimum: Annotated[
        int | None, typer.Option(help="Reservations needed; those shown if not given.")
    ] = None,
    product: Product = None,
    product_id: ProductId = None,
    currency: Currency = None,
    closes_at: Annotated[str | None, typer.Option(help=f"Opens an auction. {RFC_3339}")] = None,
    closes_in: Annotated[str | None, typer.Option(help=FROM_NOW)] = None,
    invites_at: Annotated[
        str | None, typer.Option(help="Calls other sellers; after three quarters if not given.")
    ] = None,
    invites_in: Annotated[str | None, typer.Option(help=FROM_NOW)] = None,
    step: Annotated[
        int | None, typer.Option(help="By how much an offer must be lower, in minor units; 1.")
    ] = None,
    offer_id: Annotated[str | None, typer.Option(help="A random one if not given.")] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take the auction back, as its opener.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds; an offer waits a minute for its seller.")
    ] = 90.0,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Offer a condition and print the verdict: it opens an auction if a term is given.

    Without --closes-at or --closes-in it is a counter-offer for the auction's product. Exits with
    1 when it is refused.
    """
    settings, now = settings_here(), time_of(at)
    if withdraw:
        _take_back(settings, auction, seller, now, timeout, as_json)
        return
    fields: dict[str, Any] = {
        "auction_id": auction,
        "seller_id": seller,
        "offer_id": offer_id or f"of-{secrets.token_hex(6)}",
        "product": {"name": product, "id": product_id},
        "minimum_reservations": minimum,
        "unit_price": price,
        "currency": currency,
        "offered_at": now.isoformat(),
        "closes_at": moment("--closes-at", closes_at, "--closes-in", closes_in, now),
        "invites_at": moment("--invites-at", invites_at, "--invites-in", invites_in, now),
        "minimum_step": step,
    }
    verdict, page = asyncio.run(_offer(settings, fields, now, timeout))
    _print_verdict(verdict, page, as_json)


async def _offer(
    settings: Settings, fields: dict[str, Any], now: datetime, patience: float
) -> tuple[OfferJudged, Auction | None]:
    auction_id = fields["auction_id"]
    kind: type[AuctionOpened | CounterOffered] = AuctionOpened
    if fields["closes_at"] is None:
        kind = CounterOffered
        fields = as_counter(fields, await page_of(settings, auction_id))
    message = checked(kind, given(fields), SAID_BY)
    record = topics.record_of(settings, OFFERS, message, now)

    def verdict_of(answer: Message) -> OfferJudged | None:
        if (
            isinstance(answer, OfferJudged)
            and answer.key == f"{auction_id}/offer/{message.offer_id}"
        ):
            return answer
        return None

    verdict = await ask(settings, [record], [(AUCTIONS, auction_id)], verdict_of, patience)
    if verdict is None:
        raise Mistake(
            f"no verdict on {message.offer_id} within {patience:g} s, but it was sent: see that"
            f" auction_service runs with `jointbuy status`, then ask `jointbuy why {auction_id}`"
        )
    return verdict, await page_of(settings, auction_id)


async def page_of(settings: Settings, auction_id: str) -> Auction | None:
    """The auction's page as it is now."""
    found = await topics.latest(settings, AUCTIONS, auction_id)
    return found if isinstance(found, Auction) else None


def as_counter(fields: dict[str, Any], page: Auction | None) -> dict[str, Any]:
    """A counter-offer: what is not given is as the auction's page has it."""
    if fields["invites_at"] is not None or fields["minimum_step"] is not None:
        raise Mistake(
            "--invites-at, --invites-in and --step are the opening's: give --closes-in to open",
            usage=True,
        )
    fields = {
        k: v for k, v in fields.items() if k not in ("closes_at", "invites_at", "minimum_step")
    }
    if page is None:
        auction_id = fields["auction_id"]
        raise Mistake(
            f"no auction {auction_id} is open: open it with --closes-in or --closes-at, or see what"
            f" became of its opening with `jointbuy why {auction_id}`"
        )
    if given(fields["product"]) == {}:
        fields["product"] = page.product.model_dump()
    if fields["minimum_reservations"] is None:
        fields["minimum_reservations"] = page.shown.minimum_reservations
    fields["currency"] = fields["currency"] or page.currency
    return fields


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that are given, at any depth."""
    nested = {k: given(v) if isinstance(v, dict) else v for k, v in fields.items()}
    return {k: v for k, v in nested.items() if v is not None and v != {}}


# --- what is printed -----------------------------------------------------------------------------


def _print_verdict(verdict: OfferJudged, page: Auction | None, as_json: bool) -> None:
    is_refused = verdict.verdict == "refused"
    if as_json:
        print_json({**facts(verdict), "words": of_verdict(verdict), "page": facts_or_none(page)})
        raise typer.Exit(1 if is_refused else 0)
    if is_refused:
        problems = [f"refused: {each.field}: {each.problem}" for each in verdict.problems]
        raise Mistake(*(problems or [of_verdict(verdict)]))
    typer.echo(describe(verdict))
    if page is not None:
        typer.echo(f"{verdict.auction_id}: {page_in_words(page)}")


def facts_or_none(page: Auction | None) -> dict[str, Any] | None:
    """The page as plain JSON."""
    return facts(page) if page is not None else None


def page_in_words(page: Auction) -> str:
    """A page in one line: its status, the count, the condition and the term."""
    shown = page.shown
    so_far = of_count(page.reservations, shown.minimum_reservations, page.applicants)
    condition = of_condition(shown.unit_price, shown.minimum_reservations, page.currency)
    step = f"step {money(page.minimum_step, page.currency)}"
    return f"{page.status}, {so_far}, shown at {condition}, {step}, closes {when(page.closes_at)}"


# --- taking it back ------------------------------------------------------------------------------


def _take_back(
    settings: Settings, auction: str, seller: str, now: datetime, patience: float, as_json: bool
) -> None:
    fields = {"auction_id": auction, "seller_id": seller, "at": now.isoformat()}
    message = checked(AuctionWithdrawn, fields, SAID_BY)
    page, refusal = asyncio.run(_withdraw(settings, message, now, patience))
    if as_json:
        print_json({"sent": facts(message), "refused": refusal, "page": facts_or_none(page)})
        raise typer.Exit(1 if refusal else 0)
    if refusal:
        raise Mistake(f"refused: {meaning(refusal)}")
    typer.echo(f"{auction} is withdrawn")


async def _withdraw(
    settings: Settings, message: AuctionWithdrawn, now: datetime, patience: float
) -> tuple[Auction | None, str | None]:
    """The page, withdrawn; or why it stays, as the letter to the seller says."""
    page = await page_of(settings, message.auction_id)
    if page is None:
        raise Mistake(f"no auction {message.auction_id} is open: there is nothing to take back")
    if page.status == "withdrawn":
        return page, None

    def answer_of(answer: Message) -> Auction | str | None:
        match answer:
            case Auction() if answer.key == message.key and answer.status == "withdrawn":
                return answer
            case Notice() if _is_refusal(answer, message):
                return answer.says.reason
        return None

    record = topics.record_of(settings, OFFERS, message, now)
    listening = [(AUCTIONS, message.auction_id), (NOTICES, message.seller_id)]
    answer: Auction | str | None = await ask(settings, [record], listening, answer_of, patience)
    if answer is None:
        raise Mistake(
            f"no answer within {patience:g} s, but it was sent: see `jointbuy show"
            f" {message.auction_id}`, and that auction_service runs with `jointbuy status`"
        )
    return (answer, None) if isinstance(answer, Auction) else (page, answer)


def _is_refusal(notice: Notice, message: AuctionWithdrawn) -> bool:
    """Whether a letter says that this withdrawal changes nothing; verdicts on offers name these."""
    is_about_it = (notice.kind, notice.about) == ("offer-judged", message.auction_id)
    is_to_seller = notice.recipient.id == message.seller_id
    return is_about_it and is_to_seller and notice.says.offer_id is None and notice.at >= message.at
