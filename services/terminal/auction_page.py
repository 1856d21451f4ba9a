"""What ``jointbuy show`` prints of a counter auction; no applicant's name or address."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from schemas.messages import (
    ApplicationRefused,
    Auction,
    Conclusion,
    ConditionReplaced,
    IdIssued,
    Message,
    Offer,
    OfferJudged,
    RequestRefused,
    RightIntercepted,
    ShownOffer,
)
from services.terminal.console import (
    bar,
    cell,
    count,
    facts,
    minute,
    money,
    out,
    print_table,
    span,
    table,
    when,
)
from services.terminal.describing import describe, of_product, of_shown, of_verdict
from services.terminal.reasons import meaning

STYLES = {"open": "cyan", "concluded": "green", "failed": "yellow", "withdrawn": "red"}
VERDICT_STYLES = {"shown": "green", "refused": "red"}


@dataclass
class AuctionPage:
    """What the topics say of an auction, the latest of each."""

    auction_id: str
    page: Auction | None = None
    offers: dict[str, Offer] = field(default_factory=dict)
    verdicts: dict[str, OfferJudged] = field(default_factory=dict)
    replaced: dict[int, ConditionReplaced] = field(default_factory=dict)
    intercepted: dict[str, RightIntercepted] = field(default_factory=dict)
    refused: dict[str, ApplicationRefused] = field(default_factory=dict)
    conclusion: Conclusion | None = None
    outcome: IdIssued | RequestRefused | None = None

    def take(self, message: Message | None) -> None:
        """Put a message in its place; a later one replaces an earlier one."""
        match message:
            case Auction():
                self.page = message
            case Offer():
                # The first offer under an id is the one that was judged.
                self.offers.setdefault(message.offer_id, message)
            case OfferJudged():
                self.verdicts[message.offer_id] = message
            case ConditionReplaced():
                self.replaced[message.version] = message
            case RightIntercepted():
                self.intercepted[message.offer_id] = message
            case ApplicationRefused():
                self.refused[message.application_id] = message
            case Conclusion():
                self.conclusion = message
            case IdIssued() | RequestRefused():
                self.outcome = message

    @property
    def is_known(self) -> bool:
        """Whether anything was said of it, even if no auction opened."""
        return self.page is not None or bool(self.verdicts) or bool(self.refused)

    @property
    def group_id(self) -> str | None:
        """The group purchase that followed."""
        return self.outcome.group_id if isinstance(self.outcome, IdIssued) else None

    @property
    def history(self) -> list[tuple[datetime, ShownOffer]]:
        """Every condition that was on the page, and since when."""
        if self.page is None:
            return []
        changes = [self.replaced[version] for version in sorted(self.replaced)]
        first = changes[0].before if changes else self.page.shown
        return [(self.page.opened_at, first), *((each.at, each.shown) for each in changes)]


def as_json(auction: AuctionPage) -> dict[str, Any]:
    """All of it as plain JSON."""
    return {
        "auction_id": auction.auction_id,
        "page": facts(auction.page) if auction.page else None,
        "history": [{"at": at.isoformat(), **facts_of(shown)} for at, shown in auction.history],
        "offers": [_offer_as_json(auction, judged) for judged in auction.verdicts.values()],
        "replaced": [facts(each) for each in auction.replaced.values()],
        "intercepted": [facts(each) for each in auction.intercepted.values()],
        "refused": [facts(each) for each in auction.refused.values()],
        "conclusion": facts(auction.conclusion) if auction.conclusion else None,
        "group_request_id": auction.page.group_request_id if auction.page else None,
        "group_id": auction.group_id,
        "outcome": facts(auction.outcome) if auction.outcome else None,
    }


def facts_of(shown: ShownOffer) -> dict[str, Any]:
    """A condition as plain JSON."""
    plain: dict[str, Any] = shown.model_dump(mode="json")
    return plain


def _offer_as_json(auction: AuctionPage, judged: OfferJudged) -> dict[str, Any]:
    offer = auction.offers.get(judged.offer_id)
    words = {"words": of_verdict(judged)}
    return {**facts(judged), **words, "offer": facts(offer) if offer else None}


# --- what is printed -----------------------------------------------------------------------------


def print_page(auction: AuctionPage, now: datetime | None, limit: int) -> None:
    """Print it; ``now`` is ``None`` where time is what the log says. ``limit`` lines a table."""
    console = out()
    page = auction.page
    status = page.status if page else "not open"
    title = Text.assemble((auction.auction_id, "bold"), "  ", (status, STYLES.get(status, "")))
    if page is not None:
        title.append(f"  {page.reservations:,} of {page.shown.minimum_reservations:,} reserved")
    console.print(title)
    if page is not None:
        grid = Table.grid(padding=(0, 2))
        for name, said in particulars(auction, page, now):
            grid.add_row(Text(name, style="dim"), cell(said))
        print_table(grid)
    _print_some("Price history", _history(auction), len(auction.replaced) + 1, page is not None)
    _print_some("Offers", _offers(auction, limit), len(auction.verdicts), bool(auction.verdicts))
    refused = list(auction.refused.values())
    _print_some("Not counted", _refused(refused[:limit]), len(refused), bool(refused))
    left_out = max(len(auction.verdicts), len(refused)) - limit
    if left_out > 0:
        typer.echo("\nthere is more: see it with --limit 0")


def _print_some(name: str, made: Table, number: int, is_there: bool) -> None:
    if is_there:
        typer.echo(f"\n{name} ({number:,}):")
        print_table(made)


def particulars(auction: AuctionPage, page: Auction, now: datetime | None) -> list[tuple[str, str]]:
    """The lines of the head, as (name, what is said)."""
    minimum = page.shown.minimum_reservations
    share = f"{page.reservations:,} of {minimum:,}, by {count(page.applicants, 'applicant')}"
    lines = [
        ("Product", of_product(page.product)),
        ("Shown", of_shown(page.shown, page.currency)),
        ("Reservations", f"{bar(page.reservations, minimum)} {share}"),
        ("Closes", _closes(page, now)),
        (
            ("Invited", f"sellers, at {when(page.invited_at)}")
            if page.invited_at
            else ("Invites", f"sellers, at {when(page.invites_at)}")
        ),
        ("Opened", f"{when(page.opened_at)} by {page.opened_by}"),
        ("Smallest step", money(page.minimum_step, page.currency)),
    ]
    if auction.conclusion is not None:
        lines.append(("Conclusion", describe(auction.conclusion).removeprefix("contract ")))
    if page.group_request_id is not None:
        lines.append(("Group purchase", _group_purchase(auction, page.group_request_id)))
    return lines


def _closes(page: Auction, now: datetime | None) -> str:
    closes = when(page.closes_at)
    if page.status != "open" or now is None:
        return closes
    if now >= page.closes_at:
        return f"{closes}, any moment now"
    return f"{closes}, in {span(page.closes_at - now)}"


def _group_purchase(auction: AuctionPage, request_id: str) -> str:
    if auction.group_id is not None:
        return f"{auction.group_id} (request {request_id})"
    if isinstance(auction.outcome, RequestRefused):
        return f"refused: ask `jointbuy why {request_id}`"
    return f"requested as {request_id}, its ID is not issued yet"


def _history(auction: AuctionPage) -> Table:
    made = table("Since (UTC)", "Price", "From", "Seller", "Offer", right=("Price", "From"))
    currency = auction.page.currency if auction.page else None
    for at, shown in auction.history:
        made.add_row(
            when(at),
            money(shown.unit_price, currency),
            f"{shown.minimum_reservations:,}",
            cell(shown.seller_id),
            cell(shown.offer_id),
        )
    return made


def _offers(auction: AuctionPage, limit: int) -> Table:
    numbers = ("Price", "From")
    made = table("Offer", "Seller", "Made (UTC)", *numbers, "Verdict", "Why", right=numbers)
    for judged in list(auction.verdicts.values())[:limit]:
        offer = auction.offers.get(judged.offer_id)
        terms = ("", "", "")
        if offer is not None:
            price = money(offer.unit_price, offer.currency)
            terms = (minute(offer.offered_at), price, f"{offer.minimum_reservations:,}")
        intercepted = "; intercepted since" if judged.offer_id in auction.intercepted else ""
        made.add_row(
            cell(judged.offer_id),
            cell(judged.seller_id),
            *map(cell, terms),
            cell(judged.verdict, VERDICT_STYLES.get(judged.verdict, "")),
            cell(of_verdict(judged).partition(": ")[2] + intercepted),
        )
    return made


def _refused(refused: Sequence[ApplicationRefused]) -> Table:
    made = table("Application", "Applicant", "Quantity", "Why", right=("Quantity",))
    for each in refused:
        quantity = f"{each.quantity:,}"
        why = meaning(each.reason)
        made.add_row(cell(each.application_id), cell(each.applicant_id), quantity, cell(why))
    return made
