"""DKIM: mailboxes honour one-click unsubscribing only where a signature covers its headers."""

import re

import dkim  # type: ignore[import-untyped, unused-ignore]
from dkim.crypto import (  # type: ignore[import-untyped, unused-ignore]
    UnparsableKeyError,
    parse_pem_private_key,
)

from services.notifier.settings import MailSettings, MailSettingsError

#: A header that is named once more than it is there cannot be added on the way.
SIGNED_HEADERS = (
    b"from",
    b"from",
    b"to",
    b"subject",
    b"date",
    b"message-id",
    b"list-unsubscribe",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-unsubscribe-post",
    b"mime-version",
    b"content-type",
)
KEY_BITS_MIN = 1024
LINE_ENDS = re.compile(rb"\r\n|\n|\r")


class Signer:
    """Signs letters for one domain."""

    def __init__(self, domain: str, selector: str, key: bytes) -> None:
        self._domain = domain.encode("idna")
        self._selector = selector.encode("ascii")
        self._key = key

    def sign(self, message: bytes) -> bytes:
        """The message with a signature in front, all of its lines ended as mail wants them.

        With a key of 2048 bits this takes some milliseconds of the processor.
        """
        # As it will be sent: a line end changed after the signing would break the signature.
        message = with_mail_line_ends(message)
        signature: bytes = dkim.sign(
            message,
            self._selector,
            self._domain,
            self._key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=list(SIGNED_HEADERS),
        )
        return signature + message


def signer_of(settings: MailSettings) -> Signer | None:
    """The signer these settings ask for, if they do. Raises MailSettingsError."""
    if (found := _key_of(settings)) is None:
        return None
    try:
        return Signer(settings.dkim_domain, settings.dkim_selector, found[0])
    except UnicodeError as error:
        raise MailSettingsError(
            "DKIM_DOMAIN or DKIM_SELECTOR is not a name that DNS can hold"
        ) from error


def modulus_of(settings: MailSettings) -> int | None:
    """The number that the public key must have, if letters are signed. Raises MailSettingsError."""
    found = _key_of(settings)
    return None if found is None else found[1]


def _key_of(settings: MailSettings) -> tuple[bytes, int] | None:
    """The private key as PEM, and its modulus."""
    given = (settings.dkim_domain, settings.dkim_selector, settings.dkim_key_file)
    if not any(given):
        return None
    if settings.dkim_key_file is None or not all(given):
        raise MailSettingsError("set DKIM_DOMAIN, DKIM_SELECTOR and DKIM_KEY_FILE, or none of them")
    make = "make one with `openssl genrsa 2048`"
    path = settings.dkim_key_file
    try:
        key = path.read_bytes()
        modulus: int = parse_pem_private_key(key)["modulus"]
    except OSError as error:
        told = f"DKIM_KEY_FILE {path} cannot be read ({error.strerror}): correct it, or {make}"
        raise MailSettingsError(told) from error
    except (UnparsableKeyError, ValueError, LookupError, TypeError) as error:
        told = f"DKIM_KEY_FILE {path} holds no RSA private key in PEM form: {make}"
        raise MailSettingsError(told) from error
    bits = modulus.bit_length()
    if bits < KEY_BITS_MIN:
        raise MailSettingsError(f"the key in DKIM_KEY_FILE {path} has only {bits} bits: {make}")
    return key, modulus


def with_mail_line_ends(message: bytes) -> bytes:
    """The message with CRLF after every line, the last one too."""
    ends = message.count(b"\r\n")
    if message.count(b"\n") != ends or message.count(b"\r") != ends:
        message = LINE_ENDS.sub(b"\r\n", message)
    return message if message.endswith(b"\r\n") else message + b"\r\n"
