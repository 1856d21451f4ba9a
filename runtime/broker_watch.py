"""Asks the broker every two seconds whether it answers, and whether the process's topics stand.

aiokafka retries silently for ever when a topic is deleted or access to it is refused, and logs
hundreds of lines a second when the broker does not answer. So each process has one watch. It logs
one line when the broker stops answering, one a minute until it answers and one when it answers
again. ``/readyz`` has the same text. The watch ends the process for an error that needs a person.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from runtime.clients import metadata_client
from runtime.lasting_errors import LASTING_EXIT_CODE, LastingError, PassingError, lasting
from runtime.metadata import asked
from runtime.security import access_of
from runtime.settings import Settings
from schemas.topic import Topic

LOOK_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 5.0
#: Seconds between two lines while the broker does not answer.
TOLD_SECONDS: Final = 60.0
#: A broker that has just started may not know its topics yet.
MISSING_SECONDS: Final = 10.0
_TOPIC_REFUSED: Final = TopicAuthorizationFailedError.errno
_log = structlog.get_logger()


class Outage:
    """Logs when the broker stops answering, then once a minute, and when it answers again."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._since: float | None = None
        self._told = 0.0

    def away(self, error: BaseException, now: float, why: str = "") -> None:
        """The broker did not answer at ``now`` (seconds of a monotonic clock).

        ``why`` is what the last connection failed by, of which aiokafka's error says nothing.
        """
        if self._since is None:
            self._since, event = now, "the broker does not answer: check KAFKA_BOOTSTRAP_SERVERS"
        elif now - self._told >= TOLD_SECONDS:
            event = "the broker still does not answer"
        else:
            return
        self._told = now
        _log.warning(
            event,
            bootstrap_servers=self._servers,
            seconds=round(now - self._since),
            error=why or str(error) or type(error).__name__,
        )

    def back(self, now: float) -> None:
        """The broker answered at ``now``."""
        if self._since is not None:
            _log.warning(
                "the broker answers again",
                bootstrap_servers=self._servers,
                seconds=round(now - self._since),
            )
        self._since = None


class Topics:
    """Judges each answer of the broker about the topics that a process needs; no I/O.

    ``wanted`` has each topic's number of partitions by its name on the broker.
    """

    def __init__(self, wanted: Mapping[str, int]) -> None:
        self._wanted = wanted
        self._seen: set[str] = set()
        self._missing_since: dict[str, float] = {}
        self.missing: list[str] = []

    def look(self, found: Mapping[str, int], refused: set[str], now: float) -> LastingError | None:
        """Note a look at ``now`` (seconds): partitions of the topics found, and those refused.

        Returns the error if one is refused, has another number of partitions, or was there before
        and has been missing for ``MISSING_SECONDS``.
        """
        wrong: dict[str, int] = {}
        for name, wanted in self._wanted.items():
            if name in refused:
                return lasting(TopicAuthorizationFailedError(name))
            if name not in found:
                since = self._missing_since.setdefault(name, now)
                if name in self._seen and now - since >= MISSING_SECONDS:
                    return LastingError(
                        f"topic {name} is gone: restore it from a replica or a backup; a worker"
                        " that starts without it creates an empty one"
                    )
                continue
            self._seen.add(name)
            self._missing_since.pop(name, None)
            if found[name] != wanted:
                wrong[name] = found[name]
        if wrong:
            return other_partitions(wrong, {n: self._wanted[n] for n in found})
        self.missing = [name for name in self._wanted if name in self._missing_since]
        return None


def partitions(count: int) -> str:
    """``1 partition``, ``4 partitions``."""
    return "1 partition" if count == 1 else f"{count} partitions"


def other_partitions(wrong: Mapping[str, int], wanted: Mapping[str, int]) -> LastingError:
    """The error for topics with another number of partitions: keys would no longer meet."""
    said = ", ".join(
        f"topic {name} has {partitions(found)}, but {wanted[name]} are needed"
        for name, found in wrong.items()
    )
    # If all topics of keys have another number, it may be the setting that is wrong.
    known = ""
    of_keys = {name: count for name, count in wanted.items() if count != 1}
    if wrong.keys() == of_keys.keys() and len(counts := {*wrong.values()}) == 1:
        known = f"set PARTITIONS={counts.pop()} if the deployment has so many; else "
    return LastingError(
        f"{said}: {known}move the records to a topic with as many, or use another TOPIC_PREFIX; if"
        " the broker created it automatically, set auto.create.topics.enable=false"
    )


def wanted_of(settings: Settings, *topics: Topic) -> dict[str, int]:
    """The number of partitions of each topic by its name on the broker."""
    return {settings.topic(topic.name): settings.partitions for topic in topics}


