"""Commands of orders under a group's id: placed, paid, cancelled, returned."""

from dataclasses import dataclass
from datetime import datetime

from domain.money import worth
from domain.orders import units_by_link_max
from domain.sources import ADMIN, STOREFRONT, is_reserved, may_feed
from schemas.api.orders import CancellationGiven, OrderedState, OrderGiven, ReturnGiven
from schemas.api.parts import PersonGiven
from schemas.groups import GroupPurchase
from schemas.orders import (
    ORDERS,
    PURCHASES,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    OrderReturned,
    PurchaseRow,
    PurchaseState,
)
from schemas.parts import SUM_MAX, Message
from schemas.reasons import OrderRefusal
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.access.names import name_shown_to
from services.storefront.commands.authority import Authority, demand
from services.storefront.commands.ids import Ids
from services.storefront.commands.letter_counts import LetterCounts, name_in_letters, recipient_of
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.problems import Impossible, NotAllowed, Overtaken
from services.storefront.readmodel.details import known_group
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.reservations import Reservations
from services.storefront.settings import PageSettings
from texts.reasons import problem


@dataclass(frozen=True, slots=True)
class Ordered:
    """The outcome of an order: ``counted``, or ``recorded`` when it waits or takes longer.

    ``unconfirmed``: a letter asks the purchaser to confirm the order, which does not count before.
    """

    order_id: str
    source: str
    member_id: str
    state: OrderedState


@dataclass(frozen=True, slots=True)
class Confirmable:
    """The order that a letter's link confirms; it is void from ``until`` on."""

    group_id: str
    member_id: str
    source: str
    order_id: str
    quantity: int
    until: datetime

    @property
    def key(self) -> str:
        """What our pages keep its confirmation under."""
        return f"{self.group_id}/{self.source}/{self.order_id}"

    @property
    def refused_key(self) -> str:
        """Where the fact is that says that it can't count."""
        return f"{self.group_id}/refused/{self.source}/{self.order_id}"


