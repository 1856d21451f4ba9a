"""Stripe's errors, sorted by what is to be done: the payer's, to be tried again, ours to mend."""

import stripe
import structlog

from runtime.breaker import Strained
from schemas.reasons import PaymentFailure
from services.payment_service.rules.provider import Reply

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
#: A 429 with one of these codes is about one object.
_OF_ONE_OBJECT = frozenset({"lock_timeout", "idempotency_key_in_use"})
#: Least pause before the next call to Stripe.
DOWN_SECONDS = 1.0
FAST_SECONDS = 5.0
BARRED_SECONDS = 60.0
_OURS = (
    stripe.InvalidRequestError,
    stripe.AuthenticationError,
    stripe.PermissionError,
    stripe.IdempotencyError,
)
_log = structlog.get_logger()


def sorted_out(error: Exception) -> Reply | Strained:
    """What an error means for the payment. Raises any error that is not Stripe's, as that is a bug.

    An answer that is kept under the idempotency key would be given again for ever: ``spent``.
    """
    code = str(getattr(error, "code", None) or "")
    if isinstance(error, stripe.CardError) or code == _DISPUTED_CODE:
        is_disputed = code == _DISPUTED_CODE
        return Reply(
            "disputed" if is_disputed else "declined",
            code if is_disputed else PaymentFailure.CARD_DECLINED,
            spent=True,
        )
    status = getattr(error, "http_status", None) or 0
    is_in_use = isinstance(error, stripe.IdempotencyError) and status == 409
    if is_in_use or code in _LATER_CODES or isinstance(error, stripe.RateLimitError):
        later = Reply("again", code or "not now")
        is_too_fast = isinstance(error, stripe.RateLimitError) and code not in _OF_ONE_OBJECT
        return Strained(later, "too many requests", FAST_SECONDS) if is_too_fast else later
    if isinstance(error, stripe.AuthenticationError):
        return Strained(_ours(error), "Stripe does not accept the key", BARRED_SECONDS)
    if isinstance(error, _OURS):
        return _ours(error)
    if isinstance(error, stripe.APIConnectionError | TimeoutError | OSError):
        return Strained(Reply("again", "no answer"), "no answer", DOWN_SECONDS)
    if isinstance(error, stripe.StripeError):
        why = f"Stripe answers {status}"
        again = Reply("again", why, spent=status >= 500)
        return Strained(again, why) if status >= 500 else again
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
