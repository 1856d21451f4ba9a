"""The web server of a process: a public address with limits, and one for ops beside it."""

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

from services.runtime.crowd import Crowd
from services.runtime.limiting import LimitedConfig
from services.runtime.listening import WebSettings
from services.runtime.pages import ops_pages
from services.runtime.settings import Settings

BACKLOG = 4_096
#: Between two turns of the event loop, so that many who come do not hold up those who are there.
ACCEPTED_AT_ONCE = 64
#: What a client that has gone without a word, or reads nothing, is given until it is cut off.
SILENCE_SECONDS = 60
#: Other requests in hand get this long when the process is to end.
GRACE_SECONDS = 10
#: Files and connections of our own: to Kafka, to a database, of ops.
FILES_OF_OURS = 300
OPS_CONNECTIONS = 100
_log = structlog.get_logger()


class Server(uvicorn.Server):
    """Serves a public address, and what ops ask beside it from before its start to its end."""

    def __init__(
        self, config: uvicorn.Config, leave: Callable[[], None], beside: "OpsServer | None"
    ) -> None:
        super().__init__(config)
        self._leave = leave
        self._beside = beside
        self._task: asyncio.Task[None] | None = None
        self.is_serving = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; what is there by then stays, so the garbage collector need not look through it.

        Each of its looks at all there is would make everybody wait for 30 to 100 ms.
        """
        if self._beside is not None:
            self._task = asyncio.create_task(self._beside.serve(self._beside.sockets))
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(BACKLOG)
        gc.collect()
        gc.freeze()
        self.is_serving = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; it says that it leaves before it waits for connections: streams never end."""
        self.is_serving = False
        self._leave()
        await super().shutdown(sockets)
        if self._beside is not None and self._task is not None:
            self._beside.should_exit = True
            await asyncio.wait({self._task}, timeout=GRACE_SECONDS)


class OpsServer(uvicorn.Server):
    """Runs in the event loop of another, whose signals end it."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self.sockets = [listener]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: they are the other server's."""
        yield


def serve(
    app: FastAPI,
    web: WebSettings,
    settings: Settings,
    *,
    status: Callable[[], Awaitable[Any]],
    unready: Callable[[], Awaitable[str]],
    leave: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT; ``leave`` is to end all streams.

    ``status`` and ``unready`` are for the pages of ops, which listen on ``OPS_HOST`` alone.
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
        app,
        web,
        crowd,
        host=web.web_host,
        port=web.web_port,
        backlog=ACCEPTED_AT_ONCE,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server: Server

    async def not_ready() -> str:
        return await unready() if server.is_serving else "not ready: it starts or ends"

    ops = ops_server(ops_pages(status, not_ready), settings)
    server = Server(config, leave, ops)
    listener = _listener(config)
    _log.info(
        "serves", public=_address(listener), ops=_address(ops.sockets[0]), connections=connections
    )
    server.run(sockets=[listener])


def serve_ops(app: FastAPI, settings: Settings) -> None:
    """Serve the pages of ops alone, where nothing is public, until SIGTERM or SIGINT."""
    beside = ops_server(app, settings)
    _log.info("serves", ops=_address(beside.sockets[0]))
    Server(beside.config, lambda: None, None).run(sockets=beside.sockets)


def ops_server(app: FastAPI, settings: Settings) -> OpsServer:
    """A server of these pages at ``OPS_HOST`` and ``OPS_PORT``, which listens already."""
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
    return OpsServer(config, _listener(config))


def _listener(config: uvicorn.Config) -> socket.socket:
    listener = config.bind_socket()
    # Connections have it from the socket that they come through.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1_000)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _raise_file_limit() -> int:
    """As many open files as this process may have; returns how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
