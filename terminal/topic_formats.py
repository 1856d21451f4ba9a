"""A plan of topics and ACLs for other tools: resources of Strimzi, a script for Kafka; pure."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from runtime.topic_plan import Acl, PlannedTopic

_STRIMZI: Final = "kafka.strimzi.io/v1beta2"
#: Strimzi's names for kinds of resources.
_KINDS: Final = {"topic": "topic", "group": "group", "transactional-id": "transactionalId"}
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9./-]*")

SCRIPT_HEAD: Final = """#!/bin/sh
# Topics and ACLs of jointbuy, made by `jointbuy topics plan --format sh`. What is there stays.
# KAFKA_BIN is the folder of Kafka's scripts with a slash at the end, CONFIG the file of an
# administrator's properties, if one is needed.
set -eu
"""


# --- Kafka's scripts -----------------------------------------------------------------------------


def script(servers: str, topics: Sequence[PlannedTopic], acls: Sequence[Acl]) -> str:
    """A shell script that makes all."""
    lines = [f"{SCRIPT_HEAD}BROKERS={shlex.quote(servers)}"]
    lines += [_run("kafka-topics.sh", _of_topic(each)) for each in topics]
    lines += [_run("kafka-acls.sh", each) for each in _of_acls(acls)]
    return "\n".join(lines) + "\n"


def _run(program: str, words: Sequence[str]) -> str:
    config = '${CONFIG:+--command-config "$CONFIG"}'
    return f'"${{KAFKA_BIN:-}}"{program} --bootstrap-server "$BROKERS" {config} {shlex.join(words)}'


def _of_topic(topic: PlannedTopic) -> list[str]:
    words = ["--create", "--if-not-exists", "--topic", topic.name]
    words += ["--partitions", str(topic.partitions)]
    if topic.replicas > 0:
        words += ["--replication-factor", str(topic.replicas)]
    for name, value in topic.settings.items():
        words += ["--config", f"{name}={value}"]
    return words


def _of_acls(acls: Sequence[Acl]) -> Iterator[list[str]]:
    """A command for all names that have the same rights: each one starts Java."""
    together: dict[tuple[str, str, str, bool], list[str]] = {}
    for acl in acls:
        right = acl.right
        key = (acl.principal, right.operation, right.kind, right.is_prefix)
        together.setdefault(key, []).append(right.name)
    for (principal, operation, kind, is_prefix), names in together.items():
        words = ["--add", "--allow-principal", principal, "--operation", operation]
        words += [word for name in names for word in (f"--{kind}", name)]
        yield words + (["--resource-pattern-type", "prefixed"] if is_prefix else [])


# --- Strimzi -------------------------------------------------------------------------------------


def strimzi(cluster: str, topics: Sequence[PlannedTopic], acls: Sequence[Acl]) -> str:
    """``KafkaTopic`` and ``KafkaUser`` resources.

    A user has no ``authentication``: add the cluster's own kind.
    """
    users: dict[str, list[Acl]] = {}
    for acl in acls:
        users.setdefault(resource_name(acl.principal.removeprefix("User:")), []).append(acl)
    found = [_topic(cluster, each) for each in topics]
    found += [_user(cluster, name, of) for name, of in users.items()]
    return "".join(f"---\n{_yaml(each)}" for each in found)


def resource_name(name: str) -> str:
    """A name as Kubernetes allows it; for a user, it is the name that signs in."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")


def _topic(cluster: str, topic: PlannedTopic) -> dict[str, Any]:
    spec: dict[str, Any] = {"topicName": topic.name, "partitions": topic.partitions}
    if topic.replicas > 0:
        spec["replicas"] = topic.replicas
    return _resource("KafkaTopic", cluster, topic.name, {**spec, "config": dict(topic.settings)})


def _user(cluster: str, name: str, acls: Sequence[Acl]) -> dict[str, Any]:
    together: dict[tuple[str, str, bool], list[str]] = {}
    for each in acls:
        key = (each.right.kind, each.right.name, each.right.is_prefix)
        together.setdefault(key, []).append(each.right.operation)
    rights = [
        {
            "resource": {
                "type": _KINDS[kind],
                "name": of,
                "patternType": "prefix" if is_prefix else "literal",
            },
            "operations": operations,
        }
        for (kind, of, is_prefix), operations in together.items()
    ]
    return _resource(
        "KafkaUser", cluster, name, {"authorization": {"type": "simple", "acls": rights}}
    )


def _resource(kind: str, cluster: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    labels = {"strimzi.io/cluster": cluster}
    about = {"name": resource_name(name), "labels": labels}
    return {"apiVersion": _STRIMZI, "kind": kind, "metadata": about, "spec": dict(spec)}


def _yaml(value: Any, indent: str = "") -> str:
    """YAML of mappings and lists; each text is quoted as in JSON, which is YAML too."""
    lines = []
    for key, each in value.items():
        name = key if _KEY.fullmatch(key) else json.dumps(key)
        if isinstance(each, dict) and each:
            lines.append(f"{indent}{name}:\n{_yaml(each, indent + '  ')}")
        elif isinstance(each, list) and each and isinstance(each[0], dict):
            lines.append(f"{indent}{name}:\n")
            for item in each:
                of_item = _yaml(item, indent + "    ")
                lines.append(f"{indent}  - {of_item[len(indent) + 4 :]}")
        else:
            lines.append(f"{indent}{name}: {json.dumps(each)}\n")
    return "".join(lines)
