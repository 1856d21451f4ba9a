"""Stripe's client without its own retries: this service repeats calls, also after a restart."""

import logging

import stripe

from services.payment_service.settings import CardSettings


def client_of(settings: CardSettings) -> stripe.StripeClient | None:
    """A client with the key of the settings; None without a key. No connection is opened yet."""
    key = settings.stripe_api_key.get_secret_value()
    if not key:
        return None
    for noisy in ("stripe", "httpx"):  # a line for each request
        logging.getLogger(noisy).setLevel(logging.WARNING)
    stripe.enable_telemetry = False
    url = settings.stripe_api_url
    return stripe.StripeClient(
        key,
        max_network_retries=0,
        http_client=stripe.HTTPXClient(timeout=settings.stripe_timeout_seconds),
        base_addresses={"api": url.rstrip("/")} if url else {},
    )
