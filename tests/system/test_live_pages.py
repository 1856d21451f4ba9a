"""Open pages change by themselves: counts, prices, the chart, the end; what was typed stays."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from tests.system.api_stack import Api, after
from tests.system.browser import browser, window

pytestmark = pytest.mark.system
#: An order shows within a second; a machine that does much else is given more.
SOON_MS = 20_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


def test_an_auction_s_page_follows_it_to_its_end(api: Api, chromium: Browser) -> None:
    _, opener = api.seller()
    _, other = api.seller()
    shop = api.shop()
    terms = {"currency": "EUR", "unit_price": 119_900, "minimum_reservations": 3}
    auction = api.auction(opener, closes_at=after(seconds=30), **terms)["auction_id"]
    place = f"/auctions/{auction}"
    with window(chromium) as context:
        page, lists = context.new_page(), context.new_page()
        page.goto(api.nobody.url + place)
        lists.goto(f"{api.nobody.url}/?q=camera")
        for each in (page, lists):
            each.wait_for_selector("[data-state].on")
        page.fill("input[name=email]", "ada@people.example")

        body = {"applicant": {"id": "ann"}, "quantity": 2}
        shop.post(f"{place}/applications", body)
        count = page.locator(".count [data-is=reservations]")
        expect(count).to_have_text("2", timeout=SOON_MS)
        expect(page.locator("[data-go]")).to_have_text("1 more reservation and it's a deal")
        expect(page.locator(".panel .fill")).to_have_attribute("width", "666")
        expect(page.locator("[data-says]")).to_have_text("2 reserved (minimum 3).", timeout=SOON_MS)
        row = lists.locator(f'[data-live="auctions/{auction}"]')
        expect(row.locator("[data-is=reservations]")).to_have_text("2", timeout=SOON_MS)

        other.post(f"{place}/offers", {"unit_price": 109_950, "minimum_reservations": 2})
        price = page.locator(".figure [data-is=unit_price]")
        expect(price).to_have_text("€1,099.50", timeout=SOON_MS)
        expect(page.locator(".story li.better")).to_have_count(1, timeout=SOON_MS)
        expect(page.locator(".chart.wide .latest")).to_have_text("€1,099.50")
        expect(page.locator("input[name=email]")).to_have_value("ada@people.example")
        expect(row.locator("[data-is=unit_price]")).to_have_text("€1,099.50", timeout=SOON_MS)

        expect(page.locator(".verdict.good")).to_contain_text("It's a deal", timeout=120_000)
        expect(page.locator("#apply")).to_have_count(0)


def test_a_group_s_page_follows_it(api: Api, chromium: Browser) -> None:
    shop = api.shop()
    asked = {"definition_id": api.definition(shop)["definition_id"], "number_of_products": 4}
    group = api.nobody.post("/group-purchases", asked)["group_id"]
    with window(chromium, locale="ja") as context:
        page = context.new_page()
        page.goto(f"{api.nobody.url}/groups/{group}")
        page.wait_for_selector("[data-state].on")
        for number, quantity in ((1, 2), (2, 3)):
            order = {"state": "paid", "order_id": f"o{number}", "quantity": quantity}
            member = {"member": {"id": f"m{number}"}}
            shop.post(f"/group-purchases/{group}/orders", order | member)
        expect(page.locator(".count [data-is=quantity]")).to_have_text("5", timeout=SOON_MS)
        expect(page.locator("[data-go]")).to_have_text(
            "目標を達成しました。あと1点で20%引き", timeout=SOON_MS
        )
        expect(page.locator(".ladder .here")).to_have_count(1, timeout=SOON_MS)


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[str]:
    """Where another site's pages are; it shows what is in the test's folder."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        # To a browser, another name is another site.
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_frame_on_a_shop_s_own_page_follows_the_group(
    api: Api, chromium: Browser, other_site: str, tmp_path: Path
) -> None:
    shop = api.shop()
    asked = {"definition_id": api.definition(shop)["definition_id"], "number_of_products": 4}
    group = api.nobody.post("/group-purchases", asked)["group_id"]
    with window(chromium) as context:
        page = context.new_page()
        page.goto(f"{api.nobody.url}/groups/{group}")
        lines = page.locator(".share .snippet code").text_content()
        (tmp_path / "index.html").write_text(f"<!doctype html><p>Tea</p>{lines}", encoding="utf-8")
        page.goto(other_site)
        frame = page.frame_locator("iframe")
        count = frame.locator(".count [data-is=quantity]")
        expect(count).to_have_text("0", timeout=SOON_MS)
        order = {"state": "paid", "order_id": "f1", "quantity": 3, "member": {"id": "m1"}}
        shop.post(f"/group-purchases/{group}/orders", order)
        expect(count).to_have_text("3", timeout=SOON_MS)
        with context.expect_page() as opened:
            frame.locator(".button").click()
        expect(opened.value).to_have_url(f"{api.nobody.url}/groups/{group}")
        assert not context.cookies()


def test_a_call_is_tried_from_the_documentation_and_the_key_is_kept_nowhere(
    api: Api, chromium: Browser
) -> None:
    shop = api.shop()
    with window(chromium) as context:
        page = context.new_page()
        page.goto(f"{api.nobody.url}/api/docs/definitions")
        publish = page.locator("#publish-definition")
        answer = publish.locator("[data-answer]")
        publish.get_by_text("Try it").click()
        publish.get_by_role("button").click()
        expect(answer).to_contain_text("401", timeout=SOON_MS)
        page.fill("#try-key", str(shop.credential))
        publish.get_by_role("button").click()
        expect(answer).to_contain_text('"name": "Sencha, 1 kg"', timeout=SOON_MS)
        kept = "[localStorage.length, sessionStorage.length, document.cookie]"
        assert page.evaluate(kept) == [0, 0, ""]
        assert str(shop.credential) not in page.url
        page.reload()
        expect(page.locator("#try-key")).to_have_value("")
