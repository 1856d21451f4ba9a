"""People in the read model and in commands: whose address is kept, shown to whom, and erased."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from domain.people import name_mark, of_source
from runtime import transport
from runtime.broker_watch import BrokerWatch
from runtime.late_producer import LateProducer
from runtime.links import Links, mark_of_holder
from runtime.records import OutputRecord
from runtime.settings import Settings
from schemas.auctions import Applied
from schemas.erasure import Place
from schemas.groups import GroupPurchase
from schemas.orders import Order, PurchaseRow
from schemas.payments import Payment
from schemas.people import PEOPLE, Person, PersonErased
from services.storefront.access.callers import Access, Actor, Kind
from services.storefront.commands.member_table import table_shown
from services.storefront.commands.sender import Sender
from services.storefront.papers.lookup import paper_shown
from services.storefront.readmodel import database
from services.storefront.readmodel.copying import Copier
from services.storefront.readmodel.database import Questions, connect, migrate
from services.storefront.readmodel.generations import Generations
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.writer import Batch
from tests.read_model import FIRST, model_file
from tests.rules.paper_samples import ISSUER
from tests.storefront.pages_app import ADMIN_KEY, storefront_on
from tests.storefront.test_asking_twice import site as site  # noqa: PLC0414 - a fixture
from tests.storefront.test_pseudonyms import access as access  # noqa: PLC0414 - a fixture
from tests.storefront.test_read_model import NOW, auction, group, member, payment, write
from tests.storefront.test_sources import BOUGHT, LEAF, OWN, Shops
from tests.storefront.test_sources import shops as shops  # noqa: PLC0414 - a fixture
from tests.storefront.test_two_visitors import A

EMAIL = "ann@people.example"
NAME = "Ann Äpfel"
SHOP = Actor("shop", "leaf", client="192.0.2.1")


def person(person_id: str = "leaf:ann", at: int = 0, **fields: Any) -> Person:
    """Somebody who was seen so many microseconds after noon."""
    said = {"person_id": person_id, "email": EMAIL, "name": NAME}
    return Person.model_validate(said | {"seen_at": NOW + timedelta(microseconds=at)} | fields)


def row(member_id: str, person_id: str | None = None, **fields: Any) -> PurchaseRow:
    said = {"member_id": member_id, "person_id": person_id}
    return member(1).model_copy(update=said | fields)


def copier_of(url: str, generation: int = FIRST) -> Copier:
    return Copier(Settings(), Generations(url, connect(url)), generation)


async def known(reader: Reader, person_id: str = "leaf:ann") -> Person | None:
    return (await reader.people([person_id])).get(person_id)


# --- the read model ------------------------------------------------------------------------------


@pytest.mark.parametrize("is_one_batch", [True, False])
@pytest.mark.parametrize(
    ("seen", "kept"),
    [((1, 2), 2), ((2, 1), 2), ((3, 1, 2), 3), ((1, 1_000_000, 999_999), 1_000_000)],
)
async def test_the_address_that_came_last_counts_in_whatever_order_it_is_read(
    url: str, reader: Reader, seen: tuple[int, ...], kept: int, *, is_one_batch: bool
) -> None:
    people = [person(at=at, email=f"{at}@people.example") for at in seen]
    for each in [people] if is_one_batch else [[one] for one in people]:
        await write(url, *each)
    found = await known(reader)
    assert found is not None
    assert found.email == f"{kept}@people.example"


async def test_people_are_looked_up_at_once_and_only_those_who_are_there(
    url: str, reader: Reader
) -> None:
    await write(url, person("leaf:ann"), person("m-1"), person("seller:s-1"))
    found = await reader.people(["m-1", None, "leaf:ann", "leaf:bob", "m-1"])
    assert set(found) == {"m-1", "leaf:ann"}
    assert await reader.people([None]) == await reader.people([]) == {}


async def test_of_an_erased_person_nothing_is_left_in_tables_indexes_or_files(
    url: str, reader: Reader
) -> None:
    """Facts about the person's orders stay; they name an id."""
    # As long as a reader is connected, SQLite keeps its write-ahead log.
    assert await known(reader) is None
    said = {"email": "first@people.example", "name": "Ann of old"}
    bob = person("leaf:bob", email="bob@people.example", name="Bob")
    await write(url, person(at=1, **said), bob)
    await write(url, group(1, members=({"id": "ann", "person_id": "leaf:ann"},)), row("ann"))
    await write(url, person(at=2))
    assert await known(reader) is not None
    await write(url, deleted=((PEOPLE.name, "leaf:ann"),))
    assert await known(reader) is None
    assert await known(reader, "leaf:bob") is not None

    path = model_file(url)
    for file in path.parent.glob("model*.db*"):
        content = file.read_bytes()
        for mark in (EMAIL, NAME, said["email"], said["name"]):
            assert mark.encode() not in content, file.name
    with sqlite3.connect(path) as connection:
        dump = "\n".join(connection.iterdump())
    assert "bob@people.example" in dump, "what is there would be found"
    assert '"leaf:ann"' in dump


