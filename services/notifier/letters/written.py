"""A letter put together: headers that are encoded and folded, and below them ASCII in short lines.

All that goes in is written already, so nothing is looked at twice: the standard library's message
and generator would give the same bytes in three times the time.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, zip_longest

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


class TextForm:
    """A text with blanks, of a subtype of ``text``; ``escape`` is done to what fills them.

    The lines without a blank, which are nearly all, are encoded once for all letters.
    """

    def __init__(
        self, subtype: str, text: str, blanks: Sequence[str], escape: Callable[[str], str] = str
    ) -> None:
        self._content_type = f'text/{subtype}; charset="utf-8"'
        self._escape = escape
        # The runs of lines between the open ones, the ends of the lines around them included.
        self._open: list[str] = []
        self._raw, self._quoted = [""], [""]
        for number, line in enumerate(text.split("\n")):
            if number:
                self._raw[-1] += "\n"
                self._quoted[-1] += "\r\n"
            if any(blank in line for blank in blanks):
                self._open.append(line)
                self._raw.append("")
                self._quoted.append("")
            else:
                self._raw[-1] += line
                self._quoted[-1] += _quoted_again(line)

    def part(self, values: Mapping[str, str]) -> str:
        """The part with what goes into the blanks.

        In the encoding that takes less room, both of which are ASCII in short lines.
        """
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
