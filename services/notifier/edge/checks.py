"""What the doctor asks about mail and the links in letters: SMTP, DNS, and the pages."""

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
import httpx

from domain import findings
from domain.findings import Finding
from domain.mailboxes import ascii_domain
from runtime.checkup import Check, Here, certificate_of, told
from runtime.links import Links
from runtime.private_files import MAKE_A_SECRET, goes_in_clear, is_this_machine, weakness_of
from services.notifier.edge.connections import Mailer
from services.notifier.edge.dialogue import NotDone
from services.notifier.edge.dkim import modulus_of
from services.notifier.rules import mail_records
from services.notifier.settings import MailSettings, MailSettingsError

#: Last labels of names that the public DNS does not have (RFC 6761, 6762, 9476).
_LOCAL: Final = frozenset({"localhost", "local", "internal", "test", "invalid", "alt"})


# --- the mail server -----------------------------------------------------------------------------


async def server(here: Here) -> list[Finding]:
    """Whether the mail server lets us in and takes our sender's address. No letter is sent."""
    settings = here.settings(MailSettings)
    if not settings.smtp_host:
        said = "SMTP_HOST is not set here, so no letter is sent"
        return [Finding("mail", "server", "skipped", said)]
    subject = f"server {settings.smtp_host}:{settings.smtp_port}"
    found = []
    try:
        async with Mailer(settings) as mailer:
            ends = await mailer.greet(settings.mail_from)
    except MailSettingsError as error:
        return [Finding("mail", subject, "fail", str(error), "Correct the setting.")]
    except NotDone as failure:
        said = f"{failure.reply.stage}: {failure.reply.text}"
        return [Finding("mail", subject, "fail", said, _REMEDIES[failure.reply.stage])]
    how = {"none": "unencrypted", "starttls": "by STARTTLS", "tls": "by TLS"}[settings.smtp_tls]
    login = f"login {settings.smtp_username}" if settings.smtp_username else "no login"
    said = f"takes letters from {settings.mail_from}, {how}, {login}"
    if settings.smtp_tls == "none" and not is_this_machine(settings.smtp_host):
        remedy = "Set SMTP_TLS to starttls or tls."
        found.append(Finding("mail", subject, "warn", said, remedy))
    else:
        found.append(Finding("mail", subject, "ok", said))
    if ends is not None:
        about = f"certificate of {settings.smtp_host}"
        found.append(findings.certificate("mail", about, ends, datetime.now(UTC)))
    return found


_REMEDIES: Final = {
    "connect": "Check SMTP_HOST, SMTP_PORT, SMTP_TLS and SMTP_CA_FILE, and that the server runs.",
    "login": "Check SMTP_USERNAME and SMTP_PASSWORD.",
    "mail": "Let the server take MAIL_FROM as a sender, or correct MAIL_FROM.",
}


# --- DNS -----------------------------------------------------------------------------------------


async def records(here: Here) -> list[Finding]:
    """Whether the DNS of the sender's domain lets receivers trust letters."""
    settings = here.settings(MailSettings)
    _, _, written = settings.mail_from.rpartition("@")
    domain = ascii_domain(written).lower()
    if domain.rpartition(".")[2] in _LOCAL:
        said = f"the public DNS does not have {domain}, the domain of MAIL_FROM"
        return [Finding("mail", "DNS records", "skipped", said)]
    resolver = _resolver(here)
    # Each record on its own: one that is not answered does not hide the others.
    looks = (
        _mx(resolver, domain),
        _spf(resolver, domain),
        _dkim(resolver, domain, settings),
        _dmarc(resolver, domain, settings.dkim_domain),
    )
    names = ("MX", "SPF", "DKIM key", "DMARC")
    found = await asyncio.gather(*looks, return_exceptions=True)
    return [
        each if isinstance(each, Finding) else _unanswered(f"{name} of {domain}", each)
        for name, each in zip(names, found, strict=True)
    ]


def _unanswered(subject: str, error: BaseException) -> Finding:
    if isinstance(error, MailSettingsError):
        return Finding("mail", subject, "fail", str(error), "Correct the setting.")
    if isinstance(error, dns.exception.DNSException):
        remedy = "Let this machine ask a name server, or name one with --dns."
        return Finding("mail", subject, "fail", f"DNS: {told(error)}", remedy)
    raise error


def _resolver(here: Here) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=here.name_server is None)
    if here.name_server is not None:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*here.name_server)]
    # Sooner than the deadline of the check, so that each record says what became of it.
    resolver.lifetime = here.seconds * 0.8
    return resolver


async def _answers(resolver: dns.asyncresolver.Resolver, name: str, kind: str) -> list[object]:
    """The records of a name; none if the DNS says that there are none."""
    try:
        return list(await resolver.resolve(f"{name}.", kind, search=False))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []


