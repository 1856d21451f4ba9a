"""What values a setting may have, in words; for ``--help``, refusals and the reference."""

from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

_TYPES: Final[dict[Any, str]] = {
    int: "whole number", float: "number", str: "text", Path: "path", SecretStr: "text",
}  # fmt: skip
_BOUNDS: Final = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def allowed(field: FieldInfo, quote: str = "") -> str:
    """``whole number, at least 1``, ``json or console``; ``quote`` stands around values."""
    bounds = [
        f"{words} {getattr(limit, bound):,}"
        for limit in field.metadata
        for bound, words in _BOUNDS.items()
        if hasattr(limit, bound)
    ]
    return ", ".join([_type(field.annotation, quote), *bounds])


def default(field: FieldInfo) -> str:
    """The default as it would be written into the environment; empty if there is none."""
    value = field.default
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(plain, bool):
        return str(plain).lower()
    return "" if plain is None else str(plain)


def _type(annotation: Any, quote: str) -> str:
    if annotation is bool:
        return f"{quote}true{quote} or {quote}false{quote}"
    if get_origin(annotation) is Literal:
        return " or ".join(f"{quote}{value}{quote}" for value in get_args(annotation))
    if get_origin(annotation) in {Union, UnionType}:
        (inner,) = (each for each in get_args(annotation) if each is not NoneType)
        return _type(inner, quote)
    return _TYPES[annotation]
