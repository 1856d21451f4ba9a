"""Amounts as Stripe writes them, its errors sorted, its webhooks verified and understood."""

import json
import time
from typing import Any

import httpx
import pytest
import stripe

from schemas.messages import PaymentReported
from services.payment_service.events import report_of
from services.payment_service.methods.minor_units import AmountError, in_stripe_units
from services.payment_service.methods.sorting import sorted_out
from services.payment_service.webhooks import BODY_BYTES_MAX, build
from services.runtime.breaker import Strained, reply_of
from tests.system.strict_stripe import signature

AMOUNTS = [
    (1_999, "EUR", 1_999),
    (500, "JPY", 500),
    (500, "ISK", 50_000),
    (500, "UGX", 50_000),
    (1_230, "KWD", 1_230),
    (500, "MGA", 5),
    (500, "HUF", 500),
]
IMPOSSIBLE = [(1_234, "KWD"), (150, "MGA")]


@pytest.mark.parametrize(("amount", "currency", "written"), AMOUNTS)
def test_amounts_are_written_as_stripe_has_them(amount: int, currency: str, written: int) -> None:
    assert in_stripe_units(amount, currency) == written


@pytest.mark.parametrize(("amount", "currency"), IMPOSSIBLE)
def test_what_stripe_cannot_move_is_not_rounded(amount: int, currency: str) -> None:
    with pytest.raises(AmountError, match=currency):
        in_stripe_units(amount, currency)


#: What is wrong, the error, what it means, whether its key is spent, and how long Stripe is left
#: alone: None if the error says nothing of Stripe, 0 if only some in a row do.
ERRORS: list[tuple[str, Exception, str, bool, float | None]] = [
    ("a declined card", stripe.CardError("no", None, "card_declined"), "declined", True, None),
    ("no answer", stripe.APIConnectionError("gone"), "again", False, 1),
    ("too fast", stripe.RateLimitError("slow down", http_status=429), "again", False, 5),
    ("an object in use",
     stripe.RateLimitError("wait", code="lock_timeout", http_status=429), "again", False, None),
    ("an error of theirs, kept", stripe.APIError("oops", http_status=500), "again", True, 0),
    ("the key in use", stripe.IdempotencyError("wait", http_status=409), "again", False, None),
    ("the key for another request",
     stripe.IdempotencyError("no", http_status=400), "ours", True, None),
    ("a wrong secret", stripe.AuthenticationError("who", http_status=401), "ours", False, 60),
    ("a wrong request", stripe.InvalidRequestError("what", "amount"), "ours", True, None),
    ("another state",
     stripe.InvalidRequestError("no", None, "payment_intent_unexpected_state"),
     "again", False, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "error", "outcome", "spent", "rest"), ERRORS, ids=[each[0] for each in ERRORS]
)
def test_errors_say_who_has_to_act_and_whether_stripe_is_down(
    what: str, error: Exception, outcome: str, spent: bool, rest: float | None
) -> None:
    told = sorted_out(error)
    reply = reply_of(told)
    assert (reply.outcome, reply.spent) == (outcome, spent)
    assert (told.seconds if isinstance(told, Strained) else None) == rest


def test_a_bug_of_ours_is_no_answer_of_stripe() -> None:
    with pytest.raises(ZeroDivisionError):
        sorted_out(ZeroDivisionError())


# --- events --------------------------------------------------------------------------------------


def event(kind: str, **told: Any) -> dict[str, Any]:
    metadata = {"payment_id": "p1", "group_id": "G"}
    return {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": 1_700_000_000,
        "data": {"object": {"id": "pi_1", "metadata": metadata, **told}},
    }


EVENTS = [
    ("payment_intent.amount_capturable_updated", {}, "authorised"),
    ("payment_intent.succeeded", {}, "succeeded"),
    ("payment_intent.canceled", {}, "cancelled"),
    ("payment_intent.payment_failed", {}, None),
    ("checkout.session.completed", {}, None),
    ("checkout.session.expired", {}, "failed"),
    ("refund.updated", {"status": "succeeded"}, "succeeded"),
    ("refund.updated", {"status": "pending"}, None),
    ("refund.failed", {"status": "failed"}, "failed"),
    ("customer.created", {}, None),
    ("payment_intent.succeeded", {"metadata": {}}, None),
    ("payment_intent.succeeded", {"metadata": None}, None),
    ("payment_intent.succeeded", {"metadata": {"payment_id": "a/b", "group_id": "G"}}, None),
    ("payment_intent.succeeded", {"metadata": {"payment_id": 7, "group_id": "G"}}, None),
    ("payment_intent.succeeded", {"metadata": {"payment_id": "\ud800", "group_id": "G"}}, None),
    ("payment_intent.succeeded", {"metadata": {"payment_id": "p\0", "group_id": "G"}}, None),
    ("payment_intent.succeeded", {"id": "\ud800"}, None),
]


