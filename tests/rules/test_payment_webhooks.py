"""Amounts as Stripe writes them, its errors sorted, its webhooks verified and understood."""

import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from runtime.breaker import Strained, reply_of
from schemas.payments import PaymentDisputed, PaymentReported
from services.payment_service.edge.events import EVENTS, dispute_of, dispute_report, report_of
from services.payment_service.edge.stripe_errors import sorted_out
from services.payment_service.edge.stripe_lookup import Found, LookupFailedError, StripeLookup
from services.payment_service.rules.minor_units import AmountError, in_stripe_units
from services.payment_service.settings import CardSettings, WebhookSettings
from services.payment_service.webhooks import BODY_BYTES_MAX, build
from tests.system.strict_stripe import signature

ROOT = Path(__file__).parents[2]

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
    ("a dispute",
     stripe.InvalidRequestError("no", None, "charge_disputed"), "disputed", True, None),
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


REPORTS = [
    ("payment_intent.amount_capturable_updated", {}, "authorised"),
    ("payment_intent.succeeded", {}, "succeeded"),
    ("payment_intent.canceled", {}, "cancelled"),
    ("payment_intent.payment_failed", {}, None),
    ("checkout.session.completed", {}, None),
    ("checkout.session.expired", {}, "failed"),
    ("refund.updated", {"status": "succeeded"}, "succeeded"),
    ("refund.updated", {"status": "pending"}, None),
    ("refund.failed", {"status": "failed"}, "failed"),
    ("refund.created", {"status": "succeeded"}, "succeeded"),
    ("refund.updated", {"status": "canceled"}, "failed"),
    ("refund.updated", {"status": "requires_action"}, None),
    ("charge.refund.updated", {"status": "succeeded"}, "succeeded"),
    ("charge.refund.updated", {"status": "failed"}, "failed"),
    ("charge.refund.updated", {"status": "pending"}, None),
    ("charge.refunded", {"status": "succeeded"}, None),
    ("charge.dispute.created", {"status": "needs_response"}, None),
    ("customer.created", {}, None),
    ("payment_intent.succeeded", {"metadata": {}}, None),
    ("payment_intent.succeeded", {"metadata": None}, None),
    ("payment_intent.succeeded", {"metadata": {"payment_id": "a/b", "group_id": "G"}}, None),
    ("payment_intent.succeeded", {"metadata": {"payment_id": 7, "group_id": "G"}}, None),
    ("payment_intent.succeeded", {"metadata": {"payment_id": "\ud800", "group_id": "G"}}, None),
    ("payment_intent.succeeded", {"metadata": {"payment_id": "p\0", "group_id": "G"}}, None),
    ("payment_intent.succeeded", {"id": "\ud800"}, None),
]


@pytest.mark.parametrize(("kind", "told", "status"), REPORTS)
def test_events_become_reports_if_they_are_of_ours(
    kind: str, told: dict[str, Any], status: str | None
) -> None:
    report = report_of(event(kind, **told))
    assert (report.status if report else None) == status
    assert report is None or report.provider_reference == "pi_1", "it names what it is about"


@pytest.mark.parametrize(
    "created", [10**30, -(10**30), 1e300, float("inf"), float("nan"), "1", None, True, [], 10**12]
)
def test_an_event_of_no_time_is_no_report(created: Any) -> None:
    report = report_of(event("payment_intent.succeeded") | {"created": created})
    assert report is None or created is True


@pytest.mark.parametrize("nothing", [{}, {"type": "x"}, {"type": ["x"], "data": {"object": 1}}])
def test_what_is_no_event_is_ignored(nothing: dict[str, Any]) -> None:
    assert report_of(nothing) is None


# --- disputes ------------------------------------------------------------------------------------

OURS = {"payment_id": "p1", "group_id": "G"}


def dispute_event(kind: str, status: str, **told: Any) -> dict[str, Any]:
    dispute = {"id": "du_1", "metadata": {}, "payment_intent": "pi_1", "charge": "ch_1"}
    dispute |= {"status": status, "amount": 2_000, "currency": "eur", "reason": "fraudulent"}
    return event(kind, **dispute | told)


DISPUTES = [
    ("charge.dispute.created", "needs_response", "open"),
    ("charge.dispute.created", "warning_needs_response", "open"),
    ("charge.dispute.updated", "under_review", "open"),
    ("charge.dispute.updated", "warning_under_review", "open"),
    ("charge.dispute.funds_withdrawn", "needs_response", "open"),
    ("charge.dispute.funds_withdrawn", "a status to come", "open"),
    ("charge.dispute.funds_reinstated", "won", "won"),
    ("charge.dispute.closed", "won", "won"),
    ("charge.dispute.closed", "warning_closed", "won"),
    ("charge.dispute.closed", "prevented", "won"),
    ("charge.dispute.closed", "lost", "lost"),
]


