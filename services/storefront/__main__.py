"""``python -m services.storefront``."""

import typer

from services.runtime import logs
from services.runtime.private import MAKE_A_SECRET, keep_files_private, weakness_of
from services.runtime.settings import Settings, SettingsError, read_settings
from services.storefront.app import build
from services.storefront.invoices.issuer import IssuerError
from services.storefront.serving import serve
from services.storefront.settings import PageSettings


def run() -> None:
    """Serve pages, the HTTP API and open streams. Settings come from the environment:

    WEB_HOST, WEB_PORT (8080), LINK_SECRET, DATABASE_URL and those of ``settings``, and those of
    Kafka as for the other services.
    """
    keep_files_private()
    try:
        settings, pages = read_settings(Settings), read_settings(PageSettings)
        logs.set_up(settings, "storefront")
        if weak := weakness_of(pages.link_secret.get_secret_value()):
            raise SettingsError(f"LINK_SECRET {weak}: set it to the notifier's; {MAKE_A_SECRET}")
        app = build(settings, pages)
    except (IssuerError, SettingsError) as error:
        raise SystemExit(f"storefront: {error}") from None
    serve(app, pages.web_host, pages.web_port, leave=app.state.shop.hub.leave)


if __name__ == "__main__":
    typer.run(run)
