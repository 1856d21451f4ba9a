"""``jointbuy apply``: reserve in an auction, or withdraw a reservation."""

from typing import Annotated, Any

import typer

from terminal.api import Api, connected, once_of, segment
from terminal.console import Mistake, mistakes, print_json, say
from terminal.offers import page_in_words, page_of
from terminal.options import AsJson, Once, Url, given

APPLIED_BY = {
    "auction_id": "AUCTION",
    "applicant": "--email",
    "applicant.id": "--as",
    "applicant.name": "--name",
    "applicant.locale": "--locale",
    "applicant.time_zone": "--time-zone",
    "quantity": "--quantity",
}


@mistakes()
def apply(
    auction: Annotated[str, typer.Argument(help="The auction's id.")],
    applicant: Annotated[
        str | None, typer.Option("--as", help="The buyer's id at the shop; with --confirmed.")
    ] = None,
    quantity: Annotated[int | None, typer.Option(help="Number of units.")] = None,
    email: Annotated[
        str | None, typer.Option(help="The buyer's address for letters; never shown.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The buyer's name; never shown.")] = None,
    locale: Annotated[str | None, typer.Option(help="Language of letters, such as ja-JP.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Time zone, such as Asia/Tokyo.")] = None,
    confirmed: Annotated[
        bool,
        typer.Option(
            "--confirmed",
            help="It counts without a letter. Needs a shop's or the admin's key.",
        ),
    ] = False,
    withdraw: Annotated[
        str | None,
        typer.Option(
            metavar="APPLICATION_ID", help="Withdraw this reservation; JOINTBUY_KEY is its token."
        ),
    ] = None,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Reserve units in an auction, and print how many are reserved.

    A letter asks the buyer to confirm it. Exits with 1 if the reservation is refused.
    """
    person = {"id": applicant, "email": email, "name": name, "locale": locale}
    body = given({"applicant": {**person, "time_zone": time_zone}, "quantity": quantity})
    if (withdraw is not None) == bool(body):
        raise Mistake("give --email or --as with --quantity, or --withdraw", usage=True)
    place = f"/auctions/{segment(auction)}/applications"
    with connected(url, as_json=as_json) as api:
        if withdraw is not None:
            said = api.post(f"{place}/{segment(withdraw)}/withdrawal").body
        else:
            # Only a front end that vouches gives the buyer's id.
            key = once_of(once)
            said = api.post(place, body, APPLIED_BY, once=key, anonymous=not confirmed).body
        _print(api, auction, said, as_json)


def _print(api: Api, auction: str, said: dict[str, Any], as_json: bool) -> None:
    page = page_of(api, auction)
    if as_json:
        print_json({**said, "page": page})
        return
    what = f"application {said['application_id']}"
    match said["status"]:
        case "recorded":
            say(f"{what}: its withdrawal is recorded")
        case "confirmed":
            say(f"{what} by {said['applicant_id']} counts")
        case _:
            say(f"{what} counts once it is confirmed by the link in the letter")
    if "withdrawal_link" in said:
        say(f"to withdraw it: {said['withdrawal_link']}")
    say(page_in_words(page))
