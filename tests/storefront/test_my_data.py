"""What is kept about a person: shown, handed out and erased by a link, and by nobody else."""

import re
from collections.abc import AsyncIterator, Iterator
from time import time
from typing import Any
from unittest.mock import patch

import pytest
from markupsafe import escape

from domain.people import of_seller
from runtime.links import Purpose
from schemas.erasure import Place
from schemas.favors import Favor
from schemas.letters import Delivery, Notice, Resubscribed, Unsubscribed, mailbox_of
from schemas.people import PEOPLE, PersonErased
from services.notifier.letters.links import SignedLinks
from services.storefront.access.callers import MAX_AGE
from services.storefront.commands import links_again
from services.storefront.readmodel.reservations import Reservations
from tests.storefront.pages_app import ADMIN_KEY, PAGE_URL, Answer, Storefront, storefront_on
from tests.storefront.test_people import person, row
from tests.storefront.test_read_model import auction, group, payment, state, write
from tests.storefront.test_two_visitors import LINKS, NOW, A, facts
from texts.erasure import DELETED, STAYS

ANN, PERSON = "ann@people.example", "m-ann-person"
MAILBOX = mailbox_of(PERSON, ANN)
SURE = {"sure": "yes"}
LIMITS = {"letters_per_hour": 3, "letters_to_one_per_hour": 2, "letters_of_strangers_per_hour": 5}


def letter(notice_id: str, about: str, **fields: Any) -> Delivery:
    said = {"recipient_id": PERSON, "notice_id": notice_id, "kind": "id-issued", "about": about}
    said |= {"status": "sent", "attempts": 1, "queued_at": NOW, "at": NOW, "version": 1}
    return Delivery.model_validate(said | fields)


