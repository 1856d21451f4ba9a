"""What the doctor asks each shop: whether it takes our key, by its smallest question."""

import asyncio
from typing import Final

import httpx

from domain.findings import Finding
from runtime.checkup import Check, Here, told
from services.shop_bridge.edge.caller import door_of
from services.shop_bridge.edge.door import NotNowError, NotTakenError
from services.shop_bridge.rules import looks
from services.shop_bridge.rules.translations.payloads import GarbledError, UnreadableError
from services.shop_bridge.shops import BridgeSettings, Shop, ShopsError, read_shops


async def shops(here: Here) -> list[Finding]:
    """A finding for each shop of SHOPS."""
    try:
        known = read_shops(here.settings(BridgeSettings))
    except ShopsError as error:
        return [Finding("shops", "SHOPS", "fail", str(error), "Correct it, docs/shops.md.")]
    if not known:
        return [Finding("shops", "SHOPS", "skipped", "no shops are set here")]
    return list(await asyncio.gather(*(_shop(each, here) for each in known)))


async def _shop(shop: Shop, here: Here) -> Finding:
    about = ("shops", shop.name)
    # Sooner than the deadline of all shops, so that a silent one does not hide the others.
    door = door_of(shop, here.seconds * 0.8)
    if door is None:
        said = "it sends orders and is asked nothing, so there is no key to try"
        return Finding(*about, "skipped", said)
    try:
        return looks.judged(shop.name, await door.look(), shop.domain, shop.favors)
    except NotNowError as error:
        return Finding(*about, "warn", f"not now: {error}", "Run the doctor again later.")
    except NotTakenError as error:
        remedy = "Copy its key into SHOPS again, and check what the key may do: docs/shops.md."
        return Finding(*about, "fail", str(error), remedy)
    except (httpx.HTTPError, OSError) as error:
        remedy = "Check the shop's address in SHOPS, and that the shop runs."
        return Finding(*about, "fail", f"no answer: {told(error)}", remedy)
    except (GarbledError, UnreadableError) as error:
        remedy = "Check that its address in SHOPS is that of the shop's API."
        return Finding(*about, "fail", f"its answer can't be read: {told(error)}", remedy)
    finally:
        await door.stop()


CHECKS: Final = (Check("shops", "SHOPS", shops),)
