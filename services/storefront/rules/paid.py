"""Whether what a member ordered is paid, as far as facts tell. Pure."""

from collections.abc import Sequence

from domain.invoices import open_of
from schemas.groups import Terms
from schemas.parts import Member
from schemas.payments import Payment

_TAKES_MONEY = frozenset({"authorisation", "charge", "capture"})


def is_paid(
    terms: Terms, member: Member | None, quantity: int, payments: Sequence[Payment]
) -> bool | None:
    """Whether a member owes nothing; ``None`` if it is not known, or if the organizer pays.

    ``payments`` are the member's. At a shop or by card an order counts only once it is paid.
    """
    if terms.payment.scope == "group" or not quantity:
        return None
    own = member.payment if member is not None else None
    method = own.method if own is not None else terms.payment.method
    if method != "invoice":
        return not any(each.kind in _TAKES_MONEY and each.status == "failed" for each in payments)
    invoices = [each for each in payments if each.kind == "invoice"]
    if not invoices:
        return None
    return not any(open_of(each, payments) for each in invoices)
