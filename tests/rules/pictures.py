"""Renders two letters with Chromium, light and dark, to docs/letters.

Run by ``make letters-pictures``; as root on Debian it installs Chromium and fonts where they miss.
"""

import html
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import debian
from tests.rules.letter_samples import parts, read, samples, written

FOLDER = Path(__file__).parents[2] / "docs" / "letters"
PICTURES = (("contract-concluded-applicant", "en"), ("invitation", "ja"))
#: The same engine without windows takes a third of the processor time.
BROWSERS = ("chromium-headless-shell", "chromium")
PACKAGES = (BROWSERS[0], "fonts-noto-cjk", "pngquant")
WIDTH = 640
BYTES_MAX = 150_000
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-device-scale-factor=1.5", "--virtual-time-budget=2000"),
)
HEIGHT = "<script>document.title = document.documentElement.scrollHeight</script>"
PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>body {{ margin: 0; font-size: 0 }}
iframe {{ width: {width}px; height: {height}px; border: 0 }}</style>{frames}"""
FRAME = '<iframe style="color-scheme: {scheme}" srcdoc="{letter}"></iframe>'


FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


def chromium() -> str:
    """The browser, installed first with what else is needed if it misses and may be."""
    if not FONT.exists() or not all(map(shutil.which, (BROWSERS[0], "pngquant"))):
        debian.install(*PACKAGES)
    found = next(filter(shutil.which, BROWSERS), None)
    if found is None or not shutil.which("pngquant"):
        sys.exit(f"install first: {' '.join(PACKAGES)}")
    return found


def run(browser: str, *flags: str) -> str:
    """What the browser prints; with a profile of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as profile:
        ran = subprocess.run(
            (browser, *FLAGS, f"--user-data-dir={profile}", *flags),
            check=True, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    return ran.stdout


def height_of(browser: str, letter: str, scratch: Path) -> int:
    """How high a letter is at the pictures' width."""
    page = scratch / "height.html"
    page.write_text(letter.replace("</body>", f"{HEIGHT}</body>"), encoding="utf-8")
    shown = run(browser, f"--window-size={WIDTH},100", "--dump-dom", page.as_uri())
    title = re.search(r"<title>(\d+)</title>", shown)
    assert title, "the page did not say how high it is"
    return int(title[1])


def picture(browser: str, letter: str, target: Path) -> None:
    """One picture of a letter in both schemes, side by side."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        height = height_of(browser, letter, scratch)
        frames = "".join(
            FRAME.format(scheme=scheme, letter=html.escape(letter)) for scheme in ("light", "dark")
        )
        page = scratch / "both.html"
        page.write_text(PAGE.format(width=WIDTH, height=height, frames=frames), encoding="utf-8")
        size = f"--window-size={2 * WIDTH},{height}"
        run(browser, size, f"--screenshot={target}", page.as_uri())
    subprocess.run(
        ("pngquant", "--force", "--ext=.png", "--strip", "--nofs", "48", str(target)), check=True
    )


def main() -> None:
    """Write the pictures, and say how large they are."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    browser = chromium()
    for name, language in PICTURES:
        letter = parts(read(written(samples(language)[name])))["text/html"]
        target = FOLDER / f"{name}.{language}.png"
        picture(browser, letter, target)
        size = target.stat().st_size
        print(f"{target}: {size:,} bytes")
        if size > BYTES_MAX:
            sys.exit(f"more than {BYTES_MAX:,} bytes")


if __name__ == "__main__":
    main()
