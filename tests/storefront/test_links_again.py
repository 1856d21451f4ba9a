"""Links by email again: who gets a letter, with what, where it goes; nobody learns more."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy.dialects import sqlite

from domain.people import of_seller
from runtime.clients import TransportError
from schemas.letters import Notice, missing
from schemas.people import PEOPLE
from services.notifier.letters.links import SignedLinks
from services.storefront.commands import links_again
from services.storefront.commands.sender import Sender
from services.storefront.readmodel.database import Questions
from services.storefront.readmodel.reader import Reader
from tests.read_model import model_of
from tests.storefront.pages_app import PAGE_URL, Answer, Storefront, storefront_on
from tests.storefront.test_people import person, row
from tests.storefront.test_read_model import auction, group, write
from tests.storefront.test_two_visitors import LINKS, NOW, A, B, facts

ANN = "ann@people.example"
OPEN = {"opens_at": NOW - timedelta(days=1), "closes_at": NOW + timedelta(days=7)}
ORGANIZER = {"id": "m-ann", "person_id": "m-ann-person"}
API = "/api/v1/links-again"
LIMITS = {"letters_per_hour": 3, "letters_to_one_per_hour": 2, "letters_of_strangers_per_hour": 5}


def known(person_id: str = "m-ann-person", email: str = ANN, at: int = 0) -> Any:
    return person(person_id, at, email=email)


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with patch.object(links_again, "WAIT_SECONDS", (0, 0)):
        yield


@pytest.fixture
async def page(url: str) -> AsyncIterator[Storefront]:
    await write(
        url,
        known(),
        group(1, organizer=ORGANIZER, **OPEN),
        group(2, organizer={"id": "m-bo", "person_id": "m-bo"}, **OPEN),
        row("m-ann", "m-ann-person", group_id="g-002", first_ordered_at=NOW),
        *facts(A),
    )
    with storefront_on(url) as made:
        yield made
        await made.close()


async def ask(page: Storefront, email: str, client: str = A.client, *, by: str = "page") -> Answer:
    """The answer; all that was asked for is sent by then."""
    if by == "page":
        answer = await page.ask("POST", "/links", client, form={"email": email})
    else:
        answer = await page.ask("POST", API, client, body={"email": email})
    await page.app.state.shop.commands.links.finish()
    return answer


def letters(page: Storefront) -> list[Notice]:
    found = [message for topic, message in page.sent if topic == "notices"]
    assert all(isinstance(each, Notice) and not missing(each) for each in found)
    return found  # type: ignore[return-value]


def told(notice: Notice) -> list[tuple[str, str, str]]:
    return [(each.role, each.about, each.party_id) for each in notice.says.links]


# --- who gets what -------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["page", "api"])
async def test_a_person_gets_one_letter_with_all_that_the_person_holds(
    page: Storefront, by: str
) -> None:
    await ask(page, ANN, by=by)
    (notice,) = letters(page)
    assert (notice.kind, notice.recipient_id) == ("links-again", "m-ann-person")
    assert set(told(notice)) == {
        ("organizer", "g-001", "m-ann"),
        ("payer", "g-002", "m-ann"),
    }
    assert ANN not in notice.model_dump_json(), "the notifier takes the address from people"


@pytest.mark.parametrize(
    "typed", ["ANN@People.Example", "ann+links@people.example", " ann@people.example "]
)
async def test_every_spelling_finds_the_person_and_the_letter_goes_to_the_address_on_file(
    page: Storefront, typed: str
) -> None:
    await ask(page, typed)
    (notice,) = letters(page)
    assert notice.recipient_id == "m-ann-person"
    assert "links@" not in notice.model_dump_json()


async def test_each_person_of_a_mailbox_gets_their_own_links_and_no_other_s(
    url: str, page: Storefront
) -> None:
    """Each shop has its own person, and a server may give a tagged address to somebody else."""
    await write(
        url,
        known("leaf:ann"),
        known("m-tagged", "ann+shop@people.example"),
        known("rival:ann"),
        group(3, organizer={"id": "ann", "person_id": "leaf:ann"}, **OPEN),
        group(4, organizer={"id": "x", "person_id": "m-tagged"}, **OPEN),
    )
    await ask(page, ANN)
    abouts = {each.recipient_id: {about for _, about, _ in told(each)} for each in letters(page)}
    assert abouts == {
        "m-ann-person": {"g-001", "g-002"},
        "leaf:ann": {"g-003"},
        "m-tagged": {"g-004"},
    }, "who holds nothing gets no letter"


async def test_a_seller_gets_the_desk(page: Storefront) -> None:
    await ask(page, "seller1@sellers.example")
    (notice,) = letters(page)
    assert notice.recipient_id == of_seller(A.seller_id)
    assert told(notice) == [("seller", A.seller_id, A.seller_id)]
    assert notice.says.links[0].name == "Nord Foto"


async def test_an_applicant_gets_the_reservation_until_it_is_taken_back(
    url: str, page: Storefront
) -> None:
    await write(url, auction(1, **{"closes_at": OPEN["closes_at"]}))
    applied = await page.ask(
        "POST",
        "/api/v1/auctions/a-001/applications",
        A.client,
        body={"applicant": {"email": "zoe@people.example"}, "quantity": 1},
    )
    person_id = next(
        message.applicant.person_id for topic, message in page.sent if topic == "applications"
    )  # type: ignore[attr-defined]
    await write(url, known(person_id, "zoe@people.example"))
    await ask(page, "zoe@people.example")
    (notice,) = letters(page)
    application_id = applied.json["application_id"]
    assert [(each.role, each.about, each.application_id) for each in notice.says.links] == [
        ("applicant", "a-001", application_id)
    ]
    page.sent.clear()
    path = applied.json["withdrawal_link"].removeprefix(PAGE_URL)
    assert (await page.ask("POST", path, A.client)).status == 200
    await ask(page, "zoe@people.example")
    assert letters(page) == []


async def test_every_link_of_a_letter_opens_its_page(url: str, page: Storefront) -> None:
    """The notifier makes them; the seller's signs in by its button alone."""
    links = SignedLinks(PAGE_URL, LINKS)
    opened = (
        links.organizer("g-001", "m-ann"),
        links.payer("g-002", "m-ann", "m-ann-person"),
        links.order("g-002", "m-ann"),
        links.application(A.auction_id, "b-1"),
        links.seller(A.seller_id, "seller1@sellers.example"),
    )
    for link in opened:
        answer = await page.ask("GET", link.removeprefix(PAGE_URL), A.client)
        assert (answer.status, "set-cookie" in answer.headers) == (200, False), link
    sign_in = links.seller(A.seller_id, "seller1@sellers.example").removeprefix(PAGE_URL)
    signed_in = await page.ask("POST", sign_in, A.client)
    assert (signed_in.status, signed_in.headers["location"]) == (303, "/seller")
    cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    desk = await page.ask("GET", "/seller", A.client, headers=cookie)
    assert "Your registration" in desk.text
    again = await page.ask("POST", sign_in, A.client)
    assert (again.status, "set-cookie" in again.headers) == (404, False)


