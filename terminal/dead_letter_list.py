"""Dead letters for ops, each with the task that tells whether and how it was settled."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from runtime.follower import partitions_of
from runtime.records import (
    LETTER_LEFT_OUT,
    LETTER_OF_BATCH,
    InputRecord,
    OutputRecord,
    in_range,
    instant,
)
from runtime.settings import Settings
from schemas.ops import (
    ABOUT_MAX,
    DEAD_LETTERS,
    PROBLEM_MAX,
    TASKS,
    Outcome,
    Task,
    next_version,
    record_task_id,
)
from schemas.reasons import OrderReason
from terminal import topics
from terminal.console import Mistake, Step, progress, when

#: Headers that say where a dead letter is from.
ABOUT = frozenset(
    {"service", "topic", "partition", "offset", "error", "reason", "task", "attempt"}
    | {"record-timestamp", "last-offset", "unreadable", "letter-content", "left-out-bytes"}
)
State = Literal["open", "done", "all"]


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter's record, its own headers and its task."""

    record: InputRecord
    #: Service, topic (without the prefix), partition, offset, error, attempt, and the
    #: other headers in ``ABOUT``.
    about: dict[str, str]
    #: The latest task for it; older dead letters have none until they are done.
    task: Task | None = None

    @property
    def place(self) -> str:
        """Its partition and offset in the topic of dead letters, as ops type it."""
        return f"{self.record.partition}/{self.record.offset}"

    @property
    def source(self) -> str:
        """Where it came from."""
        place = "/".join(self.about.get(name, "?") for name in ("topic", "partition", "offset"))
        last = self.about.get("last-offset")
        return place if last in (None, self.about.get("offset")) else f"{place}-{last}"

    @property
    def at(self) -> datetime:
        """Its own time."""
        return instant(in_range(self.record.timestamp))

    @property
    def sent_at_ms(self) -> int:
        """The time of the source record, in milliseconds."""
        said = self.about.get("record-timestamp", "")
        return int(said) if topics.is_number(said) else self.record.timestamp

    @property
    def task_id(self) -> str:
        """The id of its task: the one it names, else by the place of its record."""
        place = (self.about.get(name, "") for name in ("topic", "partition", "offset"))
        return self.about.get("task") or record_task_id(*place)

    @property
    def is_done(self) -> bool:
        """Whether it was replayed or purged."""
        return self.task is not None and self.task.done_at is not None

    @property
    def is_purged(self) -> bool:
        """Whether it was purged, but is still on the topic because an older one is."""
        return self.is_done and self.task is not None and self.task.outcome == "purged"

    @property
    def done(self) -> str:
        """How and when it was done; empty if it is open."""
        if self.task is None or self.task.done_at is None:
            return ""
        return f"{self.task.outcome or 'done'} already at {when(self.task.done_at)}"

    def why_not_replayed(self, *, is_mended: bool, again: bool = False) -> str:
        """Why the dead letter can't be sent again as a record; empty if it can."""
        if self.is_purged:
            return f"dead letter {self.place} was purged"
        if self.is_done and not again:
            return f"dead letter {self.place} was {self.done}: add --again to send it once more"
        return self._why_not_as_it_is(is_mended=is_mended)

    def _why_not_as_it_is(self, *, is_mended: bool) -> str:
        content = self.about.get("letter-content")
        if content == LETTER_OF_BATCH.decode():
            return (
                f"dead letter {self.place} is a whole batch that can't be read, not a record:"
                f" ask the sender of {self.about.get('topic')} to send its records again"
            )
        if content == LETTER_LEFT_OUT.decode() and self.record.key is None:
            return (
                f"dead letter {self.place} has neither key nor value, as they were too large:"
                f" ask the sender of {self.about.get('topic')} to send the record again"
            )
        if content == LETTER_LEFT_OUT.decode() and not is_mended:
            return (
                f"dead letter {self.place} has no value, as it was too large: give one with --value"
            )
        if self.about.get("reason") == OrderReason.MISTYPED_GROUP and not is_mended:
            return (
                f"dead letter {self.place} names a group by something that is not an id:"
                " give a corrected value with --value"
            )
        return ""

    def as_json(self) -> dict[str, Any]:
        """Everything but the value."""
        done_at = self.task.done_at if self.task is not None else None
        return {
            "id": self.place,
            "at": self.at.isoformat(),
            "key": topics.as_text(self.record.key),
            **{k: int(v) if topics.is_number(v) else v for k, v in self.about.items()},
            "bytes": len(self.record.value or b""),
            "state": "done" if self.is_done else "open",
            "outcome": self.task.outcome if self.task is not None else None,
            "done_at": done_at.isoformat() if done_at is not None else None,
        }


