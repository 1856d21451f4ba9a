"""Pictures of products and logos, as they are stored and served."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from schemas.parts import ImageId, Message
from schemas.topic import Topic

#: Bytes of a stored image, before Base64.
IMAGE_BYTES_MAX = 300_000
#: The longer side of a stored image, in pixels.
IMAGE_SIDE_MAX = 1_600

Side = Annotated[int, Field(ge=1, le=IMAGE_SIDE_MAX)]


class Image(Message):
    """An image that the storefront has encoded anew, so it holds pixels and nothing else.

    ``data`` is Base64 (RFC 4648) of the bytes whose SHA-256 is ``image_id``.
    """

    type: Literal["Image"] = "Image"
    image_id: ImageId
    media_type: Literal["image/webp", "image/jpeg", "image/png"]
    width: Side
    height: Side
    data: Annotated[str, StringConstraints(max_length=4 * (IMAGE_BYTES_MAX + 2) // 3 + 4)]
    keyed_by: ClassVar[str] = "image_id"


IMAGES = Topic(
    name="images",
    kind="fact",
    key="image_id",
    messages=(Image,),
    producers=("storefront",),
    consumers=("storefront",),
    purpose="Pictures of products and logos, by the hash of their bytes.",
    compacted=True,
)
