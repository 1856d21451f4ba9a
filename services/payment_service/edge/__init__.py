"""How payments are brought about outside. A method is a caller of the runtime: it takes a
``Request`` of ``provider`` and gives a ``Reply``, whatever the other side does.

Only ``card`` needs one: instructions to a shop are facts that shop_bridge reads, and an invoice is
its own payment fact.
"""

from collections.abc import Mapping

from runtime.settings import read_settings
from services.payment_service.edge.stripe_cards import StripeCards
from services.payment_service.settings import CardSettings


def callers() -> Mapping[str, StripeCards]:
    """The callers of ``processor``. Raises ``SettingsError``."""
    return {"card": StripeCards(read_settings(CardSettings))}