@dataclass(frozen=True)
class Wanted:
    """A filter of dead letters; None matches all. ``since`` is inclusive, ``until`` is not."""

    reason: str | None = None
    topic: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: State = "all"

    def includes(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is among them."""
        return (
            self.reason in (None, letter.about.get("reason"))
            and self.topic in (None, letter.about.get("topic"))
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (self.state == "all" or letter.is_done is (self.state == "done"))
        )

    @property
    def says_which(self) -> bool:
        """Whether anything but the state is given."""
        return any(each is not None for each in (self.reason, self.topic, self.since, self.until))


@dataclass(frozen=True)
class Found:
    """All dead letters, the oldest first, and open tasks whose dead letter is gone."""

    letters: list[DeadLetter]
    expired: list[Task]

    def at(self, places: Sequence[str]) -> list[DeadLetter]:
        """The dead letters at these places. Raises ``Mistake`` if one is missing."""
        known = {letter.place: letter for letter in self.letters}
        missing = [place for place in places if place not in known]
        if missing:
            raise Mistake(
                f"there is no dead letter {missing[0]}: `jointbuy dead-letters list --state all`"
                " lists them as partition/offset",
                usage=True,
            )
        return [known[place] for place in dict.fromkeys(places)]

    def of_task(self, task_id: str) -> list[DeadLetter]:
        """The dead letters of a task, the oldest first. Raises ``Mistake`` if there are none."""
        found = [letter for letter in self.letters if letter.task_id == task_id]
        if not found:
            raise Mistake(
                f"no dead letter is of the task {task_id}: `jointbuy todo` lists tasks, and"
                " `jointbuy dead-letters list --state all` what is kept",
                usage=True,
            )
        return found


def read(settings: Settings) -> Found:
    """Read the dead letters with their tasks."""
    with progress("reading dead letters") as step:
        return asyncio.run(_read(settings, step))


async def _read(settings: Settings, step: Step) -> Found:
    # Tasks first: each is committed with its dead letter, which so is found after it.
    tasks: dict[str, Task] = {}
    async for record in topics.read(settings, partitions_of(settings, TASKS)):
        message = topics.message_of(settings, TASKS, record)
        if isinstance(message, Task) and _is_latest(message, tasks):
            tasks[message.task_id] = message
    partitions = partitions_of(settings, DEAD_LETTERS)
    letters = [
        _letter(settings, each, tasks) async for each in topics.read(settings, partitions, step)
    ]
    held = {letter.task_id for letter in letters}
    expired = [
        task
        for task in tasks.values()
        if task.kind == "record" and task.done_at is None and task.task_id not in held
    ]
    # The sort is stable: letters of one time stay in the order of partition and offset.
    return Found(sorted(letters, key=lambda each: each.record.timestamp), expired)


def _is_latest(task: Task, tasks: Mapping[str, Task]) -> bool:
    """Whether a task is the latest word: of two writers, the later one may have been read first."""
    known = tasks.get(task.task_id)
    return known is None or task.version >= known.version


def _letter(settings: Settings, record: InputRecord, tasks: dict[str, Task]) -> DeadLetter:
    ours = record.headers[_begin(record) :]
    about = {name: text for name, text in topics.as_texts(ours).items() if name in ABOUT}
    about["topic"] = settings.without_prefix(about.get("topic", ""))
    bare = DeadLetter(record, about)
    return replace(bare, task=tasks.get(bare.task_id))


def own_headers(record: InputRecord) -> list[tuple[str, bytes]]:
    """The headers of the source record."""
    return list(record.headers[: _begin(record)])


def _begin(record: InputRecord) -> int:
    """Where our headers begin: with the last ``service``. The record's own may have any name."""
    names = [name for name, _ in record.headers]
    return len(names) - 1 - names[::-1].index("service") if "service" in names else len(names)


# --- tasks and deletion --------------------------------------------------------------------------


def done_records(
    settings: Settings,
    letters: Iterable[DeadLetter],
    expired: Collection[Task],
    outcome: Outcome,
    now: datetime,
) -> list[OutputRecord]:
    """The tasks of dead letters that are done, and of those that are gone, as records."""
    done = {letter.task_id: _task(letter) for letter in letters}
    tasks = [_closed(task, outcome, now) for task in done.values()]
    tasks += [_closed(task, "expired", now) for task in expired]
    return [topics.record_of(settings, TASKS, task, now) for task in tasks]


def _task(letter: DeadLetter) -> Task:
    """Its task; one is made for a dead letter that has none."""
    if letter.task is not None:
        return letter.task
    return Task(
        task_id=letter.task_id,
        kind="order" if "task" in letter.about else "record",
        about=letter.source[:ABOUT_MAX],
        reason=letter.about.get("reason", "")[:ABOUT_MAX],
        problem=letter.about.get("error", "")[:PROBLEM_MAX],
        since=letter.at,
    )


def _closed(task: Task, outcome: Outcome, now: datetime) -> Task:
    """The task as done. After a purge it does not repeat the dead letter's problem."""
    said = {"problem": ""} if outcome == "purged" else {}
    more = {"done_at": now, "outcome": outcome, "version": next_version(task.version, now)}
    return task.model_copy(update=more | said)


def to_delete(
    letters: Sequence[DeadLetter], doomed: Collection[DeadLetter], ends: dict[int, int]
) -> dict[int, int]:
    """The offset up to which each partition can be deleted: the oldest one that stays.

    ``doomed`` are purged now; those that were purged before are deleted, too. ``ends`` are the ends
    of the partitions before the dead letters were read, so later ones stay.
    """
    places = {letter.place for letter in doomed}
    stay: dict[int, int] = {}
    for letter in letters:
        if letter.place not in places and not letter.is_purged:
            number, offset = letter.record.partition, letter.record.offset
            stay[number] = min(stay.get(number, offset), offset)
    touched = {int(place.partition("/")[0]) for place in places}
    return {number: stay.get(number, ends[number]) for number in sorted(touched)}
