"""A worker's frame, before it runs."""

import pytest

from runtime.settings import Settings
from runtime.worker import build
from services.favor_service.processor import PROCESSORS


@pytest.mark.slow
def test_what_ops_ask_listens_where_ops_say_whatever_else_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An image sets the public address for all processes; the frame reads such names by itself."""
    for name, value in {"WEB_HOST": "0.0.0.0", "WEB_BIND": "0.0.0.0", "WEB_PORT": "8080"}.items():
        monkeypatch.setenv(name, value)
    app, _ = build(PROCESSORS, Settings(ops_host="127.0.0.2", ops_port=8090))
    assert (app.conf.web_host, app.conf.web_bind, app.conf.web_port) == (
        "127.0.0.2",
        "127.0.0.2",
        8090,
    )
