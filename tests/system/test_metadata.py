"""Brokers are asked for the topics that matter, and asking makes none."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.structs import BrokerMetadata

from runtime import metadata
from runtime.clients import metadata_client
from runtime.ports import free_port
from stack.brokers import RunningBroker
from tests.system.stack import Stack, stack_on

pytestmark = pytest.mark.system
T = TypeVar("T")


@pytest.fixture(params=["kafka", "embedded"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Stack:
    broker: RunningBroker = request.getfixturevalue(request.param)
    with stack_on(broker, tmp_path) as made:
        return made


def told(stack: Stack, ask: Callable[[AIOKafkaClient], Awaitable[T]]) -> T:
    async def go() -> T:
        client = metadata_client(stack.settings)
        await client.bootstrap()
        try:
            return await ask(client)
        finally:
            await client.close()

    return asyncio.run(go())


def test_topics_are_asked_for_by_name_and_none_is_made(stack: Stack) -> None:
    orders, missing = stack.settings.topic("orders"), stack.settings.topic("no-topic-of-ours")
    for _ in range(2):
        assert told(stack, lambda c: metadata.counts_of(c, [orders, missing])) == {orders: 4}
        answer = told(stack, lambda c: metadata.asked(c, [orders, missing]))
        assert {name for _, name, *_ in answer.topics} == {orders, missing}
    assert told(stack, lambda c: metadata.counts_of(c, [])) == {}
    brokers = told(stack, metadata.asked)
    assert brokers.topics == [] or stack.broker.kind == "embedded"
    assert len(brokers.brokers) == 1
    assert brokers.cluster_id


def test_another_broker_answers_for_those_that_are_away(stack: Stack) -> None:
    orders = stack.settings.topic("orders")

    async def with_others_away(client: AIOKafkaClient) -> list[dict[str, int]]:
        for number in (101, 102):
            gone = BrokerMetadata(number, "127.0.0.1", free_port(), None)
            client.cluster._brokers[number] = gone
        return [await metadata.counts_of(client, [orders]) for _ in range(20)]

    assert told(stack, with_others_away) == [{orders: 4}] * 20
