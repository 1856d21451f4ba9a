"""What is left to people over a read model: the list, whose it is, and what closes it."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from schemas.letters import Delivery
from schemas.ops import ApiKey, Task, next_version, transfer_task_id
from schemas.parts import Message
from schemas.payments import Payment
from services.storefront.access.callers import Actor, digest_of
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.todo_pages import Asked
from services.storefront.readmodel.writer import Writer
from tests.read_model import model_of
from tests.rules.test_todo import letter, payment, task
from tests.storefront.pages_app import ADMIN_KEY, PAGE_URL, Answer, Storefront, storefront_on
from tests.storefront.test_read_model import definition, group, write

NOW = datetime.now(UTC)
CLIENT = "192.0.2.1"
API = "/api/v1"


def key_of(shop_id: str, role: Literal["shop", "seller"] = "shop") -> tuple[ApiKey, str]:
    key_id = shop_id.ljust(16, "0").replace("-", "0")
    credential = f"jb_{key_id}_secret"
    return ApiKey(
        key_id=key_id,
        role=role,
        holder_id=shop_id,
        digest=digest_of(credential),
        issued_at=NOW,
        version=1,
    ), credential


def of_group(number: int, payment_id: str, **fields: Any) -> Payment:
    made = payment("shop", "refund", "pending")
    changed = {"payment_id": payment_id, "group_id": f"g-{number:03}", **fields}
    return made.model_copy(update=changed)


def letter_of(number: int, notice_id: str, **fields: Any) -> Delivery:
    changed = {"notice_id": notice_id, "about": f"g-{number:03}", "queued_at": NOW, **fields}
    return letter("bounced", "550 no").model_copy(update=changed)


async def keys_of(reader: Reader, *owners: str, kind: str | None = None) -> list[str]:
    page = await reader.todos(Asked(kind, owners or None, NOW))
    return [each.fact.key for each in page.rows]


# --- the read model --------------------------------------------------------------------------

FACTS: tuple[Message, ...] = (
    definition(0),  # shop-0
    definition(1),  # shop-1
    group(0, definition_id="d-000"),
    group(1, definition_id="d-001"),
    group(2, request_id="r-0123456789abcdef0123"),
    group(3, request_id="au-1"),
    of_group(0, "p-0"),
    of_group(1, "p-1"),
    of_group(2, "p-2"),
    of_group(3, "p-3"),
    letter_of(0, "n-0"),
    letter_of(1, "n-1"),
    letter_of(1, "n-auction", kind="contract-concluded"),
)


@pytest.mark.parametrize("turned", [False, True])
async def test_it_is_the_shop_s_whose_group_it_is_in_whatever_order_facts_come(
    url: str, reader: Reader, turned: bool
) -> None:
    for fact in FACTS[::-1] if turned else FACTS:
        await write(url, fact)
    engine = model_of(url)
    await Writer(engine).count_todos(NOW)
    await engine.dispose()
    assert set(await keys_of(reader, "shop-0")) == {"g-000/payment/p-0", "m-ann/n-0"}
    assert set(await keys_of(reader, "shop-1")) == {"g-001/payment/p-1", "m-ann/n-1"}
    assert await keys_of(reader, "/01234567") == ["g-002/payment/p-2"]
    assert set(await keys_of(reader, "")) == {"g-003/payment/p-3", "m-ann/n-auction"}
    assert len(await keys_of(reader)) == 7


async def test_one_batch_is_enough_where_the_definition_is_there(url: str, reader: Reader) -> None:
    await write(url, definition(0))
    await write(url, of_group(0, "p-0"))
    assert await keys_of(reader, "shop-0") == []
    await write(url, group(0, definition_id="d-000"))
    assert await keys_of(reader, "shop-0") == ["g-000/payment/p-0"]
    await write(url, of_group(0, "p-0", problem="again", version=2))
    assert await keys_of(reader, "shop-0") == ["g-000/payment/p-0"]


async def test_a_done_task_leaves_the_list_and_an_older_fact_does_not_reopen_it(
    url: str, reader: Reader
) -> None:
    await write(url, task(), of_group(0, "p-0"), letter_of(0, "n-0"))
    assert len(await keys_of(reader)) == 3
    done = task(done_at=NOW, version=2)
    paid = of_group(0, "p-0", status="succeeded", version=2)
    await write(url, done, paid, letter_of(0, "n-0", status="queued", version=2))
    assert await keys_of(reader) == []
    await write(url, task(), of_group(0, "p-0"), letter_of(0, "n-0"))
    assert await keys_of(reader) == []
    await write(url, of_group(0, "p-0", status="failed", version=3))
    assert await keys_of(reader) == ["g-000/payment/p-0"]


async def test_what_is_deleted_leaves(url: str, reader: Reader) -> None:
    await write(url, *FACTS, task())
    gone = (("tasks", "transfer-1"), ("payments", "g-000/payment/p-0"), ("deliveries", "m-ann/n-0"))
    await write(url, deleted=gone)
    assert await keys_of(reader, "shop-0") == []
    await write(url, deleted=(("group-purchases", "g-001"),))
    assert await keys_of(reader, "shop-1") == [], "nobody knows any more whose it is"
    await write(url, group(1, definition_id="d-001"))
    assert len(await keys_of(reader, "shop-1")) == 2


async def test_a_letter_that_nobody_can_send_any_more_is_not_left(url: str, reader: Reader) -> None:
    kept = NOW - timedelta(days=30)
    await write(url, letter_of(0, "n-0", queued_at=kept - timedelta(seconds=1)))
    await write(url, letter_of(0, "n-1", queued_at=kept + timedelta(seconds=1)))
    assert await keys_of(reader) == ["m-ann/n-1"]
    engine = model_of(url)
    assert await Writer(engine).count_todos(NOW) == {"letter": 1}
    await engine.dispose()


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_pages_make_up_the_list_the_oldest_first(
    url: str, reader: Reader, limit: int
) -> None:
    tasks = [
        task(kind, task_id=f"{kind}-{number}", since=NOW - timedelta(minutes=number // 2))
        for number in range(8)
        for kind in ("transfer", "order", "record")
    ]
    await write(url, *tasks)
    found, cursor = [], None
    while True:
        page = await reader.todos(Asked(None, None, NOW), cursor, limit)
        found += [each.fact.key for each in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [each.key for each in sorted(tasks, key=lambda each: (each.since, each.key))]
    only = await keys_of(reader, kind="order")
    assert only == [each for each in found if each.startswith("order")]


# --- the API ---------------------------------------------------------------------------------

SHOP, SHOP_KEY = key_of("shop-0")
RIVAL, RIVAL_KEY = key_of("shop-1")
ORDER = task("order", shop_id="shop-0", about="1042", problem="a quantity is null")
WORLD = (*FACTS, SHOP, RIVAL, ORDER, task("record", about="orders/0/7"), task())


@pytest.fixture
async def storefront(url: str) -> AsyncIterator[Storefront]:
    await write(url, *WORLD)
    engine = model_of(url)
    await Writer(engine).count_todos(NOW)
    await engine.dispose()
    with storefront_on(url) as made:
        yield made
        await made.close()


async def ask(storefront: Storefront, method: str, path: str, key: str, body: Any = None) -> Answer:
    headers = {"authorization": f"Bearer {key}"}
    return await storefront.ask(method, f"{API}{path}", CLIENT, headers=headers, body=body)


async def written(storefront: Storefront, url: str) -> None:
    """What was sent is in the read model."""
    await write(url, *(each for _, each in storefront.sent))
    storefront.sent.clear()


@pytest.mark.parametrize(
    ("key", "query", "ids"),
    [
        (SHOP_KEY, "", {"p-0", "n-0", "order-1"}),
        (SHOP_KEY, "?kind=payment", {"p-0"}),
        (SHOP_KEY, "?shop=shop-0&kind=letter", {"n-0"}),
        (RIVAL_KEY, "", {"p-1", "n-1"}),
        (ADMIN_KEY, "?shop=shop-1", {"p-1", "n-1"}),
        (ADMIN_KEY, "?kind=record", {"record-1"}),
        (
            ADMIN_KEY,
            "",
            {
                *("p-0", "p-1", "p-2", "p-3", "n-0", "n-1", "n-auction"),
                *("order-1", "record-1", "transfer-1"),
            },
        ),
    ],
)
async def test_who_sees_what(storefront: Storefront, key: str, query: str, ids: set[str]) -> None:
    answer = await ask(storefront, "GET", f"/todo{query}", key)
    assert answer.status == 200, answer.text
    assert {each["task_id"] for each in answer.json["items"]} == ids
    for each in answer.json["items"]:
        assert each["what_to_do"]
        assert (each["shop_id"] is None) == (each["task_id"] in NOBODY_S)


NOBODY_S = {"p-2", "p-3", "n-auction", "record-1", "transfer-1"}


async def test_a_shop_s_own_terms_are_known_by_its_mark(storefront: Storefront, url: str) -> None:
    commands = storefront.app.state.shop.commands
    mark = commands.ids.mark(Actor("shop", "shop-0", client=CLIENT))
    await write(url, group(9, request_id=f"r-{mark}ffffffffffff"), of_group(9, "p-9"))
    for key, sees in ((SHOP_KEY, True), (RIVAL_KEY, False)):
        items = (await ask(storefront, "GET", "/todo", key)).json["items"]
        assert ("p-9" in [each["task_id"] for each in items]) == sees


async def test_the_owner_of_a_todo_follows_the_commands_rule(storefront: Storefront) -> None:
    """A shop is shown no payment that it may not act on, and all that it may."""
    for shop_id, key in (("shop-0", SHOP_KEY), ("shop-1", RIVAL_KEY)):
        listed = (await ask(storefront, "GET", "/todo?kind=payment", key)).json["items"]
        for number in range(4):
            answer = await ask(storefront, "GET", f"/payments/p-{number}", key)
            is_listed = f"p-{number}" in [each["task_id"] for each in listed]
            assert answer.status == (200 if is_listed else 403), (shop_id, number)


@pytest.mark.parametrize(
    ("changed", "is_left"),
    [
        ({"begun_at": NOW}, False),
        ({"begun_at": NOW - timedelta(days=4)}, True),
        ({"begun_at": NOW, "status": "failed"}, True),
        ({"begun_at": NOW, "method": "invoice"}, True),
    ],
)
async def test_what_the_bridge_pays_back_is_not_left_to_people_while_it_tries(
    url: str, changed: dict[str, Any], is_left: bool
) -> None:
    facts = (definition(0), group(0, definition_id="d-000"), of_group(0, "p-0", **changed))
    await write(url, *facts, SHOP)
    with storefront_on(url, paid_back_at=" shop-0, kiosk") as storefront:
        for key in (SHOP_KEY, ADMIN_KEY):
            items = (await ask(storefront, "GET", "/todo", key)).json["items"]
            assert bool(items) == is_left
        await storefront.close()


@pytest.mark.parametrize(
    ("key", "path", "status"),
    [
        (SHOP_KEY, "/todo?shop=shop-1", 403),
        (SHOP_KEY, "/todo?kind=nothing", 400),
        (ADMIN_KEY, "/todo?cursor=abc", 422),
        ("nonsense", "/todo", 401),
    ],
)
async def test_what_is_refused(storefront: Storefront, key: str, path: str, status: int) -> None:
    assert (await ask(storefront, "GET", path, key)).status == status


@pytest.mark.parametrize(
    ("key", "task_id", "status"),
    [
        (SHOP_KEY, "order-1", 200),
        (ADMIN_KEY, "order-1", 200),
        (ADMIN_KEY, "transfer-1", 200),
        (RIVAL_KEY, "order-1", 403),
        (SHOP_KEY, "transfer-1", 403),
        (ADMIN_KEY, "record-1", 422),
        (ADMIN_KEY, "p-0", 422),
        (ADMIN_KEY, "nothing", 404),
    ],
)
async def test_a_task_is_closed_once_by_whoever_may(
    storefront: Storefront, url: str, key: str, task_id: str, status: int
) -> None:
    path, said = f"/todo/{task_id}/done", {"reason": "mended in the shop"}
    answer = await ask(storefront, "POST", path, key, said)
    assert answer.status == status, answer.text
    if status != 200:
        assert storefront.sent == []
        return
    ((topic, closed),) = storefront.sent
    assert isinstance(closed, Task)
    assert (topic, closed.done_reason) == ("tasks", "mended in the shop")
    assert closed.done_at is not None
    assert abs(closed.version - closed.done_at.timestamp() * 1_000) < 1_000
    await written(storefront, url)
    again = await ask(storefront, "POST", path, key, {"reason": "once more"})
    assert again.json["done_reason"] == "mended in the shop"
    assert storefront.sent == []
    items = (await ask(storefront, "GET", "/todo", key)).json["items"]
    assert task_id not in [each["task_id"] for each in items]


#: What people closed at 12:00, and what shop_bridge wrote of the same task: when, and if it then
#: stands open, whichever of the two the read model meets first.
WRITTEN: list[tuple[str, int, bool]] = [
    ("before it was closed", -1, False),
    ("after it", 1, True),
]


@pytest.mark.parametrize("is_late", [False, True], ids=["closed first", "closed last"])
@pytest.mark.parametrize(
    ("minute", "is_open"), [each[1:] for each in WRITTEN], ids=[each[0] for each in WRITTEN]
)
async def test_the_latest_word_on_a_task_stands(
    storefront: Storefront, url: str, minute: int, is_open: bool, is_late: bool
) -> None:
    closed = task("order", task_id="order-9", done_at=NOW, done_reason="by hand")
    closed = closed.model_copy(update={"version": next_version(1, NOW)})
    at = NOW + timedelta(minutes=minute)
    other = task("order", task_id="order-9", version=next_version(1, at))
    for each in (other, closed) if is_late else (closed, other):
        await write(url, each)
    items = (await ask(storefront, "GET", "/todo", ADMIN_KEY)).json["items"]
    assert ("order-9" in [each["task_id"] for each in items]) is is_open


TRANSFER = {"reference": "AB 12", "reason": "no-number", "problem": "names no invoice"}
MONEY = {"amount": 900, "currency": "EUR", "received_at": "2026-11-02T12:00:00Z"}


@pytest.mark.parametrize("key", [SHOP_KEY, RIVAL_KEY, "nonsense"])
async def test_only_the_admin_leaves_transfers_to_people(storefront: Storefront, key: str) -> None:
    body = {"transfers": [TRANSFER | MONEY]}
    answer = await ask(storefront, "POST", "/transfers", key, body)
    assert answer.status == (401 if key == "nonsense" else 403)
    assert storefront.sent == []


async def states(storefront: Storefront, url: str, *transfers: dict[str, Any]) -> list[str]:
    answer = await ask(storefront, "POST", "/transfers", ADMIN_KEY, {"transfers": transfers})
    await written(storefront, url)
    return [each["status"] for each in answer.json["items"]]


async def test_a_transfer_is_left_once_and_stays_done(storefront: Storefront, url: str) -> None:
    transfer, other = TRANSFER | MONEY, TRANSFER | {"reference": "AB 13"}
    assert await states(storefront, url, transfer, transfer) == ["new"]
    assert await states(storefront, url, transfer, other) == ["known", "new"]
    task_id = transfer_task_id("AB 12")
    opened = await storefront.app.state.shop.reader.fact("tasks", task_id)
    assert opened.version == 1, "an opening that is written again is never the latest word"
    items = (await ask(storefront, "GET", "/todo?kind=transfer", ADMIN_KEY)).json["items"]
    found = next(each for each in items if each["task_id"] == task_id)
    assert (found["amount"], found["currency"], found["about"]) == (900, "EUR", "AB 12")
    assert found["since"] == "2026-11-02T12:00:00Z"
    await ask(storefront, "POST", f"/todo/{task_id}/done", ADMIN_KEY, {"reason": "sent back"})
    await written(storefront, url)
    assert await states(storefront, url, transfer, other) == ["done", "known"]
    items = (await ask(storefront, "GET", "/todo?kind=transfer", ADMIN_KEY)).json["items"]
    assert task_id not in [each["task_id"] for each in items]


@pytest.mark.parametrize(("amount", "closes"), [(900, True), (1_000, True), (899, False)])
async def test_money_that_is_said_to_be_for_an_invoice_closes_its_transfer(
    storefront: Storefront, url: str, amount: int, closes: bool
) -> None:
    """Where all of it is: the rest of a transfer for several invoices is still to be said."""
    invoice = of_group(0, "p-i", kind="invoice", method="invoice", provider_reference="I1")
    await write(url, invoice)
    await states(storefront, url, TRANSFER | MONEY)
    said = {"amount": amount, "currency": "EUR", "reference": "AB 12"}
    await ask(storefront, "POST", "/payments/I1/received", ADMIN_KEY, said)
    closed = [each for topic, each in storefront.sent if topic == "tasks"]
    assert [each.done_reason for each in closed if isinstance(each, Task)] == (
        ["counted for I1"] if closes else []
    )


async def test_the_same_request_is_done_once(storefront: Storefront) -> None:
    """Another body under the same key is refused."""
    key = {"authorization": f"Bearer {SHOP_KEY}", "idempotency-key": "a-key-of-this-test"}
    path = f"{API}/todo/order-1/done"
    statuses = []
    for reason in ("mended", "mended", "other"):
        answer = await storefront.ask("POST", path, CLIENT, headers=key, body={"reason": reason})
        statuses.append(answer.status)
    assert statuses == [200, 200, 422]


SIGN_IN = 'action="/sign-in?next='
# --- the page --------------------------------------------------------------------------------


async def form(storefront: Storefront, path: str, cookie: str = "", **fields: str) -> Answer:
    headers = {"origin": PAGE_URL, **({"cookie": cookie} if cookie else {})}
    return await storefront.ask("POST", path, CLIENT, headers=headers, form=fields)


async def signed_in(storefront: Storefront, key: str) -> str:
    """The cookie of a browser that has signed in."""
    answer = await form(storefront, "/sign-in", key=key)
    home = "/admin" if key == ADMIN_KEY else "/todo"
    assert (answer.status, answer.headers["location"]) == (303, home)
    return answer.headers["set-cookie"].partition(";")[0]


async def see(storefront: Storefront, cookie: str, query: str = "", lang: str = "en") -> Answer:
    """The list; the admin is led to the admin's."""
    headers = {"accept-language": lang, **({"cookie": cookie} if cookie else {})}
    answer = await storefront.ask("GET", f"/todo{query}", CLIENT, headers=headers)
    if answer.status == 303:
        place = answer.headers["location"]
        assert place == f"/admin/todo{query}"
        return await storefront.ask("GET", place, CLIENT, headers=headers)
    return answer


