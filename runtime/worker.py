"""A worker process: a Faust app whose services are the hosts of a service's processors.

Faust brings the worker, its signals and life cycle, and the web endpoints. Its own consumer,
producer, conductor and tables stay off: see ARCHITECTURE.md.
"""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import faust
import mode
import structlog
from aiokafka.errors import KafkaError
from faust.app.base import BootStrategy
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_settings import BaseSettings

from runtime import acls, logs, traces
from runtime.admin import create_topics, needed_by
from runtime.broker_watch import BrokerWatch, Outage
from runtime.caller import Caller
from runtime.command_line import command_line, refuse_to_start
from runtime.host import Host
from runtime.lasting_errors import LastingError, lasting
from runtime.loop_delay import measure
from runtime.ports import free_port
from runtime.private_files import keep_files_private, private_folder
from runtime.processor import Processor
from runtime.security import access_of
from runtime.settings import Settings, read_settings
from runtime.topic_plan import worker_rights
from runtime.trace_settings import TraceSettings

_log = structlog.get_logger()


class _HostsOnly(BootStrategy):  # type: ignore[misc]  # faust is not typed here
    """Starts the web server and our services, and nothing of Faust's own streams."""

    def server(self) -> Iterable[Any]:
        return [*self.sensors(), *self.web_server()]


class _App(faust.App):  # type: ignore[misc]  # faust is not typed here
    BootStrategy = _HostsOnly
    starts: "_Start"

    async def _wait_for_table_recovery_completed(self) -> bool:
        return False

    def _create_directories(self) -> None:
        """Faust's own tables are not used, so neither are their folders."""


class _Worker(faust.Worker):  # type: ignore[misc]  # faust is not typed here
    def __init__(self, app: faust.App, *services: Any, **options: Any) -> None:
        # Standard output stays as it is, whatever the command line of Faust asks for.
        super().__init__(app, *services, **{**options, "redirect_stdouts": False})
        self.spinner = None

    def execute_from_commandline(self) -> None:
        """Run until a signal, or an error that needs a person."""
        start: _Start = self.app.starts
        start.before(self.app.conf.web_port)
        try:
            super().execute_from_commandline()
        finally:
            start.watch.exit_if_failed()

    def _setup_logging(self) -> None:
        """Leave the logging of ``logs.set_up`` as it is."""

    async def _sentinel_task(self) -> None:
        """Add nothing to a stop: mode would sleep a second here, when all has ended."""


def build(
    processors: tuple[Processor, ...],
    settings: Settings,
    callers: Mapping[str, Caller] | None = None,
) -> tuple[faust.App, BrokerWatch]:
    """The app of a service and its watch; ``callers`` make the outside calls of its processors."""
    service = processors[0].service
    app = _App(
        f"{settings.topic_prefix}{service}",
        # Faust would prefer WEB_HOST, WEB_PORT and other variables to the values here. The public
        # address of a container would then serve the pages for ops.
        env_prefix="FAUST_OF_JOINTBUY",
        broker=f"kafka://{settings.kafka_bootstrap_servers}",
        web_host=settings.ops_host,
        web_bind=settings.ops_host,
        web_port=settings.ops_port or free_port(),
        web_cors_options={},
        worker_redirect_stdouts=False,
        topic_disable_leader=True,
        Worker=_Worker,
        autodiscover=False,
    )
    _note_needs(settings, processors)
    watch = BrokerWatch(settings, needed_by(settings, processors))
    hosts = [Host(processor, settings, watch, processors, callers) for processor in processors]
    _add_watch(app, watch)
    for host in hosts:
        _add_service(app, host, watch)
    _add_pages(app, hosts, watch)
    return app, watch


def _note_needs(settings: Settings, processors: tuple[Processor, ...]) -> None:
    of_topics = [r for r in worker_rights(settings, processors).rights if r.kind == "topic"]
    acls.note_needs(
        (each.name for each in of_topics if each.operation == "Read"),
        (each.name for each in of_topics if each.operation == "Write"),
    )


def _add_watch(app: faust.App, watch: BrokerWatch) -> None:
    @app.service
    class WatchService(mode.Service):  # type: ignore[misc]
        """Watches the broker, and ends the worker on a lasting error."""

        async def on_start(self) -> None:
            self._tasks = [
                asyncio.create_task(each) for each in (watch.run(), measure(), self._end())
            ]

        async def _end(self) -> None:
            await watch.failed()
            # The frame ends in order on a signal; after a crash it would log tracebacks.
            os.kill(os.getpid(), signal.SIGTERM)

        async def on_stop(self) -> None:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)


