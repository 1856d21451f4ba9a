"""``jointbuy waiting``: messages that wait for a group, an auction or a person, and until when.

Rows that wait are read from the changelogs of the services that keep them, as of their last commit.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import typer
from aiokafka import TopicPartition

from runtime.clients import admin
from runtime.metadata import counts_of
from runtime.rows import Waiting
from runtime.running_stack import settings_here
from runtime.settings import Settings
from terminal import topics
from terminal.console import (
    Step,
    cell,
    mistakes,
    print_json,
    print_table,
    progress,
    say,
    table,
    when,
)
from terminal.options import AsJson

#: The services with waiting messages, and the changelogs of their rows.
CHANGELOGS = {
    "order_service": "order_service-purchases-changelog",
    "payment_service": "payment_service-payments-changelog",
    "auction_service": "auction_service-auction-changelog",
    "notifier": "notifier-letters-changelog",
}
_TABLE = b"\x00waiting/"
_decode = msgspec.json.Decoder(Waiting).decode


@dataclass
class Key:
    """A key with waiting messages at a service."""

    service: str
    key: str
    rows: list[Waiting] = field(default_factory=list)

    @property
    def since(self) -> datetime:
        """When the oldest message came."""
        return min(row.arrived_at for row in self.rows)

    @property
    def until(self) -> datetime | None:
        """When the last message is given up."""
        return max((row.until for row in self.rows if row.until is not None), default=None)

    @property
    def kinds(self) -> str:
        """The number of messages by type; a service may not know the type."""
        kinds = Counter(row.type or "orders or purchasers" for row in self.rows)
        return ", ".join(name if n == 1 else f"{n} {name}" for name, n in kinds.items())

    def as_json(self) -> dict[str, Any]:
        """The key with its waiting messages."""
        until = self.until
        return {
            "service": self.service,
            "key": self.key,
            "since": self.since.isoformat(),
            "until": until.isoformat() if until is not None else None,
            "records": [
                {
                    "type": row.type or None,
                    "place": row.place or None,
                    "since": row.arrived_at.isoformat(),
                    "until": row.until.isoformat() if row.until is not None else None,
                }
                for row in self.rows
            ],
        }


@mistakes()
def waiting(as_json: AsJson = False) -> None:
    """Show messages that wait for an unknown group or auction, and notices without an address.

    After an hour a message is refused or becomes a dead letter, and a letter is given up.
    """
    with progress("reading waiting messages") as step:
        found = asyncio.run(_read(settings_here(), step))
    if as_json:
        print_json([key.as_json() for key in found])
        return
    if not found:
        say("no message waits for a group, an auction or an address")
        return
    made = table("Key", "Service", "What", "Since", "Until")
    for key in found:
        made.add_row(
            *map(cell, (key.key, key.service, key.kinds, when(key.since), when(key.until)))
        )
    print_table(made)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(waiting)


async def _read(settings: Settings, step: Step) -> list[Key]:
    async with topics.connected(admin(settings), settings) as client:
        there = await counts_of(client._client, [*map(settings.topic, CHANGELOGS.values())])
    found: list[Key] = []
    for service, changelog in CHANGELOGS.items():
        name = settings.topic(changelog)
        if name in there:
            partitions = [TopicPartition(name, number) for number in range(settings.partitions)]
            found += await _of(service, settings, partitions, step)
    return sorted(found, key=lambda each: (each.since, each.service, each.key))


async def _of(
    service: str, settings: Settings, partitions: list[TopicPartition], step: Step
) -> list[Key]:
    latest: dict[bytes, bytes] = {}
    async for record in topics.read(settings, partitions, step):
        row_key = record.key or b""
        if _TABLE not in row_key:
            continue
        if record.value is None:
            latest.pop(row_key, None)
        else:
            latest[row_key] = record.value
    keys: dict[str, Key] = {}
    for row_key, value in latest.items():
        key = row_key.partition(b"\x00")[0].decode("utf-8", "replace")
        keys.setdefault(key, Key(service, key)).rows.append(_decode(value))
    return list(keys.values())