async def test_a_shop_and_the_admin_sign_in_and_see_their_own(storefront: Storefront) -> None:
    asked = await see(storefront, "")
    assert (asked.status, SIGN_IN in asked.text) == (401, True)
    shop, admin = await signed_in(storefront, SHOP_KEY), await signed_in(storefront, ADMIN_KEY)
    of_shop, of_all = (await see(storefront, shop)).text, (await see(storefront, admin)).text
    assert "1042" in of_shop
    assert "AB" not in of_shop
    assert "transfer-1" in of_all
    assert "orders/0/7" in of_all
    assert SHOP_KEY not in of_shop
    assert "/admin/letters/n-0" in of_all
    assert "/admin" not in of_shop
    assert "読み取れなかった注文" in (await see(storefront, shop, lang="ja")).text
    assert (await see(storefront, shop, "?shop=shop-1")).status == 403
    out = await form(storefront, "/sign-out", shop)
    assert out.status == 303
    assert SIGN_IN in (await see(storefront, shop)).text


@pytest.mark.parametrize("key", ["", "nonsense", "jb_0000000000000000_x", ADMIN_KEY + "x"])
async def test_another_key_signs_nobody_in_and_is_not_shown(
    storefront: Storefront, key: str
) -> None:
    answer = await form(storefront, "/sign-in", key=key)
    assert answer.status == 422
    assert "set-cookie" not in answer.headers
    assert not key or key not in answer.text