class BrokerWatch:
    """The watch of a process; ``run`` it beside the work."""

    def __init__(self, settings: Settings, wanted: Mapping[str, int]) -> None:
        self._settings = settings
        self._servers = settings.kafka_bootstrap_servers
        self._access = access_of(settings)
        self._wanted = wanted
        self._topics = Topics(wanted)
        self._outage = Outage(self._servers)
        self._client: Any = None
        self._there = asyncio.Event()
        self._failing: list[BaseException] = []
        self._failed = asyncio.Event()
        self._looking = asyncio.Lock()
        self._is_missing_told = False

    async def run(self) -> None:
        """Look until cancelled, or until an error needs a person: see ``exit_if_failed``."""
        try:
            while not self._failing:
                await self.look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._failed.wait(), LOOK_SECONDS)
        finally:
            await self._disconnect()

    async def look(self) -> bool:
        """Ask the broker now; returns whether it answers."""
        async with self._looking:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    found, refused = await self._ask()
            except (KafkaError, OSError, LastingError) as error:
                await self._disconnect()
                self._there.clear()
                if (failure := lasting(error) or self._access.refusal) is not None:
                    self.give_up(failure)
                else:
                    self._outage.away(error, time.monotonic(), self._access.why)
                return False
            self._outage.back(time.monotonic())
            if self._access.refusal is not None:
                self.give_up(self._access.refusal)
            self._there.set()
            if (failure := self._topics.look(found, refused, time.monotonic())) is not None:
                self.give_up(failure)
            self._name_missing()
            return True

    def _name_missing(self) -> None:
        """Log once which topics have never been there; pages are shown without them."""
        if self._topics.missing and not self._is_missing_told:
            self._is_missing_told = True
            _log.warning(
                "topics do not exist yet: a worker creates them; if none does, check TOPIC_PREFIX",
                missing=self._topics.missing,
            )

    async def until_there(self, stopping: asyncio.Event | None = None) -> bool:
        """Wait until the broker answers, or ``stopping``, or the process is about to end.

        Returns whether the broker answered at once.
        """
        answers = await self.look()
        if answers or self._failing:
            return answers
        events = [self._there, self._failed, *([stopping] if stopping is not None else [])]
        ends = [asyncio.ensure_future(each.wait()) for each in events]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ends:
                each.cancel()
        return False

    def unready(self) -> str:
        """Why the process can't work; empty if the broker answers and no error needs a person."""
        if self._failing:
            return f"not ready: {self._failing[0]}"
        if not self._there.is_set():
            return f"not ready: no broker answers at {self._servers}"
        return ""

    # --- what ends the process -------------------------------------------------------------------

    def give_up(self, error: BaseException) -> None:
        """End the process for this error; the first one counts."""
        if not self._failing:
            self._failing.append(error)
            self._failed.set()

    async def failed(self) -> None:
        """Wait until an error needs a person."""
        await self._failed.wait()

    def exit_if_failed(self) -> None:
        """Log why the process ends and exit, if anything failed; its last line.

        A lasting error is one line, with the exit code
        ``LASTING_EXIT_CODE``. Any other is 1: a ``PassingError`` is one line, too, and the rest are
        bugs, with their traceback.
        """
        if not self._failing:
            return
        error = self._failing[0]
        is_told = isinstance(error, LastingError | PassingError)
        about = getattr(error, "about", {})
        _log.error(
            "the worker stops", error=str(error), exc_info=None if is_told else error, **about
        )
        sys.exit(LASTING_EXIT_CODE if isinstance(error, LastingError) else 1)

    # --- the broker ------------------------------------------------------------------------------

    async def _ask(self) -> tuple[dict[str, int], set[str]]:
        """The partitions of each of our topics that is there, and the names of those refused."""
        if self._client is None:
            await self._connect()
        try:
            told = await self._send()
        except (KafkaError, OSError):
            # One broker of several may not answer; a new connection asks the others.
            await self._disconnect()
            await self._connect()
            told = await self._send()
        found: dict[str, int] = {}
        refused: set[str] = set()
        for code, name, _, partitions in told.topics:
            if code == _TOPIC_REFUSED:
                refused.add(name)
            elif code == 0:
                found[name] = len(partitions)
        return found, refused

    async def _send(self) -> Any:
        return await asked(self._client, self._wanted, self._client.get_random_node())

    async def _connect(self) -> None:
        self._client = metadata_client(
            self._settings, request_timeout_ms=int(ANSWER_SECONDS * 1000)
        )
        await self._client.bootstrap()

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(KafkaError, OSError):
                await client.close()
