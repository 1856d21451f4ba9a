"""Which errors pass by themselves, and which stay until somebody acts."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import aiokafka
import pytest
from aiokafka import errors
from aiokafka.errors import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from runtime.clients import TransportError, ends_session
from runtime.lasting_errors import (
    DOUBTFUL,
    LASTING,
    Judge,
    LastingError,
    Patience,
    comes_from_client,
    doubtful,
    lasting,
    of_rows,
)

#: aiokafka's errors that opening anew may mend, ``retriable`` or not: those of fenced producers,
#: of groups that form anew, and of the way to the broker.
PASSING = {
    "BrokerNotAvailableError", "BrokerResponseError", "Cancelled", "CommitFailedError",
    "ConcurrentTransactions", "ConsumerStoppedError", "CorrelationIdError",
    "DuplicateSequenceNumber", "FetchSessionIdNotFound", "CoordinatorLoadInProgressError",
    "CoordinatorNotAvailableError", "GroupCoordinatorNotAvailableError", "GroupIdNotFound",
    "GroupLoadInProgressError", "IllegalArgumentError", "IllegalGenerationError",
    "IllegalStateError", "InvalidFetchSessionEpoch", "InvalidProducerEpoch",
    "InvalidProducerIdMapping", "InvalidTxnState", "KafkaConnectionError", "KafkaError",
    "KafkaProtocolError", "KafkaStorageError", "KafkaTimeoutError", "KafkaUnavailableError",
    "LeaderNotAvailableError", "ListenerNotFound", "MemberIdRequired", "MetadataEmptyBrokerList",
    "NoBrokersAvailable", "NoError", "NodeNotReadyError", "NoOffsetForPartitionError",
    "NonEmptyGroup", "NotControllerError", "NotCoordinatorError", "NotCoordinatorForGroupError",
    "NotEnoughReplicasAfterAppendError", "NotEnoughReplicasError", "NotLeaderForPartitionError",
    "OffsetOutOfRangeError", "OperationNotAttempted", "OutOfOrderSequenceNumber", "ProducerClosed",
    "ProducerFenced", "QuotaViolationError", "ReassignmentInProgress", "RebalanceInProgressError",
    "ReplicaNotAvailableError", "RequestTimedOutError", "StaleControllerEpochError",
    "StaleLeaderEpochCodeError", "StaleMetadata", "TooManyInFlightRequests",
    "TopicAlreadyExistsError", "TransactionCoordinatorFenced", "UnknownMemberIdError",
    "UnknownProducerId", "UnknownTopicOrPartitionError",
}  # fmt: skip


def kinds(kind: type[KafkaError] = KafkaError) -> set[type[KafkaError]]:
    """aiokafka's errors of this kind."""
    mine = {kind} if kind.__module__ == "aiokafka.errors" else set()
    return mine.union(*(kinds(each) for each in kind.__subclasses__()))


def test_each_error_of_the_client_is_sorted_once() -> None:
    """A new version of aiokafka may have new errors: somebody has to look at them."""
    sorted_out = [{each.__name__ for each in table} for table in (LASTING, DOUBTFUL)] + [PASSING]
    known = {each.__name__ for each in kinds()}
    assert known <= set().union(*sorted_out)
    for at, names in enumerate(sorted_out):
        for others in sorted_out[at + 1 :]:
            assert not names & others


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda each: each.__name__))
def test_an_error_is_a_line_exactly_if_it_stays(kind: type[KafkaError]) -> None:
    error = kind("orders")
    told = lasting(error)
    assert (told is not None) == (kind in LASTING)
    assert (doubtful(error) is not None) == (kind in DOUBTFUL)
    if told is not None:
        assert len(str(told).splitlines()) == 1
        assert "orders" in str(told)
        assert ": " in str(told)
        assert kind.__name__ in str(told)


def test_what_the_broker_may_retry_never_stops_a_worker() -> None:
    assert not [each for each in kinds() if each.retriable and each in LASTING]


