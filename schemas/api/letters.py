"""Bodies of the HTTP API about letters and the people whom they go to."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from schemas.api.parts import Address, Given, View, WholeNumber
from schemas.letters import DeliveryStatus, LetterKind

#: What became of a letter, as the list sorts it.
LetterState = Literal["undelivered", "waiting", "sent", "unwanted"]


class ResendGiven(Given):
    """Which state of the letter the caller has seen."""

    version: Annotated[
        int | None,
        Field(
            ge=1,
            description="The letter's `version` as you read it. If the letter has changed since, it"
            " is not sent again. If left out, its current state counts.",
        ),
        WholeNumber,
    ] = None


class AddressGiven(Given):
    """An address, by which people are looked up. It is in the body so that no log has it."""

    email: Address


class LetterView(View):
    """A letter, without its content and its address.

    `recipient_id` is the person, `about` the group or auction. `reply` is the mail server's last
    reply, or why the letter was not sent, with addresses masked. `reason` is a code for a letter
    that was not delivered.
    """

    notice_id: str
    recipient_id: str
    kind: LetterKind
    about: str
    state: LetterState = Field(
        description="`undelivered`: refused, given up, or without an address or a mailbox;"
        " `waiting`: still tried; `sent`; `unwanted`: the recipient does not want it, it is out of"
        " date, or it is part of another letter."
    )
    status: DeliveryStatus
    attempts: int
    reason: str | None
    reply: str
    queued_at: datetime
    at: datetime
    next_at: datetime | None
    version: int


class PersonFound(View):
    """A person whose letters go to the address."""

    person_id: str
