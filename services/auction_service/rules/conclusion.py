"""What the end of a term brings: a contract and its group purchase, or none, and who is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from domain.sources import sources_of_shop
from runtime.rows import (
    DUE,
    ROWS_KEPT,
    ROWS_PER_CALL,
    WAITING,
    WAITS,
    Due,
    Rows,
    Table,
    drop,
    drop_some,
    next_rows,
)
from schemas.auctions import Conclusion, ContractConcluded, ContractFailed
from schemas.groups import GroupPurchaseRequested, MembersListed
from schemas.parts import Contact, ListedMember, Message
from services.auction_service.rows import (
    ADDRESSES,
    APPLICANTS,
    APPLICATIONS,
    ASKED,
    ASKING,
    AUCTION,
    BIDDERS,
    CHUNKS,
    ENDED,
    GONE,
    INVITED,
    LIVE,
    MAILBOXES,
    OFFERS,
    PRODUCT,
    TOLD,
    Applicant,
    Cursor,
    Ended,
    product_of,
    shown_of,
)
from services.auction_service.rules import letters
from services.auction_service.rules.letters import (
    Sellers,
    applicant_party,
    seller_of,
    seller_party,
)

#: A part has the members of one call: even with the longest ids it fits into a record.
MEMBERS_PER_PART = ROWS_PER_CALL
TABLES: tuple[Table[Any], ...] = (
    *(OFFERS, BIDDERS, ADDRESSES, APPLICATIONS, APPLICANTS, MAILBOXES),
    *(GONE, TOLD, INVITED),
)


def conclude(rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Decide by the count; the contract's group purchase is requested with the first chunk."""
    auction = rows[AUCTION]
    is_concluded = auction.reservations >= auction.shown.minimum
    auction = replace(
        auction,
        version=auction.version + 1,
        status="concluded" if is_concluded else "failed",
        group_request_id=f"au-{rows.key}" if is_concluded else None,
    )
    rows[AUCTION] = auction
    rows[CHUNKS("tell")] = Cursor(step="applicants")
    rows[DUE("shrink")] = Due(now + ROWS_KEPT)
    end = Conclusion(
        auction_id=rows.key,
        shown=shown_of(auction.shown),
        currency=auction.currency,
        reservations=auction.reservations,
        applicants=auction.applicants,
        at=now,
    )
    fact: Message = ContractFailed(**dict(end))
    if auction.group_request_id:
        fact = ContractConcluded(**dict(end), group_request_id=auction.group_request_id)
    winner = seller_party(sellers, auction.shown.seller_id)
    return (fact, *letters.concluded(rows.key, winner, "winner", auction))


def announce(rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Tell the next applicants of the earliest takeover they have not been told of."""
    name, cursor = next(rows.scan(CHUNKS, "announce"))
    auction = rows[AUCTION]
    assert cursor.before is not None
    assert cursor.shown is not None
    takeover = (cursor.version, cursor.before, cursor.shown)
    applicants = next_rows(rows, APPLICANTS, after=cursor.after)
    if len(applicants) == ROWS_PER_CALL:
        rows[name] = replace(cursor, after=applicants[-1][0])
    else:
        del rows[name]
    return [
        notice
        for row_name, applicant in applicants
        for notice in letters.condition_improved(
            rows.key, row_name.partition("/")[2], applicant, auction, takeover, now
        )
    ]


def tell(rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Tell the next applicants, then the losing sellers; a contract's members go along."""
    cursor = rows[CHUNKS("tell")]
    if cursor.step == "sellers":
        return _tell_sellers(cursor, rows, sellers)
    auction = rows[AUCTION]
    applicants = [
        (APPLICANTS.part(name), applicant)
        for name, applicant in next_rows(rows, APPLICANTS, after=cursor.after)
    ]
    messages: list[Message] = []
    seller_name = None
    if auction.group_request_id:
        messages += _request(cursor, applicants, rows, sellers)
        seller = seller_of(sellers, auction.shown.seller_id)
        seller_name = seller.name if seller else None
    for who, applicant in applicants:
        messages += letters.concluded(
            rows.key,
            applicant_party(who, applicant),
            "applicant",
            auction,
            quantity=applicant.quantity,
            seller_name=seller_name,
        )
    if len(applicants) == ROWS_PER_CALL:
        rows[CHUNKS("tell")] = replace(
            cursor, after=APPLICANTS(applicants[-1][0]), part=cursor.part + 1
        )
    else:
        rows[CHUNKS("tell")] = Cursor(step="sellers")
    return messages


def _request(
    cursor: Cursor, page: Sequence[tuple[str, Applicant]], rows: Rows, sellers: Sellers
) -> Sequence[Message]:
    """The request of the group purchase, with the members or followed by parts of them.

    The group lists the winning seller as its shop, so orders of other shops do not count in it.
    """
    auction = rows[AUCTION]
    assert auction.group_request_id
    parts = -(-auction.applicants // MEMBERS_PER_PART)
    members = tuple(
        ListedMember(id=who, person_id=applicant.person_id, reserved=applicant.quantity)
        for who, applicant in page
    )
    messages: list[Message] = []
    if cursor.part == 0:
        seller = seller_party(sellers, auction.shown.seller_id)
        messages.append(
            GroupPurchaseRequested(
                request_id=auction.group_request_id,
                requested_at=auction.closes_at,
                organizer=Contact(**dict(seller)),
                product=product_of(rows),
                number_of_products=auction.reservations,
                unit_price=auction.shown.unit_price,
                currency=auction.currency,
                members=members if parts == 1 else (),
                member_parts=parts if parts > 1 else 0,
                visibility="unlisted",
                sources=sources_of_shop(seller.id),
                seller_id=seller.id,
            )
        )
    if parts > 1 and members:
        messages.append(
            MembersListed(
                request_id=auction.group_request_id,
                part=cursor.part + 1,
                parts=parts,
                members=members,
            )
        )
    return messages


def _tell_sellers(cursor: Cursor, rows: Rows, sellers: Sellers) -> Sequence[Message]:
    auction = rows[AUCTION]
    bidders = [BIDDERS.part(name) for name, _ in next_rows(rows, BIDDERS, after=cursor.after)]
    if len(bidders) == ROWS_PER_CALL:
        rows[CHUNKS("tell")] = replace(cursor, after=BIDDERS(bidders[-1]))
    else:
        del rows[CHUNKS("tell")]
    return [
        notice
        for seller_id in bidders
        if seller_id != auction.shown.seller_id
        for notice in letters.concluded(
            rows.key, seller_party(sellers, seller_id), "seller", auction
        )
    ]


# --- ninety days later ---------------------------------------------------------------------------


def begin_shrinking(
    row_name: str, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    """Begin to forget an auction that ended long ago, or never opened."""
    unanswered: tuple[Table[Any], ...] = (ASKING, ASKED, WAITING)
    if any(next(rows.scan(table), None) for table in unanswered):
        # It has not opened, but may yet: what waits is answered before anything is forgotten.
        rows[DUE("shrink")] = Due(now + ROWS_KEPT)
    else:
        rows[CHUNKS("shrink")] = Cursor()
    return ()


def shrink(rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Delete a chunk of rows; at last only how the auction ended is left."""
    if drop_some(rows, TABLES):
        return ()
    del rows[CHUNKS("shrink")]
    drop(rows, WAITS, LIVE)
    if AUCTION in rows:
        rows[ENDED] = Ended(rows[AUCTION].status)
        # If the page has not been sent yet, its product is sent with it.
        del rows[AUCTION], rows[PRODUCT]
    return ()
