"""What ops are told of a web process."""

from collections import defaultdict
from typing import Any

from prometheus_client import REGISTRY

from services.storefront.api.answering import REFUSALS_TOTAL
from services.storefront.model.database import DatabaseError
from services.storefront.shop import Shop


async def unready(shop: Shop) -> str:
    """Why pages can't be shown; empty if they can."""
    try:
        await shop.reader.api_key("none")
    except DatabaseError as error:
        return str(error)
    return ""


async def status(shop: Shop) -> dict[str, Any]:
    """How the read model, streams, limits and the sender stand."""
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
    """By topic, the offsets that it has read, and how many records the log has beyond them.

    ``behind`` is measured by what this process has read of the log itself: of those topics alone.
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
