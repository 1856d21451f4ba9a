"""The rules of favors: decided once for a group, at its close; after it, for one member at a time.

Where the design is silent, the reading that loses nothing:

- A row that comes after the close with the same quantity and value changes nothing, though a share
  of the group's sum may differ from the member's own formula by a rounding.
- With the same quantity and another value, more counts as ``late`` and less as ``return``.
- Who returns everything keeps the tier's percent at an amount of 0, but not its gift.
- A member without a favor who buys nothing does not get a favor of 0.
- The decision's total is the sum of the favors sent, whatever the summary says.
- Ninety days after the close nothing is recomputed any more.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from domain.money import largest_remainder_floor
from domain.tiers import given_by, tier_reached
from runtime.rows import (
    DUE,
    ROWS_KEPT,
    ROWS_PER_CALL,
    Due,
    Rows,
    UnusableError,
    drop,
    drop_some,
    next_rows,
)
from schemas.favors import Favor, FavorDecision
from schemas.orders import PurchaseOpened, PurchaseRow, PurchaseState
from schemas.parts import (
    NUMBER_MAX,
    SUM_MAX,
    Basis,
    FavorTerms,
    KeptProduct,
    Message,
    Method,
    Tier,
)
from schemas.reasons import RecordReason
from services.favor_service.rows import (
    CHUNKS,
    DECISION,
    MEMBERS,
    REMAINDERS,
    SUMS,
    TERMS,
    Cursor,
    Decision,
    Purchaser,
    Share,
    Sums,
    Terms,
)
from services.favor_service.rules import letters

# --- before the close ----------------------------------------------------------------------------


def remember_terms(message: PurchaseOpened, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep the ladder for the close, and the product for letters."""
    if DECISION not in rows:
        rows[TERMS] = Terms(
            favor=message.favor.model_dump_json(),
            if_incomplete=message.if_incomplete,
            currency=message.currency,
            product=KeptProduct.of(message.product),
            method=_method(message),
            payment_scope=message.payment.scope,
            shop_id=message.shop_id,
            seller_id=message.seller_id,
        )
    return []


def _method(terms: PurchaseOpened) -> Method | None:
    """How every member pays; members in parts may pay otherwise, and come on another topic."""
    has_own = any(each.payment and each.payment.method for each in terms.members)
    return None if has_own or terms.member_parts else terms.payment.method


def take_row(message: PurchaseRow, rows: Rows, now: datetime) -> Sequence[Message]:
    """Keep a newer row of a purchaser; after the close, recompute that member's favor alone.

    Raises ``UnusableError`` if the group's sums, and so its favors, would pass the limits.
    """
    name = MEMBERS(message.member_id)
    decision = rows.get(DECISION)
    before = rows.get(name) or Purchaser()
    if message.version <= before.version or (decision and decision.over):
        return []
    after = replace(
        before,
        version=message.version,
        quantity=message.quantity,
        value=message.value,
        person_id=message.person_id,
    )
    rows[SUMS] = _sums(before, after, rows)
    rows[name] = after
    if decision is None or (decision.tier is None and not decision.cancel_all):
        return []
    rise = (after.quantity - before.quantity) or (after.value - before.value)
    amount, gift = _formula(decision, after.quantity, after.value)
    first = before.favor_version == 0 and after.quantity > 0
    if not first and (rise == 0 or (amount, gift) == (before.amount, before.gift)):
        return []
    basis: Basis = "late" if rise > 0 else "return"
    return _give(rows, message.member_id, decision, amount, now, basis)


def _sums(before: Purchaser, after: Purchaser, rows: Rows) -> Sums:
    sums = rows.get(SUMS) or Sums()
    quantity = sums.quantity + after.quantity - before.quantity
    value = sums.value + after.value - before.value
    if quantity > NUMBER_MAX or value > SUM_MAX:
        raise UnusableError(
            f"{RecordReason.BEYOND_LIMITS}: the group would have {quantity} units of {value}"
            f" minor units, at most {NUMBER_MAX} and {SUM_MAX} are possible",
            RecordReason.BEYOND_LIMITS,
        )
    return Sums(quantity=quantity, value=value)


# --- the close -----------------------------------------------------------------------------------


def close(message: PurchaseState, rows: Rows, now: datetime) -> Sequence[Message]:
    """Decide once, when the group is complete or its period ends: fix the tier, begin to give.

    Raises ``UnusableError`` without the terms, which come earlier on the same topic.
    """
    if message.status == "open" or DECISION in rows:
        return []
    if message.status != "withdrawn" and TERMS not in rows:
        raise UnusableError("the group closed before its terms came", RecordReason.UNKNOWN_GROUP)
    decision = Decision(request_id=message.request_id, status=message.status)
    # By the clock, as late orders count by it: what closed the group may be long past.
    rows[DUE("shrink")] = Due(now + ROWS_KEPT)
    if message.status == "withdrawn":
        rows[DECISION] = decision
        return []
    terms = rows[TERMS]
    favor = FavorTerms.model_validate_json(terms.favor)
    incomplete = message.status == "elapsed"
    gives_tier = not incomplete or terms.if_incomplete == "as-reached"
    tier = tier_reached(favor.tiers, message.quantity, message.value) if gives_tier else None
    decision = replace(
        decision,
        tier=tier.model_dump_json(exclude_none=True) if tier else None,
        cancel_all=incomplete and terms.if_incomplete == "cancel-all",
        quantity=message.quantity,
        value=message.value,
        currency=message.currency or terms.currency,
    )
    rows[DECISION] = decision
    if tier is None and not decision.cancel_all:
        return _end(rows, decision, Cursor())
    rows[CHUNKS("decide")] = Cursor()
    if favor.scope == "group" and not decision.cancel_all:
        group_sum, _ = _formula(decision, decision.quantity, decision.value)
        rows[CHUNKS("decide")] = Cursor(step="floor", left=group_sum)
    return []


