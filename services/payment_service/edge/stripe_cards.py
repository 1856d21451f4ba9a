"""Cards by Stripe: a Checkout Session for the payer, then capture, cancel and refund of its intent.

Each object carries the ids of its payment and group in its metadata: the webhooks report by them,
and a refund made under a key that Stripe has forgotten is found again by them. A capture or a
cancel is looked up by its intent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import stripe
import structlog
from prometheus_client import Counter

from runtime.breaker import Strained, reply_of
from runtime.caller import Lease
from schemas.reasons import PaymentFailure
from services.payment_service.edge.stripe_client import client_of
from services.payment_service.edge.stripe_errors import STATE_CODES, sorted_out
from services.payment_service.rules.minor_units import AmountError, in_stripe_units
from services.payment_service.rules.provider import Reply, Request
from services.payment_service.settings import CardSettings

TRIES = Counter(
    "jointbuy_card_tries_total",
    "Tries to bring a card payment about, by what was asked and what came of it.",
    ["action", "outcome"],
)
PAGE_MAX = 100
_INTENT_OUTCOMES = {
    "requires_capture": "authorised",
    "succeeded": "succeeded",
    "canceled": "cancelled",
}
_log = structlog.get_logger()


class StateError(Exception):
    """An object is in another state than the one that the request is for."""


class StripeCards:
    """Brings card payments about through Stripe's API."""

    lease = Lease()

    def __init__(self, settings: CardSettings) -> None:
        self._settings = settings
        self._page_url = settings.page_url.rstrip("/")
        self._client: stripe.StripeClient | None = None
        self._slots = asyncio.Semaphore(settings.stripe_connections)
        self._actions: dict[str, Callable[[stripe.StripeClient, Request], Awaitable[Reply]]] = {
            "ask": self._ask,
            "withdraw": self._withdraw,
            "capture": self._capture,
            "lift": self._lift,
            "refund": self._refund,
        }

    async def start(self) -> None:
        """Connections are opened when the first payment needs one."""
        self._client = client_of(self._settings)

    async def stop(self) -> None:
        """Nothing is open that would not close by itself."""
        self._client = None

    def missing(self, server: str) -> str:
        """``STRIPE_API_KEY``, if it is."""
        return "" if self._settings.stripe_api_key.get_secret_value() else "STRIPE_API_KEY"

    async def __call__(self, request: Request, begin: Callable[[], None]) -> Reply | Strained:
        """Do what is asked, and say what came of it."""
        assert self._client is not None
        told: Reply | Strained
        async with self._slots:
            begin()
            try:
                told = await self._actions[request.action](self._client, request)
            except AmountError as error:
                _log.error("an amount that Stripe can't move", payment=request.payment_id)
                told = Reply("declined", str(error))
            except StateError:
                told = Reply("again", "the payment is not in the state for this yet")
            except Exception as error:
                told = sorted_out(error)
        reply = reply_of(told)
        reply.key = request.key
        TRIES.labels(request.action, reply.outcome).inc()
        return told

    # --- asking the payer ------------------------------------------------------------------------

    async def _ask(self, client: stripe.StripeClient, request: Request) -> Reply:
        if request.session:
            return await self._how_is(client, request.session)
        # Not looked for, even if one may have been made under a key that is forgotten: a page that
        # nobody was told of can't be paid, and ends by itself.
        session = await client.v1.checkout.sessions.create_async(
            self._session(request), {"idempotency_key": request.key}
        )
        return Reply("pending", session=session.id, page=session.url)

    def _session(self, request: Request) -> Any:
        metadata = _metadata(request)
        group = f"{self._page_url}/groups/{quote(request.group_id, safe='')}"
        product = {"name": f"Group purchase {request.group_id}"}
        price = {
            "currency": request.currency.lower(),
            "unit_amount": in_stripe_units(request.amount, request.currency),
            "product_data": product,
        }
        return {
            "mode": "payment",
            "allowed_payment_method_types": ["card"],
            "line_items": [{"quantity": 1, "price_data": price}],
            "payment_intent_data": {
                "capture_method": "manual" if request.is_hold else "automatic",
                "metadata": metadata,
            },
            "metadata": metadata,
            "client_reference_id": request.payment_id,
            "success_url": group,
            "cancel_url": group,
        }

    async def _how_is(self, client: stripe.StripeClient, session_id: str) -> Reply:
        """How a session stands that is known."""
        session = await client.v1.checkout.sessions.retrieve_async(session_id)
        if session.status == "expired":
            return Reply("declined", PaymentFailure.NOT_PAID)
        if session.status == "open" or not session.payment_intent:
            return Reply("pending", session=session.id, page=session.url)
        intent = await client.v1.payment_intents.retrieve_async(str(session.payment_intent))
        outcome = _INTENT_OUTCOMES.get(intent.status)
        if outcome is None:
            return Reply("pending", session=session.id)
        return Reply(outcome, reference=intent.id)  # type: ignore[arg-type]

    async def _withdraw(self, client: stripe.StripeClient, request: Request) -> Reply:
        if not request.session:
            return Reply("cancelled")  # a page that nobody ever heard of can't be paid
        try:
            await _awaited(
                client.v1.checkout.sessions.expire_async(
                    request.session, {}, {"idempotency_key": f"{request.key}-withdraw"}
                )
            )
        except StateError:
            how = await self._how_is(client, request.session)
            return Reply("cancelled") if how.outcome == "declined" else how
        return Reply("cancelled")

    # --- what is held, what was paid -------------------------------------------------------------

    async def _capture(self, client: stripe.StripeClient, request: Request) -> Reply:
        amount = in_stripe_units(request.amount, request.currency)
        try:
            intent = await _awaited(
                client.v1.payment_intents.capture_async(
                    request.of,
                    {"amount_to_capture": amount},
                    {"idempotency_key": f"{request.key}-capture"},
                )
            )
        except StateError:
            intent = await client.v1.payment_intents.retrieve_async(request.of)
        if intent.status == "canceled":
            return Reply("cancelled")
        if intent.status != "succeeded":
            return Reply("again", f"the intent is {intent.status}")
        if getattr(intent, "amount_received", None) != amount:  # it need not say
            _log.error("another amount was captured", payment=request.payment_id)
            return Reply("ours", "another amount was captured")
        return Reply("succeeded", reference=intent.id)

    async def _lift(self, client: stripe.StripeClient, request: Request) -> Reply:
        try:
            intent = await _awaited(
                client.v1.payment_intents.cancel_async(
                    request.of, {}, {"idempotency_key": f"{request.key}-lift"}
                )
            )
        except StateError:
            intent = await client.v1.payment_intents.retrieve_async(request.of)
        if intent.status == "canceled":
            return Reply("succeeded", reference=intent.id)
        return Reply("again", f"the intent is {intent.status}")

    async def _refund(self, client: stripe.StripeClient, request: Request) -> Reply:
        if request.reference:
            return _refunded(await client.v1.refunds.retrieve_async(request.reference))
        if request.looks and (found := await self._find_refund(client, request)):
            return found
        try:
            refund = await _awaited(
                client.v1.refunds.create_async(
                    {
                        "payment_intent": request.of,
                        "amount": in_stripe_units(request.amount, request.currency),
                        "metadata": _metadata(request),
                    },
                    {"idempotency_key": f"{request.key}-refund"},
                )
            )
        except StateError:
            found = await self._find_refund(client, request)
            return found or Reply("declined", PaymentFailure.REFUSED, spent=True)
        return _refunded(refund)

    async def _find_refund(self, client: stripe.StripeClient, request: Request) -> Reply | None:
        page = await client.v1.refunds.list_async({"payment_intent": request.of, "limit": PAGE_MAX})
        async for refund in page.auto_paging_iter():
            is_its = _is_of(refund, request)
            if is_its and refund.status not in ("failed", "canceled"):
                return _refunded(refund)
        return None


def _metadata(request: Request) -> dict[str, str]:
    return {"payment_id": request.payment_id, "group_id": request.group_id}


def _is_of(found: Any, request: Request) -> bool:
    """Whether Stripe's object was made for this payment."""
    return getattr(found.metadata, "payment_id", None) == request.payment_id


def _refunded(refund: Any) -> Reply:
    if refund.status == "succeeded":
        return Reply("succeeded", reference=refund.id)
    if refund.status in ("failed", "canceled"):
        return Reply("declined", PaymentFailure.REFUSED, reference=refund.id)
    return Reply("pending", reference=refund.id)


async def _awaited(step: Awaitable[Any]) -> Any:
    """Do a step; raises ``StateError`` where its object is in another state, else the error."""
    try:
        return await step
    except stripe.StripeError as error:
        if error.code in STATE_CODES:
            raise StateError from error
        raise
