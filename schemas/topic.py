"""A topic: its name, messages, writers, readers and settings on the broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Union

from pydantic import Field, TypeAdapter

from schemas.parts import Message, TimePassed

#: How many partitions each topic has if the deployment says nothing else. All have one number, so
#: that equal keys meet.
PARTITIONS = 4
RECORD_BYTES_MAX = 900_000
COMMANDS_KEPT = timedelta(days=30)
COMPACTION_LAG = timedelta(days=7)
FOR_EVER = str(2**63 - 1)
#: Dead letters that expire, and people who are erased, are deleted at most so much later.
EXPIRY_STEP = timedelta(days=1)
#: How long after its tombstone a record of ``compaction_in_time`` is still on the broker, if more
#: records follow.
ERASED_WITHIN = COMPACTION_LAG + EXPIRY_STEP

Kind = Literal["command", "fact", "step", "ops"]


@dataclass(frozen=True, eq=False)
class Topic:
    """One topic.

    ``kind`` is ``command`` (written from outside, kept for a time), ``fact`` (one writer, kept for
    ever), ``step`` (between two processors of one service, kept as commands are) or ``ops``.
    ``key`` says in words what a record's key is. A topic without messages carries raw bytes.
    """

    name: str
    kind: Kind
    key: str
    messages: tuple[type[Message], ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    purpose: str
    compacted: bool = False
    #: The message that a record without a value stands for; its one field is the key.
    tombstone: type[Message] | None = None

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Validates a value of this topic; ``type`` decides which message it is."""
        types = self.messages + ((TimePassed,) if self.kind == "command" else ())
        types += (self.tombstone,) if self.tombstone else ()
        if len(types) == 1:
            return TypeAdapter(types[0])
        union: Any = Annotated[Union[types], Field(discriminator="type")]  # noqa: UP007
        return TypeAdapter(union)

    def settings(self, *, log_time: bool, dead_letter_days: int = 0) -> Mapping[str, str]:
        """The topic's configuration on the broker; times in the log may be of any year if so.

        Dead letters are kept for so many days, counted from when they are written; 0 is for ever,
        and so is any number where times may be of any year.
        """
        # A dead letter is a record of another topic with more headers.
        size = {"max.message.bytes": str((3 if self.kind == "ops" else 2) * 1024 * 1024)}
        lag = _milliseconds(COMPACTION_LAG)
        kept = "-1" if self.kind == "ops" else _milliseconds(COMMANDS_KEPT)
        if log_time:
            # Both lags use the records' own time, which here does not show their age.
            lag, kept = FOR_EVER, "-1"
            size["message.timestamp.after.max.ms"] = FOR_EVER
        if self.compacted:
            compacts = size | {"cleanup.policy": "compact", "min.compaction.lag.ms": lag}
            if self.tombstone is None or log_time:
                return compacts
            return compacts | compaction_in_time()
        deleted = size | {"cleanup.policy": "delete", "retention.ms": kept}
        if self.kind == "ops" and dead_letter_days and not log_time:
            deleted |= {
                "retention.ms": _milliseconds(timedelta(days=dead_letter_days)),
                "segment.ms": _milliseconds(EXPIRY_STEP),
                # A dead letter has the time of its record, which may be of any year.
                "message.timestamp.type": "LogAppendTime",
            }
        return deleted


def compaction_in_time() -> dict[str, str]:
    """Settings of a compacted topic from which records must go soon after their tombstones.

    Without them, Kafka compacts a topic with few new records when it likes.
    """
    return {
        "max.compaction.lag.ms": _milliseconds(COMPACTION_LAG),
        "segment.ms": _milliseconds(EXPIRY_STEP),
    }


def _milliseconds(span: timedelta) -> str:
    return str(span // timedelta(milliseconds=1))
