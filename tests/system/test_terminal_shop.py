"""The terminal of shops, buyers and sellers, over the HTTP API of a real stack."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from stack.brokers import RunningBroker
from tests.system import plain_http
from tests.system.api_stack import Api, after, api_on
from tests.system.stack import until
from tests.system.terminal import Said, acting_on, jointbuy

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def stack(kafka: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api_on(kafka, tmp_path_factory.mktemp("terminal"), ANSWER_SECONDS="6") as running:
        yield running


@pytest.fixture
def api(stack: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The API, which the environment names, with the admin's key."""
    acting_on(stack, monkeypatch)
    return stack


def done(*arguments: str, stdin: str | None = None) -> Any:
    """What a command that goes well says with ``--json``."""
    said = jointbuy(*arguments, "--json", stdin=stdin)
    assert said.exit_code == 0, said
    return said.json


def lines_of(said: Said) -> dict[str, str]:
    return {line.split()[0]: line for line in said.out.splitlines() if line.strip()}


# --- group purchases -----------------------------------------------------------------------------

DEFINE = ("define", "--product", "Sencha, 1 kg", "--price", "24.00", "--currency", "EUR")


@pytest.fixture(scope="module")
def definition(stack: Api) -> str:
    """A shop's definition: 10 % off from 2."""
    made = stack.definition(
        stack.shop(), unit_price=2_400, favor={"tiers": [{"from_quantity": 2, "percent_off": 10}]}
    )
    return str(made["definition_id"])


def requested(definition: str, *more: str) -> str:
    said = jointbuy("request", "--definition", definition, "--number", "5", *more)
    assert said.exit_code == 0, said
    return said.out.strip()


def test_a_group_from_its_request_to_its_favors(api: Api, definition: str) -> None:
    sources = ("--source", "shop", "--source", "admin")
    more = ("--stop-at-number", "--closes-in", "2h", "--organizer", "dee", *sources)
    group = requested(definition, *more)
    order = ("order", group, "--source", "shop", "--at")
    told = jointbuy(
        *order, after(seconds=0), "--member", "ann", "--quantity", "2", "--order-id", "o1"
    )
    assert told == Said(0, "o1 (shop) of 2 by ann: counted\n", "")
    # Twice the same is once; nothing of it is told anew.
    again = done(*order, after(seconds=0), "--member", "ann", "--quantity", "2", "--order-id", "o1")
    assert again["order_id"] == "o1"
    assert done("order", group, "--member", "bob", "--quantity", "2")["source"] == "admin"
    back = jointbuy("order", group, "--source", "shop", "--member", "ann", "--return", "1")
    assert back.out.endswith(" (shop) of 1 by ann: counted\n"), back.err
    shown = jointbuy("show", group.lower().replace("-", " "))
    lines = lines_of(shown)
    assert lines[group].endswith("open  3 of 5 ordered"), shown
    assert lines["Discount"].endswith("from 2: 10 % off (each on their own value)")
    assert lines["Orders"].endswith("  shop, admin")
    elsewhere = jointbuy("order", group, "--source", "rival", "--member", "eve", "--quantity", "1")
    assert (elsewhere.exit_code, "not-this-shop" in elsewhere.err) == (1, True), elsewhere
    assert lines["ann"].split()[-3:] == ["1", "24.00", "EUR"]
    assert jointbuy("order", group, "--member", "cy", "--quantity", "2").exit_code == 0
    until("favors", lambda: all(row["favor_amount"] for row in done("show", group)["table"]))
    lines = lines_of(jointbuy("show", group))
    assert lines[group].endswith("complete  5 of 5 ordered")
    assert lines["Decision"].endswith("from 2: 10 % off; 12.00 EUR to 3 members")
    assert lines["bob"].split()[-4:] == ["48.00", "EUR", "4.80", "EUR"]
    assert "--limit 0 shows more" in jointbuy("show", group, "--limit", "1").out
    late = jointbuy(*order, after(days=-1), "--member", "zed", "--quantity", "1")
    assert (late.exit_code, late.err.count("\n")) == (1, 1)
    assert late.err.startswith("jointbuy: refused: order_id (--order-id): "), late