async def test_a_session_is_of_its_role_and_begins_when_somebody_signs_in(
    storefront: Storefront, url: str
) -> None:
    """A seller's cookie opens nothing here, nor does a cookie that was planted before."""
    seller, key = key_of("shop-7", "seller")
    await write(url, seller)
    answer = await form(storefront, "/sign-in", key=key)
    assert answer.headers["location"] == "/seller"
    of_seller = answer.headers["set-cookie"].partition(";")[0]
    assert SIGN_IN in (await see(storefront, of_seller)).text
    refused = await form(storefront, "/todo/order-1/done", of_seller, reason="x")
    assert (refused.status, storefront.sent) == (401, [])

    planted = await signed_in(storefront, RIVAL_KEY)
    answer = await form(storefront, "/sign-in", planted, key=SHOP_KEY)
    fresh = answer.headers["set-cookie"].partition(";")[0]
    assert fresh != planted
    assert "1042" in (await see(storefront, fresh)).text
    assert "1042" not in (await see(storefront, planted)).text


@pytest.mark.parametrize(
    "said",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 7 }} {% raw %}",
        "\x1b[2J\x1b]0;x\x07",
        "\u202eabc\u2066",
        "x" * 200,
        "",
    ],
)
async def test_a_shop_s_words_break_no_page(storefront: Storefront, url: str, said: str) -> None:
    words = {"about": said, "problem": said * 5, "reason": said or "empty"}
    await write(url, task("order", task_id="order-8", shop_id="shop-0", **words))
    for key in (SHOP_KEY, ADMIN_KEY):
        cookie = await signed_in(storefront, key)
        place = "/admin/todo" if key == ADMIN_KEY else "/todo"
        form_page = await storefront.ask(
            "GET", f"{place}/order-8/done", CLIENT, headers={"cookie": cookie}
        )
        for answer in (await see(storefront, cookie), form_page):
            assert answer.status == 200
            assert f'"{place}/order-8/done"' in answer.text
            assert "<script>alert" not in answer.text
            assert "<img src=x" not in answer.text
        listed = (await ask(storefront, "GET", "/todo?kind=order", key)).json["items"]
        assert said in [each["about"] for each in listed]


