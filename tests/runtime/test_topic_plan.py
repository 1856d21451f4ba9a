"""The plan of topics and rights, from the catalogue, the processors and the settings."""

from importlib import import_module
from typing import Any

import pytest

from runtime.processor import Processor
from runtime.settings import Settings
from runtime.topic_plan import (
    PROJECTOR,
    Acl,
    FoundAcl,
    FoundTopic,
    PlannedTopic,
    Right,
    acls_of,
    differences,
    is_covered,
    rights_of,
    topics_of,
)
from schemas.catalogue import CATALOGUE
from schemas.ops import WITH_PROCESSORS
from services.storefront.live.hub import FOLLOWED
from services.storefront.readmodel import projection

PROCESSORS: list[Processor] = [
    each
    for name in WITH_PROCESSORS
    for each in import_module(f"services.{name}.processor").PROCESSORS
]
#: Feeds recorded data to a stack on a developer's machine, so no plan has it.
NOT_PLANNED = {"replay"}


def settings_of(**given: Any) -> Settings:
    return Settings(topic_prefix="p-", **given)


def by_process(outboxes: tuple[str, ...] = (), **given: Any) -> dict[str, set[Right]]:
    found = rights_of(settings_of(**given), PROCESSORS, FOLLOWED, outboxes)
    return {each.process: set(each.rights) for each in found}


# --- topics --------------------------------------------------------------------------------------


def test_all_topics_but_the_clock_have_the_deployment_s_partitions() -> None:
    planned = topics_of(settings_of(partitions=64), PROCESSORS)
    assert {each.name: each.partitions for each in planned if each.partitions != 64} == {
        "p-clock": 1
    }
    names = {each.name for each in planned}
    assert {f"p-{name}" for name in CATALOGUE} < names
    assert {f"p-{each.changelog}" for each in PROCESSORS} < names
    assert planned[0].name == "p-clock"


@pytest.mark.parametrize(
    ("given", "replicas", "least"),
    [
        ({}, -1, None),
        ({"replication_factor": 3}, 3, None),
        ({"replication_factor": 3, "min_insync_replicas": 2}, 3, "2"),
    ],
    ids=["the cluster's own", "copies", "copies in sync"],
)
def test_copies_are_the_cluster_s_unless_they_are_set(
    given: dict[str, int], replicas: int, least: str | None
) -> None:
    for each in topics_of(settings_of(**given), PROCESSORS):
        assert each.replicas == replicas
        assert each.settings.get("min.insync.replicas") == least


FOUND = FoundTopic(4, 3, {"retention.ms": "7", "segment.ms": "1"})
DIFFERENCES: list[tuple[str, PlannedTopic, dict[str, str]]] = [
    ("as planned", PlannedTopic("p-orders", 4, 3, {"retention.ms": "7"}), {}),
    ("copies of the cluster's default", PlannedTopic("p-orders", 4, -1), {}),
    ("more partitions", PlannedTopic("p-orders", 8, -1), {"partitions": "4, planned 8"}),
    ("fewer copies", PlannedTopic("p-orders", 4, 2), {"replicas": "3, planned 2"}),
    (
        "other settings",
        PlannedTopic("p-orders", 4, -1, {"retention.ms": "8", "cleanup.policy": "compact"}),
        {"retention.ms": "7, planned 8", "cleanup.policy": "not set, planned compact"},
    ),
    (
        "dead letters that expire by hand",
        PlannedTopic("p-dead-letters", 4, -1, {"retention.ms": "-1"}),
        {},
    ),
]


@pytest.mark.parametrize(
    ("what", "planned", "told"), DIFFERENCES, ids=[each[0] for each in DIFFERENCES]
)
def test_a_topic_that_differs_is_told_with_what_is_planned(
    what: str, planned: PlannedTopic, told: dict[str, str]
) -> None:
    assert differences(settings_of(), planned, FOUND) == told


# --- rights --------------------------------------------------------------------------------------


def test_every_producer_and_consumer_of_the_catalogue_has_its_right_and_no_service_has_more() -> (
    None
):
    """The terminal has more: it reads all, and sends dead letters to where they came from."""
    known = by_process()
    for operation, of in (("Write", "producers"), ("Read", "consumers")):
        wanted = {
            (service, f"p-{topic.name}")
            for topic in CATALOGUE.values()
            for service in getattr(topic, of)
        }
        allowed = {
            (process.partition(".")[0], right.name)
            for process, rights in known.items()
            for right in rights
            if right.kind == "topic" and right.operation == operation
        }
        missing = {each for each in wanted - allowed if each[0] not in NOT_PLANNED}
        assert not missing, operation
        more = {
            each
            for each in allowed - wanted
            if each[0] != "terminal" and not each[1].endswith(("-changelog", "p-clock"))
        }
        assert not more, operation


