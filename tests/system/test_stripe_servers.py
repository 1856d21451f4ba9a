"""Cards by Stripe against other people's stand-ins: the shape of every request, and a walk.

Our own stand-in (strict_stripe) was written by us from Stripe's documentation, as the code was. So
each request that the code makes of it is sent to Stripe's own mock too, which holds it against
Stripe's OpenAPI document.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from runtime.breaker import reply_of
from runtime.ports import free_port
from services.payment_service.edge import stripe_cards, stripe_lookup
from services.payment_service.edge.stripe_cards import StripeCards
from services.payment_service.rules.provider import Reply, Request
from services.payment_service.settings import CardSettings
from tests.system.payments import StrictStripe
from tests.system.strict_stripe import PARAMETERS, ROUTES, Shares
from tests.system.stripe_servers import FORM, KEY, Localstripe, StripeMock

pytestmark = pytest.mark.system

GROUP = "GB-7K3M9-QXA2F-D"


class Cards:
    """Our method, asked for steps of one payment; ``keys`` counts the idempotency keys."""

    def __init__(self, method: StripeCards) -> None:
        self._method = method
        self.keys = 0

    async def __call__(self, action: str, **more: Any) -> Reply:
        self.keys += 1
        request: dict[str, Any] = {
            "payment_id": "p-1",
            "group_id": GROUP,
            "payer_id": "m",
            "amount": 900,
            "currency": "EUR",
            "key": f"key-{self.keys}",
            "looks": False,
        }
        asked = Request(action=action, **request | more)  # type: ignore[arg-type]
        reply: Reply = reply_of(await self._method(asked, lambda: None))
        return reply


def settings_at(url: str) -> CardSettings:
    return CardSettings.model_validate({"stripe_api_key": KEY, "stripe_api_url": url})


async def cards_at(url: str) -> Cards:
    method = StripeCards(settings_at(url))
    await method.start()
    return Cards(method)


# --- the shape of every request ------------------------------------------------------------------


@pytest.fixture
def strict() -> Iterator[StrictStripe]:
    server = StrictStripe.start(Shares(port=free_port()))
    yield server
    server.stop()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, stripe_mock: StripeMock) -> list[tuple[str, str, int]]:
    """What the client sends anywhere: method, path, and what Stripe's mock answers to the same."""
    found: list[tuple[str, str, int]] = []

    class Twice(stripe.HTTPXClient):
        async def request_async(self, method: str, url: str, headers: Any, body: Any = None) -> Any:
            asked = httpx.URL(url)
            same = stripe_mock.url + asked.raw_path.decode()
            _, status, _ = await super().request_async(method, same, headers, body)
            found.append((method.upper(), asked.path, status))
            return await super().request_async(method, url, headers, body)

    monkeypatch.setattr(stripe, "HTTPXClient", Twice)
    return found


async def test_every_request_of_ours_has_the_shape_that_stripe_documents(
    strict: StrictStripe, sent: list[tuple[str, str, int]]
) -> None:
    cards = await cards_at(strict.url)

    async def paid(**more: Any) -> tuple[str, str]:
        """A session that was paid, and its intent."""
        session, page = (asked := await cards("ask", **more)).session, asked.page
        assert session
        assert page
        assert (await cards("ask", session=session)).outcome == "pending"
        async with httpx.AsyncClient() as payer:
            (await payer.post(page, data={"card": "good"})).raise_for_status()
        reply = await cards("ask", session=session)
        assert reply.reference
        return session, reply.reference

    outcomes = []
    _, held = await paid(is_hold=True)
    for amount in (700, 700):  # the second finds it done
        outcomes.append((await cards("capture", of=held, amount=amount)).outcome)
    refunded = await cards("refund", of=held, amount=300)
    outcomes.append(refunded.outcome)
    outcomes.append((await cards("refund", of=held, amount=300, looks=True)).outcome)
    outcomes.append((await cards("refund", of=held, reference=str(refunded.reference))).outcome)
    _, lifted = await paid(is_hold=True)
    outcomes += [(await cards("lift", of=lifted)).outcome for _ in range(2)]
    unwanted = str((await cards("ask", payment_id="p" * 64, currency="ISK")).session)
    outcomes += [(await cards("withdraw", session=unwanted)).outcome for _ in range(2)]
    session, _ = await paid(currency="JPY")
    assert (await cards("withdraw", session=session)).outcome == "succeeded"
    lookup = stripe_lookup.StripeLookup(settings_at(strict.url))
    ours = {"payment_id": "p-1", "group_id": GROUP}
    assert await lookup.find(held, "") == (ours, "eur")
    assert await lookup.find("", held.replace("pi_", "ch_")) == (ours, "eur")

    assert outcomes == ["succeeded"] * 7 + ["cancelled"] * 2
    assert [each for each in sent if each[2] != 200] == []
    assert {operation_of(*each[:2]) for each in sent} == operations_in_the_code()


def operation_of(method: str, path: str) -> str:
    """The operation as strict_stripe calls it."""
    return next(
        operation
        for verb, route, operation in ROUTES
        if verb == method and re.fullmatch(route.replace("{name}", "[^/]+"), path)
    )


