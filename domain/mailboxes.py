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
from functools import lru_cache
from typing import Literal, NamedTuple

import idna

LOCAL_MAX, DOMAIN_MAX, ADDRESS_MAX = 64, 253, 254

Reason = Literal[
    "missing", "no_at", "several", "named", "comment", "hidden", "local", "blank", "domain",
    "no_dot", "ip", "long",
]  # fmt: skip

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
#: Characters that pasting and Japanese keyboards leave around an address, without line ends.
_EDGES = " \t\u00a0\u3000\u200b\u2060\ufeff"
_NARROW = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_DOTS = {ord(each): "." for each in "\u3002\uff61"}


class AddressError(ValueError):
    """An address that no letter can go to; the text says why and never repeats the address.

    ``reason`` names the kind of mistake. ``meant`` is the intended address if it is
    certain, such as the one between ``<`` and ``>``.
    """

    def __init__(self, reason: Reason, text: str, meant: str | None = None) -> None:
        super().__init__(text)
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
        raise AddressError("ip", "after the @ is an IP address: give a domain name")
    if not domain.isascii() and len(domain) <= DOMAIN_MAX:
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            told = "the domain after the @ has characters that are not allowed"
            raise AddressError("domain", told) from None
    if len(domain) > DOMAIN_MAX:
        raise AddressError("long", f"the domain has more than {DOMAIN_MAX} characters")
    domain = domain.lower()
    labels = domain.split(".")
    if not all(map(_LABEL.fullmatch, labels)):
        raise AddressError(
            "domain", "the part after the @ is not a domain: write it like ada@example.com"
        )
    if labels[-1].isdigit():
        raise AddressError("ip", "after the @ is a number: give a domain name")
    if len(labels) == 1 and domain != "localhost":
        told = "the domain after the @ has no dot: write it in full, like ada@example.com"
        raise AddressError("no_dot", told)
    return domain


def _read(text: str) -> Mailbox:
    if not text:
        raise AddressError("missing", "there is no address: give one such as ada@example.com")
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("no_at", "the address has no @: write it like ada@example.com")
    domain = domain.translate(_DOTS).removesuffix(".")
    wire = f"{_local(local)}@{ascii_domain(domain)}"
    if len(wire.encode()) > ADDRESS_MAX:
        raise AddressError("long", f"the address has more than {ADDRESS_MAX} characters")
    return Mailbox(f"{local}@{domain}", wire)


def _local(local: str) -> str:
    """The local part as SMTP writes it. Raises ``AddressError``."""
    if any(unicodedata.category(each)[0] in "CZ" and each != " " for each in local):
        raise AddressError("hidden", "the address has a line end or an invisible character")
    local = bare = unicodedata.normalize("NFC", local)
    form = _QUOTED if (quoted := _QUOTED.fullmatch(local)) else _DOTS_AND_ATOMS
    if quoted:
        bare = re.sub(r"\\(.)", r"\1", quoted[1])
    # The canonical address turns a character like U+FE6B, which looks like an @, into an @.
    if not (form.fullmatch(local) and form.fullmatch(unicodedata.normalize("NFKC", local))):
        told = "before the @ is a character that is not allowed: write it like"
        raise AddressError("local", f"{told} ada@example.com")
    local = bare
    if not _DOT_ATOM.fullmatch(bare):
        local = '"' + re.sub(r'(["\\])', r"\\\1", bare) + '"'
    if "=?" in local:
        # It is a valid atom, but programs decode it and would then write to another address.
        raise AddressError("local", "before the @ is an encoded word: write the address itself")
    if len(local.encode()) > LOCAL_MAX:
        raise AddressError("long", f"before the @ are more than {LOCAL_MAX} characters")
    return local


def _explained(text: str, error: AddressError) -> AddressError:
    """The error of a text with an @, by the usual typing mistakes."""
    if error.reason in ("missing", "no_at", "hidden", "long"):
        return error
    if (named := _NAMED.fullmatch(text)) and (meant := _meant(named[1])):
        return AddressError("named", "give the address alone, without a name, < or >", meant)
    unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    if re.search(r"[,;\u3001]", unquoted) or unquoted.count("@") > 1:
        return AddressError("several", "this is more than one address, or it has two @: give one")
    if re.search(r"[()]", unquoted):
        return AddressError("comment", "the address has a comment in parentheses: leave it out")
    if (meant := _meant("".join(text.split()))) and re.search(r"\s@|@\s", text):
        return AddressError("blank", "the address has a blank next to the @: leave it out", meant)
    return error


def _meant(text: str) -> str | None:
    try:
        return _read(text).written
    except AddressError:
        return None
