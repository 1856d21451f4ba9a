"""The catalogue, the models and what is published of them say the same."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import TypeAdapter, create_model

from contracts import compatibility, generate
from contracts.compatibility import IncompatibleError, committed, current, reads, schema_of
from contracts.generate import message_types
from domain.ids import derive
from schemas.catalogue import CATALOGUE
from schemas.ops import TASKS
from schemas.parts import Message, Product, TimePassed
from schemas.people import PEOPLE, PersonErased
from schemas.topic import Topic

EXAMPLES = generate.REPOSITORY / "schemas" / "examples"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

by_name = pytest.mark.parametrize("message", message_types(), ids=lambda message: message.__name__)
by_topic = pytest.mark.parametrize("topic", CATALOGUE.values(), ids=lambda topic: topic.name)


def example(message: type[Message]) -> dict[str, Any]:
    return json.loads((EXAMPLES / f"{message.__name__}.json").read_text(encoding="utf-8"))


def published(message: type[Message]) -> Draft202012Validator:
    schema = max(committed(message.__name__).items())[1]
    formats = FormatChecker(formats=())
    formats.checks("date-time")(lambda value: value is None or INSTANT.fullmatch(value))
    return Draft202012Validator(schema, format_checker=formats)


# --- what is committed ---------------------------------------------------------------------------


def test_generated_files_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    status = generate.main(["--check"])
    assert status == 0, capsys.readouterr().out + "run python -m contracts.generate"


def test_every_published_schema_and_example_belongs_to_a_message() -> None:
    names = {message.__name__ for message in message_types()}
    assert {path.name for path in generate.FOLDER.iterdir()} == names
    assert {path.name for path in EXAMPLES.iterdir()} == {f"{name}.json" for name in names}


@pytest.mark.slow
@by_name
def test_versions_count_from_one_without_gaps(message: type[Message]) -> None:
    versions = list(committed(message.__name__))
    assert versions == list(range(1, len(versions) + 1))


@cache
def check_schema(text: str) -> None:
    """Raise if it is no JSON Schema. Each text once: most parts are of many messages."""
    Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.slow
@by_name
def test_published_schemas_are_closed_all_through(message: type[Message]) -> None:
    for version in committed(message.__name__).values():
        parts = version.get("$defs", {}).values()
        for each in ({**version, "$defs": {}}, *parts):
            check_schema(json.dumps(each))
        objects = [version, *parts]
        structures = [part for part in objects if part.get("type") == "object"]
        assert structures
        assert all(part["additionalProperties"] is False for part in structures)
        assert "type" in version["required"]
        assert version["properties"]["type"]["const"] == message.__name__


# --- examples ------------------------------------------------------------------------------------


@pytest.mark.slow
@by_name
def test_the_example_is_valid_for_the_schema_and_the_model(message: type[Message]) -> None:
    value = example(message)
    published(message).validate(value)
    assert message.model_validate_json(json.dumps(value)).model_dump()["type"] == value["type"]


@by_topic
def test_examples_of_what_the_system_writes_are_what_it_writes(topic: Topic) -> None:
    for message in topic.messages if topic.kind in {"fact", "step"} else ():
        value = example(message)
        written = message.model_validate_json(json.dumps(value)).model_dump_json(exclude_none=True)
        assert json.loads(written) == value


@pytest.mark.slow
@by_topic
def test_a_topic_takes_its_examples_and_no_others(topic: Topic) -> None:
    if not topic.messages:
        return
    for message in message_types():
        value = json.dumps(example(message))
        if message in generate.accepted(topic):
            assert type(topic.adapter.validate_json(value)) is message
        else:
            with pytest.raises(ValueError, match="type"):
                topic.adapter.validate_json(value)


def test_examples_tell_one_story_under_derived_ids() -> None:
    values = [example(message) for message in message_types()]
    requests = {value["request_id"] for value in values if "request_id" in value}
    derived = {derive(request, attempt): request for request in requests for attempt in range(2)}
    for value in values:
        if "group_id" in value:
            assert value["group_id"] in derived, value["type"]
            assert value.get("request_id") in {None, derived[value["group_id"]]}, value["type"]


@pytest.mark.slow
@by_name
def test_readers_ignore_fields_they_do_not_know(message: type[Message]) -> None:
    value = example(message)
    later = {
        name: {**part, "of_a_later_version": 1} if isinstance(part, dict) else part
        for name, part in value.items()
    }
    later["of_a_later_version"] = {"x": 1}
    assert message.model_validate_json(json.dumps(later)) == message.model_validate_json(
        json.dumps(value)
    )
    assert not published(message).is_valid(later)


# --- models and schemas agree --------------------------------------------------------------------


def documents(schema: dict[str, Any], parts: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any document that a published schema allows."""
    match schema:
        case {"$ref": reference}:
            return documents(parts[reference.removeprefix("#/$defs/")], parts)
        case {"anyOf": choices}:
            return st.one_of([documents(choice, parts) for choice in choices])
        case {"type": "object", "properties": properties}:
            fields = {name: documents(field, parts) for name, field in properties.items()}
            required = {name: fields.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(required, optional=fields)
        case {"type": "object", "additionalProperties": values}:
            most = min(schema.get("maxProperties", 3), 3)
            return st.dictionaries(st.text(max_size=20), documents(values, parts), max_size=most)
        case {"type": "array", "items": items}:
            least = schema.get("minItems", 0)
            return st.lists(documents(items, parts), min_size=least, max_size=least + 2)
        case _:
            return scalars(schema)


def scalars(schema: dict[str, Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one per kind
    match schema:
        case {"const": value}:
            return st.just(value)
        case {"enum": values}:
            return st.sampled_from(values)
        case {"format": "date-time"}:
            instants = st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC))
            return instants.map(lambda at: at.isoformat().replace("+00:00", "Z"))
        case {"type": "string", "pattern": pattern} if (
            "maxLength" not in schema or pattern.startswith("^http")
        ):
            return st.from_regex(pattern, fullmatch=True)
        case {"type": "string"}:
            plain = {"exclude_categories": ["Cs", "Cc"], "exclude_characters": "/"}
            letters = (
                st.characters(**plain) if "pattern" in schema else st.characters(codec="utf-8")
            )
            least, most = schema.get("minLength", 0), schema.get("maxLength", 20)
            return st.text(letters, min_size=least, max_size=min(most, 20))
        case {"type": "integer"}:
            return st.integers(schema.get("minimum", -(2**53)), schema.get("maximum", 2**53))
        case {"type": "number"}:
            return st.floats(allow_nan=False, allow_infinity=False)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
    raise AssertionError(f"extend this strategy: {schema}")


@pytest.mark.slow
@by_name
def test_what_a_schema_allows_is_read_and_written_again_the_same(message: type[Message]) -> None:
    validator = published(message)

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents(validator.schema, validator.schema.get("$defs", {})))
    def holds(document: Any) -> None:
        read = message.model_validate_json(json.dumps(document))
        for written in (read.model_dump_json(), read.model_dump_json(exclude_none=True)):
            assert message.model_validate_json(written) == read
            validator.validate(json.loads(written))

    holds()


