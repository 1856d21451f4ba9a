"""Holds the oracle to cases computed by hand, and the comparison to seeing what differs."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from .compare import (
    Fields,
    compare,
    favor_fields,
    favor_keys,
    main,
    purchase_fields,
    purchase_keys,
)
from .recorded import Favor, Recorded, Refused, Row, Tier, beibei, half_up, online_retail, sums

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def retail(*lines: str) -> Recorded:
    """The result for lines of ``invoice product quantity date time price customer``."""
    return online_retail([table(*lines)])


def table(*lines: str) -> list[str]:
    written = [HEADER]
    for line in lines:
        invoice, product, quantity, day, time, price, *customer = line.split()
        member = "".join(customer)
        written.append(
            f'{invoice},{product},"A, B",{quantity},{day} {time}:00,{price},{member},United Kingdom'
        )
    return written


def only(recorded: Recorded) -> str:
    (request_id,) = recorded.groups
    return request_id


def test_two_buyers_who_reach_a_tier_get_its_percent_each_on_their_own_value() -> None:
    recorded = retail(
        "536365 22423 60 2010-12-01 08:26 2.55 17850.0",
        "536366 22423 30 2010-12-02 09:00 2.55 13047.0",
        "536367 22423 10 2010-12-03 10:00 2.95 17850.0",
    )
    group = recorded.groups["or-22423-2010W48"]
    assert group.terms.opens_at == at("2010-11-29T00:00")
    assert group.status == "complete"
    assert group.closed_at == group.terms.closes_at == at("2010-12-06T00:00")
    assert (group.quantity, group.value, group.members) == (100, 25_900, 2)
    assert group.rows == {
        # 60 x 255 + 10 x 295 = 15,300 + 2,950
        "17850": Row(70, 18_250, 2, at("2010-12-01T08:26"), at("2010-12-03T10:00")),
        "13047": Row(30, 7_650, 1, at("2010-12-02T09:00"), at("2010-12-02T09:00")),
    }
    assert group.tier == Tier(100, 5)
    # 912.5 and 382.5, both half up
    assert group.favors == {
        "17850": Favor(913, 5, "complete"),
        "13047": Favor(383, 5, "complete"),
    }
    assert group.favor_total == 1_296
    assert not group.refused
    assert recorded.fed == {"OrderPaid": 3, "OrderReturned": 0}


@pytest.mark.parametrize(
    ("quantity", "status", "percent"),
    [
        (98, "elapsed", None),
        (99, "complete", 5),
        (248, "complete", 5),
        (249, "complete", 10),
        (498, "complete", 10),
        (499, "complete", 15),
        (5000, "complete", 15),
    ],
)
def test_a_tier_begins_at_its_quantity(quantity: int, status: str, percent: int | None) -> None:
    recorded = retail(
        f"1 A {quantity} 2010-12-01 08:00 1.00 11.0", "2 A 1 2010-12-01 08:01 1.00 12.0"
    )
    group = recorded.groups["or-A-2010W48"]
    assert group.status == status
    assert (group.tier.percent_off if group.tier else None) == percent
    assert (len(group.favors), group.favor_total) == (
        (2, half_up(quantity * percent, 1) + half_up(percent, 1)) if percent else (0, 0)
    )


def test_sunday_evening_is_of_the_old_week_and_monday_midnight_of_the_new() -> None:
    recorded = retail(
        "1 A 1 2010-12-05 23:58 1.00 11.0",
        "2 A 2 2010-12-05 23:59 1.00 12.0",
        "3 A 4 2010-12-06 00:00 1.00 11.0",
        "4 A 8 2010-12-06 00:01 1.00 12.0",
        "C5 A -8 2010-12-06 00:02 1.00 11.0",
    )
    old, new = recorded.groups["or-A-2010W48"], recorded.groups["or-A-2010W49"]
    assert (old.quantity, old.closed_at) == (3, at("2010-12-06T00:00"))
    assert (new.quantity, new.terms.opens_at) == (8, at("2010-12-06T00:00"))
    assert old.rows["11"].quantity == 1, "a return does not reach into another week"
    assert new.refused == {"C5-1": Refused("online-retail", "11", 4)}


def test_the_week_of_new_year_is_named_by_the_iso_year() -> None:
    recorded = retail("1 A 1 2011-01-01 10:00 1.00 11.0", "2 A 1 2011-01-02 10:00 1.00 12.0")
    assert only(recorded) == "or-A-2010W52"
    recorded = retail("1 A 1 2011-01-03 10:00 1.00 11.0", "2 A 1 2011-01-04 10:00 1.00 12.0")
    assert only(recorded) == "or-A-2011W01"


def test_a_guest_is_one_member_for_each_invoice() -> None:
    recorded = retail("1 A 1 2010-12-01 08:00 1.00", "2 A 2 2010-12-01 08:01 1.00")
    assert set(recorded.groups["or-A-2010W48"].rows) == {"guest-1", "guest-2"}
    recorded = retail("1 A 1 2010-12-01 08:00 1.00", "1 A 2 2010-12-01 08:00 1.00")
    assert not recorded.groups, "two lines of one guest's invoice are one buyer"


def test_a_guest_can_only_return_to_nobody() -> None:
    recorded = retail(
        "1 A 5 2010-12-01 08:00 1.00",
        "2 A 5 2010-12-01 08:01 1.00 12.0",
        "C3 A -5 2010-12-01 08:02 1.00",
    )
    group = recorded.groups["or-A-2010W48"]
    assert group.refused == {"C3-1": Refused("online-retail", "guest-C3", 5)}
    assert "guest-C3" not in group.rows
    assert group.quantity == 10


def test_one_buyer_is_no_group_whatever_returns_and_skipped_lines_say() -> None:
    recorded = retail(
        "1 A 50 2010-12-01 08:00 1.00 11.0",
        "2 A 50 2010-12-01 08:01 1.00 11.0",
        "C3 A -5 2010-12-01 08:02 1.00 12.0",
        "4 A 50 2010-12-01 08:03 0.0 13.0",
        "5 A -50 2010-12-01 08:04 1.00 14.0",
        "6 A 0 2010-12-01 08:05 1.00 15.0",
    )
    assert not recorded.groups
    assert recorded.skipped == {
        "no group": 3,
        "no price": 1,
        "negative quantity": 1,
        "no quantity": 1,
    }


def test_product_codes_that_differ_by_case_are_different_products() -> None:
    recorded = retail(
        "1 15056bl 1 2010-12-01 08:00 1.00 11.0", "2 15056BL 1 2010-12-01 08:01 1.00 12.0"
    )
    assert not recorded.groups


def test_lines_are_numbered_with_those_that_are_skipped() -> None:
    recorded = retail(
        "1 A 1 2010-12-01 08:00 1.00 11.0",
        "2 A 1 2010-12-01 08:00 1.00 12.0",
        "C3 B -1 2010-12-01 08:01 1.00 11.0",
        "C3 A 0 2010-12-01 08:01 1.00 11.0",
        "C3 A -2 2010-12-01 08:01 1.00 11.0",
        "C3 A -1 2010-12-01 08:01 0 11.0",
        "C3 A -3 2010-12-01 08:02 1.00 12.0",
    )
    assert recorded.groups["or-A-2010W48"].refused == {
        "C3-3": Refused("online-retail", "11", 1),
        "C3-5": Refused("online-retail", "12", 2),
    }
    assert recorded.fed == {"OrderPaid": 2, "OrderReturned": 2}


def test_a_return_takes_from_the_latest_orders_at_their_own_price() -> None:
    recorded = retail(
        "1 A 10 2010-12-01 08:00 1.00 11.0",
        "2 A 10 2010-12-01 08:05 2.00 11.0",
        "2 A 10 2010-12-01 08:05 4.00 11.0",
        "3 A 1 2010-12-01 08:06 1.00 12.0",
        "C4 A -15 2010-12-02 08:00 9.99 11.0",
    )
    group = recorded.groups["or-A-2010W48"]
    # all 10 at 4.00, which came after the 10 at 2.00 of the same minute, and 5 of those
    assert group.rows["11"] == Row(
        15, 10 * 100 + 5 * 200, 3, at("2010-12-01T08:00"), at("2010-12-01T08:05")
    )
    assert not group.refused


def test_later_orders_and_later_returns_go_on_from_what_is_left() -> None:
    recorded = retail(
        "1 A 4 2010-12-01 08:00 1.00 11.0",
        "9 A 1 2010-12-01 08:00 1.00 12.0",
        "C2 A -3 2010-12-01 08:01 1.00 11.0",
        "3 A 2 2010-12-01 08:02 3.00 11.0",
        "C4 A -2 2010-12-01 08:03 1.00 11.0",
        "C5 A -2 2010-12-01 08:04 1.00 11.0",
    )
    group = recorded.groups["or-A-2010W48"]
    assert group.rows["11"] == Row(0, 0, 2, at("2010-12-01T08:00"), at("2010-12-01T08:02"))
    assert group.refused == {"C5-1": Refused("online-retail", "11", 1)}
    assert (group.quantity, group.value, group.members) == (1, 100, 1)


def test_a_return_before_its_order_is_refused_and_the_order_counts() -> None:
    recorded = retail(
        "C1 A -5 2010-12-01 08:00 1.00 11.0",
        "2 A 5 2010-12-01 08:00 1.00 11.0",
        "3 A 5 2010-12-01 08:00 1.00 12.0",
    )
    group = recorded.groups["or-A-2010W48"]
    assert group.refused == {"C1-1": Refused("online-retail", "11", 5)}
    assert group.rows["11"].quantity == 5


def test_the_order_of_time_comes_before_the_order_of_lines_and_files() -> None:
    december = table(
        "C9 A -5 2010-12-02 08:00 1.00 11.0",
        "1 A 5 2010-12-01 08:00 1.00 11.0",
        "2 A 1 2010-12-01 08:00 1.00 12.0",
    )
    march = table("3 B 1 2011-03-01 08:00 1.00 11.0", "4 B 2 2011-03-01 08:00 1.00 12.0")
    recorded = online_retail([march, december])
    assert recorded == online_retail([december, march])
    assert list(recorded.groups) == ["or-A-2010W48", "or-B-2011W09"]
    assert not recorded.groups["or-A-2010W48"].refused
    assert recorded.groups["or-A-2010W48"].rows["11"].quantity == 0


def test_an_invoice_over_two_files_is_numbered_from_the_earlier_file() -> None:
    february = table(
        "1 A 1 2011-02-28 23:58 1.00 11.0",
        "2 A 1 2011-02-28 23:58 1.00 12.0",
        "C3 A -2 2011-02-28 23:59 1.00 11.0",
    )
    march = table("C3 A -3 2011-03-01 00:00 1.00 12.0")
    group = online_retail([march, february]).groups["or-A-2011W09"]
    assert group.refused == {
        "C3-1": Refused("online-retail", "11", 1),
        "C3-2": Refused("online-retail", "12", 2),
    }


def test_a_return_can_cost_the_group_its_tier_and_leaves_no_favor_to_who_kept_nothing() -> None:
    lines = (
        "1 A 100 2010-12-01 08:00 1.00 11.0",
        "2 A 100 2010-12-01 08:01 1.00 12.0",
        "3 A 50 2010-12-01 08:02 1.00 13.0",
    )
    group = retail(*lines).groups["or-A-2010W48"]
    assert group.tier == Tier(250, 10)
    group = retail(*lines, "C4 A -50 2010-12-05 23:59 1.00 13.0").groups["or-A-2010W48"]
    assert group.tier == Tier(100, 5)
    assert set(group.favors) == {"11", "12"}
    assert set(group.rows) == {"11", "12", "13"}
    assert (group.members, group.favor_total) == (2, 1_000)
    group = retail(*lines, "C4 A -151 2010-12-05 23:59 1.00 11.0").groups["or-A-2010W48"]
    assert group.refused == {"C4-1": Refused("online-retail", "11", 51)}
    assert (group.quantity, group.status) == (150, "complete")


def test_a_group_that_returned_everything_has_elapsed_with_nothing() -> None:
    group = retail(
        "1 A 100 2010-12-01 08:00 1.00 11.0",
        "2 A 100 2010-12-01 08:01 1.00 12.0",
        "C3 A -100 2010-12-01 08:02 1.00 11.0",
        "C4 A -100 2010-12-01 08:03 1.00 12.0",
    ).groups["or-A-2010W48"]
    assert (group.status, group.quantity, group.value, group.members) == ("elapsed", 0, 0, 0)
    assert (group.tier, group.favors, group.favor_total) == (None, {}, 0)
    assert len(group.rows) == 2


@pytest.mark.parametrize(
    ("price", "pence"),
    [("0.124", 12), ("0.125", 13), ("1.005", 101), ("2.675", 268), ("0.005", 1), ("3", 300)],
)
def test_a_price_of_three_decimals_is_rounded_half_up_before_it_is_multiplied(
    price: str, pence: int
) -> None:
    group = retail(
        f"1 A 1000 2010-12-01 08:00 {price} 11.0", "2 A 1 2010-12-01 08:01 1.00 12.0"
    ).groups["or-A-2010W48"]
    assert group.rows["11"].value == 1000 * pence


@pytest.mark.parametrize("price", ["0", "0.0", "0.00", "0.004", "-0.004", "-11062.06"])
def test_a_line_whose_price_rounds_to_nothing_is_skipped(price: str) -> None:
    recorded = retail(
        f"1 A 1 2010-12-01 08:00 {price} 11.0",
        "2 A 1 2010-12-01 08:01 1.00 12.0",
        f"C3 A -1 2010-12-01 08:02 {price} 12.0",
        "4 A 1 2010-12-01 08:03 1.00 13.0",
    )
    group = recorded.groups["or-A-2010W48"]
    assert set(group.rows) == {"12", "13"}
    assert (group.quantity, recorded.skipped) == (2, Counter({"no price": 2}))


def test_a_favor_may_round_down_to_nothing_and_is_given_all_the_same() -> None:
    group = retail("1 A 99 2010-12-01 08:00 0.01 11.0", "2 A 1 2010-12-01 08:01 0.09 12.0").groups[
        "or-A-2010W48"
    ]
    # 4.95 and 0.45
    assert group.favors == {"11": Favor(5, 5, "complete"), "12": Favor(0, 5, "complete")}


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(0, 7, 0), (1, 2, 1), (3, 2, 2), (5, 2, 3), (1, 3, 0), (2, 3, 1), (49, 100, 0), (50, 100, 1)],
)
def test_half_goes_up(numerator: int, denominator: int, rounded: int) -> None:
    assert half_up(numerator, denominator) == rounded


def test_a_successful_line_is_complete_in_its_own_second() -> None:
    group = beibei(["7\t5267\t8\t9\n"], []).groups["bb-s-1"]
    second = at("2020-01-01T00:00:01")
    assert group.terms.members == ("7", "8", "9")
    assert (group.terms.opens_at, group.terms.closes_at) == (second, second + timedelta(days=1))
    assert (group.status, group.closed_at) == ("complete", second)
    assert (group.quantity, group.value, group.members) == (3, 3_000, 3)
    assert group.rows["8"] == Row(1, 1_000, 1, second, second)
    assert (group.tier, group.favor_total) == (Tier(1, 10), 300)
    assert group.favors["9"] == Favor(100, 10, "complete")


@pytest.mark.parametrize(
    ("line", "users"),
    [
        ("7\t1\t8\t8", ["7", "8"]),
        ("7\t1\t7\t8", ["7", "8"]),
        ("7\t1\t7", ["7"]),
        ("7\t1", ["7"]),
        ("7\t8\t9", ["7", "9"]),
    ],
)
def test_a_group_is_of_its_distinct_users_and_the_item_is_none(line: str, users: list[str]) -> None:
    group = beibei([line], []).groups["bb-s-1"]
    assert list(group.rows) == users
    assert group.terms.number_of_products == len(users)
    assert group.status == "complete"


def test_a_failed_line_waits_for_nobody_until_its_deadline_and_gives_nothing() -> None:
    recorded = beibei([], ["1\t98", "15169\t98"])
    group = recorded.groups["bb-f-2"]
    assert group.terms.members == ("15169", "nobody-2")
    assert group.terms.number_of_products == 2
    assert (group.status, group.closed_at) == ("elapsed", at("2020-01-02T00:00:02"))
    assert set(group.rows) == {"15169"}
    assert (group.quantity, group.value, group.members) == (1, 1_000, 1)
    assert (group.tier, group.favors, group.favor_total) == (None, {}, 0)


def test_grace_moves_the_close_of_failed_lines_only_and_a_limit_holds_for_each_file() -> None:
    recorded = beibei(["1\t2\t3"] * 3, ["4\t5"] * 3, limit=2, grace_seconds=60)
    assert list(recorded.groups) == ["bb-s-1", "bb-s-2", "bb-f-1", "bb-f-2"]
    assert recorded.groups["bb-s-2"].closed_at == at("2020-01-01T00:00:02")
    assert recorded.groups["bb-f-2"].closed_at == at("2020-01-02T00:01:02")
    assert recorded.groups["bb-f-2"].terms.closes_at == at("2020-01-02T00:00:02")
    assert sums(recorded)["orders"] == 6


# --- the comparison ------------------------------------------------------------------------------

SMALL = retail(
    "1 A 60 2010-12-01 08:00 1.00 11.0",
    "2 A 50 2010-12-01 08:01 1.00 12.0",
    "C3 A -61 2010-12-01 08:02 1.00 11.0",
    "4 A 60 2010-12-01 08:03 1.00 13.0",
)
GROUP = SMALL.groups["or-A-2010W48"]
GROUP_ID = GROUP.group_id


def export(recorded: Recorded) -> tuple[list[str], list[str]]:
    """The two exports as a system that is right would print them."""
    purchases, favors = [], []
    for group in recorded.groups.values():
        for key in purchase_keys(group):
            purchases.append(exported(key, purchase_fields(group, key)))
        for key in favor_keys(group):
            favors.append(exported(key, favor_fields(group, key)))
    return purchases, favors


def exported(key: str, fields: Fields | None) -> str:
    value: dict[str, object] = {"version": 3}
    for path, found in (fields or {}).items():
        if path == "members.*.id":
            value["members"] = [{"id": member} for member in reversed(found)]
            continue
        inside = value
        *parents, name = path.split(".")
        for parent in parents:
            inside = inside.setdefault(parent, {})  # type: ignore[assignment]
        is_time = isinstance(found, datetime)
        inside[name] = found.isoformat().replace("+00:00", "Z") if is_time else found
    record = {"key": key, "partition": 0, "offset": 1, "timestamp": 2, "headers": {}}
    return json.dumps(record | {"value": value})


def changed(lines: Iterable[str], key: str, **fields: object) -> list[str]:
    """The lines with some fields of one record's value changed."""
    records = [json.loads(line) for line in lines]
    for record in records:
        if record["key"] == key:
            record["value"] |= fields
    return [json.dumps(record) for record in records]


