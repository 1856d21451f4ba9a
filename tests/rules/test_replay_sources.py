"""What recorded shop data becomes, and in which order it goes out; no broker."""

import gzip
import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from replay import beibei, online_retail
from replay.online_retail import pence
from replay.stretch import SourceError, Stretch, Timed, deadline_of, under_id
from replay.timetable import HOUR, Faults, Timetable, displaced, repeated
from runtime.records import encode
from schemas.groups import GROUP_PURCHASE_REQUESTS, GroupPurchaseRequested
from schemas.orders import OrderPaid, OrderReturned
from schemas.parts import TimePassed

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
DATA = Path(os.environ.get("JOINTBUY_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no recorded data at {DATA}: set JOINTBUY_DATA"
)
MONDAY = datetime(2010, 12, 6, tzinfo=UTC)


def retail(tmp_path: Path, *lines: str, name: str = "a.csv.gz", header: str = HEADER) -> Path:
    """A file of these lines; a line may leave the country away."""
    file = tmp_path / name
    file.write_bytes(gzip.compress("\n".join([header, *lines]).encode()))
    return file


def only(files: list[Path]) -> Stretch:
    """The one stretch of the files."""
    (stretch,) = online_retail.stretches(files)
    return stretch


def orders_of(stretch: Stretch) -> list[OrderPaid]:
    return [at_message.message for at_message in stretch.orders]  # type: ignore[misc]


# --- online retail -------------------------------------------------------------------------------

ANN = "1,85123A,WHITE HEART,6,2010-12-08 08:26:00,2.55,17850.0,UK"
BOB = "2,85123A,WHITE HEART,2,2010-12-09 09:00:00,2.55,13047.0,UK"


def test_two_members_buying_a_product_in_a_week_make_a_group(tmp_path: Path) -> None:
    """The terms are those of DESIGN.md section 10."""
    stretch = only([retail(tmp_path, ANN, BOB)])
    assert stretch.requests[0].at == MONDAY
    request = stretch.requests[0].message
    assert isinstance(request, GroupPurchaseRequested)
    assert request.model_dump(mode="json", exclude_none=True, exclude_defaults=True) == {
        "request_id": "or-85123A-2010W49",
        "requested_at": "2010-12-06T00:00:00Z",
        "product": {"id": "85123A", "name": "WHITE HEART"},
        "number_of_products": 100,
        "currency": "GBP",
        "opens_at": "2010-12-06T00:00:00Z",
        "closes_at": "2010-12-13T00:00:00Z",
        "grace_seconds": 0,
        "payment": {},
        "favor": {
            "tiers": [
                {"from_quantity": 100, "percent_off": 5},
                {"from_quantity": 250, "percent_off": 10},
                {"from_quantity": 500, "percent_off": 15},
            ]
        },
        "if_incomplete": "as-reached",
    }
    assert GROUP_PURCHASE_REQUESTS.adapter.validate_json(encode(request)) == request


def test_an_order_waits_for_its_groups_id(tmp_path: Path) -> None:
    """It is written under the request's id, and sent under the group's."""
    first = orders_of(only([retail(tmp_path, ANN, BOB)]))[0]
    assert first == OrderPaid(
        order_id="1-1",
        source="online-retail",
        group_id="or-85123A-2010W49",
        member_id="17850",
        quantity=6,
        unit_price=255,
        currency="GBP",
        ordered_at=datetime(2010, 12, 8, 8, 26, tzinfo=UTC),
    )
    assert under_id(first, {"or-85123A-2010W49": "GB-1"}) == first.model_copy(
        update={"group_id": "GB-1"}
    )


@pytest.mark.parametrize(
    ("lines", "groups", "why"),
    [
        ([ANN], 0, "one member"),
        ([ANN, ANN.replace("1,", "3,", 1)], 0, "one member in two invoices"),
        ([ANN, BOB], 1, "two members"),
        ([ANN, BOB.replace("2,", "C2,", 1)], 0, "the second only returns"),
        ([ANN, BOB.replace("2.55", "0")], 0, "the second's line is skipped"),
        ([ANN, BOB.replace("13047.0", "")], 1, "a guest counts"),
        ([ANN.replace("17850.0", ""), BOB.replace("13047.0", "")], 1, "two guests"),
        ([ANN, BOB.replace("85123A", "85123a")], 0, "a code in lower case is another product"),
        ([ANN, BOB.replace("12-09", "12-12")], 1, "Sunday is in the week"),
        ([ANN, BOB.replace("12-09 09", "12-13 00")], 0, "Monday is in the next"),
    ],
)
def test_who_makes_a_group(tmp_path: Path, lines: list[str], groups: int, why: str) -> None:
    """At least two distinct members buy; returns and skipped lines do not."""
    stretches = list(online_retail.stretches([retail(tmp_path, *lines)]))
    assert sum(len(stretch.requests) for stretch in stretches) == groups, why
    orders = sum(len(stretch.orders) for stretch in stretches)
    skipped = sum((stretch.skipped for stretch in stretches), Counter())
    assert orders + skipped.total() == len(lines)
    assert orders == 0 or groups


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("3,85123A,,1,2010-12-08 08:26:00,0,1,UK", "price"),
        ("3,85123A,,1,2010-12-08 08:26:00,0.004,1,UK", "price"),
        ("A3,85123A,,1,2010-12-08 08:26:00,-11062.06,,UK", "price"),
        ("C3,85123A,,-1,2010-12-08 08:26:00,0,1,UK", "price"),
        ("3,85123A,,0,2010-12-08 08:26:00,1,1,UK", "zero-quantity"),
        ("3,85123A,,-5,2010-12-08 08:26:00,1,1,UK", "negative-without-c"),
        ("3,POST,,5,2010-12-08 08:26:00,1,1,UK", "no-group"),
        ("C3,POST,,-5,2010-12-08 08:26:00,1,1,UK", "no-group"),
        ("3,85/123,,5,2010-12-08 08:26:00,1,1,UK", "bad-id"),
        (f"3,{'9' * 60},,5,2010-12-08 08:26:00,1,1,UK", "bad-id"),
    ],
)
def test_lines_that_are_skipped(tmp_path: Path, line: str, reason: str) -> None:
    """Each is counted by its reason, and takes nothing from the others."""
    stretch = only([retail(tmp_path, ANN, BOB, line)])
    assert stretch.skipped == {reason: 1}
    assert len(stretch.orders) == 2
    assert stretch.lines == 3


