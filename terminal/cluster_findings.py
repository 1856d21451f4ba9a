"""What the doctor thinks of a cluster and of this machine's disk; pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.findings import Finding, Verdict
from runtime.topic_plan import Acl, PlannedTopic

#: Kafka's numbers of the requests without which there are no transactions.
TRANSACTIONS: Final = {22: "InitProducerId", 24: "AddPartitionsToTxn", 25: "AddOffsetsToTxn",
                       26: "EndTxn", 28: "TxnOffsetCommit"}  # fmt: skip
#: Requests by the release that first had them, the newest first.
_SINCE: Final = {75: "3.8", 65: "3.0", 60: "2.8", 44: "2.3", 22: "0.11"}
#: Names in one line; the rest is counted.
NAMED_MAX: Final = 5
GB: Final = 1_000_000_000


def named(names: Collection[str]) -> str:
    """``a, b and 3 more``."""
    some = sorted(names)
    more = len(some) - NAMED_MAX
    return ", ".join(some[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


# --- broker --------------------------------------------------------------------------------------


def api(requests: Collection[int], *, transactions: bool) -> Finding:
    """Whether a broker knows the requests that we make; ``requests`` are Kafka's numbers."""
    missing = [name for number, name in TRANSACTIONS.items() if number not in requests]
    since = next((release for number, release in _SINCE.items() if number in requests), "")
    said = f"Kafka {since} or later" if since else "older than Kafka 0.11"
    if not missing:
        if transactions:
            return Finding("broker", "API", "ok", f"{said}, with transactions")
        said += ", with transactions, which KAFKA_TRANSACTIONS=false leaves unused"
        remedy = "Unset KAFKA_TRANSACTIONS: without them outputs may repeat after a kill."
        return Finding("broker", "API", "warn", said, remedy)
    said += f", without {', '.join(missing)}"
    if transactions:
        remedy = "Use a broker with transactions, or set KAFKA_TRANSACTIONS=false."
        return Finding("broker", "API", "fail", said, remedy)
    return Finding("broker", "API", "ok", f"{said}; KAFKA_TRANSACTIONS is false")


def reached(addresses: Mapping[str, str]) -> Finding:
    """Whether each broker's advertised address answers: what went wrong by address, or empty."""
    away = {address: why for address, why in addresses.items() if why}
    if not away:
        said = f"{len(addresses)} of {len(addresses)} answer: {named(addresses)}"
        return Finding("broker", "advertised addresses", "ok", said)
    address, why = next(iter(away.items()))
    said = f"{len(away)} of {len(addresses)} do not answer: {named(away)} ({address}: {why})"
    remedy = (
        "Start the broker, or correct its advertised.listeners so that this machine reaches it."
    )
    return Finding("broker", "advertised addresses", "fail", said, remedy)


# --- security ------------------------------------------------------------------------------------


def protocol(spoken: str, *, is_here: bool, checks_names: bool) -> Finding:
    """Whether others on the way can read or change what is sent; ``is_here``: none is on it."""
    if spoken in {"PLAINTEXT", "SASL_PLAINTEXT"}:
        if is_here:
            return Finding("security", "protocol", "ok", f"{spoken}, on this machine only")
        what = "records" if spoken == "PLAINTEXT" else "records and the password"
        said = f"{spoken}: {what} go over the network unencrypted"
        verdict: Verdict = "warn" if spoken == "PLAINTEXT" else "fail"
        remedy = "Use a listener with TLS: KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL."
        return Finding("security", "protocol", verdict, said, remedy)
    if not checks_names:
        said = f"{spoken}, but any certificate of the CA passes for any broker"
        remedy = "Unset KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM."
        return Finding("security", "protocol", "warn", said, remedy)
    return Finding("security", "protocol", "ok", spoken)


# --- topics --------------------------------------------------------------------------------------


def topics(
    planned: int, missing: Collection[PlannedTopic], not_started: Collection[str] = ()
) -> Finding:
    """Whether all planned topics are there.

    Workers of the services ``not_started`` make the topics of their own when they start, so these
    are not among the missing ones.
    """
    if not missing:
        said = f"all {planned} are there"
        if not_started:
            said += f"; {named(not_started)} never ran here, and will make own ones"
        return Finding("topics", "there", "ok", said)
    said = f"{len(missing)} of {planned} are missing: {named([each.name for each in missing])}"
    remedy = "Run `jointbuy topics apply`; if all are missing, check TOPIC_PREFIX."
    return Finding("topics", "there", "fail", said, remedy)


def partitions(planned: int, differing: Mapping[str, Mapping[str, str]]) -> Finding:
    """Whether all topics have the deployment's number of partitions, as equal keys must meet."""
    wrong = {name: told["partitions"] for name, told in differing.items() if "partitions" in told}
    if not wrong:
        return Finding("partitions", "number", "ok", f"{planned}, as PARTITIONS says")
    name = min(wrong)
    said = f"{len(wrong)} topics have another number: {name} has {wrong[name]}"
    remedy = "Set PARTITIONS to what the deployment has, or use another TOPIC_PREFIX."
    return Finding("partitions", "number", "fail", said, remedy)


