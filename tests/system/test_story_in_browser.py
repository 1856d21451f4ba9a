"""Both stories, played through the pages in a browser by everyone who is in them.

Organizer, buyers and three sellers, with the letters' links opened from the mail server; pages that
were open before are seen to change by themselves.
"""

import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from stack.brokers import RunningBroker
from tests.system.api_stack import SECRET, Api, api_on
from tests.system.browser import DESKTOP, PHONE, browser, window
from tests.system.letterbox import Letterbox
from tests.system.letters import mail_env
from tests.system.mail import Mailpit
from tests.system.stack import until

pytestmark = pytest.mark.system
#: What changes within a second on an idle machine.
SOON_MS = 60_000
#: An auction lasts so long, and so many times as long as three registrations took: enough to fill
#: in all the forms on a machine that is busy.
TERM, TERM_IN_REGISTRATIONS = timedelta(seconds=45), 6
#: The letters that each gets once.
OF_BUYERS = ("confirm-application", "condition-improved", "contract-concluded", "id-issued")
OF_THE_DISPLACED = ("seller-standing", "offer-judged", "right-intercepted", "contract-concluded")
OF_THE_WINNER = (
    *("seller-standing", "invitation", "offer-judged", "contract-concluded", "id-issued"),
)
OF_THE_INVITED = ("seller-standing", "invitation")
Somebody = Callable[..., Page]


