"""Bodies of the HTTP API about shops and images."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from schemas.api.parts import Address, BusinessGiven, Line, View
from schemas.parts import Business


class ShopGiven(BusinessGiven):
    """A shop as people see it. It replaces all that was said of the shop before."""

    name: Line
    email: Annotated[Address | None, Field(description="Public, for questions of buyers.")] = None


class ShopView(Business, View):
    """A shop as people see it."""

    shop_id: str
    name: str
    email: str | None
    at: datetime
    version: int


class ImageAnswer(View):
    """A stored image: `image_id` is for products and logos, `path` is where it is served."""

    image_id: str
    media_type: str
    width: int
    height: int
    path: str
