"""The rows of a request at the desk, by how far it is, and of an id at the registrar.

- ``asked`` while the request's definition is not known yet.
- ``group`` from when its terms stand, ``claim`` while an id is claimed.
- ``outcome`` at the end, for good.
- Of members that come in parts, until the group is told of them: ``part/<n>``, ``gathered``, what
  they are ``expected`` to be once the terms stand, ``listed/<member>``, and ``twice/<member>`` for
  those listed again.
- ``owner`` of an id.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from runtime.rows import Single, Table
from schemas.parts import KeptProblem


@dataclass(slots=True)
class Asked:
    """A request, as JSON without addresses, that waits for its definition since ``seen_at``."""

    request: str
    seen_at: datetime


@dataclass(slots=True)
class Group:
    """The ``GroupPurchase`` as JSON; until its id is issued, under the first derivation."""

    terms: str


@dataclass(slots=True)
class Claim:
    """The derivation whose claim is under way, from 0."""

    attempt: int


@dataclass(slots=True)
class Outcome:
    """The answer for good: an id, or problems."""

    group_id: str | None = None
    issued_at: datetime | None = None
    problems: tuple[KeptProblem, ...] = ()


@dataclass(slots=True)
class Part:
    """A ``MembersAdmitted`` as JSON; until the id is issued, under the first derivation."""

    members: str


class OddPart(NamedTuple):
    """Part ``part`` of ``of`` came where another number of parts were ``expected``."""

    part: int
    of: int
    expected: int


@dataclass(slots=True)
class Gathered:
    """The parts, of ``of``, that have come: their number, their members, the members' methods.

    ``odd_part`` is the first part that names another number of parts. ``organizer`` is the
    person whose address the request gave as the organizer's, which no part changes.
    """

    of: int
    parts: int = 0
    members: int = 0
    methods: tuple[str, ...] = ()
    odd_part: OddPart | None = None
    organizer: str | None = None


@dataclass(slots=True)
class Expected:
    """The request's number of parts, and what its definition allows (None: anything).

    That is how many members at most, and the methods they may pay by.
    """

    parts: int
    members_max: int | None
    methods: tuple[str, ...] | None


@dataclass(slots=True)
class Listed:
    """The part a member is listed in; 0 is the request itself."""

    part: int


@dataclass(slots=True)
class Cursor:
    """The next part of members to be admitted."""

    part: int = 1


@dataclass(slots=True)
class Owner:
    """The request an id belongs to, for ever."""

    request_id: str


#: The tables of the service.
ASKED = Single("asked", Asked)
GROUP = Single("group", Group)
CLAIM = Single("claim", Claim)
OUTCOME = Single("outcome", Outcome)
GATHERED = Single("gathered", Gathered)
EXPECTED = Single("expected", Expected)
PARTS = Table("part", Part)
LISTED = Table("listed", Listed)
TWICE = Table("twice", Listed)
CHUNKS = Table("chunk", Cursor)
OWNER = Single("owner", Owner)