async def test_a_new_admin_s_key_ends_the_sessions_of_the_old_one(
    storefront: Storefront, url: str
) -> None:
    cookie = await signed_in(storefront, ADMIN_KEY)
    with storefront_on(url, admin_key="another-admin-key-of-the-tests") as other:
        assert SIGN_IN in (await see(other, cookie)).text
        await other.close()
    with storefront_on(url, admin_key="") as none:
        assert SIGN_IN in (await see(none, cookie)).text
        await none.close()


async def test_nothing_left_says_so(url: str) -> None:
    await write(url, SHOP)
    with storefront_on(url) as storefront:
        cookie = await signed_in(storefront, SHOP_KEY)
        assert "There are no open tasks." in (await see(storefront, cookie)).text
        await storefront.close()


async def test_a_form_that_is_sent_twice_leads_to_the_list(
    storefront: Storefront, url: str
) -> None:
    cookie = await signed_in(storefront, SHOP_KEY)
    path = "/todo/order-1/done"
    assert (await form(storefront, path, cookie, reason="mended")).status == 303
    await written(storefront, url)
    assert (await form(storefront, path, cookie, reason="mended")).status == 303
    assert storefront.sent == []
    shown = await storefront.ask("GET", path, CLIENT, headers={"cookie": cookie})
    assert shown.status == 409


