"""Invoices on a phone, in a browser: nothing is cut off, and nothing is beyond the edge."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Route

from papers.issuer import Issuer
from schemas.payments import Payment
from services.storefront.pages.visits import asset_bytes
from tests.rules.paper_samples import IN_JAPAN, ISSUER, credit, group, payment, received
from tests.storefront.conftest import migrated, url
from tests.storefront.pages_app import PAGE_URL
from tests.storefront.payer_pages import payer_pages
from tests.storefront.test_read_model import write
from tests.system.browser import browser, window

__all__ = ["migrated", "url"]
pytestmark = pytest.mark.system

MOST = 10**15
LONG = "Extra virgin olive oil, cold-pressed, in a 5 litre can " * 3 + "W" * 60
#: A reference that is as long as an id may be, and has no place to break.
NUMBER = "W" * 56 + "-I123456"
LONG_NAMED = Issuer(
    name="Genossenschaft der Vereinigten Lebensmittelgroßhändler Süddeutschlands eingetragene eG",
    address=("Donaudampfschifffahrtsgesellschaftskapitänsstraße 123456", "94032 Passau"),
    tax_id="DE123456789",
    email="rechnungsabteilung-der-genossenschaft@lebensmittelgrosshaendler.example",
    iban="MT84MALT011000012345MTLCAST001S",
    bic="COBADEFFXXX",
    account=("普通 1234567 カドノミセ" * 4,),
)
#: Name, issuer, and the payments of a page.
PAGES: list[tuple[str, Issuer, tuple[Payment, ...]]] = [
    ("usual", ISSUER, (payment(**received(3_000)), credit(420))),
    ("euros", LONG_NAMED, (payment(amount=MOST, value=MOST, provider_reference=NUMBER),)),
    ("dinars", LONG_NAMED, (payment(amount=MOST, value=MOST, currency="KWD"),)),
    ("yen", IN_JAPAN, (payment(amount=MOST, value=MOST, currency="JPY"),)),
]
#: Dinars are the longest amounts.
IN_LONG_RUNS = {"euros", "yen"}
#: What is cut off, or beyond an edge; texts for screen readers alone are meant to be.
CUT_OFF = """() => {
  const wide = document.documentElement.clientWidth;
  const found = [];
  for (const each of document.querySelectorAll("main *")) {
    if (each.closest(".seen-not, thead, svg") || each.hidden) continue;
    const box = each.getBoundingClientRect();
    const style = getComputedStyle(each);
    const isCut = each.scrollWidth > each.clientWidth + 1 && style.overflowX !== "visible";
    if (box.left < -0.5 || box.right > wide + 0.5 || isCut) found.push(each.outerHTML.slice(0, 99));
  }
  if (document.documentElement.scrollWidth > wide) found.push("the page scrolls to the side");
  return found;
}"""


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.mark.parametrize(
    ("name", "issuer", "payments"),
    [
        pytest.param(*each, id=each[0], marks=pytest.mark.long if each[0] in IN_LONG_RUNS else ())
        for each in PAGES
    ],
)
def test_nothing_is_cut_off_on_a_phone(
    running: Browser,
    url: str,
    tmp_path: Path,
    name: str,
    issuer: Issuer,
    payments: tuple[Payment, ...],
) -> None:
    named = group().product.model_copy(update={"name": LONG})
    terms = group().model_copy(update={"product": named})

    async def answers() -> dict[str, str]:
        await write(url, terms, *payments)
        with payer_pages(url, tmp_path, issuer) as pages:
            found = {}
            for language in ("en", "ja"):
                found[f"list-{language}"] = await pages.page(language)
                paper = await pages.paper(payments[0], language, "html")
                found[f"paper-{language}"] = paper.text
            return found

    # Playwright has an event loop of its own in this thread.
    with ThreadPoolExecutor(1) as thread:
        shown = thread.submit(lambda: asyncio.run(answers())).result()

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            route.fulfill(
                body=asset_bytes(path.rpartition("/")[2]),
                content_type="text/css" if path.endswith("css") else "text/javascript",
            )
        else:
            route.fulfill(body=shown[path[1:]], content_type="text/html; charset=utf-8")

    problems = {}
    for width in (320, 390, 1280):
        with window(running, (width, 800)) as context:
            context.route("**/*", answer)
            page = context.new_page()
            for each in shown:
                page.goto(f"{PAGE_URL}/{each}")
                page.screenshot(path=tmp_path / f"{name}-{each}-{width}.png", full_page=True)
                if found := page.evaluate(CUT_OFF):
                    problems[each, width] = found
    assert problems == {}
