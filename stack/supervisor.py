"""All services of this machine as child processes: started, watched, and restarted when they die.

``python -m stack.supervisor`` runs in the background for ``jointbuy up``. It starts the
broker too, so that whatever dies or is killed, one process knows what belongs together.
"""

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import structlog
import typer
from aiokafka.errors import KafkaError

from domain.sources import shop_of
from runtime import logs
from runtime.admin import create_topics, delete_topics, topics_of_ours
from runtime.lasting_errors import LASTING_EXIT_CODE, LastingError, lasting
from runtime.ports import PortError
from runtime.private_files import MAKE_A_SECRET, keep_files_private, private_folder, weakness_of
from runtime.running_stack import (
    ADMIN_KEY_FILE,
    FILE,
    LINK_SECRET_FILE,
    Running,
    RunningWorker,
)
from runtime.settings import Settings, SettingsError, read_settings
from stack import brokers
from stack.fork_server import Forked, ForkServer, start
from stack.last_words import last_words
from stack.ports import ports_of, typed_ports

SERVICES = (
    "request_service",
    "order_service",
    "favor_service",
    "payment_service",
    "auction_service",
    "notifier",
    "storefront.projector",
    "storefront",
)
#: Only where shops are named that may send webhooks: SHOPS or SHOPS_FILE.
WITH_SHOPS = ("shop_bridge", "shop_bridge.webhooks")
#: Only where Stripe is told where to send its webhooks, and so has given a secret.
WITH_CARDS = ("payment_service.webhooks",)
#: The services that need each secret of the environment, or the file that ``<NAME>_FILE`` names. No
#: other process gets it.
SECRETS: dict[str, tuple[str, ...]] = {
    "ADMIN_KEY": ("storefront",),
    # Of the terminal alone: for backups in buckets.
    "AWS_SECRET_ACCESS_KEY": (),
    "AWS_SESSION_TOKEN": (),
    "DATABASE_URL": ("storefront", "storefront.projector"),
    "JOINTBUY_KEY": (),
    "LINK_SECRET": ("notifier", "storefront"),
    "RATES_URL": ("storefront",),
    "SHOPS": WITH_SHOPS,
    "SMTP_PASSWORD": ("notifier",),
    "STRIPE_API_KEY": ("payment_service", *WITH_CARDS),
    "STRIPE_WEBHOOK_SECRETS": WITH_CARDS,
}
#: The broker's process, which needs none of them.
BROKER = "broker"
SECRETS |= dict.fromkeys(
    (
        "KAFKA_SASL_JAAS_CONFIG",
        "KAFKA_SASL_OAUTHBEARER_CLIENT_CREDENTIALS_CLIENT_SECRET",
        "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_SSL_KEY_PASSWORD",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ),
    (*SERVICES, *WITH_SHOPS, *WITH_CARDS),
)
#: With the embedded broker a join takes half the session time-out, and a fetch lasts as long as its
#: wait although a record has come.
EMBEDDED = {"kafka_session_timeout_ms": 6_000, "idle_fetch_wait_ms": 200}
RESTART_SECONDS_MAX = 30.0
#: Seconds until a service that ended with a lasting error is started again.
LASTING_SECONDS = 60.0
HEALTHY_SECONDS = 20.0
STOP_SECONDS = 40.0
_log = structlog.get_logger()


@dataclass
class Child:
    """A worker process, and when it may be started again after it died."""

    worker: RunningWorker
    log: Path
    process: subprocess.Popen[bytes] | Forked | None = None
    started_at: float = 0.0
    wait_seconds: float = 0.0
    start_at: float = field(default_factory=time.monotonic)

    def start(self, env: dict[str, str], fork_server: ForkServer | None) -> None:
        """Start the process; its output goes to its log file."""
        ports = {"OPS_PORT": port_of(self.worker.ops)}
        if self.worker.web is not None:
            ports["WEB_PORT"] = port_of(self.worker.web)
        env = {**environment_of(self.worker.service, env), **ports}
        module = f"services.{self.worker.service}"
        self.process = start(fork_server, module, (), env, self.log)
        self.worker.pid, self.worker.stopped = self.process.pid, ""
        self.started_at = time.monotonic()

    def died(self) -> bool:
        """Whether it has died; notes when to start it again: at once, then ever later.

        After a lasting error it is started again after ``LASTING_SECONDS``.
        """
        if self.process is None or self.process.poll() is None:
            return False
        now = time.monotonic()
        is_lasting = self.process.returncode == LASTING_EXIT_CODE
        self.worker.stopped = last_words(self.log) if is_lasting else ""
        if is_lasting:
            self.wait_seconds = LASTING_SECONDS
        elif now - self.started_at > HEALTHY_SECONDS:
            self.wait_seconds = 0.0
        _log.warning(
            "a service stopped" if is_lasting else "a service died and is restarted",
            died=self.worker.service,
            exit_code=self.process.returncode,
            wait_seconds=self.wait_seconds,
            log=str(self.log),
            error=self.worker.stopped or None,
        )
        self.start_at = now + self.wait_seconds
        self.wait_seconds = min(max(self.wait_seconds * 2, 0.5), RESTART_SECONDS_MAX)
        self.process, self.worker.pid = None, None
        self.worker.restarts += 1
        return True


