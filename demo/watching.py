"""Feeding commands and watching facts as they come, each step with a deadline."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from runtime.clients import producer
from runtime.follower import Follower, partitions_of
from runtime.records import Partitioner, as_record
from runtime.settings import Settings
from runtime.transport import send
from schemas.auctions import AUCTIONS, SELLERS
from schemas.favors import FAVORS
from schemas.groups import REQUEST_OUTCOMES
from schemas.letters import DELIVERIES, NOTICES
from schemas.orders import PURCHASES
from schemas.parts import Message

STEP_SECONDS_MAX = 40.0
WATCHED = (SELLERS, AUCTIONS, REQUEST_OUTCOMES, PURCHASES, FAVORS, NOTICES, DELIVERIES)


class MissingStep(Exception):
    """Something the story tells did not happen in time."""


class Stage:
    """What is sent, and every fact seen so far by key.

    ``slowness`` is by how much longer than on a machine with time a step is waited for.
    """

    def __init__(self, settings: Settings, slowness: float) -> None:
        self._settings = settings
        self._patience_seconds = STEP_SECONDS_MAX * slowness
        self._sender: AIOKafkaProducer = producer(settings)
        self._follower = Follower(settings)
        self._seen: dict[tuple[str, str], dict[str, Any]] = {}
        self._changed = asyncio.Condition()
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Stage":
        await self._sender.start()
        await self._follower.start(
            *(place for each in WATCHED for place in partitions_of(self._settings, each))
        )
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._following is not None:
            self._following.cancel()
        await self._follower.stop()
        await self._sender.stop()

    async def _follow(self) -> None:
        while True:
            batch = await self._follower.batch(wait_ms=500)
            async with self._changed:
                for record in batch:
                    name = record.topic.removeprefix(self._settings.topic_prefix)
                    value = orjson.loads(record.value)
                    # A recipient gets many letters: each is kept.
                    key = value.get("notice_id") or record.key.decode()
                    self._seen[name, key] = value
                self._changed.notify_all()

    async def send(self, topic: str, *messages: Message) -> None:
        """Send commands as a terminal or a shop would."""
        name, partitioner = self._settings.topic(topic), Partitioner(self._settings.partitions)
        now_ms = int(time.time() * 1000)
        records = [as_record(message, name, partitioner, now_ms) for message in messages]
        await send(self._sender, records)

    def fact(self, topic: str, key: str) -> dict[str, Any] | None:
        """The latest fact of a key, if one was seen."""
        return self._seen.get((topic, key))

    def keys(self, topic: str, prefix: str) -> list[str]:
        """What stands behind ``prefix`` in the keys seen, in order of first sight."""
        return [
            key.removeprefix(prefix)
            for name, key in self._seen
            if name == topic and key.startswith(prefix)
        ]

    def letters(self, kind: str, about: str) -> dict[str, list[dict[str, Any]]]:
        """What letters of a kind about a group or auction say, by the recipient's id there."""
        found: dict[str, list[dict[str, Any]]] = {}
        for (name, _), value in self._seen.items():
            if name == NOTICES.name and (value["kind"], value["about"]) == (kind, about):
                found.setdefault(value["says"]["party_id"], []).append(value["says"])
        return found

    def notices(self) -> dict[str, dict[str, Any]]:
        """Every notice so far by its id."""
        return {key: value for (name, key), value in self._seen.items() if name == NOTICES.name}

    async def until_letters(self, kind: str, about: str, recipients: Collection[str]) -> None:
        """Wait until these have a letter of a kind; nobody else may have one."""

        def all_told() -> bool:
            return set(self.letters(kind, about)) >= set(recipients)

        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_seconds), self._changed:
                await self._changed.wait_for(all_told)
        told = sorted(self.letters(kind, about))
        if told != sorted(recipients):
            raise MissingStep(f"letters {kind} to {sorted(recipients)}; they are for {told}")

    async def until(
        self,
        what: str,
        topic: str,
        key: str,
        holds: Callable[[dict[str, Any]], bool] = lambda _: True,
    ) -> dict[str, Any]:
        """Wait for a fact; raises ``MissingStep`` when it does not come in time."""

        def there() -> bool:
            found = self.fact(topic, key)
            return found is not None and holds(found)

        try:
            async with asyncio.timeout(self._patience_seconds), self._changed:
                await self._changed.wait_for(there)
        except TimeoutError:
            raise MissingStep(f"{what}; last seen: {self.fact(topic, key)}") from None
        return self._seen[topic, key]
