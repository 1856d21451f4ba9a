"""What is asked of a shop, and what is made of its answer: the next part, another try, or an end.

A step is asked for again under the same key until its outcome is known. What may have been done is
never given up, as the money of a payment that is called failed is moved again.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.tries import PAUSES, TRIED_FOR
from runtime.rows import Call, Name, Rows, spread_pause
from schemas.parts import Message
from services.shop_bridge.rules.outbound.rows import (
    ORDERS,
    Instruction,
    Part,
    Payer,
    Reply,
    Request,
    call_name,
    instruction_name,
    payer_name,
)
from services.shop_bridge.rules.outbound.shares import candidates, id_of, left_of, source_of
from services.shop_bridge.rules.outbound.steps import go_on, report_failure

#: A shop may still be at work on what it did not answer: nobody looks before it has ended.
OPEN_PAUSE = timedelta(seconds=90)
#: What is that old when it is first asked for may have an end that is not read yet, as when all is
#: read from the beginning.
OLD = timedelta(minutes=1)
REST_SECONDS = 30.0
#: The end of ids that are ours, not the shop's: of further groups and of edits.
_OUR_END = re.compile(r"(-[eg]\d+)+")


# --- what is asked -------------------------------------------------------------------------------


def shop(row_name: str, rows: Rows) -> str:
    """The shop that is asked in a step; empty if none is."""
    it = rows[instruction_name(row_name.rpartition("/")[2])]
    return f"shop {source_of(it.part.order)}" if it.part and it.part.order else ""


def about(request: Request) -> dict[str, str]:
    """The fields of log lines and traces about a call to a shop."""
    return {"instruction": request.kind}


def request(row_name: Name[Call], rows: Rows, now: datetime) -> Request:
    """What the caller is to do for an instruction as it stands."""
    payment_id = row_name.rpartition("/")[2]
    it = rows[instruction_name(payment_id)]
    call = rows[row_name]
    rest = 0.0
    if it.part is None or (not it.rested and now - it.since > OLD):
        rest = REST_SECONDS
    if call.ambiguous:
        rest = OPEN_PAUSE.total_seconds()
    order = it.part.order if it.part else ""
    return Request(
        source=source_of(order),
        order_id=_OUR_END.sub("", id_of(order)),
        group_id=rows.key,
        key=f"{payment_id}-{it.parts}",
        kind=it.kind,
        amount=it.part.amount if it.part else 0,
        currency=it.currency,
        as_code=_as_code(it, rows),
        rest_seconds=rest,
    )


def _as_code(it: Instruction, rows: Rows) -> int:
    """What a code would be worth: a favor can be one, but not if nothing stays bought."""
    if it.kind != "refund" or it.cause != "favor":
        return 0
    every = replace(it, limits={}, elsewhere=())
    bought = sum(left_of(rows[name]) + rows[name].refunded for name, _ in candidates(every, rows))
    return it.amount - it.done if it.amount < bought else 0


# --- what is answered ----------------------------------------------------------------------------


def settle(row_name: Name[Call], reply: Reply, rows: Rows, now: datetime) -> Sequence[Message]:
    """Take a shop's answer, and go on with what is left."""
    payment_id = row_name.rpartition("/")[2]
    name = instruction_name(payment_id)
    call = rows[row_name]
    it = rows[name]
    del rows[row_name]
    if reply.outcome == "done":
        return _take_done(payment_id, it, reply, rows, now)
    if it.is_over:
        return ()
    part = it.part
    if part is None:  # it was only to be looked at again
        rows[name] = replace(it, rested=True)
        return go_on(payment_id, rows, now)
    if reply.outcome == "later":
        is_unsure = it.is_unsure or call.ambiguous
        rows[name] = replace(it, rested=True, is_unsure=is_unsure)
        rows[row_name] = Call(at=now + timedelta(seconds=reply.seconds), since=call.since)
        return ()
    if reply.outcome in ("again", "ours"):
        return _try_later(payment_id, it, reply, call, rows, now)
    if reply.outcome == "less":
        left = min(reply.left, part.amount - 1)
        problems = (*it.problems, _at(part, reply)) if reply.text else it.problems
        limits = it.limits | {part.order: left}
        rows[name] = replace(it, part=None, limits=limits, problems=problems)
    elif reply.outcome == "elsewhere":
        source = source_of(part.order)
        rows[name] = replace(it, part=None, elsewhere=(*it.elsewhere, source))
    else:
        rows[name] = replace(
            it,
            part=None,
            limits=it.limits | {part.order: 0},
            problems=(*it.problems, _at(part, reply)),
        )
    return go_on(payment_id, rows, now)


def _at(part: Part, reply: Reply) -> str:
    """A shop's answer with the order that it is about."""
    where = f"order {id_of(part.order)} at {source_of(part.order)}: " if part.order else ""
    return f"{where}{reply.text}"


def _take_done(
    payment_id: str, it: Instruction, reply: Reply, rows: Rows, now: datetime
) -> Sequence[Message]:
    """Money went out, or a code: it counts, for the next payment if this one was called off."""
    part = it.part
    amount = min(reply.amount, it.amount - it.done)
    limits = dict(it.limits)
    if part is not None and not reply.is_code:
        order_name = ORDERS.stored(part.order)
        order = rows[order_name]
        rows[order_name] = replace(order, refunded=order.refunded + amount)
        if part.order in limits:
            limits[part.order] = max(limits[part.order] - amount, 0)
    name = instruction_name(payment_id)
    if it.is_over:
        payer = rows.get(payer_name(it.payer)) or Payer()
        rows[payer_name(it.payer)] = replace(payer, ahead=payer.ahead + amount)
        rows[name] = replace(it, part=None)
        return ()
    rows[name] = replace(
        it,
        part=None,
        done=it.done + amount,
        references=(*it.references, reply.reference),
        code=reply.reference if reply.is_code else it.code,
        limits=limits,
    )
    return go_on(payment_id, rows, now)


def _try_later(
    payment_id: str, it: Instruction, reply: Reply, call: Call, rows: Rows, now: datetime
) -> Sequence[Message]:
    tried = replace(
        it,
        attempts=it.attempts + 1,
        first_tried_at=it.first_tried_at or now,
        is_unsure=it.is_unsure or reply.is_open,
    )
    assert tried.first_tried_at is not None
    if now - tried.first_tried_at > TRIED_FOR and not tried.is_unsure:
        rows[instruction_name(payment_id)] = replace(tried, part=None)
        why = reply.text or "the shop does not answer"
        return [report_failure(payment_id, tried, rows.key, now, why)]
    wait = max(spread_pause(payment_id, tried.attempts, PAUSES), timedelta(seconds=reply.seconds))
    if reply.is_open:
        wait = max(wait, OPEN_PAUSE)
    rows[instruction_name(payment_id)] = tried
    rows[call_name(payment_id)] = Call(at=now + wait, since=call.since)
    return ()
