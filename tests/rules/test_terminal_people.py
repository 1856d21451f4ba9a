"""``jointbuy export-person``: which persons are asked for, and what is written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from typer.testing import CliRunner, Result

from terminal import api
from terminal.__main__ import app

NOTHING: dict[str, Any] = {
    "address": None,
    "seller": None,
    "groups": [],
    "reservations": [],
    "letters": [],
    "unsubscribed": [],
}
KNOWN = {
    "m-ann": NOTHING | {"person_id": "m-ann", "address": {"email": "ann@x.example"}},
    "acme:ann": NOTHING | {"person_id": "acme:ann", "letters": [{"notice_id": "n-1"}]},
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Method and path of each request; each is answered as the storefront does."""
    requests: list[str] = []
    monkeypatch.setenv("JOINTBUY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("JOINTBUY_KEY", "key")

    def handler(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1")
        requests.append(f"{request.method} {path}")
        if path == "/people/search":
            is_anns = json.loads(request.content) == {"email": "ann@x.example"}
            found = [{"person_id": each} for each in KNOWN] if is_anns else []
            return httpx.Response(200, json={"items": found, "cursor": None})
        if path.startswith("/people/rival:"):
            said = {
                "type": "/problems/not-allowed",
                "detail": "a shop's key is not for this person",
            }
            return httpx.Response(403, json=said | {"status": 403, "code": "person-of-other"})
        person_id = path.split("/")[2]
        return httpx.Response(200, json=KNOWN.get(person_id, NOTHING | {"person_id": person_id}))

    transport = httpx.MockTransport(handler)
    made = httpx.Client
    with patch.object(api.httpx, "Client", lambda **said: made(transport=transport, **said)):
        yield requests


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("wanted", "requests", "told"),
    [
        ("acme:ann", ["GET /people/acme:ann/data"], ["acme:ann"]),
        (
            "ann@x.example",
            ["POST /people/search", "GET /people/m-ann/data", "GET /people/acme:ann/data"],
            ["m-ann", "acme:ann"],
        ),
    ],
)
def test_an_id_is_one_person_and_an_address_is_all_of_its_mailbox(
    asked: list[str], wanted: str, requests: list[str], told: list[str]
) -> None:
    result = run("export-person", wanted)
    assert result.exit_code == 0, result.output
    assert asked == requests
    assert [each["person_id"] for each in json.loads(result.stdout)] == told


@pytest.mark.parametrize("wanted", ["m-nobody", "bob@x.example"])
def test_of_whom_nothing_is_kept_is_an_error(asked: list[str], wanted: str, tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    result = run("export-person", wanted, "-o", str(file))
    assert (result.exit_code, file.exists()) == (1, False)
    assert f"nothing is kept about a person with the id or address {wanted}" in result.stderr


def test_the_data_goes_to_a_file(asked: list[str], tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    result = run("export-person", "m-ann", "-o", str(file))
    assert result.stdout == f"{file}: 1 person\n"
    assert json.loads(file.read_text()) == [KNOWN["m-ann"]]


def test_another_shop_s_person_is_refused_with_the_next_step(asked: list[str]) -> None:
    result = run("export-person", "rival:ann")
    assert result.exit_code == 1
    assert "JOINTBUY_KEY" in result.stderr