async def test_who_comes_back_after_a_tombstone_is_new(url: str, reader: Reader) -> None:
    """Even with an earlier time: it is what compaction leaves on the topic."""
    await write(url, person(at=5))
    await write(url, deleted=((PEOPLE.name, "leaf:ann"),))
    await write(url, person(at=1))
    assert await known(reader) == person(at=1)


async def test_an_earlier_read_model_with_addresses_in_facts_is_read_anew(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'model.db'}"
    engine = connect(url)

    def to_before(connection: Connection) -> None:
        config = Config()
        config.set_main_option(
            "script_location", str(Path(database.__file__).parent / "migrations")
        )
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")

    async with engine.begin() as connection:
        await connection.run_sync(to_before)
    old = '{"organizer": {"id": "ann", "email": "ann@people.example"}}'
    fact = ("group-purchases", "g-001", "g-001", "GroupPurchase", 1, 1_000, old)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)", fact)
        await connection.exec_driver_sql("INSERT INTO positions VALUES ('auctions', 0, 1)")
    await migrate(engine)
    await engine.dispose()
    with sqlite3.connect(tmp_path / "model.db") as connection:
        assert EMAIL not in "\n".join(connection.iterdump())


# --- tombstones ----------------------------------------------------------------------------------


@dataclass
class Fetched:
    """A record as a consumer has it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Any
    offset: int = 0


async def recorded(*people: Person | PersonErased) -> list[Fetched]:
    """The records that the storefront sends of these."""
    sent: list[OutputRecord] = []

    async def take(_: object, records: list[OutputRecord]) -> None:
        sent.extend(records)

    settings = Settings()
    with (
        patch.object(LateProducer, "get"),
        patch.object(BrokerWatch, "unready", return_value=""),
        patch.object(transport, "send", take),
    ):
        await Sender(settings, BrokerWatch(settings, {})).send(PEOPLE, *people)
    return [Fetched(**each._asdict()) for each in sent]


async def test_erasing_sends_a_tombstone_which_the_projector_takes(
    url: str, reader: Reader
) -> None:
    await write(url, person())
    (tombstone,) = await recorded(PersonErased(person_id="leaf:ann"))
    assert (tombstone.key, tombstone.value) == (b"leaf:ann", None)
    said_in_words = Fetched(**vars(tombstone))
    said_in_words.value = b'{"type": "PersonErased", "person_id": "leaf:ann"}'
    for record in (tombstone, said_in_words):
        batch, copier = Batch(), copier_of(url)
        copier.add(batch, PEOPLE, record)
        assert (batch.deleted, batch.facts) == ({(PEOPLE.name, "leaf:ann")}, {})
    await write(url, deleted=tuple(batch.deleted))
    assert await known(reader) is None


@pytest.mark.parametrize("person_id", ["leaf:ann", "leaf:nobody", "m-1", "x" * 200])
async def test_an_admin_erases_a_person_over_the_api_and_again(url: str, person_id: str) -> None:
    await write(url, person())
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    with storefront_on(url) as page:
        for _ in range(2):
            answer = await page.ask(
                "DELETE", f"/api/v1/people/{person_id}", A.client, headers=headers
            )
            assert (answer.status, answer.json["person_id"]) == (200, person_id)
            assert {each["place"] for each in answer.json["kept"]} == set(Place) - {Place.SELLER}
        assert page.sent == [(PEOPLE.name, PersonErased(person_id=person_id))] * 2
        await page.close()


#: Whose key is used for whom, and what is answered whether or not the person is known.
BY_KEY: list[tuple[str | None, str, int]] = [
    (None, "leaf:ann", 401),
    ("admin", "leaf:ann", 200),
    ("admin", "m-1", 200),
    ("leaf", "leaf:ann", 200),
    ("leaf", "leaf:nobody", 200),
    ("leaf", "leaf:", 200),
    ("leaf", "rival:ann", 403),
    ("leaf", "rival:nobody", 403),
    ("leaf", "leaf2:ann", 403),
    ("leaf", "leaf%.x:ann", 403),
    ("leaf", "rival:leaf:ann", 403),
    ("leaf", "seller:leaf", 403),
    ("leaf", "admin:ann", 403),
    ("leaf", "leaf", 403),
    ("leaf", "m-1", 403),
    ("rival", "leaf:ann", 403),
]


@pytest.mark.parametrize(("who", "person_id", "status"), BY_KEY)
async def test_a_shop_s_key_shows_and_erases_the_shop_s_own_people(
    shops: Shops, who: str | None, person_id: str, status: int
) -> None:
    await write(shops.site.url, *map(person, ("leaf:ann", "rival:ann", "m-1", "seller:leaf")))
    site, place = shops.site.processes[0], f"/api/v1/people/{quote(person_id, safe='')}"
    shown = await site.get(f"{place}/data", headers=shops.as_(who))
    erased = await site.delete(place, headers=shops.as_(who))
    assert (shown.status_code, erased.status_code) == (status, status)
    if status == 200:
        is_known = person_id in ("leaf:ann", "m-1")
        assert (shown.json()["address"] is not None) is is_known
        assert shops.site.sent == [PersonErased(person_id=person_id)]
    else:
        assert EMAIL not in shown.text + erased.text
        assert not shops.site.sent


# --- who is shown to whom ------------------------------------------------------------------------


@pytest.fixture
def questions() -> Iterator[list[object]]:
    """All that the database is asked."""
    asked: list[object] = []
    ask = Questions.all

    async def spied(self: Questions, statement: Any) -> Any:
        asked.append(statement)
        return await ask(self, statement)

    with patch.object(Questions, "all", spied):
        yield asked


#: The group's mark of ``NAME``, of another name, and another group's mark of ``NAME``.
MARK = name_mark("r-1", NAME)
OTHER_MARK = name_mark("r-1", "Bob")
ELSEWHERE = name_mark("r-2", NAME)
#: Whose newest name is ``NAME``, with the row's mark, and the kinds of actors that see the name.
SEEN: list[tuple[str, str | None, str | None, set[Kind]]] = [
    ("listed with this name", "m-1", MARK, {"organizer", "shop", "admin"}),
    ("listed with another name", "m-2", OTHER_MARK, {"admin"}),
    ("listed without a name", "m-3", None, {"admin"}),
    ("listed with this name in another group", "m-4", ELSEWHERE, {"admin"}),
    ("not listed", "m-5", None, {"admin"}),
    ("the shop's, listed with this name", "leaf:a", MARK, {"organizer", "shop", "admin"}),
    ("the shop's, listed with another name", "leaf:b", OTHER_MARK, {"shop", "admin"}),
    ("the shop's, not listed", "leaf:c", None, {"shop", "admin"}),
    ("another shop's, listed with this name", "rival:a", MARK, {"organizer", "shop", "admin"}),
    ("another shop's, not listed", "rival:b", None, {"admin"}),
    ("of a shop whose id begins alike", "leaf2:a", None, {"admin"}),
    ("without an address", None, None, set()),
]


@pytest.mark.parametrize("kind", ["organizer", "shop", "admin"])
async def test_the_table_shows_no_name_that_was_given_elsewhere_and_no_address(
    url: str, reader: Reader, access: Access, kind: Kind
) -> None:
    terms = group(1, request_id="r-1")
    members = {who: f"b{number:02}" for number, (who, *_) in enumerate(SEEN)}
    rows = [row(members[who], person_id, name_mark=mark) for who, person_id, mark, _ in SEEN]
    people = [person(person_id) for _, person_id, _, _ in SEEN if person_id]
    nameless = row("nameless", "leaf:nameless"), person("leaf:nameless", name=None)
    await write(url, terms, *rows, *people, *nameless)

    async def named() -> set[str]:
        table = await table_shown(
            reader, access, Actor(kind, "leaf", client="192.0.2.1"), terms, None, limit=20
        )
        assert len(table.rows) == len(SEEN) + 1
        assert {each.email for each in table.rows} == {None}
        names = {each.member_id: each.name for each in table.rows if each.name is not None}
        assert set(names.values()) == {NAME}
        return set(names)

    assert await named() == {members[who] for who, _, _, kinds in SEEN if kind in kinds}
    await write(url, deleted=((PEOPLE.name, "m-1"),))
    assert members["listed with this name"] not in await named()


async def test_the_winning_seller_sees_each_applicant_with_the_address_of_now(
    url: str, reader: Reader, access: Access
) -> None:
    seller = Actor("seller", "s-1", client="192.0.2.1")
    listed = (
        {"id": "m-1", "person_id": "m-1", "reserved": 2},
        {"id": "leaf:ann", "person_id": "leaf:ann", "reserved": 1},
        {"id": "m-gone", "person_id": "m-gone", "reserved": 3},
    )
    terms = group(1, request_id="au-a-1", organizer={"id": "s-1"}, members=listed)
    await write(url, terms, person("m-1"), person(at=1), row("m-1", quantity=7))
    await write(url, person(at=2, email="new@people.example"))
    table = await table_shown(reader, access, seller, terms, None, limit=10)
    assert [(each.name, each.email, each.quantity, each.reserved) for each in table.rows] == [
        (NAME, EMAIL, 7, 2),
        (NAME, "new@people.example", 0, 1),
        (None, None, 0, 3),
    ]


@pytest.mark.parametrize("kind", ["organizer", "shop", "seller"])
async def test_a_page_asks_as_often_for_many_as_for_one(
    url: str, reader: Reader, access: Access, kind: Any, questions: list[object]
) -> None:
    ids = [f"p{number:02}" for number in range(40)]
    mark = name_mark("au-a-1", NAME)
    listed = tuple({"id": each, "person_id": f"leaf:{each}", "name_mark": mark} for each in ids)
    terms = group(1, request_id="au-a-1", organizer={"id": "s-1"}, members=listed)
    rows = [row(each["id"], each["person_id"], name_mark=mark) for each in listed]
    await write(url, terms, *rows, *(person(each["person_id"]) for each in listed))
    asked = []
    for limit in (1, 40):
        questions.clear()
        actor = Actor(kind, "s-1", client="192.0.2.1")
        table = await table_shown(reader, access, actor, terms, None, limit)
        assert [each.name for each in table.rows] == [NAME] * limit
        asked.append(len(questions))
    assert asked == [4, 4]


# --- papers --------------------------------------------------------------------------------------

MAILBOX = "m-0123"


@dataclass
class Maker:
    """What papers are made with."""

    reader: Reader
    access: Access
    issuer: Any = ISSUER


def invoice(payer: str | None) -> Payment:
    said = {"kind": "invoice", "method": "invoice", "provider_reference": "g-001-I1"}
    return payment(1, payer, **said)


NAMED_IN_TERMS = {"id": MAILBOX, "person_id": MAILBOX, "name_mark": MARK}
NAMED_ELSEWHERE = NAMED_IN_TERMS | {"name_mark": OTHER_MARK}
#: The payer, and whether the group's request gave the name that ``people`` has.
PAYERS: list[tuple[str, str | None, dict[str, Any], PurchaseRow | None, bool]] = [
    ("the organizer", None, {"organizer": NAMED_IN_TERMS}, None, True),
    ("an organizer named elsewhere", None, {"organizer": NAMED_ELSEWHERE}, None, False),
    ("a listed member", MAILBOX, {"members": (NAMED_IN_TERMS,)}, None, True),
    ("a member named elsewhere", MAILBOX, {"members": (NAMED_ELSEWHERE,)}, None, False),
    ("one listed in a part", MAILBOX, {}, row(MAILBOX, MAILBOX, name_mark=MARK), True),
    ("a buyer by the orders", MAILBOX, {}, row(MAILBOX, MAILBOX), False),
    ("one listed without an address", MAILBOX, {"members": ({"id": MAILBOX},)},
     row(MAILBOX, MAILBOX), False),
]  # fmt: skip
#: Readers of papers: whether they see the address, and any name.
READERS: list[tuple[Kind, bool, bool]] = [
    ("organizer", True, False),
    ("member", True, False),
    ("payer", True, False),
    ("shop", False, False),
    ("seller", False, True),
    ("admin", True, True),
]


@pytest.mark.parametrize(
    ("what", "payer", "fields", "bought", "is_named_here"), PAYERS, ids=[p[0] for p in PAYERS]
)
async def test_a_paper_names_its_payer_until_the_payer_is_erased(
    url: str,
    reader: Reader,
    access: Access,
    what: str,
    payer: str | None,
    fields: dict[str, Any],
    bought: PurchaseRow | None,
    is_named_here: bool,
) -> None:
    of, terms = invoice(payer), group(1, request_id="r-1", **fields)
    await write(url, of, terms, person(MAILBOX, locale="ja"), *((bought,) if bought else ()))
    maker = Maker(reader, access)

    async def payer_for(kind: Kind, *, with_address: bool) -> tuple[str, tuple[str, ...]]:
        actor = Actor(kind, "leaf", client="192.0.2.1")
        paper = await paper_shown(maker, actor, of, terms, None, with_address=with_address)
        assert MAILBOX not in str(paper), "the id of a mailbox is on no paper"
        return paper.language, paper.payer

    for kind, with_address, sees_all in READERS:
        language, (*known, customer) = await payer_for(kind, with_address=with_address)
        name = [NAME] if sees_all or is_named_here else []
        assert (language, known) == ("ja", [*name, *([EMAIL] if with_address else [])]), kind
        assert "u-" in customer
    await write(url, deleted=((PEOPLE.name, MAILBOX),))
    language, (customer,) = await payer_for("admin", with_address=True)
    assert language == "en"
    assert customer.startswith("Customer: u-")


async def test_a_paper_names_nobody_to_another_person_who_ordered_in_the_payer_s_name(
    url: str, reader: Reader, access: Access
) -> None:
    of, terms = invoice(MAILBOX), group(1)
    await write(url, of, terms, person(MAILBOX), row(MAILBOX, MAILBOX))
    maker = Maker(reader, access)
    payer = Actor("payer", MAILBOX, client="192.0.2.1", is_anothers=True)
    paper = await paper_shown(maker, payer, of, terms, "en", with_address=True)
    assert [each.partition(": ")[0] for each in paper.payer] == ["Customer"]


@pytest.mark.parametrize(("holder", "is_named"), [(MAILBOX, True), ("shop:eve", False)])
async def test_a_letter_s_link_names_nobody_but_whom_the_letter_went_to(
    url: str, reader: Reader, access: Access, holder: str, *, is_named: bool
) -> None:
    """Who ordered first in the payer's name, and cancelled, holds a link to all payments, too."""
    of, terms = invoice(MAILBOX), group(1)
    await write(url, of, terms, person(MAILBOX), row(MAILBOX, MAILBOX))
    payer = Actor("payer", MAILBOX, client="192.0.2.1", holder=mark_of_holder(holder))
    paper = await paper_shown(Maker(reader, access), payer, of, terms, "en", with_address=True)
    assert any(EMAIL in each for each in paper.payer) == is_named


