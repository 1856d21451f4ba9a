"""``jointbuy key``: keys of sellers' and shops' programs."""

from typing import Annotated, Any

import typer

from terminal.api import connected, segment
from terminal.console import mistakes, print_json, say
from terminal.options import AsJson, Url

commands = typer.Typer(
    no_args_is_help=True,
    help="Issue and revoke keys for JOINTBUY_KEY. A key is shown only once.",
)


@commands.command("shop")
@mistakes()
def shop(
    shop_id: Annotated[
        str, typer.Argument(metavar="SHOP", help="The shop's id; a new id makes a new shop.")
    ],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Issue a shop's key and print it. Needs the admin's key."""
    _issue(url, f"/shops/{segment(shop_id)}/keys", as_json)


@commands.command("seller")
@mistakes()
def seller(
    seller_id: Annotated[str, typer.Argument(metavar="SELLER", help="The seller's id.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Issue another key of a seller and print it. Needs the seller's or the admin's key."""
    _issue(url, f"/sellers/{segment(seller_id)}/keys", as_json)


@commands.command("revoke")
@mistakes()
def revoke(
    key_id: Annotated[
        str, typer.Argument(metavar="KEY_ID", help="The key's id: the part KEY_ID of jb_KEY_ID_…")
    ],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. Needs a key of the same holder, or the admin's."""
    with connected(url) as api:
        ended: Any = api.post(f"/keys/{segment(key_id)}/revocation").body
    if as_json:
        print_json(ended)
    else:
        say(f"{ended['key_id']} of {ended['role']} {ended['holder_id']} is revoked")


def _issue(url: str | None, path: str, as_json: bool) -> None:
    with connected(url) as api:
        issued: Any = api.post(path).body
    if as_json:
        print_json(issued)
    else:
        say(issued["api_key"])
