"""``jointbuy up``, ``down``, ``status``, ``wait`` and ``replay``: a whole stack on this machine."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from runtime.admin import topics_of_ours
from runtime.private_files import keep_files_private, private_folder
from runtime.running_stack import (
    ADMIN_KEY_FILE,
    Running,
    RunningWorker,
    home_folder,
    is_alive,
    read_running,
    settings_here,
)
from runtime.settings import Settings, read_settings
from stack.last_words import Logs, last_words
from stack.progress import Standing, left_outside
from terminal.console import Mistake, mistakes, print_json, print_table, say, table
from terminal.options import AsJson

READY_SECONDS = 120.0
#: Seconds between two lines that name the services that are not ready.
SLOW_SECONDS = 15.0
END_SECONDS = 60.0
LOOK_SECONDS = 0.2


class BrokerKind(StrEnum):
    """The broker that has the topics."""

    external = "external"
    docker = "docker"
    kafka = "kafka"
    embedded = "embedded"


class ClockKind(StrEnum):
    """The clock of the services."""

    wall = "wall"
    log = "log"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(wait)
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
    )(replay)


@mistakes()
def up(
    broker: Annotated[
        BrokerKind | None,
        typer.Option(help="Default: KAFKA_BOOTSTRAP_SERVERS, else docker, kafka, embedded."),
    ] = None,
    clock: Annotated[ClockKind, typer.Option(help="log for replays.")] = ClockKind.wall,
    fresh: Annotated[bool, typer.Option(help="Start with empty topics and state.")] = False,
    yes_delete: Annotated[
        bool, typer.Option(help="With --fresh: delete our topics on an external broker.")
    ] = False,
    port: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PORT",
            help="Another port for a name, such as storefront=8180; kept for later. Repeatable.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds until all services must be ready; else all are ended.")
    ] = READY_SECONDS,
) -> None:
    """Start all services in the background, and wait until all are ready.

    If one can't start, the command prints its error and ends all of them.
    """
    home = home_folder()
    if read_running(home) is not None:
        raise Mistake(
            f"already running from {home}: see jointbuy status, or end it with jointbuy down"
        )
    external = broker in (None, BrokerKind.external) and "KAFKA_BOOTSTRAP_SERVERS" in os.environ
    if fresh and external and not yes_delete:
        names = asyncio.run(topics_of_ours(read_settings(Settings)))
        raise Mistake(
            f"--fresh would delete {len(names)} topics on {os.environ['KAFKA_BOOTSTRAP_SERVERS']};"
            " add --yes-delete to delete them, or set TOPIC_PREFIX"
        )
    keep_files_private()
    private_folder(home)
    started, logs = time.monotonic(), Logs.of(home)
    supervisor = _start_supervisor(home, broker, clock, port or [], fresh=fresh)
    try:
        running = _until_ready(home, supervisor, logs, timeout)
    except BaseException:
        _end(supervisor)
        raise
    seconds = time.monotonic() - started
    say(
        f"{len(running.workers)} services ready in {seconds:.1f} s"
        f" on {running.broker} at {running.bootstrap_servers}, clock: {running.clock}"
    )
    say(f"the home page: {_home_page(running)}")
    say(f"the admin's page: {_home_page(running)}/admin, with the key {_place_of_key(home)}")


def _home_page(running: Running) -> str:
    return next(each.web or "" for each in running.workers if each.service == "storefront")


def _place_of_key(home: Path) -> str:
    """Where the admin's key is; the key itself is never printed."""
    given = next((each for each in ("ADMIN_KEY", "ADMIN_KEY_FILE") if os.environ.get(each)), None)
    return f"in {given}" if given else f"in the file {home / ADMIN_KEY_FILE}"


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    """End what was begun; the supervisor ends its services and the broker."""
    supervisor.terminate()
    try:
        supervisor.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        supervisor.kill()


def _start_supervisor(
    home: Path, broker: BrokerKind | None, clock: ClockKind, ports: list[str], *, fresh: bool
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stack.supervisor", "--home", str(home)]
    command += ["--clock", clock.value]
    command += ["--broker", broker.value] if broker else []
    command += [word for port in ports for word in ("--port", port)]
    command += ["--fresh"] if fresh else []
    with (home / "supervisor.log").open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C at this terminal must not end the background processes.
            start_new_session=True,
        )


def _until_ready(
    home: Path, supervisor: subprocess.Popen[bytes], logs: Logs, timeout: float
) -> Running:
    """The stack once every service is ready. Raises ``Mistake`` with each service's own error."""
    began = time.monotonic()
    tell_at = began + SLOW_SECONDS
    with Console(stderr=True).status("starting the broker and all services"):
        while True:
            if supervisor.poll() is not None:
                raise Mistake(last_words(home / "supervisor.log"))
            running = read_running(home)
            if running is not None and (stopped := _stopped(running)):
                raise Mistake(*stopped)
            slow = _slow(logs, running) if running else ["the broker: no answer"]
            if running is not None and not slow:
                return running
            now = time.monotonic()
            if now - began > timeout:
                raise Mistake(f"not ready after {timeout:g} s, so all services are ended:", *slow)
            if now > tell_at:
                tell_at = now + SLOW_SECONDS
                for line in slow:
                    say(f"after {now - began:.0f} s not ready: {line}", err=True)
            time.sleep(0.1)


def _slow(logs: Logs, running: Running) -> list[str]:
    """A line for each reason why services are not ready: their answer, and the last error."""
    by_reason: dict[str, list[str]] = {}
    for each in running.workers:
        if why := _unready(each):
            error = logs.last_error(each.service)
            reason = f"{why}; its last error: {error}" if error else why
            by_reason.setdefault(reason, []).append(each.service)
    return [f"{', '.join(services)}: {reason}" for reason, services in by_reason.items()]


