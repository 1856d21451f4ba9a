"""The mark by which an entry counts once, though several bank statements contain it. Pure.

Banks need not give an entry a reference, and two transfers may have the same texts. A statement
contains whole days, so each statement of a day has the same number of equal entries. The mark is
a digest of the texts and a number: the second of two equal entries has number 2. Pages that split
a day, and entries without a date, need more: their marks also name the statement and the page.
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
    """``kind`` is the digest that equal entries share, ``number`` counts them from 1.

    ``page`` and ``origin`` (the digest of the statement) are set only where they are needed.
    """

    kind: str
    number: int
    page: int = 0
    origin: str = ""

    def __str__(self) -> str:
        place = f".p{self.page}.{self.origin}" if self.origin else ""
        return f"{self.kind}.{self.number}{place}"


def kind_of(*said: str) -> str:
    """The digest that entries with these same texts share."""
    return _digest(said)[:16]


def origin_of(*said: str) -> str:
    """The digest that all pages of one statement share."""
    return _digest(said)[:6]


def mark_in(reference: str | None) -> Mark | None:
    """The mark at the end of a receipt's reference; None in one that came from elsewhere."""
    found = _MARK.search(reference or "")
    if found is None:
        return None
    return Mark(found["kind"], int(found["number"]), int(found["page"] or 0), found["origin"] or "")


def standings(alike: Sequence[Mark], before: Collection[Mark]) -> list[Standing]:
    """Which of the equal entries of one page were counted before.

    ``before`` has the marks of this kind that were counted. An entry of another page of the same
    statement is another entry. An entry of a whole statement may be the same as an entry of a page.
    For pages of different statements, and for entries without a date, this stays unclear.
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
