"""What one client may send and hold, tried over sockets on the server of the public processes."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

import pytest
import uvicorn

from runtime.web_server import listener_of
from tests.runtime.served import Line, Served, closed, served
from tests.system import plain_http

pytestmark = pytest.mark.slow

HEAD_MAX = 32_768
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /length HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server as it is."""
    with served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server with little patience."""
    patience = {"head_seconds": 0.5, "body_seconds": 0.5, "idle_seconds": 0.5}
    with served(tmp_path_factory.mktemp("quick"), **patience) as running:
        yield running


# --- how much ------------------------------------------------------------------------------------


def headers(count: int) -> bytes:
    return b"".join(b"X-%d: y\r\n" % number for number in range(count))


TOO_MUCH: list[tuple[str, bytes, str]] = [
    ("a header that does not end", GET + b"X: " + b"x" * HEAD_MAX, "head-bytes"),
    ("a name that does not end", GET + b"X" * HEAD_MAX, "head-bytes"),
    ("an address that does not end", b"GET /" + b"x" * HEAD_MAX, "head-bytes"),
    ("long headers", GET + b"".join(b"X: %s\r\n" % (b"x" * 9_000) for _ in range(4)), "head-bytes"),
    ("a long one after another", GET + b"\r\n" + GET + b"X: " + b"x" * 70_000, "head-bytes"),
    ("a whole head that is too long", GET + b"X: " + b"x" * HEAD_MAX + b"\r\n\r\n", "head-bytes"),
    ("many small headers", GET + headers(5_000), "headers"),
    ("one header too many", GET + headers(100) + b"\r\n", "headers"),
    ("a trailer that does not end", CHUNKED + b"0\r\nX: " + b"x" * 70_000, "head-bytes"),
    ("a chunk's extension that does not end", CHUNKED + b"1;" + b"x" * 70_000, "head-bytes"),
    ("lines without a request", b"\r\n" * 50_000, "head-bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "reason"), [each[1:] for each in TOO_MUCH],
                         ids=[each[0] for each in TOO_MUCH])  # fmt: skip
def test_a_head_has_a_limit(it: Served, sent: bytes, reason: str) -> None:
    before = it.refused(reason)
    with it.connect() as line:
        line.send(sent)
        answered = line.all()
    assert b"HTTP/1.1 431 " in answered
    assert b"connection: close" in answered
    assert it.refused(reason) == before + 1


def test_what_is_within_the_limits_is_answered(it: Served) -> None:
    names = [f"X-{number}: y" for number in range(98)]
    assert it.ask("GET / HTTP/1.1", *names).endswith(b"hello"), "100 headers"
    long = f"X: {'x' * (HEAD_MAX - 200)}"
    assert it.ask("GET / HTTP/1.1", long).endswith(b"hello")
    with it.connect() as line:
        for each in (GET + b"\r\n").decode():
            line.send(each.encode())
        assert line.until(b"hello").startswith(b"HTTP/1.1 200 ")
        line.send(GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert line.until(b"hello").startswith(b"HTTP/1.1 200 ")
    body = b"x" * 1_000_000
    asked = it.ask("POST /length HTTP/1.1", f"Content-Length: {len(body)}", body=body)
    assert asked.endswith(b"1000000")


def test_a_body_in_the_smallest_chunks_is_whole(it: Served) -> None:
    """What frames it is many times as long as a head may be."""
    with it.connect() as line:
        line.send(CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n")
        assert line.until(b"20000").startswith(b"HTTP/1.1 200 ")


def test_what_follows_a_body_is_not_taken_for_headers(it: Served) -> None:
    with it.connect() as line:
        head = b"GET /headers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        line.send(head + b"1\r\nx\r\n0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
        assert b"forwarded" not in line.until(b"]")


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01"])
def test_what_is_not_http_is_refused(it: Served, sent: bytes) -> None:
    with it.connect() as line:
        line.send(sent)
        assert line.all().startswith(b"HTTP/1.1 400 ")


def test_requests_without_waiting_for_answers_have_a_limit(it: Served) -> None:
    before, refused = it.memory(), it.refused("pipelined")
    with it.connect() as line:
        line.send((GET + b"\r\n") * 20_000)
        line.all()
    assert it.refused("pipelined") == refused + 1
    assert it.memory() - before < 20
    with it.connect() as line:
        line.send((GET + b"\r\n") * 10)
        found = b""
        while found.count(b"hello") < 10:
            more = line.some()
            assert more
            found += more


def test_unfinished_and_small_headers_take_no_memory(it: Served) -> None:
    """61 MB of the former stayed one to one, 10 MB of the latter took 223 MB."""
    before = it.memory()
    with ExitStack() as open_ones:
        for _ in range(61):
            line = open_ones.enter_context(it.connect())
            line.send(GET + b"X: " + b"x" * 1_000_000)
        for _ in range(10):
            line = open_ones.enter_context(it.connect())
            line.send(GET + b"a:\r\n" * 250_000)
        assert it.ask("GET / HTTP/1.1").endswith(b"hello")
        assert it.memory() - before < 20


# --- how long ------------------------------------------------------------------------------------

LATE: list[tuple[str, bytes, bytes, str]] = [
    ("nothing", b"", b"", "head-seconds"),
    ("half a head", GET, b"", "head-seconds"),
    ("a head that goes on", GET, b"X: y\r\n", "head-seconds"),
    ("empty lines", b"\r\n", b"\r\n", "head-seconds"),
    ("half a body", POST + b"Content-Length: 9\r\n\r\n123", b"", "body-seconds"),
    ("a body that goes on", POST + b"Content-Length: 99999\r\n\r\n", b"x", "body-seconds"),
    ("chunks that go on", CHUNKED, b"1\r\nx\r\n", "body-seconds"),
]


@pytest.mark.parametrize(("sent", "drop", "reason"), [each[1:] for each in LATE],
                         ids=[each[0] for each in LATE])  # fmt: skip
def test_a_request_is_whole_in_time(quick: Served, sent: bytes, drop: bytes, reason: str) -> None:
    """Bytes that come meanwhile do not move the end."""
    before, began = quick.refused(reason), time.monotonic()
    with quick.connect() as line:
        line.send(sent)
        answered = line.drip(drop) if drop else line.all()
    assert answered.startswith(b"HTTP/1.1 408 "), answered
    assert quick.refused(reason) == before + 1
    assert time.monotonic() - began > 0.4


def test_who_waits_for_a_body_is_told_that_the_client_has_gone(quick: Served) -> None:
    before = int(quick.ask("GET /gone HTTP/1.1").rsplit(b"\r\n", 1)[1])
    with quick.connect() as line:
        line.send(POST + b"Content-Length: 9\r\n\r\n123")
        assert b" 408 " in line.all()
    assert int(quick.ask("GET /gone HTTP/1.1").rsplit(b"\r\n", 1)[1]) == before + 1


@pytest.mark.parametrize("then", [b"", b"\r\n", b"GET"])
def test_a_connection_does_not_stay_after_its_answer(quick: Served, then: bytes) -> None:
    """Whether the client is silent, or says what begins no request, or begins one."""
    with quick.connect() as line:
        line.send(GET + b"\r\n")
        line.until(b"hello")
        answered = line.drip(then) if then == b"\r\n" else (line.send(then), line.all())[1]
        assert answered.startswith(b"HTTP/1.1 408 ") or not answered


def test_a_stream_goes_on_as_long_as_it_is_read(quick: Served) -> None:
    """Beyond all times, empty lines of the client or none."""
    with quick.connect() as line:
        line.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n\r\n")
        ends, ticks = time.monotonic() + 2, 0
        while time.monotonic() < ends:
            ticks += line.until(b"tick").count(b"tick")
        assert ticks > 10
        line.send(GET)
        before = time.monotonic()
        line.all()
        assert time.monotonic() - before < 10, "half a request on it ends it"


# --- how many ------------------------------------------------------------------------------------


def is_served(line: Line) -> bool:
    """Whether it gets an answer."""
    line.send(GET + b"Connection: close\r\n\r\n")
    return line.all().endswith(b"hello")


def test_one_address_has_so_many_connections(tmp_path: Path) -> None:
    with served(tmp_path, connections_per_address=5) as it, ExitStack() as held:
        for _ in range(5):
            held.enter_context(it.connect())
        with it.connect() as sixth:
            answered = sixth.all()
            assert not answered or b" 503 " in answered
        assert it.refused("connections-of-address") == 1
        with it.connect("127.0.0.2") as other:
            assert is_served(other)
        with held.pop_all():
            pass
        # Those that went are forgotten.
        lines = [it.connect() for _ in range(5)]
        assert all(is_served(line) for line in lines)


def test_behind_a_proxy_all_come_from_one_address(tmp_path: Path) -> None:
    with served(tmp_path, connections_per_address=5, proxies=1) as it, ExitStack() as held:
        lines = [held.enter_context(it.connect()) for _ in range(50)]
        assert all(is_served(line) for line in lines)


def test_of_all_connections_the_one_that_waits_longest_makes_room(tmp_path: Path) -> None:
    with served(tmp_path, connections=10, connections_per_address=0) as it, ExitStack() as held:
        waiting = [held.enter_context(it.connect(f"127.0.0.{number}")) for number in range(1, 11)]
        waiting[3].send(GET)
        for _ in range(3):
            with it.connect() as late:
                assert is_served(late), "an honest client is let in"
        assert b" 503 " in waiting[0].all()
        assert waiting[9].is_silent()
        assert it.refused("made-room") >= 1
        streams = [held.enter_context(it.connect()) for _ in range(10)]
        for stream in streams:
            stream.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            stream.until(b"tick")
        with it.connect() as late:
            assert not is_served(late), "each of the others has a request in hand"
        assert it.refused("connections") == 1
        streams[0].until(b"tick")


def test_slow_bodies_take_only_so_much_memory(tmp_path: Path) -> None:
    """Of more, the oldest goes; a body that comes at once is taken all the same."""
    with served(tmp_path, body_bytes_in_hand=1_000_000) as it, ExitStack() as held:
        slow = [held.enter_context(it.connect()) for _ in range(20)]
        for line in slow:
            line.send(POST + b"Content-Length: 200000\r\n\r\n" + b"x" * 150_000)
        body = b"x" * 200_000
        asked = it.ask("POST /length HTTP/1.1", "Content-Length: 200000", body=body)
        assert asked.endswith(b"200000")
        assert it.metric('jointbuy_web_body_bytes{listener="public"} ') <= 1_000_000
        assert it.refused("body-bytes") >= 10
        assert b" 503 " in slow[0].all()
        slow[-1].send(b"x" * 50_000)
        assert b"200000" in slow[-1].until(b"200000")


# --- a thousand at once --------------------------------------------------------------------------

SLOW: list[Callable[[int], bytes]] = [
    lambda _: b"",
    lambda _: GET,
    lambda number: GET + b"X: " + b"x" * (number % 30_000),
    lambda _: POST + b"Content-Length: 60000\r\n\r\n" + b"x" * 20_000,
]


def test_a_thousand_slow_connections_hold_nobody_up_and_go(tmp_path: Path) -> None:
    with (
        served(tmp_path, head_seconds=3, body_seconds=3, idle_seconds=3) as it,
        ExitStack() as held,
    ):
        before = it.memory()
        slow = [held.enter_context(it.connect(f"127.0.0.{2 + n % 5}")) for n in range(1_000)]
        for number, line in enumerate(slow):
            line.send(SLOW[number % len(SLOW)](number))
        taken = []
        for _ in range(200):
            began = time.perf_counter()
            assert it.ask("GET / HTTP/1.1").endswith(b"hello")
            taken.append(time.perf_counter() - began)
        # A machine that tests in several processes is given more time than the 100 ms of the bench.
        assert quantiles(taken, n=100)[98] < 0.5
        assert it.memory() - before < 60
        assert closed(slow, 20) == 1_000
        assert it.ask("GET / HTTP/1.1").endswith(b"hello")


# --- what ops ask --------------------------------------------------------------------------------

OPS = ("livez", "readyz", "status", "metrics")
SPELLINGS = (
    *(
        "/{}",
        "//{}",
        "/./{}",
        "/x/../{}",
        "/{}/",
        "/%2f{}",
        "http://127.0.0.1/{}",
        "/{}?x",
        "/{};x",
    ),
    "/%2e/{}",
)


def test_ops_ask_at_an_address_of_their_own(it: Served) -> None:
    for page in OPS:
        assert plain_http.get(f"{it.ops}/{page}").is_success
        spelled = [each.format(page) for each in SPELLINGS]
        spelled += [f"/%{ord(page[0]):x}{page[1:]}", f"/{page.upper()}"]
        for path in spelled:
            for host in (it.ops.removeprefix("http://"), "127.0.0.1", "localhost", "ops"):
                with it.connect() as line:
                    line.send(
                        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {host}\r\n"
                        "Connection: close\r\n\r\n".encode()
                    )
                    answered = line.all()
                assert answered.split(b" ", 2)[1] in (b"404", b"400"), (path, answered)
    assert plain_http.get(f"{it.ops}/").status_code == 404, "nothing of the public app is there"


def test_the_address_for_ops_has_limits_too(it: Served) -> None:
    host, port = it.ops.removeprefix("http://").split(":")
    with Line(socket.create_connection((host, int(port)), timeout=30)) as line:
        line.send(GET + headers(101) + b"\r\n")
        assert line.all().startswith(b"HTTP/1.1 431 ")
    assert it.refused("headers", "ops") == 1


def test_a_process_ends_though_others_are_connected(tmp_path: Path) -> None:
    with served(tmp_path) as it, ExitStack() as held:
        for _ in range(3):
            held.enter_context(it.connect())
        it.process.terminate()
        assert it.process.wait(9) is not None


def test_an_answer_s_body_does_not_wait_for_its_head_to_be_acknowledged() -> None:
    listener = listener_of(uvicorn.Config("nothing", host="127.0.0.1", port=0))
    with listener:
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
