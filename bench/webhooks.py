"""How many webhooks a second one process of the bridge takes, each acknowledged by Kafka.

Everything is real: Apache Kafka, the page as a process of its own, signed payloads of a recorded
size over keep-alive connections. Webhooks are sent at a steady rate, whatever the answers take, and
a webhook's time runs from when it was due to be sent to the end of its answer.
"""

import asyncio
import base64
import hmac
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from bench.workers import settings_on, usage
from domain.ids import derive
from runtime.admin import create_topics
from runtime.clients import consumer
from runtime.ports import free_port
from runtime.settings import Settings
from schemas.shop_orders import SHOP_EVENTS
from stack import brokers

SECRET = "of this run only"
GROUPS = [derive(f"bench-{number}") for number in range(100)]


def payload(number: int, bytes_each: int, *, is_ours: bool = True) -> bytes:
    """A Shopify order of two lines, padded to the size of a recorded one."""
    line = {"quantity": 1, "current_quantity": 1, "price": "199.00", "properties": []}
    order: dict[str, Any] = {
        "id": 5_000_000_000_000 + number,
        "created_at": "2026-05-04T11:00:00+02:00",
        "updated_at": "2026-05-04T11:00:05+02:00",
        "currency": "EUR",
        "email": f"buyer-{number}@x.example",
        "financial_status": "paid",
        "customer": {"id": 7_000_000_000_000 + number},
        "note_attributes": [{"name": "group_id", "value": GROUPS[number % len(GROUPS)]}]
        if is_ours
        else [],
        "line_items": [{"id": 1, **line}, {"id": 2, **line}],
    }
    lines = [{"name": f"field {each}", "value": "x" * 40} for each in range(1_000)]
    while len(json.dumps(order)) < bytes_each and lines:
        order.setdefault("client_details", []).extend(lines[:5])
        del lines[:5]
    return json.dumps(order).encode()


def request(number: int, bytes_each: int, percent_ours: int) -> bytes:
    """The request as it goes over the socket; so many percent of them name a group."""
    body = payload(number, bytes_each, is_ours=number % 100 < percent_ours)
    signature = base64.b64encode(hmac.digest(SECRET.encode(), body, sha256)).decode()
    head = (
        "POST /webhooks/shop HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n"
        f"X-Shopify-Topic: orders/paid\r\nX-Shopify-Hmac-Sha256: {signature}\r\n"
        f"X-Shopify-Webhook-Id: w-{number}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def drive(port: int, requests: list[bytes], rate: int, connections: int) -> list[float]:
    """Send at a steady rate; milliseconds each took. Raises if one is not answered with 200."""
    waiting: asyncio.Queue[int] = asyncio.Queue()
    taken = [0.0] * len(requests)
    began = time.perf_counter() + 0.2

    async def clock() -> None:
        for number in range(len(requests)):
            if (early := began + number / rate - time.perf_counter()) > 0.001:
                await asyncio.sleep(early)
            waiting.put_nowait(number)
        for _ in range(connections):
            waiting.put_nowait(-1)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (number := await waiting.get()) >= 0:
            writer.write(requests[number])
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"not taken: {head[:200]!r}")
            told = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(told))
            taken[number] = (time.perf_counter() - began - number / rate) * 1e3
        writer.close()

    await asyncio.gather(clock(), *(connection() for _ in range(connections)))
    return taken


async def events_in(settings: Settings) -> int:
    """How many records the topic holds."""
    reader = consumer(settings)
    await reader.start()
    try:
        name = settings.topic(SHOP_EVENTS.name)
        reader.subscribe([name])
        await reader.getmany(timeout_ms=2_000, max_records=1)
        return sum((await reader.end_offsets(list(reader.assignment()))).values())
    finally:
        await reader.stop()


def start_page(settings: Settings, port: int, ops_port: int, log: Path) -> subprocess.Popen[bytes]:
    """The page, ready."""
    shops = [{"name": "shop", "kind": "shopify", "secrets": [SECRET]}]
    env = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "SHOPS": json.dumps(shops),
        "WEB_PORT": str(port),
        "OPS_PORT": str(ops_port),
        "STATE_DIR": str(settings.state_dir),
    }
    command = [sys.executable, "-m", "services.shop_bridge.webhooks"]
    with log.open("ab") as output:
        page = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{ops_port}/readyz", timeout=5).is_success:
                return page
        except httpx.HTTPError:
            if page.poll() is not None:
                raise SystemExit("the page died: see its log") from None
        time.sleep(0.1)


def main(
    rate: Annotated[int, typer.Option(help="Webhooks a second.")] = 1_000,
    seconds: Annotated[int, typer.Option(help="How long.")] = 20,
    bytes_each: Annotated[int, typer.Option(help="Of a body; Shopify's examples have 10,000.")] = (
        10_000
    ),
    connections: Annotated[int, typer.Option(help="Kept alive.")] = 50,
    percent_ours: Annotated[
        int, typer.Option(min=0, max=100, help="Of the orders; the others name no group.")
    ] = 100,
) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name:
        folder = Path(name)
        broker = brokers.start("kafka", home=folder, fresh=True)
        try:
            settings = settings_on(broker, folder, "", "wall")
            asyncio.run(create_topics(settings))
            port, ops_port = free_port(), free_port()
            page = start_page(settings, port, ops_port, folder / "page.log")
            warm = [request(number, bytes_each, percent_ours) for number in range(rate * 3)]
            asyncio.run(drive(port, warm, max(rate // 2, 1), connections))
            requests = [
                request(10**6 + number, bytes_each, percent_ours)
                for number in range(rate * seconds)
            ]
            before = usage(page.pid)[0]
            began = time.perf_counter()
            taken = sorted(asyncio.run(drive(port, requests, rate, connections)))
            lasted = time.perf_counter() - began - 0.2
            cpu, peak = usage(page.pid)
            page.terminate()
            page.wait(30)
            recorded = asyncio.run(events_in(settings)) - len(warm)
        finally:
            broker.stop()
    print(
        f"{len(requests):,} webhooks of {len(requests[0]):,} bytes in {lasted:.1f} s:"
        f" {len(requests) / lasted:,.0f}/s acknowledged by Kafka ({recorded:,} records),"
        f" p50 {statistics.median(taken):.0f} ms, p99 {taken[int(len(taken) * 0.99)]:.0f} ms,"
        f" longest {taken[-1]:.0f} ms; {(cpu - before) / len(requests) * 1e3:.2f} CPU ms each,"
        f" peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    typer.run(main)
