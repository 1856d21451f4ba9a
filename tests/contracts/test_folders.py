"""Imports run one way: no circle between modules, and none between packages."""

import pytest

from tests.contracts.folders import (
    SERVICES,
    circles,
    graph,
    module_imports,
    packages,
    unit_imports,
    unit_of,
)

UNITS = sorted({unit_of(module) for module in graph().modules})


def test_every_package_is_looked_at() -> None:
    assert {"schemas", SERVICES} <= set(packages())
    assert len(graph().modules) > 100


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_modules_import_each_other_in_no_circle(unit: str) -> None:
    found = [circle for circle in circles(module_imports()) if unit_of(circle[0]) == unit]
    assert not found


def test_packages_import_each_other_in_no_circle() -> None:
    assert not circles(unit_imports())


def test_circles_are_found() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"f"}, "f": {"e"}}
    found = circles({name: frozenset(others) for name, others in edges.items()})
    assert found == [("b", "c"), ("e", "f")]
