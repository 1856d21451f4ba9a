"""Texts in templates are filled with values, and nothing is said that is not there."""

from unittest.mock import patch

import pytest
from jinja2 import DictLoader, Environment

from texts.catalogue import ENGLISH, texts
from texts.templates import SharedCode, install


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


def test_a_template_is_compiled_once_for_all_languages_and_again_when_it_changes() -> None:
    sources, code = {"page": '{{ _("yes") }}'}, SharedCode()

    def rendered(said: str) -> str:
        """Rendered by a new environment, in which every text is this one."""
        environment = Environment(loader=DictLoader(sources), bytecode_cache=code)
        environment.globals["_"] = lambda _: said
        return environment.get_template("page").render()

    assert rendered("ja") == "ja"
    with patch.object(Environment, "compile", side_effect=AssertionError("compiled again")):
        assert rendered("oui") == "oui"
    sources["page"] = '{{ _("yes") }}!'
    assert rendered("ja") == "ja!"
