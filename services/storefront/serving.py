"""The web server of a process: room for thousands of open pages, and an end that waits for none."""

import gc
import resource
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

BACKLOG = 4_096
#: What a client that has gone without a word, or reads nothing, is given until it is cut off.
SILENCE_SECONDS = 60
#: Other requests in hand get this long when the process is to end.
GRACE_SECONDS = 10


class Server(uvicorn.Server):
    """Says that it leaves before it waits for connections to end: streams would never."""

    def __init__(self, config: uvicorn.Config, leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._leave = leave

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin; what is there by then stays, so the garbage collector need not look through it.

        Each of its looks at all there is would make everybody wait for 30 to 100 ms.
        """
        await super().startup(sockets)
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._leave()
        await super().shutdown(sockets)


def serve(app: FastAPI, host: str, port: int, leave: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``leave`` is to end all streams."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        # Whose X-Forwarded-For is believed is said by PROXIES, and nowhere else.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    listener = config.bind_socket()
    # Connections have it from the socket that they come through.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_SECONDS * 1_000)
    Server(config, leave).run(sockets=[listener])
