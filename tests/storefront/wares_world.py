"""A shop, a seller, their pictures and what they sell, in a read model."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from unittest.mock import patch

from PIL import Image as Pillow
from PIL import ImageDraw

from schemas.auctions import Auction, ContractConcluded, Seller
from schemas.groups import Definition, GroupPurchase, IdIssued
from schemas.images import Image
from schemas.ops import ApiKey
from schemas.orders import PurchaseState
from schemas.parts import Message
from schemas.shops import Shop
from schemas.topic import Topic
from services.storefront.access.callers import digest_of
from services.storefront.commands.sender import Sender
from services.storefront.wares.pictures import Picture, encoded
from tests.storefront.pages_app import Storefront, storefront_on
from tests.storefront.test_read_model import TOPIC_OF, write

NOW = datetime.now(UTC)
CLOSES_AT = NOW + timedelta(days=7)


def file_of(colour: str, size: tuple[int, int] = (900, 600), form: str = "PNG") -> bytes:
    """A picture's file: a cup on a ground."""
    picture = Pillow.new("RGB", size, colour)
    pen, (width, height) = ImageDraw.Draw(picture), size
    pen.ellipse((width * 0.3, height * 0.25, width * 0.7, height * 0.75), fill="#f3f5f8")
    pen.ellipse((width * 0.4, height * 0.35, width * 0.6, height * 0.65), fill="#0b6b4f")
    file = BytesIO()
    picture.save(file, form)
    return file.getvalue()


def image_of(picture: Picture) -> Image:
    """The fact of a picture."""
    return Image(
        image_id=picture.image_id,
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        data=b64encode(picture.data).decode(),
    )


TEA, CUP = encoded(file_of("#12936d")), encoded(file_of("#a83a12", (600, 900)))
LOGO = encoded(file_of("#1b2431", (400, 120)))
IMAGES = [image_of(each) for each in (TEA, CUP, LOGO)]


def key(role: str, holder_id: str) -> str:
    """The key of a holder."""
    return f"jb_{(role + holder_id.replace('-', '')).ljust(16, '0')[:16]}_secret"


def key_fact(role: Any, holder_id: str) -> ApiKey:
    """Its fact."""
    credential = key(role, holder_id)
    return ApiKey(
        key_id=credential.split("_")[1],
        role=role,
        holder_id=holder_id,
        digest=digest_of(credential),
        issued_at=NOW,
        version=1,
    )


DESCRIPTION = """First flush from **Shizuoka**, *this* year's harvest.

## How to brew

- 70 °C, two minutes
- three infusions

See [the farm](https://farm.example/tea).
"""
CONTACT: dict[str, Any] = {
    "url": "https://teahouse.example",
    "logo": LOGO.image_id,
    "postal_address": "Tea House\nGartenweg 3\n10115 Berlin",
    "email": "hello@teahouse.example",
    "phone": "+49 30 1234567",
    "terms_url": "https://teahouse.example/terms",
    "privacy_url": "https://teahouse.example/privacy",
    "imprint_url": "https://teahouse.example/imprint",
    "delivery": "By parcel within three days.\nFree from 40 EUR, else 3.90 EUR.",
}
ORDER_LINK = "https://teahouse.example/cart?add={product_id}&note={group_id}"


def shop(**fields: Any) -> Shop:
    said = {"shop_id": "tea-house", "name": "Tea House", "at": NOW, "version": 1}
    return Shop.model_validate(said | CONTACT | {"order_link": ORDER_LINK} | fields)


def seller(**fields: Any) -> Seller:
    good = {"standing": "good", "since": NOW}
    said = {
        "seller_id": "s-nord",
        "name": "Nord Foto",
        "registered_at": NOW,
        "version": 1,
        "standings": (good,),
        "standing": "good",
    }
    return Seller.model_validate(
        said | CONTACT | {"email": "hi@nord.example", "order_link": ORDER_LINK} | fields
    )


PRODUCT: dict[str, Any] = {
    "id": "sencha & 1 kg",
    "name": "Sencha, 1 kg",
    "description": DESCRIPTION,
    "url": "https://teahouse.example/sencha",
    "images": (TEA.image_id, CUP.image_id),
    "category": "Tea",
    "tags": ("organic", "Japan"),
}


