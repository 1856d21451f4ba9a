"""What a member is told by letter of a favor."""

from collections.abc import Sequence
from datetime import datetime

from runtime.rows import Rows
from schemas.favors import Favor
from schemas.letters import Notice, notices
from schemas.parts import Party
from services.favor_service.rows import DECISION, TERMS, Purchaser


def given(favor: Favor, purchaser: Purchaser, rows: Rows, now: datetime) -> Sequence[Notice]:
    """That a favor is given, and for what; nothing to a member who can't be reached."""
    if purchaser.person_id is None:
        return ()
    terms = rows[TERMS]
    if terms.product is None:  # written before rows named it
        return ()
    return notices(
        "favor-given",
        Party(id=favor.member_id, person_id=purchaser.person_id),
        favor.group_id,
        now,
        favor.version,
        group_id=favor.group_id,
        product=terms.product.told(),
        basis=favor.basis,
        amount=favor.amount,
        currency=favor.currency,
        percent=favor.percent,
        gift=favor.gift,
        quantity=purchaser.quantity,
        value=purchaser.value,
        is_cancelled=rows[DECISION].cancel_all or None,
        method=terms.method,
        payment_scope=terms.payment_scope or None,
        shop_id=terms.shop_id,
        seller_id=terms.seller_id,
    )
