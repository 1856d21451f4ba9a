"""The published JSON Schema of each message, version after version, and what may follow them.

``schemas/generated/json/<type>/v<n>.json``: the highest number is current. Earlier ones stay,
since records written under them stay on the topics. A change of shape becomes the next number,
provided that readers of it still read everything that any earlier version let writers write. A
change of words alone rewrites the current file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsoncompat import check_compat
from pydantic.json_schema import GenerateJsonSchema

from schemas.parts import Message

Schema = dict[str, Any]

REPOSITORY = Path(__file__).parents[1]
GENERATED = REPOSITORY / "schemas" / "generated"
FOLDER = GENERATED / "json"


class IncompatibleError(Exception):
    """Records on the topics could no longer be read; says which message and which versions."""


@dataclass(frozen=True)
class Published:
    """A message's current schema, its number, and whose readers do not expect all it allows."""

    name: str
    version: int
    schema: Schema
    #: Earlier versions that do not allow all of this one: deploy consumers before producers.
    ahead_of: tuple[int, ...]


class _Closed(GenerateJsonSchema):
    """Closed, since only then can a checker see that a later field harms no earlier record.

    Models read openly all the same: what is published binds writers, not readers.
    """

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: a field's title is its name again."""
        return False

    def model_schema(self, schema: Any) -> Schema:
        """As pydantic has it, closed, and with ``type`` required: it tells messages apart."""
        described = super().model_schema(schema)
        described["additionalProperties"] = False
        if "type" in described["properties"]:
            described["required"] = ["type", *described.get("required", [])]
        return described


def schema_of(message: type[Message]) -> Schema:
    """The schema that the model stands for now.

    Taken from what the model accepts: that is what a writer may leave out.
    """
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **message.model_json_schema(schema_generator=_Closed, mode="validation"),
    }


def committed(name: str, folder: Path = FOLDER) -> dict[int, Schema]:
    """The schemas published so far under a message's name, by version, oldest first."""
    files = {int(file.stem[1:]): file for file in (folder / name).glob("v*.json")}
    return {version: json.loads(files[version].read_text()) for version in sorted(files)}


def current(message: type[Message], folder: Path = FOLDER) -> Published:
    """What is to be published of a message now; ``IncompatibleError`` if records would be lost."""
    name, schema = message.__name__, schema_of(message)
    versions = committed(name, folder)
    lost = [version for version, old in versions.items() if not reads(schema, written_under=old)]
    if lost:
        those = ", ".join(f"v{version}" for version in lost)
        raise IncompatibleError(
            f"{name}: the model no longer reads records of {those}; new fields need a default, and"
            " what was allowed stays allowed (or give the changed message a new type; a version"
            " that was never released can be deleted)"
        )
    latest = max(versions, default=0)
    is_new = latest == 0 or _shape(versions[latest]) != _shape(schema)
    ahead = [version for version, old in versions.items() if not reads(old, written_under=schema)]
    return Published(name, latest + is_new, schema, tuple(ahead))


def reads(reader: Schema, *, written_under: Schema) -> bool:
    """Whether one who holds to ``reader`` can read every record that ``written_under`` allows.

    The checker does not compare regular expressions: a pattern made narrower passes unseen.
    """
    return check_compat(json.dumps(written_under), json.dumps(reader), "deserializer")


def _shape(schema: Any) -> Any:
    """The schema without its words; the names of properties are not words."""
    if isinstance(schema, Mapping):
        return {
            key: {name: _shape(part) for name, part in value.items()}
            if key in {"properties", "$defs"}
            else _shape(value)
            for key, value in schema.items()
            if key not in {"title", "description"}
        }
    if isinstance(schema, list):
        return [_shape(part) for part in schema]
    return schema
