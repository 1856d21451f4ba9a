"""What becomes of messages whose auction is not open yet, and of offers whose seller is not."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import get_args

from runtime.rows import DUE, Due, GivenUp, Rows, Waiting, keep_waiting
from schemas.auctions import (
    ApplicationConfirmed,
    ApplicationWithdrawn,
    Applied,
    AuctionOpened,
    AuctionWithdrawn,
    CounterOffered,
)
from schemas.reasons import RecordReason
from services.auction_service.rows import ASKED, ASKING, Mark

UNKNOWN_AUCTION_WAIT = timedelta(hours=1)
SELLER_WAIT = timedelta(seconds=60)
SELLER_RECHECK = timedelta(seconds=5)

Waiter = (
    AuctionOpened
    | CounterOffered
    | AuctionWithdrawn
    | Applied
    | ApplicationConfirmed
    | ApplicationWithdrawn
)
WAITERS: dict[str, type[Waiter]] = {each.__name__: each for each in get_args(Waiter)}


def wait(message: Waiter, rows: Rows, now: datetime) -> None:
    """Keep a message an hour for its auction."""
    until = now + UNKNOWN_AUCTION_WAIT
    number = keep_waiting(message, rows, now, until)
    rows[DUE("expire", number)] = Due(until)


def ask(message: AuctionOpened | CounterOffered, rows: Rows, now: datetime) -> None:
    """Keep an offer a minute for the facts of its seller, which may still be on their way."""
    number = keep_waiting(message, rows, now, now + SELLER_WAIT, ASKING)
    rows[ASKED(message.offer_id)] = Mark()
    rows[DUE("look", number)] = Due(now + SELLER_RECHECK)


def is_asking(offer_id: str, rows: Rows) -> bool:
    """Whether an offer of this id waits for its seller: the first of an id stands."""
    return ASKED(offer_id) in rows


def look_again(number: str, since: datetime, rows: Rows, now: datetime) -> None:
    """Leave an offer to the next look."""
    rows[DUE("look", number)] = Due(min(now + SELLER_RECHECK, since + SELLER_WAIT))


def read(waiting: Waiting) -> Waiter:
    """The message that waits."""
    return WAITERS[waiting.type].model_validate_json(waiting.message)


def numbers_asked(rows: Rows) -> Iterator[str]:
    """The numbers of the offers that wait for their sellers, in order of arrival."""
    for name, _ in list(rows.scan(ASKING)):
        yield ASKING.part(name)


def give_up(message: Waiter, waiting: Waiting, rows: Rows) -> GivenUp:
    """Give up a withdrawal or confirmation whose auction did not open: no fact answers it."""
    problem = f"no auction with the id {rows.key} opened within an hour"
    return GivenUp(
        message=message, waiting=waiting, problem=problem, reason=RecordReason.UNKNOWN_AUCTION
    )
