"""The lines of a shop's order: the group of each, its units, and duplicates.

Only lines of a group are checked, so any other line can't make an order unreadable
(woocommerce#52198). A line of a group that can't be counted keeps its place with ``problem``, and
the order's other lines count.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from domain.money import half_up
from schemas.parts import SUM_MAX
from schemas.shop_orders import PRODUCT_NAMES_MAX, ShopLine
from services.shop_bridge.rules.translations import goods, group_names, payloads
from services.shop_bridge.rules.translations.goods import Reading
from services.shop_bridge.rules.translations.group_names import Named
from services.shop_bridge.rules.translations.payloads import UnreadableError

NESTED_MAX = 5


class Counted(NamedTuple):
    """Units of a line, how many of them are out, and the value of all of them in minor units."""

    quantity: int
    removed: int
    value: Fraction


@dataclass(slots=True)
class Draft:
    """A line before it is final; ``is_own`` if it names its group itself.

    ``counted`` is None and ``problem`` says why, if it can't be counted.
    """

    line_id: str | None
    named: Named
    is_own: bool
    counted: Counted | None = None
    problem: str | None = None
    products: tuple[str, ...] = ()
    compared: bool = False


@dataclass(frozen=True)
class Language:
    """How a shop's system writes a line: its own fields and its product."""

    fields: str
    name: str
    product: tuple[str, ...]


def drafts(
    bodies: Sequence[dict[str, Any]],
    whole: Named,
    how: Reading,
    language: Language,
    count: Callable[[dict[str, Any]], Counted],
) -> list[Draft]:
    """The lines as they stand, in order; ``whole`` is the group that the order itself names.

    ``count`` counts a line, and raises ``UnreadableError`` if it can't.
    """
    return [_draft(body, whole, how, language, count) for body in bodies]


def name_a_group(found: Iterable[Draft]) -> bool:
    """Whether any line is of a group, or of one that is mistyped."""
    return any(any(draft.named) for draft in found)


def fields_of(bodies: Iterable[dict[str, Any]], language: Language) -> list[tuple[str, str]]:
    """All fields of all lines, as ``group_names`` reads them."""
    return [
        field
        for body in bodies
        for field in group_names.pairs(body.get(language.fields), language.name)
    ]


def _draft(
    body: dict[str, Any],
    whole: Named,
    how: Reading,
    language: Language,
    count: Callable[[dict[str, Any]], Counted],
) -> Draft:
    own = group_names.the_one(group_names.in_fields(fields_of([body], language)))
    is_own = any(own)
    draft = Draft(
        line_id=payloads.identity_or_none(body, "id"),
        named=own if is_own else Named() if goods.is_no_goods(body) else whole,
        is_own=is_own,
        products=goods.product_ids(body, *language.product),
        compared=not is_own and how.products != "all",
    )
    try:
        draft.counted = count(body)
        if draft.counted.value > SUM_MAX:
            raise UnreadableError("its value is larger than the largest amount")
    except UnreadableError as error:
        draft.counted, draft.problem = None, str(error)
    return draft


def join_parts(found: list[Draft], bodies: list[dict[str, Any]]) -> None:
    """Count a bundle of WooCommerce once: as its own line, with what its parts cost.

    A part counts alone if the line that it is a part of is not in the order, or of another group.
    """
    if not name_a_group(found):
        return
    bundles = goods.bundles(bodies)
    for index, draft in enumerate(found):
        if not any(draft.named):
            continue
        top = _top(index, bundles)
        bundle = found[top]
        if top == index or draft.named != bundle.named:
            continue
        draft.named = Named()
        bundle.products = tuple(dict.fromkeys((*bundle.products, *draft.products)))
        if bundle.counted is not None and draft.counted is not None:
            value = bundle.counted.value + draft.counted.value
            bundle.counted = bundle.counted._replace(value=value)


def _top(index: int, bundles: Sequence[int | None]) -> int:
    for _ in range(NESTED_MAX):
        above = bundles[index]
        if above is None:
            break
        index = above
    return index


def join_bundles(found: list[Draft], bodies: list[dict[str, Any]]) -> list[Draft]:
    """Count a bundle of Shopify once: an order has only its components (``lineItemGroup``).

    The bundle has the quantity that its group says, else the least of its components'. It counts
    as long as any component does.
    """
    joined: list[Draft] = []
    bundles: dict[tuple[str, Named], Draft] = {}
    for draft, body in zip(found, bodies, strict=True):
        group = payloads.inner(body, "line_item_group")
        group_id = payloads.identity_or_none(group, "id") or payloads.identity_or_none(
            body, "sales_line_item_group_id"
        )
        if group_id is None:
            joined.append(draft)
            continue
        bundle = bundles.get((group_id, draft.named))
        if bundle is None:
            bundle = bundles[group_id, draft.named] = Draft(
                f"bundle-{group_id}"[:40], draft.named, draft.is_own, compared=draft.compared
            )
            joined.append(bundle)
            bundle.counted, bundle.problem = _told_bundle(draft, group), draft.problem
        elif bundle.counted is not None and draft.counted is not None:
            bundle.counted = _with_component(bundle.counted, draft.counted, group)
        else:
            bundle.counted, bundle.problem = None, bundle.problem or draft.problem
        ids = goods.product_ids(group, "product_id", "variant_id", "variant_sku")
        bundle.products = tuple(dict.fromkeys((*bundle.products, *ids, *draft.products)))
    return joined


def _told_bundle(draft: Draft, group: Mapping[str, Any]) -> Counted | None:
    if draft.counted is None:
        return None
    return _scaled(draft.counted, _told_units(group) or draft.counted.quantity)


def _with_component(bundle: Counted, component: Counted, group: Mapping[str, Any]) -> Counted:
    quantity = _told_units(group) or min(bundle.quantity, component.quantity)
    one, other = _scaled(bundle, quantity), _scaled(component, quantity)
    removed = min(one.removed, other.removed)
    return Counted(quantity, removed, bundle.value + component.value)


def _scaled(counted: Counted, quantity: int) -> Counted:
    """As many bundles as a component has units; one is out when its last unit is."""
    if not counted.quantity:
        return Counted(quantity, quantity, counted.value)
    left = counted.quantity - counted.removed
    bundles_left = -(-quantity * left // counted.quantity)
    return Counted(quantity, quantity - bundles_left, counted.value)


def _told_units(group: Mapping[str, Any]) -> int:
    try:
        return payloads.units(dict(group), "quantity", default=0)
    except UnreadableError:
        return 0


def shop_lines(found: Iterable[Draft]) -> tuple[ShopLine, ...]:
    """The final lines, without those that have neither a group nor an id.

    A line of a group without an id gets one by its place.
    """
    told: dict[str, ShopLine] = {}
    for place, draft in enumerate(found, 1):
        if draft.line_id is None and not any(draft.named):
            continue
        line_id = draft.line_id or f"line-{place}"
        if line_id in told:
            line_id = f"{line_id[:30]}-{place}"
        counted = draft.counted or Counted(0, 0, Fraction(0))
        told[line_id] = ShopLine(
            line_id=line_id,
            quantity=counted.quantity,
            removed=counted.removed,
            value=half_up(max(counted.value, Fraction(0))),
            group_id=draft.named.group_id,
            mistyped=draft.named.mistyped,
            products=draft.products[:PRODUCT_NAMES_MAX] if any(draft.named) else (),
            compared=draft.compared and any(draft.named),
            problem=draft.problem,
        )
    return tuple(told.values())
