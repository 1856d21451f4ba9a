"""``jointbuy define``: publish what a shop opens to the public."""

from http import HTTPStatus
from shlex import quote
from typing import Annotated, Any

import typer

from schemas.api.groups import DefinitionView
from terminal.amounts import terms
from terminal.answers import shown
from terminal.api import Api, Refused, connected, once_of, segment
from terminal.console import mistakes, money, print_json, say
from terminal.descriptions import of_ladder, of_product
from terminal.images import product_of, with_images
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
    Methods,
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
)

DEFINED_BY = {
    "definition_id": "--id",
    "shop_id": "--shop",
    **PRODUCT_BY,
    "unit_price": "--price",
    "currency": "--currency",
    "favor": "--tier",
    "limits.number_min": "--number-min",
    "limits.number_max": "--number-max",
    "limits.period_days_max": "--period-days-max",
    "payment": "--method",
    "payment.scope": "--scope",
}


@mistakes()
def define(
    file: File = None,
    definition_id: Annotated[
        str | None, typer.Option("--id", help="Publish a new version of this definition.")
    ] = None,
    shop: Annotated[
        str | None, typer.Option("--shop", help="The shop's id; needs the admin's key.")
    ] = None,
    product: Product = None,
    product_id: ProductId = None,
    description: Description = None,
    description_file: DescriptionFile = None,
    product_url: ProductPage = None,
    image: Images = None,
    category: Category = None,
    tag: Tags = None,
    price: Price = None,
    currency: Currency = None,
    tier: Tiers = None,
    favor_scope: FavorScope = None,
    if_incomplete: IfIncomplete = None,
    number_min: Annotated[int | None, typer.Option(help="Least number of products.")] = None,
    number_max: Annotated[int | None, typer.Option(help="Largest number of products.")] = None,
    period_days_max: Annotated[int | None, typer.Option(help="Longest period, in days.")] = None,
    scope: PaymentScope = None,
    method: Methods = None,
    withdraw: Annotated[
        str | None, typer.Option("--withdraw", metavar="ID", help="Withdraw this definition.")
    ] = None,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Publish a definition, which a shop opens for group purchases; or withdraw one."""
    fields = file_fields(file)
    options = {
        "definition_id": definition_id,
        "shop_id": shop,
        "product": product_of(
            product, product_id, description, description_file, product_url, image, category, tag
        ),
        "if_incomplete": if_incomplete,
        "limits": {
            "number_min": number_min,
            "number_max": number_max,
            "period_days_max": period_days_max,
        },
        "payment": {"scope": scope, "methods": method or None},
    } | terms(fields, currency, price, tier, favor_scope)
    with connected(url, as_json=as_json) as api:
        if withdraw is not None:
            made = api.post(f"/definitions/{segment(withdraw)}/withdrawal").body
        else:
            body = with_images(api, draft(fields, options))
            made = api.post("/definitions", body, DEFINED_BY, once=once_of(once)).body
        _print(made, as_json)
        if not made["withdrawn_at"]:
            _warn_if_anonymous(api, made["shop_id"])


def _warn_if_anonymous(api: Api, shop_id: str) -> None:
    """Say on stderr what to do if buyers are not told who sells."""
    if not _is_described(api, shop_id):
        # The id becomes part of a command to copy.
        say(
            "jointbuy: buyers don't see who sells: describe the shop by `jointbuy shop"
            f" describe {quote(shop_id)} --name … --email … --delivery …`",
            err=True,
        )


def _is_described(api: Api, shop_id: str) -> bool:
    try:
        api.get(f"/shops/{segment(shop_id)}")
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return True


def _print(made: Any, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    said = "withdrawn" if made["withdrawn_at"] else "published"
    say(f"{made['definition_id']} version {made['version']} {said}")
    if not made["withdrawn_at"]:
        view = shown(DefinitionView, made)
        price, favor = money(view.unit_price, view.currency), of_ladder(view.favor, view.currency)
        say(f"{of_product(view.product)} at {price} each; discount: {favor}")
