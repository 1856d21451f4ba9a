"""Whatever compresses records, a producer or the broker, every reader of ours reads them."""

import asyncio
import itertools
import json
import shutil
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from domain.ids import derive
from runtime.admin import topics_of_ours
from runtime.clients import admin
from runtime.metadata import counts_of
from runtime.records import encode
from schemas.catalogue import CATALOGUE
from stack.brokers import RunningBroker
from tests.raw_batches import HEADER
from tests.system.api_stack import SETTINGS
from tests.system.broken_logs import log_file
from tests.system.browsers import browsers
from tests.system.purchases import group_until, order_at
from tests.system.stack import Stack, Worker, partition_of, stack_on, until
from tests.system.terminal import jointbuy, pointed_at

pytestmark = pytest.mark.system
NOW = datetime.now(UTC).replace(microsecond=0)
#: Each codec by the broker's name for it, the producer's, and its number in a batch's header.
CODECS = [
    ("uncompressed", None, 0),
    ("gzip", "gzip", 1),
    ("snappy", "snappy", 2),
    ("lz4", "lz4", 3),
    ("zstd", "zstd", 4),
]
#: The groups of all codecs are in one partition, so that its changelog is in all codecs.
#: The outbox takes only ids that can be.
_IDS = [derive(f"r-{number}") for number in range(200)]
*GROUPS, PROBED = [each for each in _IDS if partition_of(each) == 1][:6]
PARKED = [each for each in _IDS if partition_of(each) == 2][:5]
OUTBOX = "outbox-of-compressed"
CHANGELOG = "order_service-purchases-changelog"


@pytest.fixture
def stack(kafka: RunningBroker, tmp_path: Path) -> Iterator[Stack]:
    """One with an outbox and a home page."""
    shops = json.dumps([{"name": "erp", "kind": "outbox", "topic": OUTBOX}])
    with stack_on(kafka, tmp_path, "wall", SHOPS=shops, **SETTINGS) as made:
        asyncio.run(_make_outbox(made))
        yield made


async def _make_outbox(stack: Stack) -> None:
    client = admin(stack.settings)
    await client.start()
    try:
        await client.create_topics([NewTopic(OUTBOX, 1, 1)])
        # The answer may come before others are told of it, and they look only once.
        async with asyncio.timeout(60):
            while not await counts_of(client._client, [OUTBOX]):
                continue
    finally:
        await client.close()


async def compress_all(stack: Stack, codec: str) -> None:
    """Let the broker compress each topic so, whatever it is sent."""
    names = [*await topics_of_ours(stack.settings), OUTBOX]
    kept = {stack.settings.topic(each.name): each for each in CATALOGUE.values()}
    client = admin(stack.settings)
    await client.start()
    try:
        resources = []
        for name in names:
            base = dict(kept[name].settings(log_time=False)) if name in kept else {}
            told = base | {"compression.type": codec}
            resources.append(ConfigResource(ConfigResourceType.TOPIC, name, told))
        await client.alter_configs(resources)
    finally:
        await client.close()


async def send(stack: Stack, codec: str | None, records: list[tuple[str, str, bytes]]) -> None:
    """Send (topic, group, value) as a producer that compresses."""
    sender = AIOKafkaProducer(
        bootstrap_servers=stack.broker.bootstrap_servers, compression_type=codec
    )
    async with sender:
        for topic, group_id, value in records:
            partition = 0 if topic == OUTBOX else partition_of(group_id)
            headers = [("id", group_id.encode())] if topic == OUTBOX else []
            await sender.send_and_wait(
                topic, value, group_id.encode(), partition=partition, headers=headers
            )


def order(group_id: str, number: int) -> bytes:
    """An order of one unit, large enough that compressing it is worth while."""
    return encode(order_at(group_id, number, NOW, 1)) + b" " * 500


def codecs_of(factory: pytest.TempPathFactory, topic: str, partition: int) -> set[int]:
    """The codecs of all batches in a partition's log."""
    raw, at, found = log_file(factory, topic, partition).path.read_bytes(), 0, set()
    while at + HEADER.size <= len(raw):
        (length,) = struct.unpack_from(">i", raw, at + 8)
        if length <= 0:
            break
        if not HEADER.unpack_from(raw, at)[5] & 0x20:  # control records are never compressed
            found.add(HEADER.unpack_from(raw, at)[5] & 7)
        at += 12 + length
    return found


