"""Pictures of the main pages over a real stack with made-up data, to docs/pages.

Run by ``make page-pictures``; as root on Debian it installs Chromium and fonts where they miss.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from stack import brokers
from tests.system import made_up
from tests.system.api_stack import ADMIN_KEY, LINKS, Api, api_on
from tests.system.browser import DESKTOP, PHONE, Scheme, browser, sign_in, window
from tests.system.stack import until

FOLDER = Path(__file__).parents[2] / "docs" / "pages"
GROUP = made_up.group_id("r-sencha")
MANAGE = f"/groups/{GROUP}/manage/{LINKS.token('group', GROUP, 'ada')}"
PAYMENTS = f"/groups/{GROUP}/payments/{LINKS.token('payer', GROUP, made_up.PAYER, '')}"
#: Name, address, size, scheme, language, and whether the page goes on below the window.
PICTURES: tuple[tuple[str, str, tuple[int, int], Scheme, str], ...] = (
    ("home", "/", DESKTOP, "light", "en-GB"),
    ("home", "/", PHONE, "dark", "ja"),
    ("auction", "/auctions/camera", DESKTOP, "light", "en-GB"),
    ("auction", "/auctions/camera", DESKTOP, "dark", "ja"),
    ("auction", "/auctions/camera", PHONE, "light", "en-GB"),
    ("auction-concluded", "/auctions/lamp-deal", PHONE, "dark", "en-GB"),
    ("group", f"/groups/{GROUP}", DESKTOP, "light", "en-GB"),
    ("group", f"/groups/{GROUP}", PHONE, "dark", "ja"),
    ("organizer", MANAGE, DESKTOP, "light", "en-GB"),
    ("shop", f"/shops/{made_up.SHOP}", DESKTOP, "light", "en-GB"),
    ("invoice", PAYMENTS, PHONE, "light", "ja"),
    ("desk", "/seller", DESKTOP, "dark", "en-GB"),
    ("admin", "/admin", DESKTOP, "light", "en-GB"),
)
BYTES_MAX = 150_000
#: Images below the window are loaded only once somebody scrolls there.
_SHOW_IMAGES = """
() => Promise.all([...document.images].map(image => {
  image.loading = "eager";
  return image.decode().catch(() => null);
}))
"""


def take(api: Api, folder: Path) -> None:
    """All pictures, as they are seen by somebody with a script."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = {"/seller": api.admin.post("/sellers/nord/keys")["api_key"], "/admin": ADMIN_KEY}
    with browser() as running:
        for name, path, size, scheme, locale in PICTURES:
            with window(running, size, scheme, locale, device_scale_factor=1) as context:
                page = context.new_page()
                if path in keys:
                    sign_in(page, api.nobody.url + path, keys[path])
                page.goto(api.nobody.url + path)
                page.wait_for_function("document.fonts.status === 'loaded'")
                if page.locator("[data-events]").count():
                    page.wait_for_selector("[data-state].on")
                page.evaluate(_SHOW_IMAGES)
                kind = "phone" if size == PHONE else "desktop"
                target = folder / f"{name}.{kind}.{scheme}.{locale[:2]}.png"
                page.screenshot(path=target, full_page=True, animations="disabled")
                _compress(target)


def _compress(target: Path) -> None:
    if shutil.which("pngquant"):
        command = ("pngquant", "--force", "--ext=.png", "--strip", "--nofs", "64", str(target))
        subprocess.run(command, check=True)
    size = target.stat().st_size
    print(f"{target.name}: {size:,} bytes")
    if size > BYTES_MAX:
        sys.exit(f"more than {BYTES_MAX:,} bytes")


def main() -> None:
    """Start a stack on the embedded broker, and take the pictures."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        broker = brokers.start("embedded", home=home / "broker")
        try:
            with api_on(broker, home, before=made_up.feed, **made_up.issuer(home)) as api:
                wait(api)
                take(api, FOLDER)
        finally:
            broker.stop()


def wait(api: Api) -> None:
    """Until all that is made up has come through."""
    camera, lamp, group = "/auctions/camera", "/auctions/lamp-deal", f"/group-purchases/{GROUP}"

    def shown(path: str, name: str) -> Any:
        # Not there yet, it is a problem document, which has no such field.
        return api.nobody.send("GET", path).json().get(name)

    until("offers", lambda: shown(camera, "unit_price") == 104_900)
    until("buyers", lambda: shown(camera, "applicants") == 22)
    until("orders", lambda: shown(group, "members") == 10)
    until("a contract", lambda: shown(lamp, "group_id"))


if __name__ == "__main__":
    main()
