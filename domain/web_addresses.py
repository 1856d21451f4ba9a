"""Addresses on the web that people give us. Pure.

Pages and letters link only to addresses that passed ``web_address``: they have one meaning to every
browser, and none hides its host behind a user name.
"""

import re
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, urlsplit

import idna

ADDRESS_MAX: Final = 2_000
#: Characters of a URL (RFC 3986) that are left as they are; ``%`` begins what is encoded already.
_KEPT: Final = "!#$%&'()*+,/:;=?@[]~-._"
_BLANK = re.compile(r"[\s\x00-\x20\x7f-\xa0]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_HOST_MAX = 253


class WebReason(StrEnum):
    """Why a text is not an address that we link to, or not an order link."""

    NOT_AN_ADDRESS = "not-an-address"
    HAS_USER = "has-user"
    TOO_LONG = "too-long"
    NOT_ENCRYPTED = "not-encrypted"
    NO_GROUP = "no-group"
    OTHER_BRACES = "other-braces"
    BRACES_IN_HOST = "braces-in-host"


class WebAddressError(ValueError):
    """A text that is not an address that we link to, and why."""

    def __init__(self, reason: WebReason) -> None:
        super().__init__(reason)
        self.reason = reason


def web_address(text: str) -> str:
    """The address in ASCII, as browsers send it. Raises ``WebAddressError``.

    It begins with http:// or https://, and has a host but no user name.
    """
    return in_ascii(text)


def in_ascii(text: str, also: str = "") -> str:
    """The same, with some characters of a template left as they are behind the host."""
    bare = text.strip()
    wrong = WebAddressError(WebReason.NOT_AN_ADDRESS)
    if _BLANK.search(bare) or "\\" in bare.partition("?")[0]:
        # Browsers read a backslash as a slash, so the host would be another one than ours.
        raise wrong
    try:
        parts = urlsplit(bare)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise wrong
    if "@" in parts.netloc:
        raise WebAddressError(WebReason.HAS_USER)
    place = _host(host) + ("" if port is None else f":{port}")
    rest = quote(bare.partition("://")[2][len(parts.netloc) :], safe=_KEPT + also)
    found = f"{parts.scheme}://{place}{rest}"
    if len(found) > ADDRESS_MAX:
        raise WebAddressError(WebReason.TOO_LONG)
    return found


def _host(host: str) -> str:
    if ":" in host:
        try:
            return f"[{ip_address(host)}]"
        except ValueError:
            raise WebAddressError(WebReason.NOT_AN_ADDRESS) from None
    try:
        found = host.lower() if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        found = ""
    labels = found.removesuffix(".").split(".")
    if len(found) > _HOST_MAX or not all(_LABEL.fullmatch(each) for each in labels):
        raise WebAddressError(WebReason.NOT_AN_ADDRESS)
    return found


def host_of(address: str) -> str:
    """The host of an address that passed ``web_address``, or of an order link."""
    return (urlsplit(address).hostname or "").removesuffix(".")


def is_same_site(host: str, other: str) -> bool:
    """Whether one of the hosts is the other or below it; ``www.`` makes no difference."""
    one, two = (each.removeprefix("www.") for each in (host, other))
    return one == two or one.endswith(f".{two}") or two.endswith(f".{one}")
