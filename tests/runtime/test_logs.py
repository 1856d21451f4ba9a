"""What the Kafka client logs many times a second is in no log of ours more than once a minute."""

import asyncio
import gc
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import aiokafka
import pytest
import structlog
from aiokafka.errors import ProducerFenced

from domain.ids import derive
from runtime import logs
from runtime.settings import Settings
from runtime.traces import WORK, Work

GROUP, TRACE = derive("a request"), "0af7651916cd43dd8448eb211c80319c"
CLIENT = "aiokafka.consumer.fetcher"
TELLS = re.compile(r"log\.(?:warning|error|exception)\(\s*(?:f?r?[\"'])(.+?)[\"']", re.DOTALL)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a process's log says; its logging ends with the test."""
    # Clients that other tests left open say so when they are collected: now, not in this log.
    gc.collect()
    before, level = logging.root.handlers[:], logging.root.level
    # Commands that ran in this process may have silenced them.
    silenced = [logging.getLogger(name) for name in ("aiokafka", CLIENT, "asyncio")]
    levels = [(each, each.level, each.disabled) for each in silenced]
    for each in silenced:
        each.setLevel(logging.NOTSET)
        each.disabled = False
    logs.set_up(Settings(log_format="json"), "tests")
    (handler,) = logging.root.handlers
    assert isinstance(handler, logging.StreamHandler)
    yield handler.setStream(io.StringIO()) and handler.stream
    logging.root.handlers[:] = before
    logging.root.setLevel(level)
    for each, its_level, is_disabled in levels:
        each.setLevel(its_level)
        each.disabled = is_disabled
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook = sys.__excepthook__, threading.__excepthook__
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def events(written: io.StringIO) -> list[str]:
    """Each line's words."""
    return [json.loads(line)["event"] for line in written.getvalue().splitlines()]


TROUBLE = """
import sys, threading, warnings
from runtime import logs
from runtime.settings import Settings
logs.set_up(Settings(), "tests")
warnings.warn("a field is shadowed", UserWarning)
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise RuntimeError("the\\nend")
"""


@pytest.mark.slow
def test_every_line_of_a_json_log_is_json_whatever_python_says() -> None:
    """Warnings, and errors that end a thread or the process, are lines as all others."""
    env = {**os.environ, "LOG_FORMAT": "json", "KAFKA_BOOTSTRAP_SERVER": "x"}
    command = [sys.executable, "-c", TROUBLE]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    said = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [each.get("error") or each["event"].strip().splitlines()[0] for each in said] == [
        "the variable KAFKA_BOOTSTRAP_SERVER is not known: did you mean KAFKA_BOOTSTRAP_SERVERS?",
        "<string>:6: UserWarning: a field is shadowed",
        "ZeroDivisionError: division by zero",
        "RuntimeError: the\nend",
    ]


def test_each_beginning_is_one_that_the_client_has() -> None:
    """A new version may say it in other words: then our table must, too."""
    folder = Path(aiokafka.__file__).parent
    told = {text for file in folder.rglob("*.py") for text in TELLS.findall(file.read_text())}
    assert told
    assert not [each for each in logs.SAID_BY_US if not any(t.startswith(each) for t in told)]


@pytest.mark.slow
def test_a_thousand_lines_of_the_client_are_one(written: io.StringIO) -> None:
    client, ours = logging.getLogger(CLIENT), logging.getLogger("services.x")
    for number in range(1_000):
        client.error("Failed fetch messages from %s: %s", number, "gone")
        client.warning("Sending username and password in the clear %s", number)
        ours.warning("ours %s", number % 2)
    lines = events(written)
    assert lines.count("Sending username and password in the clear 0") == 1
    assert len(lines) == 1 + 1_000


@pytest.mark.slow
async def test_a_future_of_a_fenced_producer_is_not_logged(written: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    for error in (ProducerFenced("another has its id"), ValueError("a bug of ours")):
        loop.call_exception_handler(
            {"message": "Future exception was never retrieved", "exception": error}
        )
    (line,) = events(written)
    assert line.startswith("Future exception was never retrieved")


def test_a_line_names_the_work_that_it_is_about(written: io.StringIO) -> None:
    trace = (("traceparent", f"00-{TRACE}-b7ad6b7169203331-01".encode()),)
    token = WORK.set(Work(GROUP, {"letter": "id-issued"}, trace))
    structlog.get_logger().warning("something", span_id="its own")
    WORK.set(Work("acme:ann"))
    structlog.get_logger().warning("something else")
    WORK.reset(token)
    first, second = map(json.loads, written.getvalue().splitlines())
    assert first["group_purchase_id"] == GROUP
    assert first["letter"] == "id-issued"
    assert first["trace_id"] == TRACE
    assert first["span_id"] == "its own"
    assert "ann" not in str(second)
