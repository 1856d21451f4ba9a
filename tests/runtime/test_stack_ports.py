"""A stack's ports: the same at every start, and an error that says which are taken."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from runtime.ports import PortError, free_port
from stack import ports
from stack.ports import ports_of, typed_ports
from stack.supervisor import SERVICES, WITH_CARDS, WITH_SHOPS


@contextmanager
def listening(*taken: int) -> Iterator[None]:
    with ExitStack() as stack:
        for port in taken:
            server = stack.enter_context(socket.socket())
            server.bind(("127.0.0.1", port))
            server.listen()
        yield


@pytest.fixture
def usual(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Default ports that are free here, for a stack without JOINTBUY_PORTS."""
    free = {name: free_port() for name in ports.DEFAULTS}
    monkeypatch.setattr(ports, "DEFAULTS", free)
    monkeypatch.delenv("JOINTBUY_PORTS")
    return free


def test_everything_that_is_started_has_a_port_of_its_own() -> None:
    services = (*SERVICES, *WITH_SHOPS, *WITH_CARDS)
    public = {each for each in services if each == "storefront" or each.endswith(".webhooks")}
    broker = {"broker", "broker.controller"}
    assert set(ports.DEFAULTS) == public | broker | {f"{each}.ops" for each in services}
    assert len(set(ports.DEFAULTS.values())) == len(ports.DEFAULTS)
    assert ports.DEFAULTS["storefront"] == 8080
    assert max(ports.DEFAULTS.values()) < 32_768, "not of the range for outgoing connections"


def test_a_stack_takes_the_usual_ports_and_keeps_them(
    usual: dict[str, int], tmp_path: Path
) -> None:
    names = ["storefront", "broker"]
    expected = {name: usual[name] for name in names}
    assert ports_of(tmp_path, names, {}) == expected
    assert json.loads((tmp_path / ports.FILE).read_text()) == expected


def test_a_port_that_was_asked_for_once_stays(usual: dict[str, int], tmp_path: Path) -> None:
    other = free_port()
    assert ports_of(tmp_path, ["storefront"], {"storefront": other}) == {"storefront": other}
    assert ports_of(tmp_path, ["storefront"], {}) == {"storefront": other}


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (["storefront"], r"^port \d+ \(storefront\) is taken: .* by --port storefront=PORT, "),
        (["storefront", "broker"], r"^ports \d+ \(storefront\), \d+ \(broker\) are taken: "),
        (list(ports.DEFAULTS), r"\(payment_service.webhooks\), 13 more are taken: "),
    ],
)
def test_a_taken_port_is_named_with_what_to_do(
    taken: list[str], said: str, usual: dict[str, int], tmp_path: Path
) -> None:
    with (
        listening(*(usual[name] for name in taken)),
        pytest.raises(PortError, match=said) as raised,
    ):
        ports_of(tmp_path, usual, {})
    assert "\n" not in str(raised.value)
    assert ports_of(tmp_path, usual, {}) == usual, "the usual ones, as soon as they are free"


def test_a_range_gives_free_ports_where_the_kept_are_taken(tmp_path: Path) -> None:
    first = ports_of(tmp_path, ["storefront", "broker"], {})
    assert ports_of(tmp_path, ["storefront", "broker"], {}) == first
    with listening(first["storefront"]):
        second = ports_of(tmp_path, ["storefront", "broker"], {})
        assert second["storefront"] != first["storefront"]
        assert second["broker"] == first["broker"]
        with pytest.raises(PortError, match=r"^port \d+ \(storefront\) is taken"):
            ports_of(tmp_path, ["storefront"], {"storefront": first["storefront"]})


def test_two_names_never_share_a_port(usual: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(PortError, match="is for storefront and broker"):
        ports_of(tmp_path, ["storefront", "broker"], {"storefront": usual["broker"]})


def test_a_spoilt_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ports.FILE).write_text("[8080]")
    with pytest.raises(PortError, match=r"ports\.json is not readable as ports: delete it"):
        ports_of(tmp_path, ["storefront"], {})


def test_ports_are_typed_by_name() -> None:
    assert typed_ports(["storefront=8180", "broker=9092"]) == {"storefront": 8180, "broker": 9092}


@pytest.mark.parametrize("text", ["8180", "shop=8180", "storefront=", "storefront=x", "broker=0",
                                  "broker=65536", "broker=99999999"])  # fmt: skip
def test_a_wrong_port_is_refused_with_the_names(text: str) -> None:
    with pytest.raises(PortError, match=r"is not NAME=PORT, .*names: storefront, "):
        typed_ports([text])
