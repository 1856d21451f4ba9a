"""A thousand slow connections and heads that do not end, against each of the public processes.

Everything is real: Apache Kafka, the storefront and both webhook servers run as separate processes
with their usual settings. Slow clients run in another process. They send nothing, or one byte a
second of an endless head or body, and come back when they are cut off. Meanwhile honest clients
come from another address, each on a new connection. Their time runs from when they were due to the
end of their answer.
"""

import asyncio
import base64
import hmac
import json
import multiprocessing
import os
import random
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated

import httpx
import typer

from bench.streams import raise_file_limit
from bench.webhooks import SECRET, payload
from bench.workers import settings_on
from runtime.admin import create_topics
from runtime.ports import free_port
from runtime.settings import Settings
from stack import brokers
from tests.read_model import make_model_now

P99_MS_MAX = 100.0
#: Of 61 MB of heads that do not end, and of 10 MB of small headers.
MEMORY_MB_MAX = 20.0
#: After so long, the server has read all that was sent.
SETTLED_SECONDS = 3.0
HONEST = "127.0.0.200"
#: Where slow clients come from: one address, or more than any of them may use up.
FROM: dict[str, list[str]] = {
    "one address": ["127.0.0.1"],
    "8 addresses": [f"127.0.0.{number}" for number in range(2, 10)],
}


# --- the processes -------------------------------------------------------------------------------


def get_page(_: int) -> bytes:
    """An honest visitor."""
    return b"GET /help HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def post_order(number: int) -> bytes:
    """An honest shop."""
    body = payload(number, 10_000)
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, sha256)).decode()
    return _post(
        "/webhooks/shop",
        body,
        f"X-Shopify-Topic: orders/paid\r\nX-Shopify-Hmac-Sha256: {signature}\r\n"
        f"X-Shopify-Webhook-Id: w-{number}\r\n",
    )


def post_report(number: int) -> bytes:
    """An honest request of Stripe."""
    about = {"id": f"pi_{number}", "metadata": {"payment_id": f"p{number}", "group_id": "G"}}
    event = {
        "id": f"evt_{number}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(time.time()),
        "data": {"object": about},
    }
    body, now = json.dumps(event).encode(), int(time.time())
    signed = hmac.new(SECRET.encode(), b"%d.%s" % (now, body), sha256).hexdigest()
    return _post("/stripe", body, f"Stripe-Signature: t={now},v1={signed}\r\n")


def _post(path: str, body: bytes, more: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True)
class Target:
    """A process that strangers reach; ``slow`` is where a body of theirs goes."""

    module: str
    slow: str
    honest: Callable[[int], bytes]
    env: dict[str, str]


TARGETS = (
    Target(
        "storefront",
        "/api/v1/group-purchases",
        get_page,
        {"LINK_SECRET": "of this run only, and of no other", "READS_PER_MINUTE": "1000000"},
    ),
    Target(
        "shop_bridge.webhooks",
        "/webhooks/shop",
        post_order,
        {"SHOPS": json.dumps([{"name": "shop", "kind": "shopify", "secrets": [SECRET]}])},
    ),
    Target("payment_service.webhooks", "/stripe", post_report, {"STRIPE_WEBHOOK_SECRETS": SECRET}),
)


@dataclass
class Running:
    """A process that is attacked."""

    port: int
    ops_port: int
    process: subprocess.Popen[bytes]

    def memory(self) -> float:
        """Resident MB now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * 4_096 / 1e6

    def told(self) -> str:
        """Connections open now, and what the server ended itself by now, by its own metrics."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.ops_port}/metrics", timeout=10).text
        except httpx.HTTPError:
            return "no figures of its own"
        opened = re.search(r'connections\{listener="public"\} (\S+)', text)
        ended = re.findall(r'refused_total\{listener="public",reason="(\S+)"\} (\S+)', text)
        reasons = ", ".join(f"{reason} {float(count):.0f}" for reason, count in ended)
        return f"{float(opened[1]) if opened else 0:.0f} open; ended: {reasons or 'none'}"


