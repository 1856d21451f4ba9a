"""The rules of requests: an id for every possible one, every problem named for the others.

The desk's rows of a request, by how far it is: ``asked`` while its definition is not known yet,
``group`` from when its terms stand, ``claim`` while an id is claimed, ``outcome`` at the end.
Members that come in parts are gathered in ``part/``, ``listed/`` and ``twice/`` rows meanwhile.

Where the design is silent, the reading that loses nothing:

- A definition that is known but published later waits its minute as an unknown one does.
- A request of its own currency gives its own price and favor too: amounts never change currency.
- The default close moves forward when the definition allows less than 14 days.
- A request is refused as soon as nothing that may still come could make it run; what is named then
  is every problem of all that has come.
- The ninety days after the close begin at its deadline, the grace included.
- A withdrawal that comes first refuses the request at once, whenever that comes.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from schemas.ids import derive
from schemas.messages import (
    Definition,
    FavorTerms,
    GroupPurchase,
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdClaimed,
    IdGranted,
    IdIssued,
    IdTaken,
    Member,
    MembersAdmitted,
    MembersListed,
    Message,
    PaymentTerms,
    Problem,
    RequestRefused,
    Tier,
)
from schemas.money import CURRENCIES
from services.runtime.rows import Due, Rows

PERIOD_DEFAULT = timedelta(days=14)
GRACE_SECONDS_DEFAULT = 60
DEFINITION_WAIT = timedelta(seconds=60)
DEFINITION_RECHECK = timedelta(seconds=5)
PARTS_WAIT = timedelta(days=7)
KEPT_AFTER_CLOSE = timedelta(days=90)
COUNT_MAX = 10**9
AMOUNT_MAX = 10**12
# Kafka's times start in 1970, and a deadline plus any grace and keeping has to be a time as well.
TIME_MIN = datetime(1970, 1, 1, tzinfo=UTC)
TIME_MAX = datetime(9000, 1, 1, tzinfo=UTC)
PARTS_PER_CALL = 5
ROWS_DROPPED_PER_CALL = 1_000
NAMED_MAX = 20

Definitions = Mapping[str, Message]


@dataclass(slots=True)
class Asked:
    """A request, as JSON, that waits for its definition since ``seen_at``."""

    request: str
    seen_at: datetime


@dataclass(slots=True)
class Group:
    """The ``GroupPurchase`` as JSON; before the id is issued, a draft under the first derivation.

    Of the definition: how many members at most, and the methods they may pay by (None: any).
    """

    terms: str
    parts: int
    members_max: int | None = None
    methods: tuple[str, ...] | None = None


@dataclass(slots=True)
class Claim:
    """The derivation whose claim is under way, from 0."""

    attempt: int


@dataclass(slots=True)
class Outcome:
    """The answer for good: an id, or problems as (field, problem)."""

    group_id: str | None = None
    issued_at: datetime | None = None
    problems: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Gathered:
    """What has come of ``of`` parts: how many parts and members, and the members' own methods.

    ``odd`` says what doesn't fit when a part speaks of another number of parts.
    """

    of: int
    parts: int = 0
    members: int = 0
    methods: tuple[str, ...] = ()
    odd: str | None = None


@dataclass(slots=True)
class Part:
    """A ``MembersListed`` as JSON."""

    listed: str


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


# --- the registrar -------------------------------------------------------------------------------


def answer_claim(message: IdClaimed, rows: Rows, now: datetime) -> Sequence[Message]:
    """Give an id to the first request that claims it, and to no other."""
    owner = rows.get("owner")
    if owner is None:
        owner = rows["owner"] = Owner(message.request_id)
    answer = IdGranted if owner.request_id == message.request_id else IdTaken
    return [
        answer(request_id=message.request_id, group_id=message.group_id, attempt=message.attempt)
    ]


# --- the desk: what comes in ---------------------------------------------------------------------


def take_request(
    message: GroupPurchaseRequested, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Take a request up; a repeat, whatever it says, gets the first one's answer again."""
    if "outcome" in rows:
        return [_answer(rows)]
    if "asked" in rows or "group" in rows:
        return []
    if message.member_parts:
        gathered = rows.get("gathered") or Gathered(of=message.member_parts)
        rows["gathered"] = _count_members(rows, gathered, message.members, part=0)
    if "gathered" in rows:
        rows["due/parts"] = Due(now + PARTS_WAIT)
    return _settle_terms(message, now, rows, now, definitions)