def wrapped(inner: BaseException, *outer: Exception) -> Exception:
    """An error that came from another."""
    for each in outer:
        each.__cause__ = inner
        inner = each
    assert isinstance(inner, Exception)
    return inner


HIDDEN = [
    ("in a record's", wrapped(errors.TopicAuthorizationFailedError("t"), TransportError("no")),
     True),
    ("two deep", wrapped(errors.MessageSizeTooLargeError(), KafkaError("x"), TransportError("y")),
     True),
    ("named in a text", KafkaError("GroupAuthorizationFailedError('g')"), True),
    ("named in a longer text",
     KafkaError("Unexpected error during coordination InvalidGroupIdError()"), True),
    ("a passing one, named", KafkaError("NotCoordinatorForGroupError()"), False),
    ("another word with brackets", KafkaError("Settings(x) is wrong"), False),
    ("a fenced one, wrapped", wrapped(errors.ProducerFenced(), TransportError("no")), False),
    ("itself as its cause", KafkaError("x"), False),
    ("its own line", LastingError("look"), True),
    ("its own line, wrapped", wrapped(LastingError("look"), TransportError("no")), True),
    ("no error of Kafka", ValueError("TopicAuthorizationFailedError()"), False),
]  # fmt: skip
HIDDEN[7][1].__cause__ = HIDDEN[7][1]


@pytest.mark.parametrize(("what", "error", "stays"), HIDDEN, ids=[each[0] for each in HIDDEN])
def test_an_error_is_found_below_others(what: str, error: Exception, stays: bool) -> None:
    assert (lasting(error) is not None) == stays


FILES = [
    ("no right", OSError(errno.EACCES, "no", "/state"), "give this user write access"),
    ("a read-only mount", OSError(errno.EROFS, "no", "/state"), "mount it"),
    ("a file for a folder", NotADirectoryError(errno.ENOTDIR, "no", "/state"), "move the file"),
    ("a file there already", FileExistsError(errno.EEXIST, "no", "/state"), "move the file"),
    ("a full disk", OSError(errno.ENOSPC, "no", "/state"), "free some disk space"),
    ("a full disk, while writing", OSError(errno.ENOSPC, "no"), "free some disk space"),
    ("a quota", OSError(errno.EDQUOT, "no", "/state"), "free some disk space"),
    ("a limit", OSError(errno.EFBIG, "no", "/state"), "ulimit"),
    ("a sick disk", OSError(errno.EIO, "no", "/state"), "look at the disk"),
    ("a refused connection", ConnectionRefusedError(errno.ECONNREFUSED, "no"), None),
    ("a port that is forbidden", PermissionError(errno.EACCES, "no"), None),
    ("a time-out", TimeoutError(), None),
    ("too many open files", OSError(errno.EMFILE, "no"), None),
]


@pytest.mark.parametrize(("what", "error", "advice"), FILES, ids=[each[0] for each in FILES])
def test_files_that_cannot_be_used_stay_so(what: str, error: OSError, advice: str | None) -> None:
    told = lasting(error)
    if advice is None:
        assert told is None
        return
    assert told is not None
    assert advice in str(told)
    assert (error.filename or "the disk") in str(told)


ROWS = [
    (
        "IO error: No space left on device: While appending to file: /s/1.log",
        "free some disk space",
    ),
    ("IO error: While open a file for appending: /s/LOG: Permission denied", "give this user"),
    ("IO error: While mkdir if missing: /s/1: Not a directory", "move the file"),
    ("IO error: While open a file for appending: /s: Read-only file system", "mount it"),
    ("IO error: While lock file: /s/LOCK: Resource temporarily unavailable", "another process"),
    ("Corruption: checksum mismatch in /s/1.sst", None),
    ("Corruption: CURRENT file does not end with newline", None),
]


@pytest.mark.parametrize(("text", "advice"), ROWS)
def test_rows_say_why_they_cannot_be_kept(text: str, advice: str | None) -> None:
    told = of_rows(Path("/s"), Exception(text))
    assert (told is None) if advice is None else (told is not None and advice in str(told))


