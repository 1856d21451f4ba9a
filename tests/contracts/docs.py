"""Writes what the documents show of the code: ``python -m tests.contracts.docs``."""

import re
from datetime import UTC, datetime
from pathlib import Path

from schemas.erasure import Kept, kept_after
from tests.contracts.folders import ROOT, drawing
from tests.contracts.metrics_reference import metrics_reference
from tests.contracts.settings_reference import settings_reference
from texts.erasure import told_of

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
DATA_PROTECTION = ROOT / "docs" / "data-protection.md"
SETTINGS = ROOT / "docs" / "settings.md"
METRICS = ROOT / "docs" / "metrics.md"
DRAWING = re.compile(r"(?<=<!-- made by make docs -->\n).*?(?=<!-- end -->)", re.DOTALL)


def generated_docs() -> dict[Path, str]:
    """Each document that is made from the code, in full."""
    architecture = ARCHITECTURE.read_text(encoding="utf-8")
    protection = DATA_PROTECTION.read_text(encoding="utf-8")
    return {
        ARCHITECTURE: DRAWING.sub(lambda _: f"{drawing()}\n", architecture),
        DATA_PROTECTION: DRAWING.sub(lambda _: f"{stays_table()}\n", protection),
        SETTINGS: settings_reference(),
        METRICS: metrics_reference(),
    }


def stays_table() -> str:
    """What stays after a seller's erasure, the longest list, as a table."""
    at = datetime(2026, 1, 1, tzinfo=UTC)

    def row(kept: Kept) -> str:
        told = told_of(kept)
        end = f"{(kept.until - at).days} days" if kept.until else told.end
        return f"| {told.what} | {told.why} | {end} |"

    found = kept_after("seller:nord", at, dead_letter_days=None, is_log_time=False)
    return "\n".join(["| what | why | until |", "|---|---|---|", *map(row, found)])


def main() -> None:
    """Write those that are stale."""
    for path, text in generated_docs().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
