"""``jointbuy seller``: who sells, and what admins decide of them."""

import asyncio
from typing import Annotated, Any

import typer

from schemas.messages import (
    Seller,
    SellerAct,
    SellerApproved,
    SellerRegistered,
    SellerReinstated,
    SellerSuspended,
)
from schemas.topics import SELLER_REGISTRATIONS, SELLERS
from services.runtime.running import settings_here
from services.runtime.settings import Settings
from services.terminal import topics
from services.terminal.answers import send_and_see
from services.terminal.console import (
    Mistake,
    cell,
    facts,
    mistakes,
    print_json,
    print_table,
    table,
    when,
)
from services.terminal.describing import describe
from services.terminal.options import AsJson, At, checked, time_of

commands = typer.Typer(no_args_is_help=True, help="Register, approve, suspend and show sellers.")

SellerId = Annotated[str, typer.Argument(metavar="SELLER", help="The seller's id.")]
Reason = Annotated[str | None, typer.Option(help="For the record.")]


@commands.command("register")
@mistakes()
def register(
    seller: SellerId,
    name: Annotated[str | None, typer.Option(help="As buyers read it.")] = None,
    email: Annotated[str | None, typer.Option(help="Where letters go.")] = None,
    locale: Annotated[str | None, typer.Option(help="Of letters, such as ja-JP.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as Asia/Tokyo.")] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Register a seller, who may make offers once approved."""
    now = time_of(at)
    fields: dict[str, Any] = {"seller_id": seller, "name": name, "email": email}
    fields |= {"locale": locale, "time_zone": time_zone, "registered_at": now.isoformat()}
    fields = {field: value for field, value in fields.items() if value is not None}
    message = checked(SellerRegistered, fields, {"name": "--name", "email": "--email"})
    _send(message, at, as_json)


@commands.command("approve")
@mistakes()
def approve(
    seller: SellerId, reason: Reason = None, at: At = None, as_json: AsJson = False
) -> None:
    """Let a seller make offers from now on."""
    _act(SellerApproved, seller, reason, at, as_json)


@commands.command("suspend")
@mistakes()
def suspend(
    seller: SellerId, reason: Reason = None, at: At = None, as_json: AsJson = False
) -> None:
    """Let a seller make no offers for now; what is shown stays and binds."""
    _act(SellerSuspended, seller, reason, at, as_json)


@commands.command("reinstate")
@mistakes()
def reinstate(
    seller: SellerId, reason: Reason = None, at: At = None, as_json: AsJson = False
) -> None:
    """End a suspension."""
    _act(SellerReinstated, seller, reason, at, as_json)


@commands.command("show")
@mistakes()
def show(
    seller: Annotated[
        str | None, typer.Argument(metavar="SELLER", help="All sellers if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a seller with every standing so far, or all sellers."""
    settings = settings_here()
    if seller is None:
        _print_all(asyncio.run(_all(settings)), as_json)
        return
    found = asyncio.run(topics.latest(settings, SELLERS, seller))
    if not isinstance(found, Seller):
        raise Mistake(f"no seller {seller} is registered: `jointbuy seller show` lists all")
    if as_json:
        print_json(facts(found))
        return
    typer.echo(describe(found))
    typer.echo(f"{found.email}, registered {when(found.registered_at)}")
    for each in found.standings:
        typer.echo(f"  {when(each.since)}  {each.standing}")


def _act(
    kind: type[SellerAct], seller: str, reason: str | None, at: str | None, as_json: bool
) -> None:
    fields = {"seller_id": seller, "at": time_of(at).isoformat()}
    _send(checked(kind, fields | ({"reason": reason} if reason else {}), {}), at, as_json)


def _send(message: SellerRegistered | SellerAct, at: str | None, as_json: bool) -> None:
    settings = settings_here()
    known = asyncio.run(_send_and_read(settings, message, at))
    if as_json:
        print_json({"sent": facts(message), "seller": facts(known) if known else None})
        return
    typer.echo(
        describe(known)
        if known
        else f"{describe(message)}; not registered yet: counts once that is done"
    )


async def _send_and_read(
    settings: Settings, message: SellerRegistered | SellerAct, at: str | None
) -> Seller | None:
    record = topics.record_of(settings, SELLER_REGISTRATIONS, message, time_of(at))
    await send_and_see(settings, [record], SELLERS)
    found = await topics.latest(settings, SELLERS, message.seller_id)
    return found if isinstance(found, Seller) else None


async def _all(settings: Settings) -> list[Seller]:
    found: dict[str, Seller] = {}
    async for record in topics.read(settings, topics.partitions_of(settings, SELLERS)):
        message = topics.message_of(SELLERS, record)
        if isinstance(message, Seller):
            found[message.seller_id] = message
    return [found[seller_id] for seller_id in sorted(found)]


def _print_all(sellers: list[Seller], as_json: bool) -> None:
    if as_json:
        print_json([facts(each) for each in sellers])
        return
    if not sellers:
        typer.echo("no seller is registered: `jointbuy seller register` does that")
        return
    made = table("Seller", "Name", "Standing", "Since")
    for each in sellers:
        since = when(each.standings[-1].since)
        made.add_row(*map(cell, (each.seller_id, each.name, each.standing, since)))
    print_table(made)
