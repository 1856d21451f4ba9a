"""``jointbuy order``, and all commands of buyers, sellers and shops."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any

import typer

from terminal import (
    applications,
    definitions,
    images,
    invoices,
    keys,
    offers,
    organizing,
    payments,
    requests,
    sellers,
    shops,
    todo,
    typed_values,
)
from terminal.amounts import amount_of
from terminal.api import Api, connected, once_of, segment
from terminal.console import mistakes, money, print_json, say
from terminal.ledger import ledger
from terminal.options import AsJson, Currency, Once, Price, Url, given, time_of, typed
from terminal.show import show
from terminal.watch import watch
from terminal.why import why

ORDERED_BY = {
    "member": "--member",
    "member.id": "--member",
    "member_id": "--member",
    "member.email": "--email",
    "member.name": "--name",
    "quantity": "--quantity",
    "unit_price": "--price",
    "value": "--value",
    "currency": "--currency",
    "order_id": "--order-id",
    "return_id": "--return-id",
    "source": "--source",
    "state": "--paid",
    "ordered_at": "--at",
    "cancelled_at": "--at",
    "returned_at": "--at",
    "group_id": "GROUP",
}
RETURNED_BY = {**ORDERED_BY, "quantity": "--return"}

MemberName = Annotated[str | None, typer.Option(help="The member's name; the organizer sees it.")]


@mistakes()
def order(
    group: Annotated[str, typer.Argument(help="The group's id, GB-…")],
    member: Annotated[
        str | None,
        typer.Option("--member", help="The member's id; not with the token of an order link."),
    ] = None,
    quantity: Annotated[int | None, typer.Option("--quantity", help="Number of units.")] = None,
    paid: Annotated[
        bool | None,
        typer.Option("--paid/--placed", help="Paid at the shop, or only placed."),
    ] = None,
    price: Price = None,
    value: Annotated[
        str | None, typer.Option(help="Value of all, in the currency; default: quantity x price.")
    ] = None,
    currency: Currency = None,
    order_id: Annotated[str | None, typer.Option(help="The order's id; default: random.")] = None,
    source: Annotated[
        str | None, typer.Option(help="The source of the order; needs the admin's key.")
    ] = None,
    email: Annotated[str | None, typer.Option(help="The member's address.")] = None,
    name: MemberName = None,
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="ORDER_ID", help="Cancel this order.")
    ] = None,
    returned: Annotated[
        int | None, typer.Option("--return", metavar="QUANTITY", help="Return this many units.")
    ] = None,
    return_id: Annotated[str | None, typer.Option(help="The return's id; default: random.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="The time, RFC 3339; default: now.")
    ] = None,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Order under a group's ID; cancel an order; or return units."""
    place = f"/group-purchases/{segment(typed(typed_values.group_id, group))}"
    once, time = once_of(once), time_of(at)
    made_up = sha256(once.encode()).hexdigest()[:12]
    with connected(url, as_json=as_json) as api:
        if cancel is not None:
            fields: dict[str, Any] = {"order_id": cancel, "source": source, "cancelled_at": time}
            _tell(api, f"{place}/cancellations", fields, once, as_json)
            return
        fields = {"source": source, "order_id": order_id}
        if returned is not None:
            fields |= {"member_id": member, "quantity": returned, "returned_at": time}
            fields |= {"return_id": return_id or f"r-{made_up}"}
            _tell(api, f"{place}/returns", fields, once, as_json, RETURNED_BY)
            return
        if member is not None:
            # As shops tell of orders: with their own id.
            fields["order_id"] = order_id or f"o-{made_up}"
        is_paid = member is not None if paid is None else paid
        fields |= {"state": "paid" if is_paid else "placed", "quantity": quantity}
        fields |= {"ordered_at": time} | _amounts(api, place, price, value, currency)
        fields |= {"member": {"id": member, "email": email, "name": name}}
        _tell(api, f"{place}/orders", fields, once, as_json)


def _tell(
    api: Api,
    path: str,
    fields: dict[str, Any],
    once: str,
    as_json: bool,
    said_by: dict[str, str] = ORDERED_BY,
) -> None:
    told = api.post(path, given(fields), said_by, once=once).body
    if as_json:
        print_json(told)
    elif "member_id" in told:
        what = f"{told['order_id']} ({told['source']}) of {fields['quantity']}{_worth(fields)}"
        say(f"{what} by {told['member_id']}: {told['status']}{_to_do(told['status'])}")
    else:
        say(f"{told['order_id']}: its cancellation is {told['status']}")


def _amounts(
    api: Api, place: str, price: str | None, value: str | None, currency: str | None
) -> dict[str, Any]:
    """The amounts in minor units; without a currency they are in the group's."""
    if currency is None and (price or value):
        currency = api.get(place)["currency"]
    return {
        "unit_price": amount_of("--price", price, currency),
        "value": amount_of("--value", value, currency),
        "currency": currency,
    }


def _worth(fields: Mapping[str, Any]) -> str:
    """The amounts that were typed, as they were understood."""
    price, value, currency = (fields.get(name) for name in ("unit_price", "value", "currency"))
    each = "" if price is None else f" at {money(price, currency)} each"
    return each if value is None else f"{each}, worth {money(value, currency)},"


def _to_do(status: str) -> str:
    """The next step for an order."""
    if status != "unconfirmed":
        return ""
    return "; it counts once it is confirmed by the link in the letter, within 48 hours"


def register(app: typer.Typer) -> None:
    """Add the commands of buyers, sellers and shops."""
    app.command()(definitions.define)
    app.command()(requests.request)
    app.command()(order)
    app.command()(offers.offer)
    app.command()(applications.apply)
    app.add_typer(sellers.commands, name="seller")
    app.add_typer(shops.commands, name="shop")
    app.add_typer(images.commands, name="image")
    app.add_typer(keys.commands, name="key")
    app.add_typer(invoices.commands, name="invoice")
    app.add_typer(payments.commands, name="payment")
    app.add_typer(todo.commands, name="todo")
    app.command()(organizing.message)
    app.command()(organizing.sheet)
    app.command()(organizing.links)
    app.command()(ledger)
    app.command()(show)
    app.command()(watch)
    app.command()(why)
