"""axe-core over every page, light and dark, phone and desktop, both languages: no violation."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from stack.brokers import RunningBroker
from tests.system import made_up
from tests.system.api_stack import LINKS, Api, api_on
from tests.system.browser import DESKTOP, PHONE, Scheme, browser, sign_in, window
from tests.system.page_pictures import wait

pytestmark = pytest.mark.system
GROUP = made_up.group_id("r-sencha")
#: WCAG 2.2 AA with all it builds on, and what is good practice beyond it.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
PAYMENTS = f"/groups/{GROUP}/payments/{LINKS.token('payer', GROUP, made_up.PAYER, '')}"
CONFIRM_ORDER = "/confirm-order/" + LINKS.token(
    "confirm-order", GROUP, "m-1", "storefront", "w-1", "2", "2999-01-01T00:00:00+00:00"
)
PUBLIC = (
    *("/", "/?sort=nearest", "/?q=ricoh", "/?q=nothing-has-this-name", "/help", "/sellers"),
    *("/?only=nearly", "/?category=None+has+it&shop=nobody", "/?price_max=much&currency=EUR"),
    *("/seller", "/auctions/camera", "/auctions/lamp-deal", "/auctions/camera/applied"),
    *(f"/groups/{GROUP}", f"/groups/{made_up.group_id('r-wool')}", "/definitions/sencha"),
    *("/auctions/none", "/confirm/none", "/todo"),
    *("/api/docs", "/api/docs/group-purchases", "/auctions/camera/embed", f"/groups/{GROUP}/embed"),
    f"/groups/{GROUP}/order/{LINKS.token('order', GROUP, '')}",
    f"/groups/{GROUP}/order/{LINKS.token('order', GROUP, '')}/done?n=2",
    f"/groups/{GROUP}/order/{LINKS.token('order', GROUP, '')}/done?n=2&state=unconfirmed",
    CONFIRM_ORDER,
    f"/groups/{GROUP}/manage/{LINKS.token('group', GROUP, 'ada')}?new=1",
    f"/groups/{GROUP}/manage/{LINKS.token('group', GROUP, 'ada')}/list",
    f"/groups/{GROUP}/manage/{LINKS.token('group', GROUP, 'ada')}/sent?n=2",
    *("/links", "/links/sent", "/seller/sign-in/none"),
    f"/groups/{GROUP}/order/{LINKS.token('order', GROUP, made_up.PAYER)}",
    PAYMENTS,
    f"{PAYMENTS}/payment-1",
    f"{PAYMENTS}/payment-2",
    f"/groups/{GROUP}/payments/{LINKS.token('payer', GROUP, 'nobody', '')}",
    f"/counter-offer/{LINKS.token('counter-offer', 'camera', 'sato')}",
    f"/confirm/{LINKS.token('confirm-application', 'camera', 'camera-b1')}",
    f"/applications/{LINKS.token('application', 'camera', 'camera-b1')}",
    f"/unsubscribe/{LINKS.token('unsubscribe', 'b1', 'invitation', 'mailbox')}",
)
DESK = ("/seller", "/seller/open", "/seller/auctions/camera", "/seller/auctions/lamp-deal")
LEFT_TO_PEOPLE = ("/todo", "/todo?kind=record", "/todo?shop=corner-shop", "/todo?shop=nobody")
ADMIN = (
    *("/admin", "/admin/sellers", "/admin/sellers/nord?done=approval", "/admin/shops"),
    *("/admin/shops/corner-shop", "/admin/definitions", "/admin/definitions/sencha"),
    *("/admin/definitions/sencha/publish", "/admin/publish", "/admin/groups"),
    *(f"/admin/groups/{GROUP}", "/admin/groups?unlisted=yes", "/admin/auctions"),
    *("/admin/auctions/camera", "/admin/auctions/lamp-deal", "/admin/letters"),
    *(f"/admin/letters?about={GROUP}", "/admin/letters?state=sent", "/admin/people"),
    *("/admin/people/nobody", "/sign-in"),
)
#: Pages with a form, where everything is wrong with what is sent.
WRONG = (
    *("/auctions/camera", "/definitions/sencha", "/sellers", "/todo", "/links"),
    f"/groups/{GROUP}/order/{LINKS.token('order', GROUP, '')}",
    f"/groups/{GROUP}/manage/{LINKS.token('group', GROUP, 'ada')}",
)
#: In each run every page is looked at once, and each size, scheme and language is there. The long
#: run looks at all pages in all ways.
FIRST, SECOND, ALL = slice(0, None, 2), slice(1, None, 2), slice(None)
ALL_WAYS = tuple(
    pytest.param(*way, ALL, marks=pytest.mark.long)
    for way in (
        (DESKTOP, "light", "en-GB"),
        (PHONE, "dark", "ja"),
        (PHONE, "light", "ja"),
        (DESKTOP, "dark", "en-GB"),
    )
)
WAYS = ((DESKTOP, "light", "en-GB", FIRST), (PHONE, "dark", "ja", SECOND), *ALL_WAYS)
#: Their pages are of the same parts as those for everybody.
WAYS_AT_WORK = ((PHONE, "dark", "ja", ALL), ALL_WAYS[0], *ALL_WAYS[2:])


@pytest.fixture(scope="module")
def api(kafka: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("accessible")
    with api_on(kafka, folder, before=made_up.feed, **made_up.issuer(folder)) as running:
        wait(running)
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


#: Each violation with its first element. What axe says of elements that pass takes as long again.
FIND = """options => axe.run(document, options).then(found => found.violations.map(
    each => `${each.id}: ${each.help}: ${each.nodes[0].html.slice(0, 200)}`))"""
OPTIONS = {
    "runOnly": {"type": "tag", "values": TAGS},
    "resultTypes": ["violations"],
    "preload": False,
}


def violations(page: Page) -> list[str]:
    """What axe finds, and what it can't: a page that is wider than its window."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    told = [f"{page.url}: {each}" for each in page.evaluate(FIND, OPTIONS)]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        told.append(f"{page.url}: wider than the window")
    return told


