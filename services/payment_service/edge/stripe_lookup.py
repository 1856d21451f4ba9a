"""Looks up the payment of a dispute, as a dispute does not have our metadata itself."""

from collections.abc import Mapping
from typing import NamedTuple

import stripe
import structlog

from services.payment_service.edge.stripe_client import client_of
from services.payment_service.settings import CardSettings

_log = structlog.get_logger()


class Found(NamedTuple):
    """A payment's metadata and its currency, in small letters as Stripe writes it."""

    metadata: Mapping[str, str]
    currency: str


class LookupFailedError(Exception):
    """Stripe could not be asked. Stripe sends the event again later."""


class StripeLookup:
    """Asks Stripe for payments, by its ids."""

    def __init__(self, settings: CardSettings) -> None:
        self._client = client_of(settings)

    async def find(self, intent: str, charge: str) -> Found | None:
        """The payment of an intent, or else of a charge; None if there is none in this account.

        Raises ``LookupFailedError``.
        """
        client = self._client
        if client is None:
            _log.error("STRIPE_API_KEY is empty: the payment of a dispute can't be looked up")
            raise LookupFailedError("STRIPE_API_KEY is empty")
        try:
            if intent:
                found = await client.v1.payment_intents.retrieve_async(intent)
                return Found(_plain(found.metadata), found.currency)
            if charge:
                paid = await client.v1.charges.retrieve_async(charge)
                return Found(_plain(paid.metadata), paid.currency)
        except stripe.InvalidRequestError as error:
            if error.code == "resource_missing":
                return None
            raise LookupFailedError(type(error).__name__) from error
        except (stripe.StripeError, OSError) as error:
            raise LookupFailedError(type(error).__name__) from error
        return None


def _plain(metadata: object) -> Mapping[str, str]:
    names = ("payment_id", "group_id")
    found = {name: getattr(metadata, name, None) for name in names}
    return {name: str(value) for name, value in found.items() if value}
