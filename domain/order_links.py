"""Where members order: a shop's template of an address, with ids of a group and a product. Pure.

Pages and letters fill the same template, so both lead to the same place.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote

from domain.web_addresses import WebAddressError, WebReason, host_of, in_ascii

#: What a template has where the ids go.
GROUP_ID: Final = "{group_id}"
PRODUCT_ID: Final = "{product_id}"


def order_link(text: str) -> str:
    """A template of links in ASCII, with ``{group_id}`` and, if it needs it, ``{product_id}``.

    Raises ``WebAddressError``. Links are encrypted, but to this machine.
    """
    bare = text.strip()
    if re.search("[{}]", bare.replace(GROUP_ID, "").replace(PRODUCT_ID, "")):
        raise WebAddressError(WebReason.OTHER_BRACES)
    if "{" in bare.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]:
        raise WebAddressError(WebReason.BRACES_IN_HOST)
    found = in_ascii(bare, "{}")
    if GROUP_ID not in found:
        raise WebAddressError(WebReason.NO_GROUP)
    if not found.startswith("https://") and not _is_here(host_of(found)):
        raise WebAddressError(WebReason.NOT_ENCRYPTED)
    return found


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def filled(template: str, group_id: str, product_id: str | None) -> str | None:
    """The link of a group's product, the ids percent-encoded.

    ``None`` if the template asks for a product's id and there is none.
    """
    if product_id is None and PRODUCT_ID in template:
        return None
    # By pieces, so that an id with braces in it stays as it is.
    pieces = re.split("({group_id}|{product_id})", template)
    ids = {GROUP_ID: quote(group_id, safe=""), PRODUCT_ID: quote(product_id or "", safe="")}
    return "".join(ids.get(each, each) for each in pieces)
