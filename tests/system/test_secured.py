"""A broker lets in who signs in and has the rights; others are told what to set or to add."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from runtime import security
from runtime.clients import admin
from runtime.lasting_errors import LASTING_EXIT_CODE, LastingError
from runtime.settings import Settings, read_settings
from stack.brokers import BrokerError
from tests.system.api_stack import SETTINGS
from tests.system.purchases import group_until, order_at
from tests.system.secured import WORKER, Authority, Secured, secured_broker
from tests.system.stack import Stack, Worker, until

pytestmark = pytest.mark.system
NOW = datetime.now(UTC).replace(microsecond=0)
GROUP = "group-1"
#: Topics, groups and transactional ids whose names begin with this are allowed to all who sign in.
PREFIX = "ours-"
ALLOWED = ("User:worker", "User:CN=first,O=jointbuy", "User:CN=second,O=jointbuy")
#: What is refused on topics with these prefixes.
REFUSED = {
    "nogroup-": ("Read", "--group", "nogroup-", "--resource-pattern-type", "prefixed"),
    "noid-": ("Write", "--transactional-id", "noid-", "--resource-pattern-type", "prefixed"),
    "nowrite-": ("Write", "--topic", "nowrite-order_service-purchases-changelog"),
}
Env = Callable[[Secured], Mapping[str, str]]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The broker, with the ACLs of this module."""
    try:
        with secured_broker(tmp_path_factory.mktemp("secured")) as made:
            # Each is a start of Java, so they run side by side.
            with ThreadPoolExecutor() as threads:
                list(threads.map(lambda words: made.acl(*words), _acls()))
            yield made
    except BrokerError as error:
        pytest.skip(str(error))


def _acls() -> Iterator[list[str]]:
    who = [word for each in ALLOWED for word in ("--allow-principal", each)]
    prefixes = (PREFIX, *REFUSED)
    kinds = ("--topic", "--group", "--transactional-id")
    what = [word for kind in kinds for each in prefixes for word in (kind, each)]
    yield ["--add", *who, "--operation", "All", *what, "--resource-pattern-type", "prefixed"]
    for operation, *words in REFUSED.values():
        yield ["--add", "--deny-principal", f"User:{WORKER}", "--operation", operation, *words]


# --- who comes in --------------------------------------------------------------------------------


def other_ca(secured: Secured) -> Authority:
    """A CA that nobody knows."""
    return Authority(secured.folder / "other", "other")


COMES_IN: list[tuple[str, Env]] = [
    ("SCRAM-SHA-256", lambda it: it.password(KAFKA_SASL_MECHANISM="SCRAM-SHA-256")),
    ("PLAIN", lambda it: it.password(KAFKA_SASL_MECHANISM="PLAIN")),
    ("SCRAM without TLS", lambda it: it.password("CLEAR")),
    ("a token of an endpoint", lambda it: it.token()),
    (
        "a host name that the certificate has not, if told to",
        lambda it: it.password(
            KAFKA_BOOTSTRAP_SERVERS=it.at("PASSWORD").replace("127.0.0.1", "localhost"),
            KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM="none",
        ),
    ),
]

