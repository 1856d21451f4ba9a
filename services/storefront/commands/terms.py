"""What is wrong with a definition that a shop wants to publish. Pure.

Nobody stands between a definition and the log, so what no request could ever take is named here.
"""

from collections.abc import Iterator

from domain.money import CURRENCIES
from domain.tiers import GIFTS_AND_DISCOUNTS, STARTS, is_percent_off, ladder_problems
from schemas.parts import AMOUNT_MAX, NUMBER_MAX, Problem
from services.storefront.commands.given import DefinitionGiven, TierGiven


def definition_problems(given: DefinitionGiven) -> Iterator[Problem]:
    """Every problem, at its field."""
    if given.currency not in CURRENCIES:
        problem = f"{given.currency!r} is not a currency: give an ISO 4217 code such as EUR"
        yield Problem(field="currency", problem=problem)
    if given.unit_price > AMOUNT_MAX:
        yield Problem(field="unit_price", problem=f"give at most {AMOUNT_MAX}")
    least, most = given.limits.number_min, given.limits.number_max
    if least is not None and most is not None and least > most:
        problem = f"is {least}, more than number_max: give at most {most}"
        yield Problem(field="limits.number_min", problem=problem)
    for place, tier in enumerate(given.favor.tiers):
        yield from _tier_problems(f"favor.tiers[{place}]", tier, given.unit_price)
    for problem in ladder_problems(given.favor.tiers):
        yield Problem(field="favor.tiers", problem=problem)


def _tier_problems(path: str, tier: TierGiven, price: int) -> Iterator[Problem]:
    for choices in (STARTS, GIFTS_AND_DISCOUNTS):
        if sum(getattr(tier, choice) is not None for choice in choices) != 1:
            yield Problem(field=path, problem=f"give exactly one of {', '.join(choices)}")
    for name, most in (("from_quantity", NUMBER_MAX), ("from_value", AMOUNT_MAX)):
        start = getattr(tier, name)
        if start is not None and not 1 <= start <= most:
            yield Problem(field=f"{path}.{name}", problem=f"give 1 to {most}")
    percent = tier.percent_off
    if percent is not None and not is_percent_off(percent):
        problem = "give 0 to 100 with at most two decimals"
        yield Problem(field=f"{path}.percent_off", problem=problem)
    for name in ("amount_off", "unit_price"):
        amount = getattr(tier, name)
        if amount is not None and not 0 <= amount <= price:
            yield Problem(field=f"{path}.{name}", problem=f"give 0 to the price, {price}")
