"""``jointbuy request``: ask for a group purchase, and hear its id."""

import asyncio
import secrets
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.messages import (
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdIssued,
    Member,
    Message,
    RequestRefused,
)
from schemas.topics import GROUP_PURCHASE_REQUESTS, REQUEST_OUTCOMES
from services.runtime.records import OutputRecord
from services.runtime.running import settings_here
from services.runtime.settings import Settings
from services.terminal import parsing, topics
from services.terminal.answers import ask
from services.terminal.console import Mistake, facts, mistakes, print_json
from services.terminal.describing import describe
from services.terminal.options import (
    AsJson,
    At,
    Currency,
    FavorScope,
    File,
    IfIncomplete,
    Method,
    PaymentScope,
    Price,
    Product,
    ProductId,
    Tiers,
    checked,
    checked_members,
    draft,
    ladder,
    moment,
    time_of,
    typed,
)

ASKED_BY = {
    "request_id": "--request-id",
    "number_of_products": "--number",
    "product": "--product",
    "product.name": "--product",
    "unit_price": "--price",
    "currency": "--currency",
    "grace_seconds": "--grace-seconds",
}
Outcome = IdIssued | RequestRefused

Members = Annotated[
    list[str] | None, typer.Option(help="A purchaser, repeatable; without any, all may buy.")
]
MembersFile = Annotated[
    str | None, typer.Option(help="An id a line, or CSV id,email,name; - for stdin.")
]
StopAtNumber = Annotated[
    bool | None, typer.Option("--stop-at-number", help="Complete when the number is reached.")
]
Withdraw = Annotated[
    str | None, typer.Option("--withdraw", metavar="REQUEST_ID", help="Take this one back.")
]


@mistakes()
def request(
    file: File = None,
    definition: Annotated[str | None, typer.Option(help="Take this definition's terms.")] = None,
    product: Product = None,
    product_id: ProductId = None,
    number: Annotated[int | None, typer.Option(help="Number of products to be reached.")] = None,
    price: Price = None,
    currency: Currency = None,
    tier: Tiers = None,
    favor_scope: FavorScope = None,
    if_incomplete: IfIncomplete = None,
    organizer: Annotated[str | None, typer.Option(help="Who asks.")] = None,
    member: Members = None,
    members_file: MembersFile = None,
    opens_at: Annotated[str | None, typer.Option(help="RFC 3339; now if not given.")] = None,
    closes_at: Annotated[
        str | None, typer.Option(help="RFC 3339; in 14 days if not given.")
    ] = None,
    closes_in: Annotated[str | None, typer.Option(help="Instead: 2h, 3d, 1d12h from now.")] = None,
    grace_seconds: Annotated[int | None, typer.Option(help="Wait for late orders; 60.")] = None,
    stop_at_number: StopAtNumber = None,
    scope: PaymentScope = None,
    method: Annotated[Method | None, typer.Option(help="How it is paid.")] = None,
    unlisted: Annotated[bool | None, typer.Option("--unlisted", help="Not on the page.")] = None,
    request_id: Annotated[str | None, typer.Option(help="A random one if not given.")] = None,
    withdraw: Withdraw = None,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the answer.")] = 30.0,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a group purchase, wait for the answer and print the group's id."""
    settings, now = settings_here(), time_of(at)
    if withdraw is not None:
        _take_back(settings, withdraw, now, as_json)
        return
    options = {
        "request_id": request_id,
        "requested_at": now.isoformat() if at else None,
        "definition_id": definition,
        "organizer": {"id": organizer},
        "product": {"name": product, "id": product_id},
        "number_of_products": number,
        "unit_price": price,
        "currency": currency,
        "opens_at": typed(parsing.instant, opens_at).isoformat() if opens_at else None,
        "closes_at": moment("--closes-at", closes_at, "--closes-in", closes_in, now),
        "grace_seconds": grace_seconds,
        "stop_at_number": stop_at_number,
        "payment": {"scope": scope, "method": method},
        "favor": ladder(tier, favor_scope),
        "if_incomplete": if_incomplete,
        "visibility": "unlisted" if unlisted else None,
    }
    fields = draft(file, options, GroupPurchaseRequested)
    fields.setdefault("request_id", f"t-{secrets.token_hex(8)}")
    fields.setdefault("requested_at", now.isoformat())
    records = _records(settings, fields, _members(member, members_file), now)
    outcome = asyncio.run(_ask(settings, fields["request_id"], records, timeout))
    _print_outcome(outcome, as_json)


def _members(ids: list[str] | None, file: str | None) -> list[Member]:
    listed = typed(parsing.members, ids or ())
    if file == "-":
        return listed + typed(parsing.members, sys.stdin)
    if file is not None:
        with Path(file).open(encoding="utf-8-sig", newline="") as lines:
            return listed + typed(parsing.members, lines)
    return listed


def _records(
    settings: Settings, fields: dict[str, Any], listed: list[Member], now: datetime
) -> list[OutputRecord]:
    """The request, and the parts of its members if one record can't hold them."""
    in_file = checked_members(fields.pop("members", []))
    everyone = [*in_file, *listed]
    parts = parsing.in_parts(str(fields["request_id"]), everyone) if everyone else []
    if len(parts) == 1:
        fields["members"] = [member.model_dump(exclude_none=True) for member in everyone]
    elif parts:
        fields["member_parts"] = len(parts)
    asked = checked(GroupPurchaseRequested, fields, ASKED_BY)
    # What is left open is the definition's to say, so it must not go out as a default.
    value = asked.model_dump_json(exclude_unset=True, exclude_none=True).encode()
    first = topics.record_of(settings, GROUP_PURCHASE_REQUESTS, asked, now, value)
    followers = parts if len(parts) > 1 else []
    return [
        first,
        *(topics.record_of(settings, GROUP_PURCHASE_REQUESTS, part, now) for part in followers),
    ]


async def _ask(
    settings: Settings, request_id: str, records: Sequence[OutputRecord], patience: float
) -> Outcome:
    """Send, and wait for the answer; a repeated request is answered again."""

    def outcome_of(message: Message) -> Outcome | None:
        if isinstance(message, IdIssued | RequestRefused) and message.request_id == request_id:
            return message
        return None

    listening = [(REQUEST_OUTCOMES, request_id)]
    outcome: Outcome | None = await ask(settings, records, listening, outcome_of, patience)
    if outcome is None:
        raise Mistake(
            f"no answer to {request_id} within {patience:g} s, but it was sent: see that"
            f" request_service runs with `jointbuy status`, then ask `jointbuy why {request_id}`"
        )
    return outcome


def _print_outcome(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_json(facts(outcome))
    elif isinstance(outcome, IdIssued):
        typer.echo(outcome.group_id)
    if isinstance(outcome, IdIssued):
        return
    if as_json:
        raise typer.Exit(1)
    raise Mistake(*(f"refused: {each.field}: {each.problem}" for each in outcome.problems))


def _take_back(settings: Settings, request_id: str, now: datetime, as_json: bool) -> None:
    fields = {"request_id": request_id, "at": now.isoformat()}
    message = checked(GroupPurchaseWithdrawn, fields, {"request_id": "--withdraw"})
    record = topics.record_of(settings, GROUP_PURCHASE_REQUESTS, message, now)
    asyncio.run(topics.send(settings, [record]))
    if as_json:
        print_json(facts(message))
    else:
        typer.echo(f"{request_id} {describe(message)}")
