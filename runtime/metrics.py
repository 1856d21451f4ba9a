"""Every metric a worker shows, listed once with its unit and meaning.

Lag is not among them: kafka_exporter's ``kafka_consumergroup_lag`` is what dashboards know, and
committed offsets are what it reads. ``make docs`` writes docs/metrics.md from here.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from prometheus_client import Counter, Gauge, Histogram

from runtime.held import WaitingRows

_LABELS = ["processor", "partition"]

RECORDS_FOLDED = Counter(
    "jointbuy_records_folded_total", "Input records folded into committed or open batches.", _LABELS
)
FOLD_SECONDS = Counter(
    "jointbuy_fold_seconds_total", "Seconds spent folding, rules included.", _LABELS
)
RECORDS_SENT = Counter("jointbuy_records_sent_total", "Output records committed.", _LABELS)
UNREADABLE = Counter(
    "jointbuy_unreadable_total",
    "Batches or records of a topic that could not be read, by why: header-name, checksum, codec,"
    " compression, records, too-large, cut-off. The log names or counts them.",
    ["topic", "reason"],
)
DEAD_LETTERS = Counter(
    "jointbuy_dead_letters_total",
    "Records set aside so far, restarts included, by topic and reason. Where written is no, another"
    " service writes the dead letter, and counts it too.",
    [*_LABELS, "topic", "reason", "written"],
)
COMMIT_SECONDS = Histogram(
    "jointbuy_commit_seconds",
    "Seconds from the end of a fold to its rows being written.",
    _LABELS,
    buckets=(0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 5),
)
CLOCK = Gauge("jointbuy_clock_seconds", "The partition's clock, as Unix time.", _LABELS)
BEHIND = Gauge(
    "jointbuy_clock_behind_seconds",
    "How late what is decided now is: the broker's time less the partition's clock. At rest it is"
    " about CLOCK_GRACE_SECONDS; 0 under log.",
    _LABELS,
)
HELD = Gauge("jointbuy_keys_held", "Keys whose records wait: parked, or in chunks.", _LABELS)
DUE = Gauge("jointbuy_due_unhandled", "1 while something due is not handled.", _LABELS)
DEADLINE_LATE = Gauge(
    "jointbuy_deadline_late_seconds",
    "How long the earliest deadline has been due, beyond CLOCK_GRACE_SECONDS; 0 if none is due, and"
    " under log.",
    _LABELS,
)
READY = Gauge(
    "jointbuy_partition_ready", "0 while the partition is opened and its rows restored.", _LABELS
)
RESTORE_SECONDS = Gauge(
    "jointbuy_restore_seconds",
    "Seconds that opening the partition took, restore included.",
    _LABELS,
)
WAITING = Gauge(
    "jointbuy_waiting", "Messages that wait for a group or auction that is not known.", _LABELS
)
WAITING_OLDEST = Gauge(
    "jointbuy_waiting_oldest_seconds", "How long the oldest of these waits, by the clock.", _LABELS
)
CALLS_WAITING = Gauge(
    "jointbuy_calls_waiting", "What is to be done outside and is not: letters to send.", _LABELS
)
CALLS_OLDEST = Gauge(
    "jointbuy_calls_oldest_seconds", "Age of the oldest of what waits to be done outside.", _LABELS
)
CALLS_AMBIGUOUS = Counter(
    "jointbuy_calls_ambiguous_total",
    "Done again since a process died before the reply was written.",
    _LABELS,
)
SERVER_DOWN = Gauge(
    "jointbuy_server_down",
    "1 while calls wait for a server: it is down, or the setting that names it is missing.",
    ["processor", "server"],
)
CLOCK_OFF = Gauge(
    "jointbuy_worker_clock_off_seconds", "This worker's clock less the broker's; absent under log."
)
REBALANCES = Counter(
    "jointbuy_rebalances_total",
    "Times that the group gave this worker other partitions than before.",
    ["processor"],
)
STANDBYS = Gauge(
    "jointbuy_standby_partitions",
    "Partitions of other workers whose rows this worker keeps: `warm` once they have been at the"
    " changelog's end.",
    ["processor", "state"],
)
LOOP_DELAY = Histogram(
    "jointbuy_loop_delay_seconds",
    "How late the event loop wakes a task that sleeps for a second.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
#: Gone once the partition closes: another worker has it then.
_OF_OPEN_PARTITION = (
    *(CLOCK, BEHIND, HELD, DUE, DEADLINE_LATE, READY, RESTORE_SECONDS),
    *(WAITING, WAITING_OLDEST, CALLS_WAITING, CALLS_OLDEST),
)


@dataclass(frozen=True, slots=True)
class PartitionMetrics:
    """The metrics of one partition, labels bound."""

    folded: Counter
    fold_seconds: Counter
    sent: Counter
    dead: "DeadLetterCounts"
    commit_seconds: Histogram
    clock: Gauge
    held: Gauge
    due: Gauge
    waiting: Gauge
    waiting_oldest: Gauge
    calls_waiting: Gauge
    calls_oldest: Gauge
    calls_ambiguous: Counter
    labels: tuple[str, str]

    def opens(self) -> None:
        """The partition is being opened."""
        READY.labels(*self.labels).set(0)

    def opened(
        self, seconds: float, behind: Callable[[], float], deadline_late: Callable[[], float]
    ) -> None:
        """It is open after ``seconds``; the functions are asked when metrics are read."""
        READY.labels(*self.labels).set(1)
        RESTORE_SECONDS.labels(*self.labels).set(seconds)
        BEHIND.labels(*self.labels).set_function(behind)
        DEADLINE_LATE.labels(*self.labels).set_function(deadline_late)

    def hide(self) -> None:
        """The partition closes here; another worker shows how it stands."""
        self.dead.hide()
        for gauge in _OF_OPEN_PARTITION:
            with suppress(KeyError):
                gauge.remove(*self.labels)

    def stands(self, now_ms: int, held: int, waits: WaitingRows) -> None:
        """How the partition stands at the clock's time: keys held, and messages that wait."""
        self.clock.set(now_ms / 1000)
        self.held.set(held)
        self.waiting.set(len(waits))
        self.waiting_oldest.set(waits.oldest_seconds(now_ms))

    def committed(self, outputs: int, dead: Mapping[str, int], seconds: float) -> None:
        """A batch is durable; ``dead`` are the sums of dead letters with it."""
        self.sent.inc(outputs)
        self.dead.show(dead)
        self.commit_seconds.observe(seconds)


