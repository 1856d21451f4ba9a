"""Writes the secrets of docker-compose.yml that may have no default to ``.env``; keeps those there.

``python3 deploy/make_secrets.py`` needs nothing but Python. Run it again after an update: it adds
what is new.
"""

import os
import secrets
import sys
from pathlib import Path

NAMES = ("LINK_SECRET", "ADMIN_KEY", "POSTGRES_PASSWORD", "GRAFANA_PASSWORD", "KAFBAT_PASSWORD")
FILE = Path(__file__).resolve().parents[1] / ".env"


def add_to(file: Path) -> list[str]:
    """Add the secrets that the file lacks, readable only by its user; returns their names."""
    there = file.read_text(encoding="utf-8") if file.exists() else ""
    given = {
        name for name, is_set, _ in (line.partition("=") for line in there.splitlines()) if is_set
    }
    missing = [name for name in NAMES if name not in given]
    if there and not there.endswith("\n"):
        there += "\n"
    # Letters and digits only: one stands in a URL. 48 of them have 192 bits.
    text = there + "".join(f"{name}={secrets.token_hex(24)}\n" for name in missing)
    # A new file in its place: at no time are the secrets readable by others, or half written.
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
    fresh.replace(file)
    return missing


if __name__ == "__main__":
    made = add_to(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
    sys.stdout.write(f"made: {', '.join(made)}\n" if made else "all are there\n")
