"""The web server of a process: a public address with limits, and another address for ops."""

import asyncio
import contextlib
import gc
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from runtime.broker_watch import BrokerWatch
from runtime.connections import Crowd
from runtime.http_limits import LimitedConfig
from runtime.loop_delay import measure
from runtime.pages import ops_pages
from runtime.settings import Settings
from runtime.traced_app import traced
from runtime.traces import tracing
from runtime.web_settings import WebSettings

BACKLOG = 4_096
#: New connections per turn of the event loop, so that a crowd does not delay open connections.
ACCEPTED_AT_ONCE = 64
#: A client that does not acknowledge, or reads nothing, is cut off after this long.
SILENCE_SECONDS = 60
#: When the process ends, requests in progress get this long.
GRACE_SECONDS = 10
#: Open files kept free for our own connections: Kafka, a database, ops.
FILES_OF_OURS = 300
OPS_CONNECTIONS = 100
_log = structlog.get_logger()


class Server(uvicorn.Server):
    """Serves a public address; the pages for ops start before it and stop after it."""

    def __init__(
        self,
        config: uvicorn.Config,
        watch: BrokerWatch,
        leave: Callable[[], None],
        beside: "OpsServer | None",
    ) -> None:
        super().__init__(config)
        self._watch = watch
        self._leave = leave
        self._beside = beside
        self._task: asyncio.Task[None] | None = None
        self._watching: list[asyncio.Task[None]] = []
        self.is_serving = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and exempt all objects that exist by then from garbage collection.

        A full collection over them would delay all requests by 30 to 100 ms. The broker's
        watch runs beside the server and ends it on a lasting error.
        """
        if self._beside is not None:
            self._task = asyncio.create_task(self._beside.serve(self._beside.sockets))
        ends = (self._watch.run(), measure(), self._end_when_it_fails())
        self._watching = [asyncio.create_task(each) for each in ends]
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)
        gc.collect()
        gc.freeze()
        self.is_serving = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all streams, then wait for connections: streams never end by themselves."""
        self.is_serving = False
        self._leave()
        await super().shutdown(sockets)
        if (makes := tracing()) is not None:
            # uvicorn ends the process by the signal that it got, without Python's own end.
            await asyncio.to_thread(makes.end)
        for task in self._watching:
            task.cancel()
        if self._beside is not None and self._task is not None:
            self._beside.should_exit = True
            await asyncio.wait({self._task}, timeout=GRACE_SECONDS)

    async def _end_when_it_fails(self) -> None:
        await self._watch.failed()
        self.should_exit = True


class OpsServer(uvicorn.Server):
    """Runs in another server's event loop; that server stops it on a signal."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self.sockets = [listener]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals: the other server does."""
        yield


def serve(
    app: FastAPI,
    web: WebSettings,
    settings: Settings,
    watch: BrokerWatch,
    *,
    status: Callable[[], Awaitable[Any]],
    unready: Callable[[], Awaitable[str]],
    leave: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, or until ``watch`` fails; ``leave`` ends all streams.

    ``status`` and ``unready`` are for the pages for ops, which listen on ``OPS_HOST`` only.
    """
    files = _raise_file_limit()
    connections = min(web.connections, max(files - FILES_OF_OURS, 1))
    if connections < web.connections:
        _log.warning(
            "fewer connections than CONNECTIONS says: raise the limit of open files (ulimit -n)",
            connections=connections,
            files=files,
        )
    crowd = Crowd("public", connections, web.connections_of_one, web.body_bytes_in_hand)
    config = LimitedConfig(
        traced(app),
        web,
        crowd,
        host=web.web_host,
        port=web.web_port,
        backlog=ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server: Server

    async def not_ready() -> str:
        if not server.is_serving:
            return "not ready: the process is starting or ending"
        return watch.unready() or await unready()

    ops = ops_server(ops_pages(status, not_ready), settings)
    server = Server(config, watch, leave, ops)
    listener = listener_of(config)
    _log.info(
        "serves", public=_address(listener), ops=_address(ops.sockets[0]), connections=connections
    )
    server.run(sockets=[listener])
    watch.exit_if_failed()


def serve_ops(app: FastAPI, settings: Settings, watch: BrokerWatch) -> None:
    """Serve only the pages for ops, of a process without public pages, until it ends."""
    beside = ops_server(app, settings)
    _log.info("serves", ops=_address(beside.sockets[0]))
    Server(beside.config, watch, lambda: None, None).run(sockets=beside.sockets)
    watch.exit_if_failed()


def ops_server(app: FastAPI, settings: Settings) -> OpsServer:
    """A server of the pages for ops at ``OPS_HOST`` and ``OPS_PORT``; its socket is open."""
    limits = WebSettings.model_construct()
    crowd = Crowd("ops", OPS_CONNECTIONS, None, limits.body_bytes_in_hand)
    config = LimitedConfig(
        app,
        limits,
        crowd,
        host=settings.ops_host,
        port=settings.ops_port,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return OpsServer(config, listener_of(config))


def listener_of(config: uvicorn.Config) -> socket.socket:
    """The socket that a server of this configuration listens on, bound."""
    listener = config.bind_socket()
    # Accepted connections inherit both options from the listening socket. asyncio itself sets the
    # second only on sockets that it made: without it an answer's body waits 40 ms for the client
    # to acknowledge its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1_000)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _raise_file_limit() -> int:
    """Raise the limit of open files to the most this process may have; returns it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
