"""The network that a client is counted by."""

from ipaddress import IPv6Address, ip_address

UNKNOWN_NETWORK = "unknown"


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address, as one machine has a whole /64.

    A text that is not an address is returned unchanged. Requests without an address count as one
    client.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address or UNKNOWN_NETWORK
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return ":".join(found.exploded.split(":")[:4])
    return str(found)
