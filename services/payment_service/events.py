"""What Stripe tells of a payment, as a report. Pure: the signature has been verified before."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ValidationError

from schemas.messages import PaymentReported

Status = Literal["authorised", "succeeded", "failed", "cancelled"]
#: A declined card is not among them: the payer may take another one on the same page.
_STATUS: Mapping[str, Status] = {
    "payment_intent.amount_capturable_updated": "authorised",
    "payment_intent.succeeded": "succeeded",
    "payment_intent.canceled": "cancelled",
    "checkout.session.expired": "failed",
    "checkout.session.async_payment_failed": "failed",
}
_REFUND_EVENTS = frozenset({"refund.created", "refund.updated", "refund.failed"})
_REFUND_STATUS: Mapping[str, Status] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "failed",
}
_REASONS = {
    "checkout.session.expired": "not-paid",
    "checkout.session.async_payment_failed": "card-declined",
}


def report_of(event: Mapping[str, Any]) -> PaymentReported | None:
    """The report that an event stands for; None for what is no matter of ours."""
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
            provider_reference=None if kind.startswith("checkout.") else told["id"],
            reason=_REASONS.get(kind, "refused") if status == "failed" else None,
            at=datetime.fromtimestamp(event["created"], UTC),
        )
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        ValidationError,
        OverflowError,
        OSError,
    ):
        return None
