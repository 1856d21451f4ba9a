"""Ports for what is started on this machine."""

import pytest

from runtime import ports


def test_a_port_is_given_to_one_though_nobody_listens_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports.random, "sample", lambda ports, count: ports[:count])
    given = [ports.free_port() for _ in range(50)]
    assert len(set(given)) == len(given)
