"""How our own refunds are known again when a shop tells of them: by a mark in their note."""

import re

#: The meta field of a refund or coupon in WooCommerce.
META_KEY = "jointbuy_payment"
_MARK = re.compile(r"\[jointbuy:([0-9A-Za-z-]{1,80})\]")


def mark(key: str) -> str:
    """What stands in the note of the refund under this key."""
    return f"[jointbuy:{key}]"


def noted(note: object) -> str | None:
    """The key in a note; None where there is none, as in what people refund."""
    found = _MARK.search(note) if isinstance(note, str) else None
    return found.group(1) if found else None
