"""Which errors pass without help, and which need a person; pure.

aiokafka's ``retriable`` is not enough: a fenced producer is not retriable, but a new session solves
it. Some errors come only as the text of a plain ``KafkaError``.
"""

import errno
import os
import re
from collections.abc import Iterator
from typing import Final

from aiokafka import errors
from aiokafka.errors import KafkaError

from runtime import acls

#: The exit code after a lasting error. From sysexits.h: a configuration error.
LASTING_EXIT_CODE: Final = 78

_ALLOW: Final = "allow it in the broker's ACLs"
_RECORD: Final = "raise max.message.bytes of the topic, and message.max.bytes of the broker"
_UPDATE: Final = "update the broker: Apache Kafka 2.1 or newer is needed"
_SIGN_IN: Final = "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
_MECHANISM: Final = "set KAFKA_SASL_MECHANISM to one that the broker has"
_TOKEN: Final = "give this process credentials that the broker accepts"
_GROUP: Final = "set a TOPIC_PREFIX of your own"
_MAKE: Final = "change the broker's rule, or create the topic yourself"

#: The meaning and the remedy of errors for which no retry helps.
LASTING: Final[dict[type[KafkaError], tuple[str, str]]] = {
    errors.TopicAuthorizationFailedError: ("the broker refuses access to a topic", _ALLOW),
    errors.GroupAuthorizationFailedError: ("the broker refuses access to a group", _ALLOW),
    errors.ClusterAuthorizationFailedError: ("the broker refuses access to the cluster", _ALLOW),
    errors.TransactionalIdAuthorizationFailed: ("the broker refuses a transactional id", _ALLOW),
    errors.DelegationTokenAuthorizationFailed: ("the broker refuses a delegation token", _ALLOW),
    errors.SaslAuthenticationFailed: ("the broker refuses our credentials", _SIGN_IN),
    errors.AuthenticationFailedError: ("the broker refuses our credentials", _SIGN_IN),
    errors.AuthenticationMethodNotSupported: (
        "the broker does not support this way to sign in",
        _MECHANISM,
    ),
    errors.UnsupportedSaslMechanismError: (
        "the broker does not support this way to sign in",
        _MECHANISM,
    ),
    errors.IllegalSaslStateError: (
        "the broker requires another way to sign in",
        "check KAFKA_SECURITY_PROTOCOL",
    ),
    errors.DelegationTokenAuthDisabled: ("the broker does not accept delegation tokens", _TOKEN),
    errors.DelegationTokenNotFound: ("the broker does not know our delegation token", _TOKEN),
    errors.DelegationTokenOwnerMismatch: ("the delegation token belongs to another user", _TOKEN),
    errors.DelegationTokenRequestNotAllowed: ("the broker refuses a delegation token", _TOKEN),
    errors.DelegationTokenExpired: ("the delegation token has expired", _TOKEN),
    errors.InvalidPrincipalType: ("the broker refuses our kind of user", _TOKEN),
    errors.SecurityDisabled: (
        "the broker has no security features",
        "use a listener without authentication",
    ),
    errors.UnsupportedCodecError: (
        "records are compressed in a way that can't be read here",
        "install aiokafka with its codecs: pip install 'aiokafka[all]'",
    ),
    errors.UnsupportedVersionError: ("the broker is too old", _UPDATE),
    errors.IncompatibleBrokerVersion: ("the broker is too old", _UPDATE),
    errors.UnrecognizedBrokerVersion: ("the broker's version is unknown", _UPDATE),
    errors.UnsupportedForMessageFormatError: ("the broker's message format is too old", _UPDATE),
    errors.KafkaConfigurationError: ("the client is configured wrongly", "correct the settings"),
    errors.MessageSizeTooLargeError: ("a record is larger than its topic allows", _RECORD),
    errors.RecordListTooLargeError: ("records are larger than their topic allows", _RECORD),
    errors.RecordTooLargeError: ("a record is larger than a fetch may be", _RECORD),
    errors.InvalidTimestampError: (
        "the broker refuses a record's timestamp",
        "raise message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic",
    ),
    errors.InvalidTopicError: ("the broker refuses a topic's name", "correct TOPIC_PREFIX"),
    errors.InvalidPartitionsError: ("the broker refuses a topic's partitions", _MAKE),
    errors.InvalidReplicationFactorError: (
        "the broker can't keep so many replicas",
        "set REPLICATION_FACTOR to the number of brokers or fewer",
    ),
    errors.InvalidReplicationAssignmentError: ("the broker refuses a topic's replicas", _MAKE),
    errors.InvalidConfigurationError: ("the broker refuses a topic's configuration", _MAKE),
    errors.PolicyViolationError: ("a policy of the broker refuses a topic", _MAKE),
    errors.InvalidRequiredAcksError: ("the broker refuses acks=all", _UPDATE),
    errors.InvalidGroupIdError: ("the broker refuses the name of a group", "correct TOPIC_PREFIX"),
    errors.InconsistentGroupProtocolError: ("another program is in our consumer group", _GROUP),
    errors.InvalidSessionTimeoutError: (
        "the broker refuses the session time-out",
        "set KAFKA_SESSION_TIMEOUT_MS to what its group.min.session.timeout.ms and"
        " group.max.session.timeout.ms allow",
    ),
    errors.InvalidTransactionTimeout: (
        "the broker refuses the transaction time-out",
        "raise its transaction.max.timeout.ms to 60000 or more",
    ),
    errors.OffsetMetadataTooLargeError: ("the broker refuses an offset's metadata", _UPDATE),
    errors.InvalidCommitOffsetSizeError: ("the broker refuses so many offsets", _UPDATE),
}