STAYS_OUT: list[tuple[str, Env, str]] = [
    (
        "a wrong password",
        lambda it: it.password(KAFKA_SASL_PASSWORD="wrong"),
        "refuses our SCRAM-SHA-512 credentials: check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
    ),
    (
        "a wrong password by PLAIN",
        lambda it: it.password(KAFKA_SASL_PASSWORD="wrong", KAFKA_SASL_MECHANISM="PLAIN"),
        "refuses our PLAIN credentials: check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
    ),
    (
        "a CA that did not sign",
        lambda it: it.password(KAFKA_SSL_CA_LOCATION=str(other_ca(it).certificate)),
        "set KAFKA_SSL_CA_LOCATION to the CA that signed it",
    ),
    (
        "another host name",
        lambda it: it.password(
            KAFKA_BOOTSTRAP_SERVERS=it.at("PASSWORD").replace("127.0.0.1", "localhost")
        ),
        "not valid for 'localhost': connect by a name that it has",
    ),
    (
        "no client certificate",
        lambda it: it.password(
            KAFKA_BOOTSTRAP_SERVERS=it.at("CERTIFICATE"),
            KAFKA_SECURITY_PROTOCOL="SSL",
            KAFKA_SASL_MECHANISM="",
            KAFKA_SASL_USERNAME="",
            KAFKA_SASL_PASSWORD="",
        ),
        "wants a client certificate: set KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION",
    ),
    (
        "a client certificate of another CA",
        lambda it: it.certificate(other_ca(it).sign("client", "/O=jointbuy/CN=first")),
        "refuses our certificate: certificate unknown: check KAFKA_SSL_CERTIFICATE_LOCATION",
    ),
    (
        "plaintext with a TLS listener",
        lambda it: {"KAFKA_BOOTSTRAP_SERVERS": it.at("PASSWORD")},
        "KAFKA_SECURITY_PROTOCOL is PLAINTEXT, but the listener at",
    ),
    (
        "no SASL where it is asked for",
        lambda it: {"KAFKA_BOOTSTRAP_SERVERS": it.at("CLEAR")},
        "speaks SASL_PLAINTEXT: set KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT",
    ),
    (
        "TLS with a plaintext listener",
        lambda it: it.password(KAFKA_BOOTSTRAP_SERVERS=it.broker.bootstrap_servers),
        "speaks PLAINTEXT: set KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
    ),
    (
        "SASL with a plaintext listener",
        lambda it: it.password("CLEAR", KAFKA_BOOTSTRAP_SERVERS=it.broker.bootstrap_servers),
        "speaks PLAINTEXT: set KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
    ),
    (
        "a mechanism that the broker has not",
        lambda it: it.password(KAFKA_BOOTSTRAP_SERVERS=it.at("TOKEN")),
        "has no SCRAM-SHA-512: set KAFKA_SASL_MECHANISM to one that it has",
    ),
    (
        "a wrong secret at the endpoint",
        lambda it: it.token(KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET="wrong"),
        "answers 401 invalid_client: check KAFKA_SASL_OAUTHBEARER_CLIENT_ID and _CLIENT_SECRET",
    ),
    (
        "a token for somebody else's service",
        lambda it: it.token(KAFKA_SASL_OAUTHBEARER_SCOPE="other-audience"),
        "refuses our OAUTHBEARER credentials: check where the token comes from",
    ),
]


def signed_in(monkeypatch: pytest.MonkeyPatch, env: Mapping[str, str]) -> Settings:
    """The settings of a new process with this environment."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(security, "_KNOWN", {})
    return read_settings(Settings)


async def look(settings: Settings) -> None:
    """Ask the broker something."""
    client = admin(settings)
    try:
        await client.start()
        await client.list_topics()
    finally:
        await client.close()


@pytest.mark.parametrize(("who", "env"), COMES_IN, ids=[each[0] for each in COMES_IN])
async def test_who_signs_in_comes_in(
    who: str, env: Env, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    await look(signed_in(monkeypatch, env(secured)))


@pytest.mark.parametrize(("who", "env", "line"), STAYS_OUT, ids=[each[0] for each in STAYS_OUT])
async def test_who_stays_out_is_told_which_setting_is_wrong(
    who: str, env: Env, line: str, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = signed_in(monkeypatch, env(secured))
    with pytest.raises(LastingError) as refused:
        await look(settings)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (secret := os.environ.get("KAFKA_SASL_PASSWORD", "")) or secret not in str(
        refused.value
    )


async def test_a_token_endpoint_that_is_busy_is_waited_for(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = signed_in(monkeypatch, secured.token())
    monkeypatch.setattr(secured.issuer, "refuses", (503, "busy"))
    with pytest.raises(KafkaConnectionError):
        await look(settings)
    assert "/token answers 503 busy" in security.access_of(settings).why
    assert security.access_of(settings).refusal is None
    monkeypatch.undo()
    await look(settings)
    assert security.access_of(settings).why == ""


# --- processes -----------------------------------------------------------------------------------


def stack_of(secured: Secured, folder: Path, prefix: str = PREFIX) -> Stack:
    """Topics that are made by the broker's own admin."""
    folder.mkdir()
    return Stack(secured.broker, folder, prefix, "wall")


def stopped(worker: Worker) -> str:
    """Wait until it has ended by an error that stays; its last line, which says so once."""
    assert worker.exit_code(60) == LASTING_EXIT_CODE, worker.log.read_text()
    text = worker.log.read_text()
    assert "Traceback" not in text
    said: str = json.loads(text.splitlines()[-1])["error"]
    assert text.count(said[:80]) == 1, text
    return said


