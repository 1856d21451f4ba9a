"""The rules of counter auctions.

This module answers each message and everything that falls due. ``offers`` judges offers,
``reservations`` counts applications, ``waiting`` keeps what comes too early, ``invitations`` calls
sellers to outbid, ``conclusion`` ends a term, and ``letters`` writes notices. The rules of the
seller desk are in ``sellers``.

Reasons of verdicts: ``opened``, ``better``; ``higher-minimum``, ``price-not-lower``,
``step-too-small``; refused, the first that holds: ``auction-exists``, ``auction-withdrawn``,
``after-term``, ``impossible-terms``, ``other-product``, ``other-currency``, ``unknown-seller``,
``pending-seller``, ``suspended-seller``, ``has-applied``, ``unknown-auction``. Of applications:
``auction-withdrawn``, ``after-term``, ``own-auction``, ``over-applicant-limit``,
``already-reserved``, ``beyond-limits``, ``unknown-auction``.

Where the design is silent, the reading that loses nothing:

- An offer is judged by its seller's standing when it was made; while that is not good as far as is
  known, the offer waits a minute, as facts of sellers come on a topic of their own.
- One applicant is one id and one mailbox. When a second application under either is confirmed, it
  replaces the first for good. An application that a front end vouches for, without a letter,
  replaces nothing that counts under another id.
- An applicant can't outbid, and a seller with an offer can't apply. Both must first take back the
  application or the offer.
- A contract binds: nothing is confirmed or withdrawn after the term.
- An applicant's address is sent to ``people`` when it comes, as letters may follow. If the
  application waits for its auction, it is not known yet whether any letter will.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runtime.rows import DUE, ROWS_KEPT, ROWS_PER_CALL, WAITING, Due, GivenUp, Rows, drop, next_rows
from schemas.auctions import (
    ApplicationConfirmed,
    ApplicationRefused,
    ApplicationWithdrawn,
    Applied,
    AuctionOpened,
    AuctionWithdrawn,
    CounterOffered,
    Offer,
    OfferJudged,
)
from schemas.parts import KeptProblem, Message
from schemas.reasons import ApplicationReason, OfferReason, WithdrawalReason
from services.auction_service.rows import (
    ASKED,
    ASKING,
    AUCTION,
    CHUNKS,
    ENDED,
    LIVE,
    OFFERS,
    TOLD,
    Application,
    Auction,
    Cursor,
    Judged,
    Live,
    Mark,
)
from services.auction_service.rules import conclusion, letters, offers, reservations, waiting
from services.auction_service.rules.letters import Sellers

# --- offers --------------------------------------------------------------------------------------


def open_auction(
    message: AuctionOpened, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    """Open an auction once; what came before it is applied then."""
    if OFFERS(message.offer_id) in rows:
        return (offers.verdict_of(message.offer_id, rows),)
    if waiting.is_asking(message.offer_id, rows):
        return ()
    return _judge_opening(message, rows, now, sellers, is_last_look=False)


def take_offer(
    message: CounterOffered, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    """Judge a counter-offer, invited or not, when it comes."""
    if OFFERS(message.offer_id) in rows:
        return (offers.verdict_of(message.offer_id, rows),)
    if waiting.is_asking(message.offer_id, rows):
        return ()
    if AUCTION not in rows and ENDED not in rows:
        waiting.wait(message, rows, now)
        return ()
    return _judge_counter(message, rows, now, sellers, is_last_look=False)


def withdraw_auction(
    message: AuctionWithdrawn, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    """Take the auction back while nobody relies on it; else the seller is told why not."""
    auction = rows.get(AUCTION)
    if auction is None:
        if ENDED not in rows:
            waiting.wait(message, rows, now)
        return ()
    if auction.status == "withdrawn" and message.seller_id == auction.opened_by:
        return ()
    reason = _reason_to_stay(message, auction, rows)
    if reason:
        return _tell_why_it_stays(message.seller_id, reason, rows, now, sellers)
    rows[AUCTION] = replace(auction, version=auction.version + 1, status="withdrawn")
    for name in (DUE("close"), DUE("invite"), DUE("late-sellers")):
        drop(rows, name)
    rows[DUE("shrink")] = Due(now + ROWS_KEPT)
    return ()


def look_for_seller(
    row_name: str, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    """Look again whether the seller of an offer is in good standing; after a minute for good."""
    number = row_name.rpartition("/")[2]
    row = rows[ASKING(number)]
    is_last_look = now >= row.arrived_at + waiting.SELLER_WAIT
    return _look(number, rows, now, sellers, is_last_look=is_last_look)


def _look(
    number: str, rows: Rows, now: datetime, sellers: Sellers, *, is_last_look: bool
) -> Sequence[Message]:
    row = rows[ASKING(number)]
    del rows[ASKING(number)]
    message = waiting.read(row)
    assert isinstance(message, Offer)
    if not is_last_look and offers.seller_reason(message, sellers):
        rows[ASKING(number)] = row
        waiting.look_again(number, row.arrived_at, rows, now)
        return ()
    del rows[ASKED(message.offer_id)]
    if isinstance(message, AuctionOpened):
        return _judge_opening(message, rows, now, sellers, is_last_look=is_last_look)
    assert isinstance(message, CounterOffered)
    return _judge_counter(message, rows, now, sellers, is_last_look=is_last_look)


def _judge_opening(
    message: AuctionOpened, rows: Rows, now: datetime, sellers: Sellers, *, is_last_look: bool
) -> Sequence[Message]:
    if ENDED in rows:
        return (_refused_offer(message, OfferReason.AUCTION_EXISTS, rows),)
    problems = tuple(map(KeptProblem.of, offers.opening_problems(message)))
    if AUCTION in rows:
        judged = Judged(
            seller_id=message.seller_id, verdict="refused", reason=OfferReason.AUCTION_EXISTS
        )
    elif problems:
        judged = Judged(
            seller_id=message.seller_id,
            verdict="refused",
            reason=OfferReason.IMPOSSIBLE_TERMS,
            problems=problems,
        )
    elif now >= message.closes_at:
        judged = Judged(
            seller_id=message.seller_id, verdict="refused", reason=OfferReason.AFTER_TERM
        )
    elif reason := offers.seller_reason(message, sellers):
        if not is_last_look:
            waiting.ask(message, rows, now)
            return ()
        judged = Judged(seller_id=message.seller_id, verdict="refused", reason=reason)
    else:
        offers.open_auction(message, rows)
        drop(rows, DUE("shrink"))  # set by offers that were refused for want of the auction
        rows[CHUNKS("drain")] = Cursor()
        judged = Judged(seller_id=message.seller_id, verdict="shown", reason=OfferReason.OPENED)
    _forget_if_none(rows, now)
    return offers.keep(message, judged, rows, sellers, now)


def _judge_counter(
    message: CounterOffered, rows: Rows, now: datetime, sellers: Sellers, *, is_last_look: bool
) -> Sequence[Message]:
    if ENDED in rows:
        ended = rows[ENDED]
        is_withdrawn = ended.status == "withdrawn"
        over = OfferReason.AUCTION_WITHDRAWN if is_withdrawn else OfferReason.AFTER_TERM
        return (_refused_offer(message, over, rows),)
    auction = rows[AUCTION]
    judged = offers.refusal(message, auction)
    if judged is None and (reason := offers.seller_reason(message, sellers)):
        if not is_last_look:
            waiting.ask(message, rows, now)
            return ()
        judged = Judged(seller_id=message.seller_id, verdict="refused", reason=reason)
    if judged is None and (reason := offers.buyer_reason(message, rows, sellers)):
        judged = Judged(seller_id=message.seller_id, verdict="refused", reason=reason)
    if judged is None:
        judged = offers.compare(message, auction)
    told: Sequence[Message] = ()
    if judged.verdict == "shown":
        told = offers.take_over(message, rows, sellers, now)
    return (*offers.keep(message, judged, rows, sellers, now), *told)


def _reason_to_stay(
    message: AuctionWithdrawn, auction: Auction, rows: Rows
) -> WithdrawalReason | None:
    if auction.status in ("concluded", "failed"):
        return WithdrawalReason.AFTER_TERM
    if message.seller_id != auction.opened_by:
        return WithdrawalReason.NOT_THE_OPENER
    if auction.shown.offer_id != auction.opening_offer:
        return WithdrawalReason.HAS_BETTER_OFFER
    return WithdrawalReason.HAS_APPLICATIONS if (rows.get(LIVE) or Live(0)).count else None


def _tell_why_it_stays(
    seller_id: str, reason: WithdrawalReason, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    name = TOLD(seller_id, reason)
    if name in rows:
        return ()
    told = letters.withdrawal_refused(rows.key, seller_id, reason, rows[AUCTION], sellers, now)
    if told:
        rows[name] = Mark()
    return told


def _refused_offer(message: Offer, reason: OfferReason, rows: Rows) -> OfferJudged:
    """A refusal of which nothing is kept."""
    return OfferJudged(
        offer_id=message.offer_id,
        auction_id=rows.key,
        seller_id=message.seller_id,
        verdict="refused",
        reason=reason,
    )


# --- applications --------------------------------------------------------------------------------


def apply(message: Applied, rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Take an application, which counts once it is confirmed."""
    if ENDED in rows:
        is_withdrawn = rows[ENDED].status == "withdrawn"
        reason = (
            ApplicationReason.AUCTION_WITHDRAWN if is_withdrawn else ApplicationReason.AFTER_TERM
        )
        return (_refused_application(message, reason, rows),)
    known = rows.get(reservations.application_name(message.application_id))
    if AUCTION not in rows and (known is None or known.state != "refused"):
        return reservations.wait_for_auction(message, rows, now)
    return reservations.take_application(message, rows, now)