#: Errors that may pass, but are lasting if they repeat.
DOUBTFUL: Final[dict[type[KafkaError], tuple[str, str]]] = {
    errors.CorruptRecordException: (
        "the broker says that records are corrupt",
        "look at its log; restore the topic from a replica or a backup",
    ),
    errors.UnknownError: ("the broker reports an unknown error", "look at its log"),
    errors.InvalidFetchRequestError: ("the broker refuses a fetch", "look at its log"),
    errors.InvalidRequestError: ("the broker refuses a request", "look at its log"),
    errors.LogDirNotFound: ("the broker has lost a folder of its log", "look at its log"),
}

#: Errors of the file system for which no retry helps.
_OF_FILES: Final = {
    errno.EACCES: "give this user write access",
    errno.EPERM: "give this user write access",
    errno.EROFS: "mount it so that it can be written",
    errno.ENOTDIR: "move the file away: a folder is needed there",
    errno.EISDIR: "move the folder away: a file is needed there",
    errno.EEXIST: "move the file away: a folder is needed there",
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some disk space",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EIO: "look at the disk",
    errno.ELOOP: "correct the symbolic links",
    errno.ENAMETOOLONG: "use a shorter path",
}
_NAMED: Final = re.compile(r"\b([A-Z][A-Za-z]+)\(")


class LastingError(Exception):
    """An error that needs a person: one line with the problem, the place and what to do."""


class PassingError(Exception):
    """An error that a later start may solve: one line with the problem and what to do."""


def lasting(error: BaseException, operation: str = "") -> LastingError | None:
    """The error as a line for ops if no retry helps; ``None`` if it may pass without help.

    ``operation`` is what an ACL must allow, where the caller knows it.
    """
    for each in _causes(error):
        if isinstance(each, LastingError):
            return each
        if (told := LASTING.get(type(each))) is not None:
            asked = acls.asked_by(each, operation or acls.operation_of(_modules(error)))
            return _line((told[0], asked) if asked else told, each)
        if isinstance(each, OSError) and (found := of_files(each)) is not None:
            return found
    return None


def refused_right(error: BaseException) -> LastingError | None:
    """The error as a line for ops, if the broker refuses to let a record be written."""
    is_right = any(type(each) in acls.KINDS for each in _causes(error))
    return lasting(error, "Write") if is_right else None


