"""``jointbuy request``: request a group purchase and print its ID."""

import json
import sys
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.parts import FavorTerms
from terminal import typed_values
from terminal.amounts import terms
from terminal.api import PATIENCE_SECONDS, Api, connected, once_of, segment
from terminal.console import mistakes, money, print_json, say, when
from terminal.descriptions import of_ladder
from terminal.images import product_of, with_images
from terminal.member_lists import members_in
from terminal.options import (
    PRODUCT_BY,
    AsJson,
    Category,
    Currency,
    Description,
    DescriptionFile,
    FavorScope,
    File,
    IfIncomplete,
    Images,
    Method,
    Once,
    PaymentScope,
    Price,
    Product,
    ProductId,
    ProductPage,
    Tags,
    Tiers,
    Url,
    draft,
    file_fields,
    given,
    moment,
    time_of,
    typed,
)
from terminal.text_files import decoded

ASKED_BY = {
    "definition_id": "--definition",
    "organizer": "--organizer",
    "organizer.email": "--email",
    "number_of_products": "--number",
    **PRODUCT_BY,
    "unit_price": "--price",
    "currency": "--currency",
    "favor": "--tier",
    "if_incomplete": "--if-incomplete",
    "grace_seconds": "--grace-seconds",
    "opens_at": "--opens-at",
    "closes_at": "--closes-at",
    "members": "--member",
    "payment": "--method",
    "payment.scope": "--scope",
    "sources": "--source",
}

Members = Annotated[
    list[str] | None,
    typer.Option(help="A member's id or address, repeatable; without any, anybody may buy."),
]
MembersFile = Annotated[
    str | None,
    typer.Option(
        help="An id or an address per line, or a table id,email,name with commas, semicolons or"
        " tabs. Its first line may name the columns in another order. - reads stdin."
    ),
]
StopAtNumber = Annotated[
    bool | None, typer.Option("--stop-at-number", help="Close when the number is reached.")
]
ClosesAt = Annotated[str | None, typer.Option(help="RFC 3339; default: in 14 days.")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for the answer.")]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        help="A source whose orders count, repeatable; without any, the definition's shop's.",
    ),
]
Withdraw = Annotated[
    str | None, typer.Option("--withdraw", metavar="GROUP", help="Withdraw this group, GB-…")
]


