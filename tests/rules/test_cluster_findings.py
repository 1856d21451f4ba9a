"""What the doctor says about a cluster and a disk."""

import pytest

from domain.findings import Verdict
from runtime.topic_plan import Acl, PlannedTopic, Right
from terminal.cluster_findings import (
    GB,
    TRANSACTIONS,
    Copies,
    acls,
    api,
    disk,
    named,
    partitions,
    protocol,
    reached,
    replication,
    topic_settings,
    topics,
)

#: What a broker knows without transactions.
PLAIN = set(range(20))


@pytest.mark.parametrize(
    ("requests", "transactions", "verdict", "said"),
    [
        (PLAIN | set(TRANSACTIONS) | {60, 65}, True, "ok", "Kafka 3.0 or later, with"),
        (PLAIN | set(TRANSACTIONS), False, "warn", "unused"),
        (PLAIN, True, "fail", "without InitProducerId"),
        (PLAIN, False, "ok", "KAFKA_TRANSACTIONS is false"),
        (PLAIN | set(TRANSACTIONS) - {28}, True, "fail", "without TxnOffsetCommit"),
    ],
)
def test_a_broker_knows_the_requests_of_transactions(
    requests: set[int], transactions: bool, verdict: Verdict, said: str
) -> None:
    found = api(requests, transactions=transactions)
    assert (found.verdict, said in found.said) == (verdict, True), found


def test_every_advertised_address_is_reached() -> None:
    assert reached({"a:9092": "", "b:9092": ""}).verdict == "ok"
    found = reached({"a:9092": "", "b:9092": "Connection refused"})
    assert found.verdict == "fail"
    assert found.said == "1 of 2 do not answer: b:9092 (b:9092: Connection refused)"


@pytest.mark.parametrize(
    ("spoken", "is_here", "checks_names", "verdict"),
    [
        ("PLAINTEXT", True, True, "ok"),
        ("PLAINTEXT", False, True, "warn"),
        ("SASL_PLAINTEXT", True, True, "ok"),
        ("SASL_PLAINTEXT", False, True, "fail"),
        ("SSL", False, True, "ok"),
        ("SASL_SSL", False, False, "warn"),
    ],
)
def test_what_goes_over_the_network_is_encrypted(
    spoken: str, is_here: bool, checks_names: bool, verdict: Verdict
) -> None:
    assert protocol(spoken, is_here=is_here, checks_names=checks_names).verdict == verdict


def test_topics_are_there() -> None:
    assert topics(3, []).verdict == "ok"
    assert "shop_bridge never ran" in topics(3, [], ["shop_bridge"]).said
    found = topics(3, [PlannedTopic("orders", 4, -1), PlannedTopic("favors", 4, -1)])
    assert (found.verdict, found.said) == ("fail", "2 of 3 are missing: favors, orders")


def test_topics_have_the_planned_partitions_and_settings() -> None:
    differing = {
        "orders": {"partitions": "4, planned 8", "cleanup.policy": "delete, planned compact"},
        "favors": {"replicas": "1, planned 3"},
    }
    found = partitions(8, differing)
    assert (found.verdict, found.said) == (
        "fail",
        "1 topics have another number: orders has 4, planned 8",
    )
    assert partitions(8, {"favors": differing["favors"]}).verdict == "ok"
    told = topic_settings(differing)
    assert told.verdict == "warn"
    assert told.said == (
        "1 differ from the plan: orders (cleanup.policy of orders: delete, planned compact)"
    )
    assert topic_settings({"favors": differing["favors"]}).verdict == "ok"


GOOD = Copies("orders/0", 3, 3, has_leader=True, in_sync_min=2)


@pytest.mark.parametrize(
    ("copies", "brokers", "in_sync", "lasting"),
    [
        (GOOD, 3, "ok", "ok"),
        (Copies("orders/0", 3, 2, True, 2), 3, "warn", "ok"),
        (Copies("orders/0", 3, 1, True, 2), 3, "fail", "ok"),
        (Copies("orders/0", 3, 0, False, 2), 3, "fail", "ok"),
        (Copies("orders/0", 1, 1, True, 1), 1, "ok", "ok"),
        (Copies("orders/0", 1, 1, True, 1), 3, "ok", "warn"),
        (Copies("orders/0", 3, 3, True, 1), 3, "ok", "warn"),
        (Copies("orders/0", 2, 2, True, 2), 3, "ok", "warn"),
        # Whoever may not see it is not told of it.
        (Copies("orders/0", 3, 3, True, None), 3, "ok", "ok"),
    ],
)
def test_partitions_have_copies_in_sync(
    copies: Copies, brokers: int, in_sync: Verdict, lasting: Verdict
) -> None:
    found = replication([copies, GOOD] if brokers == 3 else [copies], brokers)
    assert [each.verdict for each in found] == [in_sync, lasting], found


def test_a_missing_acl_is_named() -> None:
    assert acls(2, []).verdict == "ok"
    found = acls(2, [Acl("User:notifier", Right("topic", "people", "Read"))])
    assert found.verdict == "fail"
    assert found.said == "1 of 2 are missing, such as User:notifier's: Read topic people"


@pytest.mark.parametrize(
    ("free", "total", "verdict"),
    [
        (50 * GB, 100 * GB, "ok"),
        (3 * GB, 100 * GB, "fail"),
        (8 * GB, 100 * GB, "warn"),
        (0.9 * GB, 2 * GB, "fail"),
        (4 * GB, 10 * GB, "warn"),
        # Three percent of a large disk are room enough.
        (120 * GB, 4_000 * GB, "ok"),
    ],
)
def test_a_disk_has_room(free: float, total: int, verdict: Verdict) -> None:
    assert disk("/rows", int(free), total).verdict == verdict


def test_a_folder_can_be_written() -> None:
    assert disk("/rows", 50 * GB, 100 * GB, is_writable=False).verdict == "fail"


def test_many_names_are_counted() -> None:
    assert named(["b", "a"]) == "a, b"
    assert named([str(each) for each in range(8)]) == "0, 1, 2, 3, 4 and 3 more"