def wrong(page: Page, button: str) -> list[str]:
    """What is found on the page that refuses an empty form."""
    page.locator(button).last.click()
    expect(page.locator("#problems")).to_be_focused(timeout=30_000)
    return violations(page)


@contextmanager
def watched(
    chromium: Browser, size: tuple[int, int], scheme: Scheme, locale: str
) -> Iterator[Page]:
    """A page; nothing may break on what it shows."""
    with window(chromium, size, scheme, locale) as context:
        page = context.new_page()
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(f"{page.url}: {error}"))
        page.on("console", lambda told: broken.append(told.text) if "CSP" in told.text else None)
        yield page
        assert not broken


@pytest.mark.parametrize(("size", "scheme", "locale", "pages"), WAYS)
def test_no_page_for_everybody_has_a_violation(
    api: Api, chromium: Browser, size: tuple[int, int], scheme: Scheme, locale: str, pages: slice
) -> None:
    found: list[str] = []
    with watched(chromium, size, scheme, locale) as page:
        for path in PUBLIC[pages]:
            page.goto(api.nobody.url + path)
            found += violations(page)
        for path in WRONG[pages]:
            page.goto(api.nobody.url + path)
            found += wrong(page, "main form[method=post] button:not([type])")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("size", "scheme", "locale", "pages"), WAYS_AT_WORK)
def test_no_page_for_sellers_and_admins_has_a_violation(
    api: Api, chromium: Browser, size: tuple[int, int], scheme: Scheme, locale: str, pages: slice
) -> None:
    found: list[str] = []
    with watched(chromium, size, scheme, locale) as page:
        sign_in(page, f"{api.nobody.url}/seller", api.admin.post("/sellers/nord/keys")["api_key"])
        for path in DESK:
            page.goto(api.nobody.url + path)
            found += violations(page)
        assert "b0@people.example" in page.content(), "the winning seller's buyers"
        sign_in(page, f"{api.nobody.url}/admin", str(api.admin.credential))
        for path in (*ADMIN, *LEFT_TO_PEOPLE)[pages]:
            page.goto(api.nobody.url + path)
            found += violations(page)
        for path in ("/admin/publish", "/admin/shops", "/admin/people", "/admin/people/nobody"):
            page.goto(api.nobody.url + path)
            found += wrong(page, "main form[novalidate] button")
        page.goto(f"{api.nobody.url}/todo?kind=order")
        page.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("code").first).to_be_visible()
        page.locator(".acts .button").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#f-reason")).to_be_visible()
        found += wrong(page, "main form[method=post] button")
    assert not found, "\n".join(found)


def test_everything_is_reached_by_the_keyboard_and_seen_to_be(api: Api, chromium: Browser) -> None:
    with window(chromium) as context:
        page = context.new_page()
        page.goto(f"{api.nobody.url}/auctions/camera")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.locator(".skip").bounding_box()["y"] >= 0, "seen when it has the focus"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        wanted = page.locator("main a[href], main button:visible, main input:visible").count()
        for _ in range(wanted):
            page.keyboard.press("Tab")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
            assert page.evaluate("document.activeElement.closest('main') !== null")


def test_nothing_moves_for_those_who_ask_for_that(api: Api, chromium: Browser) -> None:
    with window(chromium, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"{api.nobody.url}/auctions/camera")
        fill = page.locator(".panel .fill")
        assert fill.evaluate("each => getComputedStyle(each).transitionDuration") == "0s"
