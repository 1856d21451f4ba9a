"""``jointbuy seller``: register sellers, and approve, suspend and show them."""

from typing import Annotated, Any

import typer

from schemas.api.sellers import SellerProfile, SellerView
from terminal import shops
from terminal.answers import shown
from terminal.api import connected, once_of, segment
from terminal.console import cell, mistakes, print_json, print_table, say, table, when
from terminal.descriptions import verdict_in_words
from terminal.options import AsJson, Once, Url, given

commands = typer.Typer(no_args_is_help=True, help="Register, approve, suspend and show sellers.")

SellerId = Annotated[str, typer.Argument(metavar="SELLER", help="The seller's id.")]
Reason = Annotated[str | None, typer.Option(help="The reason, for the record.")]
REGISTERED_BY = {
    "name": "--name",
    "email": "--email",
    "locale": "--locale",
    "time_zone": "--time-zone",
}


@commands.command("register")
@mistakes()
def register(
    name: Annotated[str | None, typer.Option(help="The name that buyers see.")] = None,
    email: Annotated[str | None, typer.Option(help="The address for letters.")] = None,
    locale: Annotated[str | None, typer.Option(help="Language of letters, such as ja-JP.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Time zone, such as Asia/Tokyo.")] = None,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Register a seller and print the id and the key. Offers need the admin's approval."""
    fields = given({"name": name, "email": email, "locale": locale, "time_zone": time_zone})
    with connected(url, as_json=as_json) as api:
        answer = api.post("/sellers", fields, REGISTERED_BY, once=once_of(once))
        made: dict[str, Any] = answer.body
        if not answer.is_final and made["api_key"]:
            late = "check with `jointbuy status` that auction_service runs"
            known = api.until(answer.location, bool, late, made["api_key"])
            made = {**made, "standing": known["standing"]}
    if as_json:
        print_json(made)
        return
    say(f"{made['seller_id']} ({name}): {made['standing'] or 'registered'}")
    if made["api_key"]:
        say(f"the key, shown only now: {made['api_key']}")
    else:
        say(f"the key was shown before: `jointbuy key seller {made['seller_id']}` makes a new one")


@commands.command("describe")
@mistakes()
def describe(
    seller: SellerId,
    site: shops.Site = None,
    order_link: shops.OrderLink = None,
    logo: shops.Logo = None,
    address: shops.Postal = None,
    phone: shops.Phone = None,
    terms: shops.Terms = None,
    privacy: shops.Privacy = None,
    imprint: shops.Imprint = None,
    delivery: shops.Delivery = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Change how buyers see a seller. Needs the seller's or the admin's key.

    What no option names stays as it is; an empty text ('') removes it.
    """
    options = shops.business_of(
        site, order_link, logo, address, phone, terms, privacy, imprint, delivery
    )
    with connected(url, as_json=as_json) as api:
        made = shops.changed(api, f"/sellers/{segment(seller)}", (), options)
    if as_json:
        print_json(made)
        return
    profile = shown(SellerProfile, made)
    say(f"{profile.seller_id}: {profile.name}, {profile.email}")
    shops.print_business(profile)


@commands.command("approve")
@mistakes()
def approve(
    seller: SellerId, reason: Reason = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Allow a seller to make offers. Needs the admin's key."""
    _act("approval", "good", seller, reason, url, as_json)


@commands.command("suspend")
@mistakes()
def suspend(
    seller: SellerId, reason: Reason = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Refuse a seller's offers for now; an offer that is shown stays and binds."""
    _act("suspension", "suspended", seller, reason, url, as_json)


@commands.command("reinstate")
@mistakes()
def reinstate(
    seller: SellerId, reason: Reason = None, url: Url = None, as_json: AsJson = False
) -> None:
    """End a suspension. Needs the admin's key."""
    _act("reinstatement", "good", seller, reason, url, as_json)


def _act(
    act: str, standing: str, seller: str, reason: str | None, url: str | None, as_json: bool
) -> None:
    with connected(url, as_json=as_json) as api:
        body = given({"reason": reason})
        known: Any = api.post(f"/sellers/{segment(seller)}/{act}", body).body
    if as_json:
        print_json(known)
        return
    is_so = known["standing"] == standing
    say(_in_words(shown(SellerView, known)) + ("" if is_so else f"; {act} takes longer"))


def _in_words(seller: SellerView) -> str:
    since = when(seller.standings[-1].since)
    return f"{seller.seller_id} ({seller.name}): {seller.standing} since {since}"


@commands.command("show")
@mistakes()
def show(url: Url = None, as_json: AsJson = False) -> None:
    """Show your registration, each standing so far, and the verdicts on your offers.

    Needs the seller's key.
    """
    with connected(url) as api:
        known = api.get("/sellers/me")
        offers = api.get("/sellers/me/offers")["items"]
    if as_json:
        print_json({**known, "offers": offers})
        return
    seller = shown(SellerView, known)
    say(_in_words(seller))
    say(f"{seller.email}, registered {when(seller.registered_at)}")
    for each in seller.standings:
        say(f"  {when(each.since)}  {each.standing}")
    if offers:
        made = table("Auction", "Offer", "Verdict")
        for offer in offers:
            verdict = verdict_in_words(offer["verdict"], offer["reason"])
            made.add_row(cell(offer["auction_id"]), cell(offer["offer_id"]), cell(verdict))
        print_table(made)


@commands.command("list")
@mistakes()
def list_them(url: Url = None, as_json: AsJson = False) -> None:
    """List all sellers with their standing. Needs the admin's key."""
    with connected(url) as api:
        known = list(api.pages("/sellers"))
    if as_json:
        print_json(known)
        return
    if not known:
        say("no seller is registered: `jointbuy seller register` registers one")
        return
    made = table("Seller", "Name", "Standing", "Since")
    for each in (shown(SellerView, one) for one in known):
        since = when(each.standings[-1].since)
        made.add_row(*map(cell, (each.seller_id, each.name, each.standing, since)))
    print_table(made)