def environment_of(service: str, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of one service: ours, without the secrets of other services."""
    of_others = {name for name, services in SECRETS.items() if service not in services}
    return {
        name: value
        for name, value in env.items()
        if name not in of_others and name.removesuffix("_FILE") not in of_others
    }


def port_of(address: str) -> str:
    """The port of a base URL."""
    return address.rsplit(":", 1)[1]


def _is_public(service: str) -> bool:
    return service == "storefront" or service.endswith(".webhooks")


def _worker(service: str, ports: Mapping[str, int]) -> RunningWorker:
    """A worker with addresses of its own on this machine."""
    ops = f"http://127.0.0.1:{ports[f'{service}.ops']}"
    web = f"http://127.0.0.1:{ports[service]}" if _is_public(service) else None
    return RunningWorker(service=service, ops=ops, web=web)


def _ports(home: Path, kind: str, typed: list[str]) -> dict[str, int]:
    """A port for everything that is started. Raises ``PortError``."""
    broker = {"external": (), "kafka": ("broker", "broker.controller")}.get(kind, ("broker",))
    services = _services()
    public = filter(_is_public, services)
    asked = typed_ports(typed)
    return ports_of(home, [*public, *broker, *(f"{each}.ops" for each in services)], asked)


def _secret_of(home: Path, name: str, file: str) -> dict[str, str]:
    """The file of a secret that is made once on this machine if the environment has none."""
    if _is_given(name):
        return {}
    path = home / file
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(0o600)
        fresh.write_text(secrets.token_urlsafe(32))
        fresh.rename(path)
    return {f"{name}_FILE": str(path)}


def paid_back_at(env: Mapping[str, str]) -> dict[str, str]:
    """The shops that shop_bridge pays back at, for the storefront, which gets no more of SHOPS.

    What is wrong with SHOPS, shop_bridge says.
    """
    if env.get("PAID_BACK_AT"):
        return {}
    try:
        file = env.get("SHOPS_FILE")
        text = env.get("SHOPS") or (Path(file).read_text() if file else "[]")
        shops = {shop_of(each["name"]) for each in json.loads(text) if each.get("favors")}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
    return {"PAID_BACK_AT": ",".join(sorted(shops))} if shops else {}


def _is_given(secret: str) -> bool:
    return bool(os.environ.get(secret) or os.environ.get(f"{secret}_FILE"))


def _services() -> tuple[str, ...]:
    """What runs on this machine: more where the environment says what is outside."""
    with_shops = WITH_SHOPS if _is_given("SHOPS") else ()
    with_cards = WITH_CARDS if _is_given("STRIPE_WEBHOOK_SECRETS") else ()
    return *SERVICES, *with_shops, *with_cards


class Supervisor:
    """The stack of one home folder."""

    def __init__(
        self,
        home: Path,
        broker: brokers.RunningBroker,
        settings: Settings,
        ports: Mapping[str, int],
    ) -> None:
        self._home = home
        self._settings = settings
        self._stopping = False
        # On other systems each service is a process of its own command.
        self._fork_server = (
            ForkServer(environment_of(BROKER, os.environ)) if sys.platform == "linux" else None
        )
        logs_folder = home / "logs"
        private_folder(logs_folder)
        self._children = [
            Child(_worker(service, ports), logs_folder / f"{service}.log")
            for service in _services()
        ]
        webs = {child.worker.service: child.worker.web or "" for child in self._children}
        self._running = Running(
            supervisor_pid=os.getpid(),
            broker=broker.kind,
            broker_pid=broker.pid,
            bootstrap_servers=broker.bootstrap_servers,
            transactions=broker.transactions,
            clock=settings.clock,
            topic_prefix=settings.topic_prefix,
            partitions=settings.partitions,
            workers=[child.worker for child in self._children],
        )
        self._env = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "KAFKA_TRANSACTIONS": str(broker.transactions),
            "KAFKA_SESSION_TIMEOUT_MS": str(settings.kafka_session_timeout_ms),
            "IDLE_FETCH_WAIT_MS": str(settings.idle_fetch_wait_ms),
            "CLOCK": settings.clock,
            "TOPIC_PREFIX": settings.topic_prefix,
            "STATE_DIR": str(settings.state_dir),
            "PAGE_URL": os.environ.get("PAGE_URL") or webs["storefront"],
            **paid_back_at(os.environ),
            **_secret_of(home, "LINK_SECRET", LINK_SECRET_FILE),
            **_secret_of(home, "ADMIN_KEY", ADMIN_KEY_FILE),
        }

    def stop(self) -> None:
        """End after the current look at the children."""
        self._stopping = True

    def run(self) -> None:
        """Keep every child alive until stopped."""
        try:
            while not self._stopping:
                if self._look():
                    self._running.write(self._home)
                # Sleeping is what a watcher does; a signal wakes it.
                signal.sigtimedwait([signal.SIGCHLD], 0.2)
        finally:
            self._end_children()
            (self._home / FILE).unlink(missing_ok=True)

    def _look(self) -> bool:
        changed = False
        for child in self._children:
            changed |= child.died()
            if child.process is None and time.monotonic() >= child.start_at:
                child.start(self._env, self._fork_server)
                changed = True
        return changed

    def _end_children(self) -> None:
        end_all(child.process for child in self._children if child.process is not None)
        if self._fork_server is not None:
            self._fork_server.stop()


def end_all(processes: Iterable[subprocess.Popen[bytes] | Forked]) -> None:
    """SIGTERM to all of them, then SIGKILL to those that have not ended in ``STOP_SECONDS``."""
    told = list(processes)
    for process in told:
        process.terminate()
    ends = time.monotonic() + STOP_SECONDS
    for process in told:
        try:
            process.wait(max(ends - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def supervise(
    home: Annotated[Path, typer.Option(help="Folder of the stack.")],
    broker: Annotated[str | None, typer.Option(help="external, docker, kafka or embedded.")] = None,
    port: Annotated[list[str] | None, typer.Option(help="NAME=PORT, repeatable.")] = None,
    clock: Annotated[str, typer.Option(help="wall or log.")] = "wall",
    fresh: Annotated[bool, typer.Option(help="Start with empty topics and state.")] = False,
) -> None:
    """Start a broker and every service, and keep them running until SIGTERM."""
    keep_files_private()
    private_folder(home)
    mode: Literal["wall", "log"] = "log" if clock == "log" else "wall"
    try:
        settings = read_settings(Settings, clock=mode, state_dir=home / "state")
    except SettingsError as error:
        sys.exit(str(error))
    logs.set_up(settings, "supervisor")
    given = os.environ.get("LINK_SECRET")
    if given and (weak := weakness_of(given)):
        sys.exit(f"LINK_SECRET {weak}: {MAKE_A_SECRET}")
    try:
        kind = brokers.choose(broker)
        if kind != "external" and settings.kafka_security_protocol != "PLAINTEXT":
            raise brokers.BrokerError(
                f"KAFKA_SECURITY_PROTOCOL is {settings.kafka_security_protocol}, but a broker that"
                " is started here speaks PLAINTEXT: unset it, or use --broker external"
            )
        ports = _ports(home, kind, port or [])
        started = brokers.start(
            kind,
            home=home,
            port=ports.get("broker"),
            controller_port=ports.get("broker.controller"),
            fresh=fresh,
            shielded=True,
            env=environment_of(BROKER, os.environ),
        )
    except (brokers.BrokerError, PortError) as error:
        # The last line of the log is what `jointbuy up` shows.
        sys.exit(str(error))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        _prepare_or_exit(settings, started, home, fresh=fresh)
        settings = _settings_of(started, settings)
        if started.kind == "embedded":
            settings = settings.model_copy(update=EMBEDDED)
        supervisor = Supervisor(home, started, settings, ports)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: supervisor.stop())
        supervisor.run()
    finally:
        started.stop()


def _settings_of(started: brokers.RunningBroker, settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "kafka_bootstrap_servers": started.bootstrap_servers,
            "kafka_transactions": started.transactions,
        }
    )


def _prepare_or_exit(
    settings: Settings, started: brokers.RunningBroker, home: Path, *, fresh: bool
) -> None:
    """Prepare; what goes wrong is the last line of the log, which ``jointbuy up`` shows."""
    try:
        asyncio.run(_prepare(settings, started, home, fresh=fresh))
    except (LastingError, KafkaError, OSError) as error:
        sys.exit(str(lasting(error) or f"{type(error).__name__}: {error}"))


async def _prepare(
    settings: Settings, started: brokers.RunningBroker, home: Path, *, fresh: bool
) -> None:
    here = _settings_of(started, settings)
    if fresh or started.kind == "embedded":
        shutil.rmtree(settings.state_dir, ignore_errors=True)
    if fresh and started.kind == "external":
        await delete_topics(here, await topics_of_ours(here))
    made = await create_topics(here)
    _log.info("topics are there", made=json.dumps(made), home=str(home))


if __name__ == "__main__":
    typer.run(supervise)
