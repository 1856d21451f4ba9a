"""``jointbuy apply``: reserve in an auction, or take it back; and see the count."""

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
        str | None, typer.Option("--as", help="Who applies, by the shop's id; with --confirmed.")
    ] = None,
    quantity: Annotated[int | None, typer.Option(help="How many.")] = None,
    email: Annotated[str | None, typer.Option(help="Where letters go; never shown.")] = None,
    name: Annotated[str | None, typer.Option(help="The applicant's; never shown.")] = None,
    locale: Annotated[str | None, typer.Option(help="Of letters, such as ja-JP.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Such as Asia/Tokyo.")] = None,
    confirmed: Annotated[
        bool,
        typer.Option(
            "--confirmed",
            help="You vouch for them, by a shop's or the admin's key: counts without a letter.",
        ),
    ] = False,
    withdraw: Annotated[
        str | None,
        typer.Option(
            metavar="APPLICATION_ID", help="Take this one back: with its token as the key."
        ),
    ] = None,
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Apply for so many at the auction's condition, and print what is reserved then.

    A letter asks the address to confirm it. Exits with 1 when the application is refused.
    """
    person = {"id": applicant, "email": email, "name": name, "locale": locale}
    body = given({"applicant": {**person, "time_zone": time_zone}, "quantity": quantity})
    if (withdraw is not None) == bool(body):
        raise Mistake("give --email or --as, and --quantity; or else --withdraw", usage=True)
    place = f"/auctions/{segment(auction)}/applications"
    with connected(url, as_json=as_json) as api:
        if withdraw is not None:
            said = api.post(f"{place}/{segment(withdraw)}/withdrawal").body
        else:
            # Only who vouches says who it is that does.
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
        say(f"to take it back: {said['withdrawal_link']}")
    say(page_in_words(page))