async def test_an_erased_or_changed_address_gets_nothing(url: str, page: Storefront) -> None:
    await write(url, known(email="new@people.example", at=1))
    await ask(page, ANN)
    assert letters(page) == []
    await ask(page, "new@people.example")
    assert len(letters(page)) == 1
    page.sent.clear()
    await write(url, deleted=((PEOPLE.name, "m-ann-person"),))
    await ask(page, "new@people.example")
    assert letters(page) == []


async def test_a_repeat_in_the_hour_is_the_same_letter(page: Storefront) -> None:
    """The notifier sends a notice's id once."""
    at = datetime.fromisoformat("2026-06-15T12:00:00+00:00")
    minutes = (0, 59, 60)
    for minute in minutes:
        with patch.object(links_again, "now", lambda m=minute: at + timedelta(minutes=m)):
            await ask(page, ANN)
    first, second, third = (each.notice_id for each in letters(page))
    assert first == second != third


# --- nobody learns anything ----------------------------------------------------------------------


@pytest.mark.parametrize("by", ["page", "api"])
async def test_the_answer_is_the_same_for_every_address(page: Storefront, by: str) -> None:
    asked: list[str] = []

    async def people_at(_: Reader, mailbox: str, limit: int) -> list[Any]:
        asked.append(mailbox)
        return []

    answers = []
    with patch.object(Reader, "people_at", people_at):
        for email in (ANN, "nobody@people.example"):
            if by == "page":
                answer = await page.ask("POST", "/links", A.client, form={"email": email})
            else:
                answer = await page.ask("POST", API, A.client, body={"email": email})
            answers.append((answer.status, answer.text, answer.headers.get("location")))
        await page.app.state.shop.commands.links.finish()
    assert answers[0] == answers[1]
    assert answers[0][0] == (303 if by == "page" else 204)
    assert asked == [ANN, "nobody@people.example"]


async def test_an_answer_does_not_wait_for_a_lookup_that_hangs(page: Storefront) -> None:
    hangs = asyncio.Event()

    async def people_at(_: Reader, mailbox: str, limit: int) -> list[Any]:
        await hangs.wait()
        return []

    with patch.object(Reader, "people_at", people_at):
        for _ in range(links_again.AT_ONCE + 2):
            answer = await page.ask("POST", API, A.client, body={"email": ANN})
            assert answer.status == 204
        hangs.set()
        await page.app.state.shop.commands.links.finish()


