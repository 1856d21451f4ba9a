"""Discounts: what each member of a closed group gets."""

from typing import ClassVar, Literal

from schemas.parts import Basis, Count, Id, Message, Money, Percent, Tier, Version
from schemas.topic import Topic


class FavorDecision(Message):
    """What a group's close decided: the tier, or none, and what it comes to over all members.

    ``tier`` is null when no tier was reached, or the terms give nothing to an incomplete group;
    ``cancel_all`` says that every member gets the whole value back.
    """

    type: Literal["FavorDecision"] = "FavorDecision"
    group_id: Id
    request_id: Id
    version: Version
    tier: Tier | None = None
    cancel_all: bool = False
    total: Money
    currency: str | None = None
    members: Count
    keyed_by: ClassVar[str] = "group_id"


class Favor(Message):
    """What one member gets, for the purchase as of ``row_version`` of the member's row."""

    type: Literal["Favor"] = "Favor"
    group_id: Id
    request_id: Id
    member_id: Id
    version: Version
    basis: Basis
    percent: Percent | None = None
    gift: str | None = None
    amount: Money
    currency: str | None = None
    row_version: Version | None = None
    keyed_by: ClassVar[str] = "group_id"

    @property
    def key(self) -> str:
        """``<group_id>/member/<member_id>``."""
        return f"{self.group_id}/member/{self.member_id}"


FAVORS = Topic(
    name="favors",
    kind="fact",
    key="group_id, or group_id/member/member_id",
    messages=(FavorDecision, Favor),
    producers=("favor_service",),
    consumers=("payment_service", "storefront", "terminal"),
    purpose="What a group's close decided, and what each member gets.",
    compacted=True,
)
