"""How the terminal asks the API, without one: where, by which key, how often, and what it says."""

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent

from runtime.running_stack import ADMIN_KEY_FILE, Running, RunningWorker
from schemas.api.auctions import AuctionDetail, AuctionView
from schemas.api.groups import GroupProgress, GroupView, TableRow
from schemas.api.payments import PaymentDetail, PaymentView
from schemas.api.sellers import SellerView
from schemas.api.todos import TodoView
from schemas.parts import Model
from services.storefront.api import document
from terminal import api, watch
from terminal.api import Api, Place, Refused, lines_of, place_of
from terminal.console import Mistake
from terminal.watched import Watched

HERE = "http://127.0.0.1:8080"


# --- where, and by which key ---------------------------------------------------------------------


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOINTBUY_HOME", str(tmp_path))
    monkeypatch.delenv("JOINTBUY_KEY", raising=False)
    return tmp_path


def runs_from(home: Path) -> None:
    Running(
        supervisor_pid=os.getpid(),
        broker="embedded",
        broker_pid=None,
        bootstrap_servers="127.0.0.1:1",
        transactions=False,
        clock="wall",
        topic_prefix="",
        workers=[RunningWorker(service="storefront", ops="http://127.0.0.1:9", web=HERE)],
    ).write(home)
    (home / ADMIN_KEY_FILE).write_text("admin's-key\n")


def test_without_an_address_the_stack_here_is_asked_as_its_admin(home: Path) -> None:
    with pytest.raises(Mistake, match="run `jointbuy up`, or set JOINTBUY_URL"):
        place_of(None)
    runs_from(home)
    assert place_of(None) == Place(HERE, "admin's-key")
    assert place_of(f"{HERE}/") == Place(HERE, "admin's-key")


def test_no_other_place_is_told_the_key_of_the_stack_here(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_from(home)
    other = "https://jointbuy.example"
    assert place_of(other) == Place(other)
    monkeypatch.setenv("JOINTBUY_KEY", "jb_1_2")
    assert place_of(other) == Place(other, "jb_1_2")
    assert place_of(None) == Place(HERE, "jb_1_2")


@pytest.mark.parametrize("address", ["jointbuy.example", "ftp://jointbuy.example", "http://"])
def test_an_address_that_is_none_is_a_usage_mistake(address: str) -> None:
    with pytest.raises(Mistake, match="is not an address") as raised:
        place_of(address)
    assert raised.value.exit_code == 2


def test_a_key_that_can_be_no_header_is_a_usage_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTBUY_KEY", "jb_1\n_2é")
    with pytest.raises(Mistake, match="copy it again"):
        place_of(HERE)


# --- once, whatever is lost ----------------------------------------------------------------------

Handler = Callable[[httpx.Request], httpx.Response]


@contextmanager
def asked(handler: Handler, monkeypatch: pytest.MonkeyPatch, patience: float = 30) -> Iterator[Api]:
    """An API that is answered here; time passes by its pauses alone."""
    clock = 0.0

    def sleep(seconds: float) -> None:
        nonlocal clock
        clock += seconds

    monkeypatch.setattr(api.time, "sleep", sleep)
    monkeypatch.setattr(api.time, "monotonic", lambda: clock)
    with Api(Place(HERE, "k"), patience) as client:
        client._client = httpx.Client(
            base_url=HERE + api.PREFIX, transport=httpx.MockTransport(handler)
        )
        yield client


@pytest.mark.slow
def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        match len(requests):
            case 1:
                raise httpx.ReadError("reset")
            case 2:
                raise httpx.ConnectError("refused")
            case 3:
                return httpx.Response(503, headers={"Retry-After": "3"}, json={"detail": "no"})
        return httpx.Response(201, json={"id": 1})

    with asked(handler, monkeypatch) as client:
        assert client.post("/orders", {"quantity": 1}, once="k" * 16).body == {"id": 1}
    assert {each.headers["Idempotency-Key"] for each in requests} == {"k" * 16}
    assert {each.content for each in requests} == {b'{"quantity":1}'}
    assert {each.headers["Authorization"] for each in requests} == {"Bearer k"}


def test_what_can_not_be_known_says_how_to_say_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late")

    with (
        asked(handler, monkeypatch) as client,
        pytest.raises(Mistake, match="repeat it with --idempotency-key abc and more"),
    ):
        client.post("/orders", {}, once="abc", instead=" and more")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["silent", "without its broker"])
