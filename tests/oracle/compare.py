"""Lists every difference between what the oracle expects and what the system exported.

An export is what ``jointbuy export purchases`` or ``favors`` prints: one JSON line per key, the
latest. Records of other sources are passed over; a key of this source that should not be there is a
difference as well as one that is missing. Versions, ``issued_at`` and the reasons of refusals are
not foretold.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from .recorded import Group, Recorded, Tier, add_sources, from_arguments, read_lines

#: Field paths, with dots between, and what stands there.
Fields = dict[str, Any]


class Topic(NamedTuple):
    """A topic: the ``keys`` that a group must have there, and what each record must say.

    ``fields`` gives ``None`` for a key that should not be there.
    """

    name: str
    keys: Callable[[Group], Iterator[str]]
    fields: Callable[[Group, str], Fields | None]


@dataclass
class Differences:
    """All differences counted by kind, the first few as readable lines."""

    shown_max: int
    lines: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many there are."""
        return self.kinds.total()

    def add(self, kind: str, line: str) -> None:
        """Count one difference, and keep its line while there is room."""
        self.kinds[kind] += 1
        if len(self.lines) < self.shown_max:
            self.lines.append(line)


def compare(
    recorded: Recorded, purchases: Iterable[str], favors: Iterable[str], shown_max: int = 50
) -> Differences:
    """Every difference between the oracle's result and the lines of the two exports."""
    differences = Differences(shown_max)
    compare_topic(PURCHASES, recorded, purchases, differences)
    compare_topic(FAVORS, recorded, favors, differences)
    return differences


def compare_topic(
    topic: Topic, recorded: Recorded, lines: Iterable[str], differences: Differences
) -> None:
    """List what one export says otherwise, too much or not at all."""
    groups = {group.group_id: group for group in recorded.groups.values()}
    seen: set[str] = set()
    for line in lines:
        if not line.strip():
            continue
        record = json.loads(line)
        key, value = record["key"], record["value"]
        if value is None or not is_of(recorded, groups, key, value):
            continue
        group = groups.get(key.partition("/")[0])
        name = f"{topic.name} {key} ({value.get('request_id') or (group and group.request_id)})"
        expected = topic.fields(group, key) if group else None
        if key in seen:
            differences.add(
                f"{topic.name}: key twice", f"{name}: the key stands in the export twice"
            )
        elif expected is None:
            kind = value.get("type")
            differences.add(
                f"{topic.name}: unexpected {kind}", f"{name}: unexpected {kind} {value}"
            )
        else:
            differences.compared[str(expected["type"])] += 1
            compare_fields(topic.name, name, expected, value, differences)
        seen.add(key)
    for group in groups.values():
        for key in topic.keys(group):
            if key not in seen:
                kind = (topic.fields(group, key) or {})["type"]
                line = f"{topic.name} {key} ({group.request_id}): missing {kind}"
                differences.add(f"{topic.name}: missing {kind}", line)


def is_of(
    recorded: Recorded, groups: Mapping[str, Group], key: str | None, value: Mapping[str, Any]
) -> bool:
    """Whether a record belongs to the source: by its request, its group, or its own source."""
    return (
        str(value.get("request_id", "")).startswith(recorded.request_prefix)
        or str(key).partition("/")[0] in groups
        or value.get("source") == recorded.source
    )


def compare_fields(
    topic: str, name: str, expected: Fields, value: Mapping[str, Any], differences: Differences
) -> None:
    """List the fields that do not say what they should."""
    for path, wanted in expected.items():
        actual = at_path(value, path)
        if not same(actual, wanted):
            said = wanted.isoformat() if isinstance(wanted, datetime) else repr(wanted)
            differences.add(
                f"{topic}: {expected['type']}.{path}",
                f"{name}: {path} is {actual!r}, should be {said}",
            )


def at_path(value: Any, path: str) -> Any:
    """What stands at a path; ``None`` where it leads nowhere, ``*`` gathers from every item."""
    head, _, rest = path.partition(".")
    if head == "*":
        return sorted((at_path(item, rest) for item in value or ()), key=str)
    found = value.get(head) if isinstance(value, Mapping) else None
    return at_path(found, rest) if rest else found


def same(actual: Any, wanted: Any) -> bool:
    """Whether a field says what it should: times as instants, absent as null or false."""
    if isinstance(wanted, datetime):
        try:
            return datetime.fromisoformat(actual) == wanted
        except (TypeError, ValueError):  # not a time at all, or one without a zone
            return False
    if isinstance(wanted, list) and isinstance(actual, list):
        return len(actual) == len(wanted) and all(map(same, actual, wanted))
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return {name: found for name, found in actual.items() if found is not None} == wanted
    if wanted is False:
        return actual is None or actual is False
    return bool(actual == wanted)


# --- what the topics must say --------------------------------------------------------------------


def purchase_keys(group: Group) -> Iterator[str]:
    """The keys of ``purchases`` that a group must have."""
    yield group.group_id
    yield f"{group.group_id}/definition"
    for member in group.rows:
        yield f"{group.group_id}/member/{member}"
    for return_id, refused in group.refused.items():
        yield f"{group.group_id}/refused/{refused.source}/{return_id}"


