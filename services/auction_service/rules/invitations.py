"""The predetermined date: every other registered seller is called to outbid what is shown."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from runtime.rows import DUE, ROWS_PER_CALL, Due, Rows, drop_some
from schemas.parts import Message
from services.auction_service.rows import AUCTION, CHUNKS, INVITED, Cursor, Mark
from services.auction_service.rules import letters
from services.auction_service.rules.letters import Sellers
from services.auction_service.rules.standing import standing_at
from services.auction_service.rules.waiting import SELLER_WAIT

#: Late facts of sellers who registered in time are looked for once more.
LATE_SELLERS = SELLER_WAIT


def invite(row_name: str, rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Call every other seller to outbid the condition shown at the predetermined date."""
    auction = rows[AUCTION]
    rows[AUCTION] = replace(auction, version=auction.version + 1, invited_at=now)
    # Whoever is shown at the date is not called, even if displaced a moment later.
    rows[INVITED(auction.shown.seller_id)] = Mark()
    rows[CHUNKS("invite")] = Cursor()
    rows[DUE("late-sellers")] = Due(now + LATE_SELLERS)
    return ()


def invite_late(row_name: str, rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Call those whose registration in time is known only now; nobody is called twice."""
    auction = rows[AUCTION]
    rows[CHUNKS("invite")] = Cursor(step="late" if auction.status == "open" else "forget")
    return ()


def invite_some(rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Call the next sellers who were in good standing at the date."""
    cursor = rows[CHUNKS("invite")]
    if cursor.step == "forget":
        return _forget_invited(rows)
    auction = rows[AUCTION]
    assert auction.invited_at is not None
    messages: list[Message] = []
    page = list(islice((each for each in sellers if each > cursor.after), ROWS_PER_CALL))
    for seller_id in page:
        seller = letters.seller_of(sellers, seller_id)
        if seller is None or seller.registered_at >= auction.invited_at:
            continue
        is_good = standing_at(seller, auction.invited_at) == "good"
        if is_good and INVITED(seller_id) not in rows:
            rows[INVITED(seller_id)] = Mark()
            messages += letters.invitation(rows.key, seller_id, auction, sellers, now)
    if len(page) == ROWS_PER_CALL:
        rows[CHUNKS("invite")] = replace(cursor, after=page[-1])
    elif cursor.step == "late":
        rows[CHUNKS("invite")] = Cursor(step="forget")
    else:
        del rows[CHUNKS("invite")]
    return messages


def _forget_invited(rows: Rows) -> Sequence[Message]:
    if not drop_some(rows, [INVITED]):
        del rows[CHUNKS("invite")]
    return ()