# --- whose person a command names ----------------------------------------------------------------

NAMED: list[tuple[str, str, dict[str, Any], str | None]] = [
    ("a shop's", "leaf", {"id": "ann", "email": EMAIL}, "leaf:ann"),
    ("the same id of another", "rival", {"id": "ann", "email": EMAIL}, "rival:ann"),
    ("written like another's", "leaf", {"id": "rival:ann", "email": EMAIL}, "leaf:rival:ann"),
    ("written like one of ours", "leaf", {"id": "m-0123", "email": EMAIL}, "leaf:m-0123"),
    ("an admin's", "admin", {"id": "ann", "email": EMAIL}, "admin:ann"),
    ("without an address", "leaf", {"id": "ann"}, None),
]


@pytest.mark.parametrize("sources", [[], ["rival"], ["rival.1", "rival"], ["storefront"]])
@pytest.mark.parametrize(("what", "who", "given", "named"), NAMED, ids=[each[0] for each in NAMED])
async def test_a_request_names_people_of_whoever_asks_whatever_it_says(
    shops: Shops, what: str, who: str, given: dict[str, Any], named: str | None, sources: list[str]
) -> None:
    people = {"organizer": given, "members": [given]}
    status, words = await shops.post(
        who, "/group-purchases", OWN | people | ({"sources": sources} if sources else {})
    )
    assert status == 202, words
    (request,) = shops.site.asked
    assert request.organizer is not None
    for each in (request.organizer, *request.members):
        assert (each.id, each.person_id, each.reached_as) == (given["id"], named, named)