def operations_in_the_code() -> set[str]:
    """Each ``client.v1.….<what>_async`` that the modules call, named likewise."""
    calls = [
        ast.unparse(each.func).removeprefix("client.v1.").split(".")
        for module in (stripe_cards, stripe_lookup)
        for each in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(each, ast.Call) and ast.unparse(each.func).startswith("client.v1.")
    ]
    assert all(words[-1].endswith("_async") for words in calls)
    return {
        f"{words[-2].removeprefix('payment_')}.{words[-1].removesuffix('_async')}"
        for words in calls
    }


def filled(spec: Any) -> Any:
    """A value for a parameter of strict_stripe, with everything that it may have."""
    if isinstance(spec, dict):
        return {name.rstrip("!").replace("*", "any"): filled(each) for name, each in spec.items()}
    if isinstance(spec, list):
        return {"0": filled(spec[0])}
    if isinstance(spec, set):
        return min(spec)
    return 5 if spec is int else "text"


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """A value as the fields of a form."""
    if not isinstance(value, dict):
        yield path, str(value)
        return
    for name, each in value.items():
        yield from flat(each, f"{path}[{name}]" if path else name)


@pytest.mark.parametrize(("method", "route", "operation"), ROUTES)
@pytest.mark.parametrize("more", [{}, {"made_up": "1"}], ids=["known", "unknown"])
def test_our_stand_in_takes_nothing_that_stripe_would_not(
    stripe_mock: StripeMock, method: str, route: str, operation: str, more: dict[str, str]
) -> None:
    given = {**dict(flat(filled(PARAMETERS[operation]))), **more}
    how: dict[str, Any] = {"params" if method == "GET" else "data": given}
    if method == "POST":
        how["headers"] = {"Content-Type": FORM}
    answer = stripe_mock.send(method, route.replace("{name}", "x_1"), **how)
    assert answer.status_code == (400 if more else 200), answer.text


# --- a walk ---------------------------------------------------------------------------------------


@pytest.fixture
async def cards(localstripe: Localstripe) -> Cards:
    return await cards_at(localstripe.url)


def intent_at(localstripe: Localstripe, capture_method: str) -> str:
    """An intent of 900 for p-1 that a payer has confirmed."""
    told = {
        "amount": "900",
        "currency": "eur",
        "capture_method": capture_method,
        "payment_method": "pm_card_visa",
        "confirm": "true",
        "metadata[payment_id]": "p-1",
    }
    answer = localstripe.send("POST", "/v1/payment_intents", data=told)
    return str(answer.raise_for_status().json()["id"])


def charge_of(localstripe: Localstripe, intent: str) -> dict[str, Any]:
    shown = localstripe.send("GET", f"/v1/payment_intents/{intent}").json()
    return dict(shown["latest_charge"]) | {"intent": shown["status"]}


async def test_less_is_captured_than_is_held_and_a_part_given_back(
    localstripe: Localstripe, cards: Cards
) -> None:
    intent = intent_at(localstripe, "manual")
    assert charge_of(localstripe, intent)["intent"] == "requires_capture"

    # It does not say how much it took (Stripe does, always): then nothing is taken for granted.
    assert (await cards("capture", of=intent, amount=700)).outcome == "ours"
    charge = charge_of(localstripe, intent)
    assert (charge["intent"], charge["captured"]) == ("succeeded", True)
    assert charge["amount"] - charge["amount_refunded"] == 700

    refund = await cards("refund", of=intent, amount=300)
    assert refund.outcome == "succeeded"
    # Asked for under another key, as Stripe has forgotten the first: found, not done again.
    assert (await cards("refund", of=intent, amount=300, looks=True)).reference == refund.reference
    looked = await cards("refund", of=intent, reference=str(refund.reference))
    assert (looked.outcome, looked.reference) == ("succeeded", refund.reference)
    charge = charge_of(localstripe, intent)
    assert charge["amount"] - charge["amount_refunded"] == 400


async def test_a_hold_is_lifted(localstripe: Localstripe, cards: Cards) -> None:
    intent = intent_at(localstripe, "manual")
    assert (await cards("lift", of=intent)).outcome == "succeeded"
    assert charge_of(localstripe, intent)["intent"] == "canceled"
    assert (await cards("capture", of=intent)).outcome == "cancelled"


async def test_a_charge_goes_back_whole(localstripe: Localstripe, cards: Cards) -> None:
    intent = intent_at(localstripe, "automatic")
    assert charge_of(localstripe, intent)["intent"] == "succeeded"
    assert (await cards("refund", of=intent, amount=900)).outcome == "succeeded"
    assert charge_of(localstripe, intent)["refunded"]


async def test_what_localstripe_does_not_do(localstripe: Localstripe, cards: Cards) -> None:
    """So nothing else rests on it: strict_stripe does all of this as Stripe documents it."""
    assert (await cards("ask")).text == "Stripe answers 404"  # no Checkout Sessions
    intent = intent_at(localstripe, "manual")
    await cards("lift", of=intent)
    # An error without a code: nothing tells a state from a mistake of ours.
    assert (await cards("lift", of=intent)).outcome == "ours"
    charged = intent_at(localstripe, "automatic")
    first, second = [await cards("refund", of=charged, amount=800, key="one") for _ in range(2)]
    assert first.reference != second.reference  # no idempotency keys, and more than was paid
    assert charge_of(localstripe, charged)["amount_refunded"] == 1_600
