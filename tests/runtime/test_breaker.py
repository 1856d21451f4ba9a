"""When a server that is down may be asked again, and who of those that wait asks."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from runtime.breaker import PAUSES, STRIKES_MAX, Breaker
from runtime.servers import TOLD_SECONDS, Servers

Step = Callable[[Breaker], Breaker]


def down(now: float, *, is_probe: bool = False, seconds: float = 0.0) -> Step:
    return lambda breaker: breaker.down(now, "refused", seconds, is_probe=is_probe)


def strained(now: float, *, is_probe: bool = False, seconds: float = 0.0) -> Step:
    return lambda breaker: breaker.strained(now, "no answer", seconds, is_probe=is_probe)


def untold(*, is_probe: bool) -> Step:
    return lambda breaker: breaker.untold(is_probe=is_probe)


begun: Step = Breaker.begun
up: Step = Breaker.up
FIRST, SECOND, CAP = PAUSES[0], PAUSES[1], PAUSES[-1]

#: What happened, and whether a call may begin at which time.
TABLE: list[tuple[str, list[Step], float, str]] = [
    ("nothing yet", [], 0, "yes"),
    ("an answer", [begun, up], 0, "yes"),
    ("down", [begun, down(10)], 10, "no"),
    ("down, just before its time", [down(10)], 10 + FIRST - 0.01, "no"),
    ("down, at its time", [down(10)], 10 + FIRST, "probe"),
    ("another finds out already", [down(10), begun], 10 + FIRST, "no"),
    ("it found out that it is down", [down(10), begun, down(12, is_probe=True)], 13, "no"),
    (
        "the second pause is longer",
        [down(10), begun, down(12, is_probe=True)],
        12 + SECOND,
        "probe",
    ),
    ("it found out that it is back", [down(10), begun, up], 12, "yes"),
    ("it was called away", [down(10), begun, untold(is_probe=True)], 12, "probe"),
    ("another was called away", [down(10), begun, untold(is_probe=False)], 12, "no"),
    ("one that began before is refused too", [down(10), down(11)], 10 + FIRST, "probe"),
    ("one that began before got through", [down(10), up], 10, "yes"),
    ("one that began before, late", [down(10), begun, down(12)], 12 + SECOND, "no"),
    ("after it was back it begins with short pauses",
     [down(10), begun, down(12, is_probe=True), up, down(50)], 50 + FIRST, "probe"),
    ("a longer rest was asked for", [down(10, seconds=900)], 909, "no"),
    ("a longer rest is over", [down(10, seconds=900)], 910, "probe"),
    ("one that began before asks for a longer rest", [down(10), down(11, seconds=900)], 910, "no"),
    ("a shorter rest shortens nothing", [down(10, seconds=0.1)], 10.2, "no"),
    ("one without an answer may be that call's", [strained(10)], 10, "yes"),
    ("the last but one of some in a row", [strained(10)] * (STRIKES_MAX - 1), 10, "yes"),
    ("some in a row", [strained(10)] * STRIKES_MAX, 10, "no"),
    ("an answer in between", [*[strained(10)] * (STRIKES_MAX - 1), up, strained(11)], 11, "yes"),
    ("a daily limit shuts at once", [strained(10, seconds=900)], 900, "no"),
    ("and is over", [strained(10, seconds=900)], 910, "probe"),
    ("no answer while it finds out", [down(10), begun, strained(12, is_probe=True)], 14, "no"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "steps", "now", "turn"), TABLE, ids=[f"{each[0]}-{each[3]}" for each in TABLE]
)
def test_who_may_begin(what: str, steps: list[Step], now: float, turn: str) -> None:
    breaker = Breaker()
    for step in steps:
        breaker = step(breaker)
    assert breaker.turn(now) == turn


def test_pauses_grow_to_some_minutes_and_not_further() -> None:
    breaker, now, pauses = Breaker(), 0.0, []
    for _ in range(20):
        breaker = breaker.begun().down(now, "refused", is_probe=breaker.is_shut)
        pauses.append(breaker.next_at - now)
        now = breaker.next_at
    assert tuple(pauses[: len(PAUSES)]) == PAUSES
    assert sorted(pauses) == pauses
    assert set(pauses[len(PAUSES) :]) == {CAP}
    assert 60 <= CAP <= 300
    assert breaker.since == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["down", "strained", "up", "untold", "wait"]), st.booleans())
    )
)
def test_at_most_one_call_finds_out_and_never_for_ever(happened: list[tuple[str, bool]]) -> None:
    breaker, now, probing = Breaker(), 0.0, False
    for what, is_probe in happened:
        is_its = is_probe and probing
        match what:
            case "down":
                breaker = breaker.down(now, "x", is_probe=is_its)
            case "strained":
                breaker = breaker.strained(now, "x", is_probe=is_its)
            case "up":
                breaker = breaker.up()
            case "untold":
                breaker = breaker.untold(is_probe=is_its)
            case _:
                now += 1.0
        if is_its or what == "up":
            probing = False
        if (turn := breaker.turn(now)) == "probe":
            assert not probing
            breaker, probing = breaker.begun(), True
            assert breaker.turn(now + 1e9) == "no"
        elif turn == "no" and not breaker.is_probing:
            assert breaker.turn(now + CAP) == "probe"


def test_the_log_says_when_a_server_goes_once_a_minute_and_when_it_is_back() -> None:
    now = 100.0
    servers, shut = Servers("notifier-letters", lambda: now), []
    servers.on_shut.add(shut.append)
    with capture_logs() as logs:
        for _ in range(50):
            servers.down("mail server", "connect: refused", 0, is_probe=False)
        servers.tell()
        assert [each["event"] for each in logs] == ["a server is down: calls wait"]
        assert shut == ["mail server"]
        for _ in range(8 * int(TOLD_SECONDS)):
            now += 0.25
            servers.tell()
        assert [each["event"] for each in logs[1:]] == ["still down: calls wait"] * 2
        assert logs[-1]["error"] == "connect: refused"
        assert servers.notes() == [
            "mail server: down for 120 s: connect: refused; the next try is in 0 s"
        ]
        assert servers.begin("mail server")
        servers.up("mail server")
        servers.up("mail server")
    assert (logs[-1]["event"], logs[-1]["seconds"]) == ("a server is back", 120)
    assert len(logs) == 4
    assert servers.notes() == []


def test_without_its_setting_nothing_is_tried_and_that_is_said_once() -> None:
    servers = Servers("notifier-letters")
    with capture_logs() as logs:
        for _ in range(5):
            servers.lacks("mail server", "SMTP_HOST")
            assert servers.turn("mail server") == "no"
    assert [each["event"] for each in logs] == [
        "no call is made until SMTP_HOST is set: calls are kept"
    ]
    assert servers.notes() == ["mail server: SMTP_HOST is not set"]
    servers.lacks("mail server", "")
    assert servers.turn("mail server") == "yes"