@pytest.mark.parametrize("recorded", [SMALL, beibei(["1\t2\t3"], ["4\t5"])], ids=["or", "bb"])
def test_an_export_that_is_right_has_no_differences(recorded: Recorded) -> None:
    found = compare(recorded, *export(recorded))
    assert not found.lines
    assert found.compared["PurchaseState"] == len(recorded.groups)
    assert found.compared.total() == sum(map(len, export(recorded)))


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("", {"status": "elapsed"}),
        ("", {"quantity": 109}),
        ("", {"closed_at": "2010-12-06T00:00:01Z"}),
        ("", {"closed_at": None}),
        ("", {"closed_at": "2010-12-06T00:00:00"}),
        ("", {"currency": None}),
        ("", {"request_id": "or-B-2010W48"}),
        ("/definition", {"members": [{"id": "11"}]}),
        ("/definition", {"favor": {"scope": "member", "tiers": []}}),
        ("/definition", {"withdrawn_at": "2010-12-06T00:00:00Z"}),
        ("/member/11", {"orders": 0}),
        ("/member/12", {"value": 5_001}),
        (
            "/member/12",
            {"period": {"opens_at": "2010-11-29T00:00:00Z", "closes_at": "2010-12-06T00:01:00Z"}},
        ),
        ("/refused/online-retail/C3-1", {"quantity": 61}),
    ],
)
def test_a_purchase_that_differs_is_named(key: str, fields: dict[str, object]) -> None:
    purchases, favors = export(SMALL)
    found = compare(SMALL, changed(purchases, GROUP_ID + key, **fields), favors)
    assert found.total == 1
    assert f"purchases {GROUP_ID}{key} (" in found.lines[0]


