"""What is wrong with a request: each problem names its field and says what to do."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from domain.money import CURRENCIES
from domain.tiers import GIFTS_AND_DISCOUNTS, STARTS, is_percent_off, ladder_problems
from schemas.groups import Definition, GroupPurchaseRequested
from schemas.parts import AMOUNT_MAX, NUMBER_MAX, Problem, Tier, is_possible
from services.request_service.rows import Expected, Gathered
from services.request_service.rules.terms import days

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
        problem = "is not known: publish it first, or give the terms in the request"
        yield Problem(field=field, problem=problem)
    elif definition.published_at > now:
        problem = f"is not published before {definition.published_at.isoformat()}: ask again then"
        yield Problem(field=field, problem=problem)
    elif definition.withdrawn_at is not None and definition.withdrawn_at <= now:
        problem = f"was withdrawn at {definition.withdrawn_at.isoformat()}: name another one"
        yield Problem(field=field, problem=problem)


def choice_problems(asked: GroupPurchaseRequested, definition: Definition) -> Iterator[Problem]:
    """What the definition does not offer."""
    limits, choice = definition.limits, definition.payment
    if asked.currency != definition.currency and (asked.unit_price is None or asked.favor is None):
        problem = f"is not the definition's {definition.currency}: leave it out, or give unit_price"
        yield Problem(field="currency", problem=f"{problem} and favor in it too")
    for field, given, offered in (
        ("scope", asked.payment and asked.payment.scope, (choice.scope,)),
        ("method", asked.payment and asked.payment.method, choice.methods),
    ):
        if given not in offered:
            problem = f"{given} is not offered by the definition: choose {' or '.join(offered)}"
            yield Problem(field=f"payment.{field}", problem=problem)
    number = asked.number_of_products
    if number is not None and limits.number_min is not None and number < limits.number_min:
        problem = f"is {number}: the definition asks for at least {limits.number_min}"
        yield Problem(field="number_of_products", problem=problem)
    if number is not None and limits.number_max is not None and number > limits.number_max:
        problem = f"is {number}: the definition allows at most {limits.number_max}"
        yield Problem(field="number_of_products", problem=problem)
    days_max = limits.period_days_max
    if asked.opens_at is None or asked.closes_at is None or days_max is None:
        return
    if asked.closes_at - asked.opens_at > days(days_max):
        problem = f"is too late: the definition allows a period of at most {days_max} days"
        yield Problem(field="closes_at", problem=problem)


# --- the terms -----------------------------------------------------------------------------------


def terms_problems(asked: GroupPurchaseRequested, *, complete: bool) -> Iterator[Problem]:
    """What is wrong with the terms; those of an unknown definition make them not ``complete``."""
    if asked.product is None and complete:
        yield Problem(field="product", problem="is missing: give the product's name")
    if asked.number_of_products is None:
        problem = "is missing: give the number of products to be reached"
        yield Problem(field="number_of_products", problem=problem)
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
    for problem in ladder_problems(tiers):
        yield Problem(field="favor.tiers", problem=problem)


def _range_problems(field: str, number: int | None, least: int, most: int) -> Iterator[Problem]:
    if number is None or least <= number <= most:
        return
    bound = f"at least {least}" if number < least else f"at most {most}"
    yield Problem(field=field, problem=f"is {_shown(number)}: give {bound}")


def _period_problems(asked: GroupPurchaseRequested) -> Iterator[Problem]:
    fields = ("requested_at", "opens_at", "closes_at")
    times = {field: at for field in fields if (at := getattr(asked, field)) is not None}
    for field, at in times.items():
        if not is_possible(at):
            problem = f"is {at.isoformat()}: give a time of the years 1970 to 8999"
            yield Problem(field=field, problem=problem)
    if "closes_at" not in times:
        return
    if times["closes_at"] <= times["opens_at"]:
        problem = "is not after opens_at: give a later close or an earlier opening"
        yield Problem(field="closes_at", problem=problem)
    if times["closes_at"] <= times["requested_at"]:
        problem = "is not after requested_at, so the period is over before it starts: close later"
        yield Problem(field="closes_at", problem=problem)


def _currency_problems(asked: GroupPurchaseRequested, tiers: Sequence[Tier]) -> Iterator[Problem]:
    if asked.currency is not None:
        if asked.currency not in CURRENCIES:
            problem = f"{asked.currency!r} is not a currency: give an ISO 4217 code such as EUR"
            yield Problem(field="currency", problem=problem)
        return
    amounts = [asked.unit_price]
    for tier in tiers:
        amounts += [tier.from_value, tier.amount_off, tier.unit_price]
    if any(each is not None for each in amounts):
        problem = "is missing, but there are amounts of money: give an ISO 4217 code such as EUR"
        yield Problem(field="currency", problem=problem)


def _tier_problems(path: str, tier: Tier) -> Iterator[Problem]:
    for choices in (STARTS, GIFTS_AND_DISCOUNTS):
        given = [choice for choice in choices if getattr(tier, choice) not in (None, "")]
        if len(given) != 1:
            has = f"has {' and '.join(given)}" if given else "has none"
            problem = f"{has}: give exactly one of {', '.join(choices)}"
            yield Problem(field=path, problem=problem)
    yield from _range_problems(f"{path}.from_quantity", tier.from_quantity, 1, NUMBER_MAX)
    yield from _range_problems(f"{path}.from_value", tier.from_value, 1, AMOUNT_MAX)
    percent = tier.percent_off
    if percent is not None and not is_percent_off(percent):
        problem = f"is {_shown(percent)}: give 0 to 100 with at most two decimals"
        yield Problem(field=f"{path}.percent_off", problem=problem)


def _price_problems(
    path: str, tier: Tier, price: int | None, *, complete: bool
) -> Iterator[Problem]:
    """Whether what a tier takes off can be taken off the price."""
    for name, amount in (("amount_off", tier.amount_off), ("unit_price", tier.unit_price)):
        field = f"{path}.{name}"
        yield from _range_problems(field, amount, 0, AMOUNT_MAX)
        if amount is not None and price is None and complete:
            problem = "has no price to be taken from: give the request's unit_price too"
            yield Problem(field=field, problem=problem)
        if amount is not None and price is not None and 0 <= price < amount <= AMOUNT_MAX:
            problem = f"is {amount}, more than the price of {price}: give at most that"
            yield Problem(field=field, problem=problem)


# --- the members ---------------------------------------------------------------------------------


def members_problems(
    gathered: Gathered, twice: Iterable[str], expected: Expected
) -> Iterator[Problem]:
    """Whether the members gathered, some listed ``twice``, can all buy, by methods of their own."""
    again = named(twice)
    if again:
        problem = f"listed more than once: {again}; list each once"
        yield Problem(field="members", problem=problem)
    most = expected.members_max
    if most is not None and gathered.members > most:
        problem = f"are {gathered.members}, but the definition allows {most} products: list fewer"
        yield Problem(field="members", problem=problem)
    if expected.methods is None:
        return
    strange = sorted(set(gathered.methods).difference(expected.methods))
    if strange:
        problem = f"pay by {' and '.join(strange)}, which the definition does not offer: choose "
        yield Problem(field="members", problem=problem + " or ".join(expected.methods))


def parts_problems(gathered: Gathered, expected: Expected) -> Iterator[Problem]:
    """Whether the parts that have come are those of the request."""
    parts = expected.parts
    if gathered.of != parts:
        problem = f"is {parts}, but MembersListed came with parts {gathered.of}: give the same"
        yield Problem(field="member_parts", problem=problem)
    elif gathered.odd:
        problem = f"is {parts}, but {gathered.odd}: give the same number in all of them"
        yield Problem(field="member_parts", problem=problem)
    elif gathered.parts == parts and not gathered.members:
        problem = f"is {parts}, but no part lists a member: list them, or leave member_parts out"
        yield Problem(field="member_parts", problem=problem)


def named(names: Iterable[str]) -> str:
    """The first names, with a word when there are more: a refusal stays a small record."""
    first = list(islice(names, NAMED_MAX + 1))
    return ", ".join(first[:NAMED_MAX]) + (" and more" if len(first) > NAMED_MAX else "")


def _shown(number: float) -> str:
    """A number as text; one of thousands of digits would make a refusal a large record."""
    return str(number) if not abs(number) > AMOUNT_MAX**2 else "out of all proportion"
