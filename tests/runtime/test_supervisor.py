"""When a service that ended is started again, and what is told of why it ended."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.lasting_errors import LASTING_EXIT_CODE
from runtime.running_stack import RunningWorker
from stack.last_words import last_error, last_words
from stack.supervisor import LASTING_SECONDS, Child, paid_back_at

WORDS = [
    ("JSON", b'{"event": "x"}\n{"event": "the worker stops", "error": "full: make room"}\n',
     "full: make room"),
    ("JSON without an error", b'{"event": "x"}\n', '{"event": "x"}'),
    ("plain", b"notifier: OPS_PORT: give a number\n", "notifier: OPS_PORT: give a number"),
    ("no line end", b"one\ntwo", "two"),
    ("empty lines after it", b"one\n\n\n", "one"),
    ("a list", b"[1]\n", "[1]"),
    ("nothing", b"", "its log is empty"),
    ("no UTF-8", b"caf\xe9\n", "caf\ufffd"),
    ("long before it", b"x" * 100_000 + b"\nlast\n", "last"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "log", "words"), WORDS, ids=[each[0] for each in WORDS])
def test_the_last_line_of_a_log_says_why(what: str, log: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    path.write_bytes(log)
    assert last_words(path) == words


ERRORS = [
    ("the error of the last bad line",
     b'{"level": "error", "event": "no", "error": "full: make room"}\n{"level": "info"}\n',
     "full: make room"),
    ("its event without one", b'{"level": "warning", "event": "the broker is away"}\n',
     "the broker is away"),
    ("plain", b"storefront: READS_PER_MINUTE: give a number\n",
     "storefront: READS_PER_MINUTE: give a number"),
    ("no trouble", b'{"level": "info", "event": "worker starts"}\n', ""),
    ("nothing", b"", ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "log", "said"), ERRORS, ids=[each[0] for each in ERRORS])
def test_a_log_tells_its_last_error(what: str, log: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    assert last_error(path) == "", "before it begins"
    path.write_bytes(log)
    assert last_error(path) == said
    assert last_error(path, len(log)) == "", "what was said before does not count"


def ended(tmp_path: Path, code: int, *, words: str = "full: make room") -> Child:
    """A service that has just ended."""
    log = tmp_path / "service.log"
    log.write_text(words + "\n")
    child = Child(RunningWorker(service="x", ops="http://127.0.0.1:1"), log)
    child.process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
    child.started_at = time.monotonic()
    child.process.wait()
    return child


ENDS = [
    ("killed by nobody", 1, "", 0.0),
    ("in order", 0, "", 0.0),
    ("what stays", LASTING_EXIT_CODE, "full: make room", LASTING_SECONDS),
]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "code", "stopped", "seconds"), ENDS, ids=[e[0] for e in ENDS])
def test_what_stays_is_tried_again_after_a_minute_and_told(
    what: str, code: int, stopped: str, seconds: float, tmp_path: Path
) -> None:
    child = ended(tmp_path, code)
    before = time.monotonic()
    assert child.died()
    assert child.worker.stopped == stopped
    assert child.worker.restarts == 1
    assert child.start_at - before == pytest.approx(seconds, abs=1.0)
    assert not child.died(), "it is told once"


def test_what_stays_is_not_tried_sooner_however_long_it_ran(tmp_path: Path) -> None:
    child = ended(tmp_path, LASTING_EXIT_CODE)
    child.started_at -= 3_600
    before = time.monotonic()
    assert child.died()
    assert child.start_at - before == pytest.approx(LASTING_SECONDS, abs=1.0)


PAID_BACK: list[tuple[str, object, str]] = [
    ("a shop with favors", [{"name": "kiosk", "favors": "code"}], "kiosk"),
    ("a till of one", [{"name": "kiosk.till-2", "favors": "code"}], "kiosk"),
    (
        "two and one without",
        [
            {"name": "b", "favors": "refund"},
            {"name": "a", "favors": "code"},
            {"name": "c", "favors": None},
            {"name": "d"},
        ],
        "a,b",
    ),
    ("none", [], ""),
    ("not a list", {"name": "kiosk"}, ""),
    ("a list of texts", ["kiosk"], ""),
    ("a name that is none", [{"name": 7, "favors": "code"}], ""),
]


@pytest.mark.parametrize("is_file", [False, True])
@pytest.mark.parametrize(("what", "shops", "ids"), PAID_BACK, ids=[each[0] for each in PAID_BACK])
def test_the_storefront_is_told_at_which_shops_is_paid_back(
    what: str, shops: object, ids: str, is_file: bool, tmp_path: Path
) -> None:
    text = json.dumps(shops)
    env = {"SHOPS": text}
    if is_file:
        (tmp_path / "shops.json").write_text(text)
        env = {"SHOPS_FILE": str(tmp_path / "shops.json")}
    assert paid_back_at(env) == ({"PAID_BACK_AT": ids} if ids else {})
    assert paid_back_at(env | {"PAID_BACK_AT": "x"}) == {}, "what is said stands"


@pytest.mark.parametrize("env", [{}, {"SHOPS": "["}, {"SHOPS_FILE": "/nowhere/shops.json"}])
def test_without_readable_shops_the_storefront_is_told_nothing(env: dict[str, str]) -> None:
    assert paid_back_at(env) == {}
