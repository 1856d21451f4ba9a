"""``python -m services.storefront``."""

from functools import partial

from papers.issuer import IssuerError
from runtime import logs, traces
from runtime.command_line import command_line, refuse_to_start
from runtime.private_files import MAKE_A_SECRET, keep_files_private, weakness_of
from runtime.settings import Settings, SettingsError, read_settings
from runtime.trace_settings import TraceSettings
from runtime.web_server import serve
from services.storefront.access.rates import RatesError
from services.storefront.app import build
from services.storefront.readmodel.database import DatabaseError
from services.storefront.settings import PageSettings
from services.storefront.web import status


def run() -> None:
    """Serve pages, the HTTP API and open streams."""
    keep_files_private()
    try:
        settings, pages = read_settings(Settings), read_settings(PageSettings)
        logs.set_up(settings, "storefront")
        traces.set_up("storefront")
        if weak := weakness_of(pages.link_secret.get_secret_value()):
            raise SettingsError(
                f"LINK_SECRET {weak}: use the notifier's LINK_SECRET; {MAKE_A_SECRET}"
            )
        app = build(settings, pages)
    except (DatabaseError, IssuerError, OSError, RatesError, SettingsError) as error:
        refuse_to_start("storefront", error)
    shop = app.state.shop
    serve(
        app,
        pages,
        settings,
        shop.watch,
        status=partial(status.status, shop),
        unready=partial(status.unready, shop),
        leave=shop.hub.leave,
    )


if __name__ == "__main__":
    command_line(
        run,
        "storefront",
        "Serve pages, the HTTP API and open streams.",
        Settings,
        TraceSettings,
        PageSettings,
    )
