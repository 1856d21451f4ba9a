"""Texts in templates are filled with values, and nothing is said that is not there."""

import pytest
from jinja2 import Environment

from texts.catalogue import ENGLISH, texts
from texts.templates import install


def filled(template: str, **values: object) -> str:
    """A template of plain text with its values."""
    environment = Environment(autoescape=False)
    install(environment, texts(ENGLISH))
    return environment.from_string(template).render(values)


def test_a_text_takes_the_values_of_the_call_and_of_the_template() -> None:
    """The call's come first."""
    assert filled('{{ _("{one} and {two}", one="a") }}', one="x", two="b") == "a and b"


def test_a_value_that_is_missing_or_none_is_a_mistake() -> None:
    """No reader gets a text with ``None`` in it."""
    with pytest.raises(KeyError):
        filled('{{ _("It costs {price}") }}')
    with pytest.raises(ValueError, match="price is None: It costs"):
        filled('{{ _("It costs {price}") }}', price=None)
