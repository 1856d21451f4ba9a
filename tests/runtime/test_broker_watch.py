"""What a process concludes from what the broker says of its topics, and what it tells of it."""

import asyncio

import pytest
from structlog.testing import capture_logs

from runtime.broker_watch import LASTING_EXIT_CODE, MISSING_SECONDS, BrokerWatch, Outage, Topics
from runtime.lasting_errors import LastingError
from runtime.ports import free_port
from runtime.settings import Settings

WANTED = {"orders": 4, "clock": 1}
ALL = dict(WANTED)
Look = tuple[float, dict[str, int], set[str]]
TOPICS: list[tuple[str, list[Look], str, list[str]]] = [
    ("all there", [(0, ALL, set())], "", []),
    ("others too", [(0, ALL | {"x": 9}, {"y"})], "", []),
    ("never there", [(0, {}, set()), (60, {"clock": 1}, set())], "", ["orders"]),
    ("there at last", [(0, {}, set()), (60, ALL, set())], "", []),
    ("gone for a moment", [(0, ALL, set()), (2, {"clock": 1}, set()), (4, ALL, set())], "", []),
    ("gone, just not for long",
     [(0, ALL, set()), (2, {"clock": 1}, set()), (1.9 + MISSING_SECONDS, {"clock": 1}, set())],
     "", ["orders"]),
    ("gone", [(0, ALL, set()), (2, {"clock": 1}, set()), (2 + MISSING_SECONDS, {}, set())],
     "topic orders is gone", []),
    ("gone twice for a moment",
     [(0, ALL, set()), (2, {}, set()), (9, ALL, set()), (11, {}, set()), (14, ALL, set())], "", []),
    ("fewer partitions", [(0, ALL | {"orders": 1}, set())],
     "topic orders has 1 partition, but 4 are needed: ", []),
    ("more partitions", [(0, ALL, set()), (2, ALL | {"orders": 8}, set())],
     "topic orders has 8 partitions, but 4", []),
    ("both with others", [(0, {"orders": 1, "clock": 3}, set())],
     "topic orders has 1 partition, but 4 are needed, topic clock has 3 partitions, but 1 are", []),
    ("back with fewer", [(0, ALL, set()), (2, {}, set()), (4, ALL | {"clock": 3}, set())],
     "topic clock has 3 partitions, but 1", []),
    ("refused", [(0, {"clock": 1}, {"orders"})], "refuses access to a topic (orders)", []),
    ("refused later", [(0, ALL, set()), (2, {"orders": 4}, {"clock"})],
     "refuses access to a topic (clock)", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "looks", "error", "missing"), TOPICS, ids=[each[0] for each in TOPICS]
)
def test_topics_are_judged_by_what_is_seen_of_them(
    what: str, looks: list[Look], error: str, missing: list[str]
) -> None:
    topics = Topics(WANTED)
    told = [topics.look(found, refused, now) for now, found, refused in looks]
    assert not any(told[:-1]), "at the last look, not before"
    if error:
        assert error in str(told[-1])
        assert len(str(told[-1]).splitlines()) == 1
        return
    assert told[-1] is None
    assert topics.missing == missing


def test_an_outage_is_told_once_then_once_a_minute_then_once() -> None:
    outage = Outage("broker:9092")
    with capture_logs() as logs:
        outage.back(0.0)
        for tenth in range(1_500):
            outage.away(ConnectionError("no"), tenth / 10)
        outage.back(150.0)
        outage.back(151.0)
    assert [(each["event"].split(":")[0], each["seconds"]) for each in logs] == [
        ("the broker does not answer", 0),
        ("the broker still does not answer", 60),
        ("the broker still does not answer", 120),
        ("the broker answers again", 150),
    ]


async def test_a_process_whose_broker_is_away_says_so_and_goes_on_waiting() -> None:
    settings = Settings(kafka_bootstrap_servers=f"127.0.0.1:{free_port()}")
    watch = BrokerWatch(settings, WANTED)
    assert "no broker answers" in watch.unready(), "it has not looked yet"
    with capture_logs() as logs:
        assert not await watch.look()
        assert not await watch.look()
    assert settings.kafka_bootstrap_servers in watch.unready()
    assert [each["event"] for each in logs if each["log_level"] == "warning"] == [
        "the broker does not answer: check KAFKA_BOOTSTRAP_SERVERS"
    ]
    waiting = asyncio.create_task(watch.until_there())
    stopping = asyncio.Event()
    stopping.set()
    await asyncio.wait_for(watch.until_there(stopping), 30)
    assert not waiting.done()
    watch.give_up(LastingError("a disk is full: make room"))
    await asyncio.wait_for(waiting, 30)
    assert "a disk is full" in watch.unready()


ENDS = [
    (LastingError("a disk is full: make room"), LASTING_EXIT_CODE, False),
    (ValueError("a bug"), 1, True),
]


@pytest.mark.parametrize(("error", "code", "with_traceback"), ENDS)
def test_the_last_line_of_a_process_says_why_it_ends(
    error: Exception, code: int, with_traceback: bool
) -> None:
    watch = BrokerWatch(Settings(), WANTED)
    watch.exit_if_failed()
    watch.give_up(error)
    watch.give_up(ValueError("a consequence"))
    with capture_logs() as logs, pytest.raises(SystemExit) as end:
        watch.exit_if_failed()
    assert end.value.code == code
    (line,) = logs
    assert (line["event"], line["error"]) == ("the worker stops", str(error))
    assert bool(line["exc_info"]) == with_traceback
