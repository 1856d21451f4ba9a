"""In what standing a seller is: from what admins did, in whatever order that was told."""

from collections.abc import Sequence
from datetime import datetime

from schemas.auctions import Seller, Standing

#: Acts of one instant count in this order.
ACTS_IN_ORDER = ("SellerApproved", "SellerSuspended", "SellerReinstated")

Acts = Sequence[tuple[datetime, str]]


def standings(registered_at: datetime, acts: Acts) -> list[tuple[datetime, Standing]]:
    """Every change of standing as (since, standing), the oldest first, ``pending`` to begin with.

    What was done before the registration counts from the registration on.
    """
    history: list[tuple[datetime, Standing]] = [(registered_at, "pending")]
    is_approved = is_suspended = False
    for at, act in sorted(acts, key=lambda each: (each[0], ACTS_IN_ORDER.index(each[1]))):
        is_approved = is_approved or act == "SellerApproved"
        is_suspended = act == "SellerSuspended" or (is_suspended and act != "SellerReinstated")
        standing: Standing = "suspended" if is_suspended else "good" if is_approved else "pending"
        since = max(at, registered_at)
        if since == history[-1][0]:
            history.pop()
        if not history or history[-1][1] != standing:
            history.append((since, standing))
    return history


def standing_at(seller: Seller | None, at: datetime) -> Standing | None:
    """The standing of a seller at a time; None before the registration, or without one."""
    found: Standing | None = None
    for each in seller.standings if seller else ():
        if each.since <= at:
            found = each.standing
    return found