async def test_money_of_no_known_currency_is_shown_as_it_came(
    storefront: Storefront, url: str
) -> None:
    await states(storefront, url, TRANSFER | MONEY | {"currency": "QQQ"})
    cookie = await signed_in(storefront, ADMIN_KEY)
    for lang in ("en", "ja"):
        answer = await see(storefront, cookie, "?kind=transfer", lang)
        assert (answer.status, "QQQ" in answer.text) == (200, True)


async def test_a_shop_closes_its_order_and_says_that_it_paid(storefront: Storefront) -> None:
    cookie = await signed_in(storefront, SHOP_KEY)
    empty = await form(storefront, "/todo/order-1/done", cookie, reason="  ")
    assert empty.status == 422
    assert 'aria-invalid="true"' in empty.text
    assert (await form(storefront, "/todo/order-1/done", cookie, reason="mended")).status == 303
    assert (await form(storefront, "/todo/p-0/done", cookie, reason="cash")).status == 303
    assert [topic for topic, _ in storefront.sent] == ["tasks", "payment-reports"]
    assert (await form(storefront, "/todo/p-1/done", cookie, reason="cash")).status == 403
    assert (await form(storefront, "/todo/transfer-1/done", cookie, reason="x")).status == 403
    assert (await form(storefront, "/todo/order-1/done", reason="mended")).status == 401
    elsewhere = {"cookie": cookie, "origin": "https://evil.example"}
    forged = await storefront.ask(
        "POST", "/todo/order-1/done", CLIENT, headers=elsewhere, form={"reason": "x"}
    )
    assert forged.status == 403