@pytest.fixture(scope="module")
def api(
    kafka: RunningBroker, mailpit: Mailpit, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    with api_on(kafka, tmp_path_factory.mktemp("story")) as running:
        links = {"LINK_SECRET": SECRET, "PAGE_URL": running.nobody.url}
        running.stack.start("notifier", **mail_env(mailpit.port, **links))
        yield running


@pytest.fixture
def letters(mailpit: Mailpit) -> Letterbox:
    return Letterbox(mailpit)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        expect.set_options(timeout=SOON_MS)
        yield running
        expect.set_options(timeout=5_000)


@pytest.fixture
def somebody(api: Api, chromium: Browser) -> Iterator[Somebody]:
    """A browser of somebody's own each time, with a page open in it."""
    opened: list[BrowserContext] = []

    def new(size: tuple[int, int] = DESKTOP, locale: str = "en-GB") -> Page:
        context = window(chromium, size, locale=locale, base_url=api.nobody.url)
        context.set_default_timeout(SOON_MS)
        opened.append(context)
        return context.new_page()

    yield new
    for each in opened:
        each.close()


def address(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}@people.example"


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def watch(page: Page, path: str) -> None:
    """Open a page and leave it open: it is connected, and ``is_still_open`` knows it again."""
    page.goto(path)
    expect(page.locator("[data-state]")).to_have_class(re.compile(r"\bon\b"))
    page.evaluate("window.openedOnce = true")


def is_still_open(page: Page) -> bool:
    """Whether it was never loaded anew."""
    return page.evaluate("window.openedOnce") is True


def until_there(page: Page, what: Locator) -> None:
    """Load a page again until it shows something: it does not change by itself."""

    def seen() -> bool:
        page.reload()
        return what.count() > 0

    until(f"{what} on {page.url}", seen)


def preferences(api: Api) -> list[str]:
    """Of which letters somebody has said something; read beside Playwright's loop."""
    with ThreadPoolExecutor(1) as aside:
        said = aside.submit(api.stack.read, "mail-preferences").result()
    return [each.value["kind"] for each in said]


def assert_told(
    api: Api, letters: Letterbox, who: Iterable[str], told: Mapping[tuple[str, str], int]
) -> None:
    """Wait until these have got their letters, and see that nobody got any other, or one twice."""
    everyone = list(who)
    until("every letter", lambda: letters.told(everyone).total() >= len(told), SOON_MS / 1000)
    api.stack.wait_idle()
    assert letters.told(everyone) == Counter(told)


# --- the group purchase --------------------------------------------------------------------------


def test_a_group_purchase_from_its_start_to_everyone_s_favor(
    api: Api, somebody: Somebody, letters: Letterbox
) -> None:
    shop = api.shop()
    tea = f"Sencha {uuid.uuid4().hex[:6]}"
    api.definition(shop, product={"name": tea, "id": "tea"}, payment={"scope": "group"})
    dee, ada, hana, carl = (address(name) for name in ("dee", "ada", "hana", "carl"))

    organizer = somebody()
    organizer.goto("/")
    organizer.get_by_label("Search for a product").fill(tea)
    press(organizer, "Search")
    organizer.get_by_role("link", name=f"Start a group for {tea}").click()
    organizer.get_by_label("How many units").fill("6")
    organizer.get_by_label("How many days").fill("7")
    organizer.get_by_label("Email").fill(dee)
    organizer.get_by_label("Your name").fill("Dee")
    organizer.get_by_label("Close the group as soon as the goal is reached").check()
    press(organizer, "Start the group")
    expect(organizer.get_by_role("heading", name="Save the link to this page")).to_be_visible()
    group_id = organizer.locator(".ticket .code").inner_text()
    shared = organizer.get_by_label("Link to order").input_value()
    watch(organizer, organizer.url)

    reader = somebody(PHONE)
    letters.open(reader, dee, "id-issued")
    expect(reader.locator("body")).to_contain_text(group_id)
    onlooker = somebody(PHONE, "ja")
    watch(onlooker, f"/groups/{group_id}")
    count = onlooker.locator(".count [data-is=quantity]")
    expect(count).to_have_text("0")

    for name, size, locale, quantity, total in (
        (ada, DESKTOP, "en-GB", 2, "2"),
        (hana, PHONE, "ja", 1, "3"),
    ):
        buyer = somebody(size, locale)
        buyer.goto(shared)
        buyer.locator("input[name=quantity]").fill(str(quantity))
        buyer.locator("input[name=email]").fill(name)
        buyer.locator("main form button").click()
        expect(buyer.locator("h1")).to_have_text(
            re.compile("^Please confirm your order|ご注文.*確")
        )
        letters.follow(buyer, name, "confirm-order", "/confirm-order/")
        buyer.locator("main form button").click()
        expect(buyer.locator("h1")).to_have_text(
            re.compile("Thank you: your order is confirmed|ご注文を受け付けました")
        )
        expect(count).to_have_text(total)
    expect(onlooker.locator(".ladder .here")).to_have_count(1)
    order = {"state": "paid", "order_id": "7001", "quantity": 3, "value": 3_000}
    member = {"member": {"id": "carl", "email": carl}}
    shop.post(f"/group-purchases/{group_id}/orders", order | member)
    expect(onlooker.locator(".verdict.good .title")).to_have_text("目標を達成しました")
    expect(count).to_have_text("6")
    expect(onlooker.locator(".ladder .here")).to_have_count(2)

    expect(onlooker.locator(".verdict.good")).to_contain_text("20%引き、合計€12.00")
    rows = organizer.locator("tbody tr")
    expect(rows).to_have_count(3)
    for favor in ("€6.00", "€4.00", "€2.00"):
        expect(rows.filter(has_text=favor)).to_have_count(1)
    assert is_still_open(onlooker)
    assert is_still_open(organizer)
    everyone = (dee, ada, hana, carl)
    assert not [each for each in everyone if each in organizer.content() + onlooker.content()]

    letters.open(reader, ada, "favor-given")
    expect(reader.locator("body")).to_contain_text("€4.00")
    letters.open(reader, hana, "order-counted")
    expect(reader.locator("html")).to_have_attribute("lang", "ja")
    orders = {(who, kind): 1 for who in everyone[1:] for kind in ("order-counted", "favor-given")}
    orders |= {(who, "confirm-order"): 1 for who in (ada, hana)}
    assert_told(api, letters, everyone, {(dee, "id-issued"): 1} | orders)


# --- the counter auction -------------------------------------------------------------------------


def register(api: Api, seller: Page, name: str, email: str) -> str:
    """Register by the form and be approved by the admin; the key."""
    seller.goto("/sellers")
    seller.locator("input[name=name]").fill(name)
    seller.locator("input[name=email]").fill(email)
    seller.locator("main form button").click()
    key = seller.locator(".code", has_text="jb_").inner_text()
    seller_id = seller.locator(".code", has_text=re.compile(r"^s-")).inner_text()
    seller.goto("/seller")
    assert key not in seller.content(), "shown once"
    api.admin.post(f"/sellers/{seller_id}/approval", {}, 200)
    until_there(seller, seller.locator(".status.good"))
    return key


def local(at: datetime) -> str:
    """As the field of a browser in Berlin takes it."""
    return at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%dT%H:%M:%S")


def open_auction(seller: Page, key: str, product: str, term: timedelta) -> str:
    """Sign in at the desk and open an auction by the form; its id."""
    press(seller, "Sign out")
    seller.get_by_label("Key").fill(key)
    press(seller, "Sign in")
    seller.get_by_role("link", name="Open an auction").click()
    seller.get_by_label("Product name").fill(product)
    seller.get_by_label("Price each").fill("1,199.00")
    seller.get_by_label("Currency").select_option("EUR")
    seller.get_by_label("Minimum number of reservations").fill("4")
    now = datetime.now(UTC)
    seller.get_by_label("Other sellers are invited").fill(local(now + term / 4))
    seller.get_by_label("Closing time").fill(local(now + term))
    press(seller, "Open the auction")
    expect(seller.get_by_role("heading", level=1)).to_have_text("Is all of this right?")
    press(seller, "Open the auction")
    expect(seller.locator(".verdict.good .title")).to_have_text("Your auction is open")
    return seller.url.partition("/seller/auctions/")[2].partition("?")[0]


def reserve(buyer: Page, place: str, email: str, quantity: str) -> None:
    """Reserve on the auction's page."""
    buyer.goto(place)
    buyer.locator("input[name=email]").fill(email)
    buyer.locator("input[name=quantity]").fill(quantity)
    buyer.locator("main form button").click()
    expect(buyer).to_have_url(re.compile("/applied$"))


def reserve_by_keyboard(buyer: Page, place: str, email: str) -> None:
    """The same without a pointer: the link past the navigation, Tab from field to field, Enter."""
    buyer.goto(place)
    buyer.keyboard.press("Tab")
    buyer.keyboard.press("Enter")
    buyer.keyboard.press("Tab")
    buyer.keyboard.type(email)
    buyer.keyboard.press("Tab")
    buyer.keyboard.press("ControlOrMeta+a")
    buyer.keyboard.type("1")
    buyer.keyboard.press("Enter")
    expect(buyer.get_by_role("heading", name="Check your email")).to_be_visible()


def unsubscribe(api: Api, letters: Letterbox, seller: Page, email: str) -> None:
    """End invitations by the link in one: opening it changes nothing, the button does."""
    letters.follow(seller, email, "invitation", "/unsubscribe/")
    assert not preferences(api)
    press(seller, "Unsubscribe")
    expect(seller.locator("h1")).to_have_text("You are unsubscribed")
    assert preferences(api) == ["invitation"]


def test_a_counter_auction_from_registration_to_the_winner_s_list(
    api: Api, somebody: Somebody, letters: Letterbox
) -> None:
    camera = f"Camera {uuid.uuid4().hex[:6]}"
    ada, hana, bob = buyers = [address(name) for name in ("ada", "hana", "bob")]
    nord, sato, west = sellers = [address(name) for name in ("nord", "sato", "west")]
    at_nord, at_sato, at_west = somebody(), somebody(PHONE, "ja"), somebody()
    began = time.monotonic()
    key = register(api, at_nord, "Nordlicht Foto", nord)
    register(api, at_sato, "佐藤商店", sato)
    register(api, at_west, "West & Sons", west)
    took = timedelta(seconds=time.monotonic() - began)
    term = max(TERM, TERM_IN_REGISTRATIONS * took)
    auction_id = open_auction(at_nord, key, camera, term)
    place = f"/auctions/{auction_id}"

    onlooker = somebody()
    watch(onlooker, place)
    count = onlooker.locator(".count [data-is=reservations]")
    expect(count).to_have_text("0")
    at_ada, at_hana, at_bob = somebody(), somebody(PHONE, "ja"), somebody()
    reserve(at_ada, place, ada, "2")
    reserve(at_hana, place, hana, "1")
    reserve_by_keyboard(at_bob, place, bob)
    for page, email, total in ((at_ada, ada, "2"), (at_hana, hana, "3"), (at_bob, bob, "4")):
        letters.follow(page, email, "confirm-application", "/confirm/")
        page.locator("main form button").focus()
        page.keyboard.press("Enter")
        expect(page.locator('main a[href^="/applications/"]')).to_be_visible()
        expect(count).to_have_text(total)
    expect(onlooker.locator("[data-go]")).to_have_text(re.compile("The minimum is reached"))

    letters.follow(at_west, west, "invitation", "/counter-offer/")
    at_west.get_by_label("Price each").fill("1,150.00")
    letters.follow(at_sato, sato, "invitation", "/counter-offer/")
    at_sato.locator("input[name=price]").fill("1099.50")
    at_sato.locator("main form button").click()
    expect(at_sato.locator("h1")).to_have_text("条件が掲載されました")
    watch(at_sato, f"/seller{place}")
    price = onlooker.locator(".figure [data-is=unit_price]")
    expect(price).to_have_text("€1,099.50")
    expect(onlooker.locator(".story li.better")).to_have_count(1)

    # Who was about to offer sees that the price is too high now, and what was typed is still there.
    expect(at_west.locator("[data-part=lead]")).to_contain_text("€1,099.49 or less")
    expect(at_west.get_by_label("Price each")).to_have_value("1,150.00")
    press(at_west, "Make the offer")
    expect(at_west.locator("#problems")).to_be_focused()
    unsubscribe(api, letters, at_west, west)
    letters.open(at_nord, nord, "right-intercepted")
    letters.open(at_ada, ada, "condition-improved")

    ended = onlooker.locator(".verdict.good .title")
    left = term.total_seconds() * 1000
    expect(ended).to_have_text("It's a deal at €1,099.50 each", timeout=left + SOON_MS)
    expect(onlooker.locator(".eyebrow .status")).to_have_text("Contract concluded")
    expect(onlooker.locator("#apply")).to_have_count(0)
    assert is_still_open(onlooker)

    expect(at_sato.locator("#standing")).to_have_text("契約が成立しました")
    rows = at_sato.locator("tbody tr")
    expect(rows).to_have_count(3)
    for email in buyers:
        expect(rows.filter(has_text=email)).to_have_count(1)
    assert is_still_open(at_sato)
    for other in (at_nord, at_west):
        other.goto(f"/seller{place}")
        expect(other.locator("#standing")).to_have_text("Another seller has the contract")
    seen = at_nord.content() + at_west.content() + onlooker.content()
    onlooker.get_by_role("link", name="Go to the group purchase").click()
    expect(onlooker.locator(".count [data-is=quantity]")).to_have_text("0")
    seen += onlooker.content()
    # Buyers see who sells to them, and nobody sees a buyer or a seller who was outbid.
    assert sato in seen
    assert not [each for each in (*buyers, nord, west) if each in seen]

    told = {(who, kind): 1 for who in buyers for kind in OF_BUYERS}
    told |= {(nord, kind): 1 for kind in OF_THE_DISPLACED}
    told |= {(sato, kind): 1 for kind in OF_THE_WINNER}
    told |= {(west, kind): 1 for kind in OF_THE_INVITED}
    assert_told(api, letters, (*buyers, *sellers), told)
