"""People: where letters go, and how they are written. The only facts with addresses and names."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from schemas.parts import EMAIL_MAX, Contact, Instant, Message, PersonId
from schemas.topic import Topic


class Person(Message):
    """A person's address and name; the newest ``seen_at`` wins.

    ``locale`` (BCP 47) and ``time_zone`` (IANA) are how the person's letters are written.
    """

    type: Literal["Person"] = "Person"
    person_id: PersonId
    email: Annotated[str, StringConstraints(max_length=EMAIL_MAX)]
    name: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    seen_at: Instant
    keyed_by: ClassVar[str] = "person_id"

    @property
    def event_id(self) -> str:
        """The person and the time."""
        return f"{self.person_id}@{self.seen_at.isoformat()}"


class PersonErased(Message):
    """What a tombstone of ``people`` says: the person is erased, as are services' copies."""

    type: Literal["PersonErased"] = "PersonErased"
    person_id: PersonId
    keyed_by: ClassVar[str] = "person_id"


def person_of(contact: Contact, seen_at: Instant) -> tuple[Person, ...]:
    """The person of a contact that comes with an address, else none."""
    if not contact.email or contact.reached_as is None:
        return ()
    return (
        Person(
            person_id=contact.reached_as,
            email=contact.email,
            name=contact.name,
            locale=contact.locale,
            time_zone=contact.time_zone,
            seen_at=seen_at,
        ),
    )


PEOPLE = Topic(
    name="people",
    kind="fact",
    key="person_id",
    messages=(Person,),
    tombstone=PersonErased,
    # Each of these services takes addresses from outside; the newest ``seen_at`` wins.
    producers=(
        "request_service",
        "order_service",
        "auction_service",
        "shop_bridge",
        "storefront",
        "terminal",
    ),
    consumers=("notifier", "storefront", "terminal"),
    purpose="Addresses and names of people; a tombstone erases a person.",
    compacted=True,
)
