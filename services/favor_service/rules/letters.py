"""What a member is told by letter of a favor."""

from collections.abc import Sequence
from datetime import datetime

from runtime.rows import Rows
from schemas.favors import Favor
from schemas.letters import Notice, notices
from schemas.parts import Product
from services.favor_service.rows import TERMS, Purchaser


def given(favor: Favor, purchaser: Purchaser, rows: Rows, now: datetime) -> Sequence[Notice]:
    """That a favor is given, and for what; nothing to a member without an address."""
    if purchaser.address is None:
        return ()
    terms = rows[TERMS]
    if not terms.product_name:  # written before rows named it
        return ()
    return notices(
        "favor-given",
        purchaser.address.of(favor.member_id),
        favor.group_id,
        now,
        favor.version,
        group_id=favor.group_id,
        product=Product(id=terms.product_id, name=terms.product_name),
        basis=favor.basis,
        amount=favor.amount,
        currency=favor.currency,
        percent=favor.percent,
        gift=favor.gift,
        quantity=purchaser.quantity,
        value=purchaser.value,
    )
