"""How a service declares a processor: its topics, its rows, and which rule answers to what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, TypeVar

from runtime.rows import GivenUp, Rows
from schemas.parts import Message
from schemas.topic import Topic

#: ``rule(message, rows, now, *wholes) -> messages to send``
Rule = Callable[..., Sequence[Message | GivenUp]]
#: A message that some rule takes.
M = TypeVar("M", bound=Message)
#: ``fact(name, rows) -> the fact that the row of that name stands for``
Fact = Callable[..., Message]


def takes(
    message: type[M],
    rule: Callable[Concatenate[M, Rows, datetime, ...], Sequence[Message | GivenUp]],
) -> tuple[type[Message], Rule]:
    """An entry of ``Processor.on``; mypy refuses a rule that takes another message."""
    return message, rule


@dataclass(frozen=True, kw_only=True)
class CallRules:
    """What is done outside for a ``call/<name>…`` row, and what is made of the reply.

    - ``request(row_name, rows, now, *wholes)``: what the service's caller is asked to do.
    - ``settle(row_name, reply, rows, now, *wholes)``: a rule; ``now`` is the wall clock's. It
      deletes the row, or puts it anew to have it done again.
    - ``reply``: the dataclass of the reply.
    - ``server(row_name, rows)``: the name of the server that the call goes to, for people; empty if
      it goes to none. While that server is down, its calls wait without a try.
    - ``about(request)``: for log lines and traces, by name; without personal data.
    """

    request: Callable[..., Any]
    settle: Rule
    reply: type[Any]
    server: Callable[..., str]
    about: Callable[[Any], Mapping[str, str]] = lambda _: {}


@dataclass(frozen=True, kw_only=True)
class Processor:
    """Folds the records of its inputs, one key at a time, into rows, and sends records.

    - ``on``: which rule takes which message, as ``takes`` says: ``rule(message, rows, now,
      *wholes)``.
    - ``due``: which rule a ``due/<name>…`` row calls: ``rule(row_name, rows, now, *wholes)``.
    - ``chunks``: which rule a ``chunk/<name>`` row calls: ``rule(rows, now, *wholes)``.
    - ``calls``: what is done outside for a ``call/<name>…`` row.
    - ``facts``: the fact a table's row stands for, ``fact(row_name, rows)``; sent for every row a
      batch changed, once, before any message that a rule sends after the change; only commands to
      other services, such as letters, and facts of other keys, such as people, may go out before
      it.
    - ``rows``: the dataclass of each table (``due``, ``stash`` and ``call`` need none).
    - ``reads_whole``: compacted topics that every worker reads whole; each is handed to the rules
      as a mapping in key order.

    Rules return the messages to send, in order; the type decides among ``outputs``. A ``GivenUp``
    among them becomes a dead letter. On a broker without transactions a batch is sent topic by
    topic in the order of ``outputs``.
    """

    service: str
    name: str
    inputs: tuple[Topic, ...]
    outputs: tuple[Topic, ...]
    on: Mapping[type[Message], Rule]
    rows: Mapping[str, type[Any]]
    due: Mapping[str, Rule] = field(default_factory=dict)
    chunks: Mapping[str, Rule] = field(default_factory=dict)
    calls: Mapping[str, CallRules] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    reads_whole: tuple[Topic, ...] = ()

    @property
    def group_id(self) -> str:
        """The consumer group, and the stem of transactional ids and of the changelog's name."""
        return f"{self.service}-{self.name}"

    @property
    def changelog(self) -> str:
        """The topic that holds the rows."""
        return f"{self.group_id}-changelog"