@pytest.mark.parametrize("invoice", ["C536379", "c536379"])
@pytest.mark.parametrize("quantity", [-7, 7])
def test_a_return_names_no_order(tmp_path: Path, invoice: str, quantity: int) -> None:
    """It takes |Quantity| of the member."""
    line = f"{invoice},85123A,,{quantity},2010-12-10 10:00:00,2.55,17850.0,UK"
    returned = only([retail(tmp_path, ANN, BOB, line)]).orders[-1].message
    assert returned == OrderReturned(
        return_id=f"{invoice}-1",
        source="online-retail",
        group_id="or-85123A-2010W49",
        member_id="17850",
        quantity=7,
        returned_at=datetime(2010, 12, 10, 10, tzinfo=UTC),
    )


def test_line_numbers_count_skipped_lines_too(tmp_path: Path) -> None:
    """The second line of invoice 1 gives nothing, the third is still its third."""
    skipped, third = ANN.replace("2.55", "0"), ANN.replace(",6,", ",1,")
    orders = orders_of(only([retail(tmp_path, ANN, skipped, BOB, third)]))
    assert [order.order_id for order in orders] == ["1-1", "1-3", "2-1"]


def test_orders_go_in_time_order_and_in_file_order_within_a_minute(tmp_path: Path) -> None:
    """Whatever the order of the file's lines."""
    lines = [BOB, ANN, ANN.replace("1,", "9,", 1), ANN.replace("1,", "0,", 1)]
    orders = orders_of(only([retail(tmp_path, *lines)]))
    assert [order.order_id for order in orders] == ["1-1", "9-1", "0-1", "2-1"]


