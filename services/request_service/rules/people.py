"""The addresses that requests come with: they are sent to ``people``, and rows keep only ids."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from schemas.groups import GroupPurchaseRequested
from schemas.parts import Contact, ListedMember
from schemas.people import Person, person_of


def people_of(
    contacts: Iterable[Contact | None], now: datetime, known: str | None = None
) -> Sequence[Person]:
    """The people of those contacts that come with an address; the first address of each.

    The address of ``known``, a person's id, is not taken: another message gave it.
    """
    found: dict[str, Person] = {}
    for contact in contacts:
        for person in person_of(contact, now) if contact else ():
            if person.person_id != known:
                found.setdefault(person.person_id, person)
    return list(found.values())


def without_addresses(request: GroupPurchaseRequested) -> GroupPurchaseRequested:
    """The request with people's ids and marks in place of their addresses and names."""
    organizer, request_id = request.organizer, request.request_id
    return request.model_copy(
        update={
            "organizer": Contact(**dict(organizer.party_of(request_id))) if organizer else None,
            "members": tuple(
                ListedMember(**dict(each.member_of(request_id))) for each in request.members
            ),
        }
    )
