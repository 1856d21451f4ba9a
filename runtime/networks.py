"""The network that a client is counted by."""

import re
from ipaddress import IPv6Address, ip_address

UNKNOWN_NETWORK = "unknown"
#: As some proxies write it into X-Forwarded-For.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+")


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address, as one machine has a whole /64.

    A port is left out, as each connection has another one. A text that is not an address is
    returned unchanged. Requests without an address count as one client.
    """
    with_port = _WITH_PORT.fullmatch(address)
    host = (with_port[1] or with_port[2] or "") if with_port else address
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return address or UNKNOWN_NETWORK
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return ":".join(found.exploded.split(":")[:4])
    return str(found)