@pytest.mark.parametrize("who", ["leaf", "admin", None])
@pytest.mark.parametrize(
    ("spelling", "is_same"),
    [
        ("ANN@people.example", True),
        ("ann@PEOPLE.example", True),
        ("ann+gone@people.example", False),
    ],
)
async def test_a_mailbox_counts_once_but_only_one_address_is_one_person(
    shops: Shops, who: str | None, spelling: str, is_same: bool
) -> None:
    """Else whoever types another spelling changes where all letters of the mailbox go."""
    people = {"organizer": {"email": EMAIL}, "members": [{"email": spelling}]}
    body = {"definition_id": "d-001", "number_of_products": 2} | people
    status, words = await shops.post(who, "/group-purchases", body)
    assert status == 202, words
    (request,) = shops.site.asked
    organizer, (member,) = request.organizer, request.members
    assert organizer is not None
    assert organizer.id == member.id
    assert (organizer.reached_as == member.reached_as) == is_same
    ids = {organizer.id, organizer.reached_as, member.reached_as}
    assert len(ids) == (2 if is_same else 3)
    assert all(each is not None and each.startswith("m-") for each in ids)


@pytest.mark.parametrize(("what", "who", "given", "named"), NAMED, ids=[each[0] for each in NAMED])
async def test_an_application_names_a_person_of_whoever_vouches(
    shops: Shops, what: str, who: str, given: dict[str, Any], named: str | None
) -> None:
    await write(shops.site.url, auction(1, closes_at=NOW.replace(year=2090)))
    body = {"applicant": given, "quantity": 1}
    status, words = await shops.post(who, "/auctions/a-001/applications", body)
    assert status == 201, words
    (applied,) = [each for each in shops.site.sent if isinstance(each, Applied)]
    assert applied.applicant.person_id == named


