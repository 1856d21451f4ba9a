"""What is wrong with a sender's DNS records: MX, SPF, DKIM, DMARC.

RFC 7208 is SPF, RFC 6376 is DKIM, RFC 7489 is DMARC. Includes of SPF are not followed.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Final

from domain.findings import Finding

#: Terms of SPF that make the receiver ask DNS; RFC 7208, 4.6.4 allows ten.
_ASKS: Final = re.compile(r"[+?~-]?(include|a|mx|ptr|exists)([:/].*)?|redirect=.*", re.I)
_ASKS_MAX: Final = 10
_KEY_BITS_MIN: Final = 1024
_POLICIES: Final = ("none", "quarantine", "reject")


def mx(domain: str, servers: Sequence[tuple[int, str]], *, has_address: bool) -> Finding:
    """Whether replies and bounces reach the sender: ``servers`` are (preference, host)."""
    subject = f"MX of {domain}"
    hosts = [host.rstrip(".") for _, host in sorted(servers)]
    if hosts == [""]:
        remedy = "Give it an MX record, or send from an address that takes replies and bounces."
        return Finding("mail", subject, "fail", "it takes no mail (null MX)", remedy)
    if hosts:
        return Finding("mail", subject, "ok", ", ".join(filter(None, hosts)))
    if has_address:
        remedy = "Add an MX record: without one, mail goes to the host of the web pages."
        return Finding("mail", subject, "warn", "none, only an address", remedy)
    remedy = "Add an MX record: many servers refuse mail from a domain that takes none."
    return Finding("mail", subject, "fail", "none, and no address", remedy)


def spf(domain: str, texts: Sequence[str]) -> Finding:
    """Whether the domain says which servers send its mail; ``texts`` are its TXT records."""
    subject = f"SPF of {domain}"
    records = [each for each in texts if re.fullmatch(r"v=spf1( .*)?", each, re.I)]
    if not records:
        remedy = "Add a TXT record such as `v=spf1 include:YOUR-MAIL-SERVICE ~all`."
        return Finding("mail", subject, "fail", "no record", remedy)
    if len(records) > 1:
        said = f"{len(records)} records, so receivers take none of them"
        return Finding("mail", subject, "fail", said, "Merge them into one TXT record.")
    record = records[0]
    terms = record.split()[1:]
    asks = sum(_ASKS.fullmatch(each) is not None for each in terms)
    if asks > _ASKS_MAX:
        said = f"{asks} terms ask DNS; more than {_ASKS_MAX} are an error"
        return Finding("mail", subject, "fail", said, "Replace some by ip4: or ip6: terms.")
    if any(each.lower() in {"all", "+all"} for each in terms):
        remedy = "End it with ~all or -all."
        return Finding("mail", subject, "fail", f"lets everybody send: {record}", remedy)
    ends = any(re.fullmatch(r"[~-]all|redirect=.+", each, re.I) for each in terms)
    if not ends:
        said = f"says nothing about other servers: {record}"
        return Finding("mail", subject, "warn", said, "End it with ~all or -all.")
    return Finding("mail", subject, "ok", record)


def dkim(name: str, texts: Sequence[str], modulus: int) -> Finding:
    """Whether the DNS has the public part of our key; ``name`` is SELECTOR._domainkey.DOMAIN.

    ``modulus`` is that of the private RSA key.
    """
    subject = f"DKIM key {name}"
    publish = "Publish the public part of DKIM_KEY_FILE there as a TXT record."
    if not texts:
        return Finding("mail", subject, "fail", "no record", publish)
    if len(texts) > 1:
        said = f"{len(texts)} records, so receivers may take any of them"
        return Finding("mail", subject, "fail", said, "Leave the one of DKIM_KEY_FILE.")
    tags = _tags(texts[0])
    problem = _of_key(tags, modulus)
    if problem:
        return Finding("mail", subject, "fail", problem, publish)
    if "y" in tags.get("t", "").split(":"):
        said = "is said to be a test (t=y), so receivers may ignore signatures"
        return Finding("mail", subject, "warn", said, "Remove t=y.")
    return Finding("mail", subject, "ok", f"is that of DKIM_KEY_FILE, {modulus.bit_length()} bits")


def _of_key(tags: Mapping[str, str], modulus: int) -> str:
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return "is not a DKIM record"
    if tags.get("k", "rsa").lower() != "rsa":
        return f"is of another kind (k={tags['k']}); DKIM_KEY_FILE is RSA"
    if "h" in tags and "sha256" not in tags["h"].lower().split(":"):
        return f"does not allow SHA-256 (h={tags['h']})"
    return _of_public_key(re.sub(r"\s", "", tags["p"]), modulus)


def _of_public_key(text: str, modulus: int) -> str:
    if not text:
        return "is revoked (p= is empty)"
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        return "has a p= that is not Base64"
    # Of all numbers in the key, the modulus is the one that tells keys apart.
    if modulus.to_bytes((modulus.bit_length() + 7) // 8) not in key:
        return "is another key than DKIM_KEY_FILE, so receivers take our signatures for forged"
    return ""


def dmarc(asked: Sequence[tuple[str, Sequence[str]]], dkim_domain: str = "") -> Finding:
    """Whether receivers know what to do with forged mail.

    ``asked`` has the TXT records of ``_dmarc`` for the sender's domain and then for each domain
    above it; the first record counts. ``dkim_domain`` signs letters, if any does.
    """
    domain = asked[0][0]
    subject = f"DMARC of {domain}"
    for place, texts in asked:
        records = [each for each in texts if re.match(r"v=DMARC1\s*(;|$)", each)]
        if len(records) > 1:
            said = f"{len(records)} records at _dmarc.{place}, so receivers take none of them"
            return Finding("mail", subject, "fail", said, "Leave one.")
        if records:
            return _of_policy(subject, domain, place, records[0], dkim_domain)
    remedy = f"Add a TXT record at _dmarc.{domain}, such as `v=DMARC1; p=none; rua=mailto:…`."
    return Finding("mail", subject, "fail", "no record; large providers require one", remedy)


def _of_policy(subject: str, domain: str, place: str, record: str, dkim_domain: str) -> Finding:
    tags = _tags(record)
    # A domain above may have another policy for the domains below it.
    policy = tags.get("p", "none")
    if place != domain:
        policy = tags.get("sp", policy)
    if policy.lower() not in _POLICIES:
        remedy = "Write p=none, p=quarantine or p=reject."
        return Finding("mail", subject, "fail", f"no such policy: {record}", remedy)
    if dkim_domain and not _aligned(domain, dkim_domain, is_strict=tags.get("adkim") == "s"):
        said = f"DKIM_DOMAIN {dkim_domain} is not the sender's, so signatures do not count for it"
        return Finding("mail", subject, "fail", said, f"Set DKIM_DOMAIN to {domain}.")
    if policy.lower() == "none":
        said = f"p=none at _dmarc.{place}: forged mail is delivered as yours is"
        remedy = "Read the reports, then set p=quarantine or p=reject."
        return Finding("mail", subject, "warn", said, remedy)
    return Finding("mail", subject, "ok", f"{policy} at _dmarc.{place}")


def _aligned(domain: str, signs: str, *, is_strict: bool) -> bool:
    """Whether a signature of a domain counts for another; public suffixes are not looked up."""
    one, other = domain.lower(), signs.lower()
    if one == other or is_strict:
        return one == other
    return one.endswith(f".{other}") or other.endswith(f".{one}")


def _tags(record: str) -> dict[str, str]:
    """``{"v": "DKIM1", "p": "…"}``; the first of each name."""
    found: dict[str, str] = {}
    for each in record.split(";"):
        name, _, value = each.partition("=")
        found.setdefault(name.strip(), value.strip())
    return found


def places_of(domain: str) -> list[str]:
    """Where a policy for a domain may be: there, and in the domains above it but the last."""
    labels = domain.split(".")
    return [".".join(labels[at:]) for at in range(max(len(labels) - 1, 1))]
