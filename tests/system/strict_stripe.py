"""A stand-in for Stripe's API, as far as payments by card use it: strict, forgetful, unreliable.

Written from https://docs.stripe.com/api: Checkout Sessions, PaymentIntents, Refunds, Disputes,
idempotent requests, webhooks. It refuses parameters that it does not know or that are missing, an
idempotency key that comes with other parameters, every capture or refund beyond what there is, and
refunds of disputed payments. It keeps its own books, under ``/books``.

``python -m tests.system.strict_stripe``: settings come as ``Shares`` in JSON on the command line.
Payers pay at a session's ``url``: ``POST`` with ``card=good``, or ``card=bad`` to give up.
"""

import asyncio
import hashlib
import hmac
import json
import random
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

WEBHOOK_TRIES_MAX = 400
LISTED_MAX = 100


@dataclass(frozen=True)
class Shares:
    """How the provider misbehaves, by shares of requests; each kind is counted."""

    port: int = 0
    webhook_url: str = ""
    webhook_secret: str = "whsec_for_tests"
    seed: int = 1
    #: Does the work, then hangs up.
    lose: float = 0.0
    #: Does nothing, or half of the times does the work, and never answers.
    hang: float = 0.0
    #: Answers 500 without having done anything, and keeps that under the key.
    fail: float = 0.0
    #: Of refunds: the bank does not take the money, the first time.
    decline_refunds: float = 0.0
    #: Of refunds: the answer is that the bank is asked, and only a webhook tells that it is done.
    slow_refunds: float = 0.0
    #: Of webhooks: told twice.
    repeat: float = 0.0
    keys_kept_seconds: float = 86_400.0
    #: What the endpoint's events look like: before 2024-10-28 there are no refund events.
    api_version: str = "2025-03-31"


class Refusal(Exception):
    """An error that is answered as Stripe does."""

    def __init__(self, status: int, kind: str, message: str, code: str = "", param: str = ""):
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message}}
        if code:
            self.body["error"]["code"] = code
        if param:
            self.body["error"]["param"] = param


def invalid(message: str, code: str = "", param: str = "") -> Refusal:
    return Refusal(400, "invalid_request_error", message, code, param)


# --- parameters ----------------------------------------------------------------------------------

