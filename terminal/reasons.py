"""What reasons mean, for people. Pure."""

from collections.abc import Mapping

#: By codes of auction_service, and those of order_service that need an explanation.
MEANINGS: Mapping[str, str] = {
    # shown
    "opened": "it opened the auction",
    "better": "it took over the page",
    # not better
    "higher-minimum": "it asks for more reservations than the condition shown",
    "price-not-lower": "its price is not below the one shown",
    "step-too-small": "its price is below the one shown by less than the auction's smallest step",
    # refused offers
    "auction-exists": "an auction of this id was opened by another offer: choose another id",
    "auction-withdrawn": "the auction was taken back",
    "after-term": "the auction's term has ended",
    "impossible-terms": "its terms are impossible",
    "other-product": "it is for another product than the auction",
    "other-currency": "it is in another currency than the auction",
    "unknown-seller": "no such seller was registered when it was made: register, then offer again",
    "pending-seller": "its seller was not approved when it was made: offer again once approved",
    "suspended-seller": "its seller was suspended when it was made",
    "has-applied": "its seller has applied in this auction: withdraw the application first",
    "unknown-auction": "no such auction opened within the hour",
    # refused applications
    "own-auction": "the applicant competes in this auction as a seller",
    "over-applicant-limit": "it is for more units than one applicant may reserve",
    "already-reserved": "the mailbox already has a reservation: take that back first",
    "beyond-limits": "more would be reserved than an auction can hold",
    # refused orders and returns
    "not-this-shop": "orders of this shop do not count in this group purchase",
    # withdrawals that change nothing
    "not-the-opener": "only the seller who opened the auction can take it back",
    "has-better-offer": "a better offer took over the page",
    "has-applications": "buyers have applied",
}


def meaning(reason: str) -> str:
    """A reason in words; a code of a later version stays as it is."""
    return MEANINGS.get(reason, reason)