def doubtful(error: BaseException) -> LastingError | None:
    """The error as a line for ops, if it is lasting when it repeats."""
    for each in _causes(error):
        if (told := DOUBTFUL.get(type(each))) is not None:
            return _line(told, each)
    return None


def of_files(error: OSError) -> LastingError | None:
    """A file system's error as a line for ops; ``None`` if it is the network's or may pass."""
    advice = _OF_FILES.get(error.errno or 0)
    if advice is None or (error.filename is None and error.errno != errno.ENOSPC):
        return None
    where = error.filename if error.filename is not None else "the disk"
    return LastingError(f"{where} can't be used: {os.strerror(error.errno or 0)}: {advice}")


def of_rows(path: object, error: Exception) -> LastingError | None:
    """RocksDB's error as a line for ops, if it tells of the file system; it has no number."""
    text = str(error)
    if "lock" in text.lower() and "No such" not in text:
        return LastingError(
            f"the rows in {path} are in use by another process: give each worker a STATE_DIR of"
            " its own, or end the other one"
        )
    for number, advice in _OF_FILES.items():
        if os.strerror(number) in text:
            return LastingError(
                f"the rows in {path} can't be kept: {os.strerror(number)}: {advice}, or set"
                " STATE_DIR to another folder"
            )
    return None


def comes_from_client(error: BaseException) -> bool:
    """Whether aiokafka's own code raised it: also an ``AssertionError`` or a ``KeyError``."""
    module = ""
    for module in _frames(error):  # noqa: B007 - the last one counts
        pass
    return module.split(".")[0] == "aiokafka"


def _frames(error: BaseException) -> Iterator[str]:
    """The modules that an error came through, from the outside in."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_globals.get("__name__", "")
        trace = trace.tb_next


def _modules(error: BaseException) -> set[str]:
    return {module for each in _causes(error) for module in _frames(each)}


class Patience:
    """Counts how often a doubtful error came in a row."""

    def __init__(
        self, times: int = 5, seconds: float = 20.0, forget_seconds: float = 120.0
    ) -> None:
        self._times, self._seconds, self._forget_seconds = times, seconds, forget_seconds
        self._kind = ""
        self._first = self._last = 0.0
        self._count = 0

    def is_over(self, kind: str, now: float) -> bool:
        """Note that it came at ``now`` (seconds); returns whether it came often and long enough."""
        if kind != self._kind or now - self._last > self._forget_seconds:
            self._kind, self._first, self._count = kind, now, 0
        self._last, self._count = now, self._count + 1
        return self._count >= self._times and now - self._first >= self._seconds


class Judge:
    """Finds lasting errors among the errors of repeated tries."""

    def __init__(self) -> None:
        self._patience = Patience()

    def stays(self, error: BaseException, now: float) -> LastingError | None:
        """The error of ``now`` (seconds) as a line for ops, if it stays.

        A doubtful one stays once it came often and long enough in a row.
        """
        if (failure := lasting(error)) is not None:
            return failure
        failure = doubtful(error)
        is_over = failure is not None and self._patience.is_over(str(failure), now)
        return failure if is_over else None


def _line(told: tuple[str, str], error: BaseException) -> LastingError:
    what, advice = told
    named = ", ".join(_name(each) for each in error.args)
    where = f" ({named})" if named else ""
    return LastingError(f"{what}{where}: {advice} [{type(error).__name__}]")


def _name(argument: object) -> str:
    if isinstance(argument, set | frozenset | list | tuple):
        return ", ".join(sorted(map(str, argument)))
    return " ".join(str(argument).split())


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes, and aiokafka's errors that are only named in its text."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        if type(each) is KafkaError:
            for name in _NAMED.findall(str(each)):
                kind = getattr(errors, name, None)
                if isinstance(kind, type) and issubclass(kind, KafkaError):
                    yield kind()
        each = each.__cause__
