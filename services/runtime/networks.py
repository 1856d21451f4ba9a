"""By what a client is counted."""

from ipaddress import IPv6Address, ip_address

UNKNOWN_NETWORK = "unknown"


def network_of(address: str) -> str:
    """An address of IPv4, or the /64 of one of IPv6, as one machine has all of that.

    What is not an address is returned as it is. Requests whose address can't be seen are one
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
