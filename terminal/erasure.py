"""``jointbuy erase``: deletes a person from the topic ``people`` and from the services' copies."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from domain.addresses import canonical
from domain.people import of_seller
from runtime.follower import partitions_of
from runtime.records import InputRecord
from runtime.running_stack import settings_here
from runtime.settings import Settings
from schemas.people import PEOPLE, Person, PersonErased
from schemas.topic import COMMANDS_KEPT, ERASED_WITHIN
from terminal import topics
from terminal.console import (
    Mistake,
    Step,
    cell,
    confirm,
    count,
    mistakes,
    print_json,
    print_table,
    progress,
    say,
    table,
    when,
)
from terminal.options import AsJson

#: The ids of sellers in ``people`` begin with this.
OF_SELLERS = of_seller("")


@mistakes()
def erase(
    person: Annotated[
        str,
        typer.Argument(
            metavar="PERSON",
            help="A person's id, or an e-mail address: all persons with that mailbox.",
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person's address and name from the system. Orders and payments stay, under the id."""
    settings = settings_here()
    with progress("reading people") as step:
        found = asyncio.run(_found(settings, person, step))
    if not found:
        raise Mistake(
            f"the topic people has no person with the id or address {person}: nothing was erased"
        )
    if not as_json:
        _print_people(found)
    if not yes:
        confirm(f"Erase {count(len(found), 'person')}?")
    now = datetime.now(UTC)
    asyncio.run(_erase(settings, found, now))
    if as_json:
        print_json(_as_json(settings, found, now))
        return
    for line in what_follows(settings, found, now):
        say(line)


def matching(people: Iterable[Person], wanted: str) -> list[Person]:
    """The persons with this id, and if it is an address, all with its mailbox; in order of ids."""
    mailbox = canonical(wanted) if "@" in wanted else None
    return sorted(
        (each for each in people if each.person_id == wanted or canonical(each.email) == mailbox),
        key=lambda each: each.person_id,
    )


def what_follows(settings: Settings, erased: Sequence[Person], now: datetime) -> list[str]:
    """What becomes of the persons' data from now on, a sentence or two a line."""
    lines = [
        f"Erased: {count(len(erased), 'person')}.",
        "The notifier and the pages delete their copies as soon as they read this. Letters that"
        " wait are not sent.",
    ]
    if settings.clock == "log":
        lines.append(
            "This stack runs on its records' time, so no topic ever drops a record: the topic"
            " people and the commands keep the address until they are deleted themselves."
        )
    else:
        lines += [
            "Kafka removes the address from the topic people and from the notifier's changelog by"
            f" {when(now + ERASED_WITHIN)} if records are written there until then, else after the"
            " next one.",
            "Commands that brought the address keep it for 30 days, the last of them until"
            f" {when(now + COMMANDS_KEPT)}. Kafka deletes them by the file, up to 7 days later.",
        ]
    if any(each.person_id.startswith(OF_SELLERS) for each in erased):
        lines.append("A seller's registration keeps its public name and contact.")
    lines.append(
        "Dead letters keep records as they came: `jointbuy dead-letters purge` deletes them. A new"
        " order, reservation or list of members with the address writes the person again."
    )
    return lines


async def _found(settings: Settings, wanted: str, step: Step) -> list[Person]:
    partitions = partitions_of(settings, PEOPLE)
    people = await known(topics.read(settings, partitions, step))
    return matching(people, wanted)


async def known(records: AsyncIterator[InputRecord]) -> Sequence[Person]:
    """The persons as services and pages hold them.

    The newest ``seen_at`` counts, which need not be the last record, as several services write.
    """
    found: dict[str, Person] = {}
    async for record in records:
        message = topics.message_of(PEOPLE, record)
        if isinstance(message, PersonErased):
            found.pop(message.person_id, None)
        elif isinstance(message, Person):
            before = found.get(message.person_id)
            if before is None or message.seen_at >= before.seen_at:
                found[message.person_id] = message
    return list(found.values())


async def _erase(settings: Settings, people: Sequence[Person], now: datetime) -> None:
    erased = (PersonErased(person_id=each.person_id) for each in people)
    records = [topics.record_of(settings, PEOPLE, each, now) for each in erased]
    await topics.send(settings, [each._replace(value=None) for each in records])


def _print_people(people: Sequence[Person]) -> None:
    made = table("Person", "Address", "Name", "Seen")
    for each in people:
        made.add_row(*map(cell, (each.person_id, each.email, each.name, when(each.seen_at))))
    print_table(made)


def _as_json(settings: Settings, people: Sequence[Person], now: datetime) -> dict[str, object]:
    """What was erased; the times are left out where no topic ever drops a record."""
    said: dict[str, object] = {"erased": [each.person_id for each in people], "erased_at": now}
    if settings.clock == "wall":
        said |= {"compacted_by": now + ERASED_WITHIN, "commands_kept_until": now + COMMANDS_KEPT}
    return said