@pytest.mark.parametrize(("kind", "told", "status"), EVENTS)
def test_events_become_reports_if_they_are_of_ours(
    kind: str, told: dict[str, Any], status: str | None
) -> None:
    report = report_of(event(kind, **told))
    assert (report.status if report else None) == status


@pytest.mark.parametrize(
    "created", [10**30, -(10**30), 1e300, float("inf"), float("nan"), "1", None, True, [], 10**12]
)
def test_an_event_of_no_time_is_no_report(created: Any) -> None:
    report = report_of(event("payment_intent.succeeded") | {"created": created})
    assert report is None or created is True


@pytest.mark.parametrize("nothing", [{}, {"type": "x"}, {"type": ["x"], "data": {"object": 1}}])
def test_what_is_no_event_is_ignored(nothing: dict[str, Any]) -> None:
    assert report_of(nothing) is None


# --- the endpoint --------------------------------------------------------------------------------

SECRETS = ("whsec_new", "whsec_old")
BODY = json.dumps(event("payment_intent.succeeded")).encode()


class Recorder:
    """Keeps reports, or is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.reports: list[PaymentReported] = []

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def record(self, report: PaymentReported) -> None:
        if self.away:
            raise ConnectionError("no broker")
        self.reports.append(report)


async def post(recorder: Recorder, body: bytes, header: str | None) -> int:
    transport = httpx.ASGITransport(app=build(recorder, SECRETS))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        headers = {"Stripe-Signature": header} if header is not None else {}
        return (await client.post("/stripe", content=body, headers=headers)).status_code


@pytest.mark.parametrize("secret", SECRETS)
async def test_a_signed_webhook_is_recorded_before_it_is_answered(secret: str) -> None:
    recorder = Recorder()
    assert await post(recorder, BODY, signature(BODY, secret)) == 200
    assert [each.payment_id for each in recorder.reports] == ["p1"]


async def test_what_can_not_be_recorded_is_to_be_told_again() -> None:
    assert await post(Recorder(away=True), BODY, signature(BODY, SECRETS[0])) == 503


REFUSED: list[tuple[str, bytes, str | None]] = [
    ("no signature", BODY, None),
    ("no signature that is one", BODY, "t=1,v1=00"),
    ("nonsense", BODY, "nonsense"),
    ("another secret", BODY, signature(BODY, "whsec_other")),
    ("other bytes", BODY + b" ", signature(BODY, SECRETS[0])),
    ("an old timestamp", BODY, signature(BODY, SECRETS[0], int(time.time()) - 400)),
    ("no UTF-8", b"\xff\xfe", signature(b"\xff\xfe", SECRETS[0])),
    ("no JSON", b"{", signature(b"{", SECRETS[0])),
    ("a number too long", b"9" * 5_000, signature(b"9" * 5_000, SECRETS[0])),
    ("too deep", b"[" * 200_000, signature(b"[" * 200_000, SECRETS[0])),
]


@pytest.mark.parametrize(("what", "body", "header"), REFUSED, ids=[each[0] for each in REFUSED])
async def test_what_stripe_did_not_sign_is_refused(
    what: str, body: bytes, header: str | None
) -> None:
    recorder = Recorder()
    assert await post(recorder, body, header) == 400
    assert recorder.reports == []


async def test_too_large_a_body_is_refused_unread() -> None:
    body = b" " * (BODY_BYTES_MAX + 1)
    assert await post(Recorder(), body, signature(body, SECRETS[0])) == 413


async def test_an_event_of_no_matter_is_taken_and_forgotten() -> None:
    body = json.dumps(event("customer.created")).encode()
    recorder = Recorder()
    assert await post(recorder, body, signature(body, SECRETS[0])) == 200
    assert recorder.reports == []


async def test_a_list_where_an_event_should_be_is_ignored() -> None:
    body = b"[]"
    assert await post(Recorder(), body, signature(body, SECRETS[0])) == 200
