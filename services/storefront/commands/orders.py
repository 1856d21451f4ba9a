"""Commands of orders under a group's id: placed, paid, cancelled, returned."""

from dataclasses import dataclass
from typing import Any, Literal

from schemas.messages import (
    GroupPurchase,
    Message,
    OrderCancelled,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    OrderReturned,
    Problem,
)
from schemas.topics import ORDERS, PURCHASES
from services.storefront.access.callers import Actor
from services.storefront.commands.acting import RESERVED, Acting, demand, now, recipient_of
from services.storefront.commands.given import (
    CancellationGiven,
    OrderGiven,
    PersonGiven,
    ReturnGiven,
)
from services.storefront.problems import Impossible, NotAllowed

SOURCE_HERE = "storefront"


@dataclass(frozen=True, slots=True)
class Ordered:
    """What became of an order: ``counted``, or ``recorded`` when it waits or takes longer."""

    order_id: str
    source: str
    member_id: str
    state: Literal["counted", "recorded"]


class OrderCommands(Acting):
    """Raise a ``Refusal`` for what can't be done, ``TransportError`` when the log is away."""

    async def place_order(
        self, actor: Actor, group_id: str, given: OrderGiven, seed: str | None = None
    ) -> Ordered:
        """Order under a group's id: a shop's order, placed or paid, or a member's by a link."""
        demand(actor, "member", "shop", "seller", "admin")
        group = await self._group(group_id)
        message: OrderPlaced | OrderPaid
        if actor.kind == "member":
            message = await self._order_by_link(actor, group, given, seed)
        else:
            message = await self._order_of_shop(actor, group, given)
        refused = f"{group_id}/refused/{message.source}/{message.order_id}"
        row = f"{group_id}/member/{message.member_id}"
        answer = await self._reader.fact(PURCHASES.name, refused)
        if answer is None:
            # A placed order that waits for its money is recorded without a word.
            if message.type == "OrderPlaced" and group.payment.scope == "member":
                _raise_hopeless(message, group)
                await self._sender.send(ORDERS, message)
            else:
                answers = [(PURCHASES, refused), (PURCHASES, row)]
                answer = await self._ask(ORDERS, message, answers=answers)
        _raise_refused(answer)
        state: Literal["counted", "recorded"] = "counted" if answer else "recorded"
        return Ordered(message.order_id, message.source, message.member_id, state)

    async def _order_by_link(
        self, actor: Actor, group: GroupPurchase, given: OrderGiven, seed: str | None
    ) -> OrderPlaced:
        if actor.about != group.group_id:
            raise NotAllowed("the link is of another group purchase")
        names = ("order_id", "source", "unit_price", "value", "currency", "ordered_at")
        problems = [
            Problem(field=name, problem="is for a shop's key: leave it out")
            for name in names
            if getattr(given, name) is not None
        ]
        if given.state == "paid":
            problem = "only the shop can say that: leave it out"
            problems.append(Problem(field="state", problem=problem))
        if given.member and given.member.id is not None:
            problem = "leave it out: the address makes one"
            problems.append(Problem(field="member.id", problem=problem))
        email = given.member.email if given.member else None
        member_id = actor.id or (self.person_id(email) if email else "")
        if not member_id:
            problem = "is missing: give your address"
            problems.append(Problem(field="member.email", problem=problem))
        at = now()
        if group.withdrawn_at or at >= group.closes_at:
            problems.append(Problem(field="group_id", problem="is not open for orders any more"))
        if _is_paid_at_shop(group, member_id):
            problem = "is paid at the shop: order there, and name the group's id"
            problems.append(Problem(field="group_id", problem=problem))
        if problems:
            raise Impossible("the order can't be taken", problems)
        # With a link of the own, letters go to the address that the organizer gave.
        await self._count_letters(actor, [email or recipient_of(group.group_id, member_id)])
        return OrderPlaced(
            order_id=self._id("w", actor, seed),
            source=SOURCE_HERE,
            group_id=group.group_id,
            member_id=member_id,
            quantity=given.quantity,
            ordered_at=at,
            **_letters_to(given.member),
        )

    async def _order_of_shop(
        self, actor: Actor, group: GroupPurchase, given: OrderGiven
    ) -> OrderPlaced | OrderPaid:
        await self._need_running(actor, group, "shop", "seller", "admin")
        member_id = (given.member.id if given.member else None) or ""
        problems = [
            Problem(field=field, problem="is missing: give the shop's own")
            for field, value in (("order_id", given.order_id), ("member.id", member_id))
            if not value
        ]
        if problems:
            raise Impossible("the order can't be told from others", problems)
        # Of a seller: a shop's letters are the shop's to answer for.
        await self._count_letters(actor, [given.member.email if given.member else None])
        fields = given.model_dump(exclude_none=True, exclude={"state", "member", "source"})
        kind = OrderPaid if given.state == "paid" else OrderPlaced
        return kind(
            **{"ordered_at": now()} | fields,
            source=self._source(actor, given.source),
            group_id=group.group_id,
            member_id=member_id,
            **_letters_to(given.member),
        )

    async def cancel_order(self, actor: Actor, group_id: str, given: CancellationGiven) -> None:
        """Say that an order is void."""
        demand(actor, "shop", "seller", "admin")
        group = await self._group(group_id)
        await self._need_running(actor, group, "shop", "seller", "admin")
        message = OrderCancelled(
            order_id=given.order_id,
            source=self._source(actor, given.source),
            group_id=group_id,
            cancelled_at=given.cancelled_at or now(),
        )
        await self._sender.send(ORDERS, message)

    async def return_order(self, actor: Actor, group_id: str, given: ReturnGiven) -> Ordered:
        """Say that goods came back."""
        demand(actor, "shop", "seller", "admin")
        group = await self._group(group_id)
        await self._need_running(actor, group, "shop", "seller", "admin")
        source = self._source(actor, given.source)
        fields = {"returned_at": now()} | given.model_dump(exclude_none=True, exclude={"source"})
        message = OrderReturned(**fields, source=source, group_id=group_id)
        refused = f"{group_id}/refused/{source}/{given.return_id}"
        row = f"{group_id}/member/{given.member_id}"
        answers = [(PURCHASES, refused), (PURCHASES, row)]
        answer = await self._ask(ORDERS, message, answers=answers)
        _raise_refused(answer)
        return Ordered(
            given.return_id, source, given.member_id, "counted" if answer else "recorded"
        )

    def _source(self, actor: Actor, named: str | None) -> str:
        if actor.kind == "admin":
            return named or "admin"
        if named not in (None, actor.id):
            raise NotAllowed("source is not the key's: leave it out")
        if actor.id in RESERVED:
            raise NotAllowed(f"{actor.id} is not a shop's id")
        return actor.id


