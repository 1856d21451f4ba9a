"""Removes links from the texts of strangers before a letter repeats them. Pure.

A stranger can have a letter of ours sent to anybody, with any name and, as a seller, any product
name in it. So a letter never repeats a text that a mail program turns into a link.
"""

import re
import unicodedata

NAME_MAX = 60
#: Replaces a word that was left out.
LEFT_OUT = "…"

#: The dot of a host's name, and the wide one of Japanese keyboards.
_DOT = "[.\uff0e]"
_LINK = re.compile(
    r"://|www[.\uff0e]"
    r"|\b(?:mailto|tel|sms|callto|facetime|skype|whatsapp|javascript|data):"
    r"|.[@\uff20]."
    # evil.example: letters after a dot count, as no list of top-level domains stays complete.
    rf"|\w{_DOT}(?:[^\W\d_]{{2,}}|xn--[\w-]+)(?!\w)"
    r"|[a-z0-9][\u3002\uff61][a-z]{2,}"
    r"|\d{1,3}(?:\.\d{1,3}){3}[:/]",
    re.IGNORECASE,
)
_WORD = re.compile(r"\S+")
#: Digits of a telephone number's length, as telephones turn these into a link.
_TELEPHONE = re.compile(r"\d(?:[\s().-]*\d){6,}")
_SLASHES = frozenset("/\\\uff0f\u2044\u2215\u29f8")
#: Categories of invisible characters; joiners are allowed, as some languages are written with them.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")


def greetable(name: str | None) -> str | None:
    """A person's name if a letter may greet by it, else ``None``.

    It must not have a web or mail address, a slash, a telephone number, invisible characters or
    more than 60 characters.
    """
    if name is None or _is_hidden(name):
        return None
    seen = name.strip()
    if not seen or len(seen) > NAME_MAX or has_link(seen) or _TELEPHONE.search(seen):
        return None
    if "@" in seen or "\uff20" in seen or not _SLASHES.isdisjoint(seen):
        return None
    return seen


def has_link(text: str) -> bool:
    """Whether mail programs might turn a part of the text into a link."""
    return without_links(text) != text


def without_links(text: str) -> str:
    """A text, such as a product's name, with ``…`` for each word that might become a link."""
    bare = _bare(text)
    said = _WORD.sub(lambda word: LEFT_OUT if _LINK.search(word[0]) else word[0], bare)
    # A text without a link is returned unchanged, with its invisible characters.
    return text if said == bare else said


def _bare(text: str) -> str:
    """The text without invisible characters, which could hide a link from the pattern."""
    return "".join(
        each for each in text if each.isspace() or unicodedata.category(each) not in HIDDEN
    )


def _is_hidden(text: str) -> bool:
    return any(unicodedata.category(each) in HIDDEN and each not in _JOINERS for each in text)
