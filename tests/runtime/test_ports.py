"""Ports for what is started on this machine."""

import os

import pytest

from runtime import ports


def test_a_port_is_given_to_one_though_nobody_listens_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports.random, "sample", lambda ports, count: ports[:count])
    given = [ports.free_port() for _ in range(50)]
    assert len(set(given)) == len(given)


def test_a_small_range_is_never_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    first = int(os.environ["JOINTBUY_PORTS"].split("-")[0])
    monkeypatch.setenv("JOINTBUY_PORTS", f"{first}-{first + 20}")
    for _ in range(50):
        lately = [ports.free_port() for _ in range(5)]
        assert len(set(lately)) == len(lately)
