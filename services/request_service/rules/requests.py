"""The rules of requests: an id for every possible one, every problem named for the others.

This module answers each message and everything that falls due; ``terms`` fills a request from its
definition, ``problems`` names what is wrong with it, ``members`` gathers members that come in
parts, ``people`` takes addresses out of what comes in, ``letters`` tells people of the id, over the
rows of ``rows``.

Where the design is silent, the reading that loses nothing:

- A definition that is known but published later waits its minute as an unknown one does.
- A request of its own currency gives its own price and favor too: amounts never change currency.
- The default close moves forward when the definition allows a shorter period.
- A request is refused as soon as nothing that may still come could make it run; what is named then
  is every problem of all that has come.
- The ninety days after the close begin at its deadline, the grace included.
- A withdrawal that comes first refuses the request at once, whenever that comes.
- An organizer who is a member too gets one letter, as organizer, at the address that is given there
  or else in the list.
- Addresses are sent to ``people`` when they come, as the letters are written later. Those of a
  message that refuses its request are not sent, nor those of a repeat.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.ids import derive
from domain.orders import deadline
from runtime.rows import DUE, ROWS_KEPT, Due, Rows, drop
from schemas.groups import (
    Definition,
    GroupPurchase,
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdClaimed,
    IdGranted,
    IdIssued,
    IdTaken,
    MembersListed,
    RequestRefused,
)
from schemas.parts import KeptProblem, Message, Problem, is_possible
from schemas.refusals import ProblemCode
from services.request_service.rows import (
    ASKED,
    CHUNKS,
    CLAIM,
    EXPECTED,
    GATHERED,
    GROUP,
    OUTCOME,
    OWNER,
    Asked,
    Claim,
    Cursor,
    Expected,
    Gathered,
    Group,
    Outcome,
    Owner,
)
from services.request_service.rules import letters, members
from services.request_service.rules.people import people_of, without_addresses
from services.request_service.rules.problems import (
    choice_problems,
    definition_problems,
    terms_problems,
)
from services.request_service.rules.terms import draft, filled
from texts.reasons import problem

DEFINITION_WAIT = timedelta(seconds=60)
DEFINITION_RECHECK = timedelta(seconds=5)
PARTS_WAIT = timedelta(days=7)

Definitions = Mapping[str, Message]


# --- the registrar -------------------------------------------------------------------------------


def answer_claim(message: IdClaimed, rows: Rows, now: datetime) -> Sequence[Message]:
    """Give an id to the first request that claims it, and to no other."""
    owner = rows.get(OWNER)
    if owner is None:
        owner = rows[OWNER] = Owner(message.request_id)
    answer = IdGranted if owner.request_id == message.request_id else IdTaken
    return [
        answer(request_id=message.request_id, group_id=message.group_id, attempt=message.attempt)
    ]


# --- the desk: what comes in ---------------------------------------------------------------------


def take_request(
    message: GroupPurchaseRequested, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Take a request up; a repeat, whatever it says, gets the first one's answer again."""
    if OUTCOME in rows:
        return [_answer(rows)]
    if ASKED in rows or GROUP in rows:
        return []
    if message.member_parts or GATHERED in rows:
        organizer = message.organizer
        gathered = replace(
            rows.get(GATHERED) or Gathered(of=message.member_parts),
            organizer=organizer.reached_as if organizer and organizer.email else None,
        )
        rows[GATHERED] = members.gather(rows, gathered, message.members, part=0)
        rows[DUE("parts")] = Due(now + PARTS_WAIT)
    people = people_of((message.organizer, *message.members), now)
    return _unless_refused(people, _settle_terms(message, now, rows, now, definitions), rows)