@dataclass(slots=True)
class DeadLetterCounts:
    """The counter of a partition's dead letters; it is shown where the partition is open."""

    labels: tuple[str, str]
    _shown: dict[str, int] = field(default_factory=dict)

    def show(self, counts: Mapping[str, int]) -> None:
        """Bring the counter to these sums, by ``topic/reason/written``."""
        for name, count in counts.items():
            more = count - self._shown.get(name, 0)
            if more:
                DEAD_LETTERS.labels(*self.labels, *name.rsplit("/", 2)).inc(more)
                self._shown[name] = count

    def hide(self) -> None:
        """The partition closes here; the next worker that opens it shows its sums."""
        for name in self._shown:
            DEAD_LETTERS.remove(*self.labels, *name.rsplit("/", 2))
        self._shown = {}


def of_partition(processor: str, partition: int) -> PartitionMetrics:
    """The metrics of a partition."""
    labels = (processor, str(partition))
    return PartitionMetrics(
        folded=RECORDS_FOLDED.labels(*labels),
        fold_seconds=FOLD_SECONDS.labels(*labels),
        sent=RECORDS_SENT.labels(*labels),
        dead=DeadLetterCounts(labels),
        commit_seconds=COMMIT_SECONDS.labels(*labels),
        clock=CLOCK.labels(*labels),
        held=HELD.labels(*labels),
        due=DUE.labels(*labels),
        waiting=WAITING.labels(*labels),
        waiting_oldest=WAITING_OLDEST.labels(*labels),
        calls_waiting=CALLS_WAITING.labels(*labels),
        calls_oldest=CALLS_OLDEST.labels(*labels),
        calls_ambiguous=CALLS_AMBIGUOUS.labels(*labels),
        labels=labels,
    )
