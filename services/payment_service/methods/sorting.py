"""Stripe's errors, sorted by what is to be done: the payer's, to be tried again, ours to mend."""

import stripe
import structlog

from services.payment_service.hearing import Reply

#: What the state of things does not allow (any more): it is looked at instead.
STATE_CODES = frozenset(
    {
        "payment_intent_unexpected_state",
        "charge_already_refunded",
        "charge_expired_for_capture",
        "charge_already_captured",
        "checkout_session_not_open",
    }
)
#: A refund of a payment that is disputed, or whose dispute was lost.
_DISPUTED_CODE = "charge_disputed"
_LATER_CODES = STATE_CODES | {"lock_timeout", "rate_limit", "idempotency_key_in_use"}
_OURS = (
    stripe.InvalidRequestError,
    stripe.AuthenticationError,
    stripe.PermissionError,
    stripe.IdempotencyError,
)
_log = structlog.get_logger()


def sorted_out(error: Exception) -> Reply:
    """What an error means for the payment. Raises what is none of Stripe's: that is a bug.

    An answer that is kept under the idempotency key would be given again for ever: ``spent``.
    """
    code = str(getattr(error, "code", None) or "")
    if isinstance(error, stripe.CardError):
        return Reply("declined", "card-declined", spent=True)
    status = getattr(error, "http_status", None) or 0
    is_in_use = isinstance(error, stripe.IdempotencyError) and status == 409
    if code == _DISPUTED_CODE:
        return Reply("disputed", code, spent=True)
    if is_in_use or code in _LATER_CODES or isinstance(error, stripe.RateLimitError):
        return Reply("again", code or "not now")
    if isinstance(error, _OURS):
        return _ours(error)
    if isinstance(error, stripe.APIConnectionError | TimeoutError | OSError):
        return Reply("again", "no answer")
    if isinstance(error, stripe.StripeError):
        return Reply("again", f"Stripe answers {status}", spent=status >= 500)
    raise error


def _ours(error: Exception) -> Reply:
    """Something here is wrong: a key, a setting, a request. Said in the log, without the payer."""
    code = getattr(error, "code", None)
    param = getattr(error, "param", None)
    _log.error(
        "Stripe does not take our request: is STRIPE_API_KEY right?",
        error=type(error).__name__,
        code=code,
        param=param,
        request=getattr(error, "request_id", None),
    )
    is_kept = not isinstance(error, stripe.AuthenticationError | stripe.PermissionError)
    return Reply("ours", f"{type(error).__name__} {code or ''}".strip(), spent=is_kept)
