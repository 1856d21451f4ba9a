"""What is wrong with a request: each problem names its field and says what to do."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from domain.money import CURRENCIES
from domain.tiers import GIFTS_AND_DISCOUNTS, STARTS, is_percent_off, mixes_starts, overlaps
from schemas.groups import Definition, GroupPurchaseRequested
from schemas.parts import AMOUNT_MAX, NUMBER_MAX, Problem, Tier, is_possible
from schemas.refusals import ProblemCode
from services.request_service.rows import Expected, Gathered
from services.request_service.rules.terms import days
from texts.reasons import problem

NAMED_MAX = 20


# --- the definition ------------------------------------------------------------------------------


def definition_problems(
    definition_id: str | None, definition: Definition | None, now: datetime
) -> Iterator[Problem]:
    """Whether the definition that the request names can be taken."""
    if definition_id is None:
        return
    field = "definition_id"
    if definition is None:
        yield problem(field, ProblemCode.UNKNOWN_DEFINITION)
    elif definition.published_at > now:
        at = definition.published_at.isoformat()
        yield problem(field, ProblemCode.NOT_PUBLISHED_YET, at=at)
    elif definition.withdrawn_at is not None and definition.withdrawn_at <= now:
        at = definition.withdrawn_at.isoformat()
        yield problem(field, ProblemCode.DEFINITION_WITHDRAWN, at=at)


def choice_problems(asked: GroupPurchaseRequested, definition: Definition) -> Iterator[Problem]:
    """What the definition does not offer."""
    limits, choice = definition.limits, definition.payment
    if asked.currency != definition.currency and (asked.unit_price is None or asked.favor is None):
        currency = definition.currency
        yield problem("currency", ProblemCode.NOT_DEFINITIONS_CURRENCY, currency=currency)
    for field, given, offered in (
        ("scope", asked.payment and asked.payment.scope, (choice.scope,)),
        ("method", asked.payment and asked.payment.method, choice.methods),
    ):
        if given not in offered:
            yield problem(
                f"payment.{field}",
                ProblemCode.NOT_OFFERED,
                given=str(given),
                offered=", ".join(offered),
            )
    number = asked.number_of_products
    if number is not None and limits.number_min is not None and number < limits.number_min:
        least = limits.number_min
        yield problem(
            "number_of_products", ProblemCode.BELOW_DEFINITION, number=number, least=least
        )
    if number is not None and limits.number_max is not None and number > limits.number_max:
        most = limits.number_max
        yield problem("number_of_products", ProblemCode.ABOVE_DEFINITION, number=number, most=most)
    days_max = limits.period_days_max
    if asked.opens_at is None or asked.closes_at is None or days_max is None:
        return
    if asked.closes_at - asked.opens_at > days(days_max):
        yield problem("closes_at", ProblemCode.PERIOD_TOO_LONG, days=days_max)


# --- the terms -----------------------------------------------------------------------------------


def terms_problems(asked: GroupPurchaseRequested, *, complete: bool) -> Iterator[Problem]:
    """What is wrong with the terms; those of an unknown definition make them not ``complete``."""
    if asked.product is None and complete:
        yield problem("product", ProblemCode.NO_PRODUCT)
    if asked.number_of_products is None:
        yield problem("number_of_products", ProblemCode.NO_NUMBER)
    yield from _range_problems("number_of_products", asked.number_of_products, 1, NUMBER_MAX)
    yield from _range_problems("grace_seconds", asked.grace_seconds, 0, NUMBER_MAX)
    yield from _range_problems("unit_price", asked.unit_price, 0, AMOUNT_MAX)
    yield from _period_problems(asked)
    tiers = asked.favor.tiers if asked.favor else ()
    if asked.currency is not None or complete:
        yield from _currency_problems(asked, tiers)
    for place, tier in enumerate(tiers):
        path = f"favor.tiers[{place}]"
        yield from _tier_problems(path, tier)
        yield from _price_problems(path, tier, asked.unit_price, complete=complete)
    if mixes_starts(tiers):
        yield problem("favor.tiers", ProblemCode.MIXED_TIERS)
    for each in overlaps(tiers):
        yield problem("favor.tiers", ProblemCode.SAME_TIERS, **each._asdict())


def _range_problems(field: str, number: int | None, least: int, most: int) -> Iterator[Problem]:
    if number is None or least <= number <= most:
        return
    is_far = _is_far(number)
    if number < least:
        code = ProblemCode.FAR_TOO_LOW if is_far else ProblemCode.TOO_LOW
        bound = {"least": least}
    else:
        code = ProblemCode.FAR_TOO_HIGH if is_far else ProblemCode.TOO_HIGH
        bound = {"most": most}
    yield problem(field, code, **bound if is_far else {"number": number, **bound})


def _period_problems(asked: GroupPurchaseRequested) -> Iterator[Problem]:
    fields = ("requested_at", "opens_at", "closes_at")
    times = {field: at for field in fields if (at := getattr(asked, field)) is not None}
    for field, at in times.items():
        if not is_possible(at):
            yield problem(field, ProblemCode.IMPOSSIBLE_TIME, at=at.isoformat())
    if "closes_at" not in times:
        return
    if times["closes_at"] <= times["opens_at"]:
        yield problem("closes_at", ProblemCode.CLOSES_BEFORE_OPENING)
    if times["closes_at"] <= times["requested_at"]:
        yield problem("closes_at", ProblemCode.CLOSES_BEFORE_REQUEST)


def _currency_problems(asked: GroupPurchaseRequested, tiers: Sequence[Tier]) -> Iterator[Problem]:
    if asked.currency is not None:
        if asked.currency not in CURRENCIES:
            yield problem("currency", ProblemCode.NOT_A_CURRENCY, currency=asked.currency)
        return
    amounts = [asked.unit_price]
    for tier in tiers:
        amounts += [tier.from_value, tier.amount_off, tier.unit_price]
    if any(each is not None for each in amounts):
        yield problem("currency", ProblemCode.NO_CURRENCY)


def _tier_problems(path: str, tier: Tier) -> Iterator[Problem]:
    for choices in (STARTS, GIFTS_AND_DISCOUNTS):
        given = [choice for choice in choices if getattr(tier, choice) not in (None, "")]
        offered = ", ".join(choices)
        if not given:
            yield problem(path, ProblemCode.NONE_OF_TIER, choices=offered)
        elif len(given) > 1:
            has = ", ".join(given)
            yield problem(path, ProblemCode.SEVERAL_OF_TIER, given=has, choices=offered)
    yield from _range_problems(f"{path}.from_quantity", tier.from_quantity, 1, NUMBER_MAX)
    yield from _range_problems(f"{path}.from_value", tier.from_value, 1, AMOUNT_MAX)
    percent = tier.percent_off
    if percent is not None and not is_percent_off(percent):
        field = f"{path}.percent_off"
        if _is_far(percent):
            yield problem(field, ProblemCode.FAR_PERCENT)
        else:
            yield problem(field, ProblemCode.ODD_PERCENT, percent=percent)


def _price_problems(
    path: str, tier: Tier, price: int | None, *, complete: bool
) -> Iterator[Problem]:
    """Whether what a tier takes off can be taken off the price."""
    for name, amount in (("amount_off", tier.amount_off), ("unit_price", tier.unit_price)):
        field = f"{path}.{name}"
        yield from _range_problems(field, amount, 0, AMOUNT_MAX)
        if amount is not None and price is None and complete:
            yield problem(field, ProblemCode.NO_PRICE)
        if amount is not None and price is not None and 0 <= price < amount <= AMOUNT_MAX:
            yield problem(field, ProblemCode.ABOVE_PRICE, amount=amount, price=price)


# --- the members ---------------------------------------------------------------------------------


def members_problems(
    gathered: Gathered, twice: Iterable[str], expected: Expected
) -> Iterator[Problem]:
    """Whether the members gathered, some listed ``twice``, can all buy, by methods of their own."""
    again = list(islice(twice, NAMED_MAX + 1))
    if again:
        codes = (ProblemCode.LISTED_TWICE, ProblemCode.MANY_LISTED_TWICE)
        yield problem_of_names("members", codes, "members", again)
    most = expected.members_max
    if most is not None and gathered.members > most:
        code = ProblemCode.MORE_MEMBERS_THAN_PRODUCTS
        yield problem("members", code, number=gathered.members, most=most)
    if expected.methods is None:
        return
    strange = sorted(set(gathered.methods).difference(expected.methods))
    if strange:
        given, offered = ", ".join(strange), ", ".join(expected.methods)
        yield problem("members", ProblemCode.METHODS_NOT_OFFERED, given=given, offered=offered)


def parts_problems(gathered: Gathered, expected: Expected) -> Iterator[Problem]:
    """Whether the parts that have come are those of the request."""
    parts = expected.parts
    field = "member_parts"
    if gathered.of != parts:
        yield problem(field, ProblemCode.OTHER_PARTS, parts=parts, of=gathered.of)
    elif gathered.odd_part:
        params = gathered.odd_part._asdict()
        yield problem(field, ProblemCode.ODD_PART, parts=parts, **params)
    elif gathered.parts == parts and not gathered.members:
        yield problem(field, ProblemCode.EMPTY_PARTS, parts=parts)


def problem_of_names(
    field: str,
    codes: tuple[ProblemCode, ProblemCode],
    param: str,
    names: Iterable[str],
    **params: int,
) -> Problem:
    """A problem with the first names, by the second code if there are more of them.

    So a refusal stays a small record.
    """
    first = list(islice(names, NAMED_MAX + 1))
    code = codes[1] if len(first) > NAMED_MAX else codes[0]
    return problem(field, code, **{param: ", ".join(first[:NAMED_MAX])}, **params)


def _is_far(number: float) -> bool:
    """Whether a number is too large to be repeated.

    One of thousands of digits would make a refusal a large record.
    """
    return abs(number) > AMOUNT_MAX**2
