"""How a process signs in to Kafka: which settings go together, and what their files must be."""

import os
import shlex
import shutil
import ssl
import time

# The interpreter's own reader of certificates: ``ssl`` shows only those of a connection.
from _ssl import _test_decode_cert  # type: ignore[attr-defined]
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

_TLS: Final = "KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL"
_SASL: Final = "KAFKA_SECURITY_PROTOCOL=SASL_SSL or SASL_PLAINTEXT"
_OAUTH: Final = "KAFKA_SASL_MECHANISM=OAUTHBEARER"
_PASSWORD: Final = "KAFKA_SASL_MECHANISM=PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
#: The fields that have no effect without TLS, without SASL, …
_OF_TLS: Final = (
    "kafka_ssl_ca_location",
    "kafka_ssl_certificate_location",
    "kafka_ssl_key_location",
    "kafka_ssl_key_password",
)
_OF_PASSWORDS: Final = ("kafka_sasl_username", "kafka_sasl_password")
_OF_ENDPOINT: Final = (
    "kafka_sasl_oauthbearer_token_endpoint_url",
    "kafka_sasl_oauthbearer_client_id",
    "kafka_sasl_oauthbearer_client_secret",
)
_OF_TOKENS: Final = (
    *_OF_ENDPOINT,
    "kafka_sasl_oauthbearer_scope",
    "kafka_sasl_oauthbearer_token_command",
)
#: What begins a store of Java, or of Windows.
_STORES: Final = {b"\xfe\xed\xfe\xed": "JKS", b"\x30\x82": "PKCS12 or DER"}


#: ``Settings``, which has these rules checked and so can't be imported here.
Given = Any


def problem_of(settings: Given) -> str:
    """Why these settings can't work, as one line that names a variable; empty if they can.

    Reads the certificates' files, if there are any.
    """
    for find in (_unused, _of_sasl, _of_files):
        if problem := find(settings):
            return problem
    return ""


def uses_tls(settings: Given) -> bool:
    """Whether connections are encrypted."""
    return settings.kafka_security_protocol in {"SSL", "SASL_SSL"}


def uses_sasl(settings: Given) -> bool:
    """Whether a process signs in by SASL."""
    return settings.kafka_security_protocol in {"SASL_PLAINTEXT", "SASL_SSL"}


# --- which settings go together ------------------------------------------------------------------


def _unused(settings: Given) -> str:
    """A setting that has no effect: it tells of a security that is not there."""
    is_oauth = settings.kafka_sasl_mechanism == "OAUTHBEARER"
    groups = (
        (_OF_TLS, uses_tls(settings), _TLS),
        (
            ("kafka_sasl_mechanism", *_OF_PASSWORDS, *_OF_TOKENS),
            uses_sasl(settings),
            _SASL,
        ),
        (_OF_PASSWORDS, not is_oauth or not uses_sasl(settings), _PASSWORD),
        (_OF_TOKENS, is_oauth or not uses_sasl(settings), _OAUTH),
    )
    for fields, has_effect, needed in groups:
        for field in fields:
            if _text(settings, field) and not has_effect:
                return f"{field.upper()} has no effect: set {needed}, or unset it"
    return ""


def _of_sasl(settings: Given) -> str:
    if not uses_sasl(settings):
        return ""
    if settings.kafka_sasl_mechanism is None:
        return (
            "KAFKA_SASL_MECHANISM is not set: give PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or"
            f" OAUTHBEARER, as KAFKA_SECURITY_PROTOCOL is {settings.kafka_security_protocol}"
        )
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        return _of_tokens(settings)
    for field in _OF_PASSWORDS:
        if not _text(settings, field):
            return f"{field.upper()} is not set: {settings.kafka_sasl_mechanism} needs it"
        if "\0" in _text(settings, field):
            return f"{field.upper()} has a NUL in it: remove it"
    return ""


def _of_tokens(settings: Given) -> str:
    command = settings.kafka_sasl_oauthbearer_token_command
    url = settings.kafka_sasl_oauthbearer_token_endpoint_url
    name = "KAFKA_SASL_OAUTHBEARER_TOKEN_COMMAND"
    if bool(command) == bool(url):
        either = f"KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL and {name}"
        return f"{either}: set one of them" if not command else f"{either} are both set: unset one"
    if command:
        try:
            words = shlex.split(command)
        except ValueError as error:
            return f"{name} can't be read: {error}"
        return "" if words and shutil.which(words[0]) else f"{name}: there is no such program"
    for field in _OF_ENDPOINT:
        if not _text(settings, field):
            return f"{field.upper()} is not set: the token endpoint needs it"
    return _of_url(url)


def _of_url(url: str) -> str:
    name = "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return f"{name} is not an address: write https://…"
    if parts.username or parts.password:
        return f"{name} must not have a password in it: use KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"
    if not host or parts.scheme not in {"http", "https"}:
        return f"{name} is not an address: write https://…"
    if parts.scheme == "http" and not _is_here(host):
        return f"{name} would send the secret unencrypted: write https"
    return ""


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _text(settings: Given, field: str) -> str:
    value = getattr(settings, field)
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    return "" if value is None else str(value)


# --- the files of TLS ----------------------------------------------------------------------------


def _of_files(settings: Given) -> str:
    if not uses_tls(settings):
        return ""
    if settings.kafka_ssl_certificate_location is None:
        for field in ("kafka_ssl_key_location", "kafka_ssl_key_password"):
            if _text(settings, field):
                return f"{field.upper()} needs KAFKA_SSL_CERTIFICATE_LOCATION too"
    try:
        tls_context(settings)
    except ValueError as error:
        return str(error)
    return ""


