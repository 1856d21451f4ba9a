"""What is asked of Shopify and WooCommerce, and what is made of their answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import httpx
import pytest
import structlog
from pydantic import ValidationError

from domain.money import in_decimals
from runtime.breaker import Strained, Unasked, reply_of
from services.shop_bridge.edge import door as doors
from services.shop_bridge.edge.caller import ShopCaller, code_name
from services.shop_bridge.rules.outbound import shopify_admin
from services.shop_bridge.rules.outbound.rows import Reply, Request
from services.shop_bridge.shops import Shop
from tests.shop_faults import Fault
from tests.strict_shopify import TOKEN, StrictShopify
from tests.webhook_payloads import GROUP
from tests.woo_rest import KEY, SECRET, WooRest

ID = "0123456789abcdef0123456789abcdef"


def shop(of: str, **more: Any) -> Shop:
    told: dict[str, Any] = {"name": "shop", "kind": of, "secrets": ("of this test",)}
    if of == "shopify":
        told |= {"domain": "shop.example", "admin": {"token": TOKEN}}
    else:
        told["rest"] = {"url": "https://shop.example", "key": KEY, "secret": SECRET}
    return Shop.model_validate(told | {"favors": "refund"} | more)


def request(**more: Any) -> Request:
    asked = Request(
        source="shop",
        order_id="5",
        group_id=GROUP,
        key=f"{ID}-1",
        kind="refund",
        amount=500,
        currency="EUR",
    )
    return replace(asked, **more)


class AtShop:
    """One strict shop that sold order 5 for 48.00, and who asks it."""

    def __init__(self, kind: str, **more: Any) -> None:
        self.kind = kind
        self.shopify, self.woo = StrictShopify(), WooRest()
        self.shopify.sell(5, "48.00")
        self.woo.put(woo_paid(5))
        transport = (self.shopify if kind == "shopify" else self.woo).transport
        self.caller = ShopCaller([shop(kind, **more)], 5, transport)
        self.begun = 0

    async def ask(self, **more: Any) -> Reply:
        def begin() -> None:
            self.begun += 1

        reply: Reply = reply_of(await self.caller(request(**more), begin))
        return reply

    def went_back(self) -> list[str]:
        if self.kind == "shopify":
            return self.shopify.refunded(5)
        return [each["amount"] for each in self.woo.refunds.get(5, [])]

    def codes(self) -> list[str]:
        if self.kind == "shopify":
            return list(self.shopify.codes)
        return [each["code"].upper() for each in self.woo.coupons]

    def meets(self, *faults: Fault) -> None:
        (self.shopify if self.kind == "shopify" else self.woo).faults.coming = list(faults)

    def decline(self) -> None:
        self.shopify.declines.add("5")
        self.woo.declines.add(5)


def woo_paid(number: int, total: str = "48.00", **more: Any) -> dict[str, Any]:
    order = {
        "id": number,
        "status": "processing",
        "currency": "EUR",
        "total": total,
        "date_paid_gmt": "2026-05-04T09:00:00",
        "date_modified_gmt": "2026-05-04T09:00:00",
        "refunds": [],
    }
    return order | more


@asynccontextmanager
async def at(kind: str, **more: Any) -> AsyncIterator[AtShop]:
    made = AtShop(kind, **more)
    await made.caller.start()
    yield made
    await made.caller.stop()


both = pytest.mark.parametrize("kind", ["shopify", "woocommerce"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A shop that wants us to wait is not waited for, but the wish is kept."""
    wished: list[float] = []

    def close_for(self: doors.Gate, seconds: float) -> None:
        if seconds:
            wished.append(seconds)

    monkeypatch.setattr(doors.Gate, "close_for", close_for)
    return wished


# --- refunds -------------------------------------------------------------------------------------


@both
async def test_a_refund_is_of_money_alone_and_says_what_it_is_for(kind: str) -> None:
    async with at(kind) as it:
        reply = await it.ask()
        assert (reply.outcome, reply.amount) == ("done", 500)
        assert reply.reference.startswith("shop:refund/")
        assert it.went_back() == ["5.00"]
        assert it.begun == 1
        if kind == "woocommerce":
            (refund,) = it.woo.refunds[5]
            assert refund["reason"] == f"Group purchase {GROUP} [jointbuy:{ID}-1]"
            assert refund["line_items"] == []