def definition(**fields: Any) -> Definition:
    said = {
        "definition_id": "d-1",
        "shop_id": "tea-house",
        "product": PRODUCT,
        "unit_price": 2400,
        "currency": "EUR",
        "favor": {"tiers": ({"from_quantity": 30, "percent_off": 10},)},
        "published_at": NOW,
    }
    return Definition.model_validate(said | fields)


def group(group_id: str = "GB-1", **fields: Any) -> list[Message]:
    said: dict[str, Any] = {
        "group_id": group_id,
        "request_id": f"r-{group_id}",
        "version": 1,
        "shop_id": "tea-house",
        "requested_at": NOW,
        "issued_at": NOW,
        "product": PRODUCT,
        "unit_price": 2400,
        "currency": "EUR",
        "organizer": {"id": "m-org"},
        "number_of_products": 100,
        "opens_at": NOW - timedelta(days=1),
        "closes_at": CLOSES_AT,
        "favor": {"tiers": ({"from_quantity": 30, "percent_off": 10},)},
    }
    found = GroupPurchase.model_validate(said | fields)
    state: dict[str, Any] = {"quantity": 34, "value": 81_600, "members": 9, "version": 1}
    request_id = found.request_id
    return [
        found,
        IdIssued(request_id=request_id, group_id=group_id, issued_at=NOW),
        PurchaseState(group_id=group_id, request_id=request_id, status="open", **state),
    ]


def auction(**fields: Any) -> Auction:
    shown = {"offer_id": "o-1", "seller_id": "s-nord"}
    said = {
        "auction_id": "a-1",
        "version": 1,
        "status": "open",
        "product": PRODUCT | {"name": "Compact camera"},
        "opened_by": "s-nord",
        "opened_at": NOW - timedelta(days=1),
        "shown": shown | {"unit_price": 90_000, "minimum_reservations": 50},
        "currency": "EUR",
        "minimum_step": 1,
        "reservations": 12,
        "applicants": 9,
        "invites_at": NOW + timedelta(days=3),
        "closes_at": CLOSES_AT,
    }
    return Auction.model_validate(said | fields)


def contract() -> list[Message]:
    """An auction that was concluded, and the group purchase that it came to."""
    concluded = auction(
        auction_id="a-2",
        status="concluded",
        group_request_id="au-a-2",
        closes_at=NOW - timedelta(hours=1),
    )
    end = ContractConcluded(
        auction_id="a-2",
        at=NOW - timedelta(hours=1),
        shown=concluded.shown,
        currency="EUR",
        reservations=60,
        applicants=40,
        version=2,
        group_request_id="au-a-2",
    )
    terms: dict[str, Any] = {
        "request_id": "au-a-2",
        "seller_id": "s-nord",
        "shop_id": None,
        "organizer": {"id": "s-nord"},
        "product": concluded.product,
        "unit_price": 90_000,
        "favor": {},
    }
    return [concluded, end, *group("GB-C", **terms)]


KEYS: list[Message] = [
    key_fact("shop", "tea-house"),
    key_fact("shop", "coffee"),
    key_fact("seller", "s-nord"),
    key_fact("seller", "s-new"),
]
WORLD: list[Message] = [
    *(*IMAGES, *KEYS, shop(), seller(), definition(), *group(), auction(), *contract()),
    seller(
        seller_id="s-new", standing="pending", standings=({"standing": "pending", "since": NOW},)
    ),
]


@contextmanager
def shop_on(url: str, **settings: Any) -> Iterator[Storefront]:
    """A storefront on a read model that gets what the storefront itself writes as facts."""
    with storefront_on(url, **settings) as made:
        send = Sender.send

        async def projected(self: Sender, topic: Topic, *messages: Message, **given: Any) -> None:
            await send(self, topic, *messages, **given)
            await write(url, *(each for each in messages if type(each) in TOPIC_OF))

        with patch.object(Sender, "send", projected):
            yield made