async def _texts(resolver: dns.asyncresolver.Resolver, name: str) -> list[str]:
    """The TXT records of a name, the strings of each put together."""
    return [
        b"".join(each.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
        for each in await _answers(resolver, name, "TXT")
    ]


async def _mx(resolver: dns.asyncresolver.Resolver, domain: str) -> Finding:
    servers = [
        (each.preference, str(each.exchange))  # type: ignore[attr-defined]
        for each in await _answers(resolver, domain, "MX")
    ]
    has_address = bool(servers) or any(
        [await _answers(resolver, domain, kind) for kind in ("A", "AAAA")]
    )
    return mail_records.mx(domain, servers, has_address=has_address)


async def _spf(resolver: dns.asyncresolver.Resolver, domain: str) -> Finding:
    return mail_records.spf(domain, await _texts(resolver, domain))


async def _dkim(
    resolver: dns.asyncresolver.Resolver, domain: str, settings: MailSettings
) -> Finding:
    modulus = modulus_of(settings)
    if modulus is None:
        said = "letters are not signed here: DKIM_DOMAIN is not set"
        remedy = "Set DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY_FILE, unless the mail server signs."
        return Finding("mail", f"DKIM key of {domain}", "warn", said, remedy)
    name = f"{settings.dkim_selector}._domainkey.{ascii_domain(settings.dkim_domain)}"
    return mail_records.dkim(name, await _texts(resolver, name), modulus)


async def _dmarc(resolver: dns.asyncresolver.Resolver, domain: str, dkim_domain: str) -> Finding:
    asked: list[tuple[str, Sequence[str]]] = []
    for place in mail_records.places_of(domain):
        asked.append((place, await _texts(resolver, f"_dmarc.{place}")))
    return mail_records.dmarc(asked, dkim_domain)


# --- links ---------------------------------------------------------------------------------------


async def links(here: Here) -> list[Finding]:
    """Whether the links in letters lead to pages that read them."""
    settings = here.settings(MailSettings)
    secret, url = settings.link_secret.get_secret_value(), settings.page_url.rstrip("/")
    if not {"page_url", "link_secret"} & settings.model_fields_set:
        said = "PAGE_URL and LINK_SECRET are not set here"
        return [Finding("links", "pages", "skipped", said)]
    found = []
    weak = weakness_of(secret)
    if weak:
        remedy = f"Set it to the same for the notifier and the storefront: {MAKE_A_SECRET}."
        found.append(Finding("links", "LINK_SECRET", "fail", weak, remedy))
    parts = urlsplit(url)
    # The system's authorities, as browsers of buyers have them.
    tls = ssl.create_default_context()
    async with httpx.AsyncClient(timeout=here.seconds * 0.8, verify=tls) as client:
        try:
            answer = await client.get(f"{url}/")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            remedy = "Check PAGE_URL, the storefront, and the proxy and the certificate before it."
            return [*found, Finding("links", f"pages {url}", "fail", told(error), remedy)]
        found.append(_page(url, answer.status_code))
        found += _clock(answer, here.grace_seconds)
        if not weak:
            token = Links(secret).token("unsubscribe", "nobody", "invitation", "nobody")
            read = await client.get(f"{url}/unsubscribe/{token}")
            found.append(_secret(read.status_code))
    if parts.scheme == "https" and parts.hostname:
        ends = await certificate_of(parts.hostname, parts.port or 443, tls)
        if ends is not None:
            about = f"certificate of {parts.hostname}"
            found.append(findings.certificate("links", about, ends, datetime.now(UTC)))
    return found


def _page(url: str, status: int) -> Finding:
    subject = f"pages {url}"
    if status >= 500:
        remedy = "Look at the log of the storefront and of the proxy before it."
        return Finding("links", subject, "fail", f"answers {status}", remedy)
    if goes_in_clear(url):
        remedy = "Put a proxy with HTTPS in front, and set PAGE_URL to https://…."
        return Finding("links", subject, "warn", f"answers {status}, unencrypted", remedy)
    return Finding("links", subject, "ok", f"answers {status}")


def _clock(answer: httpx.Response, grace_seconds: float) -> list[Finding]:
    """How far this machine's clock is off that of the pages.

    They say whole seconds, and a server may say for a second what it said before.
    """
    try:
        said = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return []
    now = datetime.now(UTC)
    asked = now - answer.elapsed
    off = max((asked - said).total_seconds() - 2, 0.0) or min((now - said).total_seconds(), 0.0)
    return [findings.clock("the pages", off, grace_seconds)]


def _secret(status: int) -> Finding:
    """Whether a link that we signed is read, by the status of its page."""
    about = ("links", "LINK_SECRET")
    if status < 400:
        return Finding(*about, "ok", "the pages read our links")
    if status == 429 or status >= 500:
        remedy = "Run the doctor again later, and look at the log of the storefront."
        return Finding(*about, "warn", f"a link is answered {status}", remedy)
    said = f"the pages do not read our links: they answer {status}"
    remedy = (
        "Give notifier and storefront the same LINK_SECRET, and check that PAGE_URL leads there."
    )
    return Finding(*about, "fail", said, remedy)


CHECKS: Final = (
    Check("mail", "server", server),
    Check("mail", "DNS records", records),
    Check("links", "pages", links),
)
