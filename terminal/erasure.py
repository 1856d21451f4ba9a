"""``jointbuy erase``: deletes a person from the topic ``people`` and from the services' copies."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from domain.addresses import canonical
from runtime.follower import partitions_of
from runtime.masking import addresses_in
from runtime.records import InputRecord, instant
from runtime.running_stack import settings_here
from runtime.settings import Settings
from schemas.erasure import Kept, kept_after
from schemas.people import PEOPLE, Person, PersonErased
from terminal import dead_letter_list, dead_letters, topics
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
from terminal.dead_letter_list import DeadLetter
from terminal.options import AsJson
from texts.erasure import DELETED, KNOWN_AGAIN, told_of


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
    """Erase a person's address and name, also from dead letters, and say what stays.

    Orders and payments stay, under the id.
    """
    settings = settings_here()
    with progress("reading people") as step:
        found = asyncio.run(_found(settings, person, step))
    ends = dead_letters.ends_now(settings)
    letters = dead_letter_list.read(settings)
    doomed = holding(letters.letters, mailboxes_of(found, person))
    if not found and not doomed:
        raise Mistake(
            f"no person has the id or address {person} in the topic people, and no dead letter"
            " has it: nothing was erased"
        )
    if not as_json:
        _print_people(found)
        if doomed:
            places = ", ".join(each.place for each in doomed)
            say(f"Dead letters with the address: {places}.")
    if not yes:
        confirm(f"Erase {count(len(found), 'person')} and {count(len(doomed), 'dead letter')}?")
    now = datetime.now(UTC)
    asyncio.run(_erase(settings, found, now))
    deleted, why_not = 0, ""
    if doomed:
        deleted, why_not = dead_letters.purge_these(settings, letters, doomed, ends)
    stays = kept(settings, found, now)
    if as_json:
        told = {"erased": [each.person_id for each in found], "erased_at": now}
        told |= {"dead_letters": [each.place for each in doomed], "deleted": deleted}
        print_json(told | {"kept": [told_of(each)._asdict() for each in stays]})
        return
    say(f"Erased: {count(len(found), 'person')}.")
    for text in DELETED:
        say(f"- {text}")
    if doomed:
        dead_letters.tell_purged(len(doomed), deleted, len(letters.expired), why_not)
    say("What stays:")
    _print_kept(stays)
    say(KNOWN_AGAIN)


@mistakes()
def erased() -> None:
    """Print when who was erased, a line each, for `jointbuy restore --erased`.

    Kafka forgets an erasure some days later, so add them to a file every day.
    """
    settings = settings_here()
    with progress("reading people") as step:
        records = topics.read(settings, partitions_of(settings, PEOPLE), step)
        found = asyncio.run(_erased(settings, records))
    for at, person_id in found:
        say(f"{instant(at).isoformat(timespec='seconds')} {person_id}")


async def _erased(settings: Settings, records: AsyncIterator[InputRecord]) -> list[tuple[int, str]]:
    """Who is not known again since the erasure, by its time in milliseconds."""
    gone: dict[str, int] = {}
    async for record in records:
        message = topics.message_of(settings, PEOPLE, record)
        if isinstance(message, PersonErased):
            gone[message.person_id] = record.timestamp
        elif isinstance(message, Person):
            gone.pop(message.person_id, None)
    return sorted((at, person_id) for person_id, at in gone.items())


def matching(people: Iterable[Person], wanted: str) -> list[Person]:
    """The persons with this id, and if it is an address, all with its mailbox; in order of ids."""
    mailbox = canonical(wanted) if "@" in wanted else None
    return sorted(
        (each for each in people if each.person_id == wanted or canonical(each.email) == mailbox),
        key=lambda each: each.person_id,
    )


def mailboxes_of(people: Iterable[Person], wanted: str) -> set[str]:
    """The mailboxes to look for in dead letters: those of the persons, and the one that is named.

    A person who was erased before has no address any more, but dead letters may have it.
    """
    named = [wanted] if "@" in wanted else []
    return {canonical(each) for each in (*named, *(person.email for person in people))}


def holding(letters: Iterable[DeadLetter], mailboxes: Collection[str]) -> list[DeadLetter]:
    """The dead letters with an address of one of these mailboxes, in whatever spelling."""
    return [
        each
        for each in letters
        if any(canonical(address) in mailboxes for address in addresses_in(_text_of(each)))
    ]


def _text_of(letter: DeadLetter) -> str:
    """All that a dead letter holds, as text: its bytes, its headers and the error."""
    record = letter.record
    parts = (record.key, record.value, *(value for _, value in record.headers))
    return "\n".join(each.decode("utf-8", "replace") for each in parts if each)


def kept(settings: Settings, erased: Sequence[Person], now: datetime) -> list[Kept]:
    """What stays of these persons, each place once."""
    found = {
        each.place: each
        # Dead letters may be of nobody whom the topic people knows.
        for person_id in [each.person_id for each in erased] or [""]
        for each in kept_after(
            person_id,
            now,
            dead_letter_days=settings.dead_letter_days,
            is_log_time=settings.clock == "log",
        )
    }
    return list(found.values())


async def _found(settings: Settings, wanted: str, step: Step) -> list[Person]:
    partitions = partitions_of(settings, PEOPLE)
    people = await known(settings, topics.read(settings, partitions, step))
    return matching(people, wanted)


async def known(settings: Settings, records: AsyncIterator[InputRecord]) -> Sequence[Person]:
    """The persons as services and pages hold them.

    The newest ``seen_at`` counts, which need not be the last record, as several services write.
    """
    found: dict[str, Person] = {}
    async for record in records:
        message = topics.message_of(settings, PEOPLE, record)
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


def _print_kept(stays: Iterable[Kept]) -> None:
    for each in map(told_of, stays):
        end = f"Until {when(each.until)}." if each.until else each.end
        say(f"- {each.what} {each.why} {end}")
