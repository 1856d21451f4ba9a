"""The organizer's commands and links again: what is asked of the API, and what is said."""

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest
from typer.testing import CliRunner, Result

from terminal import api
from terminal.__main__ import app

SHEET = '\ufeff"Buyer"\r\n"\'=1+1"\r\n'.encode()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[httpx.Request]]:
    """The requests; each is answered as the storefront does."""
    requests: list[httpx.Request] = []
    monkeypatch.setenv("JOINTBUY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("JOINTBUY_KEY", "token")

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if request.url.path.endswith("order-sheet.csv"):
            return httpx.Response(200, content=SHEET)
        if request.url.path.endswith("messages"):
            return httpx.Response(201, json={"message_id": "t-1", "recipients": 2})
        return httpx.Response(204)

    transport = httpx.MockTransport(handler)
    made = httpx.Client
    with patch.object(api.httpx, "Client", lambda **said: made(transport=transport, **said)):
        yield requests


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_links_are_asked_for_without_a_key(asked: list[httpx.Request]) -> None:
    result = run("links", "ann@people.example")
    assert result.exit_code == 0, result.output
    (request,) = asked
    assert request.url.path == "/api/v1/links-again"
    assert json.loads(request.content) == {"email": "ann@people.example"}
    assert "authorization" not in request.headers
    assert "if ann@people.example is known" in result.output


def test_a_message_says_how_many_emails_it_is(asked: list[httpx.Request]) -> None:
    result = run("message", "GB-1", "Come on Saturday")
    (request,) = asked
    assert request.url.path == "/api/v1/group-purchases/GB-1/messages"
    assert json.loads(request.content) == {"words": "Come on Saturday"}
    assert request.headers["authorization"] == "Bearer token"
    assert result.output == "GB-1: 2 emails on the way\n"


@pytest.mark.slow
def test_a_sheet_is_written_as_it_came(asked: list[httpx.Request], tmp_path: Path) -> None:
    file = tmp_path / "sheet.csv"
    result = run("sheet", "GB-1", "-o", str(file))
    assert result.exit_code == 0, result.output
    assert file.read_bytes() == SHEET
    assert "'=1+1" in run("sheet", "GB-1").output
