"""What the processor of instructions calls for: one step at one shop, and what came of it."""

import hmac
import logging
import re
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
import structlog

from runtime.breaker import Strained, Unasked, reply_of
from runtime.caller import Lease
from runtime.settings import read_settings
from services.shop_bridge.edge.door import Door, NotNowError, NotTakenError
from services.shop_bridge.edge.metrics import PAID_BACK
from services.shop_bridge.edge.shopify_door import ShopifyDoor
from services.shop_bridge.edge.woo_door import WooDoor
from services.shop_bridge.rules.outbound.rows import Reply, Request
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError
from services.shop_bridge.shops import BridgeSettings, Shop, read_shops

#: When to come again to a shop that is busy with others of ours.
BUSY_SECONDS = 10.0
#: Least pause for a shop without a connection, or with a refused key.
DOWN_SECONDS = 1.0
BARRED_SECONDS = 60.0
CHARGES = "a shop can't charge for an order that it has closed"
TOO_LITTLE = "no order of the payer has as much left"
#: Both shops number their orders; an order may be told by others, too, and its id goes into a path.
_SHOP_S_OWN = re.compile(r"[0-9]{1,20}")
_log = structlog.get_logger()


@dataclass(frozen=True)
class Connected:
    """A shop that may be asked: its door, and the secret of its codes if favors are codes."""

    door: Door
    code_secret: str | None = None


class ShopCaller:
    """Does what is asked at the shops that say how; leaves alone all others."""

    lease = Lease()

    def __init__(
        self,
        shops: Sequence[Shop],
        seconds: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._shops = [shop for shop in shops if shop.favors is not None]
        self._seconds = seconds
        self._transport = transport
        self._connected: dict[str, Connected] = {}

    async def start(self) -> None:
        """Connections are opened when the first instruction needs one."""
        # It would log every address it asks.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._connected = {shop.name: self._connect(shop) for shop in self._shops}

    def _connect(self, shop: Shop) -> Connected:
        door = door_of(shop, self._seconds, self._transport)
        assert door is not None, "who gives favors can be asked"
        asked = shop.admin.token if shop.admin is not None else shop.rest and shop.rest.secret
        secret = asked.get_secret_value() if asked and shop.favors == "code" else None
        return Connected(door, secret)

    async def stop(self) -> None:
        """Disconnect."""
        connected, self._connected = self._connected, {}
        for each in connected.values():
            await each.door.stop()

    def missing(self, server: str) -> str:
        """Empty: another service answers for shops that are not in the settings."""
        return ""

    async def __call__(
        self, request: Request, begin: Callable[[], None]
    ) -> Reply | Strained | Unasked:
        """Do a step, and say what came of it."""
        shop = self._shop_of(request)
        if isinstance(shop, Reply):
            return Unasked(shop)
        async with AsyncExitStack() as turn:
            try:
                await turn.enter_async_context(shop.door.gate)
            except TimeoutError:  # not its turn yet
                return Unasked(Reply("later", seconds=max(shop.door.gate.seconds, BUSY_SECONDS)))
            told = await _step(shop, request, begin)
        PAID_BACK.labels(request.source, reply_of(told).outcome).inc()
        return told

    def _shop_of(self, request: Request) -> Connected | Reply:
        """Who is to be asked, or what is known without a word to anybody."""
        shop = self._connected.get(request.source)
        if request.rest_seconds:
            return Reply("later", seconds=request.rest_seconds)
        if shop is None and (request.source or not self._connected):
            return Reply("elsewhere")
        if request.kind == "charge":
            return Reply(outcome="refused", text=CHARGES)
        if shop is None or not request.amount:
            return Reply(outcome="refused", text=TOO_LITTLE)
        if not _SHOP_S_OWN.fullmatch(request.order_id):
            return Reply(outcome="refused", text="the shop has no such order")
        return shop


def door_of(
    shop: Shop, seconds: float, transport: httpx.AsyncBaseTransport | None = None
) -> Door | None:
    """The door of a shop, or ``None`` if nothing says how it is asked."""
    if shop.admin is not None:
        return ShopifyDoor(shop.admin, shop.domain or "", seconds, transport)
    return None if shop.rest is None else WooDoor(shop.rest, seconds, transport)


async def _step(shop: Connected, request: Request, begin: Callable[[], None]) -> Reply | Strained:
    has_begun = False

    def begins() -> None:
        nonlocal has_begun
        has_begun = True
        begin()

    try:
        if shop.code_secret is not None and request.as_code:
            return await shop.door.code(code_name(shop.code_secret, request.key), request, begins)
        return await shop.door.refund(request, begins)
    except NotNowError as error:
        shop.door.gate.close_for(error.seconds)
        is_open = has_begun and not error.is_certain
        reply = Reply(outcome="again", text=str(error), seconds=error.seconds, is_open=is_open)
        return Strained(reply, str(error), error.seconds)
    except NotTakenError as error:
        _log.error(
            "a shop does not take our requests: are its keys right, and may they refund?",
            source=request.source,
            error=str(error),
        )
        reply = Reply(outcome="ours", text=str(error))
        return Strained(reply, str(error), BARRED_SECONDS) if error.is_for_all else reply
    except (httpx.HTTPError, OSError) as error:
        why = f"no answer: {type(error).__name__}"
        is_down = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        reply = Reply(outcome="again", text=why, is_open=has_begun)
        return Strained(reply, why, DOWN_SECONDS if is_down else 0.0)
    except (GarbledError, UnreadableError) as error:
        return Reply(outcome="again", text=f"an answer can't be read: {error}", is_open=has_begun)


def code_name(secret: str, key: str) -> str:
    """The code for a key: the same each time, and not to be guessed without the shop's secret."""
    digest = hmac.digest(secret.encode(), key.encode(), "sha256")
    text = b32encode(digest[:10]).decode()
    return "-".join(("JB", *(text[at : at + 4] for at in range(0, 16, 4))))


def callers() -> Mapping[str, ShopCaller]:
    """The caller of ``processor``. Raises ``ValueError`` if the shops can't be read."""
    settings = read_settings(BridgeSettings)
    return {"shop": ShopCaller(read_shops(settings), settings.shop_timeout_seconds)}
