"""A letter put together: headers that are encoded and folded, and below them ASCII in short lines.

All that goes in is written already, so nothing is looked at twice: the standard library's message
and generator would give the same bytes in three times the time.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.notifier.letters.headers import proper

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Letter:
    """The bytes of a letter, the one address it goes to, and the ``Message-ID`` it has."""

    content: bytes
    recipient: str
    message_id: str

    def __bytes__(self) -> bytes:
        return self.content


def part(headers: Headers, below: str) -> str:
    """Headers over a body; raises ``ValueError`` for a header that is not written properly."""
    head = "".join([f"{name}: {proper(name, value)}\r\n" for name, value in headers])
    return f"{head}\r\n{below}"


def multipart(kind: str, boundary: str, headers: Headers, parts: Sequence[str]) -> str:
    """Parts below headers. The boundary must not occur in a part."""
    content_type = f'multipart/{kind};\r\n boundary="{boundary}"'
    between = "".join([f"--{boundary}\r\n{each}\r\n" for each in parts])
    return part([*headers, ("Content-Type", content_type)], f"{between}--{boundary}--\r\n")


def text_part(subtype: str, text: str) -> str:
    """In the encoding that takes less room, both of which are ASCII in short lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    encoding, encoded = "quoted-printable", "\r\n".join(map(_quoted, text.split("\n")))
    raw = text.encode()
    if len(encoded) - encoded.count("\r") >= len(raw) * 4 // 3:
        encoding, encoded = "base64", in_base64(raw)
    headers = (
        ("Content-Type", f'text/{subtype}; charset="utf-8"'),
        ("Content-Transfer-Encoding", encoding),
    )
    return part(headers, encoded)


def in_base64(content: bytes) -> str:
    """In lines of 76 characters, the last ended too."""
    return base64.encodebytes(content).decode("ascii").replace("\n", "\r\n")


@lru_cache(maxsize=4096)
def _quoted(line: str) -> str:
    """A line as quoted-printable, on as many lines as that takes; most are in many letters."""
    return binascii.b2a_qp(line.encode(), istext=True).decode("ascii").replace("\n", "\r\n")