Spec = dict[str, Any]
METADATA: Spec = {"*": str}
#: ``name!`` is required; a dict is an object, a list of one an array of it, a set the values.
PARAMETERS: dict[str, Spec] = {
    "sessions.create": {
        "mode!": {"payment"},
        "allowed_payment_method_types": [{"card"}],
        "line_items!": [
            {
                "quantity!": int,
                "price_data!": {
                    "currency!": str,
                    "unit_amount!": int,
                    "product_data!": {"name!": str},
                },
            }
        ],
        "payment_intent_data": {
            "capture_method": {"manual", "automatic", "automatic_async"},
            "metadata": METADATA,
        },
        "metadata": METADATA,
        "client_reference_id": str,
        "success_url!": str,
        "cancel_url": str,
    },
    "sessions.retrieve": {},
    "sessions.expire": {},
    "intents.retrieve": {},
    "intents.capture": {"amount_to_capture": int},
    "intents.cancel": {},
    "charges.retrieve": {},
    "refunds.create": {"payment_intent!": str, "amount": int, "metadata": METADATA},
    "refunds.retrieve": {},
    "refunds.list": {"payment_intent": str, "limit": int, "starting_after": str},
}


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Form fields with brackets as what they stand for."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        path = name.replace("]", "").split("[")
        place = found
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value
    return found


def read(value: Any, spec: Any, path: str) -> Any:
    """A parameter as its kind, or the refusal that Stripe gives."""
    if isinstance(spec, dict):
        if not isinstance(value, dict):
            raise invalid(f"Invalid object: {path}", param=path)
        return _read_object(value, spec, path)
    if isinstance(spec, list):
        if not isinstance(value, dict) or sorted(value) != [str(n) for n in range(len(value))]:
            raise invalid(f"Invalid array: {path}", param=path)
        return [read(value[str(n)], spec[0], f"{path}[{n}]") for n in range(len(value))]
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {path}", param=path)
    if isinstance(spec, set):
        if value not in spec:
            raise invalid(f"Invalid {path}: must be one of {sorted(spec)}", param=path)
        return value
    if spec is int:
        if not value.isascii() or not value.isdigit():
            raise invalid(f"Invalid integer: {value}", "parameter_invalid_integer", path)
        return int(value)
    return value


def _read_object(value: dict[str, Any], spec: Spec, path: str) -> dict[str, Any]:
    if "*" in spec:
        for name, each in value.items():
            if len(name) > 40 or len(str(each)) > 500:
                raise invalid("Metadata keys have 40 characters, values 500", param=path)
        return value
    known = {name.rstrip("!"): name for name in spec}
    for name in value:
        if name not in known:
            at = f"{path}[{name}]" if path else name
            raise invalid(f"Received unknown parameter: {at}", "parameter_unknown", at)
    for name, written in known.items():
        if written.endswith("!") and name not in value:
            at = f"{path}[{name}]" if path else name
            raise invalid(f"Missing required param: {at}.", "parameter_missing", at)
    return {
        name: read(each, spec[known[name]], f"{path}[{name}]" if path else name)
        for name, each in value.items()
    }


# --- the books -----------------------------------------------------------------------------------


@dataclass
class Session:
    id: str
    url: str
    amount_total: int
    currency: str
    manual: bool
    metadata: dict[str, str]
    intent_metadata: dict[str, str]
    created: int
    status: str = "open"
    payment_intent: str | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "checkout.session",
            "url": self.url if self.status == "open" else None,
            "mode": "payment",
            "amount_total": self.amount_total,
            "currency": self.currency,
            "status": self.status,
            "payment_status": "paid" if self.status == "complete" and not self.manual else "unpaid",
            "payment_intent": self.payment_intent,
            "metadata": self.metadata,
            "created": self.created,
            "expires_at": self.created + 86_400,
            "livemode": False,
        }


@dataclass
class Intent:
    id: str
    amount: int
    currency: str
    status: str
    metadata: dict[str, str]
    created: int
    amount_received: int = 0

    @property
    def charge_id(self) -> str:
        return self.id.replace("pi_", "ch_")

    def shown(self) -> dict[str, Any]:
        held = self.amount if self.status == "requires_capture" else 0
        told = {"object": "payment_intent", "amount_capturable": held, **asdict(self)}
        return told | {"latest_charge": self.charge_id}

    def charge(self) -> dict[str, Any]:
        """Its charge, which has the intent's metadata from when it was made."""
        return {
            "id": self.charge_id,
            "object": "charge",
            "payment_intent": self.id,
            "amount": self.amount,
            "amount_captured": self.amount_received,
            "currency": self.currency,
            "metadata": self.metadata,
        }


@dataclass
class Refund:
    id: str
    amount: int
    currency: str
    payment_intent: str
    status: str
    metadata: dict[str, str]
    created: int

    def shown(self) -> dict[str, Any]:
        return {"object": "refund", **asdict(self)}


@dataclass
class Dispute:
    id: str
    amount: int
    currency: str
    payment_intent: str
    charge: str
    status: str
    created: int
    reason: str = "fraudulent"
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def forbids_refunds(self) -> bool:
        """A question of a bank does not, nor a dispute that was won."""
        return self.status in ("needs_response", "under_review", "lost")

    def shown(self) -> dict[str, Any]:
        is_refundable = not self.forbids_refunds
        return {"object": "dispute", "is_charge_refundable": is_refundable, **asdict(self)}


@dataclass
class Kept:
    """What a key stands for."""

    at: float
    operation: str
    given: str
    status: int = 0
    body: dict[str, Any] = field(default_factory=dict)


