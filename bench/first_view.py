"""The first view of each page on a slow phone: weight, largest paint, and shifts of the layout.

A phone's window in Chromium with a quarter of the CPU, 1.6 Mb/s and 150 ms to the server, as
Lighthouse's "slow 4G" has it. The cache is empty each time. Limits: the largest paint (LCP) after
1.5 s, no shift (CLS), and 100 kB without images. LCP and CLS are those of web.dev/vitals.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from playwright.sync_api import Browser, CDPSession, Page

from stack import brokers
from tests.system import made_up
from tests.system.api_stack import Api, api_on
from tests.system.browser import PHONE, browser, window
from tests.system.page_pictures import GROUP, MANAGE, PAYMENTS, wait

LCP_SECONDS_MAX = 1.5
WEIGHT_BYTES_MAX = 100_000
SLOWER_CPU = 4
BYTES_A_SECOND = 1_600_000 // 8
ROUND_TRIP_MS = 150
PAGES = {
    "home": "/",
    "group": f"/groups/{GROUP}",
    "auction": "/auctions/camera",
    "contract": "/auctions/lamp-deal",
    "organizer": MANAGE,
    "payments": PAYMENTS,
    "shop": f"/shops/{made_up.SHOP}",
    "reserve": "/auctions/camera/apply",
    "sell": "/sellers",
    "help": "/help",
}
#: Resolves with what the browser has seen until the page has been quiet for a moment.
_VITALS = """
async () => {
  const seen = {lcp: 0, cls: 0};
  const seer = take => new PerformanceObserver(list => list.getEntries().forEach(take));
  const watch = (type, take) => seer(take).observe({type, buffered: true});
  watch("largest-contentful-paint", entry => { seen.lcp = entry.startTime; });
  watch("layout-shift", entry => { if (!entry.hadRecentInput) seen.cls += entry.value; });
  await new Promise(done => requestIdleCallback(() => setTimeout(done, 200)));
  return seen;
}
"""


@dataclass(frozen=True)
class View:
    """One view: seconds until the largest paint, the shift, and bytes on the wire."""

    lcp: float
    shift: float
    weight: int
    images: int


class _Wire:
    """Counts the bytes of answers, headers and all, images apart."""

    def __init__(self, session: CDPSession) -> None:
        self.weight = self.images = 0
        self._kinds: dict[str, str] = {}
        session.on("Network.responseReceived", self._received)
        session.on("Network.loadingFinished", self._finished)

    def _received(self, event: dict[str, Any]) -> None:
        self._kinds[event["requestId"]] = event["type"]

    def _finished(self, event: dict[str, Any]) -> None:
        size = int(event["encodedDataLength"])
        if self._kinds.get(event["requestId"]) == "Image":
            self.images += size
        else:
            self.weight += size


def look(running: Browser, url: str) -> View:
    """See a page for the first time."""
    with window(running, PHONE, device_scale_factor=2, is_mobile=True) as context:
        page: Page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER_CPU})
        slow = {"downloadThroughput": BYTES_A_SECOND, "uploadThroughput": BYTES_A_SECOND}
        conditions = {"offline": False, "latency": ROUND_TRIP_MS, **slow}
        session.send("Network.emulateNetworkConditions", conditions)
        wire = _Wire(session)
        answer = page.goto(url, wait_until="load")
        if answer is None or not answer.ok:
            sys.exit(f"{url} answered {answer and answer.status}")
        seen = page.evaluate(_VITALS)
        return View(seen["lcp"] / 1_000, seen["cls"], wire.weight, wire.images)


def measure(api: Api, times: int, pages: Sequence[str]) -> bool:
    """Print each page's figures; whether all are within the limits."""
    is_good = True
    print(f"{'page':<16}{'LCP s':>8}{'CLS':>8}{'kB':>8}{'images kB':>12}")
    with browser() as running:
        look(running, api.nobody.url + "/")
        for name in pages:
            views = [look(running, api.nobody.url + PAGES[name]) for _ in range(times)]
            lcp, shift = median(each.lcp for each in views), max(each.shift for each in views)
            weight, images = max(each.weight for each in views), max(e.images for e in views)
            is_within = lcp <= LCP_SECONDS_MAX and shift == 0 and weight <= WEIGHT_BYTES_MAX
            is_good &= is_within
            figures = f"{lcp:8.2f}{shift:8.3f}{weight / 1_000:8.1f}{images / 1_000:12.1f}"
            print(f"{name:<16}{figures}{'' if is_within else '  beyond the limits'}", flush=True)
    return is_good


def main(
    times: Annotated[int, typer.Option(min=1, help="Views of each page.")] = 5,
    page: Annotated[
        list[str] | None, typer.Option(help="Only this page, such as group; repeatable.")
    ] = None,
) -> None:
    """Measure the pages of a stack with made-up data on the embedded broker."""
    if unknown := sorted({*(page or ())} - PAGES.keys()):
        sys.exit(f"no page {unknown[0]}: choose of {', '.join(PAGES)}")
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        broker = brokers.start("embedded", home=home / "broker")
        try:
            with api_on(broker, home, before=made_up.feed, **made_up.issuer(home)) as api:
                wait(api)
                is_good = measure(api, times, page or [*PAGES])
        finally:
            broker.stop()
    if not is_good:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