class OrderCommands:
    """Orders and returns. Each raises a ``Refusal`` if it can't be done."""

    def __init__(
        self,
        settings: PageSettings,
        reader: Reader,
        outcomes: Outcomes,
        ids: Ids,
        letters: LetterCounts,
        authority: Authority,
        reservations: Reservations,
    ) -> None:
        #: Whether orders by a link count only after the purchaser confirmed them.
        self.confirms_orders = settings.trust_orders == "no"
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids
        self._letters = letters
        self._authority = authority
        self._reservations = reservations

    async def place(
        self, actor: Actor, group_id: str, given: OrderGiven, seed: str | None = None
    ) -> Ordered:
        """Order under a group's id: a shop's order, placed or paid, or a member's by a link.

        A letter asks to confirm an order by a link, unless the deployment trusts its front end.
        """
        demand(actor, "member", "shop", "seller", "admin")
        group = await known_group(self._reader, group_id)
        message: OrderPlaced | OrderPaid
        before: tuple[Message, ...] = ()
        if actor.kind == "member":
            message = await self._order_by_link(actor, group, given, seed)
            if not self.confirms_orders:
                # The confirmation is sent before the order, so that no letter asks for it.
                before = (_confirmed(message),)
        else:
            message = await self._order_of_shop(actor, group, given)
        is_unconfirmed = actor.kind == "member" and not before
        _raise_beyond_limits(message, group)
        refused = f"{group_id}/refused/{message.source}/{message.order_id}"
        row = f"{group_id}/member/{message.member_id}"
        answer = await self._reader.fact(PURCHASES.name, refused)
        if answer is None:
            # No answer comes for a placed order that waits for its money or its confirmation.
            waits = message.type == "OrderPlaced" and (
                is_unconfirmed or group.payment.scope == "member"
            )
            if waits:
                _raise_hopeless(message, group)
            # A refused order causes no letter.
            recipient = await self._recipient(actor, message, group)
            await self._letters.count(actor, [recipient], refused)
            if waits:
                await self._outcomes.send(ORDERS, *before, message)
            else:
                answers = [(PURCHASES, refused), (PURCHASES, row)]
                answer = await self._outcomes.ask(ORDERS, *before, message, answers=answers)
        _raise_refused(answer)
        state: OrderedState = "counted" if answer else "recorded"
        if is_unconfirmed:
            state = "unconfirmed"
        return Ordered(message.order_id, message.source, message.member_id, state)

    def asks_address(self, actor: Actor, group: GroupPurchase) -> bool:
        """Whether an order by a link must give an address for its letters."""
        if actor.id and not self.confirms_orders:
            return False
        return _person_listed(group, actor.id) is None

    async def units_by_link_max(self, group: GroupPurchase) -> int:
        """The most units of an order by a link: those the group still takes, or its number."""
        state = await self._reader.fact(PURCHASES.name, group.group_id)
        ordered, stops = 0, group.stop_at_number
        if isinstance(state, PurchaseState):
            ordered, stops = state.quantity, stops and state.status == "open"
        return units_by_link_max(group.number_of_products, ordered, stops=stops)

    async def confirm(self, order: Confirmable) -> Ordered:
        """Confirm an order whose purchaser followed the letter's link; the caller checked the link.

        Raises ``Overtaken`` when it is too late, and ``Impossible`` when the order is refused.
        """
        group = await known_group(self._reader, order.group_id)
        refused = order.refused_key
        row = f"{order.group_id}/member/{order.member_id}"
        answer = await self._reader.fact(PURCHASES.name, refused)
        at = now()
        if at >= order.until or (
            isinstance(answer, OrderRefused) and answer.reason == OrderRefusal.EXPIRED
        ):
            raise Overtaken(RefusalCode.ORDER_EXPIRED)
        if answer is None:
            confirmed = OrderConfirmed(
                order_id=order.order_id, source=order.source, group_id=order.group_id, at=at
            )
            if _is_paid_by_card(group, order.member_id):
                await self._outcomes.send(ORDERS, confirmed)
            else:
                answers = [(PURCHASES, refused), (PURCHASES, row)]
                answer = await self._outcomes.ask(ORDERS, confirmed, answers=answers)
        _raise_refused(answer)
        await self._reservations.order_confirmed(order.key)
        state: OrderedState = "counted" if answer else "recorded"
        return Ordered(order.order_id, order.source, order.member_id, state)

    async def _order_by_link(
        self, actor: Actor, group: GroupPurchase, given: OrderGiven, seed: str | None
    ) -> OrderPlaced:
        if actor.about != group.group_id:
            raise NotAllowed(RefusalCode.LINK_OF_OTHER_GROUP)
        person = given.member or PersonGiven()
        names = ("order_id", "source", "unit_price", "value", "currency", "ordered_at")
        if _person_listed(group, actor.id) is not None:
            # Letters go to the address in the list, so another one is not sent on.
            person = PersonGiven(id=person.id)
        problems = [
            problem(name, ProblemCode.FOR_SHOPS)
            for name in names
            if getattr(given, name) is not None
        ]
        if given.state == "paid":
            problems.append(problem("state", ProblemCode.ONLY_SHOP_SAYS))
        if person.id is not None:
            problems.append(problem("member.id", ProblemCode.MADE_FROM_ADDRESS))
        member_id = actor.id or (self._ids.of_address(person.email) if person.email else "")
        if not person.email and self.asks_address(actor, group):
            problems.append(problem("member.email", ProblemCode.MISSING_ADDRESS))
        most = await self.units_by_link_max(group)
        if given.quantity > most:
            problems.append(problem("quantity", ProblemCode.TOO_MUCH_BY_LINK, most=most))
        person_id = self._ids.person_of(person.email) if person.email else None
        name = name_in_letters(actor, person.name)
        if name is None and person_id is not None:
            name = await self._named_before(actor, group, member_id, person_id)
        at = now()
        if group.withdrawn_at or at >= group.closes_at:
            problems.append(problem("group_id", ProblemCode.CLOSED_FOR_ORDERS))
        if _is_paid_at_shop(group, member_id):
            problems.append(problem("group_id", ProblemCode.PAID_AT_SHOP))
        if not may_feed(STOREFRONT, group.sources):
            problems.append(problem("group_id", ProblemCode.NOT_MADE_HERE))
        if problems:
            raise Impossible(RefusalCode.ORDER_NOT_TAKEN, problems)
        return OrderPlaced(
            order_id=self._ids.new("w", actor, seed),
            source=STOREFRONT,
            group_id=group.group_id,
            member_id=member_id,
            # Not the member's person: the link may be in the hands of somebody else.
            person_id=person_id,
            quantity=given.quantity,
            ordered_at=at,
            unconfirmed=True,
            member_email=person.email,
            member_name=name,
            member_locale=person.locale,
            member_time_zone=person.time_zone,
        )

    async def _named_before(
        self, actor: Actor, group: GroupPurchase, member_id: str, person_id: str
    ) -> str | None:
        """The name that an earlier order in the group gave to the person.

        An order without a name would else delete it, as ``people`` keeps only the newest record.
        """
        row = await self._reader.fact(PURCHASES.name, f"{group.group_id}/member/{member_id}")
        if not isinstance(row, PurchaseRow) or row.person_id != person_id:
            return None
        person = (await self._reader.people([person_id])).get(person_id)
        return name_shown_to(actor, group.request_id, row.name_mark, person)

    async def _order_of_shop(
        self, actor: Actor, group: GroupPurchase, given: OrderGiven
    ) -> OrderPlaced | OrderPaid:
        await self._authority.need_running(actor, group, "shop", "seller", "admin")
        member_id = (given.member.id if given.member else None) or ""
        problems = [
            problem(field, ProblemCode.MISSING_OF_SHOP)
            for field, value in (("order_id", given.order_id), ("member.id", member_id))
            if not value
        ]
        if problems:
            raise Impossible(RefusalCode.ORDER_UNKNOWN, problems)
        person = given.member or PersonGiven()
        kind = OrderPaid if given.state == "paid" else OrderPlaced
        return kind(
            order_id=given.order_id or "",
            source=_source(actor, given.source),
            group_id=group.group_id,
            member_id=member_id,
            member_email=person.email,
            member_name=name_in_letters(actor, person.name),
            member_locale=person.locale,
            member_time_zone=person.time_zone,
            quantity=given.quantity,
            unit_price=given.unit_price,
            value=given.value,
            currency=given.currency,
            ordered_at=given.ordered_at or now(),
        )

    async def _recipient(
        self, actor: Actor, message: OrderPlaced | OrderPaid, group: GroupPurchase
    ) -> str | None:
        """The recipient to count the letter about an order by; ``None`` if there is none.

        With a link of their own, members get letters at the address that the organizer gave.
        """
        if actor.kind != "member":
            return message.member_email
        people = await self._reader.people([_person_listed(group, actor.id)])
        address = next((each.email for each in people.values()), message.member_email)
        return address or recipient_of(group.group_id, message.member_id)

    async def cancel(self, actor: Actor, group_id: str, given: CancellationGiven) -> None:
        """Say that an order is void."""
        demand(actor, "shop", "seller", "admin")
        group = await known_group(self._reader, group_id)
        await self._authority.need_running(actor, group, "shop", "seller", "admin")
        message = OrderCancelled(
            order_id=given.order_id,
            source=_source(actor, given.source),
            group_id=group_id,
            cancelled_at=given.cancelled_at or now(),
        )
        await self._outcomes.send(ORDERS, message)

    async def return_goods(self, actor: Actor, group_id: str, given: ReturnGiven) -> Ordered:
        """Say that goods came back, from an order of the shop or one made on our pages."""
        demand(actor, "shop", "seller", "admin")
        group = await known_group(self._reader, group_id)
        await self._authority.need_running(actor, group, "shop", "seller", "admin")
        # Goods that were ordered on our pages are returned to the shop, so the shop may say so.
        is_of_pages = given.source == STOREFRONT
        source = STOREFRONT if is_of_pages else _source(actor, given.source)
        message = OrderReturned(
            return_id=given.return_id,
            source=source,
            group_id=group_id,
            member_id=given.member_id,
            order_id=given.order_id,
            quantity=given.quantity,
            returned_at=given.returned_at or now(),
        )
        refused = f"{group_id}/refused/{source}/{given.return_id}"
        row = f"{group_id}/member/{given.member_id}"
        answers = [(PURCHASES, refused), (PURCHASES, row)]
        answer = await self._outcomes.ask(ORDERS, message, answers=answers)
        _raise_refused(answer)
        return Ordered(
            given.return_id, source, given.member_id, "counted" if answer else "recorded"
        )


