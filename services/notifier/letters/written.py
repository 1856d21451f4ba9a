"""Puts a letter together: encoded and folded headers, and below them ASCII in short lines.

Its parts are encoded already. The standard library's message and generator would give the same
bytes, but in three times the time.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, zip_longest

from services.notifier.rules.headers import proper

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Letter:
    """The bytes of a letter, its one recipient's address, and its ``Message-ID``."""

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


class TextForm:
    """A text with blanks, of a subtype of ``text``; ``escape`` is applied to their values.

    ``begin`` is what every blank begins with: one search finds the lines without a blank. They are
    nearly all, and are encoded once for all letters.
    """

    def __init__(
        self,
        subtype: str,
        text: str,
        blanks: Sequence[str],
        escape: Callable[[str], str] = str,
        begin: str = "",
    ) -> None:
        self._content_type = f'text/{subtype}; charset="utf-8"'
        self._escape = escape
        self._open: list[str] = []
        # What stands before each open line and after the last one, with the ends of the lines.
        self._raw: list[str] = []
        self._quoted: list[str] = []
        raw: list[str] = []
        quoted: list[str] = []
        for number, line in enumerate(text.split("\n")):
            if number:
                raw.append("\n")
                quoted.append("\r\n")
            if begin in line and any(blank in line for blank in blanks):
                self._open.append(line)
                self._raw.append("".join(raw))
                self._quoted.append("".join(quoted))
                raw, quoted = [], []
            else:
                raw.append(line)
                quoted.append(_quoted_again(line))
        self._raw.append("".join(raw))
        self._quoted.append("".join(quoted))

    def part(self, values: Mapping[str, str]) -> str:
        """The part with the values of the blanks, in the shorter of the two encodings."""
        filled = self._open
        for blank, value in values.items():
            escaped = self._escape(value)
            filled = [line.replace(blank, escaped) for line in filled]
        raw = _woven(self._raw, filled).encode()
        encoding, encoded = "quoted-printable", _woven(self._quoted, map(_quoted, filled))
        if len(encoded) - encoded.count("\r") >= len(raw) * 4 // 3:
            encoding, encoded = "base64", in_base64(raw)
        headers = (
            ("Content-Type", self._content_type),
            ("Content-Transfer-Encoding", encoding),
        )
        return part(headers, encoded)


def in_base64(content: bytes) -> str:
    """In lines of 76 characters, the last ended too."""
    return base64.encodebytes(content).decode("ascii").replace("\n", "\r\n")


def _woven(fixed: Sequence[str], filled: Iterable[str]) -> str:
    return "".join(chain.from_iterable(zip_longest(fixed, filled, fillvalue="")))


def _quoted(line: str) -> str:
    """A line as quoted-printable, on as many lines as that takes."""
    quoted = binascii.b2a_qp(line.replace("\r", "").encode(), istext=True)
    return quoted.decode("ascii").replace("\n", "\r\n")


#: Most lines are in every letter, whatever it is about.
_quoted_again = lru_cache(maxsize=4096)(_quoted)
