"""The story of a joint purchase counter auction, on the wall clock."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from demo.pages import OpenPage
from demo.telling import Teller, check, check_rose, euros, some_of
from demo.wares import CAMERA, business_of
from schemas.auctions import (
    ApplicationConfirmed,
    Applied,
    AuctionOpened,
    CounterOffered,
    SellerApproved,
    SellerRegistered,
)
from schemas.orders import OrderPaid
from schemas.parts import Contact

AUCTION = "cameras-2026"
#: The first opens the auction.
SELLERS = ("nord", "sato", "west", "east")
#: Registered, but approved by nobody.
UNAPPROVED = "rush"
BUYERS = {"aki": 1, "ben": 2, "cho": 1, "dia": 1, "eli": 2, "fay": 1}
MINIMUM = 6
OPENING_CENTS = 90_000
BETTER_CENTS = 85_000
WORSE_CENTS = 87_500
STEP_CENTS = 500


async def play(teller: Teller) -> None:
    """Tell it; raises ``MissingStep`` when something does not happen."""
    story = CounterAuction(teller)
    await story.register_sellers()
    if teller.is_watched:
        await story.open(seconds_to_date=10, seconds_open=18)
    else:
        await story.open(seconds_to_date=5, seconds_open=15)
    async with teller.pages.open(f"/auctions/{AUCTION}") as page:
        await story.apply()
        await story.be_seen(page)
    await story.invite()
    await story.take_over()
    await story.be_worse()
    await story.conclude()
    await story.buy()


class CounterAuction:
    """Plays each part and says what is seen."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._stage = teller.stage
        self._say = teller.say
        self._pause = teller.pause

    async def register_sellers(self) -> None:
        """Who wants to sell registers; an admin approves all but one."""
        now = datetime.now(UTC)
        for seller in (*SELLERS, UNAPPROVED):
            await self._stage.send(
                "seller-registrations",
                SellerRegistered(
                    seller_id=seller,
                    name=f"{seller.title()} Foto",
                    email=f"{seller}@shop.example",
                    registered_at=now,
                    **business_of(seller),
                ),
            )
        for seller in SELLERS:
            await self._stage.send("seller-registrations", SellerApproved(seller_id=seller, at=now))
        await self._stage.until(f"{UNAPPROVED} registered", "sellers", UNAPPROVED)
        for seller in SELLERS:
            await self._stage.until(
                f"{seller} approved", "sellers", seller, lambda seen: seen["standing"] == "good"
            )
        self._say(f"{', '.join(SELLERS)} register and are approved; {UNAPPROVED} only registers")
        await self._pause()

    async def open(self, seconds_to_date: float, seconds_open: float) -> None:
        """A seller offers a price for a minimum number, for a term."""
        now = datetime.now(UTC)
        opening = AuctionOpened(
            offer_id="opening",
            auction_id=AUCTION,
            seller_id="nord",
            product=CAMERA,
            minimum_reservations=MINIMUM,
            unit_price=OPENING_CENTS,
            currency="EUR",
            offered_at=now,
            invites_at=now + self._teller.span(seconds_to_date),
            closes_at=now + self._teller.span(seconds_open),
            minimum_step=STEP_CENTS,
        )
        await self._stage.send("offers", opening)
        await self._judged("opening", "shown")
        self._say(
            f"nord opens an auction for [bold]{CAMERA.name}[/]: {euros(OPENING_CENTS)} EUR each"
            f" from {MINIMUM}, until {opening.closes_at:%H:%M:%S}"
        )
        self._teller.note(f"its page: {self._teller.pages.url}/auctions/{AUCTION}")
        await self._teller.pages.until_listed(f"/auctions/{AUCTION}")
        self._say("the home page lists the auction")
        await self._pause()

    async def apply(self) -> None:
        """Buyers reserve, and the page counts."""
        reserved = 0
        for buyer, quantity in BUYERS.items():
            of: dict[str, Any] = {
                "application_id": f"application-of-{buyer}",
                "auction_id": AUCTION,
            }
            now = datetime.now(UTC)
            person = Contact(id=buyer, email=f"{buyer}@home.example", name=buyer.title())
            await self._stage.send(
                "applications",
                # The front end vouches for them, so that they count without a letter.
                ApplicationConfirmed(**of, at=now),
                Applied(**of, applicant=person, quantity=quantity, applied_at=now),
            )
            reserved += quantity
            page = await self._stage.until(
                f"{reserved} reserved", "auctions", AUCTION, _has("reservations", reserved)
            )
            minimum = page["shown"]["minimum_reservations"]
            if reserved == quantity:
                self._say("buyers apply, and the page counts:")
            self._teller.note(f"{'█' * reserved} {reserved} of {minimum}, {buyer} takes {quantity}")
            await self._pause()

    async def be_seen(self, page: OpenPage) -> None:
        """The page that was open counted along."""
        reserved = sum(BUYERS.values())
        await page.until(f"{reserved} reserved", _has("reservations", reserved))
        counts = page.counts("reservations")
        check_rose(counts, reserved, "reservations")
        self._say(f"the open page of the auction counted along: {some_of(counts)}")

    async def invite(self) -> None:
        """At the predetermined date, every other seller is called to outbid."""
        page = await self._stage.until(
            "the invitation", "auctions", AUCTION, lambda seen: seen.get("invited_at") is not None
        )
        check(page["shown"]["seller_id"] == "nord", f"nord shown at the date: {page}")
        called = SELLERS[1:]
        await self._stage.until_letters("invitation", AUCTION, called)
        self._say(f"the date has come: {', '.join(called)} are called to outbid, nobody else")
        await self._pause()

    async def take_over(self) -> None:
        """A better condition becomes the page's; who relied on the other is told."""
        await self._offer("better", "sato", BETTER_CENTS)
        await self._judged("better", "shown")
        page = await self._stage.until(
            "the takeover",
            "auctions",
            AUCTION,
            lambda seen: seen["shown"]["offer_id"] == "better",
        )
        replaced = await self._stage.until(
            "ConditionReplaced", "auctions", f"{AUCTION}/replaced/{page['version']}"
        )
        check(replaced["before"]["offer_id"] == "opening", f"the opening replaced: {replaced}")
        await self._stage.until("RightIntercepted", "auctions", f"{AUCTION}/intercepted/opening")
        self._say(f"sato offers {euros(BETTER_CENTS)} EUR and takes over the page")
        await self._stage.until_letters("right-intercepted", AUCTION, ["nord"])
        (letter,) = self._stage.letters("right-intercepted", AUCTION)["nord"]
        check("sato" not in str(letter), f"nothing of who intercepted: {letter}")
        self._teller.note("nord is told that the right was intercepted, and not by whom")
        await self._stage.until_letters("condition-improved", AUCTION, BUYERS)
        self._teller.note(f"all {len(BUYERS)} buyers are told of the better terms")
        await self._pause()

    async def be_worse(self) -> None:
        """What is not better is told why."""
        await self._offer("worse", "west", WORSE_CENTS)
        await self._judged("worse", "not-better")
        await self._stage.until_letters("offer-judged", AUCTION, ["nord", "sato", "west"])
        (letter,) = self._stage.letters("offer-judged", AUCTION)["west"]
        check(letter["reason"] == "price-not-lower", f"why it is not better: {letter}")
        self._say(
            f"west offers {euros(WORSE_CENTS)} EUR: {letter['verdict']}, and is told why:"
            f" {letter['reason']}"
        )
        await self._pause()

    async def conclude(self) -> None:
        """The term ends: enough is reserved, the contract is concluded."""
        end = await self._stage.until("the conclusion", "auctions", f"{AUCTION}/conclusion")
        check(end["type"] == "ContractConcluded", f"a contract: {end}")
        reserved = sum(BUYERS.values())
        check(end["reservations"] == reserved, f"{reserved} reserved at the end: {end}")
        check(end["shown"]["seller_id"] == "sato", f"sato's condition: {end}")
        self._say(
            f"the term has ended: {reserved} reserved (minimum {MINIMUM}), the contract is"
            f" concluded with sato at {euros(end['shown']['unit_price'])} EUR"
        )
        # Whoever competed is told, and nobody who did not.
        told = [*BUYERS, "nord", "sato", "west"]
        await self._stage.until_letters("contract-concluded", AUCTION, told)
        self._teller.note(f"{len(BUYERS)} buyers, the winner and two who lost are told")
        await self._pause()

    async def buy(self) -> None:
        """The group purchase that follows has the buyers as members, at that price."""
        outcome = await self._stage.until("the group's ID", "request-outcomes", f"au-{AUCTION}")
        check(outcome["type"] == "IdIssued", f"an ID for the auction: {outcome}")
        group_id: str = outcome["group_id"]
        self._say(f"a group purchase follows, its ID is [bold]{group_id}[/]")
        table = Table("purchaser", "quantity", "value EUR", title=group_id)
        for buyer, quantity in BUYERS.items():
            paid = OrderPaid(
                order_id=f"camera-of-{buyer}",
                source="sato",
                group_id=group_id,
                member_id=buyer,
                quantity=quantity,
                currency="EUR",
                ordered_at=datetime.now(UTC),
            )
            await self._stage.send("orders", paid)
            row = await self._stage.until(
                f"{buyer}'s row", "purchases", f"{group_id}/member/{buyer}"
            )
            check(row["value"] == quantity * BETTER_CENTS, f"{buyer} at the better price: {row}")
            table.add_row(buyer, str(row["quantity"]), euros(row["value"]))
        state = await self._stage.until(
            "the close", "purchases", group_id, lambda seen: seen["status"] != "open"
        )
        check(state["status"] == "complete", f"the auction's purchase complete: {state}")
        self._teller.show(table)
        self._say(f"all {len(BUYERS)} have ordered what they reserved: complete")
        for kind, told in (("invitation", SELLERS[1:]), ("condition-improved", tuple(BUYERS))):
            letters = self._stage.letters(kind, AUCTION)
            once = {who: len(said) for who, said in letters.items()}
            check(once == dict.fromkeys(told, 1), f"one letter {kind} to each: {once}")

    async def _offer(self, offer_id: str, seller: str, price: int) -> None:
        await self._stage.send(
            "offers",
            CounterOffered(
                offer_id=offer_id,
                auction_id=AUCTION,
                seller_id=seller,
                product=CAMERA,
                minimum_reservations=MINIMUM,
                unit_price=price,
                currency="EUR",
                offered_at=datetime.now(UTC),
            ),
        )

    async def _judged(self, offer_id: str, verdict: str) -> dict[str, Any]:
        judged = await self._stage.until(
            f"a verdict on {offer_id}", "auctions", f"{AUCTION}/offer/{offer_id}"
        )
        check(judged["verdict"] == verdict, f"{offer_id} {verdict}: {judged}")
        return judged


def _has(name: str, value: Any) -> Callable[[dict[str, Any]], bool]:
    return lambda seen: bool(seen[name] == value)