def _add_service(app: faust.App, host: Host, watch: BrokerWatch) -> None:
    @app.service
    class HostService(mode.Service):  # type: ignore[misc]
        """Runs the host for as long as the app runs."""

        async def on_start(self) -> None:
            self._task = asyncio.create_task(host.run())
            self._task.add_done_callback(self._ended)

        def _ended(self, task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                watch.give_up(error)

        async def on_stop(self) -> None:
            host.stop()
            await asyncio.wait({self._task}, timeout=30)


def _add_pages(app: faust.App, hosts: list[Host], watch: BrokerWatch) -> None:
    @app.page("/livez")  # type: ignore[untyped-decorator]
    async def livez(web: Any, request: Any) -> Any:
        """The event loop turns."""
        return web.text("ok\n")

    @app.page("/readyz")  # type: ignore[untyped-decorator]
    async def readyz(web: Any, request: Any) -> Any:
        """The broker answers, every host is in its group, and its partitions are restored.

        Servers that calls wait for are named.
        """
        if why := watch.unready():
            return web.text(f"{why}\n", status=503)
        waiting = [host.processor.group_id for host in hosts if not host.ready]
        if waiting:
            return web.text(f"not ready: {', '.join(waiting)}\n", status=503)
        notes = [note for host in hosts for note in host.servers.notes()]
        return web.text("\n".join(["ok", *notes, ""]))

    @app.page("/status")  # type: ignore[untyped-decorator]
    async def status(web: Any, request: Any) -> Any:
        """How each partition stands, as JSON."""
        return web.json([each for host in hosts for each in host.status()])

    @app.page("/metrics")  # type: ignore[untyped-decorator]
    async def metrics(web: Any, request: Any) -> Any:
        """Prometheus text."""
        return web.bytes(generate_latest(), content_type=CONTENT_TYPE_LATEST.split(";")[0])


async def _create_topics(settings: Settings, processors: tuple[Processor, ...]) -> None:
    """Topics must be there, with the right partitions, before a consumer group looks at them.

    Raises ``LastingError``.
    """
    outage = Outage(settings.kafka_bootstrap_servers)
    while True:
        try:
            made = await create_topics(settings, processors, needed_by(settings, processors))
        except (KafkaError, OSError) as error:
            if (failure := lasting(error)) is not None:
                raise failure from error
            outage.away(error, time.monotonic(), access_of(settings).why)
            await asyncio.sleep(1)
        else:
            outage.back(time.monotonic())
            if made:
                _log.info("topics are created", made=made)
            return


@dataclass(frozen=True)
class WorkerProcess:
    """The process of a service: ``python -m services.<service>``, or ``faust -A … worker``.

    ``callers`` makes what its processors call for, once; ``--help`` lists ``more_settings``.
    ``as_set`` makes the processors anew with the settings of the environment.
    """

    processors: tuple[Processor, ...]
    summary: str
    callers: Callable[[], Mapping[str, Caller]] = dict
    more_settings: type[BaseSettings] | None = None
    as_set: Callable[[], tuple[Processor, ...]] | None = None

    @property
    def service(self) -> str:
        """The service's name."""
        return self.processors[0].service

    def main(self) -> None:
        """The command line."""
        more = (self.more_settings,) if self.more_settings is not None else ()
        summary = _summary(self.processors, self.summary)

        def run() -> None:
            worker = _Worker(self.app(), loop=asyncio.new_event_loop())
            worker.execute_from_commandline()

        command_line(run, self.service, summary, Settings, TraceSettings, *more)

    def app(self) -> faust.App:
        """The app, with the settings of the environment; ends the process if it can't start."""
        keep_files_private()
        try:
            settings = read_settings(Settings)
            logs.set_up(settings, self.service)
            traces.set_up(self.service)
            private_folder(settings.state_dir)
            called = self.callers()
            processors = self.as_set() if self.as_set is not None else self.processors
        except (OSError, ValueError) as error:
            refuse_to_start(self.service, error)
        app, watch = build(processors, settings, called)
        app.starts = _Start(processors, settings, watch)
        return app


@dataclass(frozen=True)
class _Start:
    """What a worker does before its app runs, and at its end."""

    processors: tuple[Processor, ...]
    settings: Settings
    watch: BrokerWatch

    def before(self, web_port: int) -> None:
        """Make the topics."""
        address = f"http://{self.settings.ops_host}:{web_port}"
        _log.info("worker starts", ops=address, clock=self.settings.clock)
        # What is loaded by now lives as long as the process, and cached rows make no cycles: the
        # collector need not look at them every few hundred objects.
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        try:
            asyncio.run(_create_topics(self.settings, self.processors))
        except LastingError as error:
            self.watch.give_up(error)
            self.watch.exit_if_failed()


def _summary(processors: tuple[Processor, ...], summary: str) -> str:
    lines = [summary, ""]
    for processor in processors:
        reads = ", ".join(topic.name for topic in (*processor.inputs, *processor.reads_whole))
        writes = ", ".join(topic.name for topic in processor.outputs)
        lines += [f"{processor.group_id}: {reads} -> {writes}", ""]
    return "\n".join(lines).rstrip()
