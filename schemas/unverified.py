"""What a letter may repeat of words that nobody has checked: nothing that can be followed. Pure.

A stranger can have a letter of ours sent to anybody, with a name and, as a seller, a product of the
stranger's choice in it. So a letter never repeats what mail programs make links of.
"""

import re
import unicodedata

NAME_MAX = 60
#: Stands for a word that was left out.
LEFT_OUT = "…"

#: The dot of a host's name, and the wide one of Japanese keyboards.
_DOT = "[.\uff0e]"
_LINK = re.compile(
    r"://|www[.\uff0e]"
    r"|\b(?:mailto|tel|sms|callto|facetime|skype|whatsapp|javascript|data):"
    r"|.[@\uff20]."
    # evil.example: letters behind a dot, as no list of top-level domains stays complete.
    rf"|\w{_DOT}(?:[^\W\d_]{{2,}}|xn--[\w-]+)(?!\w)"
    r"|[a-z0-9][\u3002\uff61][a-z]{2,}"
    r"|\d{1,3}(?:\.\d{1,3}){3}[:/]",
    re.IGNORECASE,
)
_WORD = re.compile(r"\S+")
#: As long as a telephone number, which telephones make a link of.
_TELEPHONE = re.compile(r"\d(?:[\s().-]*\d){6,}")
_SLASHES = frozenset("/\\\uff0f\u2044\u2215\u29f8")
#: Signs that change how others are shown; joiners are part of how some languages are written.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")


def greetable(name: str | None) -> str | None:
    """A person's name if a letter may repeat it, else ``None``: no name is better than a trick.

    Left out is what holds a web or mail address, a slash, a telephone number or characters that
    can't be seen, and what has more than 60 characters.
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
    """Whether mail programs might make a link of something in it."""
    return without_links(text) != text


def without_links(text: str) -> str:
    """A text, such as a product's name, with ``…`` for each word that might become a link."""
    bare = _bare(text)
    said = _WORD.sub(lambda word: LEFT_OUT if _LINK.search(word[0]) else word[0], bare)
    # Where nothing is left out, nothing is changed.
    return text if said == bare else said


def _bare(text: str) -> str:
    """Without characters that can't be seen, which could keep a link from being found."""
    return "".join(
        each for each in text if each.isspace() or unicodedata.category(each) not in _HIDDEN
    )


def _is_hidden(text: str) -> bool:
    return any(unicodedata.category(each) in _HIDDEN and each not in _JOINERS for each in text)