@pytest.mark.parametrize(
    ("key", "fields"),
    [
        ("", {"tier": None}),
        ("", {"tier": {"from_quantity": 100, "percent_off": 10}}),
        ("", {"total": 0}),
        ("", {"members": 3}),
        ("", {"cancel_all": True}),
        ("/member/12", {"amount": 251}),
        ("/member/12", {"percent": 10}),
        ("/member/12", {"basis": "late"}),
        ("/member/12", {"gift": "a mug"}),
    ],
)
def test_a_favor_that_differs_is_named(key: str, fields: dict[str, object]) -> None:
    purchases, favors = export(SMALL)
    found = compare(SMALL, purchases, changed(favors, GROUP_ID + key, **fields))
    assert found.total == 1
    assert f"favors {GROUP_ID}{key} (or-A-2010W48)" in found.lines[0]


def test_other_ways_to_write_the_same_are_no_difference() -> None:
    purchases, favors = export(SMALL)
    purchases = changed(purchases, GROUP_ID, closed_at="2010-12-06T01:00:00.000+01:00")
    tier = {"from_quantity": 100, "percent_off": 5.0, "gift": None}
    favors = changed(favors, GROUP_ID, tier=tier, new_field=1)
    assert not compare(SMALL, purchases, favors).lines


def test_every_record_that_is_missing_is_a_difference() -> None:
    purchases, favors = export(SMALL)
    for place in range(len(purchases)):
        found = compare(SMALL, purchases[:place] + purchases[place + 1 :], favors)
        assert [found.total, "missing" in found.lines[0]] == [1, True]
    for place in range(len(favors)):
        found = compare(SMALL, purchases, favors[:place] + favors[place + 1 :])
        assert [found.total, "missing" in found.lines[0]] == [1, True]
    assert compare(SMALL, [], []).total == len(purchases) + len(favors)