def test_a_week_may_span_files_given_in_any_order(tmp_path: Path) -> None:
    """ISO week 52 of 2010 ends on 2 January 2011; an invoice is numbered on across files."""
    old = retail(tmp_path, ANN, ANN.replace("12-08", "12-31"), name="2010-12.csv.gz")
    new_lines = [ANN.replace("2010-12-08", "2011-01-02"), BOB.replace("2010-12-09", "2011-01-02")]
    next_week = [ANN.replace("2010-12-08", "2011-01-03"), BOB.replace("2010-12-09", "2011-01-03")]
    new = retail(tmp_path, *new_lines, *next_week, name="2011-01.csv.gz")
    first, span, last = online_retail.stretches([new, old])
    assert (first.requests, first.skipped) == ([], {"no-group": 1})
    assert [timed.message.key for timed in span.requests] == ["or-85123A-2010W52"]
    assert [order.order_id for order in orders_of(span)] == ["1-2", "1-3", "2-1"]
    assert span.ends_at == last.starts_at == datetime(2011, 1, 3, tzinfo=UTC)
    assert [timed.message.key for timed in last.requests] == ["or-85123A-2011W01"]


def test_a_product_without_description_is_named_by_its_code(tmp_path: Path) -> None:
    """Else by the first buyer's line that has one, not by the remark of a return."""
    bare = [line.replace("WHITE HEART", " ") for line in (ANN, BOB)]
    remark = "C3,85123A,damaged,-1,2010-12-10 10:00:00,2.55,17850.0,UK"
    request = only([retail(tmp_path, *bare, remark)]).requests[0].message
    assert isinstance(request, GroupPurchaseRequested)
    assert request.product is not None
    assert request.product.name == "85123A"


@pytest.mark.parametrize(
    ("pounds", "expected"),
    [
        ("2.55", 255),
        ("1.005", 101),
        ("0.285", 29),
        ("0.005", 1),
        ("0.0049", 0),
        ("0", 0),
        ("13541.33", 1_354_133),
        ("1e1", 1_000),
        ("-0.005", -1),
        ("-11062.06", -1_106_206),
    ],
)
def test_pence_round_half_up_exactly(pounds: str, expected: int) -> None:
    """As decimals, since 1.005 and 0.285 are less than that as floats."""
    assert pence(pounds) == expected


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("1,85123A,X,six,2010-12-08 08:26:00,2.55,1,UK", "line 2 can't be read"),
        ("1,85123A,X,6,12/8/2010 8:26,2.55,1,UK", "line 2 can't be read"),
        ("1,85123A,X,6,2010-12-08 08:26:00,free,1,UK", "line 2 can't be read"),
        ("1,85123A,X,6,2010-12-08 08:26:00,nan,1,UK", "line 2 can't be read"),
        ("1,85123A", "line 2 can't be read"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, told: str) -> None:
    """Nothing is sent then: all files are looked through first."""
    with pytest.raises(SourceError, match=told):
        next(online_retail.stretches([retail(tmp_path, line)]))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing one, one of another kind, one cut off, one given twice."""
    good = retail(tmp_path, ANN, BOB)
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(good.read_bytes()[:-12])
    other = retail(tmp_path, "x", name="other.csv.gz", header="Invoice,StockCode")
    for files, told in [
        ([tmp_path / "no.csv"], "is not there"),
        ([cut], "get it anew"),
        ([other], "no column InvoiceNo"),
        ([good, good], "given twice"),
    ]:
        with pytest.raises(SourceError, match=told):
            list(online_retail.stretches(files))


# --- BeiBei --------------------------------------------------------------------------------------


def pair(tmp_path: Path, successful: str, failed: str) -> tuple[Path, Path]:
    files = tmp_path / "successful.tsv", tmp_path / "failed.tsv"
    for file, text in zip(files, (successful, failed), strict=True):
        file.write_text(text)
    return files


def test_a_beibei_line_is_a_listed_group_of_its_distinct_users(tmp_path: Path) -> None:
    """Initiator first; a failed one lists somebody who never buys."""
    (stretch,) = beibei.stretches(*pair(tmp_path, "1\t98\t2\t3\t2\t1\n", "7\t97\n"))
    requests = [timed.message for timed in stretch.requests]
    assert requests[0].model_dump(mode="json", exclude_none=True, exclude_defaults=True) == {
        "request_id": "bb-s-1",
        "requested_at": "2020-01-01T00:00:01Z",
        "organizer": {"id": "1"},
        "product": {"id": "98", "name": "item 98"},
        "number_of_products": 3,
        "unit_price": 1000,
        "currency": "CNY",
        "opens_at": "2020-01-01T00:00:01Z",
        "closes_at": "2020-01-02T00:00:01Z",
        "grace_seconds": 0,
        "members": [{"id": "1"}, {"id": "2"}, {"id": "3"}],
        "payment": {},
        "favor": {"tiers": [{"from_quantity": 1, "percent_off": 10}]},
        "if_incomplete": "none",
    }
    assert isinstance(requests[1], GroupPurchaseRequested)
    assert [member.id for member in requests[1].members] == ["7", "nobody-1"]
    assert requests[1].number_of_products == 2
    orders = [(order.order_id, order.member_id, order.group_id) for order in orders_of(stretch)]
    assert orders == [
        ("bb-s-1-1", "1", "bb-s-1"),
        ("bb-s-1-2", "2", "bb-s-1"),
        ("bb-s-1-3", "3", "bb-s-1"),
        ("bb-f-1-1", "7", "bb-f-1"),
    ]
    assert {timed.at for timed in (*stretch.requests, *stretch.orders)} == {beibei.time_of(1)}


def test_beibei_files_are_merged_by_line_and_cut_into_stretches(tmp_path: Path) -> None:
    """At equal seconds the successful line goes first; a file may be longer than the other."""
    files = pair(tmp_path, "1\t9\t2\n" * 3, "3\t9\n" * 5)
    first, second = beibei.stretches(*files, limit=4, lines_in_stretch=3)
    keys = [timed.message.key for timed in first.requests]
    assert keys == ["bb-s-1", "bb-f-1", "bb-s-2", "bb-f-2", "bb-s-3", "bb-f-3"]
    assert [timed.message.key for timed in second.requests] == ["bb-f-4"]
    assert (first.lines, second.lines) == (6, 1)
    assert first.ends_at == second.starts_at == beibei.time_of(4)


def test_a_beibei_line_without_an_item_is_named(tmp_path: Path) -> None:
    """It can't be a BeiBei file then."""
    with pytest.raises(SourceError, match=r"successful\.tsv line 2 "):
        list(beibei.stretches(*pair(tmp_path, "1\t9\t2\n5\n", "")))