@mistakes()
def request(
    file: File = None,
    definition: Annotated[str | None, typer.Option(help="Take this definition's terms.")] = None,
    product: Product = None,
    product_id: ProductId = None,
    description: Description = None,
    description_file: DescriptionFile = None,
    product_url: ProductPage = None,
    image: Images = None,
    category: Category = None,
    tag: Tags = None,
    number: Annotated[int | None, typer.Option(help="Number of products to reach.")] = None,
    price: Price = None,
    currency: Currency = None,
    tier: Tiers = None,
    favor_scope: FavorScope = None,
    if_incomplete: IfIncomplete = None,
    organizer: Annotated[str | None, typer.Option(help="The organizer's id at the shop.")] = None,
    email: Annotated[str | None, typer.Option(help="The organizer's address for letters.")] = None,
    member: Members = None,
    members_file: MembersFile = None,
    opens_at: Annotated[str | None, typer.Option(help="RFC 3339; default: now.")] = None,
    closes_at: ClosesAt = None,
    closes_in: Annotated[str | None, typer.Option(help="The same from now: 2h, 3d, 1d12h.")] = None,
    grace_seconds: Annotated[int | None, typer.Option(help="For late orders; default 60.")] = None,
    stop_at_number: StopAtNumber = None,
    scope: PaymentScope = None,
    method: Annotated[Method | None, typer.Option(help="Method of payment.")] = None,
    unlisted: Annotated[bool | None, typer.Option("--unlisted", help="Show it in no list.")] = None,
    source: Sources = None,
    withdraw: Withdraw = None,
    timeout: Timeout = PATIENCE_SECONDS,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Request a group purchase, wait for the answer and print the group's ID.

    The organizer's page is shown once, on stderr or with --json.
    """
    if withdraw is not None:
        _take_back(url, typed(typed_values.group_id, withdraw), timeout, as_json)
        return
    fields = file_fields(file)
    ends = moment("--closes-at", closes_at, "--closes-in", closes_in, datetime.now(UTC))
    said = (product, product_id, description, description_file, product_url, image, category, tag)
    options = (
        {"definition_id": definition, "organizer": {"id": organizer, "email": email}}
        | {"product": product_of(*said), "number_of_products": number}
        | {"opens_at": time_of(opens_at), "closes_at": ends, "grace_seconds": grace_seconds}
        | {"payment": {"scope": scope, "method": method}, "if_incomplete": if_incomplete}
        | {"visibility": "unlisted" if unlisted else None, "sources": source or None}
        | {"stop_at_number": stop_at_number}
        | terms(fields, currency, price, tier, favor_scope)
    )
    body = draft(fields, options)
    body |= _listed(body, _members(member, members_file))
    with connected(url, as_json=as_json, patience=timeout) as api:
        asked = _ask(api, with_images(api, body), once_of(once), _instead(closes_in, ends))
    _print(asked, body if price or tier else {}, as_json)


def _listed(body: dict[str, Any], members: list[dict[str, Any]]) -> dict[str, Any]:
    """The members of a body, and more."""
    return {"members": [*body.get("members", ()), *members]} if members else {}


def _instead(closes_in: str | None, ends: str | None) -> str:
    """The option that fixes the close when the command is repeated: a span begins anew."""
    return f" and --closes-at {ends} for --closes-in" if closes_in else ""


def _print(asked: Any, understood: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(asked)
        return
    say(asked["group_id"])
    if understood:
        unit, price = understood.get("currency"), understood.get("unit_price")
        each = "" if price is None else f"{money(price, unit)} each; "
        favor = FavorTerms.model_validate_json(json.dumps(understood.get("favor") or {}))
        say(f"{each}discount: {of_ladder(favor, unit)}", err=True)
    if asked["organizer_link"]:
        say(f"the organizer's page, shown only now: {asked['organizer_link']}", err=True)


def _members(ids: list[str] | None, file: str | None) -> list[dict[str, Any]]:
    read = [typed(members_in, "\n".join(ids or ()))]
    if file is not None:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        read.append(typed(members_in, typed(decoded, raw)))
    for remark in chain.from_iterable(each.remarks for each in read):
        say(f"jointbuy: {remark}", err=True)
    members = chain.from_iterable(each.members for each in read)
    return [given({"id": each.id, "email": each.email, "name": each.name}) for each in members]


def _ask(api: Api, body: dict[str, Any], once: str, instead: str) -> Any:
    answer = api.post("/group-purchases", body, ASKED_BY, once=once, instead=instead)
    if answer.is_final:
        return answer.body
    request_id = answer.body["request_id"]
    return api.until(
        answer.location,
        lambda asked: asked["group_id"] is not None,
        "check with `jointbuy status` that request_service runs, then see"
        f" `jointbuy why {request_id}`",
        # Only this token may see the outcome.
        answer.body["request_token"],
    )


def _take_back(url: str | None, group_id: str, timeout: float, as_json: bool) -> None:
    place = f"/group-purchases/{segment(group_id)}"
    with connected(url, as_json=as_json, patience=timeout) as api:
        answer = api.post(f"{place}/withdrawal")
        group = answer.body
        if not answer.is_final:
            late = f"see `jointbuy show {group_id}`"
            group = api.until(place, lambda shown: shown["withdrawn_at"] is not None, late)
    if as_json:
        print_json(group)
        return
    at = datetime.fromisoformat(group["withdrawn_at"])
    say(f"{group_id} withdrawn at {when(at)}")
