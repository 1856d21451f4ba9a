"""What a reader makes of recorded shop data: stretches of requests and of orders under them."""

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from domain.orders import deadline
from schemas.groups import GroupPurchaseRequested
from schemas.orders import OrderPaid, OrderReturned
from schemas.parts import Message


class SourceError(ValueError):
    """Recorded data can't be read; the text is one line that names the file and says what to do."""


class Timed(NamedTuple):
    """A message and the time of its event, which becomes its record's timestamp."""

    at: datetime
    message: Message


@dataclass
class Stretch:
    """Requests, and all orders under their ids, of ``starts_at`` ≤ time < ``ends_at``.

    Both lists are in time order. An order's ``group_id`` holds the ``request_id`` until the feed
    learns the id from the request's outcome. Stretches of a source follow each other in time.
    ``lines`` is how many lines of the files it comes from, ``skipped`` how many of them gave
    nothing, by reason.
    """

    starts_at: datetime
    ends_at: datetime
    requests: list[Timed] = field(default_factory=list)
    orders: list[Timed] = field(default_factory=list)
    lines: int = 0
    skipped: Counter[str] = field(default_factory=Counter)


def under_id(order: Message, ids: dict[str, str]) -> Message:
    """The order under its group's id; ``ids`` maps request ids to group ids."""
    assert isinstance(order, OrderPaid | OrderReturned)
    return order.model_copy(update={"group_id": ids[order.group_id]})


def request_of(timed: Timed) -> GroupPurchaseRequested:
    """The request of an entry of ``Stretch.requests``."""
    assert isinstance(timed.message, GroupPurchaseRequested)
    return timed.message


def deadline_of(request: GroupPurchaseRequested) -> datetime:
    """When the group of a reader's request is decided: its close and its grace."""
    assert request.closes_at is not None
    return deadline(request.closes_at, request.grace_seconds or 0)


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a text file, gzipped if its name ends so.

    Raises ``SourceError`` if it can't be read. Bytes that are not UTF-8 are replaced: they can
    only stand in descriptions.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as lines:
            yield from lines
    except FileNotFoundError:
        raise SourceError(f"{path} is not there: give the path of a recorded file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path} can't be read, get it anew: {error}") from None


def count_lines(path: Path, limit: int | None = None) -> int:
    """How many lines the file has, or ``limit`` if it has more; for a progress bar."""
    return sum(1 for _ in islice(lines_of(path), limit))
