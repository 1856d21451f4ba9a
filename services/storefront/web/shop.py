"""The parts of a web process that requests use, built once: ``app.state.shop``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from papers.issuer import Issuer
from runtime.broker_watch import BrokerWatch
from runtime.links import Links
from services.storefront.access.callers import Access
from services.storefront.access.idempotency import Idempotency
from services.storefront.access.rates import Rates
from services.storefront.cards.painter import Painter
from services.storefront.commands import Commands
from services.storefront.commands.sender import Sender
from services.storefront.live.hub import Hub
from services.storefront.live.streams import Events
from services.storefront.papers.printer import Printer
from services.storefront.readmodel.reader import Reader
from services.storefront.settings import PageSettings
from services.storefront.web.pictures import Pictures
from services.storefront.web.shared import Shared


@dataclass(frozen=True, slots=True)
class Shop:
    """The parts of one web process."""

    settings: PageSettings
    watch: BrokerWatch
    sender: Sender
    links: Links
    reader: Reader
    hub: Hub
    events: Events
    commands: Commands
    access: Access
    issuer: Issuer | None
    rates: Rates
    idempotency: Idempotency
    home_pages: Shared[str]
    #: What the lists of the home page can be narrowed by.
    home_choices: Shared[Any]
    printer: Printer
    painter: Painter
    pictures: Pictures
    cards: Shared[bytes]
    #: The OpenAPI document, made when it is first asked for.
    api_document: Callable[[], dict[str, Any]]


def shop_of(request: Request) -> Shop:
    """The parts of the process that answers this request."""
    shop: Shop = request.app.state.shop
    return shop