@both
async def test_the_same_request_again_is_found_and_not_done_again(kind: str) -> None:
    async with at(kind) as it:
        first, second = await it.ask(), await it.ask()
        assert first == second
        assert it.went_back() == ["5.00"]
        assert it.begun == 1
        assert (await it.ask(key=f"{ID}-2")).outcome == "done"
        assert it.went_back() == ["5.00", "5.00"]


#: The faults that the requests of a try meet, and whether the try may have been done.
LOST: list[tuple[str, tuple[Fault, ...], bool, list[str]]] = [
    ("shopify", ("dropped",), False, []),
    ("shopify", ("", "dropped"), True, []),
    ("shopify", ("", "lost"), True, ["5.00"]),
    ("shopify", ("", "error"), True, []),
    ("shopify", ("busy",), False, []),
    ("shopify", ("", "busy"), False, []),
    ("woocommerce", ("error",), False, []),
    ("woocommerce", ("", "lost"), False, []),
    ("woocommerce", ("", "", "dropped"), True, []),
    ("woocommerce", ("", "", "lost"), True, ["5.00"]),
    ("woocommerce", ("", "", "error"), True, []),
    ("woocommerce", ("", "", "busy"), False, []),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "faults", "is_open", "went"), LOST)
async def test_a_try_without_an_answer_is_made_again_and_once_it_is(
    kind: str, faults: tuple[Fault, ...], is_open: bool, went: list[str]
) -> None:
    async with at(kind) as it:
        it.meets(*faults)
        reply = await it.ask()
        assert (reply.outcome, reply.is_open) == ("again", is_open)
        assert it.went_back() == went
        assert (await it.ask()).outcome == "done"
        assert it.went_back() == ["5.00"]


@both
async def test_an_order_with_less_left_says_how_much(kind: str) -> None:
    async with at(kind) as it:
        assert (await it.ask(amount=4_500)).outcome == "done"
        reply = await it.ask(key=f"{ID}-2")
        assert (reply.outcome, reply.left) == ("less", 300)
        assert it.went_back() == ["45.00"]


async def test_what_was_paid_by_several_gateways_goes_back_to_each() -> None:
    async with at("shopify") as it:
        it.shopify.sell(5, "3.00", "45.00")
        assert (await it.ask()).outcome == "done"
        assert it.went_back() == ["3.00", "2.00"]
        assert (await it.ask(key=f"{ID}-2", amount=4_400)).left == 4_300


#: What an order of 48.00 was paid with, what is to go back, what of it goes, and a word of why not
#: more. A refund through a manual gateway moves nothing, so it is not asked for.
PAID_WITH: list[tuple[str, Callable[[StrictShopify], Any], int, list[str], int, str]] = [
    ("by hand", lambda it: it.sell(5, "48.00", by_hand=[0]), 500, [], 0, "by hand (gateway-0)"),
    ("cash at the till", lambda it: it.sell(5, "48.00", at_0={"gateway": "cash"}), 500, [], 0,
     "paid by hand (cash)"),
    ("marked as paid by the staff", lambda it: it.sell(5, "48.00", at_0={"gateway": "manual"}),
     500, [], 0, "paid by hand (manual)"),
    ("a gift card that has as much, the rest by hand",
     lambda it: it.sell(5, "8.00", "40.00", by_hand=[1]), 500, ["5.00"], 0, ""),
    ("the rest by hand, a gift card",
     lambda it: it.sell(5, "40.00", "8.00", by_hand=[0]), 500, ["5.00"], 0, ""),
    ("a gift card that has less, the rest by hand",
     lambda it: it.sell(5, "3.00", "45.00", by_hand=[1]), 500, [], 300, "by hand (gateway-1)"),
    ("two ways by hand", lambda it: it.sell(5, "3.00", "45.00", by_hand=[0, 1]), 500, [], 0,
     "by hand (gateway-0, gateway-1)"),
    ("as much as there is", lambda it: it.sell(5, "5.00"), 500, ["5.00"], 0, ""),
    ("a cent less than that", lambda it: it.sell(5, "4.99"), 500, [], 499, ""),
    ("a payment that is pending", lambda it: it.sell(5, "48.00", at_0={"status": "PENDING"}), 500,
     [], 0, "pending"),
    ("a bank transfer that has not come",
     lambda it: it.sell(5, "48.00", by_hand=[0], at_0={"status": "PENDING"}), 500, [], 0,
     "pending"),
    ("authorised only", lambda it: it.sell(5, "48.00", at_0={"kind": "AUTHORIZATION"}), 500, [], 0,
     "only authorised"),
    ("captured for less than authorised", lambda it: it.sell(
        5, "48.00", "4.00", at_0={"kind": "AUTHORIZATION"}, at_1={"kind": "CAPTURE"}), 500, [], 400,
     ""),
    ("a payment that failed, and one that came",
     lambda it: it.sell(5, "48.00", "48.00", at_0={"status": "FAILURE"}), 500, ["5.00"], 0, ""),
    ("change from the till", lambda it: it.sell(5, "50.00", "2.00", at_1={"kind": "CHANGE"}), 500,
     ["5.00"], 0, ""),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sell", "amount", "went", "left", "why"),
    [row[1:] for row in PAID_WITH],
    ids=[row[0] for row in PAID_WITH],
)
async def test_only_what_the_shop_can_move_is_asked_for(
    sell: Callable[[StrictShopify], Any], amount: int, went: list[str], left: int, why: str
) -> None:
    async with at("shopify") as it:
        sell(it.shopify)
        reply = await it.ask(amount=amount)
        assert it.shopify.moved(5) == it.shopify.refunded(5) == went
        assert reply.outcome == ("done" if went else "less")
        assert (reply.left, it.begun) == (left, len(went))
        assert why in reply.text
        assert bool(why) == bool(reply.text)