def take_members(
    message: MembersListed, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Gather a part of the members, before or after the request; the first of a number stands."""
    if OUTCOME in rows or CLAIM in rows or members.part_name(message.part) in rows:
        return []
    if DUE("parts") not in rows:
        rows[DUE("parts")] = Due(now + PARTS_WAIT)
    gathered = members.gather_part(rows, message)
    people = people_of(message.members, now, gathered.organizer)
    expected = rows.get(EXPECTED)
    if expected is None or not (gathered.odd_part or gathered.parts == gathered.of):
        return [] if gathered.odd_part else people
    problems = members.problems_of_gathered(rows, expected)
    sent = _refuse(rows, problems) if problems else _claim(rows, attempt=0)
    return _unless_refused(people, sent, rows)


def withdraw(
    message: GroupPurchaseWithdrawn, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Take a request back: refused before its id is issued, withdrawn after.

    A repeat gets the same record again. Ninety days after the close there is nothing left to
    withdraw.
    """
    outcome = rows.get(OUTCOME)
    if outcome is None:
        return _refuse(rows, [problem("request_id", ProblemCode.REQUEST_WITHDRAWN)])
    if outcome.group_id is None:
        return [_answer(rows)]
    if GROUP not in rows:
        return []
    group = GroupPurchase.model_validate_json(rows[GROUP].terms)
    if group.withdrawn_at is None:
        at = message.at if is_possible(message.at) else now
        group = group.model_copy(update={"withdrawn_at": at, "version": group.version + 1})
        rows[GROUP] = _kept(group)
    return [group]


def issue(
    message: IdGranted, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Issue the id that was claimed last; members in parts are admitted before that."""
    claim = rows.get(CLAIM)
    if claim is None or claim.attempt != message.attempt:
        return []
    if GATHERED in rows:
        rows[CHUNKS("admit")] = Cursor()
        return []
    return _issue(rows, now)


def claim_next(
    message: IdTaken, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Claim the next derivation when the last one is another request's."""
    claim = rows.get(CLAIM)
    if claim is None or claim.attempt != message.attempt:
        return []
    return _claim(rows, claim.attempt + 1)


# --- the desk: what falls due, and what goes in chunks -------------------------------------------


def recheck_definition(
    name: str, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Look again for the definition that a request waits for."""
    asked = rows[ASKED]
    request = GroupPurchaseRequested.model_validate_json(asked.request)
    return _settle_terms(request, asked.seen_at, rows, now, definitions)


def give_up_on_parts(
    name: str, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Refuse a request whose parts never all came; drop parts whose request never came."""
    if GROUP in rows or ASKED in rows:
        return _refuse(rows, [members.problem_of_missing(rows)])
    _drop_gathered(rows)
    return []


def admit_members(rows: Rows, now: datetime, definitions: Definitions) -> Sequence[Message]:
    """Send the parts of the members and their letters; after the last, the group and its id.

    A few parts a call, or one if its members' letters are many; the group waits for another call if
    it names many members itself. The id is certain by now: a withdrawal waits for these calls.
    """
    group = _granted(rows, now)
    beyond, told = rows[CHUNKS("admit")].part, 0
    sent: list[Message] = []
    for part in members.admitted(rows, group.group_id, beyond):
        to_part = letters.to_members(group, part.members, now)
        if told and told + len(to_part) > letters.LETTERS_PER_CALL:
            break
        sent += [part, *to_part]
        told += len(to_part)
        beyond = part.part + 1
    to_come = told + len(group.members) if told else 0
    if beyond <= rows[GATHERED].of or to_come > letters.LETTERS_PER_CALL:
        rows[CHUNKS("admit")] = Cursor(beyond)
        return sent
    del rows[CHUNKS("admit")]
    _drop_gathered(rows)
    return [*sent, *_issue(rows, now)]


def drop_parts(rows: Rows, now: datetime, definitions: Definitions) -> Sequence[Message]:
    """Delete what was gathered of members, a bounded number of rows a call."""
    if not members.drop_listed(rows):
        del rows[CHUNKS("drop")]
    return []


def shrink(name: str, rows: Rows, now: datetime, definitions: Definitions) -> Sequence[Message]:
    """Leave only the outcome, which still answers a repeat."""
    del rows[GROUP]
    return []


# --- the desk: the steps between ------------------------------------------------------------------


def _settle_terms(
    request: GroupPurchaseRequested,
    seen_at: datetime,
    rows: Rows,
    now: datetime,
    definitions: Definitions,
) -> Sequence[Message]:
    """Wait for the definition, refuse, or fix the terms, and claim once all parts are there."""
    found = definitions.get(request.definition_id) if request.definition_id else None
    definition = found if isinstance(found, Definition) else None
    early = definition is None or definition.published_at > now
    if request.definition_id and early and now < seen_at + DEFINITION_WAIT:
        kept = without_addresses(request).model_dump_json(exclude_unset=True, exclude_none=True)
        rows[ASKED] = Asked(request=kept, seen_at=seen_at)
        rows[DUE("definition")] = Due(now + DEFINITION_RECHECK)
        return []
    asked = filled(request, definition)
    expected = Expected(
        parts=asked.member_parts,
        members_max=definition.limits.number_max if definition else None,
        methods=definition.payment.methods if definition else None,
    )
    problems = [
        *definition_problems(request.definition_id, definition, now),
        *terms_problems(asked, complete=definition is not None or not request.definition_id),
        *(choice_problems(asked, definition) if definition else ()),
    ]
    if GATHERED in rows:
        problems += members.problems_of_gathered(rows, expected)
    else:
        problems += members.problems_of_all(asked.members, expected)
    if problems:
        return _refuse(rows, problems)
    rows[GROUP] = _kept(draft(asked, now))
    drop(rows, ASKED)
    if GATHERED in rows:
        rows[EXPECTED] = expected
        if rows[GATHERED].parts < expected.parts:
            return []
    return _claim(rows, attempt=0)


def _claim(rows: Rows, attempt: int) -> Sequence[Message]:
    rows[CLAIM] = Claim(attempt)
    drop(rows, DUE("parts"))
    return [IdClaimed(group_id=derive(rows.key, attempt), request_id=rows.key, attempt=attempt)]


def _granted(rows: Rows, now: datetime) -> GroupPurchase:
    """The group as it stands once the id that is claimed is issued."""
    group = GroupPurchase.model_validate_json(rows[GROUP].terms)
    group_id = derive(rows.key, rows[CLAIM].attempt)
    return group.model_copy(update={"group_id": group_id, "issued_at": now})


def _issue(rows: Rows, now: datetime) -> Sequence[Message]:
    group = _granted(rows, now)
    rows[GROUP] = _kept(group)
    rows[OUTCOME] = Outcome(group_id=group.group_id, issued_at=now)
    decided_at = deadline(group.closes_at, group.grace_seconds)
    rows[DUE("shrink")] = Due(decided_at + ROWS_KEPT)
    del rows[CLAIM]
    return [group, _answer(rows), *letters.to_named(group, now)]


def _refuse(rows: Rows, problems: Iterable[Problem]) -> Sequence[Message]:
    if GATHERED in rows:
        _drop_gathered(rows)
    for name in (ASKED, GROUP, CLAIM, DUE("definition"), DUE("parts")):
        drop(rows, name)
    rows[OUTCOME] = Outcome(problems=tuple(map(KeptProblem.of, problems)))
    return [_answer(rows)]


def _unless_refused(
    people: Sequence[Message], sent: Sequence[Message], rows: Rows
) -> Sequence[Message]:
    """What is sent for a message, with the people that it names unless it refuses the request."""
    return sent if OUTCOME in rows else [*people, *sent]


def _answer(rows: Rows) -> Message:
    outcome = rows[OUTCOME]
    if outcome.group_id is not None and outcome.issued_at is not None:
        return IdIssued(request_id=rows.key, group_id=outcome.group_id, issued_at=outcome.issued_at)
    problems = tuple(each.told() for each in outcome.problems)
    return RequestRefused(request_id=rows.key, problems=problems)


def _kept(group: GroupPurchase) -> Group:
    return Group(group.model_dump_json(exclude_none=True))


def _drop_gathered(rows: Rows) -> None:
    for name in (GATHERED, EXPECTED):
        drop(rows, name)
    rows[CHUNKS("drop")] = Cursor()
