"""A plan as a script of Kafka's commands and as resources of Strimzi."""

import shlex
import subprocess

import yaml

from runtime.topic_plan import Acl, PlannedTopic, Right
from terminal.topic_formats import resource_name, script, strimzi

TOPICS = [
    PlannedTopic("p-clock", 1, -1, {"retention.ms": "3600000"}),
    PlannedTopic("p-order_service-x-changelog", 64, 3, {"cleanup.policy": "compact"}),
]
USER = "User:CN=it's me,O=x"
ACLS = [
    Acl(USER, Right("topic", "p-a", "Read")),
    Acl(USER, Right("topic", "p-a", "Write")),
    Acl(USER, Right("topic", "p-b", "Read")),
    Acl(USER, Right("transactional-id", "p-x-", "Write", is_prefix=True)),
]


def test_the_script_has_a_command_for_each_topic_and_for_equal_rights() -> None:
    text = script("one:9092,two:9092", TOPICS, ACLS)
    subprocess.run(["sh", "-n"], input=text.encode(), check=True)
    said = [line for line in text.splitlines() if "--bootstrap-server" in line]
    commands = [shlex.split(line)[0] for line in said]
    assert commands == ["${KAFKA_BIN:-}kafka-topics.sh"] * 2 + ["${KAFKA_BIN:-}kafka-acls.sh"] * 3
    words = [shlex.split(line) for line in said]
    assert words[0][-7:] == [
        *("--if-not-exists", "--topic", "p-clock", "--partitions", "1"),
        *("--config", "retention.ms=3600000"),
    ]
    assert "--replication-factor" not in words[0]
    assert words[1][words[1].index("--replication-factor") + 1] == "3"
    assert words[2][-9:] == [
        *("--add", "--allow-principal", USER, "--operation", "Read"),
        *("--topic", "p-a", "--topic", "p-b"),
    ]
    assert words[4][-4:] == ["--transactional-id", "p-x-", "--resource-pattern-type", "prefixed"]
    assert "BROKERS=one:9092,two:9092" in text


def test_the_script_runs_with_the_words_that_it_has() -> None:
    """By a shell, with programs that print their arguments."""
    text = script("one:9092", TOPICS[:1], ACLS[3:])
    shown = text.replace('"${KAFKA_BIN:-}"kafka-', "printf '<%s>' kafka-")
    done = subprocess.run(["sh"], input=shown.encode(), capture_output=True, check=True)
    assert f"<--allow-principal><{USER}><--operation><Write>".encode() in done.stdout
    assert b"<--bootstrap-server><one:9092><--create>" in done.stdout


def test_strimzi_s_resources_name_the_topics_and_users() -> None:
    found = list(yaml.safe_load_all(strimzi("shop", TOPICS, ACLS)))
    assert [each["kind"] for each in found] == ["KafkaTopic", "KafkaTopic", "KafkaUser"]
    assert {each["metadata"]["labels"]["strimzi.io/cluster"] for each in found} == {"shop"}
    clock, changelog, user = found
    assert clock["spec"] == {
        "topicName": "p-clock",
        "partitions": 1,
        "config": {"retention.ms": "3600000"},
    }
    assert changelog["metadata"]["name"] == "p-order-service-x-changelog"
    assert changelog["spec"]["topicName"] == "p-order_service-x-changelog"
    assert changelog["spec"]["replicas"] == 3
    assert user["spec"]["authorization"] == {
        "type": "simple",
        "acls": [
            {
                "resource": {"type": "topic", "name": "p-a", "patternType": "literal"},
                "operations": ["Read", "Write"],
            },
            {
                "resource": {"type": "topic", "name": "p-b", "patternType": "literal"},
                "operations": ["Read"],
            },
            {
                "resource": {"type": "transactionalId", "name": "p-x-", "patternType": "prefix"},
                "operations": ["Write"],
            },
        ],
    }


def test_names_of_resources_are_what_kubernetes_allows() -> None:
    assert resource_name("jointbuy-storefront.projector") == "jointbuy-storefront.projector"
    assert resource_name("CN=order_service,O=x") == "cn-order-service-o-x"