async def test_what_people_paid_back_by_hand_is_gone_of_the_order() -> None:
    async with at("shopify") as it:
        it.shopify.sell(5, "5.00", "43.00", by_hand=[1])
        order = it.shopify.orders["gid://shopify/Order/5"]
        (card, deposit) = order["transactions"]
        for paid, amount in ((deposit, "43.00"), (card, "1.00")):
            money = {"amount": amount, "currencyCode": "EUR"}
            back = {"kind": "REFUND", "parentTransaction": paid, "id": f"people/{amount}"}
            told = {"amountSet": {"shopMoney": money, "presentmentMoney": money}}
            order["transactions"].append(paid | back | told)
        reply = await it.ask(amount=500)
        assert (reply.outcome, reply.left, reply.text) == ("less", 400, "")


@pytest.mark.slow
async def test_a_refund_that_moved_nothing_is_not_said_to_be_done() -> None:
    """Written down by hand, or by us before manual gateways were left to people."""
    async with at("shopify") as it:
        await it.ask()
        order = it.shopify.orders["gid://shopify/Order/5"]
        order["transactions"][-1]["manualPaymentGateway"] = True
        reply = await it.ask()
        assert reply.outcome == "refused"
        assert "moved no money" in reply.text
        order["refunds"][-1]["transactions"]["nodes"] = []
        assert (await it.ask()).outcome == "refused"
        assert it.begun == 1


async def test_of_a_refund_through_two_gateways_only_what_moved_is_done() -> None:
    async with at("shopify") as it:
        it.shopify.sell(5, "3.00", "45.00")
        it.shopify.failing.add("gateway-1")
        reply = await it.ask(amount=500)
        assert (reply.outcome, reply.amount) == ("done", 300)
        assert it.shopify.moved(5) == ["3.00"]
        assert await it.ask(amount=500) == reply, "looked at again, it says the same"
        rest = await it.ask(key=f"{ID}-2", amount=200)
        assert (rest.outcome, rest.text) == (
            "refused", "the payment provider did not take the refund",
        )  # fmt: skip
        assert it.shopify.moved(5) == ["3.00"]


#: How an order in WooCommerce was paid, and a word of why nothing goes back; none if it does.
WOO_PAID_WITH = [
    ("bacs", "Direct bank transfer", "by hand (Direct bank transfer)"),
    ("cod", "Cash on delivery", "by hand (Cash on delivery)"),
    ("cheque", "", "by hand"),
    ("", "", "by hand (no gateway)"),
    ("stripe", "Card", ""),
]


