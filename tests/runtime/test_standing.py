"""When all is at rest, from looks at partitions of services that chain together."""

from typing import Any

import pytest

from stack.progress import Standing, left_outside


def at(position: int, answered_ms: int, *, idle: bool = True) -> dict[str, Any]:
    """What ``/status`` says of a partition."""
    return {
        "processor": "order_service-purchases",
        "partition": 0,
        "positions": {"orders": position},
        "answered_ms": answered_ms,
        "idle": idle,
    }


#: Looks at two partitions, one after the other, and at which of them all is at rest.
LOOKS: dict[str, tuple[list[list[dict[str, Any]] | None], list[bool]]] = {
    "answered twice more": (
        [[at(1, 10), at(1, 10)], [at(1, 20), at(1, 20)], [at(1, 30), at(1, 30)]],
        [False, False, True],
    ),
    "looked at thrice between two answers": (
        [[at(1, 10), at(1, 10)], [at(1, 20), at(1, 10)], [at(1, 30), at(1, 10)]],
        [False, False, False],
    ),
    "a look too many changes nothing": (
        [[at(1, 10)], [at(1, 10)], [at(1, 20)], [at(1, 30)]],
        [False, False, False, True],
    ),
    "moved in between": (
        [[at(1, 10)], [at(1, 20)], [at(2, 30)], [at(2, 40)], [at(2, 50)]],
        [False, False, False, False, True],
    ),
    "busy in between": (
        [[at(1, 10)], [at(1, 20)], [at(1, 30, idle=False)], [at(1, 40)], [at(1, 50)], [at(1, 60)]],
        [False, False, False, False, False, True],
    ),
    "not there in between": (
        [[at(1, 10)], [at(1, 20)], None, [at(1, 40)], [at(1, 50)], [at(1, 60)]],
        [False, False, False, False, False, True],
    ),
    "a partition more than before": (
        [[at(1, 10)], [at(1, 20)], [at(1, 30), at(1, 30)], [at(1, 40), at(1, 40)]],
        [False, False, False, False],
    ),
    "nobody there": ([[], [], []], [False, False, False]),
}


@pytest.mark.parametrize("case", LOOKS)
def test_all_is_at_rest_when_nothing_moved_over_answers_of_the_broker(case: str) -> None:
    looks, expected = LOOKS[case]
    standing = Standing()
    assert [standing.look(each) for each in looks] == expected


def part(processor: str, calls: int, *waits_for: tuple[str, int, str]) -> dict[str, Any]:
    told = [{"server": server, "calls": n, "why": why} for server, n, why in waits_for]
    return {"processor": processor, "calls": calls, "waits_for": told}


DOWN = "down for 61 s: connect: refused; the next try is in 9 s"


@pytest.mark.parametrize(
    ("partitions", "lines"),
    [
        ([], []),
        ([{"processor": "order_service-purchases"}], []),
        ([part("notifier-letters", 0)], []),
        (
            [
                part("notifier-letters", 3_900, ("the mail server", 3_900, DOWN)),
                part("notifier-letters", 18, ("the mail server", 18, DOWN)),
            ],
            [f"notifier-letters: 3,918 wait for the mail server ({DOWN})"],
        ),
        (
            [part("notifier-letters", 5, ("the mail server", 4, "SMTP_HOST is not set"))],
            [
                "notifier-letters: 1 waits for its time, such as the next try",
                "notifier-letters: 4 wait for the mail server (SMTP_HOST is not set)",
            ],
        ),
        (
            [
                part("shop_bridge-instructions", 3, ("shop nord", 2, DOWN), ("shop sud", 1, "")),
                part("payment_service-payments", 1, ("Stripe", 1, DOWN)),
            ],
            [
                f"payment_service-payments: 1 waits for Stripe ({DOWN})",
                f"shop_bridge-instructions: 2 wait for shop nord ({DOWN})",
                "shop_bridge-instructions: 1 waits for shop sud",
            ],
        ),
    ],
)
def test_what_is_left_outside_is_told_with_how_many_there_are(
    partitions: list[dict[str, Any]], lines: list[str]
) -> None:
    assert left_outside(partitions) == lines
