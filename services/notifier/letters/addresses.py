"""Addresses that a letter can go to: one mailbox each, in ASCII, as SMTP wants it."""

import re
from functools import lru_cache

import idna

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\[ -~])+)"')
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
LOCAL_MAX, DOMAIN_MAX, ADDRESS_MAX = 64, 253, 254


class AddressError(ValueError):
    """An address that no letter can go to; the text says what is wrong with it."""


def usable(email: str | None) -> str:
    """The address as SMTP takes it: the local part quoted only if it must be, the domain in ASCII.

    Raises ``AddressError`` with what is wrong. Who has an address without ``@`` gets no letter
    rather than someone else.
    """
    if not email:
        raise AddressError("there is no address")
    local, at, domain = email.strip(" ").rpartition("@")
    if not at:
        raise AddressError("the address has no @")
    address = f"{_local(local)}@{ascii_domain(domain)}"
    if len(address) > ADDRESS_MAX:
        raise AddressError(f"the address has more than {ADDRESS_MAX} characters")
    return address


def _local(local: str) -> str:
    quoted = _QUOTED.fullmatch(local)
    if quoted:
        content = re.sub(r"\\(.)", r"\1", quoted[1])
        local = content
        if not _DOT_ATOM.fullmatch(content):
            local = '"' + re.sub(r'(["\\])', r"\\\1", content) + '"'
    elif not local.isascii():
        raise AddressError("what is before the @ has characters other than ASCII")
    elif not _DOT_ATOM.fullmatch(local):
        raise AddressError("what is before the @ is not that of an address")
    if "=?" in local:
        # Atoms by the letter, but programs decode it, and would answer to someone else.
        raise AddressError("what is before the @ is an encoded word")
    if len(local) > LOCAL_MAX:
        raise AddressError(f"what is before the @ has more than {LOCAL_MAX} characters")
    return local


@lru_cache(maxsize=4096)
def ascii_domain(domain: str) -> str:
    """A domain as mail writes it. Raises ``AddressError`` with what is wrong when it is none."""
    if len(domain) > DOMAIN_MAX:
        raise AddressError(f"the domain has more than {DOMAIN_MAX} characters")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise AddressError("the domain has characters that no domain has") from None
    labels = domain.split(".")
    if len(domain) > DOMAIN_MAX or not all(map(_LABEL.fullmatch, labels)):
        raise AddressError("what is after the @ is not a domain")
    if labels[-1].isdigit():
        raise AddressError("what is after the @ is a number, not a domain")
    return domain