@pytest.mark.parametrize(("method", "title", "why"), WOO_PAID_WITH)
async def test_a_gateway_of_woocommerce_that_moves_nothing_is_not_asked(
    method: str, title: str, why: str
) -> None:
    async with at("woocommerce") as it:
        it.woo.put(woo_paid(5, payment_method=method, payment_method_title=title))
        reply = await it.ask()
        assert reply.outcome == ("refused" if why else "done")
        assert why in reply.text
        assert it.begun == (0 if why else 1)
        assert it.went_back() == ([] if why else ["5.00"])


async def test_a_refund_that_woocommerce_writes_down_without_its_money_is_left_to_people() -> None:
    """It has answered, so it is not at work on it any more; found later, it may be."""
    async with at("woocommerce") as it:
        it.woo.unmoved.add(5)
        reply = await it.ask()
        assert reply.outcome == "refused"
        assert "moved no money" in reply.text
        assert (await it.ask()).is_open
        assert len(it.woo.refunds[5]) == 1, "nothing is asked for as long as it is there"


#: What the shop says no to for good, and a word of why.
REFUSED: list[tuple[str, Callable[[AtShop], Any], dict[str, Any], str]] = [
    ("shopify", AtShop.decline, {}, "declined"),
    ("woocommerce", AtShop.decline, {}, "does not support automatic refunds"),
    ("shopify", lambda it: None, {"order_id": "6"}, "no such order"),
    ("woocommerce", lambda it: None, {"order_id": "6"}, "no such order"),
    ("woocommerce", lambda it: None, {"order_id": "5?force=1"}, "no such order"),
    ("shopify", lambda it: it.shopify.sell(5, *["1.00"] * 50), {}, "more transactions"),
    ("shopify", lambda it: None, {"currency": "USD"}, "is in EUR"),
    ("woocommerce", lambda it: None, {"currency": "USD"}, "is in EUR"),
    ("shopify", lambda it: it.shopify.sell(5, "48.00", presentment="CHF"), {}, "paid in CHF"),
    ("woocommerce", lambda it: it.woo.put(woo_paid(5, date_paid_gmt=None)), {}, "not paid yet"),
    ("shopify", lambda it: None, {"kind": "charge"}, "can't charge"),
    ("woocommerce", lambda it: None, {"source": "", "amount": 0}, "no order of the payer"),
    ("woocommerce", lambda it: None, {"amount": 0}, "no order of the payer"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "given", "asked", "why"), REFUSED)
async def test_a_no_is_told_with_its_reason_and_nothing_is_done(
    kind: str, given: Callable[[AtShop], Any], asked: dict[str, Any], why: str
) -> None:
    async with at(kind) as it:
        given(it)
        reply = await it.ask(**asked)
        assert reply.outcome == "refused"
        assert why in reply.text
        assert it.went_back() == []


async def test_a_refund_whose_money_has_not_gone_is_waited_for() -> None:
    """WooCommerce notes the refund, then asks the gateway: a crash between leaves it open."""
    async with at("woocommerce") as it:
        await it.ask()
        it.woo.refunds[5][0]["refunded_payment"] = False
        reply = await it.ask()
        assert (reply.outcome, reply.is_open) == ("again", True)
        assert it.went_back() == ["5.00"]


async def test_a_refund_is_known_by_its_reason_before_its_meta_data_are_there() -> None:
    async with at("woocommerce") as it:
        await it.ask()
        it.woo.refunds[5][0]["meta_data"] = []
        assert (await it.ask()).outcome == "done"
        assert it.went_back() == ["5.00"]


async def test_it_is_found_among_many_refunds() -> None:
    async with at("woocommerce") as it:
        await it.ask()
        people = [{"id": number, "reason": "", "meta_data": []} for number in range(250)]
        it.woo.refunds[5] += people
        assert (await it.ask()).outcome == "done"
        assert it.begun == 1


# --- codes ---------------------------------------------------------------------------------------


@both
async def test_a_favor_becomes_one_code_that_nobody_can_guess(kind: str) -> None:
    async with at(kind, favors="code") as it:
        reply = await it.ask(as_code=700)
        assert (reply.outcome, reply.amount, reply.is_code) == ("done", 700, True)
        assert it.codes() == [reply.reference]
        secret = TOKEN if kind == "shopify" else SECRET
        assert reply.reference == code_name(secret, f"{ID}-1")
        assert reply.reference != code_name("another", f"{ID}-1")
        assert await it.ask(as_code=700) == reply
        assert len(it.codes()) == it.begun == 1
        assert it.went_back() == []


