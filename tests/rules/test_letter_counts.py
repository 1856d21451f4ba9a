"""Dead letters of webhooks and outboxes are counted over restarts."""

from pathlib import Path

import pytest

from runtime.metrics import DEAD_LETTERS
from runtime.records import OutputRecord
from runtime.settings import Settings
from services.shop_bridge.edge.letter_counts import LABELS, LetterCounts
from services.shop_bridge.edge.publisher import Publisher
from services.shop_bridge.rules.unusable import Left

LEFT = Left("order-1", "unreadable")


@pytest.fixture(autouse=True)
def _nothing_shown() -> None:
    """The counter is the process's."""
    DEAD_LETTERS.clear()


def webhook(publisher: Publisher) -> OutputRecord:
    """The dead letter of a body that can't be read."""
    return publisher.dead_webhook("shop", b"{", 0, "shop/orders/create/1", "no JSON", LEFT)


def shown() -> dict[str, float]:
    """The counter, by topic and reason."""
    return {
        f"{sample.labels['topic']}/{sample.labels['reason']}": sample.value
        for metric in DEAD_LETTERS.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.labels["processor"] == LABELS[0]
    }


def test_counts_go_on_after_a_restart(tmp_path: Path) -> None:
    publisher = Publisher(Settings(topic_prefix="p."), 1)
    for _ in range(2):
        counts = LetterCounts(tmp_path, "p.")
        counts.load()
        counts.add([webhook(publisher), webhook(publisher)])
        DEAD_LETTERS.clear()
    again = LetterCounts(tmp_path, "p.")
    again.load()
    assert shown() == {"webhooks/shop/unreadable": 4}


@pytest.mark.parametrize("content", ["", "[1]", '{"a": "b"}', "null", '{"a": null}', "\xff"])
def test_a_garbled_file_begins_anew(content: str, tmp_path: Path) -> None:
    path = tmp_path / "shop_bridge" / "dead-letters.json"
    path.parent.mkdir()
    path.write_bytes(content.encode("latin-1"))
    counts = LetterCounts(tmp_path, "")
    counts.load()
    counts.add([webhook(Publisher(Settings(), 1))])
    assert shown() == {"webhooks/shop/unreadable": 1}


def test_a_disk_that_takes_nothing_costs_no_webhook(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    counts = LetterCounts(file, "")
    counts.load()
    counts.add([webhook(Publisher(Settings(), 1))])
    assert shown() == {"webhooks/shop/unreadable": 1}
