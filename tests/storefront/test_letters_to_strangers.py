"""What somebody without a shop's key can have written, to whom, how often, and in whose name."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.auctions import Applied
from schemas.groups import GroupPurchase, GroupPurchaseRequested
from schemas.letters import Unsubscribed, mailbox_of
from schemas.parts import Member, PaymentTerms, Product
from services.notifier.letters.links import SignedLinks
from tests.storefront.pages_app import ADMIN_KEY, PAGE_URL, Answer, Storefront, storefront_on
from tests.storefront.test_read_model import write
from tests.storefront.test_two_visitors import (
    ANYBODY,
    LATER,
    LINKS,
    MEMBER,
    PAYER,
    SHARED,
    A,
    Link,
    facts,
)

pytestmark = pytest.mark.slow

GROUPS = "/api/v1/group-purchases"
TRICK = "Your account is locked, see https://evil.example/x"
#: Those who act by a link or on their own, and so never name an id.
STRANGERS: dict[str, Link | None] = {
    "nobody": None,
    "a link for anybody": ANYBODY,
    "a member's link": MEMBER,
}


@pytest.fixture
async def page(url: str) -> AsyncIterator[Storefront]:
    await write(url, *SHARED, *facts(A))
    limits = {"letters_per_hour": 10, "letters_to_one_per_hour": 3}
    with storefront_on(url, **limits, letters_of_strangers_per_hour=25) as made:
        yield made
        await made.close()


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


async def group(
    page: Storefront, members: list[dict[str, Any]], client: str = A.client, **more: Any
) -> Answer:
    body = {"definition_id": "d-1", "number_of_products": 10, "closes_at": LATER}
    said = body | {"members": members} | more
    return await page.ask("POST", GROUPS, client, body=said)


def people(count: int, name: str = "buyer") -> list[dict[str, Any]]:
    return [{"email": f"{name}{number}@buyers.example"} for number in range(count)]


# --- how many ------------------------------------------------------------------------------------


async def test_a_request_counts_as_many_letters_as_it_lists_people(page: Storefront) -> None:
    assert (await group(page, people(6, "a"))).status == 202
    assert (await group(page, people(5, "b"))).status == 429
    organizer = {"email": "org@buyers.example"}
    assert (await group(page, people(3, "b"), organizer=organizer)).status == 202
    assert (await group(page, people(1, "c"))).status == 429
    assert (await group(page, [])).status == 202, "without an address there is no letter"
    assert (await group(page, people(1, "c"), client="192.0.2.77")).status == 202


async def test_more_letters_than_an_hour_has_are_refused_for_good(page: Storefront) -> None:
    refused = await group(page, people(11))
    assert refused.status == 422
    assert refused.json["detail"] == "this would send 11 emails: at most 10 an hour are allowed"
    assert (await group(page, people(10))).status == 202, "what was refused was not counted"


async def test_a_request_that_is_refused_counts_no_letter(page: Storefront) -> None:
    nameless = [*people(9), {"name": "Bo"}]
    assert (await group(page, nameless)).status == 422
    assert (await group(page, people(10))).status == 202


async def test_one_mailbox_gets_so_many_from_all_however_it_is_written(page: Storefront) -> None:
    spellings = ["Ann.Lee@gmail.com", "annlee+1@gmail.com", "a.n.n.l.e.e@googlemail.com"]
    for number, email in enumerate(spellings):
        sent = await group(page, [{"email": email}], client=f"192.0.2.{number}")
        assert sent.status == 202
    refused = await group(page, [{"email": "annlee@gmail.com"}, *people(1)], client="192.0.2.9")
    assert refused.status == 429
    assert (await group(page, people(10), client="192.0.2.9")).status == 202


async def test_all_strangers_together_cause_so_many(page: Storefront) -> None:
    statuses = [
        (await group(page, people(5, f"g{number}-"), client=f"192.0.2.{number}")).status
        for number in range(7)
    ]
    assert statuses == [202] * 5 + [429] * 2
    # A shop answers for its letters.
    own = {"product": {"name": "Tea"}, "members": people(100), "number_of_products": 1}
    by_shop = await page.ask("POST", GROUPS, A.client, headers=bearer(A.key("shop")), body=own)
    assert by_shop.status == 202


async def test_every_command_that_sends_letters_counts_them(page: Storefront) -> None:
    """Each alone is refused once the client's ten letters are used up."""

    async def order(number: int) -> Answer:
        path, token = f"{GROUPS}/g-1/orders", LINKS.token(ANYBODY[0], *ANYBODY[1])
        body = {"member": people(1, f"o{number}-")[0], "quantity": 1}
        return await page.ask("POST", path, A.client, headers=bearer(token), body=body)

    async def order_as_member(number: int) -> Answer:
        path, token = f"{GROUPS}/g-1/orders", LINKS.token(MEMBER[0], *MEMBER[1])
        body = {"quantity": number + 1, "member": {"email": "ann@example.com"}}
        return await page.ask("POST", path, A.client, headers=bearer(token), body=body)

    async def apply(number: int) -> Answer:
        body = {"applicant": people(1, f"a{number}-")[0], "quantity": 1}
        return await page.ask("POST", "/api/v1/auctions/a-1/applications", A.client, body=body)

    async def register(number: int) -> Answer:
        body = {"name": "Nord Foto", **people(1, f"s{number}-")[0]}
        return await page.ask("POST", "/api/v1/sellers", A.client, body=body)

    async def retry(_: int) -> Answer:
        token = LINKS.token(PAYER[0], *PAYER[1])
        path = "/api/v1/payments/p-failed/retry"
        return await page.ask("POST", path, A.client, headers=bearer(token))

    # A member's own link and the payer's retry write to the same people again.
    assert (await order_as_member(0)).status == 201
    assert (await retry(0)).status == 202
    for number in range(2):
        assert (await order(number)).status == 201
        assert (await apply(number)).status == 201
        assert (await register(number)).status == 202
    used = 1 + 2 + 3 * 2
    assert (await group(page, people(10 - used, "last"))).status == 202
    for command in (order, order_as_member, apply, register, retry):
        assert (await command(9)).status == 429, command.__name__


