"""Commands of images: encode, store, and check that those named are stored."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from schemas.auctions import SELLERS, Seller
from schemas.images import IMAGES, Image
from schemas.parts import Problem
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.access.rates import Rates
from services.storefront.background import Background
from services.storefront.commands.authority import demand
from services.storefront.commands.outcomes import Outcomes
from services.storefront.problems import Impossible, Invalid, NotAllowed, NotAnImage, TooLarge
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.rows import ImageRow
from services.storefront.wares.pictures import (
    FILE_BYTES_MAX,
    PIXELS_MAX,
    Picture,
    PictureError,
    encoded,
)
from texts.reasons import problem

#: Most pictures being encoded or waiting; each takes up to some seconds.
INSIDE_MAX = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture, and whether it can be shown already."""

    picture: Picture
    is_readable: bool


class ImageCommands:
    """Stores pictures. Each command raises a ``Refusal`` if it can't be done."""

    def __init__(self, reader: Reader, outcomes: Outcomes, rates: Rates) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._rates = rates
        self._background = Background("images", INSIDE_MAX, RefusalCode.TOO_MANY_IMAGES)

    def close(self) -> None:
        """Encode nothing more."""
        self._background.close()

    async def store(self, actor: Actor, file: bytes) -> Stored:
        """Store a picture of a product or a logo. The same file again changes nothing."""
        demand(actor, "shop", "seller", "admin")
        if not file:
            raise Invalid(RefusalCode.IMAGE_MISSING)
        if len(file) > FILE_BYTES_MAX:
            raise TooLarge(RefusalCode.BODY_TOO_LARGE, most=FILE_BYTES_MAX)
        if actor.kind == "seller":
            await self._need_good_seller(actor.id)
        # By holder, as a seller may have many keys.
        await self._rates.count("image-bytes", f"{actor.kind}/{actor.id}", len(file))
        picture = await self._encoded(file)
        image_id = picture.image_id
        if not await self._is_there(image_id):
            data = b64encode(picture.data).decode()
            image = Image(
                image_id=image_id,
                media_type=picture.media_type,
                width=picture.width,
                height=picture.height,
                data=data,
            )
            await self._outcomes.send(IMAGES, image)
        found = await self._outcomes.look(partial(self._row, image_id), self._outcomes.seconds)
        return Stored(picture, found is not None)

    async def _need_good_seller(self, seller_id: str) -> None:
        seller = await self._reader.fact(SELLERS.name, seller_id)
        if not isinstance(seller, Seller) or seller.standing != "good":
            # Else anybody who registers could show pictures of any kind at our address.
            raise NotAllowed(RefusalCode.IMAGES_OF_UNAPPROVED)

    async def _encoded(self, file: bytes) -> Picture:
        try:
            return await self._background.run(partial(encoded, file))
        except PictureError as error:
            match error.trouble:
                case "not-an-image":
                    raise NotAnImage(RefusalCode.NOT_AN_IMAGE) from None
                case "too-many-pixels":
                    most = PIXELS_MAX // 1_000_000
                    raise Impossible(RefusalCode.IMAGE_TOO_MANY_PIXELS, most=most) from None
                case _:
                    raise Impossible(RefusalCode.IMAGE_BROKEN) from None

    async def _row(self, image_id: str) -> ImageRow | None:
        return (await self._reader.image_sizes([image_id])).get(image_id)

    async def _is_there(self, image_id: str) -> bool:
        return await self._row(image_id) is not None

    async def problems(self, images: Iterable[tuple[str, str | None]]) -> list[Problem]:
        """A problem for each field that names an image which is not stored."""
        named = [(field, image_id) for field, image_id in images if image_id is not None]
        if not named:
            return []
        ids = {image_id for _, image_id in named}

        async def all_there() -> bool | None:
            return len(await self._reader.image_sizes(ids)) == len(ids) or None

        await self._outcomes.named(all_there)
        there = await self._reader.image_sizes(ids)
        unknown = ProblemCode.UNKNOWN_IMAGE
        return [problem(field, unknown) for field, image_id in named if image_id not in there]

    async def product_problems(self, images: Iterable[str]) -> list[Problem]:
        """The same of a product's images."""
        fields = ((f"product.images[{place}]", each) for place, each in enumerate(images))
        return await self.problems(fields)
