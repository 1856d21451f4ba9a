"""Shops as people see them: a name, a contact, and where members order."""

from typing import Annotated, ClassVar, Literal

from pydantic import StringConstraints

from schemas.parts import EMAIL_MAX, Business, Id, Instant, Message, Version
from schemas.topic import Topic


class Shop(Business, Message):
    """A shop whose definitions and groups are on the pages; the newest ``version`` holds."""

    type: Literal["Shop"] = "Shop"
    shop_id: Id
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    email: Annotated[str, StringConstraints(max_length=EMAIL_MAX)] | None = None
    at: Instant
    version: Version
    keyed_by: ClassVar[str] = "shop_id"


SHOPS = Topic(
    name="shops",
    kind="fact",
    key="shop_id",
    messages=(Shop,),
    producers=("storefront",),
    consumers=("storefront", "notifier", "terminal"),
    purpose="Names, contacts and order links of shops.",
    compacted=True,
)
