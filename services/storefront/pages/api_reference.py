"""The OpenAPI document as people read it: areas, operations, fields. Pure.

The document is made by this program, so only what it uses of JSON Schema is read here.
"""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

Json = dict[str, Any]
#: Fields of fields are listed down to here; recursive shapes end here, too.
DEPTH_MAX = 4
#: Bounds as wide as these only keep sums exact, and say nothing to a reader.
WIDE = 1_000_000
STREAM = "text/event-stream"
#: What FastAPI says of an answer that nobody described.
_NO_WORDS = "Successful Response"
_FORMATS = {"date-time": "date and time (RFC 3339)", "idn-email": "email address"}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body or an answer; ``place`` is empty for fields."""

    name: str
    kind: str
    is_required: bool
    about: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered with a status."""

    status: str
    about: str
    media: str
    fields: tuple[Field, ...]

    @property
    def is_problem(self) -> bool:
        """Whether the operation did not do what was asked; all problems have one shape."""
        return not self.status.startswith("2")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``access`` is ``open`` or ``key``; ``body`` is its example."""

    id: str
    title: str
    about: tuple[str, ...]
    method: str
    path: str
    access: str
    parameters: tuple[Field, ...]
    fields: tuple[Field, ...]
    body: str
    is_body_optional: bool
    answers: tuple[Answer, ...]
    curl: str

    @property
    def is_stream(self) -> bool:
        """Whether the answer does not end."""
        return any(STREAM in each.media for each in self.answers)


def areas(document: Json, address: str) -> dict[str, list[Operation]]:
    """The operations by area (tag), in the document's order; ``address`` is for the examples."""
    schemas = document["components"]["schemas"]
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            operation = _operation(path, method.upper(), told, schemas, address)
            found.setdefault(told["tags"][0], []).append(operation)
    return found


def _operation(path: str, method: str, told: Json, schemas: Json, address: str) -> Operation:
    parameters = tuple(
        Field(
            name=each["name"],
            kind=_kind(each["schema"]),
            is_required=each.get("required", False),
            about=_plain(each.get("description", "")),
            place=each["in"],
        )
        for each in told.get("parameters", ())
    )
    body = told.get("requestBody", {})
    content = body.get("content", {}).get("application/json", {})
    example = json.dumps(content["example"], indent=2, ensure_ascii=False) if content else ""
    answers = tuple(_answer(status, each, schemas) for status, each in told["responses"].items())
    made = Operation(
        # FastAPI's ids end in the path and the method, which stand beside it.
        id=told["operationId"].partition("_api_v1_")[0].replace("_", "-"),
        title=told["summary"],
        about=tuple(_plain(part) for part in told.get("description", "").split("\n\n") if part),
        method=method,
        path=path,
        access="open" if {} in told["security"] else "key",
        parameters=parameters,
        fields=tuple(fields_of(content.get("schema", {}), schemas)),
        body=example,
        is_body_optional=bool(body) and not body.get("required", False),
        answers=tuple(sorted(answers, key=lambda each: each.status)),
        curl="",
    )
    return _with_curl(made, address)


def _with_curl(operation: Operation, address: str) -> Operation:
    """The operation with a command line that uses it."""
    path = operation.path.replace("{", "").replace("}", "")
    for each in operation.parameters:
        if each.place == "path":
            path = path.replace(f"/{each.name}", f"/{each.name.upper()}")
    lines = [f"curl {'-N ' if operation.is_stream else ''}{shlex.quote(address + path)}"]
    if operation.method != "GET":
        lines[0] = lines[0].replace("curl ", f"curl -X {operation.method} ", 1)
    if operation.access == "key":
        lines.append("-H 'Authorization: Bearer YOUR_KEY'")
    if any(each.name == "Idempotency-Key" for each in operation.parameters):
        lines.append('-H "Idempotency-Key: $(uuidgen)"')
    if operation.body:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d {shlex.quote(operation.body)}")
    return replace(operation, curl=" \\\n  ".join(lines))


