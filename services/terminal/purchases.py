"""``jointbuy order``, and what else buyers, sellers and shops do."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from schemas.messages import OrderCancelled, OrderPaid, OrderPlaced
from schemas.messages import OrderReturned as Returned
from schemas.topics import ORDERS
from services.runtime.records import OutputRecord
from services.runtime.running import settings_here
from services.runtime.settings import Settings
from services.terminal import (
    applications,
    definitions,
    offers,
    parsing,
    requests,
    sellers,
    topics,
)
from services.terminal.console import facts, mistakes, print_json
from services.terminal.describing import describe
from services.terminal.options import AsJson, At, Currency, Price, checked, time_of, typed
from services.terminal.show import show
from services.terminal.why import why


@mistakes()
def order(
    group: Annotated[str, typer.Argument(help="The group's id, GB-…")],
    member: Annotated[str | None, typer.Option("--member", help="Who orders.")] = None,
    quantity: Annotated[int | None, typer.Option("--quantity", help="How many.")] = None,
    paid: Annotated[
        bool, typer.Option("--paid/--placed", help="Paid already, or only placed.")
    ] = True,
    price: Price = None,
    value: Annotated[
        int | None, typer.Option(help="Of all, in minor units; quantity x price if not given.")
    ] = None,
    currency: Currency = None,
    order_id: Annotated[str | None, typer.Option(help="A random one if not given.")] = None,
    source: Annotated[str, typer.Option(help="Who tells of it.")] = "terminal",
    email: Annotated[str | None, typer.Option(help="The member's.")] = None,
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="ORDER_ID", help="Cancel this order.")
    ] = None,
    returned: Annotated[
        int | None, typer.Option("--return", metavar="QUANTITY", help="Give so many back.")
    ] = None,
    return_id: Annotated[str | None, typer.Option(help="A random one if not given.")] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Order under a group's id, or cancel or return what was ordered."""
    now = time_of(at)
    fields: dict[str, Any] = {"group_id": typed(parsing.group_id, group), "source": source}
    kind: type[OrderPaid | OrderPlaced | OrderCancelled | Returned]
    if cancel is not None:
        kind = OrderCancelled
        fields |= {"order_id": cancel, "cancelled_at": now.isoformat()}
    elif returned is not None:
        kind = Returned
        fields |= {"member_id": member, "quantity": returned, "returned_at": now.isoformat()}
        fields |= {"order_id": order_id, "return_id": return_id or f"r-{secrets.token_hex(6)}"}
    else:
        kind = OrderPaid if paid else OrderPlaced
        fields |= {"member_id": member, "quantity": quantity, "ordered_at": now.isoformat()}
        fields |= {"unit_price": price, "value": value, "currency": currency}
        fields |= {"member_email": email, "order_id": order_id or f"o-{secrets.token_hex(6)}"}
    fields = {name: value for name, value in fields.items() if value is not None}
    said_by = {"member_id": "--member", "quantity": "--quantity", "group_id": "GROUP"}
    message = checked(kind, fields, said_by)
    settings = settings_here()
    record = topics.record_of(settings, ORDERS, message, now)
    ends = asyncio.run(topics.send(settings, [record]))
    if as_json:
        print_json(facts(message))
        return
    typer.echo(f"{describe(message)}, sent as {_place(settings, record, ends)}")


def _place(settings: Settings, record: OutputRecord, ends: Mapping[tuple[str, int], int]) -> str:
    topic = record.topic.removeprefix(settings.topic_prefix)
    return f"{topic}/{record.partition}/{ends[record.topic, record.partition] - 1}"


def register(app: typer.Typer) -> None:
    """Add the commands of buyers, sellers and shops."""
    app.command()(definitions.define)
    app.command()(requests.request)
    app.command()(order)
    app.command()(offers.offer)
    app.command()(applications.apply)
    app.add_typer(sellers.commands, name="seller")
    app.command()(show)
    app.command()(why)