FULL = """
import os, pathlib, resource, signal, sys
from runtime.lasting_errors import LastingError
from runtime.store import Meta, Store

rows = Store(pathlib.Path(sys.argv[1]), "cluster", 1e9)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for number in range(100):
        rows.write([(b"k\\0%d" % number, os.urandom(20_000))], Meta("cluster"))
except LastingError as error:
    print(error)
rows.close()
"""


@pytest.mark.slow
def test_rows_that_cannot_be_written_say_so_and_can_be_closed(tmp_path: Path) -> None:
    """A real limit of the system, in a process of its own."""
    path = str(tmp_path / "rows")
    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith(f"the rows in {path} can't be kept: File too large: raise the")


def test_a_line_says_the_systems_own_words() -> None:
    told = str(lasting(OSError(errno.ENOSPC, "whatever", "/state")))
    assert os.strerror(errno.ENOSPC) in told


async def test_an_assertion_of_the_client_ends_a_session_and_our_own_does_not() -> None:
    reader = aiokafka.AIOKafkaConsumer()
    with pytest.raises(AssertionError) as of_client:
        reader.highwater(aiokafka.TopicPartition("orders", 0))
    assert comes_from_client(of_client.value)
    assert ends_session(of_client.value)
    with pytest.raises(AssertionError) as ours:
        assert not of_client.value.args
    assert not comes_from_client(ours.value)
    assert not ends_session(ours.value)
    assert not ends_session(AssertionError("never raised"))


SOMETIMES = [
    ("once", [("a", 0.0)], False),
    ("often, in a moment", [("a", 0.0)] * 20, False),
    ("seldom, over long", [("a", 0.0), ("a", 30.0)], False),
    ("often and long", [("a", 5.0 * n) for n in range(5)], True),
    ("just not long enough", [("a", 4.9 * n) for n in range(5)], False),
    ("others between", [("a" if n % 2 else "b", 5.0 * n) for n in range(20)], False),
    ("with a long rest", [("a", 0.0), ("a", 5.0), ("a", 130.0), ("a", 140.0), ("a", 150.0)], False),
]


@pytest.mark.parametrize(("what", "came", "over"), SOMETIMES, ids=[each[0] for each in SOMETIMES])
def test_patience_ends_when_the_same_comes_often_and_long(
    what: str, came: list[tuple[str, float]], over: bool
) -> None:
    patience = Patience()
    assert max(patience.is_over(kind, at) for kind, at in came) == over


CORRUPT = errors.CorruptRecordException("topic orders, partition 2")
JUDGED = [
    ("once corrupt", [(CORRUPT, 0.0)], ""),
    ("corrupt again and again", [(CORRUPT, 12.0 * n) for n in range(5)],
     "are corrupt (topic orders"),
    ("wrapped", [(wrapped(CORRUPT, TransportError(f"{n}")), 12.0 * n) for n in range(5)],
     "are corrupt (topic orders"),
    ("refused at once", [(errors.ClusterAuthorizationFailedError(), 0.0)], "access to the cluster"),
    ("fenced for ever", [(errors.ProducerFenced(), 12.0 * n) for n in range(50)], ""),
    ("away for ever", [(errors.KafkaConnectionError(), 12.0 * n) for n in range(50)], ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "came", "line"), JUDGED, ids=[each[0] for each in JUDGED])
def test_a_doubtful_error_stays_once_it_came_again_and_again(
    what: str, came: list[tuple[Exception, float]], line: str
) -> None:
    judge = Judge()
    told = [judge.stays(error, now) for error, now in came]
    assert not any(told[:-1])
    assert line in str(told[-1]) if line else told[-1] is None


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 10)), max_size=4))
def test_patience_never_ends_before_the_fifth_time(came: list[tuple[str, float]]) -> None:
    patience, now = Patience(), 0.0
    for kind, pause in came:
        now += pause
        assert not patience.is_over(kind, now)