def decide(rows: Rows, now: datetime) -> Sequence[Message]:
    """Give the next members what was decided; after the last, say what it comes to."""
    cursor = rows[CHUNKS("decide")]
    decision = rows[DECISION]
    if cursor.step == "floor":
        return _rank_floors(rows, decision, cursor)
    if cursor.step == "share":
        return _hand_out_shares(rows, decision, cursor, now)
    page = next_rows(rows, MEMBERS, after=cursor.after, most=ROWS_PER_CALL)
    sent: list[Message] = []
    for name, purchaser in page:
        if purchaser.quantity:
            amount, _ = _formula(decision, purchaser.quantity, purchaser.value)
            sent += _give(rows, MEMBERS.part(name), decision, amount, now)
            cursor = replace(cursor, total=cursor.total + amount, members=cursor.members + 1)
    if len(page) < ROWS_PER_CALL:
        return [*sent, *_end(rows, decision, cursor)]
    rows[CHUNKS("decide")] = replace(cursor, after=page[-1][0])
    return sent


def _rank_floors(rows: Rows, decision: Decision, cursor: Cursor) -> Sequence[Message]:
    """First pass over a sum: note each floor share where a scan finds it by its remainder."""
    page = next_rows(rows, MEMBERS, after=cursor.after, most=ROWS_PER_CALL)
    group_sum, _ = _formula(decision, decision.quantity, decision.value)
    # Without any value the sum to share is 0, and a division by 0 has to be avoided.
    whole = max(decision.value, 1)
    for name, purchaser in page:
        if purchaser.quantity:
            floor, remainder = largest_remainder_floor(group_sum, purchaser.value, whole)
            rows[REMAINDERS(f"{whole - remainder:020}", MEMBERS.part(name))] = Share(floor)
            cursor = replace(cursor, left=cursor.left - floor)
    last = len(page) < ROWS_PER_CALL
    rows[CHUNKS("decide")] = replace(
        cursor, step="share" if last else "floor", after="" if last else page[-1][0]
    )
    return []


def _hand_out_shares(
    rows: Rows, decision: Decision, cursor: Cursor, now: datetime
) -> Sequence[Message]:
    """Second pass: one unit of what the floors left over to each of the largest remainders."""
    page = next_rows(rows, REMAINDERS, most=ROWS_PER_CALL)
    sent: list[Message] = []
    for name, share in page:
        unit = 1 if cursor.left > 0 else 0
        member_id = name.split("/", 2)[2]
        # At most the member's value, even if the summary's sums are below those of the rows.
        amount = min(share.floor + unit, rows[MEMBERS(member_id)].value)
        del rows[name]
        sent += _give(rows, member_id, decision, amount, now)
        cursor = replace(
            cursor,
            left=cursor.left - unit,
            total=cursor.total + amount,
            members=cursor.members + 1,
        )
    if len(page) < ROWS_PER_CALL:
        return [*sent, *_end(rows, decision, cursor)]
    rows[CHUNKS("decide")] = cursor
    return sent


def _end(rows: Rows, decision: Decision, cursor: Cursor) -> Sequence[Message]:
    drop(rows, CHUNKS("decide"))
    return [
        FavorDecision(
            group_id=rows.key,
            request_id=decision.request_id,
            version=1,
            tier=_tier(decision),
            cancel_all=decision.cancel_all,
            total=cursor.total,
            currency=decision.currency,
            members=cursor.members,
        )
    ]


# --- ninety days later ---------------------------------------------------------------------------


def begin_shrinking(name: str, rows: Rows, now: datetime) -> Sequence[Message]:
    """A group long over is forgotten in chunks."""
    rows[CHUNKS("shrink")] = Cursor()
    return []


def shrink(rows: Rows, now: datetime) -> Sequence[Message]:
    """Delete the next members' rows; at last, all but the mark that the group is over."""
    drop(rows, SUMS)
    if drop_some(rows, [MEMBERS], most=ROWS_PER_CALL):
        return []
    drop(rows, TERMS)
    rows[DECISION] = replace(rows[DECISION], over=True)
    del rows[CHUNKS("shrink")]
    return []


# --- amounts -------------------------------------------------------------------------------------


def _tier(decision: Decision) -> Tier | None:
    return Tier.model_validate_json(decision.tier) if decision.tier else None


def _formula(decision: Decision, quantity: int, value: int) -> tuple[int, str | None]:
    """The amount in minor units and the gift for a quantity and its value in the decided tier."""
    tier = _tier(decision)
    if tier is None:
        return (value if decision.cancel_all else 0), None
    return given_by(tier, quantity, value)


def _give(
    rows: Rows,
    member_id: str,
    decision: Decision,
    amount: int,
    now: datetime,
    basis: Basis | None = None,
) -> Sequence[Message]:
    """Note in the member's row what is given, and say it; without ``basis``, by the close."""
    name = MEMBERS(member_id)
    purchaser = rows[name]
    tier = _tier(decision)
    _, gift = _formula(decision, purchaser.quantity, purchaser.value)
    version = purchaser.favor_version + 1
    rows[name] = replace(purchaser, favor_version=version, amount=amount, gift=gift)
    percent = 100 if decision.cancel_all else (tier.percent_off if tier else None)
    favor = Favor(
        group_id=rows.key,
        request_id=decision.request_id,
        member_id=member_id,
        version=version,
        basis=basis or ("complete" if decision.status == "complete" else "elapsed"),
        percent=percent,
        gift=gift,
        amount=amount,
        currency=decision.currency,
        row_version=purchaser.version,
    )
    return favor, *letters.given(favor, purchaser, rows, now)
