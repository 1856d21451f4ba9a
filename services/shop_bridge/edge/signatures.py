"""Who sent a webhook: signatures over the raw body, compared in constant time.

Each shop may have several secrets, as two are good while one replaces the other.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256

from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

STANDARD_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def signed_by(secrets: Sequence[str], body: bytes, signature: str | None) -> bool:
    """Whether one of the secrets gives this base64 HMAC-SHA256; Shopify's and WooCommerce's."""
    given = (signature or "").strip().encode("utf-8", "replace")
    # Every secret is tried, so that the time says nothing of which one fits.
    fits = [hmac.compare_digest(_base64_hmac(secret, body), given) for secret in secrets]
    return any(fits)


def site(address: str) -> str:
    """A shop's domain as it is compared: its host in lower case, with its path if it has one.

    WooCommerce tells the address of the site (``home_url``), Shopify the domain alone.
    """
    host, _, path = address.strip().rpartition("://")[2].strip("/").partition("/")
    return "/".join(filter(None, (host.lower().rstrip("."), path)))


def _base64_hmac(secret: str, body: bytes) -> bytes:
    return base64.b64encode(hmac.digest(secret.encode(), body, sha256))


def standard_verifier(secret: str) -> Webhook:
    """The verifier of a secret, with or without ``whsec_``. Raises ``ValueError`` if it is none."""
    try:
        return Webhook(secret)
    except (EmptyWebhookSecretError, ValueError) as error:
        raise ValueError(f"not a secret of Standard Webhooks: {type(error).__name__}") from None


def standard_refusal(
    verifiers: Sequence[Webhook], body: bytes, headers: Mapping[str, str]
) -> str | None:
    """Why none of the secrets accepts the webhook, or ``None`` if one does.

    A body that is not UTF-8 has no signature: it is signed as text.
    """
    told = {name: headers.get(name, "") for name in STANDARD_HEADERS}
    refusal = "no secret"
    for verifier in verifiers:
        try:
            verifier.verify(body, told, json_parse=False)
        except WebhookVerificationError as error:
            refusal = str(error)
        except (ValueError, binascii.Error):
            # The library raises other errors for some headers, and for a body that is not text.
            refusal = "Invalid Signature Headers"
        else:
            return None
    return refusal