@pytest.mark.parametrize("what", ["order", "application", "request", "registration"])
async def test_a_command_that_comes_again_counts_its_letters_once(
    page: Storefront, what: str
) -> None:
    """Three letters an hour go to one mailbox; a program that asks on causes no further one."""
    buyer = people(1)[0]
    path, body = {
        "order": (f"{GROUPS}/g-1/orders", {"member": buyer, "quantity": 1}),
        "application": ("/api/v1/auctions/a-1/applications", {"applicant": buyer, "quantity": 1}),
        "request": (
            GROUPS,
            {"definition_id": "d-1", "number_of_products": 9, "organizer": buyer},
        ),
        "registration": ("/api/v1/sellers", {"name": "Nord Foto", **buyer}),
    }[what]
    link = bearer(LINKS.token(ANYBODY[0], *ANYBODY[1])) if what == "order" else {}

    async def ask(key: str) -> int:
        headers = {**link, "idempotency-key": f"{key}-of-this-test"}
        return (await page.ask("POST", path, A.client, headers=headers, body=body)).status

    first = await ask("first-key")
    assert first in (201, 202)
    assert [await ask("first-key") for _ in range(5)] == [first] * 5
    others = [await ask(f"other-key-{number}") for number in range(3)]
    assert others == [first, first, 429]


async def test_an_order_that_is_refused_counts_no_letter(url: str) -> None:
    """Else refused orders in somebody's name would keep the mailbox from ordering at all."""
    terms = GroupPurchase(
        group_id="g-listed",
        request_id="r-listed",
        version=1,
        requested_at=datetime(2026, 1, 1, tzinfo=UTC),
        issued_at=datetime(2026, 1, 1, tzinfo=UTC),
        product=Product(name="Tea"),
        number_of_products=9,
        unit_price=100,
        currency="EUR",
        opens_at=datetime(2026, 1, 1, tzinfo=UTC),
        closes_at=datetime.fromisoformat(LATER),
        members=(Member(id="m-listed", person_id="m-listed"),),
        payment=PaymentTerms(scope="member", method="invoice"),
    )
    await write(url, *SHARED, *facts(A), terms)
    with storefront_on(url, letters_to_one_per_hour=1) as page:

        async def order(group_id: str) -> int:
            headers = bearer(LINKS.token("order", group_id, ""))
            body = {"member": people(1)[0], "quantity": 1}
            path = f"{GROUPS}/{group_id}/orders"
            return (await page.ask("POST", path, A.client, headers=headers, body=body)).status

        assert [await order("g-listed") for _ in range(3)] == [422] * 3
        assert [await order("g-1"), await order("g-1")] == [201, 429]
        await page.close()


async def test_a_seller_offers_so_often_in_one_auction(url: str) -> None:
    """Each offer that is shown is told to all who have reserved."""
    await write(url, *SHARED, *facts(A))
    with storefront_on(url, offers_per_hour=2) as page:

        async def offer(price: int, **headers: str) -> int:
            path, body = "/api/v1/auctions/a-1/offers", {"minimum_reservations": 10}
            sent = await page.ask(
                "POST", path, A.client, headers=headers, body=body | {"unit_price": price}
            )
            return sent.status

        key, invited = A.key("seller"), LINKS.token("counter-offer", "a-1", A.seller_id)
        statuses = [await offer(700, **bearer(key)), await offer(690, **bearer(invited))]
        assert [*statuses, await offer(680, **bearer(key))] == [202, 202, 429]
        admin = {"seller_id": A.seller_id, "minimum_reservations": 10, "unit_price": 600}
        path = "/api/v1/auctions/a-1/offers"
        by_admin = await page.ask("POST", path, A.client, headers=bearer(ADMIN_KEY), body=admin)
        assert by_admin.status == 202
        await page.close()