async def test_a_lookup_begins_after_a_time_by_chance(page: Storefront) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    with (
        patch.object(links_again, "WAIT_SECONDS", (0.5, 3.0)),
        patch.object(links_again.asyncio, "sleep", sleep),
    ):
        for number in range(5):
            await ask(page, f"a{number}@people.example", by="api")
    assert len(set(slept)) == 5
    assert all(0.5 <= each <= 3 for each in slept)


async def test_a_lookup_that_fails_is_answered_alike(page: Storefront) -> None:
    async def send(*_: Any) -> None:
        raise TransportError("no broker")

    with patch.object(Sender, "send", send):
        assert (await ask(page, ANN, by="api")).status == 204
    assert letters(page) == []


@pytest.mark.parametrize("email", [ANN, "nobody@people.example"])
@pytest.mark.parametrize(
    ("what", "clients", "spellings", "statuses"),
    [
        ("a client", ["192.0.2.1"], ["{}+1@", "x{}@", "y{}@", "z{}@"], [204, 204, 204, 429]),
        ("a mailbox", ["192.0.2.1", "192.0.2.2"], ["{}@", "{}+a@", "{}+b@"], [204, 204, 429]),
        ("all", ["192.0.2.{n}"], [f"{each}{{}}@" for each in "abcdef"], [204] * 5 + [429]),
    ],
)  # fmt: skip
async def test_limits_count_what_is_typed_whether_or_not_it_is_known(
    url: str, email: str, what: str, clients: Sequence[str], spellings: Sequence[str],
    statuses: Sequence[int],
) -> None:  # fmt: skip
    await write(url, known(), group(1, organizer=ORGANIZER, **OPEN))
    local, _, domain = email.partition("@")
    with storefront_on(url, **LIMITS) as page:
        found = []
        for number, spelling in enumerate(spellings):
            client = clients[number % len(clients)].format(n=number)
            typed = spelling.format(local) + domain
            found.append((await ask(page, typed, client, by="api")).status)
        await page.close()
    assert found == list(statuses)


async def test_a_key_has_the_same_limits(url: str) -> None:
    """Nobody vouches for who asks."""
    await write(url, *facts(B))
    headers = {"authorization": f"Bearer {B.key('shop')}"}
    with storefront_on(url, **LIMITS) as page:
        statuses = [
            (await page.ask("POST", API, B.client, headers=headers, body={"email": ANN})).status
            for _ in range(3)
        ]
        await page.app.state.shop.commands.links.finish()
        await page.close()
    assert statuses == [204, 204, 429]


@pytest.mark.parametrize("email", ["", "ann", "ann@", "a@b", "ann@people.example\x00", "x" * 400])
async def test_what_is_no_address_is_said_at_once(page: Storefront, email: str) -> None:
    assert (await ask(page, email)).status == 422
    assert (await ask(page, email, by="api")).status == 400
    assert letters(page) == []


# --- queries and pages ---------------------------------------------------------------------------


async def test_every_lookup_is_a_search_of_an_index(url: str, reader: Reader) -> None:
    asked: list[Any] = []
    answers = Questions.all

    async def spied(self: Questions, statement: Any) -> Any:
        asked.append(statement)
        return await answers(self, statement)

    with patch.object(Questions, "all", spied):
        await reader.people_at(ANN, 20)
        await reader.organized_by("m-ann", 20)
        await reader.bought_by("m-ann", 20)
        await reader.reserved_by("m-ann", 20)
        await reader.reservations_of("m-ann", 20)
        await reader.people_of_rows("g-001")
    for statement in list(asked):
        words = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        own = "FROM reservations" in str(words)
        engine = reader.engine if own else model_of(url)
        async with engine.connect() as connection:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}")
            steps = [step[-1] for step in plan if not step[-1].startswith("USE TEMP")]
        assert len(steps) == 1, steps
        assert steps[0].startswith("SEARCH"), steps
        assert "USING" in steps[0]


async def test_who_has_a_link_that_does_not_work_is_led_here(page: Storefront) -> None:
    for path in ("/groups/g-001/manage/x", "/groups/g-001/payments/x", "/applications/x",
                 "/seller/sign-in/x", "/counter-offer/x"):  # fmt: skip
        refused = await page.ask("GET", path, A.client)
        assert refused.status == 404
        assert 'class="button" href="/links"' in refused.text, path
    for path in ("/", "/help", "/seller", "/groups/g-001", f"/auctions/{A.auction_id}"):
        assert 'href="/links"' in (await page.ask("GET", path, A.client)).text, path


async def test_the_pages_say_the_same_to_everybody(page: Storefront) -> None:
    form = await page.ask("GET", "/links", A.client, headers={"accept-language": "ja"})
    assert "リンクをメールで受け取る" in form.text
    sent = await page.ask("GET", "/links/sent", A.client)
    assert "If we know this address" in sent.text
