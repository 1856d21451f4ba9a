"""The storefront's HTTP API as commands ask it: where it is, with which key, and till when.

A command carries an ``Idempotency-Key``, so that it is asked again when its answer was lost, and
still happens once.
"""

import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import typer

from runtime.private_files import goes_in_clear
from runtime.running_stack import ADMIN_KEY_FILE, home_folder, read_running
from terminal.console import Mistake, print_json, waiting

#: So much of a list at once.
PAGE = 100
PREFIX = "/api/v1"
PATIENCE_SECONDS = 60.0
CONNECT_SECONDS = 5.0
#: The storefront itself waits some seconds for an outcome before it answers.
ANSWER_SECONDS = 30.0
PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 2.0
#: Of what a lost answer can come to; 429 and 503 say when to come again.
TRY_AGAIN = frozenset({429, 502, 503, 504})
ONCE = {"header.Idempotency-Key": "--idempotency-key"}
_SET_KEY = "set JOINTBUY_KEY"


@dataclass(frozen=True)
class Place:
    """Where the API is, and the credential for it, if there is one."""

    url: str
    key: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


def place_of(url: str | None) -> Place:
    """The address that is given, else that of the stack that runs here.

    The key is JOINTBUY_KEY, else the admin's of the stack here, which no other place is told.
    """
    home = home_folder()
    running = read_running(home)
    web = {worker.service: worker.web for worker in running.workers} if running else {}
    here = web.get("storefront")
    if url is None and here is None:
        raise Mistake("no storefront runs here: run `jointbuy up`, or set JOINTBUY_URL")
    address = (url or here or "").rstrip("/")
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise Mistake(f"{address} is no address: write http://… or https://…", usage=True)
    key = os.environ.get("JOINTBUY_KEY", "").strip()
    if not key and address == here:
        key = _key_of(home / ADMIN_KEY_FILE)
    if not re.fullmatch(r"[!-~]*", key):
        raise Mistake("JOINTBUY_KEY holds characters that no key has: copy it anew", usage=True)
    if key and goes_in_clear(address):
        raise Mistake(
            f"the key would go to {address} unencrypted: write https://…, or unset JOINTBUY_KEY",
            usage=True,
        )
    return Place(address, key or None)


def _key_of(path: os.PathLike[str]) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


class Refused(Mistake):
    """What the API did not do, in lines; ``document`` is its problem (RFC 9457)."""

    def __init__(self, status: int, document: Mapping[str, Any], *lines: str) -> None:
        super().__init__(*lines, usage=status == 400)
        self.status = status
        self.document = document


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    body: Any
    location: str

    @property
    def is_final(self) -> bool:
        """Whether the outcome is there; else ``location`` is where to look."""
        return self.status != 202


@contextmanager
def connected(
    url: str | None, *, as_json: bool = False, patience: float = PATIENCE_SECONDS
) -> Iterator["Api"]:
    """The API, for one command; what rules refuse is a fact that is printed with ``--json``."""
    with Api(place_of(url), patience) as api:
        try:
            yield api
        except Refused as refused:
            if not as_json or refused.status not in (409, 422):
                raise
            print_json(refused.document)
            raise typer.Exit(1) from None


