"""The canonical address of a mailbox, the same for all its spellings, for counting and comparing.

Letters go to the address as it was written, never to the canonical one. Two mailboxes must never
get one canonical address. So a provider has a special rule here only if its help pages document it:

- Gmail ignores dots; googlemail.com is gmail.com.
- Proton ignores dots, hyphens and underscores; its four domains name one mailbox.
- iCloud delivers me.com and mac.com to the icloud.com mailbox of that name.
- Yandex treats a dot like a hyphen; its domains name one mailbox.
- Yahoo's disposable addresses are ``base-keyword``. The base is not an account's name, so all of
  them become ``base-``, which is nobody's own address. Accounts' names hold no hyphen.
- Fastmail delivers ``anything@me.fastmail.com`` to ``me@fastmail.com``.
"""

import re
import unicodedata
from collections.abc import Callable

import idna

from domain.mailboxes import tidy

#: A provider's other domains, by its canonical domain.
_SAME_PROVIDER = {
    "gmail.com": ("googlemail.com",),
    "icloud.com": ("me.com", "mac.com"),
    "proton.me": ("protonmail.com", "protonmail.ch", "pm.me"),
    "yandex.ru": ("ya.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua"),
}
_DOMAINS = {other: domain for domain, others in _SAME_PROVIDER.items() for other in others}
_FASTMAIL = re.compile(r"(?P<user>[^.]+)\.(?P<domain>fastmail\.(?:com|fm))")
_YAHOO = re.compile(r"(?:(?:yahoo|ymail|rocketmail)\.com|yahoo\.(?:[a-z]{2}|com?\.[a-z]{2}))")
#: A local part without quotes; outside ASCII all characters are allowed (RFC 6531).
_ATOM = re.compile(r"[^\s\x00-\x1f\x7f()<>\[\]:;@\\,\"]+")
_DOMAIN = re.compile(r"[^\s\x00-\x1f\x7f@]+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)

_LOCAL_PARTS: dict[str, Callable[[str], str]] = {
    "gmail.com": lambda local: local.replace(".", ""),
    "proton.me": lambda local: re.sub("[._-]", "", local),
    "yandex.ru": lambda local: local.replace(".", "-"),
}


def canonical(email: str) -> str:
    """The canonical address of a mailbox.

    It never fails: a text that is not an address is returned stripped and in lower case. A
    canonical address is returned unchanged.
    """
    text = _folded(tidy(email)).strip()
    local, at, domain = text.rpartition("@")
    local, domain = _unquoted(local.strip()), _domain(domain.strip())
    if not (at and local and domain):
        return text
    if subdomain := _FASTMAIL.fullmatch(domain):
        return f"{_without_tag(subdomain['user'])}@{subdomain['domain']}"
    return f"{_local(local, domain)}@{domain}"


def _local(local: str, domain: str) -> str:
    if local.startswith('"'):
        return local
    local = _without_tag(local)
    if _YAHOO.fullmatch(domain):
        base, hyphen, _ = local.partition("-")
        return f"{base}{hyphen}" if base else local
    # Without this, all local parts of dots only would become one empty local part.
    return _LOCAL_PARTS.get(domain, str)(local) or local


def _without_tag(local: str) -> str:
    """The local part without its plus and all after it, unless it begins with the plus."""
    return local.partition("+")[0] or local


def _unquoted(local: str) -> str:
    """The local part without unneeded quotes; empty if the text is not a local part."""
    if _ATOM.fullmatch(local):
        return local
    if not _QUOTED.fullmatch(local):
        return ""
    bare = re.sub(r"\\(.)", r"\1", local[1:-1], flags=re.DOTALL)
    if _ATOM.fullmatch(bare):
        return bare
    return '"' + re.sub(r'(["\\])', r"\\\1", bare) + '"'


def _domain(domain: str) -> str:
    """The domain in ASCII and lower case, as in the DNS; empty if the text is not a domain."""
    domain = domain.replace("\u3002", ".").rstrip(".")
    if not _DOMAIN.fullmatch(domain):
        return ""
    if not domain.isascii() or "xn--" in domain:
        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return domain
    return _DOMAINS.get(domain, domain)


def _folded(text: str) -> str:
    """The text in lower case and in Unicode form NFKC, however wide or composed it was typed."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
