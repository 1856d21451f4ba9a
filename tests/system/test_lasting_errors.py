"""A broker that goes away is waited for quietly; what stays ends each process with one line."""

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import NewTopic

from runtime.admin import delete_topics
from runtime.clients import admin
from runtime.lasting_errors import LASTING_EXIT_CODE
from stack import brokers
from stack.brokers import RunningBroker
from tests.system.api_stack import SETTINGS
from tests.system.purchases import group_until, order_at
from tests.system.stack import Stack, Worker, stack_on, until

pytestmark = pytest.mark.system
NOW = datetime.now(UTC).replace(microsecond=0)
GROUP = "group-1"
SECONDS_MAX = 10.0
PROCESSES = (
    "order_service",
    "auction_service",
    "notifier",
    "services.storefront.projector",
    "storefront",
    "services.shop_bridge.webhooks",
    "services.payment_service.webhooks",
)
ACLS = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningBroker]:
    """A broker with ACLs, to kill; all are allowed what no ACL forbids."""
    try:
        broker = brokers.start("kafka", home=tmp_path / "kafka", properties=ACLS)
    except brokers.BrokerError as error:
        pytest.skip(str(error))
    yield broker
    broker.stop()


def forbid(broker: RunningBroker, topic: str) -> None:
    """Deny everybody all access to a topic."""
    java, _, jars = brokers._find_kafka()
    command = [java, "-cp", f"{jars}/*", "org.apache.kafka.tools.AclCommand", "--add", "--force"]
    command += ["--bootstrap-server", broker.bootstrap_servers, "--topic", topic]
    subprocess.run(
        [*command, "--deny-principal", "User:*", "--operation", "All"],
        check=True,
        capture_output=True,
        timeout=120,
    )


def lines(worker: Worker, since: int = 0) -> list[dict[str, Any]]:
    """What it has logged behind so many bytes; each line is one of ours."""
    told = worker.log.read_bytes()[since:].decode().splitlines()
    return [json.loads(each) for each in told]


def stopped(worker: Worker) -> str:
    """Wait until it has ended by an error that stays; the line that says so, its last."""
    assert worker.exit_code(60) == LASTING_EXIT_CODE, worker.log.read_text()
    text = worker.log.read_text()
    assert "Traceback" not in text
    last: str = text.splitlines()[-1]
    said = json.loads(last)["error"] if last.startswith("{") else last
    assert text.count(said[:80]) == 1, "it is said once"
    return str(said)


async def make(stack: Stack, topic: str, partitions: int) -> None:
    """Make a topic, as a broker that makes topics by itself does."""
    client = admin(stack.settings)
    await client.start()
    try:
        async with asyncio.timeout(60):
            while (await client.create_topics([NewTopic(topic, partitions, 1)])).topic_errors[0][1]:
                continue  # the old one is being deleted; each question waits for its answer
    finally:
        await client.close()


@pytest.mark.long
def test_a_broker_that_dies_is_told_of_once_and_what_stays_ends_the_process(
    own: RunningBroker, tmp_path: Path
) -> None:
    """kill -9, and back; then a forbidden topic, a deleted one, one with another number."""
    env = SETTINGS | {"STRIPE_WEBHOOK_SECRETS": "whsec_1", "SHOPS": "[]"}
    with stack_on(own, tmp_path, "wall", **env) as stack:
        terms = group_until(GROUP, NOW + timedelta(days=1), NOW)
        stack.feed("group-purchases", (terms, None))
        stack.feed("orders", (order_at(GROUP, 1, NOW), None))
        workers = stack.start(*PROCESSES)
        stack.wait_for("purchases", GROUP, quantity=1)
        _broker_dies_and_comes_back(own, stack, workers, tmp_path)
        stack.feed("orders", (order_at(GROUP, 2, NOW), None))
        stack.wait_for("purchases", GROUP, quantity=2)
        _what_stays_ends_the_process(own, stack, workers)


def _broker_dies_and_comes_back(
    own: RunningBroker, stack: Stack, workers: list[Worker], home: Path
) -> None:
    sizes = [each.log.stat().st_size for each in workers]
    own.kill()
    killed_at = time.monotonic()
    for each in workers:
        until(f"{each.module} unready", lambda each=each: not each.ready(), SECONDS_MAX)
    assert time.monotonic() - killed_at < SECONDS_MAX
    for each, size in zip(workers, sizes, strict=True):
        (line,) = lines(each, size)
        assert line["event"].startswith("the broker does not answer"), each.module
        assert each.page("livez") is not None
    port = int(own.bootstrap_servers.rpartition(":")[2])
    again = brokers.start("kafka", home=home / "kafka", port=port, properties=ACLS)
    own.process, own.pid = again.process, again.pid
    stack.until_ready(*workers)
    for each, size in zip(workers, sizes, strict=True):
        told = lines(each, size)
        assert [line["event"] for line in told].count("the broker answers again") == 1
        assert len(told) < 20, told


def _what_stays_ends_the_process(own: RunningBroker, stack: Stack, workers: list[Worker]) -> None:
    orders, _, notifier, projector, page, hooks, payments = workers
    changelog = stack.settings.topic("notifier-letters-changelog")
    forbid(own, changelog)
    assert f"the broker refuses access to a topic ({changelog}): " in stopped(notifier)

    reports = stack.settings.topic("payment-reports")
    asyncio.run(delete_topics(stack.settings, [reports]))
    for each in (payments, page):
        assert f"topic {reports} is gone" in stopped(each)

    purchases = stack.settings.topic("purchases")
    asyncio.run(delete_topics(stack.settings, [purchases]))
    asyncio.run(make(stack, purchases, 1))
    for each in (orders, projector):
        assert f"topic {purchases} has 1 partition, but 4 are needed" in stopped(each)
    assert hooks.ready(), "it needs none of these"
    projector.start()
    assert projector.exit_code(60) == LASTING_EXIT_CODE
    assert f"topic {purchases} has 1 partition, but" in projector.log.read_text().splitlines()[-1]


def test_a_state_dir_that_cannot_be_used_ends_the_worker_with_one_line(
    kafka: RunningBroker, tmp_path: Path
) -> None:
    """A file in its place, and a file in the place of a processor's folder."""
    with stack_on(kafka, tmp_path, "wall") as stack:
        first = stack.worker("order_service", start=False)
        folder = Path(first.env["STATE_DIR"])
        folder.write_text("not a folder")
        first.start()
        assert f"{folder} can't be used: File exists: move the file" in stopped(first)

        folder.unlink()
        folder.mkdir()
        (folder / "order_service-purchases").write_text("not a folder")
        second = stack.worker("order_service", STATE_DIR=str(folder))
        assert "order_service-purchases" in stopped(second)
