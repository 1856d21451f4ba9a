"""BeiBei group buying (MIT): real group shapes without times; each line is a listed group.

DESIGN.md section 10 says what becomes of a line. A failed line's group lists one who never buys,
so that it can't complete.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice, zip_longest
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from replay.stretch import SourceError, Stretch, Timed, lines_of
from schemas.groups import GroupPurchaseRequested
from schemas.orders import OrderPaid
from schemas.parts import Contact, FavorTerms, ListedMember, PaymentTerms, Product, Tier

SOURCE = "beibei"
CURRENCY = "CNY"
UNIT_PRICE_FEN = 1_000
STARTS_AT = datetime(2020, 1, 1, tzinfo=UTC)
PERIOD = timedelta(days=1)
#: Seconds too, as a line takes one. Within the hour that an order waits for its group: the terms of
#: a stretch come over several partitions, the last line's perhaps before the first one's, and take
#: the clock of an order_service that lags behind with them.
LINES_IN_STRETCH = 3_000
FAVOR = FavorTerms(scope="member", tiers=(Tier(from_quantity=1, percent_off=10),))

#: Initiator, item, participants.
Columns = Sequence[str]


class Group(NamedTuple):
    """What a line says: who are listed, and which of them buy."""

    request_id: str
    line: int
    item: str
    members: Sequence[str]
    buyers: Sequence[str]


def stretches(
    successful: Path,
    failed: Path,
    *,
    limit: int | None = None,
    grace_seconds: int = 0,
    lines_in_stretch: int = LINES_IN_STRETCH,
) -> Iterator[Stretch]:
    """The first ``limit`` lines of both files; line n of each happens at second n.

    At equal seconds the successful line goes first. ``grace_seconds`` goes into the requests.
    Raises ``SourceError``.
    """
    both = zip_longest(_columns(successful, limit), _columns(failed, limit))
    numbered = enumerate(both, start=1)
    while chunk := list(islice(numbered, lines_in_stretch)):
        stretch = Stretch(starts_at=time_of(chunk[0][0]), ends_at=time_of(chunk[-1][0] + 1))
        for line, (won, lost) in chunk:
            for group in _groups(line, won, lost):
                _add(stretch, group, grace_seconds)
        yield stretch


def time_of(line: int) -> datetime:
    """When line ``line``, counted from 1, happens."""
    return STARTS_AT + timedelta(seconds=line)


def _columns(file: Path, limit: int | None) -> Iterator[Columns]:
    for line, text in enumerate(islice(lines_of(file), limit), start=1):
        columns = [column for column in text.rstrip("\r\n").split("\t") if column]
        if len(columns) < 2:
            raise SourceError(
                f"{file} line {line} has not the columns initiator, item, participants:"
                " give a BeiBei file with these, between tabs and without a header"
            )
        yield columns


def _groups(line: int, won: Columns | None, lost: Columns | None) -> Iterator[Group]:
    if won is not None:
        users = list(dict.fromkeys([won[0], *won[2:]]))
        yield Group(f"bb-s-{line}", line, won[1], users, users)
    if lost is not None:
        yield Group(f"bb-f-{line}", line, lost[1], [lost[0], f"nobody-{line}"], [lost[0]])


def _add(stretch: Stretch, group: Group, grace_seconds: int) -> None:
    at = time_of(group.line)
    stretch.lines += 1
    try:
        stretch.requests.append(Timed(at, _request(group, at, grace_seconds)))
        for n, buyer in enumerate(group.buyers, start=1):
            stretch.orders.append(Timed(at, _order(group.request_id, n, at, buyer)))
    except ValidationError as error:
        problem = error.errors()[0]
        raise SourceError(
            f"line {group.line} gives no {group.request_id}, leave it out:"
            f" {problem['loc']}: {problem['msg']}"
        ) from None


def _request(group: Group, at: datetime, grace_seconds: int) -> GroupPurchaseRequested:
    return GroupPurchaseRequested(
        request_id=group.request_id,
        requested_at=at,
        organizer=Contact(id=group.members[0]),
        product=Product(id=group.item, name=f"item {group.item}"),
        number_of_products=len(group.members),
        unit_price=UNIT_PRICE_FEN,
        currency=CURRENCY,
        opens_at=at,
        closes_at=at + PERIOD,
        grace_seconds=grace_seconds,
        members=tuple(ListedMember(id=member) for member in group.members),
        payment=PaymentTerms(scope="member", method="shop"),
        favor=FAVOR,
        if_incomplete="none",
    )


def _order(request_id: str, n: int, at: datetime, member: str) -> OrderPaid:
    return OrderPaid(
        order_id=f"{request_id}-{n}",
        source=SOURCE,
        group_id=request_id,
        member_id=member,
        quantity=1,
        unit_price=UNIT_PRICE_FEN,
        currency=CURRENCY,
        ordered_at=at,
    )
