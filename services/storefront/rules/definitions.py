"""Problems of a definition that a shop wants to publish. Pure.

No service checks a definition after this, so terms that no request could use are refused here.
"""

from collections.abc import Iterator

from domain.money import CURRENCIES
from domain.tiers import GIFTS_AND_DISCOUNTS, STARTS, is_percent_off, mixes_starts, overlaps
from schemas.api.groups import DefinitionGiven, TierGiven
from schemas.parts import AMOUNT_MAX, NUMBER_MAX, Problem
from schemas.refusals import ProblemCode
from texts.reasons import problem


def definition_problems(given: DefinitionGiven) -> Iterator[Problem]:
    """Every problem, at its field."""
    if given.currency not in CURRENCIES:
        yield problem("currency", ProblemCode.NOT_A_CURRENCY, currency=given.currency)
    if given.unit_price > AMOUNT_MAX:
        yield problem("unit_price", ProblemCode.AT_MOST, most=AMOUNT_MAX)
    least, most = given.limits.number_min, given.limits.number_max
    if least is not None and most is not None and least > most:
        code = ProblemCode.ABOVE_OTHER
        yield problem("limits.number_min", code, number=least, other="number_max", most=most)
    for place, tier in enumerate(given.favor.tiers):
        yield from _tier_problems(f"favor.tiers[{place}]", tier, given.unit_price)
    if mixes_starts(given.favor.tiers):
        yield problem("favor.tiers", ProblemCode.MIXED_TIERS)
    for each in overlaps(given.favor.tiers):
        yield problem("favor.tiers", ProblemCode.SAME_TIERS, **each._asdict())


def _tier_problems(path: str, tier: TierGiven, price: int) -> Iterator[Problem]:
    for choices in (STARTS, GIFTS_AND_DISCOUNTS):
        if sum(getattr(tier, choice) is not None for choice in choices) != 1:
            yield problem(path, ProblemCode.GIVE_ONE_OF, choices=", ".join(choices))
    for name, most in (("from_quantity", NUMBER_MAX), ("from_value", AMOUNT_MAX)):
        start = getattr(tier, name)
        if start is not None and not 1 <= start <= most:
            yield problem(f"{path}.{name}", ProblemCode.OUT_OF_RANGE, least=1, most=most)
    percent = tier.percent_off
    if percent is not None and not is_percent_off(percent):
        yield problem(f"{path}.percent_off", ProblemCode.ODD_PERCENT, percent=percent)
    for name in ("amount_off", "unit_price"):
        amount = getattr(tier, name)
        if amount is not None and not 0 <= amount <= price:
            yield problem(f"{path}.{name}", ProblemCode.OUTSIDE_PRICE, price=price)
