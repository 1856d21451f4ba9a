"""``jointbuy apply``: reserve in an auction, confirm it or take it back; and see the count."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from schemas.messages import (
    ApplicationConfirmed,
    ApplicationRefused,
    ApplicationWithdrawn,
    Applied,
    Auction,
)
from schemas.topics import APPLICATIONS, AUCTIONS
from services.runtime.running import settings_here
from services.runtime.settings import Settings
from services.terminal import topics
from services.terminal.answers import send_and_see
from services.terminal.console import Mistake, facts, mistakes, print_json
from services.terminal.describing import describe
from services.terminal.offers import facts_or_none, given, page_in_words
from services.terminal.options import AsJson, At, checked, time_of
from services.terminal.reasons import meaning

Application = Applied | ApplicationConfirmed | ApplicationWithdrawn

SAID_BY = {
    "auction_id": "AUCTION",
    "applicant": "--as",
    "applicant.id": "--as",
    "applicant.email": "--email",
    "quantity": "--quantity",
    "application_id": "--application-id",
}


@mistakes()
def apply(
    auction: Annotated[str, typer.Argument(help="The auction's id.")],
    applicant: Annotated[str | None, typer.Option("--as", help="Who applies.")] = None,
    quantity: Annotated[int | None, typer.Option(help="How many.")] = None,
    email: Annotated[str | None, typer.Option(help="Where letters go; never shown.")] = None,
    name: Annotated[str | None, typer.Option(help="The applicant's; never shown.")] = None,
    locale: Annotated[str | None, typer.Option(help="Of letters, such as ja-JP.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as Asia/Tokyo.")] = None,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="You vouch for them: counts without a letter.")
    ] = False,
    application_id: Annotated[str | None, typer.Option(help="A random one if not given.")] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="APPLICATION_ID", help="Let this one count.")
    ] = None,
    withdraw: Annotated[
        str | None, typer.Option(metavar="APPLICATION_ID", help="Take this one back.")
    ] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Apply for so many at the auction's condition, and print what is reserved then.

    Exits with 1 when the application is refused.
    """
    settings, now = settings_here(), time_of(at)
    if sum(each is not None for each in (applicant, confirm, withdraw)) != 1:
        raise Mistake("give one of --as, --confirm and --withdraw", usage=True)
    about = confirm or withdraw or application_id or f"ap-{secrets.token_hex(6)}"
    fields: dict[str, Any] = {"auction_id": auction, "application_id": about}
    when = {**fields, "at": now.isoformat()}
    messages: list[Application] = []
    if confirmed or confirm:
        messages.append(checked(ApplicationConfirmed, when, SAID_BY))
    if withdraw:
        messages.append(checked(ApplicationWithdrawn, when, SAID_BY))
    if applicant is not None:
        person = {"id": applicant, "email": email, "name": name}
        fields["applicant"] = {**person, "locale": locale, "time_zone": time_zone}
        fields |= {"quantity": quantity, "applied_at": now.isoformat()}
        messages.append(checked(Applied, given(fields), SAID_BY))
    refused, page = asyncio.run(_send(settings, messages, now))
    _print(messages, refused, page, as_json)


async def _send(
    settings: Settings, messages: Sequence[Application], now: datetime
) -> tuple[ApplicationRefused | None, Auction | None]:
    """Send, and read what is there once it is handled: the refusal, if any, and the page."""
    records = [topics.record_of(settings, APPLICATIONS, each, now) for each in messages]
    await send_and_see(settings, records, AUCTIONS)
    of = messages[-1]
    keys = (f"{of.auction_id}/refused/{of.application_id}", of.auction_id)
    refused, page = await topics.latest_of(settings, AUCTIONS, keys)
    return (
        refused if isinstance(refused, ApplicationRefused) else None,
        page if isinstance(page, Auction) else None,
    )


def _print(
    messages: Sequence[Application],
    refused: ApplicationRefused | None,
    page: Auction | None,
    as_json: bool,
) -> None:
    last = messages[-1]
    if as_json:
        sent = [facts(each) for each in messages]
        refusal = facts(refused) if refused else None
        print_json({"sent": sent, "refused": refusal, "page": facts_or_none(page)})
        raise typer.Exit(1 if refused else 0)
    if refused is not None:
        raise Mistake(f"refused: {meaning(refused.reason)}")
    said = describe(last)
    if isinstance(last, Applied) and len(messages) == 1:
        confirm = f"`jointbuy apply {last.auction_id} --confirm {last.application_id}`"
        said += f", counts once it is confirmed: by the letter's link, or {confirm}"
    typer.echo(said)
    if page is None:
        typer.echo(f"{last.auction_id}: not open yet; what comes before its opening waits an hour")
    else:
        typer.echo(f"{last.auction_id}: {page_in_words(page)}")
