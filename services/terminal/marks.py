"""The mark by which money of a bank statement counts once, whichever statement tells of it. Pure.

Banks need not name an entry, and two transfers may be alike in all that is said of them. Days are
whole in statements, so as many as are alike on a day are so many in each statement of that day; the
mark is what they have in common, and the how manieth of them one is. Two things need more: a
statement that comes in pages of one day each, and entries without a date. Their marks also say
which statement and page it was.
"""

import re
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Literal, NamedTuple

Standing = Literal["new", "known", "unclear"]
_MARK = re.compile(
    r"(?P<kind>[0-9a-f]{16})\.(?P<number>[0-9]{1,6})"
    r"(?:\.p(?P<page>[0-9]{1,6})\.(?P<origin>[0-9a-f]{6}))?$",
    re.ASCII,
)


class Mark(NamedTuple):
    """``kind`` is what alike entries have in common, ``number`` counts them from 1.

    ``page`` and ``origin``, its statement, are said only where these are needed.
    """

    kind: str
    number: int
    page: int = 0
    origin: str = ""

    def __str__(self) -> str:
        place = f".p{self.page}.{self.origin}" if self.origin else ""
        return f"{self.kind}.{self.number}{place}"


def kind_of(*said: str) -> str:
    """What entries have in common of which the same is said."""
    return _digest(said)[:16]


def origin_of(*said: str) -> str:
    """What the pages of a statement have in common."""
    return _digest(said)[:6]


def mark_in(reference: str | None) -> Mark | None:
    """The mark at the end of a receipt's reference; None in one that came from elsewhere."""
    found = _MARK.search(reference or "")
    if found is None:
        return None
    return Mark(found["kind"], int(found["number"]), int(found["page"] or 0), found["origin"] or "")


def standings(alike: Sequence[Mark], before: Collection[Mark]) -> list[Standing]:
    """Which of one page's entries that are alike were counted before.

    ``before`` are the marks of their kind that were. An entry of another page of the same statement
    is another entry. An entry of a whole statement may be the same one as that of a page; between
    pages of different statements, or entries without a date, nobody can tell.
    """
    others = [each for each in before if each not in alike]
    origin = alike[0].origin
    if origin:
        same = sum(not each.origin for each in others)
        unclear = sum(each.origin not in ("", origin) for each in others)
    else:
        same, unclear = sum(bool(each.origin) for each in others), 0
    found: list[Standing] = []
    for mark in alike:
        if mark in before:
            found.append("known")
        elif same:
            same -= 1
            found.append("known")
        else:
            found.append("unclear" if unclear else "new")
    return found


def _digest(said: Sequence[str]) -> str:
    return sha256("\n".join(said).encode(errors="replace")).hexdigest()