@pytest.mark.slow
@both
@pytest.mark.parametrize("fault", ["lost", "dropped", "busy", "error"])
async def test_a_code_whose_answer_is_lost_is_found_again(kind: str, fault: Fault) -> None:
    async with at(kind, favors="code") as it:
        it.meets("", fault)
        assert (await it.ask(as_code=700)).outcome == "again"
        assert (await it.ask(as_code=700)).outcome == "done"
        assert len(it.codes()) == 1


@pytest.mark.slow
@both
async def test_what_is_to_be_money_is_money_at_a_shop_of_codes_too(kind: str) -> None:
    async with at(kind, favors="code") as it:
        assert (await it.ask(as_code=0)).outcome == "done"
        assert it.went_back() == ["5.00"]
        assert it.codes() == []


# --- limits, keys, shops that are not ours to ask -------------------------------------------------


async def test_a_throttled_shop_is_asked_when_its_bucket_is_full_enough(quick: list[float]) -> None:
    async with at("shopify") as it:
        it.meets("busy")
        reply = await it.ask()
        assert 0 < reply.seconds <= 1
        assert quick
        it.shopify.points = 50.0
        quick.clear()
        assert (await it.ask()).outcome == "done"
        assert quick, "few points are left, so the next one waits"


async def test_a_shop_that_says_when_to_come_again_is_heard(quick: list[float]) -> None:
    async with at("woocommerce") as it:
        it.woo.mishaps = [httpx.Response(429, headers={"Retry-After": "77"})]
        assert (await it.ask()).seconds == 77
        assert quick == [77]


@pytest.mark.parametrize(
    "told", ["nan", "inf", "-1", "1e999999", "1_0", "\u0667\u0667", "9" * 5_000, "\xb2", "soon"]
)
def test_a_wait_that_is_no_number_of_seconds_is_none(told: str) -> None:
    response = httpx.Response(429, headers={b"Retry-After": told.encode()})
    assert doors.asked_to_wait(response) == 0


@pytest.mark.parametrize("told", [10**400, Decimal("1e999999"), -1, "nan", True, None, 1e300])
def test_a_bucket_whose_points_are_no_number_is_not_waited_for(told: Any) -> None:
    for name in ("currentlyAvailable", "restoreRate", "maximumAvailable"):
        status = {"currentlyAvailable": 1, "restoreRate": 50, "maximumAvailable": 1000} | {
            name: told
        }
        cost = {"throttleStatus": status, "requestedQueryCost": told}
        answer = {"extensions": {"cost": cost}}
        assert shopify_admin.cost_of(answer) == 0
        assert shopify_admin.wait_seconds(answer, 51) == 0
    status = {"currentlyAvailable": Decimal(1), "restoreRate": 50, "maximumAvailable": 1000.0}
    assert shopify_admin.wait_seconds({"extensions": {"cost": {"throttleStatus": status}}}, 51) == 1


async def test_one_request_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can't have a turn soon comes again, without having begun."""
    monkeypatch.setattr(doors, "PATIENCE_SECONDS", 0.01)
    async with at("woocommerce") as it:
        door = it.caller._connected["shop"].door
        async with door.gate:
            assert (await it.ask()).outcome == "later"
        assert it.begun == 0
        replies = await asyncio.gather(*(it.ask(key=f"{ID}-{number}") for number in range(3)))
        done = [each for each in replies if each.outcome == "done"]
        assert done
        assert it.went_back() == ["5.00"] * len(done)


@both
async def test_a_wrong_key_is_ours_to_mend_and_never_in_the_log(kind: str) -> None:
    wrong: dict[str, Any] = {"admin": {"token": "shpat_marked"}}
    if kind == "woocommerce":
        wrong = {"rest": {"url": "https://shop.example", "key": "ck_marked", "secret": "marked"}}
    async with at(kind, **wrong) as it:
        with structlog.testing.capture_logs() as logs:
            reply = await it.ask()
        assert (reply.outcome, it.begun) == ("ours", 0)
        assert logs
        assert "marked" not in repr(logs) + repr(reply) + repr(it.caller._shops)


