"""The page's script writes prices and counts as the server does: prices in every currency."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from domain.money import CURRENCIES, decimals
from services.storefront.formats import Formats
from services.storefront.pages.visits import _environment, asset_bytes
from tests.system.browser import browser, window

pytestmark = pytest.mark.system
#: A stream that the test tells what to say.
STREAM = """
window.EventSource = class { constructor() { window.stream = this; } close() {} };
"""
AMOUNT = 123_456_789
#: The Caribbean guilder is younger than what some browsers know of currencies.
KNOWN = sorted(CURRENCIES - {"XCG"})


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.mark.parametrize(
    ("language", "accepted"),
    [("en", ""), ("en", "en-GB"), ("en", "en-US"), ("en", "en-IN"), ("ja", ""), ("ja", "ja-JP")],
)
def test_prices_look_the_same_from_the_server_and_by_the_script(
    chromium: Browser, language: str, accepted: str
) -> None:
    formats = Formats.of("ja" if language == "ja" else "en", accepted)
    spans = "".join(
        f'<li data-is="unit_price" data-money="{each} {decimals(each)}"></li>' for each in KNOWN
    )
    with window(chromium) as context:
        page = context.new_page()
        page.set_content(
            f'<html lang="{language}" data-locale="{formats.locale.replace("_", "-")}">'
            '<main id="content"><ul data-events="/events" data-live="auctions/a" data-version="0"'
            ' data-status="open" data-shape="123456789 1" data-says-count="" data-says-price="">'
            f"{spans}</ul></main>"
        )
        page.add_script_tag(content=STREAM)
        page.add_script_tag(content=asset_bytes("live.js").decode())
        state = {"auction_id": "a", "version": 1, "status": "open", "missing": 0}
        state |= {"unit_price": AMOUNT, "minimum_reservations": 1}
        page.evaluate("state => stream.onmessage({ data: JSON.stringify(state) })", state)
        written = [formats.money(AMOUNT, each) for each in KNOWN]
        expect(page.locator("li")).to_have_text(written)
        assert page.locator("li").all_inner_texts() == written


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_count_reaches_and_passes_its_goal_in_the_words_of_the_server(
    chromium: Browser, language: str
) -> None:
    formats, goal = Formats.of(language, ""), 1_200
    lines = _environment(language).from_string(
        '{% import "live.html" as live %}<li>{{ live.ordered(f, count, goal) }}</li>'
        '<li>{{ live.number(f, count, "quantity") }} {{ live.of_goal(f, count, goal) }}</li>'
    )
    with window(chromium) as context:
        page, server = context.new_page(), context.new_page()
        page.set_content(
            f'<html lang="{language}" data-locale="{formats.locale.replace("_", "-")}">'
            '<main id="content"><ul data-events="/events" data-live="groups/g" data-version="0"'
            ' data-status="open" data-shape="" data-says-count="">'
            f"{lines.render(f=formats, count=goal - 1, goal=goal)}</ul></main>"
        )
        page.add_script_tag(content=STREAM)
        page.add_script_tag(content=asset_bytes("live.js").decode())
        for version, count in enumerate((goal, goal + 1, goal + 2, goal), start=1):
            state = {"group_id": "g", "version": version, "status": "open", "quantity": count}
            page.evaluate("state => stream.onmessage({ data: JSON.stringify(state) })", state)
            server.set_content(lines.render(f=formats, count=count, goal=goal))
            expect(page.locator("li")).to_have_text(server.locator("li").all_inner_texts())