def test_every_record_that_should_not_be_there_is_a_difference() -> None:
    purchases, favors = export(SMALL)
    other = export(retail("1 B 1 2010-12-01 08:00 1 11.0", "2 B 1 2010-12-01 08:00 1 12.0"))
    row = {"type": "PurchaseRow", "member_id": "14", "request_id": "or-A-2010W48"}
    refused = {"type": "OrderRefused", "source": "online-retail", "order_id": "9-1"}
    favor = {"type": "Favor", "member_id": "11", "request_id": "or-A-2010W48", "amount": 0}
    for extra in (
        exported(f"{GROUP_ID}/member/14", row),
        exported(f"{GROUP_ID}/refused/online-retail/9-1", refused),
        exported("GB-00000-00000-0/refused/online-retail/9-1", refused),
        other[0][0],
        purchases[0],
    ):
        assert compare(SMALL, [*purchases, extra], favors).total == 1
    for extra in (exported(f"{GROUP_ID}/member/11", favor), other[1][0]):
        assert compare(SMALL, purchases, [*favors, extra]).total == 1


def test_other_sources_and_tombstones_are_passed_over() -> None:
    purchases, favors = export(SMALL)
    others = export(beibei(["1\t2\t3"], ["4\t5"]))
    tombstone = json.dumps({"key": f"{GROUP_ID}/member/99", "value": None})
    assert not compare(SMALL, [*others[0], *purchases, tombstone], [*others[1], *favors]).lines


