"""Dead letters of a partition: the writing service, tasks, counts and log lines.

An unreadable record reaches every service of its topic; ``schemas.catalogue.buries`` says which of
them writes its dead letter. The others count it and log it. If the rules of one service can't use
a record, that service writes the dead letter.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import orjson
import structlog

from runtime import metrics
from runtime.masking import without_addresses, without_cards
from runtime.records import (
    Encoder,
    InputRecord,
    OutputRecord,
    Partitioner,
    Unreadable,
    dead_letter,
    key_id,
    rfc3339,
)
from runtime.traces import Work
from schemas.catalogue import buries
from schemas.ops import ABOUT_MAX, DEAD_LETTERS, PROBLEM_MAX, TASKS, Task, record_task_id
from schemas.topic import Topic

#: After the first line of a kind, one line sums up the dead letters of so many seconds.
TOLD_SECONDS = 60.0
#: The ``ce_rule`` of a task that the runtime writes.
_RULE = "dead-letter"
_log = structlog.get_logger()


@dataclass(slots=True)
class Buried:
    """Records of a kind that are set aside: the first of them, and their number.

    ``topic`` has no prefix, ``kept`` says where the bytes are. ``about`` has more fields for the
    log line of the first.
    """

    topic: str
    partition: int | str
    offset: int | str
    reason: str
    problem: str
    kept: str = f"in {DEAD_LETTERS.name}"
    count: int = 1
    about: Mapping[str, str] = field(default_factory=dict)


class DeadLetters:
    """Makes the dead letters of a service, each with its task."""

    def __init__(self, service: str, dead_letters: str, partitioner: Partitioner) -> None:
        """``dead_letters`` is the topic's name on the broker; it tells the prefix."""
        self.service = service
        self._dead_letters = dead_letters
        self._tasks = dead_letters.removesuffix(DEAD_LETTERS.name) + TASKS.name
        self._partitioner = partitioner
        self._encoder = Encoder(f"jointbuy/{service}", {Task: self._tasks}, partitioner)

    def of(
        self,
        topic: str,
        record: InputRecord,
        problem: str,
        reason: str,
        now_ms: int,
    ) -> list[OutputRecord]:
        """A record's dead letter, in the record's partition, and its task.

        ``topic`` has no prefix.
        """
        letter = dead_letter(
            self._dead_letters, record.partition, record, self.service, problem, reason, now_ms
        )
        return [letter, self._task(topic, record, problem, reason, now_ms)]

    def _task(
        self, topic: str, record: InputRecord, problem: str, reason: str, now_ms: int
    ) -> OutputRecord:
        """The task as a record. It is put together by hand: in a flood of bad records, checking
        what we write ourselves would cost more than all else (a test holds it to the schema).
        """
        place = f"{topic}/{record.partition}/{record.offset}"
        task_id = record_task_id(topic, record.partition, record.offset)
        said = {
            "type": "Task",
            "task_id": task_id,
            "kind": "record",
            "about": place[:ABOUT_MAX],
            "reason": reason,
            "problem": _for_people(problem),
            "since": rfc3339(now_ms).decode(),
            "version": 1,
        }
        return OutputRecord(
            self._tasks,
            self._partitioner.of_new(task_id),
            task_id.encode(),
            orjson.dumps(said),
            now_ms,
            self._encoder.headers(Task, f"{task_id}@1", now_ms, place, _RULE),
        )


@lru_cache(maxsize=256)  # a flood of bad records has few problems
def _for_people(problem: str) -> str:
    """The problem for a task, masked: it may quote a key with an address or a card number."""
    masked = without_cards(problem.encode("utf-8", "replace")).decode("utf-8", "replace")
    return str(without_addresses(masked))[:PROBLEM_MAX]