# --- compatibility -------------------------------------------------------------------------------


def sold(*, drop: str = "", **fields: Any) -> type[Message]:
    """A message that tells of a sale, as some later change leaves it."""
    first = {"colour": (Literal["red", "blue"], ...), "product": (Product, ...)}
    kept = {name: field for name, field in {**first, **fields}.items() if name != drop}
    return create_model("Sold", __base__=Message, type=(Literal["Sold"], "Sold"), **kept)  # type: ignore[call-overload]


WITH_CODE = create_model("Product", __base__=Product, code=(str | None, None))
WITH_CODE_REQUIRED = create_model("Product", __base__=Product, code=(str, ...))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "new_reads_old", "old_expects_new"),
    [
        pytest.param(sold(), True, True, id="none"),
        pytest.param(sold(note=(str | None, None)), True, False, id="optional field added"),
        pytest.param(sold(note=(str, ...)), False, False, id="required field added"),
        pytest.param(sold(drop="colour"), False, False, id="field removed"),
        pytest.param(sold(colour=(Literal["red"], ...)), False, True, id="enum value removed"),
        pytest.param(
            sold(colour=(Literal["red", "blue", "green"], ...)), True, False, id="enum value added"
        ),
        pytest.param(sold(product=(WITH_CODE, ...)), True, False, id="optional part added"),
        pytest.param(sold(product=(WITH_CODE_REQUIRED, ...)), False, False, id="required part"),
        pytest.param(sold(product=(Product | None, None)), True, False, id="field made optional"),
    ],
)
def test_which_changes_keep_old_records_readable(
    change: type[Message], new_reads_old: bool, old_expects_new: bool
) -> None:
    old, new = schema_of(sold()), schema_of(change)
    assert reads(new, written_under=old) == new_reads_old
    assert reads(old, written_under=new) == old_expects_new


def publish(message: type[Message], folder: Path) -> int:
    now = current(message, folder)
    path = folder / now.name / f"v{now.version}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(now.schema))
    return now.version


@pytest.mark.slow
def test_a_change_of_shape_is_a_new_version_and_a_change_of_words_is_not(tmp_path: Path) -> None:
    assert publish(sold(), tmp_path) == 1
    reworded = sold()
    reworded.__doc__ = "Something was sold."
    reworded.model_rebuild(force=True)
    assert publish(reworded, tmp_path) == 1
    assert current(sold(note=(str | None, None)), tmp_path).ahead_of == (1,)
    assert publish(sold(note=(str | None, None)), tmp_path) == 2
    assert publish(sold(note=(str | None, None)), tmp_path) == 2
    assert publish(sold(note=(str | None, None), price=(int, 0)), tmp_path) == 3