def _answer(status: str, told: Json, schemas: Json) -> Answer:
    content: dict[str, Json] = told.get("content", {})
    schema: Json = next((each.get("schema", {}) for each in content.values()), {})
    about = told["description"]
    if about == _NO_WORDS:
        about = _about(schema, schemas)
    return Answer(
        status=status,
        about=_plain(about),
        media=", ".join(content),
        fields=() if status[0] != "2" else tuple(fields_of(schema, schemas)),
    )


def _about(schema: Json, schemas: Json) -> str:
    """What a shape says of itself, else what the entries of its list do."""
    shape = _shape(schema, schemas)
    entries = shape.get("properties", {}).get("items", shape).get("items", {})
    return str(shape.get("description") or _shape(entries, schemas).get("description", ""))


# --- fields --------------------------------------------------------------------------------------


def fields_of(schema: Json, schemas: Json, path: str = "", depth: int = 0) -> Iterator[Field]:
    """The fields of an object, and of the objects in it, each by its path."""
    shape = _shape(schema, schemas)
    required = shape.get("required", ())
    for name, each in shape.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        inner = _inner(each, schemas)
        yield Field(
            name=at + ("[]" if _is_list(each) and inner else ""),
            kind=_kind(each),
            is_required=name in required,
            about=_plain(each.get("description", "")),
        )
        if inner and depth < DEPTH_MAX:
            yield from fields_of(inner, schemas, at + ("[]" if _is_list(each) else ""), depth + 1)


def _shape(schema: Json, schemas: Json) -> Json:
    if "$ref" in schema:
        found: Json = schemas[schema["$ref"].rpartition("/")[2]]
        return found
    return schema


def _options(schema: Json) -> list[Json]:
    """What a value may be, but for null."""
    return [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]


def _is_list(schema: Json) -> bool:
    return any(each.get("type") == "array" for each in _options(schema))


def _inner(schema: Json, schemas: Json) -> Json | None:
    """The object in a field, or in each of a field's entries."""
    for each in _options(schema):
        of = each.get("items", {}) if each.get("type") == "array" else each
        for option in _options(of):
            shape = _shape(option, schemas)
            if shape.get("properties"):
                return shape
    return None


def _kind(schema: Json) -> str:
    """What a value is, in a few words."""
    kinds = list(dict.fromkeys(_kind_of(each) for each in _options(schema)))
    is_nullable = len(_options(schema)) < len(schema.get("anyOf", [schema]))
    words = " or ".join(kinds)
    if "default" not in schema:
        return f"{words} or null" if is_nullable else words
    # A field that may be left out may be null, too, which a reader need not think of.
    default = schema["default"]
    is_told = isinstance(default, (str, int, float)) and default != ""
    return f"{words}; if left out: {json.dumps(default)}" if is_told else words


def _kind_of(schema: Json) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    match schema.get("type", "object"):
        case "array":
            return f"list of {_kind(schema.get('items', {}))}{_bounds(schema, 'Items')}"
        case "string":
            given = str(schema.get("format", "string"))
            return _FORMATS.get(given, given) + _bounds(schema, "Length")
        case "integer" | "number" as kind:
            return str(kind) + _bounds(schema, "imum")
        case kind:
            return str(kind)


def _bounds(schema: Json, what: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    least = None if least is not None and abs(least) >= WIDE else least
    most = None if most is not None and abs(most) >= WIDE else most
    unit = {"Items": "entries", "Length": "characters", "imum": ""}[what]
    if what == "Length" and least == 1:
        least = None
    if least is not None and most is not None:
        said = f"{least:g} to {most:g} {unit}"
    elif most is not None:
        said = f"at most {most:g} {unit}"
    elif least is not None:
        said = f"at least {least:g} {unit}"
    else:
        return ""
    return f", {said.strip()}"


def _plain(text: str) -> str:
    """A description without the marks and line ends of the source."""
    return " ".join(text.replace("``", "").replace("`", "").split())
