"""One group's rows in favor_service, and the messages that change them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from runtime.rows import Due, MemoryRows
from schemas.favors import Favor, FavorDecision
from schemas.orders import PurchaseOpened, PurchaseRow, PurchaseState
from schemas.parts import (
    FavorTerms,
    Message,
    Party,
    Period,
    Product,
    Tier,
)
from services.favor_service.processor import FAVORS_PROCESSOR

T = datetime(2024, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
TOPIC = {message: topic for topic in FAVORS_PROCESSOR.outputs for message in topic.messages}
TEN_PERCENT = Tier(from_quantity=10, percent_off=10)
LADDER = (Tier(from_quantity=5, percent_off=2.5), TEN_PERCENT)

#: Member, quantity, value in cents.
Bought = tuple[str, int, int]


class Group:
    """One group's rows; each row is held to survive its store after each rule."""

    def __init__(self, *tiers: Tier, scope: str = "member", if_incomplete: str = "none") -> None:
        self.rows = MemoryRows("G")
        self.now = T
        self.versions: dict[str, int] = {}
        favor = FavorTerms.model_validate({"scope": scope, "tiers": tiers})
        assert self.take(opened(favor=favor, if_incomplete=if_incomplete)) == []

    def take(self, message: Message) -> list[Message]:
        """A message's answers, those of the chunks it starts among them."""
        sent = self._kept(FAVORS_PROCESSOR.on[type(message)](message, self.rows, self.now))
        return [*sent, *self.finish()]

    def finish(self) -> list[Message]:
        """What the chunks under way send, to their end."""
        sent: list[Message] = []
        while names := [name for name in self.rows if name.startswith("chunk/")]:
            rule = FAVORS_PROCESSOR.chunks[names[0].split("/")[1]]
            sent += self._kept(rule(self.rows, self.now))
        return sent

    def buy(self, *bought: Bought, told: bool = False) -> list[Message]:
        """What the newer rows of these members, with an address if ``told``, are answered by."""
        sent: list[Message] = []
        for member, quantity, value in bought:
            self.versions[member] = self.versions.get(member, 0) + 1
            person = mailed(member) if told else None
            sent += self.take(row(member, quantity, value, self.versions[member], person))
        return sent

    def close(self, status: str) -> list[Message]:
        """What the close is answered by, with the totals that order_service would tell."""
        purchasers = [row for name, row in self.rows.items() if name.startswith("member/")]
        return self.take(
            state(
                status,
                quantity=sum(row.quantity for row in purchasers),
                value=sum(row.value for row in purchasers),
                members=sum(row.quantity > 0 for row in purchasers),
            )
        )

    def shrink(self) -> None:
        """Ninety days pass."""
        assert self.rows["due/shrink"] == Due(T + 90 * DAY)
        del self.rows["due/shrink"]
        rule = FAVORS_PROCESSOR.due["shrink"]
        assert self._kept(rule("due/shrink", self.rows, T + 90 * DAY)) == []
        assert self.finish() == []

    def _kept(self, sent: Sequence[Message]) -> Sequence[Message]:
        for name, kept in self.rows.items():
            kind = {**FAVORS_PROCESSOR.rows, "due": Due}[name.split("/")[0]]
            assert msgspec.json.decode(msgspec.json.encode(kept), type=kind) == kept
        for message in sent:
            adapter = TOPIC[type(message)].adapter
            assert adapter.validate_json(message.model_dump_json()) == message
        return sent


def opened(**terms: Any) -> PurchaseOpened:
    """The terms of a group of ten."""
    ids = {"group_id": "G", "request_id": "R", "version": 1, "requested_at": T, "issued_at": T}
    tea = {"product": Product(name="tea"), "number_of_products": 10, "currency": "EUR"}
    return PurchaseOpened(**ids | tea | {"opens_at": T, "closes_at": T + DAY} | terms)


def mailed(member: str) -> Party:
    return Party(id=member, person_id=f"shop:{member}")


def row(
    member: str, quantity: int, value: int, version: int, party: Party | None = None
) -> PurchaseRow:
    return PurchaseRow(
        group_id="G",
        request_id="R",
        member_id=member,
        version=version,
        quantity=quantity,
        value=value,
        currency="EUR",
        period=Period(opens_at=T, closes_at=T + DAY),
        orders=1,
        person_id=party.person_id if party else None,
    )


def state(status: str, *, quantity: int = 0, value: int = 0, members: int = 0) -> PurchaseState:
    return PurchaseState.model_validate(
        {
            "group_id": "G",
            "request_id": "R",
            "version": 9,
            "status": status,
            "quantity": quantity,
            "value": value,
            "members": members,
            "closed_at": None if status == "open" else T,
        }
    )


def amounts(sent: Sequence[Message]) -> dict[str, int]:
    """Who was sent which amount."""
    return {each.member_id: each.amount for each in sent if isinstance(each, Favor)}


def decided(sent: Sequence[Message]) -> FavorDecision:
    """The one decision among what was sent, which is the last of it."""
    (decision,) = (each for each in sent if isinstance(each, FavorDecision))
    assert sent[-1] is decision
    return decision
