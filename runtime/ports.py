"""Free ports of this machine."""

import contextlib
import os
import random
import re
import socket
from collections import deque
from collections.abc import Iterator


class PortError(OSError):
    """The port asked for is taken, or JOINTBUY_PORTS is no range of ports."""


#: Ports that were given to some who may not listen on them yet.
_GIVEN: deque[int] = deque(maxlen=1_000)


def _range() -> range:
    text = os.environ.get("JOINTBUY_PORTS") or "20000-32000"
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    if found is None or not 0 < int(found[1]) < int(found[2]) <= 65_536:
        raise PortError(f"JOINTBUY_PORTS: {text!r} is not allowed: give a range like 20000-32000")
    return range(int(found[1]), int(found[2]))


def _drawn(ports: range) -> Iterator[int]:
    """Ports at random: first a few, as nearly always one of them is free, then thousands."""
    yield from random.choices(ports, k=5)
    yield from random.sample(ports, min(len(ports), 3_000))


def free_port(asked: int | None = None) -> int:
    """A port of 127.0.0.1 that nothing listens on: the one asked for, else any not given lately.

    ``JOINTBUY_PORTS``, as ``20000-32000``, says from where; who else starts things on this machine
    at the same time can be given another range.
    Raises PortError when the one asked for is taken.
    """
    # Below the range of outgoing connections, so that none slips in before the broker binds.
    ports = _range()
    # Of a small range half must be left to draw from.
    while len(_GIVEN) > len(ports) // 2:
        _GIVEN.popleft()
    anywhere = (each for each in _drawn(ports) if each not in _GIVEN)
    for port in [asked] if asked else anywhere:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                _GIVEN.append(port)
                return port
    if asked is None:
        raise PortError(f"no port of {ports.start}-{ports.stop} is free: set JOINTBUY_PORTS")
    raise PortError(f"port {asked} is taken: stop what listens there, or use another port")
