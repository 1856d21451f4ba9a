"""The ports of a stack, the same at every start.

Links in letters, organizers' links and shops' webhook addresses contain a port. So a stack keeps
its ports in a file of its home folder, and a port that is taken is an error.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from runtime.ports import PortError, free_port

FILE: Final = "ports.json"
PORT_MAX: Final = 65_535
#: Most taken ports that an error names.
NAMED_MAX: Final = 3
#: Public pages first, then the broker, then the pages for ops. All are below the range from which
#: systems take ports for outgoing connections.
DEFAULTS: Final[Mapping[str, int]] = {
    "storefront": 8080,
    "shop_bridge.webhooks": 8081,
    "payment_service.webhooks": 8082,
    "broker": 19092,
    "broker.controller": 19093,
    "request_service.ops": 19101,
    "order_service.ops": 19102,
    "favor_service.ops": 19103,
    "payment_service.ops": 19104,
    "auction_service.ops": 19105,
    "notifier.ops": 19106,
    "storefront.projector.ops": 19107,
    "storefront.ops": 19108,
    "shop_bridge.ops": 19109,
    "shop_bridge.webhooks.ops": 19110,
    "payment_service.webhooks.ops": 19111,
}


def typed_ports(texts: Iterable[str]) -> dict[str, int]:
    """Typed ports: ``storefront=8180``. Raises ``PortError``."""
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        is_port = re.fullmatch(r"[1-9][0-9]{0,4}", number) and int(number) <= PORT_MAX
        if name not in DEFAULTS or not is_port:
            names = ", ".join(DEFAULTS)
            raise PortError(f"{text!r} is not NAME=PORT, such as storefront=8180; names: {names}")
        found[name] = int(number)
    return found


def ports_of(home: Path, names: Iterable[str], asked: Mapping[str, int]) -> dict[str, int]:
    """The port of each name: the one asked for, else the home's, else the default. All are kept.

    With ``JOINTBUY_PORTS``, free ports of that range take the place of those that are taken or not
    kept yet. Raises ``PortError`` in one line that names each port that is taken.
    """
    file = home / FILE
    kept = {**_read(file), **asked}
    anywhere = bool(os.environ.get("JOINTBUY_PORTS"))
    ports, taken = {}, []
    for name in names:
        port = kept.get(name) or (None if anywhere else DEFAULTS[name])
        try:
            ports[name] = free_port(port)
        except PortError:
            if anywhere and name not in asked:
                ports[name] = free_port()
            else:
                taken.append(name)
                ports[name] = port or 0
    for name, port in ports.items():
        if others := [each for each in ports if ports[each] == port and each != name]:
            raise PortError(
                f"port {port} is for {name} and {others[0]}: give one another port by --port"
            )
    if taken:
        raise PortError(_taken(taken, ports))
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps({**kept, **ports}, indent=2) + "\n")
    draft.replace(file)
    return ports


def _taken(names: list[str], ports: Mapping[str, int]) -> str:
    said = [f"{ports[name]} ({name})" for name in names[:NAMED_MAX]]
    if more := len(names) - len(said):
        said.append(f"{more} more")
    which = f"port {said[0]} is" if len(said) == 1 else f"ports {', '.join(said)} are"
    return (
        f"{which} taken: end the process that listens there, give another port by --port"
        f" {names[0]}=PORT, or set JOINTBUY_PORTS=20000-32000 to take free ones"
    )


def _read(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text())
        return {str(name): int(port) for name, port in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError):
        raise PortError(f"{file} is not readable as ports: delete it") from None