@pytest.fixture(scope="module")
def stack(secured: Secured, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Topics of this module with a group that is open."""
    made = stack_of(secured, tmp_path_factory.mktemp("stack") / "ours")
    terms = group_until(GROUP, NOW + timedelta(days=1), NOW)
    made.feed("group-purchases", (terms, None))
    made.feed("orders", (order_at(GROUP, 1, NOW), None))
    yield made
    made.close()


def test_a_service_works_by_password_and_one_goes_on_by_a_new_certificate(
    secured: Secured, stack: Stack
) -> None:
    """SCRAM counts an order. Then TLS: a new certificate counts on, and a wrong one ends it.

    Each writes in another compression; the second restores what the first wrote.
    """
    by_password = stack.worker("order_service", COMPRESSION="zstd", **secured.password())
    stack.wait_for("purchases", GROUP, quantity=1)
    by_password.stop()

    first = secured.authority.sign("first", "/O=jointbuy/CN=first")
    second = secured.authority.sign("second", "/O=jointbuy/CN=second")
    worker = stack.worker("order_service", COMPRESSION="lz4", **secured.certificate(first))
    stack.feed("orders", (order_at(GROUP, 2, NOW), None))
    stack.wait_for("purchases", GROUP, quantity=2)
    for old, new in zip(first, second, strict=True):
        new.replace(old)
    secured.tunnel.cut()
    until("the new files are read", lambda: "read anew" in worker.log.read_text())
    # A connection that was open before would still be the first one's, which has no rights now.
    stack.until_ready(worker)
    secured.acl(
        *("--add", "--deny-principal", "User:CN=first,O=jointbuy", "--operation", "All"),
        *("--topic", "*", "--group", "*", "--transactional-id", "*"),
    )
    stack.feed("orders", (order_at(GROUP, 3, NOW), None))
    stack.wait_for("purchases", GROUP, quantity=3)
    for old, new in zip(
        first, other_ca(secured).sign("third", "/O=jointbuy/CN=second"), strict=True
    ):
        new.replace(old)
    secured.tunnel.cut()
    assert "refuses our certificate: certificate unknown: check KAFKA_SSL_CERT" in stopped(worker)


PROCESSES = (
    "order_service",
    "services.storefront.projector",
    "storefront",
    "services.shop_bridge.webhooks",
)


def test_each_process_that_may_not_sign_in_ends_with_one_line(
    secured: Secured, stack: Stack
) -> None:
    env = SETTINGS | {"SHOPS": "[]", **secured.password(KAFKA_SASL_PASSWORD="wrong")}
    workers = [stack.worker(each, **env) for each in PROCESSES]
    for each in workers:
        line = stopped(each)
        assert "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD" in line, each.module


def test_a_command_that_may_not_sign_in_ends_with_one_line(secured: Secured, stack: Stack) -> None:
    env = {**os.environ, "TOPIC_PREFIX": PREFIX, "JOINTBUY_HOME": str(stack.folder)}
    command = [sys.executable, "-m", "terminal", "export", "purchases"]
    wrong = secured.password(KAFKA_SASL_PASSWORD="wrong")
    done = subprocess.run(
        command, env=env | wrong, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD" in line
    right = subprocess.run(
        command,
        env=env | secured.password(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert GROUP in right.stdout


def test_a_missing_right_ends_a_worker_with_the_acl_to_add(
    secured: Secured, tmp_path: Path
) -> None:
    """Each worker lacks one right; the line is a command that would give it."""
    asked = {
        "nogroup-": "--operation Read --group nogroup-order_service-purchases",
        "noid-": "--operation Describe --operation Write --transactional-id"
        " noid-order_service-purchases- --resource-pattern-type prefixed",
        "nowrite-": "--operation Write --topic nowrite-order_service-purchases-changelog",
        "nothing-": "--operation Write --topic nothing-clock --topic nothing-dead-letters",
    }
    begun = {}
    for prefix in asked:
        made = stack_of(secured, tmp_path / prefix, prefix)
        if prefix == "nowrite-":
            made.feed("orders", (order_at(GROUP, 1, NOW), None))
            made.feed("group-purchases", (group_until(GROUP, NOW + timedelta(days=1), NOW), None))
        begun[prefix] = made.worker("order_service", **secured.password())
    try:
        for prefix, words in asked.items():
            line = stopped(begun[prefix])
            start = f"kafka-acls.sh --bootstrap-server {secured.at('PASSWORD')} --add"
            assert f"{start} --allow-principal User:{WORKER} {words}" in line
    finally:
        for each in begun.values():
            each.stop()


def test_files_are_read_anew_while_a_process_runs(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password's file, and a key that is replaced after its certificate."""
    (tmp_path / "password").write_text("wrong")
    env = secured.password(
        KAFKA_SASL_PASSWORD="", KAFKA_SASL_PASSWORD_FILE=str(tmp_path / "password")
    )
    settings = signed_in(monkeypatch, env)
    with pytest.raises(LastingError):
        asyncio.run(look(settings))
    (tmp_path / "password").write_text(secured.password()["KAFKA_SASL_PASSWORD"])
    asyncio.run(look(settings))
    assert security.access_of(settings).refusal is None