async def test_a_shop_that_does_not_say_how_is_left_alone() -> None:
    """It reads ``payments`` itself; so does one that is not named at all."""
    async with at("woocommerce", favors=None) as it:
        assert (await it.ask()).outcome == "elsewhere"
        assert (await it.ask(source="", amount=0)).outcome == "elsewhere"
        assert (await it.ask(source="till", kind="charge")).outcome == "elsewhere"
        assert it.woo.asked == []


async def test_what_is_to_rest_is_not_begun() -> None:
    async with at("shopify") as it:
        assert await it.ask(rest_seconds=30.0) == Reply("later", seconds=30.0)
        assert it.shopify.asked == []


#: Settings that can't work.
WRONG: list[tuple[str, dict[str, Any]]] = [
    ("admin: only Shopify", {"admin": {"token": TOKEN}}),
    ("favors: needs", {"rest": None}),
    ("version", {"kind": "shopify", "rest": None, "admin": {"token": TOKEN, "version": "2026"}}),
    ("needs the shop's domain", {"kind": "shopify", "rest": None, "admin": {"token": TOKEN}}),
    ("https", {"kind": "shopify", "rest": None, "admin": {"token": TOKEN, "url": "http://x"}}),
    ("favors", {"favors": "gold"}),
]


@pytest.mark.parametrize(("said", "told"), WRONG)
def test_settings_that_can_t_work_are_refused_at_the_start(said: str, told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as error:
        shop("woocommerce", **told)
    assert said in str(error.value)
    assert TOKEN not in str(error.value)


AMOUNTS = [(0, "EUR", "0.00"), (5, "EUR", "0.05"), (1_205, "USD", "12.05"), (500, "JPY", "500"),
           (1_005, "KWD", "1.005")]  # fmt: skip


@pytest.mark.parametrize(("amount", "currency", "text"), AMOUNTS)
def test_amounts_are_written_as_the_currency_has_them(
    amount: int, currency: str, text: str
) -> None:
    assert in_decimals(amount, currency) == text


# --- what a step says of its shop ----------------------------------------------------------------


def answering(status: int, **headers: str) -> httpx.MockTransport:
    return httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, json={}))


def raising(error: type[httpx.TransportError]) -> httpx.MockTransport:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error("no")

    return httpx.MockTransport(fail)


#: What the shop does, and for how long it is left alone at least: None if that says nothing of the
#: shop, 0 if only some in a row do.
OF_SHOP: list[tuple[str, httpx.MockTransport, float | None]] = [
    ("no connection", raising(httpx.ConnectError), 1),
    ("no connection in time", raising(httpx.ConnectTimeout), 1),
    ("no answer in time", raising(httpx.ReadTimeout), 0),
    ("a connection that ends", raising(httpx.RemoteProtocolError), 0),
    ("an error of one request or all", answering(500), 0),
    ("not available", answering(503), 0),
    ("not available for a while", answering(503, **{"Retry-After": "30"}), 30),
    ("too many requests", answering(429, **{"Retry-After": "7"}), 7),
    ("a wrong key", answering(401), 60),
    ("not paid for", answering(402), 60),
    ("not allowed", answering(403), 60),
    ("locked", answering(423), 60),
    ("a request that it does not take", answering(422), None),
]


@pytest.mark.slow
@both
@pytest.mark.parametrize(("what", "shop_does", "rest"), OF_SHOP, ids=[each[0] for each in OF_SHOP])
async def test_a_step_says_of_the_shop_what_is_the_shop_s(
    kind: str, what: str, shop_does: httpx.MockTransport, rest: float | None
) -> None:
    """So that the shop's other instructions wait, and write nothing."""
    caller = ShopCaller([shop(kind)], 5, shop_does)
    await caller.start()
    told = await caller(request(), lambda: None)
    assert (told.seconds if isinstance(told, Strained) else None) == rest
    await caller.stop()


async def test_a_reply_without_a_request_is_not_about_a_shop() -> None:
    caller = ShopCaller([shop("shopify")], 5, raising(httpx.ConnectError))
    await caller.start()
    for more in ({"source": "elsewhere"}, {"kind": "charge"}, {"rest_seconds": 3.0}):
        assert isinstance(await caller(request(**more), lambda: None), Unasked)
    await caller.stop()