class Provider:
    """All of it, in memory."""

    def __init__(self, shares: Shares) -> None:
        self.shares = shares
        self.random = random.Random(shares.seed)
        self.sessions: dict[str, Session] = {}
        self.intents: dict[str, Intent] = {}
        self.refunds: dict[str, Refund] = {}
        self.disputes: dict[str, Dispute] = {}
        self.keys: dict[str, Kept] = {}
        self.declined: set[str] = set()
        self.counts: dict[str, int] = {}
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def tell(self, kind: str, told: dict[str, Any]) -> None:
        self.count(kind)
        event = {
            "id": self._id("evt"),
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "data": {"object": told},
            "livemode": False,
        }
        for _ in range(2 if self.random.random() < self.shares.repeat else 1):
            self.events.put_nowait(event)

    def _id(self, prefix: str) -> str:
        self.count("ids")
        return f"{prefix}_test_{self.counts['ids']:08d}"

    # --- operations ------------------------------------------------------------------------------

    def do(self, operation: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
        found = getattr(self, f"_{operation.replace('.', '_')}")
        shown: dict[str, Any] = found(name, given)
        return shown

    def _sessions_create(self, _: str, given: dict[str, Any]) -> dict[str, Any]:
        total = 0
        for item in given["line_items"]:
            amount = item["price_data"]["unit_amount"]
            total += item["quantity"] * amount
        if total < 50:
            raise invalid("The amount must be at least 50 cents", "amount_too_small")
        intent = given.get("payment_intent_data", {})
        name = self._id("cs")
        session = Session(
            name,
            f"http://127.0.0.1:{self.shares.port}/pay/{name}",
            total,
            given["line_items"][0]["price_data"]["currency"],
            intent.get("capture_method") == "manual",
            given.get("metadata", {}),
            intent.get("metadata", {}),
            int(time.time()),
        )
        self.sessions[name] = session
        self.count("sessions")
        return session.shown()

    def _sessions_retrieve(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        return self._found(self.sessions, name).shown()

    def _sessions_expire(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        session = self._found(self.sessions, name)
        if session.status != "open":
            raise invalid(
                f'Only Checkout Sessions with a status in ["open"] can be expired. This one is'
                f" {session.status}.",
                "checkout_session_not_open",
            )
        self.expire(session)
        return session.shown()

    def _intents_retrieve(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        return self._found(self.intents, name).shown()

    def _intents_capture(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        intent = self._found(self.intents, name)
        self._must_be_held(intent)
        amount = given.get("amount_to_capture", intent.amount)
        if amount > intent.amount or amount < 1:
            raise invalid("The amount can't be captured", "amount_too_large", "amount_to_capture")
        intent.status, intent.amount_received = "succeeded", amount
        self.count("captures")
        self.tell("payment_intent.succeeded", intent.shown())
        return intent.shown()

    def _intents_cancel(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        intent = self._found(self.intents, name)
        self._must_be_held(intent)
        intent.status = "canceled"
        self.count("cancels")
        self.tell("payment_intent.canceled", intent.shown())
        return intent.shown()

    def _charges_retrieve(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        of = {each.charge_id: each for each in self.intents.values()}
        charge: dict[str, Any] = self._found(of, name).charge()
        return charge

    def _refunds_create(self, _: str, given: dict[str, Any]) -> dict[str, Any]:
        intent = self._found(self.intents, given["payment_intent"])
        dispute = self.disputes.get(intent.id)
        if dispute and dispute.forbids_refunds:
            self.count("refunds refused for a dispute")
            raise invalid(
                f"Charge {intent.charge_id} has been charged back; cannot issue a refund.",
                "charge_disputed",
            )
        left = intent.amount_received - sum(
            each.amount
            for each in self.refunds.values()
            if each.payment_intent == intent.id and each.status == "succeeded"
        )
        amount = given.get("amount", left)
        if intent.status != "succeeded" or left == 0:
            raise invalid("This has been refunded already", "charge_already_refunded")
        if not 0 < amount <= left:
            self.count("refused refunds")
            raise invalid("The refund is greater than what is left", param="amount")
        mark = given.get("metadata", {}).get("payment_id", "")
        share = int(hashlib.sha256(f"{self.shares.seed}{mark}".encode()).hexdigest()[:8], 16)
        declines = share / 2**32 < self.shares.decline_refunds and mark not in self.declined
        self.declined.add(mark)
        refund = Refund(
            self._id("re"),
            amount,
            intent.currency,
            intent.id,
            "failed" if declines else "succeeded",
            given.get("metadata", {}),
            int(time.time()),
        )
        self.refunds[refund.id] = refund
        self.count("declined refunds" if declines else "refunds")
        if self.shares.api_version >= "2024-10-28":
            self.tell("refund.failed" if declines else "refund.updated", refund.shown())
        elif declines:
            self.tell("charge.refund.updated", refund.shown())
        else:
            self.tell("charge.refunded", intent.charge())
        slow = self.shares.slow_refunds
        is_slow = not declines and slow > 0 and self.random.random() < slow
        return refund.shown() | ({"status": "pending"} if is_slow else {})

    def _refunds_retrieve(self, name: str, _: dict[str, Any]) -> dict[str, Any]:
        return self._found(self.refunds, name).shown()

    def _refunds_list(self, _: str, given: dict[str, Any]) -> dict[str, Any]:
        of = given.get("payment_intent")
        found = [each for each in self.refunds.values() if of in (None, each.payment_intent)]
        return self._listed(found, given, "/v1/refunds")

    def _listed(self, found: list[Any], given: dict[str, Any], url: str) -> dict[str, Any]:
        """The latest first, a page of it."""
        self.count("lists")
        found = found[::-1]
        limit = given.get("limit", 10)
        if not 1 <= limit <= LISTED_MAX:
            raise invalid("limit is from 1 to 100", param="limit")
        after = given.get("starting_after")
        if after is not None:
            found = found[[each.id for each in found].index(after) + 1 :]
        page = [each.shown() for each in found[:limit]]
        return {"object": "list", "url": url, "has_more": len(found) > limit, "data": page}

    def _found(self, where: dict[str, Any], name: str) -> Any:
        if name not in where:
            raise Refusal(404, "invalid_request_error", f"No such: '{name}'", "resource_missing")
        return where[name]

    def _must_be_held(self, intent: Intent) -> None:
        if intent.status != "requires_capture":
            raise invalid(
                f"This PaymentIntent has a status of {intent.status}",
                "payment_intent_unexpected_state",
            )

    # --- what payers and time do -----------------------------------------------------------------

    def expire(self, session: Session) -> None:
        session.status = "expired"
        self.count("expired")
        self.tell("checkout.session.expired", session.shown())

    def pay(self, session: Session, card: str) -> None:
        if session.status != "open":
            return
        if card == "bad":
            # Declined; the page stays open for another card, and the payer goes away.
            self.count("declined cards")
            self.expire(session)
            return
        intent = Intent(
            self._id("pi"),
            session.amount_total,
            session.currency,
            "requires_capture" if session.manual else "succeeded",
            session.intent_metadata,
            int(time.time()),
            0 if session.manual else session.amount_total,
        )
        self.intents[intent.id] = intent
        session.status, session.payment_intent = "complete", intent.id
        self.tell("checkout.session.completed", session.shown())
        held = "payment_intent.amount_capturable_updated"
        self.tell(held if session.manual else "payment_intent.succeeded", intent.shown())

    def lapse(self, intent: Intent) -> None:
        """A hold ends by itself."""
        self._must_be_held(intent)
        intent.status = "canceled"
        self.tell("payment_intent.canceled", intent.shown())

    def dispute(self, intent: Intent, status: str, *, tell: bool = True) -> Dispute:
        """The payer's bank disputes a payment, the whole of it, or the dispute goes on."""
        dispute = self.disputes.get(intent.id)
        is_new = dispute is None
        if dispute is None:
            dispute = self.disputes[intent.id] = Dispute(
                self._id("du"),
                intent.amount_received,
                intent.currency,
                intent.id,
                intent.charge_id,
                status,
                int(time.time()),
            )
        dispute.status = status
        if not tell:
            return dispute
        is_over = status in ("won", "lost", "warning_closed")
        what = "created" if is_new else "closed" if is_over else "updated"
        self.tell(f"charge.dispute.{what}", dispute.shown())
        if status == "needs_response":
            self.tell("charge.dispute.funds_withdrawn", dispute.shown())
        elif status == "won":
            self.tell("charge.dispute.funds_reinstated", dispute.shown())
        return dispute

    def books(self) -> dict[str, Any]:
        return {
            "sessions": [each.shown() for each in self.sessions.values()],
            "intents": [each.shown() for each in self.intents.values()],
            "refunds": [each.shown() for each in self.refunds.values()],
            "disputes": [each.shown() for each in self.disputes.values()],
            "counts": self.counts,
            "untold": self.events.qsize(),
        }


# --- HTTP ----------------------------------------------------------------------------------------


class HangsUp(Response):
    """An answer that breaks off at once, or never comes until the client gives up."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._seconds:
            with suppress(TimeoutError):
                await asyncio.wait_for(_gone(receive), self._seconds)
        headers = [(b"content-length", b"100")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(provider: Provider, operation: str, request: Request) -> Response:
    """Check, do it once for each key, and misbehave."""
    shares, chance = provider.shares, provider.random.random()
    body = (await request.body()).decode()
    raw = body if request.method == "POST" else str(request.url.query)
    name = request.path_params.get("name", "")
    if not request.headers.get("authorization", "").startswith("Bearer sk_test_"):
        return JSONResponse({"error": {"type": "invalid_request_error"}}, 401)
    if shares.lose <= chance < shares.lose + shares.hang / 2:
        provider.count("hung before")
        return HangsUp(60)
    status, shown = _once(provider, operation, name, raw, request)
    if chance < shares.lose:
        provider.count("lost replies")
        return HangsUp(0)
    if shares.lose + shares.hang / 2 <= chance < shares.lose + shares.hang:
        provider.count("hung after")
        return HangsUp(60)
    return JSONResponse(shown, status)


def _once(
    provider: Provider, operation: str, name: str, raw: str, request: Request
) -> tuple[int, dict[str, Any]]:
    key = request.headers.get("idempotency-key")
    given = f"{name}?{raw}"
    try:
        if request.method == "POST":
            if not key or len(key) > 255:
                raise invalid("Every POST of ours has an Idempotency-Key of up to 255 characters")
            kept = provider.keys.get(key)
            if kept and time.time() - kept.at < provider.shares.keys_kept_seconds:
                if (kept.operation, kept.given) != (operation, given):
                    raise Refusal(
                        400, "idempotency_error", "The key was used with other parameters"
                    )
                provider.count("replayed")
                return kept.status, kept.body
        parameters = read(nested(parse_qsl(raw, keep_blank_values=True)), PARAMETERS[operation], "")
        if request.method == "POST" and provider.random.random() < provider.shares.fail:
            provider.count("failed")
            raise Refusal(500, "api_error", "Something went wrong on Stripe's end")
        status, shown = 200, provider.do(operation, name, parameters)
    except Refusal as refusal:
        status, shown = refusal.status, refusal.body
        provider.count(f"refused {refusal.status} {operation}")
        if refusal.body["error"]["type"] == "idempotency_error" or not key:
            return status, shown
    if key:
        provider.keys[key] = Kept(time.time(), operation, given, status, shown)
    return status, shown


ROUTES = (
    ("POST", "/v1/checkout/sessions", "sessions.create"),
    ("GET", "/v1/checkout/sessions/{name}", "sessions.retrieve"),
    ("POST", "/v1/checkout/sessions/{name}/expire", "sessions.expire"),
    ("GET", "/v1/payment_intents/{name}", "intents.retrieve"),
    ("POST", "/v1/payment_intents/{name}/capture", "intents.capture"),
    ("POST", "/v1/payment_intents/{name}/cancel", "intents.cancel"),
    ("GET", "/v1/charges/{name}", "charges.retrieve"),
    ("POST", "/v1/refunds", "refunds.create"),
    ("GET", "/v1/refunds", "refunds.list"),
    ("GET", "/v1/refunds/{name}", "refunds.retrieve"),
)


def build(provider: Provider) -> Starlette:
    def endpoint(operation: str) -> Any:
        async def handle(request: Request) -> Response:
            return await answer(provider, operation, request)

        return handle

    async def pay(request: Request) -> Response:
        session = provider.sessions.get(request.path_params["name"])
        if session is None:
            return JSONResponse({}, 404)
        form = dict(parse_qsl((await request.body()).decode()))
        provider.pay(session, form.get("card", "good"))
        return JSONResponse(session.shown())

    async def lapse(request: Request) -> Response:
        provider.lapse(provider.intents[request.path_params["name"]])
        return JSONResponse({})

    async def dispute(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        intent = provider.intents[request.path_params["name"]]
        told = provider.dispute(intent, form["status"], tell=form["tell"] == "yes")
        return JSONResponse(told.shown())

    async def books(_: Request) -> Response:
        return JSONResponse(provider.books())

    routes = [Route(path, endpoint(of), methods=[method]) for method, path, of in ROUTES]
    routes += [
        Route("/pay/{name}", pay, methods=["POST"]),
        Route("/lapse/{name}", lapse, methods=["POST"]),
        Route("/dispute/{name}", dispute, methods=["POST"]),
        Route("/books", books),
    ]
    return Starlette(routes=routes)


def signature(body: bytes, secret: str, at: int | None = None) -> str:
    """The header ``Stripe-Signature`` for these bytes."""
    stamp = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"


async def tell_all(provider: Provider) -> None:
    """Deliver webhooks, in no order to rely on, until each is taken."""
    url = provider.shares.webhook_url
    async with httpx.AsyncClient(timeout=5) as client:
        slots = asyncio.Semaphore(16)

        async def deliver(event: dict[str, Any]) -> None:
            body = json.dumps(event).encode()
            for number in range(WEBHOOK_TRIES_MAX):
                header = {"Stripe-Signature": signature(body, provider.shares.webhook_secret)}
                with suppress(httpx.HTTPError):
                    if (await client.post(url, content=body, headers=header)).is_success:
                        break
                await asyncio.wait({asyncio.ensure_future(_pause(min(0.1 * 2**number, 2.0)))})
            else:
                provider.count("webhooks given up")
            slots.release()

        under_way = set()
        while True:
            event = await provider.events.get()
            await slots.acquire()
            task = asyncio.create_task(deliver(event))
            under_way.add(task)
            task.add_done_callback(under_way.discard)


async def _pause(seconds: float) -> None:
    waiting = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(seconds, waiting.set_result, None)
    await waiting


async def serve(shares: Shares) -> None:
    provider = Provider(shares)
    server = uvicorn.Server(
        uvicorn.Config(build(provider), port=shares.port, log_level="critical", access_log=False)
    )
    telling = asyncio.create_task(tell_all(provider)) if shares.webhook_url else None
    await server.serve()
    if telling is not None:
        telling.cancel()


if __name__ == "__main__":
    asyncio.run(serve(Shares(**json.loads(sys.argv[1]))))