def test_only_the_first_differences_are_kept_and_all_are_counted() -> None:
    found = compare(SMALL, [], [], shown_max=2)
    assert len(found.lines) == 2
    assert found.kinds["purchases: missing PurchaseRow"] == 3
    assert found.total == 9


def test_the_command_says_by_its_exit_whether_there_are_differences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    successful, failed = ["1\t2\t3"], ["4\t5"]
    for name, lines in (("successful", successful), ("failed", failed)):
        with gzip.open(tmp_path / f"{name}.tsv.gz", "wt") as file:
            file.write("\n".join(lines) + "\n")
    purchases, favors = export(beibei(successful, failed))
    (tmp_path / "purchases").write_text("\n".join(purchases))
    (tmp_path / "favors").write_text("\n".join(favors))
    arguments = ["beibei", "--limit", "1"]
    arguments += ["--successful", str(tmp_path / "successful.tsv.gz")]
    arguments += ["--failed", str(tmp_path / "failed.tsv.gz")]
    arguments += ["--purchases", str(tmp_path / "purchases"), "--favors", str(tmp_path / "favors")]
    assert main(arguments) == 0
    assert capsys.readouterr().out.startswith("0 differences; compared 2 Favor, 2 FavorDecision")
    assert main([*arguments, "--grace-seconds", "60"]) == 1
    assert "PurchaseState.closed_at" in capsys.readouterr().out