def test_a_worker_has_its_group_its_transactional_ids_its_rows_and_the_clock() -> None:
    rights = by_process()["favor_service"]
    assert rights == {
        *(Right("topic", f"p-{name}", "Read") for name in ("purchases", "parked-keys")),
        *(
            Right("topic", f"p-{name}", "Write")
            for name in ("favors", "notices", "dead-letters", "tasks", "clock")
        ),
        Right("topic", "p-favor_service-favors-changelog", "Read"),
        Right("topic", "p-favor_service-favors-changelog", "Write"),
        Right("group", "p-favor_service-favors", "Read"),
        Right("transactional-id", "p-favor_service-favors-", "Write", is_prefix=True),
    }


def test_without_transactions_and_by_the_records_time_less_is_needed() -> None:
    rights = by_process(kafka_transactions=False, clock="log")["favor_service"]
    assert {each.kind for each in rights} == {"topic", "group"}
    assert {each.operation for each in rights if each.name == "p-clock"} == {"Describe"}


def test_an_outbox_is_the_webhooks_to_read_and_has_no_prefix() -> None:
    before, after = by_process(), by_process(("shop.outbox",))
    assert after["shop_bridge.webhooks"] - before["shop_bridge.webhooks"] == {
        Right("topic", "shop.outbox", "Read"),
        Right("group", "p-shop_bridge-outbox-", "Read", is_prefix=True),
    }


def test_the_projector_reads_the_topics_that_it_copies_in_its_group() -> None:
    rights = by_process()["storefront.projector"]
    read = {each.name for each in rights if (each.kind, each.operation) == ("topic", "Read")}
    assert read == {f"p-{topic.name}" for topic in projection.TOPICS}
    assert PROJECTOR == projection.GROUP
    assert not [each for each in rights if each.operation == "Write"]


def test_each_process_has_a_user_of_its_own_or_all_have_one() -> None:
    rights = rights_of(settings_of(), PROCESSORS, FOLLOWED)
    own = acls_of(rights, "User:jointbuy-{service}")
    assert {each.principal for each in own} >= {
        *("User:jointbuy-order_service", "User:jointbuy-storefront.projector"),
        "User:jointbuy-terminal",
    }
    shared = acls_of(rights, "User:jointbuy")
    assert {each.principal for each in shared} == {"User:jointbuy"}
    assert len(shared) == len({*shared}) < len(own)


WANTED = Acl("User:a", Right("topic", "p-orders", "Read"))
SEES = Acl("User:a", Right("topic", "p-orders", "Describe"))
IDS = Acl("User:a", Right("transactional-id", "p-x-", "Write", is_prefix=True))
COVERED: list[tuple[str, Acl, FoundAcl, bool]] = [
    ("the same", WANTED, FoundAcl("User:a", "topic", "p-orders", "Read", False), True),
    ("everything", WANTED, FoundAcl("User:a", "topic", "p-orders", "All", False), True),
    ("everyone", WANTED, FoundAcl("User:*", "topic", "p-orders", "Read", False), True),
    ("a prefix", WANTED, FoundAcl("User:a", "topic", "p-", "Read", True), True),
    ("all topics", WANTED, FoundAcl("User:a", "topic", "*", "Read", False), True),
    ("reading sees", SEES, FoundAcl("User:a", "topic", "p-orders", "Read", False), True),
    ("a shorter prefix of ids", IDS, FoundAcl("User:a", "transactional-id", "p-", "All", True),
     True),
    ("another operation", WANTED, FoundAcl("User:a", "topic", "p-orders", "Write", False), False),
    ("seeing alone", WANTED, FoundAcl("User:a", "topic", "p-orders", "Describe", False), False),
    ("another user", WANTED, FoundAcl("User:b", "topic", "p-orders", "Read", False), False),
    ("another kind", WANTED, FoundAcl("User:a", "group", "p-orders", "Read", False), False),
    ("one id of a prefix", IDS, FoundAcl("User:a", "transactional-id", "p-x-", "Write", False),
     False),
    ("a longer prefix", IDS, FoundAcl("User:a", "transactional-id", "p-x-1", "Write", True),
     False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "wanted", "found", "covers"), COVERED, ids=[each[0] for each in COVERED]
)
def test_an_acl_that_allows_as_much_counts_as_there(
    what: str, wanted: Acl, found: FoundAcl, covers: bool
) -> None:
    assert is_covered(wanted, [found]) is covers
