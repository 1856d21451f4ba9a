"""The terms a group purchase runs under: the request's own, its definition's, then the defaults."""

from datetime import datetime, timedelta
from typing import Any

from domain.ids import derive
from domain.sources import sources_of_shop
from schemas.groups import Definition, GroupPurchase, GroupPurchaseRequested
from schemas.parts import FavorTerms, PaymentTerms, is_possible

PERIOD_DEFAULT = timedelta(days=14)
GRACE_SECONDS_DEFAULT = 60


def filled(
    request: GroupPurchaseRequested, definition: Definition | None
) -> GroupPurchaseRequested:
    """The request with its definition's terms, then the defaults, where it has none of its own."""
    terms: dict[str, Any] = {}
    payment: dict[str, Any] = {}
    if definition:
        terms = {
            "product": definition.product,
            "unit_price": definition.unit_price,
            "currency": definition.currency,
            "favor": definition.favor,
            "if_incomplete": definition.if_incomplete,
        }
        choice = definition.payment
        payment = {"scope": choice.scope, "method": choice.methods[0]}
        if request.currency not in (None, definition.currency):
            del terms["unit_price"], terms["favor"]
    if request.payment:
        payment |= request.payment.model_dump(exclude_unset=True)
    terms = {field: value for field, value in terms.items() if getattr(request, field) is None}
    terms["payment"] = PaymentTerms(**payment)
    terms["sources"] = _sources(request, definition)
    terms["shop_id"] = definition.shop_id if definition else request.shop_id
    terms["opens_at"] = request.opens_at or request.requested_at
    terms["closes_at"] = request.closes_at or _default_close(
        request.requested_at, terms["opens_at"], definition
    )
    return request.model_copy(update=terms)


def draft(asked: GroupPurchaseRequested, now: datetime) -> GroupPurchase:
    """The terms of a filled request without problems."""
    same = (
        *("request_id", "requested_at", "definition_id", "product"),
        *("number_of_products", "unit_price", "currency", "opens_at", "closes_at"),
        *("stop_at_number", "member_parts", "payment", "visibility", "sources"),
        *("shop_id", "seller_id"),
    )
    grace = asked.grace_seconds
    return GroupPurchase(
        group_id=derive(asked.request_id),
        version=1,
        issued_at=now,
        organizer=asked.organizer and asked.organizer.party_of(asked.request_id),
        members=tuple(each.member_of(asked.request_id) for each in asked.members),
        grace_seconds=GRACE_SECONDS_DEFAULT if grace is None else grace,
        favor=asked.favor or FavorTerms(),
        if_incomplete=asked.if_incomplete or "as-reached",
        **{field: getattr(asked, field) for field in same},
    )


def _sources(request: GroupPurchaseRequested, definition: Definition | None) -> tuple[str, ...]:
    """The sources whose orders count: the named ones, each once, else the definition's shop's."""
    if request.sources or definition is None:
        return tuple(dict.fromkeys(request.sources))
    return sources_of_shop(definition.shop_id)


def days(number: int) -> timedelta:
    """So many days, kept within what a span can hold: limits are any whole number."""
    return timedelta(days=max(0, min(number, 1_000_000)))


def _default_close(
    requested_at: datetime, opens_at: datetime, definition: Definition | None
) -> datetime | None:
    """14 days from the request, or as long as the definition allows; None for impossible times."""
    if not (is_possible(requested_at) and is_possible(opens_at)):
        return None
    closes_at = requested_at + PERIOD_DEFAULT
    days_max = definition.limits.period_days_max if definition else None
    if days_max is None:
        return closes_at
    return opens_at + min(closes_at - opens_at, days(days_max))
