"""The contracts as pages of the site: the AsyncAPI document, the messages, the OpenAPI document."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from contracts.compatibility import GENERATED, current
from contracts.generate import asyncapi, message_types
from services.storefront.api import document
from services.storefront.pages.api_docs import AREAS
from services.storefront.pages.api_reference import Field, Operation, areas, fields_of
from tests.contracts.folders import ROOT

Json = dict[str, Any]
EXAMPLES = ROOT / "schemas" / "examples"
#: The address in examples of the HTTP API.
ADDRESS = "https://buy.example"
_DAY_MS = 86_400_000
_MARKS = re.compile(r"([\\`*_{}\[\]<>|])")


def contract_pages() -> dict[str, str]:
    """The pages by their paths in the site."""
    told = asyncapi([current(message) for message in message_types()])
    return {
        "contracts/topics.md": "\n".join(_topics(told)),
        "contracts/messages.md": "\n".join(_messages(told)),
        "contracts/http-api.md": "\n".join(_http_api(document.own())),
    }


# --- AsyncAPI ------------------------------------------------------------------------------------


def _topics(told: Json) -> Iterator[str]:
    yield "# Topics\n"
    yield plain(told["info"]["description"])
    yield f"\nThis is the AsyncAPI {told['asyncapi']} document, version {told['info']['version']}."
    yield "The file is `schemas/generated/asyncapi.json`.\n"
    for name, channel in told["channels"].items():
        yield f"## {name}\n\n{plain(channel['summary'])}\n\n{plain(channel['description'])}\n"
        doing = {"send": "sent by", "receive": "received by"}
        rows = [
            (plain(words), ", ".join(f"`{each}`" for each in _services(told, name, action)))
            for action, words in doing.items()
        ]
        rows.append(("messages", ", ".join(map(_message_link, channel["messages"]))))
        for setting, value in channel["bindings"]["kafka"]["topicConfiguration"].items():
            rows.append((f"`{setting}`", _setting(setting, value)))
        yield from _table(("", ""), rows)


def _services(told: Json, topic: str, action: str) -> list[str]:
    return [
        operation["tags"][0]["name"]
        for operation in told["operations"].values()
        if operation["action"] == action
        and operation["channel"]["$ref"].removeprefix("#/channels/") == topic
    ]


def _message_link(name: str) -> str:
    return "any bytes" if name == "AnyBytes" else f"[{name}](messages.md#{name.lower()})"


def _setting(name: str, value: Any) -> str:
    words = ", ".join(value) if isinstance(value, list) else str(value)
    is_days = name.endswith(".ms") and isinstance(value, int) and value and not value % _DAY_MS
    return f"{words} ({value // _DAY_MS} days)" if is_days else words


def _messages(told: Json) -> Iterator[str]:
    yield "# Messages\n"
    yield "Each message of the topics: its fields by its JSON Schema, and an example.\n"
    for name, message in told["components"]["messages"].items():
        reference = message["payload"].get("$ref")
        if reference is None:
            continue
        schema = json.loads((GENERATED / reference).read_text(encoding="utf-8"))
        topics = [each for each, channel in told["channels"].items() if name in channel["messages"]]
        yield f"## {name}\n\n{plain(schema['description'])}\n"
        yield "On " + ", ".join(f"[{each}](topics.md#{each})" for each in topics) + "."
        if "bindings" in message:
            key = message["bindings"]["kafka"]["key"]["description"]
            yield f"The record's key: `{key}`."
        yield f"The schema is `schemas/generated/{reference.removeprefix('./')}`.\n"
        yield from _field_table(fields_of(schema, schema.get("$defs", {})))
        example = EXAMPLES / f"{name}.json"
        if example.exists():
            yield f"```json\n{example.read_text(encoding='utf-8').strip()}\n```\n"


# --- OpenAPI -------------------------------------------------------------------------------------


def _http_api(told: Json) -> Iterator[str]:
    yield "# HTTP API\n"
    yield from (f"{part}\n" for part in told["info"]["description"].strip().split("\n\n"))
    yield "Each storefront shows it at `/api/docs`, with forms to try it. The OpenAPI document is"
    yield "`/api/v1/openapi.json`.\n"
    for area, operations in areas(told, ADDRESS).items():
        yield f"## {AREAS[area]}\n"
        for operation in operations:
            yield from _operation(operation)


def _operation(operation: Operation) -> Iterator[str]:
    yield f"### {operation.title}\n\n`{operation.method} {operation.path}`\n"
    yield from (f"{plain(part)}\n" for part in operation.about)
    if operation.access == "key":
        yield "Needs a key or the token of a link.\n"
    if operation.parameters:
        yield "Parameters:\n"
        yield from _field_table(operation.parameters)
    if operation.fields:
        yield "Body, which may be left out:\n" if operation.is_body_optional else "Body:\n"
        yield from _field_table(operation.fields)
    yield "Answers:\n"
    yield from _table(
        ("status", "what", "as"),
        [
            (each.status, plain(each.about), f"`{each.media}`" * bool(each.media))
            for each in operation.answers
        ],
    )
    for answer in operation.answers:
        if answer.fields:
            yield f"Fields of {answer.status}:\n"
            yield from _field_table(answer.fields)
    yield f"```sh\n{operation.curl}\n```\n"


# --- tables --------------------------------------------------------------------------------------


def _field_table(fields: Iterable[Field]) -> Iterator[str]:
    rows = [
        (
            f"`{each.name}`" + f" in {each.place}" * bool(each.place),
            # A field that is required has no default for those who write it.
            plain(each.kind.partition("; if left out")[0] if each.is_required else each.kind),
            "yes" if each.is_required else "",
            plain(each.about),
        )
        for each in fields
    ]
    used = [number for number in range(4) if number < 2 or any(row[number] for row in rows)]
    heads = ("field", "value", "required", "about")
    yield from _table(
        [heads[number] for number in used], [[row[number] for number in used] for row in rows]
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def plain(text: str) -> str:
    """A text whose characters mean nothing to Markdown."""
    return (
        _MARKS.sub(r"\\\1", " ".join(text.replace("``", "").split()))
        .replace(r"\<", "&lt;")
        .replace(r"\>", "&gt;")
    )