@pytest.mark.parametrize(("kind", "status", "state"), DISPUTES)
def test_a_dispute_stands_as_its_status_says(kind: str, status: str, state: str) -> None:
    dispute = dispute_of(dispute_event(kind, status))
    assert dispute is not None
    said = dispute_report(dispute, OURS, "eur")
    assert said is not None
    assert (said.payment_id, said.group_id, said.dispute_id) == ("p1", "G", "du_1")
    assert (said.state, said.amount, said.report_id) == (state, 2_000, "evt_1")


SUMS: list[tuple[str, dict[str, Any], str, int | None]] = [
    ("as we write it", {}, "eur", 2_000),
    ("in Stripe's units", {"amount": 50_000, "currency": "isk"}, "isk", 500),
    ("in whole units", {"amount": 5, "currency": "mga"}, "mga", 500),
    ("in another currency", {"currency": "usd"}, "eur", None),
]


@pytest.mark.parametrize(
    ("what", "told", "currency", "amount"), SUMS, ids=[each[0] for each in SUMS]
)
def test_what_is_disputed_is_read_in_the_payment_s_units(
    what: str, told: dict[str, Any], currency: str, amount: int | None
) -> None:
    dispute = dispute_of(dispute_event("charge.dispute.created", "needs_response", **told))
    assert dispute is not None
    said = dispute_report(dispute, OURS, currency)
    assert said is not None
    assert said.amount == amount


NO_DISPUTES: list[tuple[str, dict[str, Any]]] = [
    ("another event", event("payment_intent.succeeded")),
    ("no status", event("charge.dispute.created", status=None)),
    ("no amount", dispute_event("charge.dispute.created", "lost") | {"data": {"object": {}}}),
    ("no time", dispute_event("charge.dispute.created", "lost") | {"created": "soon"}),
]


@pytest.mark.parametrize(("what", "told"), NO_DISPUTES, ids=[each[0] for each in NO_DISPUTES])
def test_other_events_are_not_disputes(what: str, told: dict[str, Any]) -> None:
    assert dispute_of(told) is None


@pytest.mark.parametrize("metadata", [{}, {"payment_id": "p1"}, {"payment_id": "a/b"}])
def test_a_dispute_of_a_payment_that_is_not_ours_is_ignored(metadata: dict[str, str]) -> None:
    dispute = dispute_of(dispute_event("charge.dispute.created", "lost"))
    assert dispute is not None
    assert dispute_report(dispute, metadata, "eur") is None


def test_the_page_of_the_set_up_names_the_events_that_are_read_and_no_others() -> None:
    page = (ROOT / "docs" / "stripe.md").read_text()
    table = re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE)
    assert sorted(table) == sorted(EVENTS)
    paths = {route.path for route in build(Recorder(), SECRETS, Lookup()).routes}  # type: ignore[attr-defined]
    (path,) = (each for each in paths if "POST /" + each[1:] in page)
    assert path == "/stripe"
    given = {name.upper() for each in (CardSettings, WebhookSettings) for name in each.model_fields}
    assert set(re.findall(r"`([A-Z_]{6,})`", page)) <= given | {f"{name}_FILE" for name in given}


# --- the endpoint --------------------------------------------------------------------------------

SECRETS = ("whsec_new", "whsec_old")
BODY = json.dumps(event("payment_intent.succeeded")).encode()


class Recorder:
    """Keeps reports, or is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.reports: list[PaymentReported | PaymentDisputed] = []

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def record(self, report: PaymentReported | PaymentDisputed) -> None:
        if self.away:
            raise ConnectionError("no broker")
        self.reports.append(report)

    async def unready(self) -> str:
        return "no broker" if self.away else ""


class Lookup:
    """Knows the payment of one intent, or is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away

    async def find(self, intent: str, charge: str) -> Found | None:
        if self.away:
            raise LookupFailedError("APIConnectionError")
        return Found(OURS, "eur") if intent == "pi_1" else None


async def post(
    recorder: Recorder, body: bytes, header: str | None, lookup: Lookup | None = None
) -> int:
    transport = httpx.ASGITransport(app=build(recorder, SECRETS, lookup or Lookup()))
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


@pytest.mark.parametrize(
    ("intent", "away", "status", "recorded"),
    [("pi_1", False, 200, 1), ("pi_other", False, 200, 0), ("pi_1", True, 503, 0)],
)
async def test_a_dispute_is_recorded_once_its_payment_is_known(
    intent: str, away: bool, status: int, recorded: int
) -> None:
    told = dispute_event("charge.dispute.created", "needs_response", payment_intent=intent)
    body, recorder = json.dumps(told).encode(), Recorder()
    assert await post(recorder, body, signature(body, SECRETS[0]), Lookup(away=away)) == status
    assert len(recorder.reports) == recorded


async def test_without_a_key_a_dispute_is_to_be_told_again() -> None:
    lookup = StripeLookup(CardSettings())
    with pytest.raises(LookupFailedError, match="STRIPE_API_KEY"):
        await lookup.find("pi_1", "ch_1")


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
