"""The status of a web process, for ops."""

from collections import defaultdict
from typing import Any

from prometheus_client import REGISTRY

from services.storefront.readmodel.database import DatabaseError
from services.storefront.web.refusals import REFUSALS_TOTAL
from services.storefront.web.shop import Shop


async def unready(shop: Shop) -> str:
    """Why the process can't show pages; empty if it can."""
    try:
        await shop.reader.api_key("none")
    except DatabaseError as error:
        return str(error)
    return ""


async def status(shop: Shop) -> dict[str, Any]:
    """The state of the read model, streams, limits and the sender."""
    return {
        "read_model": await _read_model(shop),
        "streams": {"open": shop.hub.streams, "most": shop.settings.streams},
        "rates": {
            "reads_per_minute": shop.settings.reads_per_minute,
            "writes_per_minute": shop.settings.writes_per_minute,
            "refused": int(REGISTRY.get_sample_value(REFUSALS_TOTAL, {"status": "429"}) or 0),
        },
        "sender": shop.sender.status(),
    }


async def _read_model(shop: Shop) -> dict[str, Any]:
    """By topic, the offsets that the read model has, and how many records the log has after them.

    ``behind`` covers only the topics that this process reads from the log itself.
    """
    try:
        stored = await shop.reader.positions()
    except DatabaseError as error:
        return {"problem": str(error)}
    positions: dict[str, int] = defaultdict(int)
    behind: dict[str, int] = defaultdict(int)
    for (topic, _), offset in sorted(stored.items()):
        positions[topic] += offset
    for place, end in shop.hub.positions.items():
        topic, _ = place
        behind[topic] += max(end - stored.get(place, 0), 0)
    return {"positions": positions, "behind": behind, "all_behind": sum(behind.values())}
