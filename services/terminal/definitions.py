"""``jointbuy define``: what a shop opens to the public."""

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from schemas.messages import Definition, Message
from schemas.topics import DEFINITIONS
from services.runtime.records import Encoder, Partitioner, milliseconds
from services.runtime.running import settings_here
from services.runtime.settings import Settings
from services.terminal import topics
from services.terminal.console import Mistake, facts, mistakes, print_json, when
from services.terminal.options import (
    AsJson,
    At,
    Currency,
    FavorScope,
    File,
    IfIncomplete,
    Methods,
    PaymentScope,
    Price,
    Product,
    ProductId,
    Tiers,
    checked,
    draft,
    ladder,
    time_of,
)

DEFINED_BY = {
    "definition_id": "--id",
    "shop_id": "--shop",
    "product": "--product",
    "product.name": "--product",
    "unit_price": "--price",
    "currency": "--currency",
}


@mistakes()
def define(
    file: File = None,
    definition_id: Annotated[str | None, typer.Option("--id", help="Of the definition.")] = None,
    shop: Annotated[str | None, typer.Option("--shop", help="The shop's id.")] = None,
    product: Product = None,
    product_id: ProductId = None,
    price: Price = None,
    currency: Currency = None,
    tier: Tiers = None,
    favor_scope: FavorScope = None,
    if_incomplete: IfIncomplete = None,
    number_min: Annotated[int | None, typer.Option(help="Least number of products.")] = None,
    number_max: Annotated[int | None, typer.Option(help="Largest number of products.")] = None,
    period_days_max: Annotated[int | None, typer.Option(help="Longest period.")] = None,
    scope: PaymentScope = None,
    method: Methods = None,
    withdraw: Annotated[
        str | None, typer.Option("--withdraw", metavar="ID", help="Withdraw this definition.")
    ] = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Publish what a shop opens to the public for group purchase, or withdraw it."""
    settings, now = settings_here(), time_of(at)
    if withdraw is not None:
        definition = asyncio.run(_withdraw(settings, withdraw, now))
    else:
        options = {
            "definition_id": definition_id,
            "shop_id": shop,
            "product": {"name": product, "id": product_id},
            "unit_price": price,
            "currency": currency,
            "favor": ladder(tier, favor_scope),
            "if_incomplete": if_incomplete,
            "limits": {
                "number_min": number_min,
                "number_max": number_max,
                "period_days_max": period_days_max,
            },
            "payment": {"scope": scope, "methods": method or None},
            "published_at": now.isoformat() if at else None,
        }
        fields = {"favor": {}, "published_at": now.isoformat()} | draft(file, options, Definition)
        definition = checked(Definition, fields, DEFINED_BY)
        definition = asyncio.run(_publish(settings, definition, now))
    if as_json:
        print_json(facts(definition))
        return
    said = "withdrawn" if definition.withdrawn_at else "published"
    typer.echo(f"{definition.definition_id} version {definition.version} {said}")


async def _publish(settings: Settings, definition: Definition, now: datetime) -> Definition:
    before = await topics.latest(settings, DEFINITIONS, definition.definition_id)
    version = before.version + 1 if isinstance(before, Definition) else 1
    return await _send_definition(settings, definition, version, now)


async def _withdraw(settings: Settings, definition_id: str, now: datetime) -> Definition:
    before = await topics.latest(settings, DEFINITIONS, definition_id)
    if not isinstance(before, Definition):
        raise Mistake(
            f"no definition {definition_id} is published: `jointbuy export definitions` lists them"
        )
    if before.withdrawn_at is not None:
        raise Mistake(f"{definition_id} is withdrawn already, since {when(before.withdrawn_at)}")
    withdrawn = before.model_copy(update={"withdrawn_at": now})
    return await _send_definition(settings, withdrawn, before.version + 1, now)


async def _send_definition(
    settings: Settings, definition: Definition, version: int, now: datetime
) -> Definition:
    definition = definition.model_copy(update={"version": version})
    # Definitions are facts, and facts carry CloudEvents headers.
    named: dict[type[Message], str] = {Definition: settings.topic(DEFINITIONS.name)}
    encoder = Encoder("jointbuy/terminal", named, Partitioner(DEFINITIONS.partitions))
    await topics.send(settings, [encoder(definition, milliseconds(now), "terminal", "define")])
    return definition