class Api:
    """Asks the API, again and again if answers are lost, until the patience is over."""

    def __init__(self, place: Place, patience: float = PATIENCE_SECONDS) -> None:
        self.place = place
        self.patience = patience
        self._ends = time.monotonic() + patience
        self._client = httpx.Client(
            base_url=place.url + PREFIX,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        )

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def begin_anew(self) -> None:
        """Have the patience of one command for the next of many requests."""
        self._ends = time.monotonic() + self.patience

    # --- asking ----------------------------------------------------------------------------------

    def get(self, path: str, key: str | None = None, **query: Any) -> Any:
        """What is shown there; ``key`` instead of the place's."""
        headers = Place(self.place.url, key).headers if key else self.place.headers
        request = self._client.build_request("GET", path, params=query, headers=headers)
        return self._answer(self._send(request, "try again"), {}).body

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """All that a list shows, page after page, each with the patience of one command."""
        cursor = None
        while True:
            self.begin_anew()
            page = self.get(path, limit=PAGE, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return

    def fetch(self, path: str, **query: Any) -> bytes:
        """A document that is shown there, as it is."""
        headers = self.place.headers
        request = self._client.build_request("GET", path, params=query, headers=headers)
        answer = self._send(request, "try again")
        if answer.is_success:
            return answer.content
        self._answer(answer, {})
        raise AssertionError("a refusal raises")

    def post(
        self,
        path: str,
        body: Any = None,
        said_by: Mapping[str, str] | None = None,
        *,
        once: str | None = None,
        instead: str = "",
        anonymous: bool = False,
    ) -> Answer:
        """Do something, once. ``said_by``: which option gives a field, as problems name it.

        ``once`` is its key; ``instead`` says how else the same has to be said by hand;
        ``anonymous`` leaves our credential out.
        """
        headers = {} if anonymous else self.place.headers
        headers = headers | {"Idempotency-Key": once or once_of(None)}
        again = f"say the same again with --idempotency-key {once}{instead}" if once else ""
        request = self._client.build_request("POST", path, json=body, headers=headers)
        answer = self._send(request, again or "say the same again, which does no harm")
        return self._answer(answer, {**ONCE, **(said_by or {})})

    def until(
        self, path: str, holds: Callable[[Any], bool], late: str, key: str | None = None
    ) -> Any:
        """What is shown there once it holds; ``late`` is said when that takes too long."""
        pause = PAUSE_SECONDS
        with waiting("waiting for the outcome"):
            while not holds(found := self.get(path.removeprefix(PREFIX), key)):
                if not self._pause(pause):
                    raise Mistake(f"not known within {self.patience:g} s, but it was sent: {late}")
                pause = min(pause * 1.5, PAUSE_SECONDS_MAX)
        return found

    def _send(self, request: httpx.Request, again: str) -> httpx.Response:
        lost, pause = False, PAUSE_SECONDS
        while True:
            answer, wait = None, pause
            try:
                answer = self._client.send(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if not lost:
                    raise Mistake(nobody_there(self.place)) from None
            except httpx.TransportError:
                lost = True
            if answer is not None:
                if answer.status_code not in TRY_AGAIN:
                    return answer
                lost = lost or answer.status_code in (502, 504)
                wait = _retry_after(answer) or pause
            if not self._pause(wait):
                if answer is not None and not lost:
                    return answer
                raise Mistake(
                    f"the answer of {self.place.url} was lost, so whether it was done is not"
                    f" known: {again}"
                )
            pause = min(pause * 1.5, PAUSE_SECONDS_MAX)

    def _pause(self, seconds: float) -> bool:
        """Wait so long, unless that is beyond our patience."""
        if time.monotonic() + seconds > self._ends:
            return False
        time.sleep(seconds)
        return True

    def _answer(self, answer: httpx.Response, said_by: Mapping[str, str]) -> Answer:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.is_success and body is not None:
            return Answer(answer.status_code, body, answer.headers.get("Location", ""))
        if not isinstance(body, dict) or "detail" not in body:
            raise Mistake(
                f"{self.place.url} does not answer as a storefront does ({answer.status_code}):"
                " see JOINTBUY_URL"
            )
        status = answer.status_code
        raise Refused(status, body, *lines_of(status, body, said_by, has_key=bool(self.place.key)))


def once_of(given: str | None) -> str:
    """The key under which a command happens once: the one given, else a random one."""
    return given or secrets.token_hex(16)


def segment(text: str) -> str:
    """An id in a path."""
    return quote(text, safe="")


def nobody_there(place: Place) -> str:
    """What is said when no connection can be made."""
    return f"no storefront answers at {place.url}: run `jointbuy up`, or set JOINTBUY_URL"


def _retry_after(answer: httpx.Response) -> float | None:
    told = answer.headers.get("Retry-After", "")
    return float(told) if re.fullmatch(r"[0-9]{1,6}", told) else None


# --- what is said of refusals --------------------------------------------------------------------


def lines_of(
    status: int, document: Mapping[str, Any], said_by: Mapping[str, str], *, has_key: bool
) -> list[str]:
    """A line for each problem, with the option that gives the field, and what to do."""
    detail = str(document["detail"])
    refused = "refused: " if status in (409, 422) else ""
    found = document.get("problems") or ()
    if found:
        return [
            f"{refused}{_named(str(each['field']), said_by)}: {each['problem']}" for each in found
        ]
    for field, option in said_by.items():
        # Words like product are no field's name here.
        if "_" not in field:
            continue
        detail = re.sub(rf"\b{re.escape(field)}\b(?! \()", f"{field} ({option})", detail, count=1)
    match status:
        case 401 if has_key:
            given = f"without it, {ADMIN_KEY_FILE} of the stack here is given"
            return [f"{detail}: see JOINTBUY_KEY; {given}"]
        case 401:
            return [f"{detail}: {_SET_KEY}"]
        case 403:
            mine = " to one that may" if has_key else ""
            return [f"{detail}: {_SET_KEY}{mine}; `jointbuy key --help` says how to get one"]
        case 429:
            return [f"too many requests: {detail}"]
    return [f"{refused}{detail}"]


def _named(field: str, said_by: Mapping[str, str]) -> str:
    """``members[2].email (--members-file)``: the option of the field, or of what it is part of."""
    part = re.sub(r"\[\d+\]", "", field)
    while part:
        if part in said_by:
            return f"{field.removeprefix('header.')} ({said_by[part]})"
        part = part.rpartition(".")[0]
    return field
