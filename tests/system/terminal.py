"""Running the terminal's commands in a test, and facts as services send them."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from runtime.records import Encoder, Partitioner, milliseconds
from schemas.catalogue import CATALOGUE
from schemas.parts import Message
from terminal import ops, purchases
from tests.system.api_stack import ADMIN_KEY, Api
from tests.system.stack import Stack

app = typer.Typer(pretty_exceptions_enable=False)
purchases.register(app)
ops.register(app)


@dataclass(frozen=True)
class Said:
    """What a command printed."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """As one value."""
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """A value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


def jointbuy(*arguments: str, stdin: str | None = None) -> Said:
    """Run a command in this process; anything but an orderly end fails."""
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.stderr
    return Said(result.exit_code, result.stdout, result.stderr)


def pointed_at(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment name this stack's broker and topics."""
    monkeypatch.setenv("JOINTBUY_HOME", str(stack.folder))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", stack.broker.bootstrap_servers)
    monkeypatch.setenv("KAFKA_TRANSACTIONS", str(stack.broker.transactions))
    monkeypatch.setenv("TOPIC_PREFIX", stack.prefix)
    monkeypatch.setenv("CLOCK", stack.clock)


def acting_on(api: Api, monkeypatch: pytest.MonkeyPatch, key: str | None = ADMIN_KEY) -> None:
    """Let the environment name this API and a key, the admin's unless told otherwise."""
    pointed_at(api.stack, monkeypatch)
    monkeypatch.setenv("JOINTBUY_URL", api.nobody.url)
    if key is None:
        monkeypatch.delenv("JOINTBUY_KEY", raising=False)
    else:
        monkeypatch.setenv("JOINTBUY_KEY", key)


def facts_sent(stack: Stack, topic: str, *facts: tuple[Message, datetime, str, str]) -> None:
    """Send facts as a service does: (message, time, cause, rule)."""
    kinds = dict.fromkeys(CATALOGUE[topic].messages, topic)
    encoder = Encoder(f"jointbuy/{CATALOGUE[topic].producers[0]}", kinds, Partitioner(4))
    stack.feed_raw(
        encoder(message, milliseconds(at), cause, rule) for message, at, cause, rule in facts
    )
