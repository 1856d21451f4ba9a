"""Open pages change by themselves: counts, prices, the chart, the end; what was typed stays."""

from collections.abc import Iterator

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
        expect(page.locator("[data-says]")).to_have_text("2 of 3 reserved.", timeout=SOON_MS)
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
        expect(page.locator("[data-go]")).to_have_text("目標に達しました")
        expect(page.locator(".ladder .here")).to_have_count(1, timeout=SOON_MS)