@contextmanager
def running(settings: Settings, target: Target, folder: Path) -> Iterator[Running]:
    """The process, answering honest requests well."""
    port, ops_port = free_port(), free_port()
    env = {
        **os.environ,
        **target.env,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "STATE_DIR": str(folder),
        "WEB_PORT": str(port),
        "OPS_PORT": str(ops_port),
    }
    # Pages need a read model, and here no projector makes one.
    make_model_now(f"sqlite:///{folder / 'storefront.db'}")
    log = folder / f"{target.module}.log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", f"services.{target.module}"]
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    it = Running(port, ops_port, process)
    try:
        ends = time.monotonic() + 60
        while ask(port, target.honest(0)) is None:
            if process.poll() is not None or time.monotonic() > ends:
                raise SystemExit(log.read_text()[-2_000:])
            time.sleep(0.1)
        yield it
    finally:
        process.terminate()
        process.wait(60)


# --- slow clients, in a process of their own -----------------------------------------------------


class Slow:
    """Clients that never finish; those that are cut off come back, a tenth of all each 0.1 s."""

    def __init__(self, port: int, path: str, sources: list[str], count: int) -> None:
        self._port = port
        self._sources = sources
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode()
        self._begins = (
            b"",
            b"GET / HTTP/1.1\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000,
            head + b"Content-Length: 60000\r\n\r\n" + b"x" * 40_000,
            head + b"Transfer-Encoding: chunked\r\n\r\n2710\r\n" + b"x" * 10_000 + b"\r\nffff\r\n",
        )
        self._selector = selectors.DefaultSelector()
        self._count = count
        self._made = 0
        self._turn = 0
        self.again = 0

    def fill(self, most: int) -> int:
        """Connect those that are missing, so many at most; how many are connected."""
        held = len(self._selector.get_map())
        for _ in range(min(self._count - held, most)):
            source = self._sources[self._made % len(self._sources)]
            begin = self._begins[self._made % len(self._begins)]
            self._made += 1
            with suppress(OSError):
                address = ("127.0.0.1", self._port)
                made = socket.create_connection(address, 2, source_address=(source, 0))
                made.setblocking(False)
                self._selector.register(made, selectors.EVENT_READ)
                made.send(begin)
        return len(self._selector.get_map())

    def drip(self, seconds: float) -> None:
        """Another byte from a tenth of them, and see who was cut off."""
        self._turn += 1
        for key in list(self._selector.get_map().values())[self._turn % 10 :: 10]:
            with suppress(OSError):
                key.fileobj.send(b"x")  # type: ignore[union-attr]
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                try:
                    is_over = not key.fileobj.recv(65_536)  # type: ignore[union-attr]
                except OSError:
                    is_over = True
                if is_over:
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
                    self.again += 1