def confirm_application(
    message: ApplicationConfirmed, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    """Count an application whose applicant followed the link before the term's end."""
    if AUCTION in rows:
        return reservations.confirm(message.application_id, message.at, rows, now)
    if ENDED not in rows:
        waiting.wait(message, rows, now)
    return ()


def withdraw_application(
    message: ApplicationWithdrawn, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    """Take an application back before the term's end."""
    if AUCTION in rows:
        reservations.withdraw(message.application_id, rows)
    elif ENDED not in rows:
        waiting.wait(message, rows, now)
    return ()


def _refused_application(
    message: Applied, reason: ApplicationReason, rows: Rows
) -> ApplicationRefused:
    """A refusal of which nothing is kept."""
    return ApplicationRefused(
        application_id=message.application_id,
        auction_id=rows.key,
        applicant_id=message.applicant.id,
        quantity=message.quantity,
        reason=reason,
    )


# --- before the auction --------------------------------------------------------------------------


def drain_waiting(rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Apply what waited for an auction that has opened, in order and each as of its own arrival.

    A call ends at a takeover, whose applicants are told before anyone else applies.
    """
    messages: list[Message] = []
    waits = next_rows(rows, WAITING)
    for name, row in waits:
        del rows[name], rows[DUE("expire", name.partition("/")[2])]
        messages += _apply(waiting.read(row), rows, row.arrived_at, sellers)
        if next(rows.scan(CHUNKS, "announce"), None):
            return messages
    if len(waits) < ROWS_PER_CALL:
        del rows[CHUNKS("drain")]
    return messages


def _apply(
    message: waiting.Waiter, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message]:
    match message:
        case AuctionOpened():
            return open_auction(message, rows, now, sellers)
        case CounterOffered():
            return take_offer(message, rows, now, sellers)
        case AuctionWithdrawn():
            return withdraw_auction(message, rows, now, sellers)
        case Applied():
            return apply(message, rows, now, sellers)
        case ApplicationConfirmed():
            return confirm_application(message, rows, now, sellers)
        case ApplicationWithdrawn():
            return withdraw_application(message, rows, now, sellers)


def refuse_unknown(
    row_name: str, rows: Rows, now: datetime, sellers: Sellers
) -> Sequence[Message | GivenUp]:
    """Refuse an offer or application whose auction has not opened within the hour.

    Withdrawals and confirmations become dead letters.
    """
    number = row_name.rpartition("/")[2]
    row = rows[WAITING(number)]
    message = waiting.read(row)
    del rows[WAITING(number)]
    _forget_if_none(rows, now)
    if isinstance(message, CounterOffered):
        if OFFERS(message.offer_id) in rows:
            return (offers.verdict_of(message.offer_id, rows),)
        judged = Judged(
            seller_id=message.seller_id, verdict="refused", reason=OfferReason.UNKNOWN_AUCTION
        )
        return offers.keep(message, judged, rows, sellers, now)
    if isinstance(message, Applied):
        reservations.forget_early(message.application_id, rows)
        application = Application(
            state="refused",
            applicant_id=message.applicant.id,
            quantity=message.quantity,
            applied_at=message.applied_at,
            reason=ApplicationReason.UNKNOWN_AUCTION,
        )
        rows[reservations.application_name(message.application_id)] = application
        return (reservations.refused(message.application_id, application, rows),)
    return (waiting.give_up(message, row, rows),)


def _forget_if_none(rows: Rows, now: datetime) -> None:
    """If the auction never opens, its refusals go one day all the same."""
    if AUCTION not in rows and ENDED not in rows and DUE("shrink") not in rows:
        rows[DUE("shrink")] = Due(now + ROWS_KEPT)


# --- the term's end ------------------------------------------------------------------------------


def close(row_name: str, rows: Rows, now: datetime, sellers: Sellers) -> Sequence[Message]:
    """Conclude or fail; offers that still wait for their sellers are judged first, for good."""
    messages: list[Message] = []
    for number in waiting.numbers_asked(rows):
        del rows[DUE("look", number)]
        messages += _look(number, rows, now, sellers, is_last_look=True)
    return (*messages, *conclusion.conclude(rows, now, sellers))
