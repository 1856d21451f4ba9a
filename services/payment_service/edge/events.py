"""Stripe's events about payments as reports. Pure: the signature is verified before.

``EVENTS`` are all that an endpoint at Stripe has to be subscribed to (``docs/stripe.md``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError

from schemas.payments import PaymentDisputed, PaymentReported
from schemas.reasons import PaymentFailure
from services.payment_service.rules.minor_units import from_stripe_units

Status = Literal["authorised", "succeeded", "failed", "cancelled"]
DisputeState = Literal["open", "won", "lost"]
#: A declined card is not among them: the payer may take another one on the same page.
_STATUS: Mapping[str, Status] = {
    "payment_intent.amount_capturable_updated": "authorised",
    "payment_intent.succeeded": "succeeded",
    "payment_intent.canceled": "cancelled",
    "checkout.session.expired": "failed",
    "checkout.session.async_payment_failed": "failed",
}
#: ``charge.refund.updated`` is what endpoints with an API version before 2024-10-28 get instead.
_REFUND_EVENTS = frozenset(
    {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}
)
_REFUND_STATUS: Mapping[str, Status] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
_REASONS = {
    "checkout.session.expired": PaymentFailure.NOT_PAID,
    "checkout.session.async_payment_failed": PaymentFailure.CARD_DECLINED,
}
_DISPUTE_EVENTS = frozenset(
    {
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)
#: Any other status means an open dispute, or a bank's question before one.
_DISPUTE_ENDS: Mapping[str, DisputeState] = {
    "won": "won",
    "warning_closed": "won",
    "prevented": "won",
    "charge_refunded": "won",
    "lost": "lost",
}
EVENTS = frozenset(_STATUS) | _REFUND_EVENTS | _DISPUTE_EVENTS
_NO_REPORT = (
    KeyError,
    TypeError,
    AttributeError,
    ValueError,
    ValidationError,
    OverflowError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute as Stripe reports it, with Stripe's ids of the payment, not ours."""

    event_id: str
    dispute_id: str
    intent: str
    charge: str
    state: DisputeState
    amount: int
    currency: str
    reason: str | None
    at: datetime


def report_of(event: Mapping[str, Any]) -> PaymentReported | None:
    """The report that an event stands for; None for an event that does not concern us."""
    try:
        kind, told = event["type"], event["data"]["object"]
        status = _STATUS.get(kind)
        if kind in _REFUND_EVENTS:
            status = _REFUND_STATUS.get(told["status"])
        metadata = told.get("metadata") or {}
        if status is None or not {"payment_id", "group_id"} <= set(metadata):
            return None
        return PaymentReported(
            report_id=event["id"],
            group_id=metadata["group_id"],
            payment_id=metadata["payment_id"],
            status=status,
            provider_reference=told["id"],
            reason=_REASONS.get(kind, PaymentFailure.REFUSED) if status == "failed" else None,
            at=datetime.fromtimestamp(event["created"], UTC),
        )
    except _NO_REPORT:
        return None


def dispute_of(event: Mapping[str, Any]) -> Dispute | None:
    """The dispute in an event; None if the event is about something else."""
    try:
        told = event["data"]["object"]
        if event["type"] not in _DISPUTE_EVENTS:
            return None
        return Dispute(
            event_id=event["id"],
            dispute_id=told["id"],
            intent=_id_of(told.get("payment_intent")),
            charge=_id_of(told.get("charge")),
            state=_DISPUTE_ENDS.get(told["status"], "open"),
            amount=told["amount"],
            currency=told["currency"].upper(),
            reason=told.get("reason"),
            at=datetime.fromtimestamp(event["created"], UTC),
        )
    except _NO_REPORT:
        return None


def _id_of(told: Any) -> str:
    """An id, also of an object that Stripe sends in full."""
    return str(told.get("id") or "") if isinstance(told, Mapping) else str(told or "")


def dispute_report(
    dispute: Dispute, metadata: Mapping[str, str], currency: str
) -> PaymentDisputed | None:
    """The report of a dispute of our payment, by the payment's metadata and currency.

    A dispute in another currency counts for the whole payment. None if it is not ours.
    """
    try:
        is_same = dispute.currency == currency.upper()
        return PaymentDisputed(
            report_id=dispute.event_id,
            group_id=metadata["group_id"],
            payment_id=metadata["payment_id"],
            dispute_id=dispute.dispute_id,
            state=dispute.state,
            amount=from_stripe_units(dispute.amount, dispute.currency) if is_same else None,
            reason=dispute.reason,
            at=dispute.at,
        )
    except _NO_REPORT:
        return None