async def test_pages_of_the_list_lead_on(storefront: Storefront, url: str) -> None:
    many = [task("order", task_id=f"order-{number:03}", shop_id="shop-0") for number in range(60)]
    await write(url, *many)
    cookie = await signed_in(storefront, SHOP_KEY)
    first = (await see(storefront, cookie, "?kind=order")).text
    more = re.search(r'class="more"><a href="/todo(\?[^"]+)"', first)
    assert more
    assert "kind=order" in more[1]
    second = (await see(storefront, cookie, more[1].replace("&amp;", "&"))).text
    found = re.findall(r"/todo/(order-\d+)/done", first + second)
    assert len(found) == len(set(found)) == 61


# --- how quick -------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_page_costs_the_same_however_much_is_done(url: str, reader: Reader) -> None:
    """The database searches an index for it; it never looks at all there is."""
    engine = model_of(url)
    async with engine.connect() as connection:
        for owners in (None, ("shop-0", "/01234567")):
            for after in (None, (1, "tasks", "a")):
                query = Asked(None, owners, NOW).page(after, 51)
                compiled = query.compile(
                    dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
                )
                plan = await connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))
                steps = [row.detail for row in plan]
                looked = [each for each in steps if "todos" in each]
                assert looked
                assert all("SEARCH todos USING" in each for each in looked), steps
    await engine.dispose()
