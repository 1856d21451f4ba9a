"""What is done next for an instruction: a part at an order, a wait, or a report of how it ended."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from runtime.rows import Call, Rows
from schemas.parts import Message
from schemas.payments import CODE_MAX, REASON_MAX, REFERENCE_MAX, PaymentReported
from services.shop_bridge.rules.outbound.amounts import shown
from services.shop_bridge.rules.outbound.rows import Instruction, Part, call_name, instruction_name
from services.shop_bridge.rules.outbound.shares import candidates, spread

#: How often a shop that is not ours to ask is looked at again: it may have become one.
LOOKED_AT_AGAIN = timedelta(days=1)
TOO_LITTLE = "the payer's orders have not as much left"
BY_HAND = (
    "; do it by hand, then run `jointbuy payment done {0}`; or correct it, then"
    " run `jointbuy payment retry {0}`"
)


def go_on(payment_id: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """Have the next part done at once, or say how it ended."""
    name = instruction_name(payment_id)
    it = rows[name]
    if it.is_over:
        return ()
    rest = it.amount - it.done
    if not rest:
        return [_reported(payment_id, it, rows.key, now)]
    if it.part is None:
        part = _next_part(it, rest, rows)
        if part is None and it.elsewhere and not it.done:
            # Whose shop it is reads ``payments`` and answers by itself.
            rows[name] = replace(it, elsewhere=(), limits={}, problems=())
            at = now + LOOKED_AT_AGAIN
            rows[call_name(payment_id)] = Call(at=at, since=at)
            return ()
        if part is None:
            return [report_failure(payment_id, it, rows.key, now)]
        it = replace(
            it,
            part=part,
            parts=it.parts + 1,
            attempts=0,
            first_tried_at=None,
            is_unsure=False,
        )
        rows[name] = it
    call = rows.get(call_name(payment_id))
    if call is None or not call.owner:
        rows[call_name(payment_id)] = Call(at=now, since=now)
    return ()


def _next_part(it: Instruction, rest: int, rows: Rows) -> Part | None:
    """The first of the parts that make up the rest, or None if they don't.

    Nothing is begun that can't be brought to its end as far as is known. Before it is said that it
    can't be, it is asked whether the shop is one of ours.
    """
    found = candidates(it, rows)
    parts, missing = spread(rest, found)
    if it.kind == "refund" and not missing:
        return parts[0]
    if it.problems or it.limits or it.done or (it.elsewhere and not found):
        return None
    return Part(order=found[0][0] if found else "", amount=0)


def report_failure(
    payment_id: str, it: Instruction, group_id: str, now: datetime, why: str = ""
) -> PaymentReported:
    """That what is open of an instruction can't be done, why, and what people are to do."""
    told = "; ".join(filter(None, (why, *it.problems))) or TOO_LITTLE
    of = f" of {shown(it.amount, it.currency)}" if it.done else ""
    was_not = "could not be refunded" if it.kind == "refund" else "was not collected"
    whole = f"{shown(it.amount - it.done, it.currency)}{of} {was_not}: {told}"
    by_hand = BY_HAND.format(payment_id)
    reason = whole[: REASON_MAX - len(by_hand)] + by_hand
    return _reported(payment_id, it, group_id, now, reason)


def _reported(
    payment_id: str, it: Instruction, group_id: str, now: datetime, failure: str | None = None
) -> PaymentReported:
    references = ", ".join(it.references)
    code = it.code if it.code and len(it.code) <= CODE_MAX else None  # else the reference tells it
    if len(references) > REFERENCE_MAX:
        references = references[: REFERENCE_MAX - 1] + "…"
    return PaymentReported(
        report_id=f"{payment_id[:40]}-shop-{it.version}"[:64],
        group_id=group_id,
        payment_id=payment_id,
        status="succeeded" if failure is None else "failed",
        provider_reference=references or None,
        code=code if failure is None else None,
        reason=failure,
        at=now,
    )