def send_until_used(
    stack: Stack, factory: pytest.TempPathFactory, codec: tuple[str, str | None, int]
) -> None:
    """Send orders and an event of the outbox until the logs of what comes of them have the codec.

    The broker says that a codec is set before a log uses it. So each round has a new order, which
    the worker counts in the same partition as those of all groups that are looked at later.
    """
    name, of_producer, number = codec
    orders, purchases = stack.settings.topic("orders"), stack.settings.topic("purchases")
    changelog = stack.settings.topic(CHANGELOG)
    places = (orders, 1), (purchases, 1), (changelog, 1), (OUTBOX, 0)
    numbers = itertools.count(number * 1_000_000)

    def is_used() -> bool:
        counted = (orders, PROBED, order(PROBED, next(numbers)))
        asyncio.run(send(stack, of_producer, [counted, event_of(PROBED, name)]))
        return all(number in codecs_of(factory, *place) for place in places)

    until(f"{name} is used", is_used)


def event_of(group_id: str, codec: str) -> tuple[str, str, bytes]:
    """An event of the outbox, of two units, large enough that compressing it is worth while."""
    event = {
        "type": "OrderPaid",
        "order_id": f"erp-{codec}",
        "group_id": group_id,
        "member_id": "ann",
        "quantity": 2,
        "ordered_at": NOW.isoformat(),
    }
    return OUTBOX, group_id, json.dumps(event).encode() + b" " * 500


def live(page: Worker) -> float:
    """How many states the home page has heard from the log itself."""
    return page.metric("storefront_live_delay_seconds_count")[""]


def test_every_reader_reads_what_any_codec_compressed(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processors, whole reads, restore, projector, live streams, outbox reader, terminal."""
    pointed_at(stack, monkeypatch)
    terms = {"visibility": "public"}
    groups = [
        group_until(each, NOW + timedelta(days=1), NOW, **terms)
        for each in [*GROUPS, PROBED, *PARKED]
    ]
    stack.feed("group-purchases", *((each, None) for each in groups))
    worker, _, page, _ = stack.start(
        "order_service",
        "services.storefront.projector",
        "storefront",
        "services.shop_bridge.webhooks",
    )
    orders = stack.settings.topic("orders")
    for (codec, of_producer, number), group_id, parked in zip(CODECS, GROUPS, PARKED, strict=True):
        asyncio.run(compress_all(stack, codec))
        assert jointbuy("park", parked, "--service", "order_service").exit_code == 0
        send_until_used(stack, tmp_path_factory, (codec, of_producer, number))
        heard = live(page)
        records = [
            (orders, parked, order(parked, 1)),
            (orders, group_id, order(group_id, 1)),
            event_of(group_id, codec),
        ]
        asyncio.run(send(stack, of_producer, records))
        stack.wait_for("purchases", group_id, timeout=60, quantity=3)
        page_of = f"http://127.0.0.1:{page.port}/groups/{{}}/events".format
        with browsers(page_of, group_id) as opened:
            shown = opened[group_id]
            until(f"{codec} shown", lambda s=shown: s.told and s.told[-1].state["quantity"] == 3)
        assert live(page) > heard, codec
    stack.wait_idle()
    waiting = sum(each["keys_waiting"] for each in worker.partitions())
    assert waiting == len(CODECS), "what is parked is read whole, in each codec"

    worker.kill()
    shutil.rmtree(worker.env["STATE_DIR"])
    worker.start()
    for group_id in GROUPS:
        asyncio.run(send(stack, None, [(orders, group_id, order(group_id, 3))]))
        stack.wait_for("purchases", group_id, timeout=60, quantity=4)
    stack.wait_idle()
    assert sum(each["keys_waiting"] for each in worker.partitions()) == len(CODECS)
    assert stack.read("dead-letters") == []
    exported = jointbuy("export", "orders")
    assert exported.exit_code == 0
    assert exported.err == ""
    found = {(line["key"], line["value"]["order_id"]) for line in exported.lines}
    assert len([key for key, _ in found if key != PROBED]) == 4 * len(CODECS)
