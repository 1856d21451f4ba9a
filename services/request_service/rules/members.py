"""Members that come in parts: gathered before the id is claimed, admitted before it is issued."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from domain.ids import derive
from runtime.rows import Name, Rows, Table, drop_some
from schemas.groups import MembersAdmitted, MembersListed
from schemas.parts import ListedMember, Problem
from schemas.refusals import ProblemCode
from services.request_service.rows import (
    GATHERED,
    LISTED,
    PARTS,
    TWICE,
    Expected,
    Gathered,
    Listed,
    OddPart,
    Part,
)
from services.request_service.rules.problems import (
    members_problems,
    parts_problems,
    problem_of_names,
)

PARTS_PER_CALL = 5
ROWS_DROPPED_PER_CALL = 1_000


def part_name(part: int) -> Name[Part]:
    """The name of a part's row."""
    return PARTS(f"{part:05}")


def gather(rows: Rows, gathered: Gathered, members: Sequence[ListedMember], part: int) -> Gathered:
    """Note each member by id, so that one listed twice is found without holding them all."""
    for member in members:
        if LISTED(member.id) in rows:
            rows[TWICE(member.id)] = Listed(part)
        else:
            rows[LISTED(member.id)] = Listed(part)
    return replace(
        gathered,
        members=gathered.members + len(members),
        methods=tuple(sorted({*own_methods(members), *gathered.methods})),
    )


def gather_part(rows: Rows, message: MembersListed) -> Gathered:
    """Keep a part, or only what is odd about it; what has been gathered then."""
    gathered = rows.get(GATHERED) or Gathered(of=message.parts)
    if message.parts == gathered.of and message.part <= message.parts:
        admitted = MembersAdmitted(
            group_id=derive(rows.key),
            part=message.part,
            parts=message.parts,
            members=tuple(each.member_of(message.request_id) for each in message.members),
        )
        rows[part_name(message.part)] = Part(admitted.model_dump_json(exclude_none=True))
        gathered = replace(gathered, parts=gathered.parts + 1)
        gathered = gather(rows, gathered, message.members, message.part)
    else:
        odd = OddPart(message.part, message.parts, gathered.of)
        gathered = replace(gathered, odd_part=gathered.odd_part or odd)
    rows[GATHERED] = gathered
    return gathered


def problems_of_all(members: Sequence[ListedMember], expected: Expected) -> list[Problem]:
    """What is wrong with members that all came in the request itself."""
    gathered = Gathered(of=0, members=len(members), methods=own_methods(members))
    listed = Counter(member.id for member in members)
    twice = (member for member, times in listed.items() if times > 1)
    return list(members_problems(gathered, twice, expected))


def problems_of_gathered(rows: Rows, expected: Expected) -> list[Problem]:
    """What is wrong with the members gathered so far."""
    gathered = rows[GATHERED]
    twice = (name.split("/", 1)[1] for name, _ in rows.scan(TWICE))
    return [
        *parts_problems(gathered, expected),
        *members_problems(gathered, twice, expected),
    ]


def problem_of_missing(rows: Rows) -> Problem:
    """Which parts never came."""
    parts: int = rows[GATHERED].of
    missing = (str(part) for part in range(1, parts + 1) if part_name(part) not in rows)
    return problem_of_names(
        "member_parts",
        (ProblemCode.MISSING_PARTS, ProblemCode.MANY_MISSING_PARTS),
        "missing",
        missing,
        parts=parts,
    )


def admitted(rows: Rows, group_id: str, first: int) -> Iterator[MembersAdmitted]:
    """The next parts of a group's members, from ``first`` on; few, as they are large."""
    parts = rows[GATHERED].of
    for number in range(first, min(first + PARTS_PER_CALL, parts + 1)):
        part = MembersAdmitted.model_validate_json(rows[part_name(number)].members)
        yield part.model_copy(update={"group_id": group_id})


def drop_listed(rows: Rows) -> bool:
    """Delete a bounded number of the rows of parts; whether there were any."""
    tables: list[tuple[Table[Any], int]] = [
        (PARTS, PARTS_PER_CALL),
        (LISTED, ROWS_DROPPED_PER_CALL),
        (TWICE, ROWS_DROPPED_PER_CALL),
    ]
    return any(drop_some(rows, [table], most=most) for table, most in tables)


def own_methods(members: Sequence[ListedMember]) -> tuple[str, ...]:
    """The methods that members have of their own."""
    return tuple(sorted({member.payment.method for member in members if member.payment}))
