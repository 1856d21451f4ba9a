"""``jointbuy message``, ``sheet`` and ``links``: what organizers do, and links again."""

from pathlib import Path
from typing import Annotated

import typer

from terminal.api import connected, once_of, segment
from terminal.console import clean, count, mistakes, print_json, say, write
from terminal.options import AsJson, Once, Url

GroupId = Annotated[str, typer.Argument(metavar="GROUP", help="The group's id, GB-…")]


@mistakes()
def message(
    group: GroupId,
    words: Annotated[str, typer.Argument(help="Plain text, at most 2,000 characters.")],
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Email all who are listed in a group or have ordered there, at most three times a day.

    Needs the organizer's token, or the shop's or the admin's key.
    """
    with connected(url, as_json=as_json) as api:
        place = f"/group-purchases/{segment(group)}/messages"
        sent = api.post(place, {"words": words}, {"words": "WORDS"}, once=once_of(once)).body
    if as_json:
        print_json(sent)
        return
    say(f"{group}: {count(sent['recipients'], 'email')} on the way")


@mistakes()
def sheet(
    group: GroupId,
    file: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    url: Url = None,
) -> None:
    """Write a group's order sheet as CSV. Needs the organizer's token, or the shop's key."""
    with connected(url) as api:
        document = api.fetch(f"/group-purchases/{segment(group)}/order-sheet.csv")
    if file is None:
        write(clean(document.decode("utf-8", "replace")).encode())
        return
    file.write_bytes(document)
    say(f"{file}: {len(document):,} bytes")


@mistakes()
def links(
    email: Annotated[str, typer.Argument(help="The address that the letters go to.")],
    url: Url = None,
) -> None:
    """Have the links of an address emailed to it again: to groups, payments, orders and the desk.

    Nobody is told whether the address is known.
    """
    with connected(url) as api:
        api.post("/links-again", {"email": email}, {"email": "EMAIL"}, anonymous=True)
    say(f"if {email} is known, its links are emailed to it, at most once an hour")
