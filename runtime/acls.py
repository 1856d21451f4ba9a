"""What to type when the broker refuses something: the ACL to add, as a command of Kafka."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import errors
from aiokafka.errors import KafkaError

#: The option of kafka-acls.sh that names what an error refuses, and what we do with it.
KINDS: Final[dict[type[KafkaError], tuple[str, tuple[str, ...]]]] = {
    errors.TopicAuthorizationFailedError: ("topic", ("Describe",)),
    errors.GroupAuthorizationFailedError: ("group", ("Read",)),
    errors.TransactionalIdAuthorizationFailed: ("transactional-id", ("Describe", "Write")),
    errors.ClusterAuthorizationFailedError: ("cluster", ("IdempotentWrite",)),
}
#: Our transactional ids end with the partition: one ACL is for all of a group.
_PARTITION: Final = re.compile(r"-\d+$")


@dataclass
class Identity:
    """Who this process is to the broker, for the lines that it writes."""

    principal: str = ""
    servers: str = ""
    #: What it does with each topic, by the topic's name on the broker.
    needs: dict[str, tuple[str, ...]] = field(default_factory=dict)


#: A process has one: its environment says who it is.
US: Final = Identity()


def note_needs(read: Iterable[str] = (), write: Iterable[str] = ()) -> None:
    """Say what this process does with topics, by their names on the broker."""
    reads, writes = {*read}, {*write}
    for name in reads | writes:
        does = (("Read", name in reads), ("Write", name in writes))
        US.needs[name] = tuple(operation for operation, is_done in does if is_done)


def operation_of(modules: Iterable[str]) -> str:
    """``Read`` or ``Write``, by the modules that an error about a topic came through."""
    found = {*modules}
    if any(each.startswith("aiokafka.consumer") for each in found):
        return "Read"
    if "runtime.transport" in found or any(each.startswith("aiokafka.producer") for each in found):
        return "Write"
    return ""


def asked_by(error: KafkaError, operation: str = "") -> str:
    """What to do about an error that refuses a right; empty for other errors."""
    if type(error) not in KINDS:
        return ""
    kind, operations = KINDS[type(error)]
    names = sorted(_names(error.args))
    if operation and (kind == "topic" or operation == "Create"):
        operations = (operation,)
    elif kind == "topic":
        # Which topics are hidden, the broker tells, and what for they are needed, we know.
        by_needs: dict[tuple[str, ...], list[str]] = {}
        for name in names:
            by_needs.setdefault(US.needs.get(name, operations), []).append(name)
        return "; ".join(_command(kind, needs, of) for needs, of in by_needs.items())
    return _command(kind, operations, names)


def _command(kind: str, operations: tuple[str, ...], names: list[str]) -> str:
    words = ["kafka-acls.sh", "--bootstrap-server", US.servers or "HOST:PORT", "--add"]
    words += ["--allow-principal", US.principal or "User:NAME"]
    for each in operations:
        words += ["--operation", each]
    if kind == "cluster":
        words.append("--cluster")
    elif kind == "transactional-id" and names:
        names = sorted({_PARTITION.sub("-", each) for each in names})
        words += [word for each in names for word in (f"--{kind}", each)]
        words += ["--resource-pattern-type", "prefixed"]
    else:
        words += [word for each in names or ["NAME"] for word in (f"--{kind}", each)]
    who = US.principal or "its user"
    return f"allow {who} {' and '.join(operations)}: {shlex.join(words)}"


def _names(arguments: Iterable[Any]) -> set[str]:
    found: set[str] = set()
    for each in arguments:
        is_many = isinstance(each, set | frozenset | list | tuple)
        found |= {str(name) for name in each} if is_many else {str(each)}
    return found
