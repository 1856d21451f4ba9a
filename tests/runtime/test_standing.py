"""When all is at rest, from looks at partitions of services that chain together."""

from typing import Any

import pytest

from services.runtime.standing import Standing


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