def take_members(
    message: MembersListed, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Gather a part of the members, before or after the request; the first of a number stands."""
    name = f"part/{message.part:05}"
    if "outcome" in rows or "claim" in rows or name in rows:
        return []
    if "due/parts" not in rows:
        rows["due/parts"] = Due(now + PARTS_WAIT)
    gathered = rows.get("gathered") or Gathered(of=message.parts)
    if message.parts == gathered.of and message.part <= message.parts:
        rows[name] = Part(message.model_dump_json(exclude_none=True))
        gathered = replace(gathered, parts=gathered.parts + 1)
        gathered = _count_members(rows, gathered, message.members, message.part)
    else:
        odd = f"part {message.part} of {message.parts} came where {gathered.of} parts were expected"
        gathered = replace(gathered, odd=gathered.odd or odd)
    rows["gathered"] = gathered
    # Most parts change nothing yet, and a group's row may be large: it is read for the last only.
    if "group" in rows and (gathered.odd or gathered.parts == gathered.of):
        group = rows["group"]
        problems = _parts_problems(rows, group.parts, group.members_max, group.methods)
        return _refuse(rows, problems) if problems else _claim(rows, attempt=0)
    return []


def withdraw(
    message: GroupPurchaseWithdrawn, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Take a request back: refused before its id is issued, withdrawn after.

    A repeat gets the same record again. Ninety days after the close there is nothing left to
    withdraw.
    """
    outcome = rows.get("outcome")
    if outcome is None:
        return _refuse(
            rows, [Problem(field="request_id", problem="withdrawn before its id was issued")]
        )
    if outcome.group_id is None:
        return [_answer(rows)]
    if "group" not in rows:
        return []
    group = GroupPurchase.model_validate_json(rows["group"].terms)
    if group.withdrawn_at is None:
        at = message.at.astimezone(UTC) if TIME_MIN <= message.at < TIME_MAX else now
        group = group.model_copy(update={"withdrawn_at": at, "version": group.version + 1})
        rows["group"] = replace(rows["group"], terms=group.model_dump_json(exclude_none=True))
    return [group]


def issue(
    message: IdGranted, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Issue the id that was claimed last; members in parts are admitted before that."""
    claim = rows.get("claim")
    if claim is None or claim.attempt != message.attempt:
        return []
    if rows["group"].parts:
        rows["chunk/admit"] = Cursor()
        return []
    return _issue(rows, now)


def claim_next(
    message: IdTaken, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Claim the next derivation when the last one is another request's."""
    claim = rows.get("claim")
    if claim is None or claim.attempt != message.attempt:
        return []
    return _claim(rows, claim.attempt + 1)


# --- the desk: what falls due, and what goes in chunks -------------------------------------------


def recheck_definition(
    name: str, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Look again for the definition that a request waits for."""
    asked = rows.get("asked")
    if asked is None:
        return []
    request = GroupPurchaseRequested.model_validate_json(asked.request)
    return _settle_terms(request, asked.seen_at, rows, now, definitions)


def give_up_on_parts(
    name: str, rows: Rows, now: datetime, definitions: Definitions
) -> Sequence[Message]:
    """Refuse a request whose parts never all came; drop parts whose request never came."""
    if "outcome" in rows or "claim" in rows or "gathered" not in rows:
        return []
    if "group" not in rows and "asked" not in rows:
        del rows["gathered"]
        rows["chunk/drop"] = Cursor()
        return []
    parts = rows["gathered"].of
    missing = (str(part) for part in range(1, parts + 1) if f"part/{part:05}" not in rows)
    problem = f"of {parts} parts these did not come within 7 days: {_named(missing)}; ask again"
    return _refuse(rows, [Problem(field="member_parts", problem=problem)])


def admit_members(rows: Rows, now: datetime, definitions: Definitions) -> Sequence[Message]:
    """Send the parts of the members, five a call; after the last, the group and its id."""
    first: int = rows["chunk/admit"].part
    group_id = derive(rows.key, rows["claim"].attempt)
    parts: int = rows["group"].parts
    admitted: list[Message] = []
    for part in range(first, min(first + PARTS_PER_CALL, parts + 1)):
        listed = MembersListed.model_validate_json(rows[f"part/{part:05}"].listed)
        admitted.append(
            MembersAdmitted(group_id=group_id, part=part, parts=parts, members=listed.members)
        )
    if first + PARTS_PER_CALL <= parts:
        rows["chunk/admit"] = Cursor(first + PARTS_PER_CALL)
        return admitted
    del rows["chunk/admit"], rows["gathered"]
    rows["chunk/drop"] = Cursor()
    return [*admitted, *_issue(rows, now)]


def drop_parts(rows: Rows, now: datetime, definitions: Definitions) -> Sequence[Message]:
    """Delete what was gathered of members, a bounded number of rows a call."""
    # Parts are large rows, so fewer of them go in one call.
    for table, most in (
        ("part/", PARTS_PER_CALL),
        ("listed/", ROWS_DROPPED_PER_CALL),
        ("twice/", ROWS_DROPPED_PER_CALL),
    ):
        names = [name for name, _ in islice(rows.scan(table), most)]
        for name in names:
            del rows[name]
        if names:
            return []
    del rows["chunk/drop"]
    return []


def shrink(name: str, rows: Rows, now: datetime, definitions: Definitions) -> Sequence[Message]:
    """Leave only the outcome, which still answers a repeat."""
    if "group" in rows:
        del rows["group"]
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
        # json.dumps keeps a percent that is not a number as it came; pydantic's JSON would not.
        text = json.dumps(request.model_dump(mode="json", exclude_unset=True), ensure_ascii=False)
        rows["asked"] = Asked(text, seen_at)
        rows["due/definition"] = Due(now + DEFINITION_RECHECK)
        return []
    asked = _filled(request, definition)
    members_max = definition.limits.number_max if definition else None
    methods = definition.payment.methods if definition else None
    problems = [
        *_definition_problems(request.definition_id, definition, now),
        *_terms_problems(asked, complete=definition is not None or not request.definition_id),
        *(_choice_problems(asked, definition) if definition else ()),
    ]
    if "gathered" in rows:
        problems += _parts_problems(rows, asked.member_parts, members_max, methods)
    else:
        own = {member.payment.method for member in asked.members if member.payment}
        problems += _members_problems(len(asked.members), sorted(own), members_max, methods)
    if problems:
        return _refuse(rows, problems)
    draft = _draft(asked, now)
    rows["group"] = Group(
        draft.model_dump_json(exclude_none=True), asked.member_parts, members_max, methods
    )
    if "asked" in rows:
        del rows["asked"]
    if asked.member_parts and rows["gathered"].parts < asked.member_parts:
        return []
    return _claim(rows, attempt=0)


def _claim(rows: Rows, attempt: int) -> Sequence[Message]:
    rows["claim"] = Claim(attempt)
    if "due/parts" in rows:
        del rows["due/parts"]
    return [IdClaimed(group_id=derive(rows.key, attempt), request_id=rows.key, attempt=attempt)]


def _issue(rows: Rows, now: datetime) -> Sequence[Message]:
    group = GroupPurchase.model_validate_json(rows["group"].terms)
    group_id = derive(rows.key, rows["claim"].attempt)
    group = group.model_copy(update={"group_id": group_id, "issued_at": now})
    rows["group"] = replace(rows["group"], terms=group.model_dump_json(exclude_none=True))
    rows["outcome"] = Outcome(group_id, now)
    grace = timedelta(seconds=group.grace_seconds)
    rows["due/shrink"] = Due(group.closes_at + grace + KEPT_AFTER_CLOSE)
    del rows["claim"]
    return [group, _answer(rows)]


def _refuse(rows: Rows, problems: Iterable[Problem]) -> Sequence[Message]:
    if "gathered" in rows:
        rows["chunk/drop"] = Cursor()
    for name in ("asked", "group", "claim", "gathered", "due/definition", "due/parts"):
        if name in rows:
            del rows[name]
    rows["outcome"] = Outcome(problems=tuple((each.field, each.problem) for each in problems))
    return [_answer(rows)]


def _answer(rows: Rows) -> Message:
    outcome: Outcome = rows["outcome"]
    if outcome.group_id is not None and outcome.issued_at is not None:
        return IdIssued(request_id=rows.key, group_id=outcome.group_id, issued_at=outcome.issued_at)
    problems = tuple(Problem(field=field, problem=problem) for field, problem in outcome.problems)
    return RequestRefused(request_id=rows.key, problems=problems)


def _count_members(
    rows: Rows, gathered: Gathered, members: Sequence[Member], part: int
) -> Gathered:
    """Note each member by id, so that one listed twice is found without holding them all."""
    for member in members:
        if f"listed/{member.id}" in rows:
            rows[f"twice/{member.id}"] = Listed(part)
        else:
            rows[f"listed/{member.id}"] = Listed(part)
    own = {member.payment.method for member in members if member.payment}
    return replace(
        gathered,
        members=gathered.members + len(members),
        methods=tuple(sorted(own.union(gathered.methods))),
    )


# --- terms ---------------------------------------------------------------------------------------


def _filled(
    request: GroupPurchaseRequested, definition: Definition | None
) -> GroupPurchaseRequested:
    """The request with its definition's terms, then the defaults, where it has none of its own."""
    terms: dict[str, Any] = {}
    payment: dict[str, Any] = {}
    if definition:
        terms = {
            "product": definition.product,
            "unit_price": definition.unit_price,
            "currency": definition.currency,
            "favor": definition.favor,
            "if_incomplete": definition.if_incomplete,
        }
        choice = definition.payment
        payment = {"scope": choice.scope, "method": choice.methods[0]}
        if request.currency not in (None, definition.currency):
            del terms["unit_price"], terms["favor"]
    if request.payment:
        payment |= request.payment.model_dump(exclude_unset=True)
    terms = {field: value for field, value in terms.items() if getattr(request, field) is None}
    terms["payment"] = PaymentTerms(**payment)
    terms["opens_at"] = request.opens_at or request.requested_at
    terms["closes_at"] = request.closes_at or _default_close(
        request.requested_at, terms["opens_at"], definition
    )
    return request.model_copy(update=terms)


def _default_close(
    requested_at: datetime, opens_at: datetime, definition: Definition | None
) -> datetime | None:
    """14 days from the request, or as long as the definition allows; None for impossible times."""
    if not all(TIME_MIN <= at < TIME_MAX for at in (requested_at, opens_at)):
        return None
    days_max = definition.limits.period_days_max if definition else None
    closes_at = requested_at + PERIOD_DEFAULT
    if days_max is None:
        return closes_at
    return min(closes_at, opens_at + _days(min(days_max, PERIOD_DEFAULT.days)))


def _draft(asked: GroupPurchaseRequested, now: datetime) -> GroupPurchase:
    """The terms of a filled request without problems, in UTC."""
    times = {
        field: getattr(asked, field).astimezone(UTC)
        for field in ("requested_at", "opens_at", "closes_at")
    }
    same = (
        *("request_id", "definition_id", "organizer", "product", "number_of_products"),
        *("unit_price", "currency", "stop_at_number", "members", "member_parts", "payment"),
    )
    grace = asked.grace_seconds
    return GroupPurchase(
        group_id=derive(asked.request_id),
        version=1,
        issued_at=now,
        grace_seconds=GRACE_SECONDS_DEFAULT if grace is None else grace,
        favor=asked.favor or FavorTerms(),
        if_incomplete=asked.if_incomplete or "as-reached",
        visibility=asked.visibility,
        **{field: getattr(asked, field) for field in same},
        **times,
    )


# --- problems: each names its field and says what to do ------------------------------------------


def _definition_problems(
    definition_id: str | None, definition: Definition | None, now: datetime
) -> list[Problem]:
    if definition_id is None:
        return []
    if definition is None:
        problem = "is not known: publish it first, or give the terms in the request"
    elif definition.published_at > now:
        problem = f"is not published before {definition.published_at.isoformat()}: ask again then"
    elif definition.withdrawn_at is not None and definition.withdrawn_at <= now:
        problem = f"was withdrawn at {definition.withdrawn_at.isoformat()}: name another one"
    else:
        return []
    return [Problem(field="definition_id", problem=problem)]


def _terms_problems(asked: GroupPurchaseRequested, complete: bool) -> list[Problem]:
    """What is wrong with the terms; those of an unknown definition make them not ``complete``."""
    problems: list[Problem] = []
    if asked.product is None and complete:
        problems.append(Problem(field="product", problem="is missing: give the product's name"))
    if asked.number_of_products is None:
        problem = "is missing: give the number of products to be reached"
        problems.append(Problem(field="number_of_products", problem=problem))
    problems += _range_problems("number_of_products", asked.number_of_products, 1, COUNT_MAX)
    problems += _range_problems("grace_seconds", asked.grace_seconds, 0, COUNT_MAX)
    problems += _range_problems("unit_price", asked.unit_price, 0, AMOUNT_MAX)
    problems += _period_problems(asked)
    tiers = asked.favor.tiers if asked.favor else ()
    problems += _currency_problems(asked, tiers, complete)
    for place, tier in enumerate(tiers):
        problems += _tier_problems(f"favor.tiers[{place}]", tier, asked.unit_price, complete)
    problems += _ladder_problems(tiers)
    # With parts, the request's own members are among those gathered, and are looked at there.
    if not asked.member_parts:
        listed = Counter(member.id for member in asked.members)
        problems += _twice_problems(member for member, times in listed.items() if times > 1)
    return problems


def _range_problems(field: str, number: int | None, least: int, most: int) -> list[Problem]:
    if number is None or least <= number <= most:
        return []
    bound = f"at least {least}" if number < least else f"at most {most}"
    return [Problem(field=field, problem=f"is {_shown(number)}: give {bound}")]


def _period_problems(asked: GroupPurchaseRequested) -> list[Problem]:
    fields = ("requested_at", "opens_at", "closes_at")
    times = {field: at for field in fields if (at := getattr(asked, field)) is not None}
    problems = [
        Problem(field=field, problem=f"is {at.isoformat()}: give a time of the years 1970 to 8999")
        for field, at in times.items()
        if not TIME_MIN <= at < TIME_MAX
    ]
    if "closes_at" not in times:
        return problems
    if times["closes_at"] <= times["opens_at"]:
        problem = "is not after opens_at: give a later close or an earlier opening"
        problems.append(Problem(field="closes_at", problem=problem))
    if times["closes_at"] <= times["requested_at"]:
        problem = "is not after requested_at, so the period is over before it starts: close later"
        problems.append(Problem(field="closes_at", problem=problem))
    return problems


def _currency_problems(
    asked: GroupPurchaseRequested, tiers: Sequence[Tier], complete: bool
) -> list[Problem]:
    if asked.currency is not None and asked.currency not in CURRENCIES:
        problem = f"{asked.currency!r} is not a currency: give an ISO 4217 code such as EUR"
        return [Problem(field="currency", problem=problem)]
    amounts = [asked.unit_price]
    for tier in tiers:
        amounts += [tier.from_value, tier.amount_off, tier.unit_price]
    if asked.currency is None and complete and any(each is not None for each in amounts):
        problem = "is missing, but there are amounts of money: give an ISO 4217 code such as EUR"
        return [Problem(field="currency", problem=problem)]
    return []


def _tier_problems(path: str, tier: Tier, price: int | None, complete: bool) -> list[Problem]:
    problems: list[Problem] = []
    starts = ("from_quantity", "from_value")
    favors = ("percent_off", "amount_off", "unit_price", "gift")
    for choices in (starts, favors):
        given = [choice for choice in choices if getattr(tier, choice) not in (None, "")]
        if len(given) != 1:
            has = f"has {' and '.join(given)}" if given else "has none"
            problem = f"{has}: give exactly one of {', '.join(choices)}"
            problems.append(Problem(field=path, problem=problem))
    problems += _range_problems(f"{path}.from_quantity", tier.from_quantity, 1, COUNT_MAX)
    problems += _range_problems(f"{path}.from_value", tier.from_value, 1, AMOUNT_MAX)
    problems += _percent_problems(f"{path}.percent_off", tier.percent_off)
    for name in ("amount_off", "unit_price"):
        amount = getattr(tier, name)
        problems += _range_problems(f"{path}.{name}", amount, 0, AMOUNT_MAX)
        if amount is not None and price is None and complete:
            problem = "has no price to be taken from: give the request's unit_price too"
            problems.append(Problem(field=f"{path}.{name}", problem=problem))
        if amount is not None and price is not None and 0 <= price < amount <= AMOUNT_MAX:
            problem = f"is {amount}, more than the price of {price}: give at most that"
            problems.append(Problem(field=f"{path}.{name}", problem=problem))
    return problems


def _percent_problems(field: str, percent: float | None) -> list[Problem]:
    # A comparison with not-a-number is false, so it is refused here with what is out of range.
    if percent is None or (0 <= percent <= 100 and round(percent, 2) == percent):
        return []
    problem = f"is {_shown(percent)}: give 0 to 100 with at most two decimals"
    return [Problem(field=field, problem=problem)]


def _ladder_problems(tiers: Sequence[Tier]) -> list[Problem]:
    problems: list[Problem] = []
    quantities = [tier.from_quantity for tier in tiers if tier.from_quantity is not None]
    values = [tier.from_value for tier in tiers if tier.from_value is not None]
    if quantities and values:
        problem = "mixes from_quantity and from_value: use one of them in all tiers"
        problems.append(Problem(field="favor.tiers", problem=problem))
    for name, starts in (("from_quantity", quantities), ("from_value", values)):
        for start, times in Counter(starts).items():
            if times > 1:
                problem = f"overlap: {times} have {name} {start}, keep one of them"
                problems.append(Problem(field="favor.tiers", problem=problem))
    return problems


def _choice_problems(asked: GroupPurchaseRequested, definition: Definition) -> list[Problem]:
    """What the definition does not offer."""
    problems: list[Problem] = []
    limits, choice = definition.limits, definition.payment
    if asked.currency != definition.currency and (asked.unit_price is None or asked.favor is None):
        problem = f"is not the definition's {definition.currency}: leave it out, or give unit_price"
        problems.append(Problem(field="currency", problem=f"{problem} and favor in it too"))
    for field, given, offered in (
        ("scope", asked.payment and asked.payment.scope, (choice.scope,)),
        ("method", asked.payment and asked.payment.method, choice.methods),
    ):
        if given not in offered:
            problem = f"{given} is not offered by the definition: choose {' or '.join(offered)}"
            problems.append(Problem(field=f"payment.{field}", problem=problem))
    number = asked.number_of_products
    if number is not None and limits.number_min is not None and number < limits.number_min:
        problem = f"is {number}: the definition asks for at least {limits.number_min}"
        problems.append(Problem(field="number_of_products", problem=problem))
    if number is not None and limits.number_max is not None and number > limits.number_max:
        problem = f"is {number}: the definition allows at most {limits.number_max}"
        problems.append(Problem(field="number_of_products", problem=problem))
    days_max = limits.period_days_max
    too_long = (
        asked.opens_at is not None
        and asked.closes_at is not None
        and days_max is not None
        and asked.closes_at - asked.opens_at > _days(days_max)
    )
    if too_long:
        problem = f"is too late: the definition allows a period of at most {days_max} days"
        problems.append(Problem(field="closes_at", problem=problem))
    return problems


def _members_problems(
    members: int,
    own_methods: Sequence[str],
    members_max: int | None,
    methods: tuple[str, ...] | None,
) -> list[Problem]:
    """Whether so many members can all buy, by the methods of their own."""
    problems: list[Problem] = []
    if members_max is not None and members > members_max:
        problem = f"are {members}, but the definition allows {members_max} products: list fewer"
        problems.append(Problem(field="members", problem=problem))
    strange = sorted(set(own_methods).difference(methods or own_methods))
    if methods and strange:
        problem = f"pay by {' and '.join(strange)}, which the definition does not offer: choose "
        problems.append(Problem(field="members", problem=problem + " or ".join(methods)))
    return problems


def _parts_problems(
    rows: Rows, parts: int, members_max: int | None, methods: tuple[str, ...] | None
) -> list[Problem]:
    """What is wrong with the members gathered so far for a request of that many ``parts``."""
    gathered: Gathered = rows["gathered"]
    problems: list[Problem] = []
    if gathered.of != parts:
        problem = f"is {parts}, but MembersListed came with parts {gathered.of}: give the same"
        problems.append(Problem(field="member_parts", problem=problem))
    elif gathered.odd:
        problem = f"is {parts}, but {gathered.odd}: give the same number in all of them"
        problems.append(Problem(field="member_parts", problem=problem))
    elif gathered.parts == parts and not gathered.members:
        problem = f"is {parts}, but no part lists a member: list them, or leave member_parts out"
        problems.append(Problem(field="member_parts", problem=problem))
    problems += _twice_problems(name.split("/", 1)[1] for name, _ in rows.scan("twice/"))
    problems += _members_problems(gathered.members, gathered.methods, members_max, methods)
    return problems


def _twice_problems(ids: Iterable[str]) -> list[Problem]:
    named = _named(ids)
    if not named:
        return []
    return [Problem(field="members", problem=f"listed more than once: {named}; list each once")]


def _named(names: Iterable[str]) -> str:
    """The first names, with a word when there are more: a refusal stays a small record."""
    first = list(islice(names, NAMED_MAX + 1))
    return ", ".join(first[:NAMED_MAX]) + (" and more" if len(first) > NAMED_MAX else "")


def _shown(number: float) -> str:
    """A number as text; one of thousands of digits would make a refusal a large record."""
    return str(number) if not abs(number) > AMOUNT_MAX**2 else "out of all proportion"


def _days(days: int) -> timedelta:
    """So many days, kept within what a span can hold: limits are any whole number."""
    return timedelta(days=max(0, min(days, 1_000_000)))