def test_who_may_not_see_the_table_sees_the_rest(
    api: Api, definition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = requested(definition, "--member", "ann")
    acting_on(api, monkeypatch, None)
    said = jointbuy("show", group)
    assert (said.exit_code, "see the purchasers: set JOINTBUY_KEY" in said.out) == (0, True), said
    assert "listed ones only" in said.out
    assert done("show", group)["table"] is None


def test_the_tokens_of_a_request_and_of_a_link_are_keys(
    api: Api, definition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = done("request", "--definition", definition, "--number", "2", "--email", "d@x.example")
    group = asked["group_id"]
    acting_on(api, monkeypatch, asked["organizer_token"])
    assert done("show", group)["table"] == []
    refused = jointbuy("order", group, "--member", "ann", "--quantity", "1")
    assert refused.exit_code == 1
    assert "set JOINTBUY_KEY to a key that may" in refused.err
    said = jointbuy("request", "--withdraw", group)
    assert (said.exit_code, said.out.startswith(f"{group} withdrawn at 20")) == (0, True), said
    until("withdrawn", lambda: done("show", group)["status"] == "withdrawn")


def test_a_request_is_refused_with_every_problem(api: Api, tmp_path: Path) -> None:
    said = jointbuy("request", "--number", "0", "--currency", "XXX")
    assert said.exit_code == 1
    assert [line.split()[2:4] for line in said.err.splitlines()] == [
        ["product", "(--product):"],
        ["number_of_products", "(--number):"],
        ["currency", "(--currency):"],
    ]
    said = jointbuy("request", "--number", "0", "--json")
    assert (said.exit_code, said.json["status"]) == (1, 422)
    said = jointbuy("request", "--file", "-", "--number", "2", stdin='{"prize": 1}')
    assert (said.exit_code, said.err.count("\n")) == (2, 1)
    assert said.err.startswith("jointbuy: prize: is not a known field")


def test_members_of_a_file_are_admitted(api: Api, tmp_path: Path) -> None:
    members = tmp_path / "members.csv"
    members.write_text("id,email,name\n" + "".join(f"m{n},m{n}@x.example\n" for n in range(1_500)))
    own = ("--product", "Tea", "--number", "2", "--price", "5", "--currency", "EUR")
    said = jointbuy("request", *own, "--members-file", str(members))
    assert said.exit_code == 0, said.err
    group = said.out.strip()
    parts = [key for key in api.stack.latest("group-purchases") if key.startswith(f"{group}/")]
    assert len(parts) == 2
    assert jointbuy("order", group, "--member", "nobody", "--quantity", "1").exit_code == 1
    # As Excel writes it in Germany, over standard input.
    listed = (
        "\ufeffE-Mail;Kundennummer;Name\r\na..b@docomo.ne.jp;k7;Lee, Ann\r\njörg@x.example;k8;\r\n"
    )
    said = jointbuy("request", *own, "--members-file", "-", stdin=listed)
    assert said.exit_code == 0, said.err
    assert jointbuy("order", said.out.strip(), "--member", "k8", "--quantity", "1").exit_code == 0
    said = jointbuy("request", *own, "--members-file", "-", stdin="7;ann@x.example\n7;b@x.example")
    told = "jointbuy: lines 1 and 2 have the same id: delete one\n"
    assert (said.exit_code, said.err) == (2, told)


def test_definitions_have_versions_and_are_withdrawn(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = f"shop-{uuid.uuid4().hex[:8]}"
    issued = jointbuy("key", "shop", shop)
    assert issued.out.startswith("jb_"), issued
    acting_on(api, monkeypatch, issued.out.strip())
    made = done(*DEFINE, "--tier", "10:5%", "--number-min", "2")
    assert (made["version"], made["shop_id"], made["limits"]["number_min"]) == (1, shop, 2)
    definition = made["definition_id"]
    said = jointbuy(*DEFINE, "--id", definition, "--tier", "10:6%")
    understood = "Sencha, 1 kg at 24.00 EUR each; discount: from 10: 6 % off"
    assert said.out.startswith(f"{definition} version 2 published\n{understood}"), said
    said = jointbuy("define", "--withdraw", definition)
    assert said == Said(0, f"{definition} version 3 withdrawn\n", "")
    of_other = jointbuy(*DEFINE, "--shop", "another")
    assert (of_other.exit_code, of_other.err.count("\n")) == (1, 1)
    assert "--shop" in of_other.err
    assert jointbuy("define", "--product", "Tea").exit_code == 2
    ended = jointbuy("key", "revoke", issued.out.split("_")[1])
    assert ended.exit_code == 0, ended
    wrong = jointbuy(*DEFINE)
    assert (wrong.exit_code, "check JOINTBUY_KEY" in wrong.err) == (1, True), wrong


@pytest.mark.parametrize(
    "command",
    [
        (*DEFINE, "--shop", "s"),
        ("order", "GB-1", "--member", "ann", "--quantity", "1"),
        (
            "offer",
            "--product",
            "Bed",
            "--price",
            "1",
            "--currency",
            "EUR",
            "--minimum",
            "1",
            "--closes-in",
            "1h",
        ),
        ("seller", "approve", "s1"),
        ("seller", "show"),
        ("key", "shop", "s"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_without_a_key_it_is_said_which_is_needed(
    command: tuple[str, ...], api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting_on(api, monkeypatch, None)
    said = jointbuy(*[each.replace("GB-1", "g1") for each in command])
    assert (said.exit_code, said.err.count("\n")) == (1, 1), said
    assert said.err.startswith("jointbuy: this needs ")
    assert said.err.endswith(": set JOINTBUY_KEY\n")


# --- counter auctions ----------------------------------------------------------------------------

OPEN = ("offer", "--product", "GR IV", "--price", "900", "--currency", "EUR", "--step", "5.00")


def good_seller(name: str) -> str:
    seller: str = done("seller", "register", "--name", name, "--email", "s@x.example")["seller_id"]
    said = jointbuy("seller", "approve", seller)
    assert said.out.startswith(f"{seller} ({name}): good since 20"), said
    return seller


def opened(seller: str, *more: str) -> str:
    auction = done(*OPEN, "--seller", seller, "--minimum", "3", "--closes-in", "1h", *more)
    assert auction["words"] == "shown: the auction opened with this offer"
    return str(auction["auction_id"])


def test_sellers_are_registered_approved_suspended_and_reinstated(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = jointbuy("seller", "register", "--name", "Nord Foto", "--email", "n@x.example")
    assert said.exit_code == 0, said
    seller, key = said.out.split()[0], said.out.split()[-1]
    assert said.out.startswith(f"{seller} (Nord Foto): pending\n")
    jointbuy("seller", "approve", seller)
    told = done("seller", "suspend", seller, "--reason", "papers")
    assert told["standing"] == "suspended"
    jointbuy("seller", "reinstate", seller)
    assert seller in jointbuy("seller", "list").out
    further = jointbuy("key", "seller", seller).out.strip()
    for mine in (key, further):
        acting_on(api, monkeypatch, mine)
        told = jointbuy("seller", "show").out.splitlines()
        assert told[1].startswith("n@x.example, registered 20")
        standings = [line.split()[2] for line in told[2:]]
        assert standings == ["pending", "good", "suspended", "good"]
    assert jointbuy("seller", "approve", seller).exit_code == 1, "an admin's, not a seller's"
    assert [line.split()[1:3] for line in jointbuy("seller", "register").err.splitlines()] == [
        ["name", "(--name):"],
        ["email", "(--email):"],
    ]


def test_an_auction_is_bettered_and_counts(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    nord, sato = good_seller("Nord"), good_seller("Sato")
    auction = opened(nord)
    apply = ("apply", auction, "--quantity")
    told = jointbuy(*apply, "2", "--as", "ann", "--email", "ann@home.example", "--confirmed")
    assert told.exit_code == 0, told
    assert "by ann counts\n" in told.out
    until("2 reserved", lambda: done("show", auction)["reservations"] == 2)
    bob = done(*apply, "1", "--email", "bob@home.example")
    assert (bob["status"], bob["page"]["reservations"]) == ("unconfirmed", 2)
    own = jointbuy(*apply, "1", "--as", nord, "--confirmed")
    assert (own.exit_code, own.out) == (1, "")
    assert (
        own.err
        == "jointbuy: refused: a seller who has made an offer in an auction can't reserve in it\n"
    )

    worse = jointbuy("offer", auction, "--seller", sato, "--price", "899")
    assert worse.exit_code == 0, worse
    assert "not-better: the price is lower than the one shown, but by less than" in worse.out
    slip = jointbuy("offer", auction, "--seller", sato, "--price", "85.00")
    assert (slip.exit_code, slip.out) == (2, "")
    assert "85.00 EUR is 90.6 % below the price shown, 900.00 EUR." in slip.err
    better = done("offer", auction, "--seller", sato, "--price", "850.00", "--minimum", "2")
    assert (better["verdict"], better["page"]["unit_price"]) == ("shown", 85_000)

    shown = jointbuy("show", auction)
    lines = lines_of(shown)
    assert lines[auction].endswith("open  2 reserved (minimum 2)")
    assert lines["Shown"].endswith("850.00 EUR each from 2")
    assert lines["Reservations"].endswith(f"{'█' * 24} 2 of 2, by 1 applicant")
    history = shown.out.partition("Price history (2):")[2].splitlines()[3:5]
    assert [line.split()[2:] for line in history] == [
        ["900.00", "EUR", "3"],
        ["850.00", "EUR", "2"],
    ]
    for secret in (nord, sato, "ann", "home.example"):
        assert secret not in shown.out

    ann = told.out.split()[1]
    acting_on(api, monkeypatch, None)
    assert jointbuy("apply", auction, "--withdraw", ann).exit_code == 1
    acting_on(api, monkeypatch, bob["withdrawal_token"])
    said = jointbuy("apply", auction, "--withdraw", bob["application_id"])
    assert "its withdrawal is recorded" in said.out, said


def test_an_impossible_opening_is_refused_with_every_problem(api: Api) -> None:
    terms = ("--product", "Bed", "--minimum", "0", "--price", "0", "--currency", "EUR")
    times = ("--closes-in", "1h", "--invites-in", "2h")
    said = jointbuy("offer", "--seller", good_seller("Bett"), *terms, *times)
    assert said.exit_code == 1
    assert {line.split()[2] for line in said.err.splitlines()} == {
        *("minimum_reservations", "unit_price", "invites_at")
    }


def test_an_auction_is_taken_back_only_while_nobody_relies_on_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = done("seller", "register", "--name", "West", "--email", "w@x.example")
    jointbuy("seller", "approve", said["seller_id"])
    acting_on(api, monkeypatch, said["api_key"])
    auction = done(*OPEN, "--minimum", "3", "--closes-in", "1h")["auction_id"]
    assert jointbuy("offer", auction, "--withdraw") == Said(0, f"{auction} is withdrawn\n", "")
    assert jointbuy("offer", auction, "--withdraw").exit_code == 0
    relied_on = done(*OPEN, "--minimum", "3", "--closes-in", "1h")["auction_id"]
    acting_on(api, monkeypatch)
    done("apply", relied_on, "--quantity", "1", "--as", "ann", "--confirmed")
    until("1 reserved", lambda: done("show", relied_on)["reservations"] == 1)
    said = jointbuy("offer", relied_on, "--withdraw")
    assert (said.exit_code, said.err.startswith("jointbuy: refused: somebody has")) == (1, True)


def test_mistakes_are_said_by_option(api: Api) -> None:
    said = jointbuy("apply", "a1", "--quantity", "1", "--withdraw", "b1")
    assert said.exit_code == 2
    said = jointbuy("offer", "a1", "--price", "1", "--minimum", "1", "--closes-in", "1h")
    assert (said.exit_code, "leave AUCTION out" in said.err) == (2, True)
    said = jointbuy("show", "GB-7K3M9-QXA2F-0")
    assert (said.exit_code, said.err.count("\n")) == (2, 1)
    said = jointbuy("show", "nothing")
    assert said.err == (
        "jointbuy: no group purchase or auction nothing is known: see `jointbuy why nothing`\n"
    )


# --- an answer that is lost ----------------------------------------------------------------------


@contextmanager
def losing(api: Api, lose: list[str]) -> Iterator[str]:
    """In front of the second web process: it dies once it has done what is in ``lose``."""
    worker = api.stack.workers[-1]

    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            kept = ("Authorization", "Idempotency-Key", "Content-Type")
            headers = {name: self.headers[name] for name in kept if name in self.headers}
            try:
                answer = plain_http.request(
                    self.command,
                    api.other.url + self.path,
                    content=body,
                    headers=headers,
                    timeout=50,
                )
            except httpx.TransportError:
                return
            if self.command == "POST" and "dies" in lose:
                lose[:] = [answer.text]
                worker.kill()
                worker.start()
                return
            self.send_response(answer.status_code)
            for name in ("Content-Type", "Location", "Retry-After"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = _pass

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            api.stack.until_ready(worker)


def test_a_server_that_dies_after_the_post_is_asked_again_and_nothing_happens_twice(
    api: Api, definition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = ["dies"]
    with losing(api, lost) as url:
        monkeypatch.setenv("JOINTBUY_URL", url)
        group = requested(definition, "--timeout", "60")
        assert group in lost[0], "the id of the first answer"
        asked = [each.value for each in api.stack.read("group-purchase-requests")]
        first = json.loads(lost[0])["request_id"]
        assert [each["request_id"] for each in asked].count(first) == 1
        # An order without an id gets one of the command's key.
        lost[:] = ["dies"]
        order = done("order", group, "--member", "ann", "--quantity", "2")
        assert order["order_id"] in lost[0]
        assert done("show", group)["quantity"] == 2
        lost[:] = ["dies"]
        said = jointbuy("seller", "register", "--name", "Lost", "--email", "l@x.example")
        seller = said.out.split()[0]
        assert seller in lost[0]
        assert f"`jointbuy key seller {seller}` makes a new one" in said.out
