"""What the demo sells, and who: pictures drawn at run time, a shop, and sellers' contacts."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw

from schemas.images import Image
from schemas.parts import Product
from schemas.shops import Shop
from services.storefront.wares.pictures import encoded

SIZE = (1_200, 800)
SHOP_ID = "leaf-and-cup"
SITE = "https://leaf-and-cup.example"

Pen = ImageDraw.ImageDraw


def _drawn(ground: str, draw: Callable[[Pen], None]) -> Image:
    """A drawing as the topic of images has it."""
    picture = Pillow.new("RGB", SIZE, ground)
    draw(ImageDraw.Draw(picture))
    file = BytesIO()
    picture.save(file, "PNG")
    made = encoded(file.getvalue())
    return Image(
        image_id=made.image_id,
        media_type=made.media_type,
        width=made.width,
        height=made.height,
        data=b64encode(made.data).decode(),
    )


def _cup(pen: Pen) -> None:
    pen.ellipse((250, 610, 950, 720), fill="#c9d8cf")
    pen.arc((740, 330, 950, 540), -90, 90, fill="#f6f2e8", width=44)
    pen.rounded_rectangle((330, 280, 870, 660), radius=150, fill="#f6f2e8")
    pen.ellipse((330, 220, 870, 350), fill="#ffffff")
    pen.ellipse((362, 240, 838, 334), fill="#7fae4e")
    for left in (480, 600, 720):
        pen.arc((left - 50, 60, left + 10, 150), 90, 270, fill="#8fa99b", width=12)
        pen.arc((left - 50, 110, left + 10, 200), -90, 90, fill="#8fa99b", width=12)


def _leaf(pen: Pen) -> None:
    pen.polygon([(250, 650), (420, 230), (960, 140), (820, 560)], fill="#5d8f3a")
    pen.line([(180, 720), (900, 190)], fill="#3d6b24", width=16)
    for share in (0.3, 0.5, 0.7):
        x, y = 180 + 720 * share, 720 - 530 * share
        pen.line([(x, y), (x + 20, y - 150)], fill="#3d6b24", width=9)
        pen.line([(x, y), (x + 170, y + 20)], fill="#3d6b24", width=9)


def _camera(pen: Pen) -> None:
    pen.ellipse((220, 610, 980, 700), fill="#c5cad3")
    pen.rounded_rectangle((500, 160, 740, 300), radius=30, fill="#1d232c")
    pen.rounded_rectangle((220, 230, 980, 650), radius=60, fill="#2a323e")
    pen.rectangle((220, 330, 980, 560), fill="#1d232c")
    pen.ellipse((420, 260, 780, 620), fill="#3c4655")
    pen.ellipse((470, 310, 730, 570), fill="#10151c")
    pen.ellipse((530, 370, 670, 510), fill="#31507a")
    pen.ellipse((550, 385, 600, 435), fill="#a9c6ee")
    pen.ellipse((860, 260, 930, 310), fill="#c9402f")


CUP, LEAF = _drawn("#e3efe6", _cup), _drawn("#f3f0e2", _leaf)
CAMERA_IMAGE = _drawn("#e6e9ee", _camera)
IMAGES = (CUP, LEAF, CAMERA_IMAGE)

TEA = Product(
    id="tea-1kg",
    name="Sencha, 1 kg",
    description=(
        "First flush from **Shizuoka**, harvested this year.\n\n"
        "## How to brew\n\n- 70 °C, two minutes\n- good for three infusions\n"
    ),
    url=f"{SITE}/sencha",
    images=(CUP.image_id, LEAF.image_id),
    category="Tea",
    tags=("organic", "Japan"),
)
CAMERA = Product(
    id="gr-iv",
    name="Ricoh GR IV camera",
    description="A compact camera for the pocket.\n\n- new, in its box\n- two years of guarantee\n",
    images=(CAMERA_IMAGE.image_id,),
    category="Cameras",
)


def shop() -> Shop:
    """The shop of the group purchases."""
    return Shop(
        shop_id=SHOP_ID,
        name="Leaf & Cup",
        email="hello@leaf-and-cup.example",
        at=datetime.now(UTC),
        version=1,
        url=SITE,
        order_link=f"{SITE}/cart?add={{product_id}}&note={{group_id}}",
        logo=LEAF.image_id,
        postal_address="Leaf & Cup\nGartenweg 3\n10115 Berlin",
        phone="+49 30 1234567",
        terms_url=f"{SITE}/terms",
        privacy_url=f"{SITE}/privacy",
        imprint_url=f"{SITE}/imprint",
        delivery="By parcel within three days. Free from 40 EUR, else 3.90 EUR.",
    )


def business_of(seller: str) -> dict[str, Any]:
    """How a seller of the auction presents itself."""
    site = f"https://{seller}-foto.example"
    return {
        "url": site,
        "order_link": f"{site}/order?group={{group_id}}",
        "postal_address": f"{seller.title()} Foto\nHafenstr. 1\n20457 Hamburg",
        "phone": "+49 40 7654321",
        "terms_url": f"{site}/terms",
        "imprint_url": f"{site}/imprint",
        "delivery": "By parcel within five days, at no cost.",
    }
