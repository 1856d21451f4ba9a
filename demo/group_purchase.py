"""The story of a group bulk purchase, on the wall clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table

from demo.telling import Teller, check, check_rose, euros, some_of
from demo.wares import IMAGES, SHOP_ID, TEA, shop
from schemas.groups import Definition, GroupPurchaseRequested
from schemas.orders import OrderPaid, OrderReturned
from schemas.parts import Contact, FavorTerms, Limits, ListedMember, Tier

PRICE_CENTS = 2_400
LADDER = FavorTerms(
    tiers=(
        Tier(from_quantity=5, percent_off=5),
        Tier(from_quantity=30, percent_off=10),
        Tier(from_quantity=100, percent_off=15),
    )
)
OFFICE = ("ann", "bob", "cho")
STREET = 24
#: Rows of a table that fit beside the story on a screen of 24 lines.
ROWS_SHOWN = 6


async def play(teller: Teller) -> None:
    """Tell it; raises ``MissingStep`` when something does not happen."""
    story = GroupPurchases(teller)
    await story.publish()
    await story.refuse()
    await story.office()
    await story.street(seconds_open=16 if teller.is_watched else 12)


class GroupPurchases:
    """Plays each part and says what is seen."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._stage = teller.stage
        self._say = teller.say
        self._pause = teller.pause

    async def publish(self) -> None:
        """A shop opens a product to the public."""
        definition = Definition(
            definition_id="tea-2026",
            shop_id=SHOP_ID,
            product=TEA,
            unit_price=PRICE_CENTS,
            currency="EUR",
            favor=LADDER,
            limits=Limits(number_min=2, number_max=1_000),
            published_at=datetime.now(UTC),
        )
        await self._stage.send("images", *IMAGES)
        await self._stage.send("shops", shop())
        await self._stage.send("definitions", definition)
        self._say(f"the shop opens [bold]{TEA.name}[/] for group purchase: 24.00 EUR,")
        self._teller.note("5 % off from 5, 10 % from 30, 15 % from 100")
        await self._pause()

    async def refuse(self) -> None:
        """An impossible request is refused with every problem named."""
        await self._stage.send(
            "group-purchase-requests",
            GroupPurchaseRequested(
                request_id="impossible",
                requested_at=datetime.now(UTC),
                product=TEA,
                number_of_products=0,
                currency="EURO",
            ),
        )
        refused = await self._stage.until("a refusal", "request-outcomes", "impossible")
        problems = refused.get("problems", [])
        check(len(problems) >= 2, f"every problem of the impossible request: {refused}")
        self._say("an impossible request is refused, every problem named:")
        for problem in problems:
            self._teller.note(f"{problem['field']}: {problem['problem']}")
        await self._pause()

    async def office(self) -> None:
        """Listed members: complete there and then."""
        group_id = await self._request(
            "office-tea",
            number_of_products=6,
            organizer=Contact(id="ann", name="Ann", email="ann@office.example"),
            members=tuple(
                ListedMember(id=name, name=name.title(), email=f"{name}@office.example")
                for name in OFFICE
            ),
            closes_at=datetime.now(UTC) + timedelta(hours=1),
        )
        self._say(f"Ann asks for 6 for the office; the ID is [bold]{group_id}[/]")
        for number, name in enumerate(OFFICE, 1):
            bought = self._order(group_id, name, quantity=number)
            # Shops' feeds repeat themselves.
            await self._stage.send("orders", bought, bought)
            row = await self._stage.until(f"{name}'s row", "purchases", f"{group_id}/member/{name}")
            check(row["quantity"] == number, f"{name}'s order counted once: {row}")
            self._say(f"{name.title()} orders {number} (the shop says it twice): counted once")
            await self._pause()
        state = await self._closed(group_id)
        check(state["status"] == "complete", f"the office's purchase complete: {state}")
        self._say("everyone has ordered and 6 are reached: complete, there and then")
        await self._show(group_id, len(OFFICE))

    async def street(self, seconds_open: float) -> None:
        """Open to anyone: the deadline decides."""
        closes_at = datetime.now(UTC) + self._teller.span(seconds_open)
        group_id = await self._request(
            "street-tea",
            number_of_products=20,
            organizer=Contact(id="dee", name="Dee", email="dee@street.example"),
            closes_at=closes_at,
            grace_seconds=1,
        )
        self._say(
            f"Dee opens one to the whole street until {closes_at:%H:%M:%S}: [bold]{group_id}[/]"
        )
        path = f"/groups/{group_id}"
        self._teller.note(f"its page: {self._teller.pages.url}{path}")
        expected = sum(1 + number % 3 for number in range(1, STREET + 1))
        async with self._teller.pages.open(path) as page:
            await self._teller.pages.until_listed(path)
            self._say("the home page lists the group purchase")
            for number in range(1, STREET + 1):
                bought = self._order(group_id, f"buyer-{number}", 1 + number % 3)
                await self._stage.send("orders", bought)
                await self._pause(0.5)
            await self._stage.until(
                f"{expected} bought",
                "purchases",
                group_id,
                lambda seen: seen["quantity"] == expected,
            )
            self._say(f"{STREET} buyers order {expected} in all")
            await page.until(f"{expected} bought", lambda seen: seen["quantity"] == expected)
        counts = page.counts("quantity")
        check_rose(counts, expected, "the quantity")
        self._say(f"the open page counted along: {some_of(counts)}")
        await self._stage.send(
            "orders",
            OrderReturned(
                return_id="return-1",
                source="leaf-and-cup",
                group_id=group_id,
                member_id="buyer-2",
                quantity=1,
                returned_at=datetime.now(UTC),
            ),
        )
        await self._stage.until(
            "the return", "purchases", group_id, lambda seen: seen["quantity"] == expected - 1
        )
        self._say("buyer-2 sends one back: the table knows")
        state = await self._closed(group_id)
        check(state["status"] == "complete", f"the street's purchase complete: {state}")
        self._say("the period has elapsed and the number is reached: complete")
        await self._stage.send("orders", self._order(group_id, "sleepy", 1, closes_at))
        refused = await self._stage.until(
            "sleepy's refusal", "purchases", f"{group_id}/refused/leaf-and-cup/order-of-sleepy"
        )
        self._say(f"sleepy orders after the end: refused, {refused['reason']}")
        await self._show(group_id, STREET)

    async def _request(self, request_id: str, **terms: Any) -> str:
        await self._stage.send(
            "group-purchase-requests",
            GroupPurchaseRequested(
                request_id=request_id,
                requested_at=datetime.now(UTC),
                definition_id="tea-2026",
                **terms,
            ),
        )
        outcome = await self._stage.until("an ID", "request-outcomes", request_id)
        check(outcome["type"] == "IdIssued", f"an ID for {request_id}: {outcome}")
        group_id: str = outcome["group_id"]
        return group_id

    def _order(
        self, group_id: str, member: str, quantity: int, at: datetime | None = None
    ) -> OrderPaid:
        return OrderPaid(
            order_id=f"order-of-{member}",
            source="leaf-and-cup",
            group_id=group_id,
            member_id=member,
            quantity=quantity,
            currency="EUR",
            ordered_at=at or datetime.now(UTC),
        )

    async def _closed(self, group_id: str) -> dict[str, Any]:
        return await self._stage.until(
            "the close", "purchases", group_id, lambda seen: seen["status"] != "open"
        )

    async def _show(self, group_id: str, members: int) -> None:
        decision = await self._stage.until("the favors", "favors", group_id)
        check(decision["members"] == members, f"a favor for each of {members}: {decision}")
        table = Table("purchaser", "quantity", "value EUR", "discount EUR", title=group_id)
        prefix = f"{group_id}/member/"
        total = 0
        for place, name in enumerate(self._stage.keys("favors", prefix)):
            row = self._stage.fact("purchases", prefix + name) or {}
            favor = self._stage.fact("favors", prefix + name) or {}
            total += favor["amount"]
            if place < ROWS_SHOWN:
                values = euros(row["value"]), euros(favor["amount"])
                table.add_row(name, str(row["quantity"]), *values)
        if members > ROWS_SHOWN:
            table.caption = f"and {members - ROWS_SHOWN} more"
        self._teller.show(table)
        check(total == decision["total"], f"favors that add up to {decision['total']}: {total}")
        percent = decision["tier"]["percent_off"]
        self._say(f"the tier is {percent} %: {members} discounts of {euros(total)} EUR in all")
        await self._pause()