def _is_paid_at_shop(group: GroupPurchase, member_id: str) -> bool:
    """Whether only the shop's word lets this member's order count; unknown where it can't be seen.

    The members of a large group are not in its terms, and each may have a method of the own.
    """
    if group.payment.scope == "group" or group.payment.method != "shop" or group.member_parts:
        return False
    own = next((each.payment for each in group.members if each.id == member_id), None)
    return own is None or own.method == "shop"


def _raise_hopeless(message: OrderPlaced, group: GroupPurchase) -> None:
    """Name at once what the order's own rules will refuse, where nobody waits for their answer."""
    problems = []
    if not group.opens_at <= message.ordered_at < group.closes_at:
        problem = f"is not from {group.opens_at.isoformat()} to {group.closes_at.isoformat()}"
        problems.append(Problem(field="ordered_at", problem=problem))
    if message.currency and group.currency and message.currency != group.currency:
        problem = f"is not the group's {group.currency}"
        problems.append(Problem(field="currency", problem=problem))
    if group.members and message.member_id not in {member.id for member in group.members}:
        problems.append(Problem(field="member", problem="is not among the group's members"))
    if problems:
        raise Impossible("the order can't count", problems)


def _raise_refused(answer: Message | None) -> None:
    if isinstance(answer, OrderRefused):
        problem = Problem(field="order_id", problem=f"{answer.reason} ({answer.quantity} units)")
        raise Impossible("the order does not count", [problem])


def _letters_to(member: PersonGiven | None) -> dict[str, Any]:
    """How an order says where its letters go, and in what language and zone they are written."""
    if member is None:
        return {}
    return {
        "member_email": member.email,
        "member_locale": member.locale,
        "member_time_zone": member.time_zone,
    }
