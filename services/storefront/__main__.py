"""``python -m services.storefront``."""

import typer
import uvicorn

from schemas.links import Links
from services.runtime import logs
from services.runtime.settings import Settings
from services.storefront.app import build
from services.storefront.sending import Sender
from services.storefront.settings import PageSettings


def run() -> None:
    """Serve what the links in letters lead to. Settings come from the environment:

    WEB_HOST, WEB_PORT (8080), LINK_SECRET, and those of Kafka as for the other services.
    """
    settings, pages = Settings(), PageSettings()
    logs.set_up(settings, "storefront")
    secret = pages.link_secret.get_secret_value()
    if not secret:
        raise SystemExit("storefront: LINK_SECRET is empty: set it to the notifier's")
    app = build(Sender(settings), Links(secret))
    uvicorn.run(app, host=pages.web_host, port=pages.web_port, log_config=None, access_log=False)


if __name__ == "__main__":
    typer.run(run)
