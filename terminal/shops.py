"""``jointbuy shop``: how a shop presents itself; and the same options for a seller."""

from typing import Annotated, Any

import typer

from schemas.api.shops import ShopView
from schemas.parts import Business
from terminal.answers import shown
from terminal.api import Api, Refused, connected, segment
from terminal.console import mistakes, print_json, say
from terminal.images import image_of
from terminal.options import AsJson, Url

commands = typer.Typer(no_args_is_help=True, help="Describe a shop to buyers, and show it.")

ShopId = Annotated[str, typer.Argument(metavar="SHOP", help="The shop's id.")]
Site = Annotated[str | None, typer.Option("--site", help="The website.")]
OrderLink = Annotated[
    str | None,
    typer.Option(help="Where buyers order: a link with {group_id} and, if needed, {product_id}."),
]
Logo = Annotated[str | None, typer.Option(help="A picture's file, or its id.")]
Postal = Annotated[str | None, typer.Option("--address", help="The postal address.")]
Phone = Annotated[str | None, typer.Option(help="The telephone number.")]
Terms = Annotated[str | None, typer.Option("--terms", help="The address of the terms.")]
Privacy = Annotated[
    str | None, typer.Option("--privacy", help="The address of the privacy notice.")
]
Imprint = Annotated[
    str | None, typer.Option("--imprint", help="The address of the legal notice (imprint).")
]
Delivery = Annotated[str | None, typer.Option(help="How goods are sent, and at what cost.")]
DESCRIBED_BY = {
    "name": "--name",
    "email": "--email",
    "url": "--site",
    "order_link": "--order-link",
    "logo": "--logo",
    "postal_address": "--address",
    "phone": "--phone",
    "terms_url": "--terms",
    "privacy_url": "--privacy",
    "imprint_url": "--imprint",
    "delivery": "--delivery",
}


@commands.command("describe")
@mistakes()
def describe(
    shop_id: ShopId,
    name: Annotated[str | None, typer.Option(help="The name that buyers see.")] = None,
    email: Annotated[str | None, typer.Option(help="The address for buyers' questions.")] = None,
    site: Site = None,
    order_link: OrderLink = None,
    logo: Logo = None,
    address: Postal = None,
    phone: Phone = None,
    terms: Terms = None,
    privacy: Privacy = None,
    imprint: Imprint = None,
    delivery: Delivery = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change how buyers see a shop. Needs the shop's or the admin's key.

    What no option names stays as it is; an empty text ('') removes it.
    """
    options = {"name": name, "email": email} | business_of(
        site, order_link, logo, address, phone, terms, privacy, imprint, delivery
    )
    path = f"/shops/{segment(shop_id)}"
    with connected(url, as_json=as_json) as api:
        made = changed(api, path, ("name", "email"), options)
    if as_json:
        print_json(made)
    else:
        _print(made)


@commands.command("show")
@mistakes()
def show(shop_id: ShopId, url: Url = None, as_json: AsJson = False) -> None:
    """Show how buyers see a shop."""
    with connected(url) as api:
        known = api.get(f"/shops/{segment(shop_id)}")
    if as_json:
        print_json(known)
    else:
        _print(known)


def business_of(
    site: str | None,
    order_link: str | None,
    logo: str | None,
    address: str | None,
    phone: str | None,
    terms: str | None,
    privacy: str | None,
    imprint: str | None,
    delivery: str | None,
) -> dict[str, str | None]:
    """The fields of a shop or a seller that the options name."""
    return {
        "url": site,
        "order_link": order_link,
        "logo": logo,
        "postal_address": address,
        "phone": phone,
        "terms_url": terms,
        "privacy_url": privacy,
        "imprint_url": imprint,
        "delivery": delivery,
    }


def changed(
    api: Api, path: str, more: tuple[str, ...], options: dict[str, str | None]
) -> dict[str, Any]:
    """A description with what the options change; ``more`` are its fields beside the business's."""
    fields = {**_before(api, path, more), **{k: v for k, v in options.items() if v is not None}}
    body = {name: each for name, each in fields.items() if each}
    if "logo" in body:
        body["logo"] = image_of(api, body["logo"])
    answer = api.put(path, body, DESCRIBED_BY)
    made: dict[str, Any] = answer.body
    if not answer.is_final:
        late = "check with `jointbuy status` that auction_service runs"
        made = api.until(answer.location, lambda known: known != answer.body, late)
    return made


def _before(api: Api, path: str, more: tuple[str, ...]) -> dict[str, Any]:
    try:
        known: dict[str, Any] = api.get(path)
    except Refused as refused:
        if refused.status != 404:
            raise
        return {}
    return {name: known[name] for name in (*more, *Business.model_fields)}


def _print(made: Any) -> None:
    shop = shown(ShopView, made)
    say(f"{shop.shop_id}: {shop.name}, version {shop.version}")
    if shop.email:
        say(f"  --email: {shop.email}")
    print_business(shop)


def print_business(said: Business) -> None:
    """What a shop or a seller says of itself, by the options that change it."""
    for name in Business.model_fields:
        if text := getattr(said, name):
            say(f"  {DESCRIBED_BY[name]}: {' / '.join(str(text).splitlines())}")
