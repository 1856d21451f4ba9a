"""The body of a request, or the fields of a form, as a shape of the API."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from services.storefront.problems import invalid

G = TypeVar("G", bound=BaseModel)


def given(shape: type[G], body: bytes | dict[str, Any]) -> G:
    """The shape of a body or of a form's fields. Raises ``Invalid``, which names every problem."""
    try:
        return shape.model_validate_json(body if isinstance(body, bytes) else to_json(body))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid([dict(each) for each in found]) from None