def be_slow(pipe: Connection, port: int, path: str, sources: list[str], count: int) -> None:
    """Hold so many slow connections until told to end; say how many were held at first."""
    raise_file_limit()
    slow = Slow(port, path, sources, count)
    pipe.send(slow.fill(count))
    while not pipe.poll():
        slow.drip(0.1)
        slow.fill(count // 10)
    pipe.send(slow.again)


# --- honest ones ---------------------------------------------------------------------------------


def ask(port: int, request: bytes, source: str = HONEST) -> float | None:
    """Milliseconds to the end of a good answer; ``None`` if there is none."""
    began = time.perf_counter()
    found = b""
    try:
        address = ("127.0.0.1", port)
        with socket.create_connection(address, 10, source_address=(source, 0)) as made:
            made.sendall(request)
            while more := made.recv(65_536):
                found += more
    except OSError:
        return None
    return (time.perf_counter() - began) * 1e3 if found.startswith(b"HTTP/1.1 200") else None


@dataclass
class Taken:
    """How long honest requests took."""

    milliseconds: list[float]
    failed: int

    @property
    def p99(self) -> float:
        """The 99th percentile, in milliseconds."""
        taken = sorted(self.milliseconds) or [float("inf")]
        return taken[int(len(taken) * 0.99)]

    def __str__(self) -> str:
        taken = sorted(self.milliseconds) or [float("inf")]
        p50 = taken[len(taken) // 2]
        return (
            f"{len(taken)} honest requests: p50 {p50:.1f} ms, p99 {self.p99:.1f} ms, longest"
            f" {taken[-1]:.1f} ms, {self.failed} without a good answer"
        )


def honest(port: int, request: Callable[[int], bytes], rate: int, seconds: int) -> Taken:
    """So many a second, one after the other; what is late counts from when it was due."""
    taken, failed, first = [], 0, random.randrange(10**9)
    began = time.perf_counter()
    for number in range(rate * seconds):
        due = began + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        late = (time.perf_counter() - due) * 1e3
        answered = ask(port, request(first + number))
        if answered is None:
            failed += 1
        else:
            taken.append(late + answered)
    return Taken(taken, failed)


# --- runs ----------------------------------------------------------------------------------------


def memory_of_heads(it: Running, whole: str, count: int, piece: bytes) -> tuple[str, float]:
    """Send so many heads that do not end; MB more than before while they are held."""
    before, held = it.memory(), []
    for number in range(count):
        with suppress(OSError):
            source = f"127.0.0.{20 + number % 5}"
            made = socket.create_connection(("127.0.0.1", it.port), 10, source_address=(source, 0))
            held.append(made)
            made.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n" + piece)
    most, ends = 0.0, time.monotonic() + SETTLED_SECONDS
    while time.monotonic() < ends:
        most = max(most, it.memory() - before)
        time.sleep(0.05)
    for made in held:
        made.close()
    return f"{whole}: {most:+.0f} MB", most


def attack(it: Running, target: Target, sources: str, count: int, seconds: int) -> Taken:
    """Slow clients from there, honest ones meanwhile; prints a line."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, it.port, target.slow, FROM[sources], count)
    slow = context.Process(target=be_slow, args=arguments)
    before = it.memory()
    slow.start()
    held = ours.recv()
    taken = honest(it.port, target.honest, 40, seconds)
    more, told = it.memory() - before, it.told()
    ours.send("end")
    again = ours.recv()
    slow.join()
    print(f"  {held:,} slow connections from {sources}: {taken}")
    print(f"    they came back {again:,} times; {more:+.0f} MB; {told}", flush=True)
    return taken


def against(settings: Settings, target: Target, folder: Path, count: int, seconds: int) -> bool:
    """All of it against one process; whether it held."""
    with running(settings, target, folder) as it:
        print(target.module)
        calm, held = honest(it.port, target.honest, 40, 5), True
        print(f"  nobody slow: {calm}")
        for line, most in (
            memory_of_heads(it, "  61 MB of unfinished headers", 61, b"X: " + b"x" * 1_000_000),
            memory_of_heads(it, "  10 MB of small headers", 10, b"a:\r\n" * 262_144),
        ):
            print(line, flush=True)
            held &= most <= MEMORY_MB_MAX
        for sources in FROM:
            taken = attack(it, target, sources, count, seconds)
            held &= taken.p99 <= P99_MS_MAX and not taken.failed
    return held


def main(
    count: Annotated[int, typer.Option(help="Slow connections.")] = 1_000,
    seconds: Annotated[int, typer.Option(help="Of each attack.")] = 20,
    only: Annotated[str, typer.Option(help="One of the processes: storefront, …")] = "",
) -> None:
    """Print the figures; end with 1 where honest clients were held up or memory was taken."""
    raise_file_limit()
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            settings = settings_on(broker, folder, "", "wall")
            asyncio.run(create_topics(settings))
            for target in TARGETS:
                if target.module.startswith(only):
                    held = against(settings, target, folder, count, seconds)
                    failed += [] if held else [target.module]
        finally:
            broker.stop()
    if failed:
        print("did not hold:", ", ".join(failed))
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