# --- whose ids -----------------------------------------------------------------------------------


@pytest.mark.parametrize("who", STRANGERS)
async def test_a_stranger_names_addresses_and_never_ids(page: Storefront, who: str) -> None:
    link = STRANGERS[who]
    headers = bearer(LINKS.token(link[0], *link[1])) if link else {}
    named = {"id": "m-victim", "email": "stranger@evil.example"}
    if link is None:
        tried = [
            ("POST", GROUPS, {"members": [named], "definition_id": "d-1", "number_of_products": 9}),
            ("POST", GROUPS, {"organizer": named, "definition_id": "d-1", "number_of_products": 9}),
            ("POST", "/api/v1/auctions/a-1/applications", {"applicant": named, "quantity": 1}),
        ]
    else:
        tried = [("POST", f"{GROUPS}/g-1/orders", {"member": named, "quantity": 1})]
    for method, path, body in tried:
        refused = await page.ask(method, path, A.client, headers=headers, body=body)
        assert refused.status == 422, path
        (problem,) = refused.json["problems"]
        assert problem["field"].endswith(".id")
        assert problem["problem"] == "leave it out: it is made from the address"
    assert page.sent == []


async def test_the_id_of_an_address_is_the_deployment_s(page: Storefront) -> None:
    await group(page, people(2), organizer={"email": "org@buyers.example"})
    (_, request), *_ = page.sent
    assert isinstance(request, GroupPurchaseRequested)
    assert request.organizer is not None
    ids = {each.id for each in (*request.members, request.organizer)}
    assert len(ids) == 3
    assert all(each.startswith("m-") for each in ids)


async def test_a_letter_s_link_ends_letters_to_its_own_mailbox(page: Storefront) -> None:
    """Even a shop that names another's person with its own address gets no link that hits them."""
    links = SignedLinks(PAGE_URL, LINKS)
    link = links.unsubscribe("m-victim", "stranger@evil.example", "invitation")
    place = link.removeprefix(PAGE_URL)
    assert (await page.ask("POST", place, A.client)).status == 200
    ((topic, word),) = page.sent
    assert topic == "mail-preferences"
    assert isinstance(word, Unsubscribed)
    assert (word.recipient_id, word.mailbox) == (
        "m-victim",
        mailbox_of("m-victim", "stranger@evil.example"),
    )
    assert word.mailbox != mailbox_of("m-victim", "victim@buyers.example")


@pytest.mark.parametrize(
    "token",
    [
        LINKS.token("unsubscribe", "m-victim", "all"),
        LINKS.token("order", "m-victim", "all", "mailbox"),
        LINKS.token("payer", "m-victim", "all", "mailbox"),
        "m-victim",
    ],
    ids=["without a mailbox", "of an order", "of a payer", "the id"],
)
async def test_no_other_token_ends_anybody_s_letters(page: Storefront, token: str) -> None:
    for place in ("unsubscribe", "resubscribe"):
        assert (await page.ask("POST", f"/{place}/{token}", A.client)).status == 404
    assert page.sent == []


# --- whose words ---------------------------------------------------------------------------------


async def test_a_stranger_s_name_is_taken_only_if_a_letter_may_repeat_it(page: Storefront) -> None:
    members = [{**people(1)[0], "name": TRICK}, {**people(2)[1], "name": "Bo Lee"}]
    await group(page, members, organizer={"email": "org@buyers.example", "name": "x" * 61})
    (_, request), *_ = page.sent
    assert isinstance(request, GroupPurchaseRequested)
    assert request.organizer is not None
    assert request.organizer.name is None
    assert [each.name for each in request.members] == [None, "Bo Lee"]

    body = {"applicant": {**people(1)[0], "name": TRICK}, "quantity": 1}
    await page.ask("POST", "/api/v1/auctions/a-1/applications", A.client, body=body)
    _, applied = page.sent[-1]
    assert isinstance(applied, Applied)
    assert applied.applicant.name is None


async def test_a_seller_s_name_and_product_hold_no_link(page: Storefront) -> None:
    body: dict[str, Any] = {"name": TRICK, "email": "s@sellers.example"}
    refused = await page.ask("POST", "/api/v1/sellers", A.client, body=body)
    assert refused.status == 422
    assert [each["field"] for each in refused.json["problems"]] == ["name"]
    form = await page.ask("POST", "/sellers", A.client, form=body)
    assert form.status == 422
    assert "Leave out web and email addresses" in form.text

    said = {"minimum_reservations": 10, "unit_price": 900, "currency": "EUR", "closes_at": LATER}
    for product, field in (({"name": TRICK}, "name"), ({"name": "x", "id": "evil.example"}, "id")):
        opened = await page.ask(
            "POST",
            "/api/v1/auctions",
            A.client,
            headers=bearer(A.key("seller")),
            body=said | {"product": product},
        )
        assert opened.status == 422
        assert [each["field"] for each in opened.json["problems"]] == [f"product.{field}"]
    assert page.sent == []
