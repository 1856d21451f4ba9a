"""Writes the contracts that others read, from the catalogue and the models.

``python -m contracts.generate`` writes the JSON Schemas, the AsyncAPI document and the diagram;
``--check`` writes nothing, names what is stale, and exits 1 if anything is.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from contracts.compatibility import (
    FOLDER,
    GENERATED,
    REPOSITORY,
    IncompatibleError,
    Published,
    current,
)
from schemas.catalogue import CATALOGUE
from schemas.parts import Message, TimePassed
from schemas.topic import Topic

Json = dict[str, Any]

ASYNCAPI = GENERATED / "asyncapi.json"
TOPOLOGY = REPOSITORY / "docs" / "topology.md"
#: Of the contracts as a whole; rises with a topic or message that is added or goes.
ASYNCAPI_INFO_VERSION = "1.1.0"
CLOUDEVENTS_REQUIRED = ["ce_id", "ce_source", "ce_specversion", "ce_type"]
DEAD_LETTER_HEADERS = ["service", "topic", "partition", "offset", "error", "attempt"]
#: Headers of records that could not be read at all, or were too large to be kept.
DEAD_LETTER_MORE = {
    "unreadable": "Why it could not be read: header-name, checksum, codec, compression, records,"
    " too-large or cut-off.",
    "last-offset": "The last offset that could not be read.",
    "letter-content": "record-batch: the value is a batch as the broker keeps it; left-out: it was"
    " too large.",
    "left-out-bytes": "The size of the value that was left out.",
}


def message_types() -> tuple[type[Message], ...]:
    """Every message of the catalogue, by name."""
    types = {message for topic in CATALOGUE.values() for message in topic.messages} | {TimePassed}
    return tuple(sorted(types, key=lambda message: message.__name__))


def accepted(topic: Topic) -> tuple[type[Message], ...]:
    """What may come on a topic: feeds may tell any command topic that time passed."""
    return topic.messages + ((TimePassed,) if topic.kind == "command" else ())


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what is stale, or only name it; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m contracts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if stale")
    is_check = parser.parse_args(arguments).check
    try:
        published = [current(message) for message in message_types()]
    except IncompatibleError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    stale = {path: text for path, text in contracts(published).items() if _read_text(path) != text}
    for path, text in stale.items():
        sys.stdout.write(f"{'stale' if is_check else 'wrote'} {path.relative_to(REPOSITORY)}\n")
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for schema in published:
        if schema.ahead_of and _schema_path(schema) in stale:
            sys.stdout.write(
                f"{schema.name}: v{schema.version} allows what v{max(schema.ahead_of)} does not,"
                " deploy consumers before producers\n"
            )
    if is_check and stale:
        sys.stderr.write("run python -m contracts.generate and commit what it writes\n")
    return int(is_check and bool(stale))


def contracts(published: Sequence[Published]) -> dict[Path, str]:
    """Every generated file and its text; earlier versions of schemas stay as they are."""
    files = {_schema_path(schema): _json_text(schema.schema) for schema in published}
    files[ASYNCAPI] = _json_text(asyncapi(published))
    files[TOPOLOGY] = topology()
    return files


def _schema_path(schema: Published) -> Path:
    return FOLDER / schema.name / f"v{schema.version}.json"


def _json_text(document: Json) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _read_text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


# --- AsyncAPI ------------------------------------------------------------------------------------


def asyncapi(published: Sequence[Published]) -> Json:
    """The AsyncAPI document: who sends and receives what on which topic."""
    versions = {schema.name: schema.version for schema in published}
    messages = {
        message.__name__: _message(message, versions[message.__name__])
        for message in message_types()
    }
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "jointbuy",
            "version": ASYNCAPI_INFO_VERSION,
            "description": "Group bulk purchases on Kafka topics: every topic, who writes it, who"
            " reads it. Generated from the topics and messages in schemas/.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "example": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "An example: deployments name theirs in KAFKA_BOOTSTRAP_SERVERS.",
            }
        },
        "channels": {topic.name: _channel(topic) for topic in CATALOGUE.values()},
        "operations": {
            f"{service}.{action}.{topic.name}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": f"{service} {action}s {topic.name}.",
                "tags": [{"name": service}],
            }
            for topic in CATALOGUE.values()
            for service, action in _roles(topic)
        },
        "components": {
            "messages": {**messages, "AnyBytes": _any_bytes()},
            "schemas": {
                "CloudEvent": _cloudevent(CLOUDEVENTS_REQUIRED),
                "PerhapsCloudEvent": _cloudevent([]),
            },
        },
    }


def _roles(topic: Topic) -> Iterator[tuple[str, str]]:
    yield from ((service, "send") for service in topic.producers)
    yield from ((service, "receive") for service in topic.consumers)


def _channel(topic: Topic) -> Json:
    names = [message.__name__ for message in accepted(topic)] or ["AnyBytes"]
    settings = topic.settings(log_time=False)
    return {
        "address": topic.name,
        "summary": topic.purpose,
        "description": f"A {topic.kind} topic; its key: {topic.key}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "topicConfiguration": {
                    setting: [value] if setting == "cleanup.policy" else int(value)
                    for setting, value in settings.items()
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(message: type[Message], version: int) -> Json:
    name = message.__name__
    topics = [topic for topic in CATALOGUE.values() if message in accepted(topic)]
    is_command = any(topic.kind == "command" for topic in topics)
    headers = "PerhapsCloudEvent" if is_command else "CloudEvent"
    described: Json = {
        "name": name,
        "summary": (message.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{headers}"},
        "payload": {"$ref": f"./json/{name}/v{version}.json"},
    }
    if message is not TimePassed:
        key = {"type": "string", "description": _key_in_words(message)}
        described["bindings"] = {"kafka": {"key": key, "bindingVersion": "0.5.0"}}
    return described


def _key_in_words(message: type[Message]) -> str:
    if message.key is Message.key:
        return f"<{message.keyed_by}>"
    return (message.key.__doc__ or "").strip("`.")


def _any_bytes() -> Json:
    return {
        "name": "AnyBytes",
        "summary": "A record's value as it came, byte for byte.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "description": "The service that could not read it, where it came from, and why.",
            "properties": {name: {"type": "string"} for name in DEAD_LETTER_HEADERS}
            | {
                name: {"type": "string", "description": about}
                for name, about in DEAD_LETTER_MORE.items()
            },
            "required": DEAD_LETTER_HEADERS,
        },
        "payload": {"type": "string", "format": "binary"},
    }


def _cloudevent(required: list[str]) -> Json:
    fields: Json = {
        "ce_id": {"type": "string", "description": "The same cause gives the same id."},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_cause": {"type": "string", "description": "The input: topic/partition/offset."},
        "ce_rule": {"type": "string", "description": "The rule that sent it."},
        "content-type": {"type": "string"},
    }
    return {
        "type": "object",
        "description": "CloudEvents 1.0 in Kafka's binary mode"
        + ("." if required else "; commands without these headers are accepted."),
        "properties": fields,
        "required": required,
    }


# --- the diagram ---------------------------------------------------------------------------------

_SHAPES = {"command": ("[/", "/]"), "fact": ("[(", ")]"), "step": ("[[", "]]"), "ops": ("{{", "}}")}


def topology() -> str:
    """Services, topics and what flows between them, as Markdown with Mermaid diagrams."""
    of_the_story = [topic for topic in CATALOGUE.values() if topic.kind != "ops"]
    of_operations = [topic for topic in CATALOGUE.values() if topic.kind == "ops"]
    return "\n".join(
        [
            "# Topology",
            "",
            "Generated by `python -m contracts.generate` from the topics in `schemas/`.",
            "",
            "Rounded boxes are services, slanted ones command topics, cylinders fact topics,",
            "double-edged ones steps inside a service.",
            "",
            *_flowchart(of_the_story),
            "",
            "What operations see of it:",
            "",
            *_flowchart(of_operations),
            "",
            "| topic | kind | key | messages | written by | read by | kept |",
            "|---|---|---|---|---|---|---|",
            *(_row(topic) for topic in CATALOGUE.values()),
            "",
        ]
    )


def _flowchart(topics: Sequence[Topic]) -> Iterator[str]:
    services = sorted({service for topic in topics for service, _ in _roles(topic)})
    yield "```mermaid"
    yield "flowchart LR"
    yield from (f"  {service}({service})" for service in services)
    for topic in topics:
        opening, closing = _SHAPES[topic.kind]
        yield f"  {_node(topic)}{opening}{topic.name}{closing}"
    for topic in topics:
        yield from (f"  {service} --> {_node(topic)}" for service in topic.producers)
        yield from (f"  {_node(topic)} --> {service}" for service in topic.consumers)
    yield "```"


def _node(topic: Topic) -> str:
    # A topic's own name may hold what Mermaid reads as a link or as a word of its own.
    return "topic_" + topic.name.replace("-", "_")


def _row(topic: Topic) -> str:
    names = ", ".join(f"`{message.__name__}`" for message in topic.messages) or "any bytes"
    kept = _kept(topic)
    writers, readers = ", ".join(topic.producers), ", ".join(topic.consumers)
    return (
        f"| `{topic.name}` | {topic.kind} | {topic.key} | {names} | {writers} | {readers}"
        f" | {kept} |"
    )


def _kept(topic: Topic) -> str:
    if topic.compacted:
        return "the latest per key"
    retention_ms = int(topic.settings(log_time=False)["retention.ms"])
    return "for ever" if retention_ms < 0 else f"{retention_ms // 86_400_000} days"


if __name__ == "__main__":
    raise SystemExit(main())