def topic_settings(differing: Mapping[str, Mapping[str, str]]) -> Finding:
    """Whether the topics are set as planned; partitions and replicas are judged elsewhere."""
    elsewhere = {"partitions", "replicas"}
    wrong = {name: [w for w in told if w not in elsewhere] for name, told in differing.items()}
    names = sorted(name for name, told in wrong.items() if told)
    if not names:
        return Finding("topics", "settings", "ok", "as planned")
    first = names[0]
    what = wrong[first][0]
    said = f"{len(names)} differ from the plan: {named(names)}"
    said += f" ({what} of {first}: {differing[first][what]})"
    remedy = "See `jointbuy topics plan`: it prints the commands that change them."
    return Finding("topics", "settings", "warn", said, remedy)


@dataclass(frozen=True)
class Copies:
    """The copies of one partition, and how many must be in sync for a write.

    ``in_sync_min`` is ``None`` if we may not see it.
    """

    partition: str
    replicas: int
    in_sync: int
    has_leader: bool
    in_sync_min: int | None = 1


def replication(copies: Sequence[Copies], brokers: int) -> list[Finding]:
    """Whether partitions can be written now, and would be after the loss of one broker."""
    return [_in_sync(copies), _lasting(copies, brokers)]


def _in_sync(copies: Sequence[Copies]) -> Finding:
    about = ("replication", "in sync")
    offline = [each.partition for each in copies if not each.has_leader]
    if offline:
        said = f"{len(offline)} partitions have no leader: {named(offline)}"
        remedy = "Start the brokers that hold them: nothing is read or written there until then."
        return Finding(*about, "fail", said, remedy)
    refusing = [each.partition for each in copies if each.in_sync < (each.in_sync_min or 1)]
    if refusing:
        said = f"{len(refusing)} partitions have fewer copies in sync than min.insync.replicas:"
        remedy = "Start the missing brokers: the partitions take no writes until then."
        return Finding(*about, "fail", f"{said} {named(refusing)}", remedy)
    behind = [each.partition for each in copies if each.in_sync < each.replicas]
    if behind:
        said = f"{len(behind)} partitions have copies that are not in sync: {named(behind)}"
        remedy = "Look for a broker that is away or slow."
        return Finding(*about, "warn", said, remedy)
    return Finding(*about, "ok", f"all copies of {len(copies)} partitions")


def _lasting(copies: Sequence[Copies], brokers: int) -> Finding:
    about = ("replication", "copies")
    few = {each.partition for each in copies if each.replicas < 2}
    if brokers < 2:
        return Finding(*about, "ok", "one broker, so one copy: for development only")
    if few:
        said = f"{len(few)} partitions have one copy on {brokers} brokers: {named(few)}"
        remedy = "Add copies with kafka-reassign-partitions.sh, and set REPLICATION_FACTOR=3."
        return Finding(*about, "warn", said, remedy)
    alone = {each.partition for each in copies if each.in_sync_min == 1}
    if alone:
        said = f"{len(alone)} partitions take a write that one copy alone has: {named(alone)}"
        remedy = "Set min.insync.replicas=2 on the topics, and MIN_INSYNC_REPLICAS=2."
        return Finding(*about, "warn", said, remedy)
    tight = {each.partition for each in copies if (each.in_sync_min or 0) >= each.replicas}
    if tight:
        said = f"{len(tight)} partitions take no write while one broker restarts: {named(tight)}"
        remedy = "Have one copy more than min.insync.replicas."
        return Finding(*about, "warn", said, remedy)
    least = min((each.replicas for each in copies), default=0)
    return Finding(*about, "ok", f"at least {least}, on {brokers} brokers")


def acls(planned: int, missing: Sequence[Acl]) -> Finding:
    """Whether each process may do what it does."""
    if not missing:
        return Finding("ACLs", "as planned", "ok", f"all {planned} are there")
    first = missing[0]
    said = f"{len(missing)} of {planned} are missing, such as {first.principal}'s:"
    said += f" {first.right.operation} {first.right.kind} {first.right.name}"
    remedy = "Run `jointbuy topics apply`, or name your principals with --principal."
    return Finding("ACLs", "as planned", "fail", said, remedy)


# --- disk ----------------------------------------------------------------------------------------


def disk(folder: str, free: int, total: int, *, is_writable: bool = True) -> Finding:
    """Whether a folder has room, in bytes."""
    share = free / total if total else 0.0
    said = f"{free / GB:.1f} GB free of {total / GB:.1f} GB ({share:.0%})"
    if not is_writable:
        remedy = "Let the user of the services write there."
        return Finding("disk", folder, "fail", "can't be written", remedy)
    if free < GB or (share < 0.05 and free < 20 * GB):
        remedy = "Make room now: workers stop when the disk is full."
        return Finding("disk", folder, "fail", said, remedy)
    if free < 5 * GB or (share < 0.1 and free < 50 * GB):
        return Finding("disk", folder, "warn", said, "Make room, or move it to a larger disk.")
    return Finding("disk", folder, "ok", said)