def test_a_change_is_held_against_every_version_not_only_the_last(tmp_path: Path) -> None:
    publish(sold(), tmp_path)
    publish(sold(note=(str | None, None)), tmp_path)
    with pytest.raises(IncompatibleError, match=r"Sold: .* v1, v2; new fields need a default"):
        current(sold(note=(str | None, None), price=(int, ...)), tmp_path)
    with pytest.raises(IncompatibleError, match=r"records of v2;"):
        current(sold(), tmp_path)


@pytest.mark.slow
@by_name
def test_today_s_models_read_records_of_every_version(message: type[Message]) -> None:
    versions = committed(message.__name__)
    assert versions
    for version in versions.values():
        assert reads(compatibility.schema_of(message), written_under=version)


# --- the AsyncAPI document -----------------------------------------------------------------------


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict) and "$ref" in document:
        yield document["$ref"]
    if isinstance(document, dict | list):
        for part in document.values() if isinstance(document, dict) else document:
            yield from references(part)


def test_the_asyncapi_document_names_every_topic_service_and_message() -> None:
    document = json.loads(generate.ASYNCAPI.read_text())
    assert document["asyncapi"] == "3.1.0"
    assert set(document["channels"]) == set(CATALOGUE)
    roles = {
        f"{service}.{action}.{topic.name}"
        for topic in CATALOGUE.values()
        for action, services in (("send", topic.producers), ("receive", topic.consumers))
        for service in services
    }
    assert set(document["operations"]) == roles
    assert {message.__name__ for message in message_types()} < set(
        document["components"]["messages"]
    )
    for name, channel in document["channels"].items():
        kafka = channel["bindings"]["kafka"]
        compacts = kafka["topicConfiguration"]["cleanup.policy"] == ["compact"]
        assert compacts == CATALOGUE[name].compacted


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads(generate.ASYNCAPI.read_text())
    for reference in set(references(document)):
        path, _, pointer = reference.partition("#")
        if path:
            assert (generate.ASYNCAPI.parent / path).is_file(), reference
            continue
        found = document
        for step in pointer.strip("/").split("/"):
            found = found[step]


# --- the catalogue's own rules -------------------------------------------------------------------

#: The facts of several writers. Each kind of task has one writer. A person's address is written by
#: whichever service it comes to, and the newest counts.
SEVERAL_WRITERS = (TASKS, PEOPLE)
#: The messages with an address: a person's, those that bring one from outside, and a seller's or
#: shop's, as the contact of a business is public.
WITH_ADDRESS = {
    *("Person", "GroupPurchaseRequested", "MembersListed", "OrderPlaced", "OrderPaid", "Applied"),
    *("ShopOrderSeen", "SellerRegistered", "Seller", "Shop"),
}
OF_A_PERSON = re.compile("(.+_)?(email|locale|time_zone)")


def fields_of(schema: Any) -> Iterator[str]:
    """The names of all fields in a schema, those of its parts too."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
    if isinstance(schema, dict | list):
        for part in schema.values() if isinstance(schema, dict) else schema:
            yield from fields_of(part)


@pytest.mark.slow
def test_addresses_are_in_people_and_in_what_comes_from_outside() -> None:
    found = {
        message.__name__
        for message in message_types()
        if any(map(OF_A_PERSON.fullmatch, fields_of(schema_of(message))))
    }
    assert found == WITH_ADDRESS


def test_only_people_are_erased_by_a_tombstone() -> None:
    """And the tombstone's key is the person's."""
    assert [topic.name for topic in CATALOGUE.values() if topic.tombstone] == ["people"]
    assert list(PersonErased.model_fields) == ["type", PersonErased.keyed_by]
    assert PersonErased.keyed_by == PEOPLE.key


@by_topic
def test_a_fact_has_one_writer_and_is_compacted(topic: Topic) -> None:
    if topic.kind != "fact":
        return
    assert topic.compacted
    if topic in SEVERAL_WRITERS:
        assert len(topic.producers) > 1, "take it out of SEVERAL_WRITERS"
    else:
        assert len(topic.producers) == 1


@by_topic
def test_topics_are_plural_kebab_nouns(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*s|people", topic.name)
    assert topic.producers, "nobody writes it"
    assert topic.consumers, "nobody reads it"
    assert topic.purpose.endswith(".")


@by_topic
def test_a_message_s_key_begins_with_what_its_topic_is_keyed_by(topic: Topic) -> None:
    for message in topic.messages:
        assert hasattr(message, message.keyed_by) or message.keyed_by in message.model_fields
        assert re.split(r"\W", topic.key)[0] == message.keyed_by, message.__name__
        written = TypeAdapter(message).validate_json(json.dumps(example(message)))
        assert written.key.partition("/")[0] == getattr(written, message.keyed_by)


def test_time_passed_has_no_key() -> None:
    assert TimePassed(at=datetime(2026, 6, 15, tzinfo=UTC)).key == ""


def test_a_message_travels_on_one_topic_only() -> None:
    names = [message.__name__ for topic in CATALOGUE.values() for message in topic.messages]
    assert sorted(names) == sorted(set(names))
