"""A cluster that others use, or used before: one line names all topics in the way."""

import pytest

from runtime.admin import not_ours

NEEDED = {"orders": 4, "payments": 4, "order_service-purchases-changelog": 4}
ALL = {**NEEDED, "clock": 1}
OTHERS = "jointbuy makes first: if another application uses them, set TOPIC_PREFIX"

CLUSTERS = [
    ("an empty one", {}, ""),
    ("one of others", {"carts": 12}, ""),
    ("ours", ALL, ""),
    ("ours of an earlier version", {"orders": 4, "clock": 1}, ""),
    ("ours while another process creates them", {"clock": 1}, ""),
    ("another's topic", {"orders": 4, "carts": 12},
     f"the broker has orders already, but no topic clock, which {OTHERS}"),
    ("another's topics with fewer", {"orders": 1, "payments": 4},
     "the broker has orders (1 partition, 4 are needed), payments already, but no topic clock"),
    ("all but the clock", NEEDED, "make clock with 1 partition too"),
    ("ours with fewer", {**ALL, "orders": 1, "payments": 2},
     "topic orders has 1 partition, but 4 are needed, topic payments has 2 partitions, but 4 are"),
    ("a clock of others", {"clock": 3}, "topic clock has 3 partitions, but 1 are needed: "),
]  # fmt: skip


@pytest.mark.parametrize(("what", "there", "said"), CLUSTERS, ids=[each[0] for each in CLUSTERS])
def test_topics_that_are_in_the_way_are_named_in_one_line(
    what: str, there: dict[str, int], said: str
) -> None:
    failure = not_ours(there, NEEDED, "clock")
    assert (failure is not None) is bool(said)
    assert said in str(failure or "")
    assert "\n" not in str(failure)
