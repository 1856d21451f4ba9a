"""What the doctor asks Stripe: whether it takes the key, by lists of one. Nothing is changed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import stripe

from domain.findings import Finding
from runtime.checkup import Check, Here, told
from runtime.private_files import is_this_machine
from services.payment_service.edge.stripe_client import client_of
from services.payment_service.rules import key_shapes
from services.payment_service.settings import CardSettings, WebhookSettings

_ONE: Final[Any] = {"limit": 1}
#: What a restricted key needs, as docs/stripe.md says, and how it is asked for.
_NEEDS: Final[dict[str, Callable[[stripe.StripeClient], Awaitable[Any]]]] = {
    "Checkout Sessions": lambda client: client.v1.checkout.sessions.list_async(_ONE),
    "PaymentIntents": lambda client: client.v1.payment_intents.list_async(_ONE),
    "Refunds": lambda client: client.v1.refunds.list_async(_ONE),
    "Charges": lambda client: client.v1.charges.list_async(_ONE),
}


async def cards(here: Here) -> list[Finding]:
    """The key's shape, whether Stripe takes it, and what it may read."""
    settings = here.settings(CardSettings)
    key = settings.stripe_api_key.get_secret_value()
    if not key:
        said = "STRIPE_API_KEY is not set here, so payments by card wait"
        return [Finding("payments", "Stripe", "skipped", said)]
    parts = urlsplit(settings.page_url)
    is_public = parts.scheme == "https" and not is_this_machine(parts.hostname)
    hooks = here.settings(WebhookSettings).stripe_webhook_secrets.get_secret_value()
    shape = key_shapes.key(key, is_public=is_public)
    found = [shape, key_shapes.webhook_secrets(hooks)]
    # What is no key at all goes to nobody.
    return found if shape.verdict == "fail" else [*found, await _asked(settings)]


async def _asked(settings: CardSettings) -> Finding:
    client = client_of(settings)
    assert client is not None
    answers = await asyncio.gather(
        *(ask(client) for ask in _NEEDS.values()), return_exceptions=True
    )
    by_need = dict(zip(_NEEDS, answers, strict=True))
    about = ("payments", "Stripe")
    errors = [each for each in answers if isinstance(each, BaseException)]
    for each in errors:
        if isinstance(each, stripe.AuthenticationError):
            remedy = "Copy the key again from Stripe's dashboard; perhaps it was rolled."
            return Finding(*about, "fail", "does not accept the key", remedy)
    barred = [name for name, each in by_need.items() if isinstance(each, stripe.PermissionError)]
    if barred:
        said = f"the key may not read {', '.join(barred)}"
        remedy = "Allow it: write Checkout Sessions, PaymentIntents and Refunds, read Charges."
        return Finding(*about, "fail", said, remedy)
    if errors:
        remedy = "Check STRIPE_API_URL and the network; see Stripe's status page."
        return Finding(*about, "fail", told(errors[0]), remedy)
    return Finding(*about, "ok", f"accepts the key, which may read {', '.join(_NEEDS)}")


CHECKS: Final = (Check("payments", "Stripe", cards),)