def purchase_fields(group: Group, key: str) -> Fields | None:
    """What the record of a key of ``purchases`` must say; ``None`` if it should not be there."""
    match key.split("/"):
        case [_]:
            return state_fields(group)
        case [_, "definition"]:
            return terms_fields(group)
        case [_, "member", member] if member in group.rows:
            return row_fields(group, member)
        case [_, "refused", source, return_id] if return_id in group.refused:
            if group.refused[return_id].source == source:
                return refused_fields(group, return_id)
    return None


def state_fields(group: Group) -> Fields:
    """The group's summary."""
    return {
        "type": "PurchaseState",
        "group_id": group.group_id,
        "request_id": group.request_id,
        "status": group.status,
        "quantity": group.quantity,
        "value": group.value,
        "currency": group.terms.currency,
        "members": group.members,
        "closed_at": group.closed_at,
    }


def terms_fields(group: Group) -> Fields:
    """The terms, as far as the recorded data fixes them."""
    terms = group.terms
    fields = {
        "type": "PurchaseOpened",
        "group_id": group.group_id,
        "request_id": group.request_id,
        "requested_at": terms.opens_at,
        "withdrawn_at": None,
        "number_of_products": terms.number_of_products,
        "opens_at": terms.opens_at,
        "closes_at": terms.closes_at,
        "grace_seconds": terms.grace_seconds,
        "stop_at_number": False,
        "if_incomplete": terms.if_incomplete,
        "members.*.id": sorted(terms.members),
        "payment.method": "shop",
        "favor.scope": "member",
        "favor.tiers": [tier_fields(tier) for tier in terms.tiers],
    }
    if terms.unit_price is not None:
        fields |= {"unit_price": terms.unit_price, "currency": terms.currency}
    return fields


def row_fields(group: Group, member: str) -> Fields:
    """One purchaser's row."""
    row = group.rows[member]
    return {
        "type": "PurchaseRow",
        "group_id": group.group_id,
        "request_id": group.request_id,
        "member_id": member,
        "quantity": row.quantity,
        "value": row.value,
        "currency": group.terms.currency,
        "period.opens_at": group.terms.opens_at,
        "period.closes_at": group.terms.closes_at,
        "first_ordered_at": row.first_ordered_at,
        "last_ordered_at": row.last_ordered_at,
        "orders": row.orders,
    }


def refused_fields(group: Group, return_id: str) -> Fields:
    """What a return exceeds its member's orders by."""
    refused = group.refused[return_id]
    return {
        "type": "OrderRefused",
        "group_id": group.group_id,
        "order_id": return_id,
        "source": refused.source,
        "member_id": refused.member_id,
        "quantity": refused.quantity,
    }


def favor_keys(group: Group) -> Iterator[str]:
    """The keys of ``favors`` that a group must have."""
    yield group.group_id
    for member in group.favors:
        yield f"{group.group_id}/member/{member}"


def favor_fields(group: Group, key: str) -> Fields | None:
    """What the record of a key of ``favors`` must say; ``None`` if it should not be there."""
    head: Fields = {"group_id": group.group_id, "request_id": group.request_id}
    match key.split("/"):
        case [_]:
            return head | {
                "type": "FavorDecision",
                "tier": tier_fields(group.tier) if group.tier else None,
                "cancel_all": False,
                "total": group.favor_total,
                "currency": group.terms.currency,
                "members": len(group.favors),
            }
        case [_, "member", member] if member in group.favors:
            favor = group.favors[member]
            return head | {
                "type": "Favor",
                "member_id": member,
                "basis": favor.basis,
                "percent": favor.percent,
                "gift": None,
                "amount": favor.amount,
                "currency": group.terms.currency,
            }
    return None


def tier_fields(tier: Tier) -> Fields:
    """A step of the ladder as the topics write it."""
    return {"from_quantity": tier.from_quantity, "percent_off": tier.percent_off}


PURCHASES = Topic("purchases", purchase_keys, purchase_fields)
FAVORS = Topic("favors", favor_keys, favor_fields)


# --- the command ---------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Compare two exports with the files that the command names; 1 if they differ."""
    common = argparse.ArgumentParser(add_help=False)
    for topic in ("--purchases", "--favors"):
        common.add_argument(
            topic, required=True, type=Path, metavar="EXPORT", help="JSON lines; .gz is unpacked"
        )
    common.add_argument("--show", type=int, default=50, help="how many differences to print")
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.compare", description=__doc__)
    add_sources(parser, common)
    given = parser.parse_args(arguments)
    found = compare(
        from_arguments(given), read_lines(given.purchases), read_lines(given.favors), given.show
    )
    counted = chain(found.lines, (f"{n:>8} {kind}" for kind, n in found.kinds.most_common()))
    for line in counted:
        print(line)
    compared = ", ".join(f"{n} {kind}" for kind, n in sorted(found.compared.items()))
    print(f"{found.total} differences; compared {compared or 'nothing'}")
    return 1 if found.total else 0


if __name__ == "__main__":
    sys.exit(main())