# --- the recorded data ---------------------------------------------------------------------------


@needs_data
@pytest.mark.slow
def test_counts_of_a_recorded_online_retail_file() -> None:
    """Every line is an order, a return, or skipped for one reason."""
    files = [DATA / "online-retail" / "2010-12.csv.gz"]
    groups, lines, kinds, skipped = 0, 0, Counter[str](), Counter[str]()
    for stretch in online_retail.stretches(files):
        groups += len(stretch.requests)
        lines += stretch.lines
        kinds.update(type(timed.message).__name__ for timed in stretch.orders)
        skipped += stretch.skipped
        assert [timed.at for timed in stretch.orders] == sorted(
            timed.at for timed in stretch.orders
        )
        assert all(stretch.starts_at <= timed.at < stretch.ends_at for timed in stretch.orders)
    assert (lines, groups) == (42_481, 5_636)
    assert kinds == {"OrderPaid": 38_986, "OrderReturned": 613}
    assert skipped == {"price": 273, "no-group": 2_609}
    assert lines == kinds.total() + skipped.total()


@pytest.mark.slow
@needs_data
def test_counts_of_the_first_beibei_lines() -> None:
    """2,000 of each file."""
    files = DATA / "beibei" / "successful.tsv.gz", DATA / "beibei" / "failed.tsv.gz"
    requests, orders = 0, 0
    for stretch in beibei.stretches(*files, limit=2_000):
        requests += len(stretch.requests)
        orders += len(stretch.orders)
    assert (requests, orders) == (4_000, 6_029)


# --- in which order they go out ------------------------------------------------------------------

START = datetime(2020, 1, 1, tzinfo=UTC)


def order(second: int, number: int = 0) -> Timed:
    at = START + timedelta(seconds=second)
    order_id = f"o-{second}-{number}"
    paid = OrderPaid(
        order_id=order_id, source="s", group_id="g", member_id="m", quantity=1, ordered_at=at
    )
    return Timed(at, paid)


seconds_lists = st.lists(st.integers(0, 20_000), max_size=40).map(sorted)
shuffles = st.integers(0, 7_200)
percents = st.floats(0, 100)
seeds = st.integers(0, 10_000)


