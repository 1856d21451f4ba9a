"""What a fact puts into the lists, and the words it is found by: tables of cases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.auctions import Auction, OfferJudged, Seller, StandingSince
from schemas.favors import Favor
from schemas.groups import Definition, GroupPurchase
from schemas.orders import PurchaseState
from schemas.parts import Message
from services.storefront.readmodel.writer import Batch
from services.storefront.rules.columns import (
    NUMBER_MAX,
    PARTS,
    TERMS_MAX,
    deleted,
    terms_of,
    version_of,
    wanted,
)

NOW = datetime(2026, 6, 15, 12, 0, 0, 999, tzinfo=UTC)
MS = 1_781_524_800_000


def state(version: int, **fields: Any) -> PurchaseState:
    said = {"group_id": "g", "request_id": "r", "version": version, "status": "open"}
    said |= {"quantity": version % 10**9, "value": 0, "members": 1}
    return PurchaseState.model_validate(said | fields)


def terms(**fields: Any) -> GroupPurchase:
    said = {
        "group_id": "g",
        "request_id": "r",
        "version": 1,
        "requested_at": NOW,
        "issued_at": NOW,
        "product": {"name": "Tea"},
        "number_of_products": 100,
        "opens_at": NOW,
        "closes_at": NOW + timedelta(days=1),
    }
    return GroupPurchase.model_validate(said | fields)


AUCTION = Auction.model_validate(
    {
        "auction_id": "a",
        "version": 3,
        "status": "open",
        "product": {"name": "Tea\x00pot"},
        "opened_by": "s",
        "opened_at": NOW,
        "shown": {"offer_id": "o", "seller_id": "t", "unit_price": 9, "minimum_reservations": 5},
        "currency": "EUR",
        "minimum_step": 1,
        "reservations": 7,
        "applicants": 2,
        "invites_at": NOW,
        "closes_at": NOW,
    }
)
DEFINITION = Definition.model_validate(
    {
        "definition_id": "d",
        "shop_id": "s",
        "product": {"name": "Tea"},
        "unit_price": 900,
        "currency": "EUR",
        "favor": {},
        "published_at": NOW,
        "withdrawn_at": NOW,
        "version": 2,
    }
)
SELLER = Seller(
    seller_id="s",
    name="Sato",
    email="s@b.example",
    registered_at=NOW,
    standing="good",
    standings=(StandingSince(standing="good", since=NOW),),
    version=1,
)
JUDGED = OfferJudged(
    offer_id="o", auction_id="a", seller_id="s", verdict="refused", reason="standing"
)


@pytest.mark.parametrize(
    ("fact", "columns"),
    [
        (AUCTION, {"product_name": "Tea\ufffdpot", "minimum": 5, "shown_seller_id": "t"}),
        (AUCTION, {"opened_at": MS, "closes_at": MS, "version": 3, "group_request_id": None}),
        (terms(), {"number": 100, "opens_at": MS, "organizer_id": None, "terms_version": 1}),
        (terms(organizer={"id": "o"}), {"organizer_id": "o", "visibility": "public"}),
        (terms(number_of_products=10**30), {"number": NUMBER_MAX}),
        (state(4), {"state_version": 4, "quantity": 4, "status": "open", "members": 1}),
        (state(10**30), {"state_version": NUMBER_MAX}),
        (DEFINITION, {"withdrawn_at": MS, "published_at": MS, "shop_id": "s"}),
        (JUDGED, {"judged_at": 42, "verdict": "refused", "seller_id": "s"}),
    ],
)
def test_a_fact_s_columns(fact: Message, columns: dict[str, Any]) -> None:
    part = PARTS[type(fact)][0]
    found = part.columns(fact, 42)
    assert found is not None
    assert columns.items() <= found.items()
    assert {*part.id, part.version} <= found.keys()


@pytest.mark.parametrize(
    ("topic", "key", "version"),
    [
        ("auctions", "a", "version"),
        ("auctions", "a/offer/o", "version"),
        ("auctions", "a/conclusion", None),
        ("group-purchases", "g", "terms_version"),
        ("group-purchases", "g/members/1", None),
        ("purchases", "g", "state_version"),
        ("purchases", "g/member/m", None),
        ("definitions", "d", "version"),
        ("sellers", "s", "version"),
        ("sellers", "s/odd", None),
    ],
)
def test_what_goes_with_a_tombstone(topic: str, key: str, version: str | None) -> None:
    found = deleted(topic, key)
    if version is None:
        assert found == []
        return
    ((part, row_id),) = found
    assert part.version == version
    assert row_id == tuple(each for each in key.split("/") if each != "offer")
    columns = part.columns(EXAMPLES[version, part.table], 0)
    assert set(part.when_deleted or {}) <= {*(columns or ()), "words"}


@pytest.mark.parametrize(
    ("topic", "key", "others"),
    [
        ("tasks", "transfer-1", []),
        ("payments", "g/payment/p", [("payments", ("g", "p"))]),
        ("deliveries", "ann/n", [("letters", ("ann", "n"))]),
    ],
)
def test_what_is_left_to_people_goes_with_its_fact(
    topic: str, key: str, others: list[tuple[str, tuple[str, ...]]]
) -> None:
    gone = [(part.table, row_id) for part, row_id in deleted(topic, key)]
    assert gone == [*others, ("todos", (topic, key))]


EXAMPLES: dict[tuple[str, str], Message] = {
    ("version", "auctions"): AUCTION,
    ("version", "offers"): JUDGED,
    ("version", "definitions"): DEFINITION,
    ("version", "sellers"): SELLER,
    ("terms_version", "groups"): terms(),
    ("state_version", "groups"): state(1),
}


# --- a batch: the newest of each key -------------------------------------------------------------

TOMBSTONE = None


@pytest.mark.parametrize(
    ("read", "written", "goes"),
    [
        ([1], 1, False),
        ([1, 1], 1, False),
        ([1, 2, 3], 3, False),
        ([3, 1, 2], 3, False),
        ([TOMBSTONE], None, True),
        ([2, TOMBSTONE], None, True),
        ([5, TOMBSTONE, 1], 1, True),
        ([5, TOMBSTONE, 2, 1], 2, True),
    ],
)
def test_the_newest_of_a_batch(read: list[int | None], written: int | None, goes: bool) -> None:
    batch = Batch()
    for version in read:
        if version is None:
            batch.delete("purchases", "g")
        else:
            batch.put("purchases", state(version), f"v{version}", 0)
    found = batch.facts.get(("purchases", "g"))
    assert (found and found.columns["value"]) == (written and f"v{written}")
    assert batch.deleted == ({("purchases", "g")} if goes else set())


def test_of_equal_versions_the_later_record_is_written() -> None:
    """As compaction keeps it, so that what is built anew is the same."""
    batch = Batch()
    batch.put("purchases", state(1), "first", 1)
    batch.put("purchases", state(1), "second", 2)
    (found,) = batch.facts.values()
    assert (found.columns["value"], found.columns["at"]) == ("second", 2)


def test_a_fact_without_a_version_is_replaced_by_a_later_one() -> None:
    assert version_of(JUDGED) == 1
    assert version_of(Favor.model_construct()) == 0


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("Green Tea, 100g!", ["green", "tea", "100g"]),
        ("tea TEA Tea", ["tea"]),
        ("Straße Ünïcode", ["strasse", "ünïcode"]),
        ("緑茶", ["緑茶", "茶"]),
        ("宇治 緑茶 Premium", ["宇治", "治", "緑茶", "茶", "premium"]),
        ("ﾊﾟﾝ", ["パン", "ン"]),
        ("煎茶100g", ["煎茶", "茶", "100g"]),
        ("snake_case", ["snake", "case"]),
        ("!?", []),
        ("x" * 100, ["x" * 32]),
    ],
)
def test_terms_of_a_name(name: str, terms: list[str]) -> None:
    assert terms_of(name) == terms


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("tea", "Green Tea"),
        ("TE gre", "Green Tea"),
        ("茶", "緑茶"),
        ("緑", "緑茶"),
        ("緑茶葉", "高級緑茶葉セット"),
        ("100", "Tea 100g"),
        ("strasse", "Straße"),
        ("パン", "ﾊﾟﾝ"),
    ],
)
def test_words_find_a_name(words: str, name: str) -> None:
    terms = terms_of(name)
    assert all(any(term.startswith(each) for term in terms) for each in wanted(words))


def test_neither_a_long_name_nor_a_long_question_is_work_without_end() -> None:
    assert len(terms_of(" ".join(f"word{number}" for number in range(1_000)))) == TERMS_MAX
    assert len(wanted(" ".join(f"word{number}" for number in range(1_000)))) == 8
    assert wanted("...") == []
