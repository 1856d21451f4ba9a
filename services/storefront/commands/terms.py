"""What is wrong with a definition that a shop wants to publish. Pure.

Nobody stands between a definition and the log, so what no request could ever take is named here.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from schemas.money import CURRENCIES
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
    yield from _ladder_problems(given.favor.tiers)


def _tier_problems(path: str, tier: TierGiven, price: int) -> Iterator[Problem]:
    for choices in (
        ("from_quantity", "from_value"),
        ("percent_off", "amount_off", "unit_price", "gift"),
    ):
        if sum(getattr(tier, choice) is not None for choice in choices) != 1:
            yield Problem(field=path, problem=f"give exactly one of {', '.join(choices)}")
    for name, most in (("from_quantity", NUMBER_MAX), ("from_value", AMOUNT_MAX)):
        start = getattr(tier, name)
        if start is not None and not 1 <= start <= most:
            yield Problem(field=f"{path}.{name}", problem=f"give 1 to {most}")
    percent = tier.percent_off
    if percent is not None and not (0 <= percent <= 100 and round(percent, 2) == percent):
        problem = "give 0 to 100 with at most two decimals"
        yield Problem(field=f"{path}.percent_off", problem=problem)
    for name in ("amount_off", "unit_price"):
        amount = getattr(tier, name)
        if amount is not None and not 0 <= amount <= price:
            yield Problem(field=f"{path}.{name}", problem=f"give 0 to the price, {price}")


def _ladder_problems(tiers: Sequence[TierGiven]) -> Iterator[Problem]:
    quantities = Counter(tier.from_quantity for tier in tiers if tier.from_quantity is not None)
    values = Counter(tier.from_value for tier in tiers if tier.from_value is not None)
    if quantities and values:
        problem = "mixes from_quantity and from_value: use one of them in all tiers"
        yield Problem(field="favor.tiers", problem=problem)
    for name, starts in (("from_quantity", quantities), ("from_value", values)):
        for start, times in starts.items():
            if times > 1:
                problem = f"overlap: {times} have {name} {start}, keep one of them"
                yield Problem(field="favor.tiers", problem=problem)
