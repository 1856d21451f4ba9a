"""Figures of the business and of payments, as metrics: counted in the read model now and then.

Each projector counts what the partitions of all projectors have written, so dashboards take the
greatest. Money is in units of its currency, such as euros: a dashboard cannot know decimals.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, get_args

from prometheus_client import Gauge
from sqlalchemy import Float, Select, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.money import decimals
from schemas.auctions import AuctionStatus
from schemas.parts import Status
from services.storefront.readmodel.tables import (
    AUCTIONS,
    GROUPS,
    IS_HELD,
    IS_OWED,
    IS_PENDING,
    NEARLY_AUCTION,
    NEARLY_GROUP,
    PAYMENTS,
    TAKEOVERS,
)
from services.storefront.rules.columns import milliseconds

_GROUPS: Final = Gauge("jointbuy_groups", "Group purchases by status.", ["status"])
_GROUPS_NEAR: Final = Gauge(
    "jointbuy_groups_near", "Open group purchases that have four fifths of their number."
)
_ORDERED: Final = Gauge(
    "jointbuy_groups_ordered_money",
    "What the orders of group purchases are worth, in units of the currency, by the status of the"
    " group purchase.",
    ["status", "currency"],
)
_AUCTIONS: Final = Gauge("jointbuy_auctions", "Auctions by status.", ["status"])
_AUCTIONS_NEAR: Final = Gauge(
    "jointbuy_auctions_near", "Open auctions that have four fifths of their minimum."
)
_SAVED: Final = Gauge(
    "jointbuy_auctions_saved_money",
    "What concluded auctions saved against their opening conditions, in units of the currency.",
    ["currency"],
)
_HELD: Final = Gauge(
    "jointbuy_held_money",
    "What cards hold until it is taken or let go, in units of the currency.",
    ["currency"],
)
_OWED: Final = Gauge(
    "jointbuy_owed_money",
    "What is claimed and not paid, in units of the currency: by payers, or to them.",
    ["currency", "side"],
)
_PENDING: Final = Gauge(
    "jointbuy_payments_pending",
    "Payments whose outcome is not known, by what moves the money and what it is.",
    ["method", "kind"],
)
_PENDING_OLDEST: Final = Gauge(
    "jointbuy_payments_pending_oldest_seconds",
    "For how long nothing was said of one of these.",
    ["method", "kind"],
)


def _sum(column: Any, times: Any = 1) -> Any:
    """A sum that no number of rows takes beyond what the databases hold."""
    return func.sum(cast(column, Float) * times)


_g, _a, _p, _t = GROUPS.c, AUCTIONS.c, PAYMENTS.c, TAKEOVERS.c
_OF_GROUPS: Final = (
    select(_g.status, _g.currency, func.count().label("number"), _sum(_g.value).label("worth"))
    .where(_g.terms_version > 0)
    .group_by(_g.status, _g.currency)
)
_NEAR_GROUPS: Final = select(func.count()).where(
    _g.status == "open", _g.terms_version > 0, NEARLY_GROUP
)
_OF_AUCTIONS: Final = select(_a.status, func.count().label("number")).group_by(_a.status)
_NEAR_AUCTIONS: Final = select(func.count()).where(_a.status == "open", NEARLY_AUCTION)
_SAVINGS: Final = (
    select(_a.currency, _sum(_t.unit_saved, _a.reservations))
    .join_from(TAKEOVERS, AUCTIONS, _a.auction_id == _t.auction_id)
    .where(_a.status == "concluded")
    .group_by(_a.currency)
)
_HOLDS: Final = select(_p.currency, _sum(_p.held)).where(IS_HELD).group_by(_p.currency)
_of_payer = (
    select(_p.currency, _sum(_p.owed).label("owed"))
    .where(IS_OWED)
    .group_by(_p.currency, _p.group_id, _p.payer)
    .subquery()
)
_owed = _of_payer.c.owed
_OWES: Final = select(
    _of_payer.c.currency,
    func.sum(case((_owed > 0, _owed), else_=0.0)),
    func.sum(case((_owed < 0, -_owed), else_=0.0)),
).group_by(_of_payer.c.currency)
_WAITS: Final = (
    select(_p.method, _p.kind, func.count().label("number"), func.min(_p.told_at).label("since"))
    .where(IS_PENDING)
    .group_by(_p.method, _p.kind)
)


async def show(engine: AsyncEngine, now: datetime) -> None:
    """Count, and set the metrics. Raises what the database raises."""
    async with engine.connect() as connection:

        async def ask(statement: Select[Any]) -> Sequence[Any]:
            found: Sequence[Any] = (await connection.execute(statement)).all()
            return found

        groups, auctions = await ask(_OF_GROUPS), await ask(_OF_AUCTIONS)
        ((near_groups,),), ((near_auctions,),) = await ask(_NEAR_GROUPS), await ask(_NEAR_AUCTIONS)
        saved, held, owed = await ask(_SAVINGS), await ask(_HOLDS), await ask(_OWES)
        waits = await ask(_WAITS)
    # From here on nothing waits, so no reader of the metrics sees a part of them.
    for gauge in (_ORDERED, _SAVED, _HELD, _OWED, _PENDING, _PENDING_OLDEST):
        gauge.clear()
    for status in get_args(Status):
        _GROUPS.labels(status).set(sum(row.number for row in groups if row.status == status))
    for row in groups:
        if row.currency is not None:
            _ORDERED.labels(row.status, row.currency).set(_in_units(row.worth, row.currency))
    _GROUPS_NEAR.set(near_groups)
    of_auctions = {row.status: row.number for row in auctions}
    for status in get_args(AuctionStatus):
        _AUCTIONS.labels(status).set(of_auctions.get(status, 0))
    _AUCTIONS_NEAR.set(near_auctions)
    for gauge, rows in ((_SAVED, saved), (_HELD, held)):
        for currency, amount in rows:
            gauge.labels(currency).set(_in_units(amount, currency))
    for currency, by_payers, to_payers in owed:
        _OWED.labels(currency, "by-payers").set(_in_units(by_payers, currency))
        _OWED.labels(currency, "to-payers").set(_in_units(to_payers, currency))
    for row in waits:
        _PENDING.labels(row.method, row.kind).set(row.number)
        seconds = (milliseconds(now) - row.since) / 1000
        _PENDING_OLDEST.labels(row.method, row.kind).set(max(seconds, 0.0))


def _in_units(amount: float, currency: str) -> float:
    """Minor units in units of the currency."""
    return float(amount) / 10.0 ** decimals(currency)