class Burying:
    """The dead letters of one partition of a processor.

    ``counts`` are sums since the partition's first record, by ``topic/reason/written``; they are
    kept with its positions. ``written`` is ``yes`` or ``no``: another service writes the letter.
    """

    def __init__(self, letters: DeadLetters, counts: Mapping[str, int]) -> None:
        self.counts = dict(counts)
        #: Those of the batch in hand, by the same names.
        self.open: dict[str, Buried] = {}
        self._unreadable: list[Unreadable] = []
        self._letters = letters

    def bury(
        self, topic: Topic, record: InputRecord, problem: str, reason: str, now_ms: int
    ) -> list[OutputRecord]:
        """The records to send for a record that this service's rules can't use."""
        self._count(topic, record, problem, reason, self._letters.service)
        return self._letters.of(topic.name, record, problem, reason, now_ms)

    def bury_unread(
        self, topic: Topic, record: InputRecord, problem: str, reason: str, now_ms: int
    ) -> list[OutputRecord]:
        """The records to send for an unreadable record: none if another service writes them."""
        if isinstance(record, Unreadable):
            self._unreadable.append(record)
        writer = buries(topic) or self._letters.service
        self._count(topic, record, problem, reason, writer)
        if writer != self._letters.service:
            return []
        return self._letters.of(topic.name, record, problem, reason, now_ms)

    def _count(
        self, topic: Topic, record: InputRecord, problem: str, reason: str, writer: str
    ) -> None:
        is_ours = writer == self._letters.service
        name = f"{topic.name}/{reason}/{'yes' if is_ours else 'no'}"
        self.counts[name] = self.counts.get(name, 0) + 1
        buried = self.open.get(name)
        if buried is not None:
            buried.count += 1
            return
        kept = f"in {DEAD_LETTERS.name}" + ("" if is_ours else f", by {writer}")
        place = record.partition, record.offset
        key = (record.key or b"").decode("utf-8", "replace")
        about = Work(key_id(key), trace=record.headers).told()
        self.open[name] = Buried(topic.name, *place, reason, problem, kept, about=about)

    def committed(self) -> None:
        """The batch is durable: name its dead letters in the log."""
        for record in self._unreadable:
            metrics.UNREADABLE.labels(record.topic, record.reason).inc()
        now = time.monotonic()
        for buried in self.open.values():
            TELLER.note(buried, now)
        self.open, self._unreadable = {}, []


class Teller:
    """Log lines about dead letters: the first of a kind at once, then a count each minute.

    A kind is a topic and a reason. After a minute without one, the next counts as the first.
    """

    def __init__(self) -> None:
        #: By kind: the time of its last line, on the monotonic clock, and the number since.
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        self._next = 0.0

    def note(self, buried: Buried, now: float) -> None:
        """Log dead letters, or add their number to the next count."""
        kind = (buried.topic, buried.reason)
        if kind in self._told:
            since, count = self._told[kind]
            self._told[kind] = (since, count + buried.count)
            return
        self._told[kind] = (now, buried.count - 1)
        self._next = min(each for each, _ in self._told.values()) + TOLD_SECONDS
        _log.error(
            "a record is set aside",
            topic=buried.topic,
            partition=buried.partition,
            offset=buried.offset,
            reason=buried.reason,
            problem=buried.problem,
            kept=buried.kept,
            **buried.about,
        )

    def tell(self, now: float, *, is_last: bool = False) -> None:
        """Log the counts whose minute is over, or all of them; cheap when there are none."""
        if not self._told or (now < self._next and not is_last):
            return
        for kind, (since, count) in list(self._told.items()):
            if now - since < TOLD_SECONDS and not is_last:
                continue
            if not count:
                del self._told[kind]
                continue
            topic, reason = kind
            self._told[kind] = (now, 0)
            _log.error(
                "more records are set aside",
                topic=topic,
                reason=reason,
                count=count,
                seconds=round(now - since),
            )
        self._next = min((each for each, _ in self._told.values()), default=now) + TOLD_SECONDS


#: One for the process: its partitions share lines.
TELLER = Teller()