def test_a_storefront_that_can_t_work_costs_seconds(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is silent is not asked again; one without its broker some times."""
    tries: list[float] = []

    def handler(_: httpx.Request) -> httpx.Response:
        tries.append(api.time.monotonic())
        if what == "silent":
            raise httpx.ReadTimeout("late")
        return httpx.Response(503, headers={"Retry-After": "3"}, json={"detail": "not now"})

    with asked(handler, monkeypatch, patience=60) as client, pytest.raises(Mistake):
        client.get("/auctions/a1")
    assert len(tries) == (1 if what == "silent" else 4)
    assert tries[-1] - tries[0] <= api.AWAY_SECONDS


def test_a_storefront_that_is_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late")

    with (
        asked(handler, monkeypatch) as client,
        pytest.raises(Mistake, match=f"^{HERE} does not answer: see `jointbuy status`$"),
    ):
        client.get("/auctions/a1")


def test_who_is_not_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with (
        asked(handler, monkeypatch) as client,
        pytest.raises(Mistake, match=f"^no storefront answers at {HERE}: run `jointbuy up`"),
    ):
        client.post("/orders", {})


@pytest.mark.slow
def test_an_outcome_is_looked_for_where_the_answer_says(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        looked.append(request.url.path)
        return httpx.Response(200, json={"group_id": "GB-1" if len(looked) > 2 else None})

    with asked(handler, monkeypatch) as client:
        place = f"{api.PREFIX}/requests/r1"
        assert client.until(place, lambda found: found["group_id"], "late")["group_id"] == "GB-1"
    assert looked == [place] * 3
    with (
        asked(handler, monkeypatch, patience=1) as client,
        pytest.raises(Mistake, match="no outcome within 1 s, but it was sent: ask why"),
    ):
        client.until("/requests/r1", lambda _: False, "ask why")


def test_a_page_that_is_no_storefront_s_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        return httpx.Response(404, text="<html>")

    with asked(handler, monkeypatch) as client, pytest.raises(Mistake, match="check JOINTBUY_URL"):
        client.get("/auctions/a1")


# --- refusals ------------------------------------------------------------------------------------

SAID_BY = {"members": "--member", "quantity": "--quantity", "seller_id": "--seller"}


def problems(*fields: str) -> dict[str, Any]:
    return {"detail": "no", "problems": [{"field": each, "problem": "is bad"} for each in fields]}


def test_every_problem_is_a_line_that_names_the_option() -> None:
    told = problems("quantity", "members[2].email", "header.Idempotency-Key", "other")
    assert lines_of(400, told, {**api.ONCE, **SAID_BY}, has_key=True) == [
        "quantity (--quantity): is bad",
        "members[2].email (--member): is bad",
        "Idempotency-Key (--idempotency-key): is bad",
        "other: is bad",
    ]
    assert lines_of(422, problems("quantity"), SAID_BY, has_key=True) == [
        "refused: quantity (--quantity): is bad"
    ]


@pytest.mark.parametrize(
    ("status", "detail", "has_key", "line"),
    [
        (401, "this needs a shop's key", False, "this needs a shop's key: set JOINTBUY_KEY"),
        (409, "the auction is over", True, "refused: the auction is over"),
        (422, "a quantity too large", True, "refused: a quantity too large"),
        (404, "no auction a1", True, "no auction a1"),
        (429, "try again in 5 s", True, "too many requests: try again in 5 s"),
    ],
)
def test_what_to_do_is_said(status: int, detail: str, has_key: bool, line: str) -> None:
    assert lines_of(status, {"detail": detail}, SAID_BY, has_key=has_key) == [line]


def test_keys_that_do_not_do_are_named() -> None:
    (wrong,) = lines_of(401, {"detail": "the key is not known"}, {}, has_key=True)
    assert wrong.startswith("the key is not known: check JOINTBUY_KEY")
    (other,) = lines_of(403, {"detail": "name seller_id"}, SAID_BY, has_key=True)
    assert other.startswith("name seller_id (--seller): set JOINTBUY_KEY to a key that may")


def test_only_what_is_not_as_documented_is_a_usage_mistake() -> None:
    assert [Refused(status, {}, "no").exit_code for status in (400, 401, 422)] == [2, 1, 1]


# --- what is shown -------------------------------------------------------------------------------

SHOWN: tuple[type[Model], ...] = (
    AuctionDetail,
    AuctionView,
    GroupView,
    PaymentDetail,
    PaymentView,
    SellerView,
    TableRow,
    TodoView,
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHOWN, ids=lambda kind: kind.__name__)
def test_what_the_terminal_reads_is_what_the_api_documents(kind: type[Model]) -> None:
    told = json.loads(bytes(document.answer().body))["components"]["schemas"][kind.__name__]
    assert list(kind.model_fields) == list(told["properties"])
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    assert set(needed) <= set(told["required"])


def test_an_event_of_a_group_is_a_part_of_its_page() -> None:
    assert set(GroupProgress.model_fields) <= set(GroupView.model_fields)


# --- streams -------------------------------------------------------------------------------------

FIRST = (
    b"retry: 2500\n\n: ping\n\nid: 1\ndata: {}\n\nid: 2\r\ndata:a\r\ndata: b \xe2\x80\xa8\r\n\r\n"
    b": ping\n\nid: 3\ndata: cut o"
)
AGAIN = b"retry: 20000\n\nid: 3\ndata: end\n\nid: 4\ndata: beyond\n\n"


class Pieces(httpx.AsyncByteStream):
    """A body that arrives in pieces of this size."""

    def __init__(self, body: bytes, size: int) -> None:
        self._pieces = [body[start : start + size] for start in range(0, len(body), size)]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def events(body: bytes, size: int) -> httpx.Response:
    kind = {"Content-Type": "text/event-stream; charset=utf-8"}
    return httpx.Response(200, headers=kind, stream=Pieces(body, size))


class Group(Watched):
    """Ends with the data ``end``."""

    def take(self, data: str, now: datetime) -> bool:
        self.status = "complete" if data == "end" else "open"
        return True


class Following:
    """Follows a group; keeps the ids that were asked after, the pauses and what was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: httpx.Response) -> None:
        self.after: list[str | None] = []
        self.pauses: list[float] = []
        self.told: list[tuple[str, str] | str] = []
        self._answers = iter(answers)
        monkeypatch.setattr(watch.asyncio, "sleep", self._sleep)

    async def follow(self, status: str) -> None:
        group = Group("GB-1", "/group", "tea", status, 0, 5, "", datetime.now(UTC), version=1)
        transport = httpx.MockTransport(self._answer)
        async with httpx.AsyncClient(base_url=HERE, transport=transport) as client:
            await watch._follow(client, group, self._tell)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.after.append(request.headers.get("Last-Event-ID"))
        return next(self._answers)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def _tell(self, of: Watched, event: ServerSentEvent | None, _: bool) -> None:
        self.told.append((event.id, event.data) if event else of.trouble)


SIZES = [1, 2, 7, len(FIRST)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_stream_goes_on_behind_its_last_event_however_it_is_cut(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = Following(
        monkeypatch,
        httpx.Response(503, headers={"Retry-After": "7"}),
        events(FIRST, size),
        httpx.Response(200, text="<html>"),
        events(AGAIN, size),
    )
    await following.follow("open")
    assert following.after == [None, None, "2", "2"]
    assert following.pauses == [14, 2.5, 5]
    assert following.told == [
        "no stream now (HTTP 503); trying again in 14 s",
        ("1", "{}"),
        ("2", "a\nb \u2028"),
        "the stream ended; trying again in 2.5 s",
        "the connection is lost (SSEError); trying again in 5 s",
        ("3", "end"),
    ]


@pytest.mark.parametrize("size", SIZES)
async def test_the_state_of_what_has_ended_is_told(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = Following(monkeypatch, events(AGAIN, size))
    await following.follow("complete")
    assert following.told == [("3", "end")]
