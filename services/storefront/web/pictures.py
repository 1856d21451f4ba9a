"""Stored pictures as they are served: whole, or cut to a small square for lists."""

from functools import partial
from typing import Final

from schemas.refusals import RefusalCode
from services.storefront.background import Background
from services.storefront.readmodel.reader import Reader
from services.storefront.wares.pictures import PictureError, thumbnail
from services.storefront.web.shared import Shared

#: Pixels of a side; lists show half as many, so that sharp screens have enough.
THUMBNAIL_SIDE: Final = 144
#: Most squares being made or waiting; each takes about 20 ms.
INSIDE_MAX: Final = 100
MEDIA_TYPE: Final = "image/webp"

Served = tuple[str, bytes]


class Pictures:
    """The stored pictures of one web process."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._background = Background("thumbnails", INSIDE_MAX, RefusalCode.TOO_MANY_CARDS)
        # A few kB each.
        self._small: Shared[Served | None] = Shared(seconds=3_600.0, size=2_000)

    def close(self) -> None:
        """Make no more squares."""
        self._background.close()

    async def whole(self, image_id: str) -> Served | None:
        """The media type and the bytes of a picture; ``None`` if there is none."""
        return await self._reader.image(image_id)

    async def small(self, image_id: str) -> Served | None:
        """The same of its square. Raises ``NotNow`` if too many are requested at once."""
        return await self._small.get(image_id, partial(self._make, image_id))

    async def _make(self, image_id: str) -> Served | None:
        found = await self.whole(image_id)
        if found is None:
            return None
        try:
            work = partial(thumbnail, found[1], THUMBNAIL_SIDE)
            return MEDIA_TYPE, await self._background.run(work)
        except PictureError:
            return found
