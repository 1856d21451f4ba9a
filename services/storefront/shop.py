"""All that a request needs, put together once for a web process: ``app.state.shop``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from runtime.broker_watch import BrokerWatch
from runtime.links import Links
from services.storefront.sending import Sender
from services.storefront.settings import PageSettings
from services.storefront.sharing import Shared

if TYPE_CHECKING:
    from services.storefront.access.callers import Access
    from services.storefront.access.idempotency import Idempotency
    from services.storefront.access.rates import Rates
    from services.storefront.commands import Commands
    from services.storefront.invoices.issuer import Issuer
    from services.storefront.invoices.printing import Printer
    from services.storefront.live.events import Events
    from services.storefront.live.hub import Hub
    from services.storefront.model.reading import Reader


@dataclass(frozen=True, slots=True)
class Shop:
    """One web process's means."""

    settings: PageSettings
    watch: BrokerWatch
    sender: Sender
    links: Links
    reader: "Reader"
    hub: "Hub"
    events: "Events"
    commands: "Commands"
    access: "Access"
    issuer: "Issuer | None"
    rates: "Rates"
    idempotency: "Idempotency"
    home_pages: Shared[str]
    printer: "Printer"


def shop_of(request: Request) -> Shop:
    """The means of the process that answers this request."""
    shop: Shop = request.app.state.shop
    return shop
