"""Whether a text is an address that a letter can go to, and how SMTP writes that address. Pure.

Pages, the API, the terminal and letters use the same rule. So each accepted address can get a
letter, and each address that can get a letter is accepted.

- The local part is atoms and dots (RFC 5322, 3.2.3) or a quoted string. Atoms with dots at an
  end or side by side are quoted for SMTP: Japanese carriers gave out ``a..b@`` and
  ``a.@`` until 2009 (EC-CUBE#1325; mikel/mail#1124, which takes them too).
- A local part with characters outside ASCII needs a mail server with SMTPUTF8 (RFC 6531).
- A domain is written in ASCII: IDNA 2008 after the mapping of UTS 46. It has a dot, or is
  ``localhost``. An IP address in place of a domain is refused.
- Wide ASCII characters, as Japanese keyboards write them, are read as the narrow ones.
"""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import idna

LOCAL_MAX, DOMAIN_MAX, ADDRESS_MAX = 64, 253, 254


class AddressReason(StrEnum):
    """Why a text is not an e-mail address."""

    MISSING = "missing"
    NO_AT = "no_at"
    SEVERAL = "several"
    NAMED = "named"
    COMMENT = "comment"
    HIDDEN = "hidden"
    LOCAL = "local"
    BLANK = "blank"
    DOMAIN = "domain"
    NO_DOT = "no_dot"
    IP = "ip"
    LONG = "long"


_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-"
_DOT_ATOM = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*")
_DOTS_AND_ATOMS = re.compile(rf"[.{_ATEXT}]+")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])+)"')
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_COMMON = re.compile(
    r"(?=.{1,254}\Z)(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60}"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)
_NAMED = re.compile(r"(?:mailto:\s*|[^<>@]*<)\s*([^<>\s]+)\s*>?", re.IGNORECASE)
_IP = re.compile(r"\[.*\]?|[0-9.]*\.?[0-9]+")
#: Mistakes that no other explains.
_PLAIN = frozenset(
    {AddressReason.MISSING, AddressReason.NO_AT, AddressReason.HIDDEN, AddressReason.LONG}
)
#: Characters that pasting and Japanese keyboards leave around an address, without line ends.
_EDGES = " \t\u00a0\u3000\u200b\u2060\ufeff"
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_DOTS = {ord(each): "." for each in "\u3002\uff61"}


class AddressError(ValueError):
    """An address that no letter can go to, and why.

    ``meant`` is the intended address if it is certain, such as the one between ``<`` and ``>``.
    """

    def __init__(self, reason: AddressReason, meant: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.meant = meant


class Mailbox(NamedTuple):
    """An address, as it was written (``ann@bücher.example``) and as SMTP writes it."""

    written: str
    wire: str


def mailbox(text: str | None) -> Mailbox:
    """The address that a text is. Raises ``AddressError``.

    ``written`` keeps the letters of the text, without blanks around it and without wide
    characters. ``wire`` has the domain in ASCII and lower case, and quotes only where they are
    needed; it is all ASCII unless the local part needs SMTPUTF8.
    """
    if text is not None and _COMMON.fullmatch(text):
        return Mailbox(text, text)
    text = tidy(text or "")
    try:
        return _read(text)
    except AddressError as error:
        raise _explained(text, error) from None


def usable(email: str | None) -> str:
    """The address as SMTP writes it, see ``mailbox``. Raises ``AddressError``."""
    return mailbox(email).wire


def tidy(text: str) -> str:
    """A text without the blanks around it, wide ASCII characters as narrow ones."""
    if not text.isascii():
        text = text.translate(_NARROW)
    return text.strip(_EDGES)


@lru_cache(maxsize=4096)
def ascii_domain(domain: str) -> str:
    """A domain as mail writes it, in lower case. Raises ``AddressError``."""
    if _IP.fullmatch(domain):
        raise AddressError(AddressReason.IP)
    if not domain.isascii() and len(domain) <= DOMAIN_MAX:
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise AddressError(AddressReason.DOMAIN) from None
    if len(domain) > DOMAIN_MAX:
        raise AddressError(AddressReason.LONG)
    domain = domain.lower()
    labels = domain.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        raise AddressError(AddressReason.DOMAIN)
    if labels[-1].isdigit():
        raise AddressError(AddressReason.IP)
    if len(labels) == 1 and domain != "localhost":
        raise AddressError(AddressReason.NO_DOT)
    return domain


def _read(text: str) -> Mailbox:
    if not text:
        raise AddressError(AddressReason.MISSING)
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError(AddressReason.NO_AT)
    domain = domain.translate(_DOTS).removesuffix(".")
    wire = f"{_local(local)}@{ascii_domain(domain)}"
    if len(wire.encode()) > ADDRESS_MAX:
        raise AddressError(AddressReason.LONG)
    return Mailbox(f"{local}@{domain}", wire)


def _local(local: str) -> str:
    """The local part as SMTP writes it. Raises ``AddressError``."""
    if any(unicodedata.category(each)[0] in "CZ" and each != " " for each in local):
        raise AddressError(AddressReason.HIDDEN)
    local = bare = unicodedata.normalize("NFC", local)
    form = _QUOTED if (quoted := _QUOTED.fullmatch(local)) else _DOTS_AND_ATOMS
    if quoted:
        bare = re.sub(r"\\(.)", r"\1", quoted[1])
    # The canonical address turns a character like U+FE6B, which looks like an @, into an @.
    if not (form.fullmatch(local) and form.fullmatch(unicodedata.normalize("NFKC", local))):
        raise AddressError(AddressReason.LOCAL)
    local = bare
    if not _DOT_ATOM.fullmatch(bare):
        local = '"' + re.sub(r'(["\\])', r"\\\1", bare) + '"'
    if "=?" in local:
        # It is a valid atom, but programs decode it and would then write to another address.
        raise AddressError(AddressReason.LOCAL)
    if len(local.encode()) > LOCAL_MAX:
        raise AddressError(AddressReason.LONG)
    return local


def _explained(text: str, error: AddressError) -> AddressError:
    """The error of a text with an @, by the usual typing mistakes."""
    if error.reason in _PLAIN:
        return error
    if (named := _NAMED.fullmatch(text)) and (meant := _meant(named[1])):
        return AddressError(AddressReason.NAMED, meant)
    unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    if re.search(r"[,;\u3001]", unquoted) or unquoted.count("@") > 1:
        return AddressError(AddressReason.SEVERAL)
    if re.search(r"[()]", unquoted):
        return AddressError(AddressReason.COMMENT)
    if (meant := _meant("".join(text.split()))) and re.search(r"\s@|@\s", text):
        return AddressError(AddressReason.BLANK, meant)
    return error


def _meant(text: str) -> str | None:
    try:
        return _read(text).written
    except AddressError:
        return None