def _stopped(running: Running) -> list[str]:
    """A line for each service that stopped and needs a person to correct the cause."""
    return [f"{each.service} stopped: {each.stopped}" for each in running.workers if each.stopped]


#: Pages for ops on this machine are plain HTTP: no certificate is read, and connections are kept.
_ops = httpx.Client(verify=False, timeout=5)


def _page(ops: str, path: str) -> httpx.Response | None:
    """A page for ops, whatever its status; ``None`` if the worker does not answer."""
    try:
        return _ops.get(f"{ops}/{path}")
    except httpx.HTTPError:
        return None


@mistakes()
def down() -> None:
    """End all services and a broker that `up` started; topics and state stay."""
    home = home_folder()
    running = read_running(home)
    if running is None:
        raise Mistake(f"nothing runs from {home}")
    os.kill(running.supervisor_pid, signal.SIGTERM)
    ends = time.monotonic() + END_SECONDS
    while time.monotonic() < ends:
        if not is_alive(running.supervisor_pid):
            say("all services ended")
            return
        time.sleep(0.1)
    raise Mistake(f"not ended after {END_SECONDS:g} s: process {running.supervisor_pid}")


@mistakes()
def status(as_json: AsJson = False) -> None:
    """Show what runs, its addresses, and the state of each partition."""
    home = home_folder()
    running = read_running(home)
    if running is None:
        raise Mistake(f"nothing runs from {home}: start it with jointbuy up")
    told = {worker.service: _status(worker) for worker in running.workers}
    partitions = {service: each if isinstance(each, list) else [] for service, each in told.items()}
    if as_json:
        pages = {worker.service: worker.web for worker in running.workers if worker.web}
        ops = {worker.service: worker.ops for worker in running.workers}
        said = {"pages": pages, "ops": ops, "partitions": partitions, "status": told}
        print_json({**running.model_dump(), **said})
        return
    say(f"{running.broker} at {running.bootstrap_servers}, clock: {running.clock}, home: {home}")
    say(f"the home page: {_home_page(running)}")
    unready = {each.service: _unready(each) for each in running.workers}
    made = table("service", "pid", "restarts", "public", "ops", "ready", "clock", "keys waiting")
    for worker in running.workers:
        mine = partitions[worker.service]
        ready = sum(bool(each["ready"]) for each in mine)
        clocks = [each["now_ms"] for each in mine]
        made.add_row(
            worker.service,
            str(worker.pid or ("stopped" if worker.stopped else "restarting")),
            str(worker.restarts),
            worker.web or "",
            worker.ops,
            _readiness(worker, mine, ready, unready[worker.service]),
            _when(min(clocks)) if clocks else "",
            str(sum(each["keys_waiting"] for each in mine)),
        )
    print_table(made)
    for line in _stopped(running):
        say(f"{line}; it is tried again every minute")
    for worker in running.workers:
        if not worker.stopped and (why := unready[worker.service]):
            say(f"{worker.service}: {why}")
    for line in left_outside([each for mine in partitions.values() for each in mine]):
        say(line)


def _readiness(worker: RunningWorker, mine: list[dict[str, Any]], ready: int, unready: str) -> str:
    if worker.web is not None:
        return "no" if unready else "yes"
    return f"{ready} of {len(mine)}" if mine else "no answer"


def _unready(worker: RunningWorker) -> str:
    """The text of ``/readyz`` if a worker is not ready; empty if it is."""
    answer = _page(worker.ops, "readyz")
    if answer is None:
        return "no answer"
    return "" if answer.is_success else answer.text.strip()


def _when(milliseconds: int) -> str:
    if not milliseconds:
        return "not begun"
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(milliseconds / 1000))


def _status(worker: RunningWorker) -> Any:
    """The worker's ``/status``: a list of its partitions; ``None`` while it does not answer."""
    answer = _page(worker.ops, "status")
    return answer.json() if answer is not None and answer.is_success else None


@mistakes()
def wait(
    idle: Annotated[
        bool, typer.Option("--idle", help="Until everything is read and handled.")
    ] = True,
    timeout: Annotated[float, typer.Option(help="Seconds.")] = 600.0,
) -> None:
    """Wait until every consumer group has read its topics and handled everything due.

    Calls to a server that is down, such as letters to a mail server, may still wait. They are
    listed with their number, and the exit code is 0.
    """
    home = home_folder()
    ends = time.monotonic() + timeout
    standing = Standing()
    with Console(stderr=True).status("waiting until all is handled"):
        while time.monotonic() < ends:
            running = read_running(home)
            if running is None:
                raise Mistake(f"nothing runs from {home}: start it with jointbuy up")
            partitions = _all_partitions(running)
            if standing.look(partitions):
                break
            time.sleep(LOOK_SECONDS)
        else:
            raise Mistake(f"not idle after {timeout:.0f} s: see jointbuy lag and jointbuy status")
    for line in left_outside(partitions or []):
        say(line)


def _all_partitions(running: Running) -> list[dict[str, Any]] | None:
    """The partitions of every service; ``None`` while one does not answer."""
    # A process with a public address answers requests and has no partitions.
    told = [_status(each) for each in running.workers if each.web is None]
    return [each for mine in told for each in mine] if all(told) else None


@mistakes()
def replay(context: typer.Context) -> None:
    """Feed recorded shop data; see `jointbuy replay --help`."""
    settings = settings_here()
    env = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "KAFKA_TRANSACTIONS": str(settings.kafka_transactions),
        "TOPIC_PREFIX": settings.topic_prefix,
        "PARTITIONS": str(settings.partitions),
    }
    os.execvpe(sys.executable, [sys.executable, "-m", "replay", *context.args], env)
