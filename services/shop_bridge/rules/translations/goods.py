"""Which orders and lines are goods, and which are only money or copies of other lines.

Shops list tips, gift cards and insurance as lines, list a bundle and its parts, and split one
purchase into several orders. A group counts goods, each once.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.shop_orders import NAME_MAX
from services.shop_bridge.rules.translations import payloads
from services.shop_bridge.rules.translations.group_names import plain_name

#: Fields by which WooCommerce's plugins say that a line is a part of another line, and the field
#: by which that other line is found: its id, or what it calls itself.
#: Product Bundles, Composite Products, Mix and Match, WPC Product Bundles.
PART_OF_LINE = ("bundled_by", "composite_parent", "container_id")
PART_BY_META = {
    "bundledby": "bundlecartkey",
    "compositeparent": "compositecartkey",
    "mnmcontainer": "mnmcartkey",
}
PART_OF_PRODUCT = ("woosbparentid", "woosgparentid")
#: A renewal, a resubscription and a switch of WooCommerce Subscriptions copy the first order's
#: fields (wc_subscriptions_renewal_order_data).
RENEWALS = frozenset({"subscriptionrenewal", "subscriptionresubscribe", "subscriptionswitch"})
#: ``created_via`` of orders for the rest of a deposit (WooCommerce Deposits).
BALANCES = frozenset({"wc_deposits", "wcdp_payment"})
#: Statuses of orders of which only the deposit is paid.
PARTLY_PAID = frozenset({"partial-payment", "partially-paid", "partial-payme"})
#: Statuses of orders for the rest of a deposit.
BALANCE_DUE = frozenset({"scheduled-payment", "pending-deposit"})
_TIPS = frozenset({"tip", "tips", "gratuity", "trinkgeld", "pourboire", "propina", "mancia"})
_PROTECTION = re.compile(
    r"\b(shipping|package|parcel|delivery|order|versand)[\s-]*(protection|insurance|schutz)\b"
    r"|\bversandversicherung\b"
)
_PROTECTION_SKUS = re.compile(r"routeins\w*|navidium\w*|shipinsure\w*", re.IGNORECASE)
_RECURRING = frozenset({"subscription recurring order", "recurring_order"})


@dataclass(frozen=True)
class Reading:
    """How the orders of a shop are read, as its entry in ``SHOPS`` says.

    ``products``: whether lines that only the order's id names are compared with the group's
    product. ``compare`` counts the lines that are that product and all lines if none is;
    ``strictly`` counts none in that case; ``all`` compares nothing. ``test_orders``: whether they
    count.
    """

    products: Literal["compare", "strictly", "all"] = "compare"
    test_orders: bool = False


def not_a_purchase_in_shopify(body: Mapping[str, Any], how: Reading) -> str | None:
    """Why an order of Shopify counts in no group, whatever it names; None if it may count."""
    gateways = body.get("payment_gateway_names")
    is_bogus = isinstance(gateways, list) and set(map(str, gateways)) == {"bogus"}
    if not how.test_orders and (payloads.is_yes(body.get("test")) or is_bogus):
        return "a test order"
    tags = body.get("tags")
    words = {tag.strip().lower() for tag in tags.split(",")} if isinstance(tags, str) else set()
    if body.get("source_name") == "subscription_contract" or words & _RECURRING:
        return "a subscription's renewal"
    return None


def not_a_purchase_in_woocommerce(
    body: Mapping[str, Any], fields: Iterable[tuple[str, str]], how: Reading
) -> str | None:
    """Why an order of WooCommerce counts in no group, whatever it names; None if it may count."""
    named = dict(fields)
    via, status = (str(body.get(name) or "") for name in ("created_via", "status"))
    if status in BALANCE_DUE or via in BALANCES:
        return "the rest of a deposit"
    if via == "subscription" or any(name in RENEWALS for name in _names(body)):
        return "a subscription's renewal"
    if not how.test_orders and named.get("wcpaymode") == "test":
        return "a test order"
    return None


def is_no_goods(line: Mapping[str, Any]) -> bool:
    """Whether a line is a tip, a gift card or insurance: it counts only if it names a group itself.

    Each line is judged alone (BCApps#6811).
    """
    title = line.get("title") or line.get("name")
    title = title.strip().lower() if isinstance(title, str) else ""
    sku = line.get("sku")
    return (
        payloads.is_yes(line.get("gift_card"))
        or bool(line.get("tip"))
        or (not line.get("product_id") and title in _TIPS)
        or any("giftcard" in name for name in _names(line))
        or _PROTECTION.search(title) is not None
        or (isinstance(sku, str) and _PROTECTION_SKUS.fullmatch(sku) is not None)
    )


def product_ids(line: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """The names of a line's product: the ids and the SKU in these fields, as text."""
    found = []
    for name in names:
        value = line.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            found.append(str(value))
        elif isinstance(value, str) and 0 < len(value.strip()) <= NAME_MAX and value != "0":
            found.append(value.strip())
    return tuple(dict.fromkeys(found))


def bundles(lines: Sequence[dict[str, Any]]) -> list[int | None]:
    """For each line of WooCommerce, the index of the bundle's line that it is a part of, or None.

    A part whose bundle is not in the order stands alone, so that its goods are not lost.
    """
    metas = [_meta(line) for line in lines]
    called: dict[tuple[str, str], list[int]] = {}
    for index, (line, meta) in enumerate(zip(lines, metas, strict=True)):
        names = {name: payloads.identity_or_none(line, name) for name in ("id", "product_id")}
        names |= {key: meta.get(key) for key in PART_BY_META.values()}
        for name, value in names.items():
            if value is not None:
                called.setdefault((name, value), []).append(index)
    found: list[int | None] = []
    for index, (line, meta) in enumerate(zip(lines, metas, strict=True)):
        wanted = _bundle(line, meta)
        others = (each for each in called.get(wanted, ()) if each != index) if wanted else ()
        found.append(next(iter(others), None))
    return found


def _bundle(line: dict[str, Any], meta: Mapping[str, str]) -> tuple[str, str] | None:
    """The field and value that the line of a part's bundle has; the first field that is set."""
    for name in PART_OF_LINE:
        value = payloads.identity_or_none(line, name)
        if value is not None:
            return "id", value
    for name, key in PART_BY_META.items():
        if meta.get(name):
            return key, meta[name]
    for name in PART_OF_PRODUCT:
        if meta.get(name):
            return "product_id", meta[name]
    return None


def _meta(line: Mapping[str, Any]) -> dict[str, str]:
    """The meta fields of a line or order by name; a number is an id here."""
    found = {}
    for each in payloads.entries(line, "meta_data"):
        key, value = each.get("key"), each.get("value")
        if isinstance(key, str) and isinstance(value, str | int):
            found[plain_name(key)] = str(value)
    return found


def _names(line: Mapping[str, Any]) -> Iterable[str]:
    """The names of the meta fields that have a value, whatever it is."""
    for each in payloads.entries(line, "meta_data"):
        key = each.get("key")
        if isinstance(key, str) and each.get("value") not in (None, "", "0", 0, False):
            yield plain_name(key)
