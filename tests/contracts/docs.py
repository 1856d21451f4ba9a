"""Writes what the documents show of the code: ``python -m tests.contracts.docs``."""

import re
from pathlib import Path

from tests.contracts.folders import ROOT, drawing
from tests.contracts.settings_reference import settings_reference

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
SETTINGS = ROOT / "docs" / "settings.md"
DRAWING = re.compile(r"(?<=<!-- made by make docs -->\n).*?(?=<!-- end -->)", re.DOTALL)


def generated_docs() -> dict[Path, str]:
    """Each document that is made from the code, in full."""
    architecture = ARCHITECTURE.read_text(encoding="utf-8")
    return {
        ARCHITECTURE: DRAWING.sub(lambda _: f"{drawing()}\n", architecture),
        SETTINGS: settings_reference(),
    }


def main() -> None:
    """Write those that are stale."""
    for path, text in generated_docs().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
