"""``jointbuy export-person``: all that is kept about a person, to be handed out."""

from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from terminal.api import connected, segment
from terminal.console import Mistake, count, mistakes, print_json, say
from terminal.options import Url

#: Fields of which one is not empty if anything is kept.
HOLDING: Final = ("address", "seller", "groups", "reservations", "letters", "unsubscribed")


@mistakes()
def export_person(
    person: Annotated[
        str,
        typer.Argument(
            metavar="PERSON",
            help="A person's id, or an e-mail address: all persons with that mailbox.",
        ),
    ],
    file: Annotated[Path | None, typer.Option("-o", "--output", help="Write to this file.")] = None,
    url: Url = None,
) -> None:
    """Write all that the pages hold about a person as JSON, and what is not in it.

    Needs the admin's key, or the key of the shop whose person it is. Only the admin finds persons
    by an address.
    """
    with connected(url) as api:
        ids = [person]
        if "@" in person:
            answer = api.post("/people/search", {"email": person}, {"email": "PERSON"}).body
            ids = [each["person_id"] for each in answer["items"]]
        told = [api.get(f"/people/{segment(each)}/data") for each in ids]
    held = [each for each in told if any(each[name] for name in HOLDING)]
    if not held:
        raise Mistake(f"nothing is kept about a person with the id or address {person}")
    if file is None:
        print_json(held)
        return
    file.write_bytes(orjson.dumps(held, option=orjson.OPT_INDENT_2))
    say(f"{file}: {count(len(held), 'person')}")
