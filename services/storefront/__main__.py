"""``python -m services.storefront``."""

import typer
import uvicorn

from services.runtime import logs
from services.runtime.settings import Settings
from services.storefront.app import build
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
    uvicorn.run(
        build(settings, pages),
        host=pages.web_host,
        port=pages.web_port,
        log_config=None,
        access_log=False,
        # Whose X-Forwarded-For is believed is said by PROXIES, and nowhere else.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    typer.run(run)
