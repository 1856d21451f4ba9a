"""Which letters are about an auction, and which about a group purchase or a person."""

from typing import Final

#: Letters of these kinds are about an auction, all others about a group purchase or a person.
_OF_AUCTIONS: Final[frozenset[str]] = frozenset(
    {
        "confirm-application",
        "application-refused",
        "right-intercepted",
        "contract-concluded",
        "contract-failed",
        "condition-improved",
        "invitation",
        "offer-judged",
    }
)


def is_about_auction(kind: str) -> bool:
    """Whether letters of this kind are about an auction."""
    return kind in _OF_AUCTIONS