def tls_files(settings: Given) -> tuple[Path, ...]:
    """The files of certificates and keys that a connection depends on."""
    given = (
        settings.kafka_ssl_ca_location,
        settings.kafka_ssl_certificate_location,
        settings.kafka_ssl_key_location,
    )
    return tuple(each for each in given if each is not None)


def tls_context(settings: Given, password: str = "") -> ssl.SSLContext:
    """The TLS of new connections, by the files as they are now.

    ``password`` opens the key, if it is no longer the one of the settings. Raises ``ValueError``
    with a line that names the variable of a file that can't be used.
    """
    context = _trust(settings.kafka_ssl_ca_location)
    context.check_hostname = settings.kafka_ssl_endpoint_identification_algorithm == "https"
    if settings.kafka_ssl_certificate_location is not None:
        _identify(context, settings, password)
    return context


def _trust(authority: Path | None) -> ssl.SSLContext:
    """A context that trusts this authority, or those of the system."""
    if authority is None:
        return ssl.create_default_context()
    name = "KAFKA_SSL_CA_LOCATION"
    if "-----BEGIN CERTIFICATE-----" not in _pem(authority, name):
        raise ValueError(f"{name} has no certificate in it: {authority}: give PEM")
    try:
        context = ssl.create_default_context(cafile=authority)
    except ssl.SSLError as error:
        raise ValueError(f"{name} can't be read: {authority}: {_reason(error)}") from None
    ends = [str(each.get("notAfter", "")) for each in context.get_ca_certs()]
    if ends and all(_has_passed(each) for each in ends):
        raise ValueError(f"{name} has expired: {authority}: on {max(ends, key=_seconds)}")
    return context


def _identify(context: ssl.SSLContext, settings: Given, password: str) -> None:
    """Add the client's certificate and key."""
    certificate, key = settings.kafka_ssl_certificate_location, settings.kafka_ssl_key_location
    assert certificate is not None
    name = "KAFKA_SSL_CERTIFICATE_LOCATION"
    key_name = "KAFKA_SSL_KEY_LOCATION" if key is not None else name
    if "-----BEGIN CERTIFICATE-----" not in (text := _pem(certificate, name)):
        raise ValueError(f"{name} has no certificate in it: {certificate}: give PEM")
    key_text = text if key is None else _pem(key, key_name)
    if "PRIVATE KEY-----" not in key_text:
        if key is not None:
            raise ValueError(f"{key_name} has no key in it: {key}: give PEM")
        raise ValueError(f"KAFKA_SSL_KEY_LOCATION is not set: {certificate} has no key in it")
    password = password or settings.kafka_ssl_key_password.get_secret_value()
    is_locked = "ENCRYPTED" in key_text
    if is_locked and not password:
        raise ValueError(f"KAFKA_SSL_KEY_PASSWORD is not set: {key or certificate} is encrypted")
    try:
        # With a function for the password, OpenSSL never asks for it at a terminal.
        context.load_cert_chain(certificate, key, lambda: password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or ""
        if reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"{key_name}: the key is not that of {name}") from None
        if is_locked:
            raise ValueError(f"KAFKA_SSL_KEY_PASSWORD does not open {key or certificate}") from None
        why = f"{certificate} or {key}" if key is not None else str(certificate)
        raise ValueError(f"{name} or KAFKA_SSL_KEY_LOCATION can't be read: {why}") from None
    if _has_passed(ends := str(certificate_in(certificate).get("notAfter", ""))):
        raise ValueError(f"{name} has expired: {certificate}: on {ends}")


def _pem(path: Path, name: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{name} can't be read: {path}: {os.strerror(error.errno or 0)}") from None
    for begin, kind in _STORES.items():
        if content.startswith(begin):
            raise ValueError(f"{name} is {kind}, not PEM: {path}: convert it to PEM")
    return content.decode("ascii", "replace")


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "it is not PEM").replace("_", " ").lower()


def certificate_in(path: Path) -> dict[str, Any]:
    """The first certificate of a file; empty if it can't be read."""
    try:
        found: dict[str, Any] = _test_decode_cert(str(path))
    except (OSError, ssl.SSLError):
        return {}
    return found


def _seconds(moment: str) -> float:
    return ssl.cert_time_to_seconds(moment)


def _has_passed(moment: str) -> bool:
    return bool(moment) and _seconds(moment) < time.time()


# --- who we are ----------------------------------------------------------------------------------

#: As Java writes the parts of a certificate's subject.
_SHORT: Final = {
    "commonName": "CN",
    "organizationalUnitName": "OU",
    "organizationName": "O",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "countryName": "C",
}


def principal_of(settings: Given) -> str:
    """``User:…`` as Kafka's ACLs name this process by default; empty if only the broker knows.

    A broker's ``ssl.principal.mapping.rules`` may give a certificate another name.
    """
    if uses_sasl(settings):
        name = settings.kafka_sasl_username
        return f"User:{name}" if name else ""
    if uses_tls(settings) and settings.kafka_ssl_certificate_location is not None:
        subject = certificate_in(settings.kafka_ssl_certificate_location).get("subject", ())
        return f"User:{','.join(_parts(subject))}" if subject else ""
    return "User:ANONYMOUS"


def _parts(subject: Any) -> Iterator[str]:
    for parts in reversed(subject):
        yield "+".join(f"{_SHORT.get(name, name)}={value}" for name, value in parts)
