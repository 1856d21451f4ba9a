"""Reading on in topics without a consumer group: every web process sees every record.

Unlike the runtime's, this follower survives lost connections, missing topics and lost offsets.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from runtime.batches import note_unreadable
from runtime.broker_watch import BrokerWatch
from runtime.clients import consumer, is_being_cancelled
from runtime.lasting_errors import Judge
from runtime.records import InputRecord, Unreadable, offset_after
from runtime.settings import Settings
from schemas.topic import Topic
from services.storefront.live.feeds import Place

#: How often topics that were not there are looked for.
LOOK_SECONDS = 2.0
PAUSE_SECONDS_MAX = 5.0
#: Records taken between two turns of the event loop: some milliseconds of work.
RECORDS_MAX = 500
_log = structlog.get_logger()


class Follower:
    """Reads topics from their ends on, once, whatever becomes of the connection.

    ``take`` gets each record with its topic. ``begin`` is told where reading of a partition begins,
    and once more, with ``lost``, when offsets that were to be read are no longer there.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[Topic],
        watch: BrokerWatch,
        take: Callable[[Topic, InputRecord], None],
        begin: Callable[[Place, int, bool], None],
    ) -> None:
        self.positions: dict[Place, int] = {}
        self.positioned = asyncio.Event()
        self._settings = settings
        self._topics = {settings.topic(topic.name): topic for topic in topics}
        self._watch = watch
        self._judge = Judge()
        self._take = take
        self._begin = begin
        self._looked = False

    async def run(self) -> None:
        """Read until cancelled; a lost connection is made anew, and reading goes on behind it."""
        pause = 0.1
        while True:
            await self._watch.until_there()
            reader = consumer(self._settings, offset_reset="none")
            try:
                await reader.start()
                pause = 0.1
                await self._read(reader)
            except asyncio.CancelledError:
                if is_being_cancelled():
                    raise
            except Exception as error:  # pages stay open, and reading goes on
                await self._note(error)
            finally:
                with suppress(KafkaError):
                    await reader.stop()
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

    async def _note(self, error: Exception) -> None:
        """Log the error if the broker answers; end the process if the error is lasting."""
        if (failure := self._judge.stays(error, time.monotonic())) is not None:
            self._watch.give_up(failure)
        elif await self._watch.look():
            _log.warning("a stream is followed anew", error=f"{type(error).__name__}: {error}")

    async def _read(self, reader: AIOKafkaConsumer) -> None:
        loop = asyncio.get_running_loop()
        missing, look_at = set(self._topics), 0.0
        while True:
            if missing and loop.time() >= look_at:
                missing = await self._look(reader, missing)
                look_at = loop.time() + LOOK_SECONDS
                self.positioned.set()
            if len(missing) == len(self._topics):
                # A fetch of nothing would not come back.
                await asyncio.sleep(LOOK_SECONDS)
                continue
            try:
                fetched = await reader.getmany(timeout_ms=1_000, max_records=RECORDS_MAX)
            except OffsetOutOfRangeError as error:
                await self._lost(reader, error.args[0])
                continue
            for place, records in fetched.items():
                self._take_all(place, records)
            # getmany() may return without yielding, so yield here.
            await asyncio.sleep(0)

    async def _look(self, reader: AIOKafkaConsumer, missing: set[str]) -> set[str]:
        """Assign the topics that are there now; the first time from their ends.

        A topic is never asked for before it is there: asking may make it.
        """
        found = missing & set(await reader.topics())
        if not found:
            self._looked = True
            return missing
        read = set(self._topics) - missing | found
        places = {
            TopicPartition(name, number): (self._topics[name].name, number)
            for name in read
            for number in range(self._settings.partitions)
        }
        reader.assign(list(places))
        new = [each for each, place in places.items() if place not in self.positions]
        # Topics that appear later are read from their first record.
        ends = {} if self._looked or not new else await reader.end_offsets(new)
        self._looked = True
        for each, place in places.items():
            if place not in self.positions:
                self.positions[place] = ends.get(each, 0)
                self._begin(place, self.positions[place], False)
            reader.seek(each, self.positions[place])
        return missing - found

    def _take_all(self, place: TopicPartition, records: list[Any]) -> None:
        topic = self._topics[place.topic]
        for record in records:
            if isinstance(record, Unreadable):
                note_unreadable(record)
            else:
                self._take(topic, record)
            self.positions[topic.name, place.partition] = offset_after(record)

    async def _lost(self, reader: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
        """Read on at the first record there is."""
        first = await reader.beginning_offsets(list(offsets))
        for each, offset in first.items():
            place = (self._topics[each.topic].name, each.partition)
            _log.error("records are gone", place=place, wanted=offsets[each], first=offset)
            self.positions[place] = offset
            reader.seek(each, offset)
            self._begin(place, offset, True)