def _is_paid_at_shop(group: GroupPurchase, member_id: str) -> bool:
    """Whether only the shop's word lets this member's order count; unknown where it can't be seen.

    The members of a large group are not in its terms, and each may have their own method.
    """
    if group.payment.scope == "group" or group.payment.method != "shop" or group.member_parts:
        return False
    own = next((each.payment for each in group.members if each.id == member_id), None)
    return own is None or own.method == "shop"


def _is_paid_by_card(group: GroupPurchase, member_id: str) -> bool:
    """Whether an order counts only after a card payment, which no request waits for."""
    if group.payment.scope == "group":
        return False
    own = next((each.payment for each in group.members if each.id == member_id), None)
    return (own.method if own else group.payment.method) == "card"


def _person_listed(group: GroupPurchase, member_id: str) -> str | None:
    """The person who gets a listed member's letters; ``None`` without an address.

    Not known in a large group, whose list is in separate parts.
    """
    if not member_id:
        return None
    return next((each.person_id for each in group.members if each.id == member_id), None)


def _confirmed(message: OrderPlaced) -> OrderConfirmed:
    return OrderConfirmed(
        order_id=message.order_id,
        source=message.source,
        group_id=message.group_id,
        at=message.ordered_at,
    )


def _raise_beyond_limits(message: OrderPlaced | OrderPaid, group: GroupPurchase) -> None:
    """Refuse an order that is worth more than ``SUM_MAX``, before it is on the log."""
    price = group.unit_price if message.unit_price is None else message.unit_price
    value = worth(message.quantity, price, message.value)
    if value is not None and value > SUM_MAX:
        code = ProblemCode.TOO_MUCH_WORTH
        too_much = problem("quantity", code, amount=value, most=SUM_MAX)
        raise Impossible(RefusalCode.ORDER_HOPELESS, [too_much])


