"""Headers as they are written, so that nothing that people typed can become one of its own.

``email``'s own way of setting headers parses each value and folds it anew, which takes milliseconds
a letter and has a history of losing the quotes of a display name. Here a value is encoded and
folded once, with as little syntax as can be: names are words of ASCII or encoded words (RFC 2047).
"""

import re
from base64 import b64encode
from hashlib import sha256

from domain.unverified import LEFT_OUT, without_links

#: C0, C1, marks and overrides of direction, separators of lines, half surrogates.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+"
)
_WORDS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+( [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
_PLAIN = re.compile(r"[!-~]+( [!-~]+)*")
_MESSAGE_ID_LEFT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_IMPROPER = re.compile(r"[^\t -~\r\n]|\r(?!\n)|(?<!\r)\n|\r\n(?![ \t]+[!-~])")
#: An address whose local part needs SMTPUTF8 is written in UTF-8 (RFC 6532); nothing else is.
_WITH_UTF8 = frozenset({"To"})
LINE_MAX = 76
#: With these the first word, after the longest name of a header that has words, fits its line.
WORD_BYTES_MAX = 39
NAME_MAX = 200
#: Of an id in a letter, in characters.
ID_MAX = 64


def proper(name: str, value: str) -> str:
    """The value, if it is folded ASCII; else a mistake of ours. Raises ``ValueError``.

    ``To`` may hold an address in UTF-8.
    """
    if value.isascii() and value.isprintable():
        return value
    told = value
    if name in _WITH_UTF8:
        told = "".join("x" if not each.isascii() and each.isprintable() else each for each in value)
    if _IMPROPER.search(told):
        raise ValueError(f"the header {name} is not written properly")
    return value


def clean(text: str, longest: int) -> str:
    """A text on one line, without what can't be seen, and not longer than that."""
    seen = _UNSEEN.sub(" ", text).strip()
    return seen if len(seen) <= longest else f"{seen[: longest - 1].rstrip()}…"


def unverified(text: str) -> str:
    """A text of others on one line, without links; empty if nothing else is left."""
    said = without_links(clean(text, NAME_MAX))
    return said if said.strip(f"{LEFT_OUT} ") else ""


def text_value(header: str, text: str) -> str:
    """A cleaned text as the value of an unstructured header such as ``Subject``."""
    if _fits(header, text) and _PLAIN.fullmatch(text) and "=?" not in text:
        return text
    return _encoded(text)


def mailbox_value(header: str, name: str, address: str) -> str:
    """A display name and an address as the value of a header such as ``To``."""
    seen = clean(name, NAME_MAX)
    if not seen:
        return address if _fits(header, address) else f"\r\n {address}"
    phrase = seen if _fits(header, seen) and _WORDS.fullmatch(seen) else _encoded(seen)
    between = " " if _fits(header, f"{phrase} <{address}>") else "\r\n "
    return f"{phrase}{between}<{address}>"


def message_id(notice_id: str, domain: str) -> str:
    """The ``Message-ID`` of a notice's letter, the same at each attempt."""
    left = notice_id if _MESSAGE_ID_LEFT.fullmatch(notice_id) else digest(notice_id)
    return f"<{left}@{domain}>"


def thread_id(about: str, domain: str) -> str:
    """What letters about one group or auction answer to, so that they are shown together."""
    return f"<{digest(about)}@{domain}>"


def digest(text: str) -> str:
    """32 hexadecimal characters that stand for an id of any characters."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _fits(header: str, value: str) -> bool:
    return len(header) + 2 + len(value) <= LINE_MAX


def _encoded(text: str) -> str:
    """Encoded words of at most 75 characters, a line each; no character is cut in two."""
    words, word = [], b""
    for character in text:
        more = character.encode()
        if len(word) + len(more) > WORD_BYTES_MAX:
            words.append(word)
            word = b""
        word += more
    words.append(word)
    return "\r\n ".join(f"=?utf-8?b?{b64encode(each).decode()}?=" for each in words)
