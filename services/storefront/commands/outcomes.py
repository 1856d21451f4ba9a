"""Messages to topics, and the facts that answer them.

A message is sent once its record is acknowledged. Its outcome is a fact, which can be read as soon
as the read model holds it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from schemas.parts import Message
from schemas.topic import Topic
from services.storefront.commands.sender import Sender
from services.storefront.live.hub import Hub
from services.storefront.readmodel.reader import Reader

T = TypeVar("T")
M = TypeVar("M", bound=Message)

LOOK_SECONDS = 0.03
#: How long a command waits until the thing that it names is in the read model.
NAMED_SECONDS = 1.0


class Outcomes:
    """Sends messages and waits for their outcomes, for at most ``seconds`` each."""

    def __init__(self, sender: Sender, hub: Hub, reader: Reader, seconds: float) -> None:
        self.seconds = seconds
        self._sender = sender
        self._hub = hub
        self._reader = reader

    async def send(self, topic: Topic, *messages: Message) -> None:
        """Send messages and wait for no outcome. Raises ``TransportError``."""
        await self._sender.send(topic, *messages)

    async def ask(
        self,
        topic: Topic,
        *messages: Message,
        answers: tuple[Topic, str] | list[tuple[Topic, str]],
        when: Callable[[Message], bool] | None = None,
    ) -> Message | None:
        """Send, and wait for an answer under one of these keys; ``None`` when it takes longer.

        The answer can be read from then on, unless the read model lags by seconds.
        """
        keys = [answers] if isinstance(answers, tuple) else answers
        deadline = asyncio.get_running_loop().time() + self.seconds
        with self._hub.expect(keys[0][0], *(key for _, key in keys), when=when) as outcome:
            await self.send(topic, *messages)
            answer = await outcome.within(self.seconds)
        if answer is not None:
            left = deadline - asyncio.get_running_loop().time()
            await self.readable(keys[0][0], [answer], left)
        return answer

    async def tell(self, topic: Topic, fact: M) -> M:
        """Send a fact of our own; it can be read from then on, as above."""
        await self.tell_all(topic, [fact])
        return fact

    async def tell_all(self, topic: Topic, facts: Sequence[Message]) -> None:
        """The same of several facts, within the seconds of one."""
        if not facts:
            return
        await self.send(topic, *facts)
        await self.readable(topic, facts, self.seconds)

    async def readable(self, topic: Topic, facts: Sequence[Message], seconds: float) -> None:
        """Wait until the read model holds facts, or newer ones of their keys, at most so long."""
        versions = {fact.key: getattr(fact, "version", 1) for fact in facts}

        async def held() -> bool | None:
            found = await self._reader.facts_of(topic.name, list(versions))
            are_there = all(
                key in found and getattr(found[key], "version", 1) >= version
                for key, version in versions.items()
            )
            return are_there or None

        await self.look(held, seconds)

    async def named(self, find: Callable[[], Awaitable[T | None]]) -> T | None:
        """What a command names, or ``None`` if the read model does not get it within a second.

        The services would wait a minute for it, and a person who mistyped it would wait as well.
        """
        return await self.look(find, min(self.seconds, NAMED_SECONDS))

    async def look(self, find: Callable[[], Awaitable[T | None]], seconds: float) -> T | None:
        """Ask again and again until something is found, at most so long."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        pause = LOOK_SECONDS
        while (found := await find()) is None and loop.time() < ends:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.25)
        return found


def now() -> datetime:
    """The wall clock; commands are dated by it."""
    return datetime.now(UTC)