BILLED = {"kind": "invoice", "method": "invoice", "provider_reference": "g-002-I1"}
WORLD = (
    person(PERSON, email=ANN),
    person("leaf:ann", email=ANN),
    group(1, organizer={"id": "ann", "person_id": PERSON}, payment={"scope": "group"}),
    payment(1, None),
    payment(9, "bob"),
    *(group(2), state(2)),
    row("m-ann", PERSON, group_id="g-002", request_id="r-2", quantity=2, value=900,
        currency="EUR", first_ordered_at=NOW),
    Favor(group_id="g-002", request_id="r-2", member_id="m-ann", version=1, basis="complete",
          amount=90, percent=10.0, currency="EUR"),
    payment(2, "m-ann", group_id="g-002", **BILLED),
    payment(3, "m-bob", group_id="g-002"),
    # Listed there, as a letter tells; she has not ordered.
    group(3),
    *(letter("n-1", "g-002", kind="order-counted"), letter("n-2", "g-003")),
    letter("n-3", "g-002", recipient_id="leaf:ann"),
    Unsubscribed(recipient_id=PERSON, kind="invitation", at=NOW),
    Resubscribed(recipient_id=PERSON, kind="offer-judged", at=NOW),
    auction(1),
    *facts(A),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _at_once() -> Iterator[None]:
    with patch.object(links_again, "WAIT_SECONDS", (0, 0)):
        yield


@pytest.fixture
async def page(url: str) -> AsyncIterator[Storefront]:
    await write(url, *WORLD)
    with storefront_on(url) as made:
        kept = Reservations(made.app.state.shop.reader.engine)
        await kept.keep("b-1", "a-001", PERSON, 3)
        await kept.keep("b-2", "a-001", PERSON, 1)
        await kept.withdrawn("b-2")
        await kept.keep("b-3", "a-001", "leaf:ann", 1)
        yield made
        await made.close()


def link(person_id: str = PERSON, email: str = ANN) -> str:
    """The path that the notifier's letter has."""
    return SignedLinks(PAGE_URL, LINKS).data(person_id, email).removeprefix(PAGE_URL)


def of_token(token: str) -> str:
    return f"/my-data/{token}"


async def erase(page: Storefront, path: str, form: Any = None, **headers: str) -> Answer:
    return await page.ask("POST", path, A.client, form=form or SURE, headers=headers)


async def walked(page: Storefront, path: str) -> list[tuple[int, bool]]:
    """What is answered on each way to use a link, and whether the answer has the address."""
    answers = [
        await page.ask("GET", path, A.client),
        await page.ask("GET", f"{path}/data.json", A.client),
        await erase(page, path),
    ]
    return [(each.status, ANN in each.text) for each in answers]


# --- what is shown -------------------------------------------------------------------------------


async def test_the_page_says_what_is_kept_what_is_deleted_and_what_stays(page: Storefront) -> None:
    shown = (await page.ask("GET", link(), A.client)).text
    for each in (PERSON, ANN, "g-001", "g-002", "g-003", *DELETED):
        assert str(escape(each)) in shown, each
    for place, said in STAYS.items():
        is_there = str(escape(said.what)) in shown and str(escape(said.why)) in shown
        assert is_there is (place != Place.SELLER)
    assert len(re.findall(r"Until [^.]*20\d\d", shown)) == 2, "people and commands have a date"
    assert "/groups/g-002/payments/" in shown
    japanese = await page.ask("GET", link(), A.client, headers={"accept-language": "ja"})
    assert "お客様の情報を消去する" in japanese.text
    assert not re.search("Kafka|topic|トピック", shown + japanese.text), "words of our machine room"
    assert all(str(escape(said.what)) not in japanese.text for said in STAYS.values())


async def test_the_file_has_all_that_is_held_and_says_what_is_not_in_it(page: Storefront) -> None:
    answer = await page.ask("GET", f"{link()}/data.json", A.client)
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    found = answer.json
    assert (found["person_id"], found["address"]["email"]) == (PERSON, ANN)
    groups = {each["group_id"]: each for each in found["groups"]}
    assert {key: each["roles"] for key, each in groups.items()} == {
        "g-001": ["organizer"],
        "g-002": ["member"],
        "g-003": ["listed"],
    }
    assert [each["payment_id"] for each in groups["g-001"]["payments"]] == ["p-01"]
    (bought,) = groups["g-002"]["purchases"]
    assert (bought["quantity"], bought["value"], bought["discount"]) == (2, 900, 90)
    (paid,) = groups["g-002"]["payments"]
    assert (paid["number"], paid["document"]) == ("g-002-I1", "/api/v1/payments/p-02/document")
    reserved = {each["application_id"]: each for each in found["reservations"]}
    assert set(reserved) == {"b-1", "b-2"}
    assert reserved["b-1"]["withdrawn_at"] is None
    assert reserved["b-2"]["withdrawn_at"] is not None
    assert {each["notice_id"] for each in found["letters"]} == {"n-1", "n-2"}
    assert found["unsubscribed"] == ["invitation"]
    assert found["is_cut_off"] is False
    assert len(found["not_in_it"]) >= 5
    for others in ("bob", "leaf:ann", "n-3", "b-3", "p-03"):
        assert others not in answer.text, others


async def test_the_key_hands_out_the_same_as_the_link(page: Storefront) -> None:
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    by_key = await page.ask("GET", f"/api/v1/people/{PERSON}/data", A.client, headers=headers)
    by_link = await page.ask("GET", f"{link()}/data.json", A.client)
    assert by_key.json | {"made_at": 0} == by_link.json | {"made_at": 0}


async def test_what_is_left_of_an_erased_person_can_still_be_handed_out(
    url: str, page: Storefront
) -> None:
    await write(url, deleted=((PEOPLE.name, PERSON),))
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    found = await page.ask("GET", f"/api/v1/people/{PERSON}/data", A.client, headers=headers)
    assert found.json["address"] is None
    assert len(found.json["groups"]) == 3
    assert ANN not in found.text


async def test_a_list_that_is_too_long_is_said_to_be_cut_off(url: str, page: Storefront) -> None:
    with (
        patch("services.storefront.readmodel.person_data.LETTERS_MAX", 1),
        patch("services.storefront.readmodel.person_data._LETTERS_PAGE", 1),
    ):
        found = (await page.ask("GET", f"{link()}/data.json", A.client)).json
    assert (len(found["letters"]), found["is_cut_off"]) == (1, True)


# --- erasing -------------------------------------------------------------------------------------


async def test_only_a_post_by_somebody_who_is_sure_erases(url: str, page: Storefront) -> None:
    path = link()
    for _ in range(2):
        for method, place in (("GET", path), ("HEAD", path), ("GET", f"{path}/data.json")):
            await page.ask(method, place, A.client)
    assert (await erase(page, path, {"sure": "no"})).status == 422
    assert page.sent == []
    done = await erase(page, path)
    assert (done.status, page.sent) == (200, [(PEOPLE.name, PersonErased(person_id=PERSON))])
    assert "What was deleted" in done.text
    for place, said in STAYS.items():
        assert (str(escape(said.what)) in done.text) is (place != Place.SELLER)


async def test_a_link_that_has_erased_works_for_nothing_more(url: str, page: Storefront) -> None:
    """Also if the person comes back with the same address."""
    path = link()
    assert (await erase(page, path)).status == 200
    assert await walked(page, path) == [(404, False)] * 3
    await write(url, deleted=((PEOPLE.name, PERSON),))
    assert await walked(page, path) == [(404, False)] * 3
    await write(url, person(PERSON, at=1, email=ANN))
    assert await walked(page, path) == [(404, False)] * 3
    assert len(page.sent) == 1


async def test_a_link_erases_again_if_the_log_was_away(page: Storefront) -> None:
    path = link()
    with patch.object(type(page.app.state.shop.sender), "send", side_effect=OSError("no broker")):
        answer = await erase(page, path)
    assert answer.status >= 500
    assert (await erase(page, path)).status == 200


async def test_each_person_of_a_mailbox_is_erased_alone(page: Storefront) -> None:
    """A shop's person is another one, with a link of its own."""
    assert (await erase(page, link("leaf:ann"))).status == 200
    assert [message.person_id for _, message in page.sent] == ["leaf:ann"]  # type: ignore[attr-defined]
    assert (await page.ask("GET", link(), A.client)).status == 200


async def test_a_seller_is_told_that_the_public_contact_stays(page: Storefront) -> None:
    path = link(of_seller(A.seller_id), "seller1@sellers.example")
    shown = await page.ask("GET", path, A.client)
    assert str(escape(STAYS[Place.SELLER].what)) in shown.text
    file = await page.ask("GET", f"{path}/data.json", A.client)
    assert file.json["seller"]["seller_id"] == A.seller_id


# --- tokens --------------------------------------------------------------------------------------


def made(purpose: Purpose, *what: str, age_seconds: int = 0) -> str:
    with patch("itsdangerous.timed.time.time", lambda: time() - age_seconds):
        return of_token(LINKS.token(purpose, *what))


HOUR = MAX_AGE["person"] or 0
GOOD = (PERSON, MAILBOX)
BAD_TOKENS: list[tuple[str, str]] = [
    ("expired", made("person", *GOOD, age_seconds=HOUR + 1)),
    ("of another address", made("person", PERSON, mailbox_of(PERSON, "eve@people.example"))),
    ("of another person's mailbox", made("person", PERSON, mailbox_of("leaf:ann", ANN))),
    ("of nobody", made("person", "m-nobody", mailbox_of("m-nobody", ANN))),
    ("without a mailbox", made("person", PERSON)),
    ("with more", made("person", *GOOD, "x")),
    ("a seller's sign-in", made("seller", *GOOD)),
    ("of an unsubscription", made("unsubscribe", *GOOD)),
    ("of a group", made("group", *GOOD)),
    ("of a session", made("session", PERSON, MAILBOX, "s")),
    ("not signed", of_token("WyJtLWFubi1wZXJzb24iXQ")),
    ("cut", made("person", *GOOD)[:-1]),
    ("mended", made("person", *GOOD)[:-4] + "AAAA"),
]


@pytest.mark.parametrize(("what", "path"), BAD_TOKENS, ids=[each[0] for each in BAD_TOKENS])
async def test_a_token_that_is_not_this_person_s_of_this_hour_shows_and_does_nothing(
    page: Storefront, what: str, path: str
) -> None:
    assert await walked(page, path) == [(404, False)] * 3
    assert page.sent == []


async def test_a_link_lasts_for_an_hour_and_for_as_long_as_the_address(
    url: str, page: Storefront
) -> None:
    path = made("person", *GOOD, age_seconds=HOUR - 5)
    assert (await page.ask("GET", path, A.client)).status == 200
    await write(url, person(PERSON, at=1, email="new@people.example"))
    assert await walked(page, path) == [(404, False)] * 3


async def test_the_token_is_no_credential_of_the_api(page: Storefront) -> None:
    token = link().rpartition("/")[2]
    headers = {"authorization": f"Bearer {token}"}
    for method, path in (("GET", f"/people/{PERSON}/data"), ("DELETE", f"/people/{PERSON}")):
        answer = await page.ask(method, f"/api/v1{path}", A.client, headers=headers)
        assert answer.status == 401
    assert page.sent == []


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
async def test_another_site_s_form_erases_nobody(page: Storefront, headers: dict[str, str]) -> None:
    assert (await erase(page, link(), **headers)).status == 403
    assert page.sent == []


# --- asking for the link -------------------------------------------------------------------------


async def ask(page: Storefront, email: str, client: str = A.client, *, by: str = "page") -> Answer:
    if by == "page":
        answer = await page.ask("POST", "/my-data", client, form={"email": email})
    else:
        answer = await page.ask("POST", "/api/v1/data-link", client, body={"email": email})
    await page.app.state.shop.commands.links.finish()
    return answer


def letters(page: Storefront) -> list[Notice]:
    return [message for _, message in page.sent if isinstance(message, Notice)]


@pytest.mark.parametrize("by", ["page", "api"])
async def test_each_person_of_the_mailbox_gets_a_letter_without_the_address(
    page: Storefront, by: str
) -> None:
    """Also those who hold no links: what is kept of them is their address."""
    await ask(page, "ANN+tea@People.example", by=by)
    assert {(each.kind, each.recipient_id) for each in letters(page)} == {
        ("data-link", PERSON),
        ("data-link", "leaf:ann"),
    }
    assert all("@" not in each.model_dump_json() for each in letters(page))
    before = {each.notice_id for each in letters(page)}
    await ask(page, ANN, "192.0.2.99")
    assert {each.notice_id for each in letters(page)} == before, "at most one an hour"


@pytest.mark.parametrize("by", ["page", "api"])
async def test_the_answer_is_the_same_whether_or_not_the_address_is_known(
    page: Storefront, by: str
) -> None:
    known = await ask(page, ANN, by=by)
    unknown = await ask(page, "nobody@people.example", by=by)
    told = [(each.status, each.text, each.headers.get("location")) for each in (known, unknown)]
    assert told[0] == told[1]
    assert known.status == (303 if by == "page" else 204)


@pytest.mark.parametrize("local", ["ann", "nobody"])
async def test_limits_count_what_is_typed_and_are_those_of_all_letters(
    url: str, local: str
) -> None:
    await write(url, *WORLD)
    email = f"{local}@people.example"
    with storefront_on(url, **LIMITS) as page:
        statuses = [(await ask(page, email, by="api")).status for _ in range(3)]
        asked = await page.ask("POST", "/api/v1/links-again", A.client, body={"email": email})
        await page.close()
    assert statuses == [204, 204, 429]
    assert asked.status == 429, "links by email count with them"


async def test_the_pages_lead_to_the_form(page: Storefront) -> None:
    for path in ("/", "/help"):
        assert 'href="/my-data"' in (await page.ask("GET", path, A.client)).text, path
    assert (await ask(page, "no address")).status == 422
    sent = await page.ask("GET", "/my-data/sent", A.client)
    assert "If we know this address" in sent.text
    expired = await page.ask("GET", BAD_TOKENS[0][1], A.client)
    assert 'class="button" href="/my-data"' in expired.text