@pytest.mark.parametrize(
    ("who", "source", "named"),
    [("leaf", None, "leaf:ann"), ("leaf", "leaf", "leaf:ann"), ("admin", None, "admin:ann"),
     ("admin", "leaf.till3", "leaf:ann")],
)  # fmt: skip
async def test_an_order_of_a_shop_is_of_that_shop_s_person(
    shops: Shops, who: str, source: str | None, named: str
) -> None:
    body = BOUGHT | {"member": {"id": "ann", "email": EMAIL}, "source": source}
    status, words = await shops.post(who, f"/group-purchases/{LEAF}/orders", body)
    assert status == 201, words
    (order,) = [each for each in shops.site.sent if isinstance(each, Order)]
    assert order.person_id is None, "the source says it"
    assert order.contact is not None
    assert order.contact.person_id == named == of_source(order.source, "ann")


async def test_a_member_s_link_in_other_hands_changes_no_address_of_the_shop_s(
    shops: Shops,
) -> None:
    """A typed address is a person of its own, as anybody may have the link."""
    terms: GroupPurchase = group(
        4, members=({"id": "ann", "person_id": "leaf:ann"}, {"id": "bob"}),
        closes_at=NOW.replace(year=2090), payment={"scope": "group", "method": "invoice"},
    )  # fmt: skip
    await write(shops.site.url, terms, person())
    for member_id in ("ann", "bob"):
        token = Links("a-secret-of-the-tests-that-is-long").token("order", "g-004", member_id)
        body = {"quantity": 1, "member": {"email": "eve@people.example", "name": "Eve"}}
        status, words = await shops.post(token, "/group-purchases/g-004/orders", body)
        assert status == 201, words
    of_ann, of_bob = [each for each in shops.site.sent if isinstance(each, Order)]
    assert of_ann.contact is None
    assert of_bob.contact is not None
    assert str(of_bob.contact.person_id).startswith("m-")
    assert of_bob.contact.email == "eve@people.example"