@given(seconds_lists, st.integers(1, 7_200), seeds)
def test_shuffling_keeps_every_record_and_displaces_by_the_window_at_most(
    seconds: list[int], window: int, seed: int
) -> None:
    """No record comes behind one that is more than the window later, and none changes."""
    records = [order(second, number) for number, second in enumerate(seconds)]
    placed = displaced(records, window, random.Random(seed))
    assert [record for _, record in placed] == records
    assert all(timedelta(0) <= at - own.at <= timedelta(seconds=window) for at, own in placed)
    latest = START
    for _, record in sorted(placed, key=lambda entry: entry[0]):
        assert latest - record.at <= timedelta(seconds=window)
        latest = max(latest, record.at)


@given(seconds_lists, percents, seeds)
def test_repeating_keeps_the_originals_in_their_order(
    seconds: list[int], percent: float, seed: int
) -> None:
    """A copy comes behind its original, and there is at most one."""
    records = [order(second, number) for number, second in enumerate(seconds)]
    sent = repeated(records, percent, random.Random(seed))
    assert list(dict.fromkeys(sent)) == records
    assert set(Counter(sent).values()) <= {1, 2}


def test_repeating_takes_about_its_percentage() -> None:
    """All of them, none of them, or one in twenty, the same ones for the same seed."""
    records = [order(0, number) for number in range(2_000)]
    assert len(repeated(records, 100, random.Random(1))) == 4_000
    assert repeated(records, 0, random.Random(1)) == records
    some = repeated(records, 5, random.Random(1))
    assert 2_060 < len(some) < 2_140
    assert repeated(records, 5, random.Random(1)) == some


@given(seconds_lists, st.lists(st.integers(1, 19_999), max_size=4), shuffles, percents, seeds)
def test_no_hour_passes_before_a_record_of_an_earlier_time(
    seconds: list[int], cuts: list[int], shuffle: int, percent: float, seed: int
) -> None:
    """Whatever the stretches, the gaps and the faults; and every hour passes, and the end."""
    timetable = Timetable(START, Faults(percent, shuffle, seed))
    records = [order(second, number) for number, second in enumerate(seconds)]
    sent: list[Timed] = []
    begins = 0
    for ends in [*sorted(set(cuts)), 20_001]:
        sent += timetable.until(START + timedelta(seconds=begins))
        now = START + timedelta(seconds=begins), START + timedelta(seconds=ends)
        timetable.add(record for record in records if now[0] <= record.at < now[1])
        sent += timetable.until(now[1])
        begins = ends
    deadline = START + timedelta(days=1, seconds=30)
    sent += timetable.rest(deadline)

    passed = [timed.at for timed in sent if isinstance(timed.message, TimePassed)]
    assert passed == [START + hour * HOUR for hour in range(1, 25)] + [deadline + timedelta(0, 1)]
    orders = [timed for timed in sent if isinstance(timed.message, OrderPaid)]
    assert set(orders) == set(records)
    assert len(orders) == len(records) + timetable.repeated
    clock = START
    for timed in sent:
        assert timed.at >= clock
        if isinstance(timed.message, TimePassed):
            assert timed.message.at == timed.at
            clock = timed.at


def test_undisturbed_orders_go_out_as_they_are_between_hours() -> None:
    """An hour comes before what happens at its stroke."""
    timetable = Timetable(START, Faults())
    timetable.add([order(3_599), order(3_600), order(3_600, 1), order(10_800)])
    shown = [timed.at - START for timed in timetable.until(START + 4 * HOUR)]
    hours = [timedelta(hours=hour) for hour in (1, 1, 1, 2, 3, 3, 4)]
    assert shown == [timedelta(seconds=3_599), *hours]


def test_the_deadline_is_the_close_and_its_grace(tmp_path: Path) -> None:
    """Time has to pass it at the end."""
    (stretch,) = online_retail.stretches([retail(tmp_path, ANN, BOB)], grace_seconds=60)
    request = stretch.requests[0].message
    assert isinstance(request, GroupPurchaseRequested)
    assert deadline_of(request) == datetime(2010, 12, 13, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_partitioner_is_that_of_the_java_client(key: bytes, expected: int) -> None:
    """The values are those of Apache Kafka's own UtilsTest.testMurmur2."""
    assert murmur2(key) == expected % 2**32
