"""``python -m services.storefront``."""

import typer

from services.runtime import logs
from services.runtime.settings import Settings
from services.storefront.access.rates import RatesError
from services.storefront.app import build
from services.storefront.invoices.issuer import IssuerError
from services.storefront.serving import serve
from services.storefront.settings import PageSettings


def run() -> None:
    """Serve pages, the HTTP API and open streams. Settings come from the environment:

    WEB_HOST, WEB_PORT (8080), LINK_SECRET, DATABASE_URL and those of ``settings``, and those of
    Kafka as for the other services.
    """
    settings, pages = Settings(), PageSettings()
    logs.set_up(settings, "storefront")
    if not pages.link_secret.get_secret_value():
        raise SystemExit("storefront: LINK_SECRET is empty: set it to the notifier's")
    try:
        app = build(settings, pages)
    except (IssuerError, RatesError) as error:
        raise SystemExit(f"storefront: {error}") from None
    serve(app, pages.web_host, pages.web_port, leave=app.state.shop.hub.leave)


if __name__ == "__main__":
    typer.run(run)
