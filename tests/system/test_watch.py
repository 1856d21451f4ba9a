"""``jointbuy watch`` on a real stack: events arrive, also after the web process was killed."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import pytest

from tests.system.api_stack import Api, Client
from tests.system.stack import until
from tests.system.terminal import acting_on, jointbuy

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _named(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the API; nobody needs a key to watch."""
    acting_on(api, monkeypatch, None)


@dataclass
class Watching:
    """A command that runs, and what it has said so far."""

    process: subprocess.Popen[bytes]
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What ``--json`` printed."""
        return [json.loads(line) for line in bytes(self.out).split(b"\n")[:-1]]

    def exit_code(self) -> int:
        """Of its end."""
        return self.process.wait(60)


def _read(descriptor: int, into: bytearray) -> None:
    try:
        while received := os.read(descriptor, 65_536):
            into += received
    except OSError:
        # The other end of a terminal has gone.
        return


@contextmanager
def watching(
    url: str, *arguments: str, on_terminal: bool = False, command: str = "watch"
) -> Iterator[Watching]:
    main, side = pty.openpty() if on_terminal else os.pipe()
    words = [sys.executable, "-m", "terminal", command, *arguments]
    env = {**os.environ, "JOINTBUY_URL": url, "COLUMNS": "140", "TERM": "xterm"}
    process = subprocess.Popen(words, env=env, stdout=side, stderr=subprocess.PIPE)
    os.close(side)
    assert process.stderr is not None
    watched = Watching(process)
    readers = [
        Thread(target=_read, args=(descriptor, into), daemon=True)
        for descriptor, into in ((main, watched.out), (process.stderr.fileno(), watched.err))
    ]
    for reader in readers:
        reader.start()
    try:
        yield watched
    finally:
        process.kill()
        process.wait()
        for reader in readers:
            reader.join(5)
        os.close(main)


@dataclass
class Group:
    """A group purchase of its own, complete at five."""

    shop: Client
    id: str
    orders: int = 0

    def order(self, quantity: int) -> None:
        """Buy so many."""
        self.orders += 1
        member = {"id": f"m{self.orders}"}
        body = {"order_id": f"o{self.orders}", "member": member, "quantity": quantity}
        self.shop.post(f"/group-purchases/{self.id}/orders", {**body, "state": "paid"})


@pytest.fixture
def group(api: Api) -> Group:
    shop = api.shop()
    own = {"product": {"name": "Tea"}, "unit_price": 500, "currency": "EUR"}
    asked = shop.post("/group-purchases", {**own, "number_of_products": 5, "stop_at_number": True})
    return Group(shop, asked["group_id"])


def test_each_event_is_a_line_of_json_until_the_group_has_ended(api: Api, group: Group) -> None:
    group.order(1)
    with watching(api.nobody.url, group.id, "--json") as told:
        until("what is there", lambda: [each["quantity"] for each in told.events] == [1])
        group.order(2)
        until("the order", lambda: told.events[-1]["quantity"] == 3)
        group.order(2)
        assert told.exit_code() == 0, told.err
        until("the last word", lambda: told.events[-1]["status"] == "complete")
        versions = [each["version"] for each in told.events]
        assert versions == sorted(set(versions))
    assert not told.err
    # Of what has ended the last state is told.
    said = jointbuy("watch", group.id, "--json")
    assert [each["status"] for each in said.lines] == ["complete"]
    assert jointbuy("watch", group.id).out.split()[3:7] == ["complete", "5", "of", "5"]


def test_nothing_is_missed_when_the_web_process_dies_and_comes_back(api: Api, group: Group) -> None:
    web = api.stack.workers[-1]
    with watching(api.other.url, group.id, "--json") as told:
        until("the beginning", lambda: told.events)
        web.kill()
        until("the loss", lambda: b"trying again in" in told.err)
        group.order(4)
        web.start()
        until("what came meanwhile", lambda: told.events[-1]["quantity"] == 4)
        group.order(1)
        assert told.exit_code() == 0, told.err
        until("the last word", lambda: told.events[-1]["status"] == "complete")
        versions = [each["version"] for each in told.events]
        assert versions == sorted(set(versions)), "no state twice: Last-Event-ID is given"
    api.stack.until_ready(web)


def test_groups_and_auctions_change_line_by_line_without_a_terminal(api: Api, group: Group) -> None:
    _, seller = api.seller()
    auction = api.auction(seller)["auction_id"]
    with watching(api.nobody.url, group.id, auction) as told:
        until("both", lambda: told.out.count(b"\n") == 2)
        assert b"  open  0 of 3  90,000 JPY  59 min" in told.out
        applied = {"applicant": {"id": "ann"}, "quantity": 2}
        api.admin.post(f"/auctions/{auction}/applications", applied)
        until("the reservation", lambda: b"open  2 of 3" in told.out and b"  +2\n" in told.out)
        seller.post(f"/auctions/{auction}/offers", {"minimum_reservations": 2, "unit_price": 1})
        until("the price", lambda: "price 90,000 JPY → 1 JPY, minimum 3 → 2".encode() in told.out)
        group.order(5)
        until("the end of one", lambda: b"complete  5 of 5" in told.out)
        assert told.process.poll() is None, "the other one goes on"
        told.process.send_signal(signal.SIGINT)
        assert told.exit_code() == 0, told.err


def test_the_view_on_a_terminal_is_live(api: Api, group: Group) -> None:
    with watching(api.nobody.url, group.id, on_terminal=True) as told:
        until("the view", lambda: b"0 of 5" in told.out and b"13 d 23 h" in told.out)
        group.order(2)
        until("the order", lambda: b"2 of 5" in told.out and b"+2" in told.out)
        group.order(3)
        assert told.exit_code() == 0, told.err
        until("the end", lambda: b"complete" in told.out)


def test_what_can_not_be_watched_is_one_line(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    said = jointbuy("watch", "nothing")
    assert (said.exit_code, said.err.count("\n")) == (1, 1)
    monkeypatch.setenv("JOINTBUY_URL", "http://127.0.0.1:9")
    said = jointbuy("watch", "a1")
    assert said.err == (
        "jointbuy: no storefront answers at http://127.0.0.1:9: run `jointbuy up`, or set"
        " JOINTBUY_URL\n"
    )
    assert said.exit_code == 1


def test_lag_is_told_live_while_a_service_is_down(api: Api, group: Group) -> None:
    """A line of JSON for each look, and on a terminal only who is behind, with its age."""
    (service,) = (each for each in api.stack.workers if each.module.endswith("order_service"))
    service.stop()
    group.order(1)

    def lag(told: Watching) -> Any:
        looks = [each for each in told.out.split(b"\n")[:-1] if each]
        found = json.loads(looks[-1]) if looks else []
        return next((each for each in found if each["topic"] == "orders"), None)

    with watching(api.nobody.url, "--watch", "--json", command="lag") as told:
        until("the order is not read", lambda: (lag(told) or {}).get("lag"))
        age = lag(told)["oldest_unread_seconds"]
        until("it gets older", lambda: (lag(told)["oldest_unread_seconds"] or 0) > age)
        with watching(api.nobody.url, "--watch", on_terminal=True, command="lag") as shown:
            until("it is shown", lambda: b"order_service-purchases" in shown.out)
            assert b"Oldest unread" in shown.out
            shown.process.send_signal(signal.SIGINT)
            assert shown.exit_code() == 0, shown.err
        service.start()
        until("all is read", lambda: lag(told)["lag"] == 0)
        assert lag(told)["oldest_unread_seconds"] is None
        told.process.send_signal(signal.SIGINT)
        assert told.exit_code() == 0, told.err
    api.stack.until_ready(service)
