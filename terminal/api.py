"""The storefront's HTTP API for commands: its address, the key, and retries until a time limit.

A command has an ``Idempotency-Key``. So it is sent again if its answer was lost, and takes effect
once.
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

#: Items in one page of a list.
PAGE = 100
PREFIX = "/api/v1"
PATIENCE_SECONDS = 60.0
CONNECT_SECONDS = 5.0
#: The storefront itself waits some seconds for an outcome before it answers.
ANSWER_SECONDS = 15.0
#: How long a storefront is asked again while its broker or database is away.
AWAY_SECONDS = 10.0
PAUSE_SECONDS = 0.2
PAUSE_SECONDS_MAX = 2.0
#: Statuses after which a request is sent again; 429 and 503 have the time to wait.
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
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


def place_of(url: str | None) -> Place:
    """The given address, else the local stack's.

    The key is JOINTBUY_KEY, else the local stack's admin key, which goes to no other address.
    """
    home = home_folder()
    running = read_running(home)
    web = {worker.service: worker.web for worker in running.workers} if running else {}
    here = web.get("storefront")
    if url is None and here is None:
        raise Mistake("no storefront runs here: run `jointbuy up`, or set JOINTBUY_URL")
    address = (url or here or "").rstrip("/")
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise Mistake(f"{address} is not an address: write http://… or https://…", usage=True)
    key = os.environ.get("JOINTBUY_KEY", "").strip()
    if not key and address == here:
        key = _key_of(home / ADMIN_KEY_FILE)
    if not re.fullmatch(r"[!-~]*", key):
        raise Mistake("JOINTBUY_KEY has characters that no key has: copy it again", usage=True)
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
    """A refusal of the API, in lines; ``document`` is its problem (RFC 9457)."""

    def __init__(self, status: int, document: Mapping[str, Any], *lines: str) -> None:
        super().__init__(*lines, usage=status == 400)
        self.status = status
        self.document = document


@dataclass(frozen=True)
class Answer:
    """An answer of the API."""

    status: int
    body: Any
    location: str

    @property
    def is_final(self) -> bool:
        """Whether the outcome is known; else ``location`` is where to look."""
        return self.status != 202


@contextmanager
def connected(
    url: str | None, *, as_json: bool = False, patience: float = PATIENCE_SECONDS
) -> Iterator["Api"]:
    """The API, for one command. With ``--json`` a refusal by rules is printed as JSON."""
    with Api(place_of(url), patience) as api:
        try:
            yield api
        except Refused as refused:
            if not as_json or refused.status not in (409, 422):
                raise
            print_json(refused.document)
            raise typer.Exit(1) from None


class Api:
    """Sends requests, again if answers are lost, for ``patience`` seconds."""

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
        """Start the time limit again, for the next of many requests."""
        self._ends = time.monotonic() + self.patience

    # --- asking ----------------------------------------------------------------------------------

    def get(self, path: str, key: str | None = None, **query: Any) -> Any:
        """The JSON at a path; ``key`` replaces the place's."""
        headers = Place(self.place.url, key).headers if key else self.place.headers
        request = self._client.build_request("GET", path, params=query, headers=headers)
        return self._answer(self._send(request, "try again"), {}).body

    def pages(self, path: str, **query: Any) -> Iterator[Any]:
        """All items of a list, page by page; the time limit starts again for each."""
        cursor = None
        while True:
            self.begin_anew()
            page = self.get(path, limit=PAGE, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return

    def fetch(self, path: str, **query: Any) -> bytes:
        """The bytes of a document."""
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
        """Send a command that takes effect once. ``said_by`` maps fields to options, for problems.

        ``once`` is the idempotency key; ``instead`` has options that a repeat by hand needs;
        ``anonymous`` leaves our credential out.
        """
        headers = {} if anonymous else self.place.headers
        headers = headers | {"Idempotency-Key": once or once_of(None)}
        again = f"repeat it with --idempotency-key {once}{instead}" if once else ""
        request = self._client.build_request("POST", path, json=body, headers=headers)
        answer = self._send(request, again or "repeat it, which does no harm")
        return self._answer(answer, {**ONCE, **(said_by or {})})

    def put(self, path: str, body: Any, said_by: Mapping[str, str] | None = None) -> Answer:
        """Replace what stands at a path. ``said_by`` maps fields to options, for problems."""
        headers = self.place.headers
        request = self._client.build_request("PUT", path, json=body, headers=headers)
        return self._answer(self._send(request, "repeat it, which does no harm"), said_by or {})

    def upload(self, path: str, file: bytes) -> Answer:
        """Send a file."""
        headers = self.place.headers | {"Content-Type": "application/octet-stream"}
        request = self._client.build_request("POST", path, content=file, headers=headers)
        return self._answer(self._send(request, "repeat it, which does no harm"), {})

    def until(
        self, path: str, holds: Callable[[Any], bool], late: str, key: str | None = None
    ) -> Any:
        """The JSON at a path once it ``holds``; ``late`` is in the error if that takes too long."""
        pause = PAUSE_SECONDS
        with waiting("waiting for the outcome"):
            while not holds(found := self.get(path.removeprefix(PREFIX), key)):
                if not self._pause(pause):
                    raise Mistake(f"no outcome within {self.patience:g} s, but it was sent: {late}")
                pause = min(pause * 1.5, PAUSE_SECONDS_MAX)
        return found

    def _send(self, request: httpx.Request, again: str) -> httpx.Response:
        lost, pause, ends = False, PAUSE_SECONDS, self._ends
        while True:
            answer, wait = None, pause
            try:
                answer = self._client.send(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if not lost:
                    raise Mistake(nobody_there(self.place)) from None
            except httpx.TransportError as error:
                lost = True
                if isinstance(error, httpx.TimeoutException):
                    ends = time.monotonic()
            if answer is not None:
                if answer.status_code not in TRY_AGAIN:
                    return answer
                lost = lost or answer.status_code in (502, 504)
                if answer.status_code == 503:
                    ends = min(ends, time.monotonic() + AWAY_SECONDS)
                wait = _retry_after(answer) or pause
            if not self._pause(wait, ends):
                if answer is not None and not lost:
                    return answer
                if request.method == "GET":
                    raise Mistake(f"{self.place.url} does not answer: see `jointbuy status`")
                raise Mistake(
                    f"the answer of {self.place.url} was lost, so the outcome is unknown: {again}"
                )
            pause = min(pause * 1.5, PAUSE_SECONDS_MAX)

    def _pause(self, seconds: float, ends: float | None = None) -> bool:
        """Wait, unless that would pass the time limit."""
        if time.monotonic() + seconds >= (self._ends if ends is None else ends):
            return False
        time.sleep(seconds)
        return True

    def _answer(self, answer: httpx.Response, said_by: Mapping[str, str]) -> Answer:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if answer.status_code == httpx.codes.NO_CONTENT:
            return Answer(answer.status_code, None, "")
        if answer.is_success and body is not None:
            return Answer(answer.status_code, body, answer.headers.get("Location", ""))
        if not isinstance(body, dict) or "detail" not in body:
            raise Mistake(
                f"{self.place.url} is not a storefront (HTTP {answer.status_code}): check"
                " JOINTBUY_URL"
            )
        status = answer.status_code
        raise Refused(status, body, *lines_of(status, body, said_by, has_key=bool(self.place.key)))


def once_of(given: str | None) -> str:
    """The given idempotency key, else a random one."""
    return given or secrets.token_hex(16)


def segment(text: str) -> str:
    """An id in a path."""
    return quote(text, safe="")


def nobody_there(place: Place) -> str:
    """The error if no connection can be made."""
    return f"no storefront answers at {place.url}: run `jointbuy up`, or set JOINTBUY_URL"


def _retry_after(answer: httpx.Response) -> float | None:
    told = answer.headers.get("Retry-After", "")
    return float(told) if re.fullmatch(r"[0-9]{1,6}", told) else None


# --- refusals in words ---------------------------------------------------------------------------


def lines_of(
    status: int, document: Mapping[str, Any], said_by: Mapping[str, str], *, has_key: bool
) -> list[str]:
    """A line for each problem, with the field's option and the next step."""
    detail = str(document["detail"])
    refused = "refused: " if status in (409, 422) else ""
    found = document.get("problems") or ()
    if found:
        return [
            f"{refused}{_with_option(str(each['field']), said_by)}: {each['problem']}"
            for each in found
        ]
    for field, option in said_by.items():
        # A word such as "product" is not the field's name here.
        if "_" not in field:
            continue
        detail = re.sub(rf"\b{re.escape(field)}\b(?! \()", f"{field} ({option})", detail, count=1)
    match status:
        case 401 if has_key:
            instead = f"without it, the key in {ADMIN_KEY_FILE} of the local stack is used"
            return [f"{detail}: check JOINTBUY_KEY; {instead}"]
        case 401:
            return [f"{detail}: {_SET_KEY}"]
        case 403:
            other = " to a key that may" if has_key else ""
            return [f"{detail}: {_SET_KEY}{other}; `jointbuy key --help` tells how to get one"]
        case 429:
            return [f"too many requests: {detail}"]
    look = "; `jointbuy status` may say why" if status == 503 else ""
    return [f"{refused}{detail}{look}"]


def _with_option(field: str, said_by: Mapping[str, str]) -> str:
    """``members[2].email (--members-file)``: the option of the field or of its parent."""
    part = re.sub(r"\[\d+\]", "", field)
    while part:
        if part in said_by:
            return f"{field.removeprefix('header.')} ({said_by[part]})"
        part = part.rpartition(".")[0]
    return field
