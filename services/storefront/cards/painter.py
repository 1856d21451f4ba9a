"""Cards are drawn outside the event loop, one after the other, with a limited queue."""

from functools import partial
from hashlib import sha256

from schemas.refusals import RefusalCode
from services.storefront.background import Background
from services.storefront.cards.card import DRAWING, Card, png_of
from services.storefront.cards.faces import Faces

#: Most cards being drawn or waiting; each takes 10 to 40 ms.
INSIDE_MAX = 20


class Painter:
    """Draws cards for one web process. Raises ``OSError`` for a font file that can't be read."""

    def __init__(self, fonts: tuple[str, ...] = ()) -> None:
        self.faces = Faces(fonts)
        self._background = Background("cards", INSIDE_MAX, RefusalCode.TOO_MANY_CARDS)

    async def png(self, card: Card) -> bytes:
        """The picture. Raises ``NotNow`` if too many cards are requested at once."""
        return await self._background.run(partial(png_of, card, self.faces))

    def close(self) -> None:
        """Draw nothing more."""
        self._background.close()


def tag_of(card: Card) -> str:
    """A card's entity tag: another one if anything on the card is."""
    return f'"{DRAWING}-{sha256(repr(card).encode()).hexdigest()[:16]}"'
