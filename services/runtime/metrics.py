"""Every metric a worker shows, listed once with its unit and meaning.

Lag is not among them: kafka_exporter's ``kafka_consumergroup_lag`` is what dashboards know, and
committed offsets are what it reads.
"""

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

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
    " compression, records, too-large, cut-off. Each is named in the log.",
    ["topic", "reason"],
)
DEAD_LETTERS = Gauge(
    "jointbuy_dead_letters", "Records this worker sent to dead-letters since it opened.", _LABELS
)
COMMIT_SECONDS = Histogram(
    "jointbuy_commit_seconds",
    "Seconds from the end of a fold to its rows being written.",
    _LABELS,
    buckets=(0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 5),
)
CLOCK = Gauge("jointbuy_clock_seconds", "The partition's clock, as Unix time.", _LABELS)
HELD = Gauge("jointbuy_keys_held", "Keys whose records wait: parked, or in chunks.", _LABELS)
DUE = Gauge("jointbuy_due_unhandled", "1 while something due is not handled.", _LABELS)
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


@dataclass(frozen=True, slots=True)
class PartitionMetrics:
    """The metrics of one partition, labels bound."""

    folded: Counter
    fold_seconds: Counter
    sent: Counter
    dead: Gauge
    commit_seconds: Histogram
    clock: Gauge
    held: Gauge
    due: Gauge
    calls_waiting: Gauge
    calls_oldest: Gauge
    calls_ambiguous: Counter

    def committed(self, outputs: int, dead: int, seconds: float) -> None:
        """A batch is durable."""
        self.sent.inc(outputs)
        self.dead.set(dead)
        self.commit_seconds.observe(seconds)


def of_partition(processor: str, partition: int) -> PartitionMetrics:
    """The metrics of a partition."""
    labels = (processor, str(partition))
    return PartitionMetrics(
        folded=RECORDS_FOLDED.labels(*labels),
        fold_seconds=FOLD_SECONDS.labels(*labels),
        sent=RECORDS_SENT.labels(*labels),
        dead=DEAD_LETTERS.labels(*labels),
        commit_seconds=COMMIT_SECONDS.labels(*labels),
        clock=CLOCK.labels(*labels),
        held=HELD.labels(*labels),
        due=DUE.labels(*labels),
        calls_waiting=CALLS_WAITING.labels(*labels),
        calls_oldest=CALLS_OLDEST.labels(*labels),
        calls_ambiguous=CALLS_AMBIGUOUS.labels(*labels),
    )
