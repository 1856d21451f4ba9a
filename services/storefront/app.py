"""A web process: pages, the API and open streams over one set of means."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from papers.issuer import read_issuer
from runtime import acls
from runtime.broker_watch import BrokerWatch, wanted_of
from runtime.lasting_errors import PassingError
from runtime.links import Links
from runtime.settings import Settings
from runtime.traced_app import NO_TELEMETRY
from schemas.catalogue import CATALOGUE
from services.storefront.access.callers import Access
from services.storefront.access.idempotency import Idempotency
from services.storefront.access.rates import Rates
from services.storefront.access.sessions import EndedSessions
from services.storefront.api import document, events
from services.storefront.api.routes import PREFIX
from services.storefront.cards.painter import Painter
from services.storefront.commands import commands_of
from services.storefront.commands.sender import Sender
from services.storefront.live.hub import FOLLOWED, Hub
from services.storefront.live.streams import Events
from services.storefront.pages.errors import refuse_page
from services.storefront.pages.routes import router as pages
from services.storefront.papers.printer import Printer
from services.storefront.readmodel.database import DatabaseError, migrate, stays
from services.storefront.readmodel.reader import Reader
from services.storefront.settings import PageSettings
from services.storefront.web.guard import Guard
from services.storefront.web.pictures import Pictures
from services.storefront.web.refusals import add_handlers
from services.storefront.web.shared import Shared
from services.storefront.web.shop import Shop


def build(settings: Settings, page_settings: PageSettings) -> FastAPI:
    """The app; it connects when it starts."""
    shop = _shop(settings, page_settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        try:
            await migrate(shop.reader.engine)
        except DatabaseError as error:
            # This ends the process in order; an error raised here would log a traceback.
            shop.watch.give_up(stays(error) or PassingError(str(error)))
            yield
            return
        await shop.sender.start()
        await shop.hub.start()
        yield
        await shop.hub.stop()
        await shop.commands.links.finish()
        await shop.sender.stop()
        shop.printer.close()
        shop.painter.close()
        shop.pictures.close()
        shop.commands.images.close()
        await shop.reader.close()

    app = FastAPI(
        title=document.TITLE,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    app.state.shop = shop
    for router in document.ROUTERS:
        app.include_router(router)
    app.include_router(events.router)
    app.include_router(pages)
    app.add_api_route(f"{PREFIX}/openapi.json", document.answer, include_in_schema=False)
    refuse = add_handlers(app, refuse_page, document.methods_of)
    app.add_middleware(
        Guard, settings=page_settings, rates=shop.rates, access=shop.access, refuse=refuse
    )
    return app


def _shop(settings: Settings, given: PageSettings) -> Shop:
    secret = given.link_secret.get_secret_value()
    written = [topic for topic in CATALOGUE.values() if "storefront" in topic.producers]
    acls.note_needs(wanted_of(settings, *FOLLOWED), wanted_of(settings, *written))
    watch = BrokerWatch(settings, wanted_of(settings, *FOLLOWED, *written))
    links, sender = Links(secret), Sender(settings, watch)
    reader, rates = Reader(given.database), Rates(given)
    hub = Hub(settings, reader, watch)
    access = Access(given, links, reader, EndedSessions(reader.engine))
    issuer = read_issuer(given.invoice_issuer_file) if given.invoice_issuer_file else None
    return Shop(
        settings=given,
        watch=watch,
        sender=sender,
        links=links,
        reader=reader,
        hub=hub,
        events=Events(hub, reader, given),
        commands=commands_of(given, sender, hub, reader, access, rates, settings),
        access=access,
        issuer=issuer,
        rates=rates,
        idempotency=Idempotency(reader.engine, secret),
        home_pages=Shared(seconds=1.0, size=200),
        home_choices=Shared(seconds=10.0, size=1),
        printer=Printer(),
        painter=Painter(given.card_font_files),
        pictures=Pictures(reader),
        # As long as other sites are told to keep a card.
        cards=Shared(seconds=60.0, size=200),
        api_document=document.own,
    )