def _raise_hopeless(message: OrderPlaced | OrderPaid, group: GroupPurchase) -> None:
    """Refuse an order that the rules will refuse, if no answer of theirs is waited for."""
    problems = []
    if not group.opens_at <= message.ordered_at < group.closes_at:
        opens, closes = group.opens_at.isoformat(), group.closes_at.isoformat()
        code = ProblemCode.OUTSIDE_PERIOD
        problems.append(problem("ordered_at", code, opens=opens, closes=closes))
    if not may_feed(message.source, group.sources):
        counted = ", ".join(group.sources)
        code = ProblemCode.OTHER_SOURCE
        problems.append(problem("source", code, source=message.source, counted=counted))
    if message.currency and group.currency and message.currency != group.currency:
        code = ProblemCode.NOT_GROUPS_CURRENCY
        problems.append(problem("currency", code, currency=group.currency))
    if group.members and message.member_id not in {member.id for member in group.members}:
        problems.append(problem("member", ProblemCode.NOT_A_MEMBER))
    if problems:
        raise Impossible(RefusalCode.ORDER_HOPELESS, problems)


def _raise_refused(answer: Message | None) -> None:
    if isinstance(answer, OrderRefused):
        code = ProblemCode.ORDER_REFUSED
        refused = problem("order_id", code, reason=answer.reason, quantity=answer.quantity)
        raise Impossible(RefusalCode.ORDER_REFUSED, [refused])


def _source(actor: Actor, given_source: str | None) -> str:
    if actor.kind == "admin":
        return given_source or ADMIN
    if given_source not in (None, actor.id):
        raise NotAllowed(RefusalCode.NOT_THE_KEYS, field="source")
    if is_reserved(actor.id):
        raise NotAllowed(RefusalCode.NOT_A_SHOPS_ID, id=actor.id)
    return actor.id
