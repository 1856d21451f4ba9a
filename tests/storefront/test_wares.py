"""What is sold, by whom and where: pictures, shops and sellers, over the API and on pages."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from schemas.auctions import AuctionOpened, SellerDescribed
from schemas.groups import GroupPurchaseRequested
from schemas.shops import Shop
from services.storefront.wares.pictures import FILE_BYTES_MAX
from tests.storefront.pages_app import ADMIN_KEY, PAGE_URL, Answer, Storefront
from tests.storefront.test_read_model import write
from tests.storefront.wares_world import (
    CONTACT,
    CUP,
    NOW,
    ORDER_LINK,
    PRODUCT,
    TEA,
    WORLD,
    file_of,
    group,
    key,
    shop,
    shop_on,
)

CLIENT = "192.0.2.1"
V1 = "/api/v1"
UNKNOWN = "0" * 64
KEYS = {
    "nobody": "",
    "admin": ADMIN_KEY,
    "shop": key("shop", "tea-house"),
    "other shop": key("shop", "coffee"),
    "seller": key("seller", "s-nord"),
    "new seller": key("seller", "s-new"),
}


@pytest.fixture
async def storefront(url: str) -> AsyncIterator[Storefront]:
    await write(url, *WORLD)
    with shop_on(url, answer_seconds=0.2) as made:
        yield made
        await made.close()


def by(who: str, **headers: str) -> dict[str, str]:
    """The headers of somebody's request."""
    return ({"authorization": f"Bearer {KEYS[who]}"} if KEYS[who] else {}) | headers


async def ask(
    storefront: Storefront, method: str, path: str, who: str, body: Any = None, raw: bytes = b""
) -> Answer:
    """An answer of the API."""
    return await storefront.ask(method, V1 + path, CLIENT, headers=by(who), body=body, raw=raw)


def multipart(fields: dict[str, str], files: dict[str, bytes]) -> tuple[dict[str, str], bytes]:
    """A form with files, as browsers send it: its header and its body."""
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    for name, file in files.items():
        head = f'--B\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'
        parts.append(f"{head}Content-Type: image/png\r\n\r\n".encode() + file + b"\r\n")
    return {"content-type": "multipart/form-data; boundary=B"}, b"".join(parts) + b"--B--\r\n"


# --- images --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [
        *(("nobody", 401), ("admin", 201), ("shop", 201), ("seller", 201)),
        # Whoever registers would else show any picture at our address.
        ("new seller", 403),
    ],
)
async def test_who_may_store_a_picture(storefront: Storefront, who: str, status: int) -> None:
    answer = await ask(storefront, "POST", "/images", who, raw=file_of("#1d4ed8"))
    assert answer.status == status, answer.text
    assert bool([topic for topic, _ in storefront.sent if topic == "images"]) == (status == 201)


@pytest.mark.parametrize(
    ("raw", "status", "kind"),
    [
        (b"", 400, "invalid"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not-an-image"),
        (b'{"image": "x"}', 415, "not-an-image"),
        (file_of("#1d4ed8")[:200], 422, "refused"),
        (file_of("#1d4ed8", (8_000, 7_000)), 422, "refused"),
        (b"\x89PNG\r\n\x1a\n" + bytes(FILE_BYTES_MAX), 413, "too-large"),
        (bytes(FILE_BYTES_MAX + 200_000), 413, "too-large"),
    ],
)
async def test_what_is_not_a_picture_is_refused_and_says_why(
    storefront: Storefront, raw: bytes, status: int, kind: str
) -> None:
    answer = await ask(storefront, "POST", "/images", "shop", raw=raw)
    assert (answer.status, answer.json["type"]) == (status, f"urn:jointbuy:problem:{kind}")
    assert storefront.sent == []


async def test_a_large_body_of_nobody_is_refused_before_it_is_read(storefront: Storefront) -> None:
    answer = await ask(storefront, "POST", "/images", "nobody", raw=bytes(FILE_BYTES_MAX))
    assert answer.status == 401
    form = await storefront.ask("POST", "/seller/open", CLIENT, raw=bytes(70_000))
    assert form.status == 413


async def test_the_same_picture_again_changes_nothing(storefront: Storefront) -> None:
    file = file_of("#1d4ed8")
    first = await ask(storefront, "POST", "/images", "shop", raw=file)
    headers, body = multipart({"note": "logo"}, {"image": file})
    second = await storefront.ask(
        "POST", f"{V1}/images", CLIENT, headers=by("seller", **headers), raw=body
    )
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert first.headers["location"] == f"/images/{first.json['image_id']}"
    assert [topic for topic, _ in storefront.sent] == ["images"]


async def test_a_picture_may_be_kept_for_ever_and_sets_no_cookie(storefront: Storefront) -> None:
    path = f"/images/{TEA.image_id}"
    whole = await storefront.ask("GET", f"{path}?lang=ja", CLIENT)
    assert (whole.status, whole.content) == (200, TEA.data)
    assert whole.headers["content-type"] == "image/webp"
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in whole.headers
    again = await storefront.ask(
        "GET", path, CLIENT, headers={"if-none-match": f'"{TEA.image_id}"'}
    )
    assert (again.status, again.content) == (304, b"")
    small = await storefront.ask("GET", f"{path}?w=144", CLIENT)
    assert small.status == 200
    assert small.headers["etag"] != whole.headers["etag"]


@pytest.mark.parametrize("image_id", [UNKNOWN, "x", "%00", TEA.image_id.upper()])
async def test_an_unknown_picture_is_not_there(storefront: Storefront, image_id: str) -> None:
    answer = await storefront.ask("GET", f"/images/{image_id}", CLIENT)
    assert answer.status == 404
    assert "immutable" not in answer.headers["cache-control"]


async def test_bytes_of_pictures_are_limited_by_holder(url: str) -> None:
    await write(url, *WORLD)
    file = file_of("#1d4ed8")
    with shop_on(url, image_bytes_per_hour=len(file) + 1) as storefront:
        statuses = [
            (await ask(storefront, "POST", "/images", who, raw=file)).status
            for who in ("shop", "shop", "seller")
        ]
        await storefront.close()
    assert statuses == [201, 429, 201]


# --- products ------------------------------------------------------------------------------------


def _definition(images: Any) -> dict[str, Any]:
    product = {"name": "Sencha", "images": images, "url": "https://teahouse.example/お茶"}
    return {"product": product, "unit_price": 900, "currency": "EUR"}


async def test_a_product_keeps_what_is_said_of_it(storefront: Storefront) -> None:
    answer = await ask(
        storefront, "POST", "/definitions", "shop", _definition([CUP.image_id, TEA.image_id])
    )
    assert answer.status == 201
    assert answer.json["product"]["images"] == [CUP.image_id, TEA.image_id]
    assert answer.json["product"]["url"] == "https://teahouse.example/%E3%81%8A%E8%8C%B6"


@pytest.mark.parametrize(
    ("path", "who", "body"),
    [
        ("/definitions", "shop", _definition([TEA.image_id, UNKNOWN])),
        (
            "/group-purchases",
            "shop",
            {
                "product": {"name": "Tea", "images": [TEA.image_id, UNKNOWN]},
                "number_of_products": 9,
            },
        ),
        (
            "/auctions",
            "seller",
            {
                "product": {"name": "Tea", "images": [TEA.image_id, UNKNOWN]},
                "unit_price": 900,
                "minimum_reservations": 9,
                "currency": "EUR",
                "closes_at": "2100-01-01T00:00:00Z",
            },
        ),
    ],
)
async def test_an_image_that_nobody_stored_is_refused(
    storefront: Storefront, path: str, who: str, body: Any
) -> None:
    answer = await ask(storefront, "POST", path, who, body)
    assert answer.status == 422
    assert [each["field"] for each in answer.json["problems"]] == ["product.images[1]"]
    assert storefront.sent == []


@pytest.mark.parametrize(("who", "shop_id"), [("shop", "tea-house"), ("admin", None)])
async def test_a_request_is_of_the_shop_whose_key_it_came_with(
    storefront: Storefront, who: str, shop_id: str | None
) -> None:
    body = {
        "product": {"name": "Tea"},
        "number_of_products": 9,
        "closes_at": "2100-01-01T00:00:00Z",
    }
    assert (await ask(storefront, "POST", "/group-purchases", who, body)).status == 202
    ((_, message),) = storefront.sent
    assert isinstance(message, GroupPurchaseRequested)
    assert message.shop_id == shop_id


@pytest.mark.parametrize("field", ["shop_id", "seller_id"])
async def test_nobody_says_of_a_request_who_sells(storefront: Storefront, field: str) -> None:
    body = {"definition_id": "d-1", "number_of_products": 9, field: "coffee"}
    for who in ("nobody", "shop", "admin"):
        assert (await ask(storefront, "POST", "/group-purchases", who, body)).status == 400


# --- shops ---------------------------------------------------------------------------------------

SAID = {"name": "Tea House", **CONTACT, "order_link": ORDER_LINK}


@pytest.mark.parametrize(
    ("who", "status"),
    [("nobody", 401), ("seller", 403), ("other shop", 403), ("shop", 200), ("admin", 200)],
)
async def test_who_may_describe_a_shop(storefront: Storefront, who: str, status: int) -> None:
    answer = await ask(storefront, "PUT", "/shops/tea-house", who, SAID | {"name": "Tea & Co"})
    assert answer.status == status
    shown = await ask(storefront, "GET", "/shops/tea-house", "nobody")
    assert shown.json["name"] == ("Tea & Co" if status == 200 else "Tea House")
    assert shown.json["version"] == (2 if status == 200 else 1)


async def test_the_same_description_changes_nothing(storefront: Storefront) -> None:
    answer = await ask(storefront, "PUT", "/shops/tea-house", "shop", SAID)
    assert (answer.status, answer.json["version"]) == (200, 1)
    assert storefront.sent == []


async def test_a_new_shop_is_described_by_the_admin(storefront: Storefront) -> None:
    assert (await ask(storefront, "GET", "/shops/coffee", "nobody")).status == 404
    assert (await ask(storefront, "PUT", "/shops/coffee", "admin", {"name": "C"})).status == 200
    ((topic, message),) = storefront.sent
    assert (topic, isinstance(message, Shop)) == ("shops", True)
    assert (await ask(storefront, "PUT", "/shops/storefront", "admin", {"name": "C"})).status == 422


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("url", "javascript:alert(1)", 400),
        ("url", "https://tea@evil.example", 400),
        ("order_link", "https://teahouse.example/cart", 400),
        ("order_link", "https://{group_id}.evil.example/", 400),
        ("phone", "call me", 400),
        ("postal_address", "", 400),
        ("logo", UNKNOWN, 422),
        ("order_link", "https://evil.example/?note={group_id}", 422),
    ],
)
async def test_a_wrong_field_is_named(
    storefront: Storefront, field: str, value: str, status: int
) -> None:
    answer = await ask(storefront, "PUT", "/shops/tea-house", "shop", SAID | {field: value})
    assert answer.status == status
    assert [each["field"] for each in answer.json["problems"]] == [field]


async def test_a_shop_keeps_the_order_link_that_the_admin_set(storefront: Storefront) -> None:
    other = SAID | {"order_link": "https://tea.myshop.example/cart?note={group_id}"}
    steps = [
        ("shop", other, 422),
        ("admin", other, 200),
        ("shop", other | {"phone": "+49 40 1"}, 200),
        ("shop", SAID, 200),
        ("shop", other, 422),
    ]
    for who, said, status in steps:
        assert (await ask(storefront, "PUT", "/shops/tea-house", who, said)).status == status


# --- sellers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "status"),
    [("nobody", 401), ("shop", 403), ("new seller", 403), ("seller", 202), ("admin", 202)],
)
async def test_who_may_describe_a_seller(storefront: Storefront, who: str, status: int) -> None:
    said = {"phone": "+49 40 1", "url": "https://nord.example"}
    answer = await ask(storefront, "PUT", "/sellers/s-nord", who, said)
    assert answer.status == status
    sent = [message for _, message in storefront.sent]
    assert all(isinstance(each, SellerDescribed) for each in sent)
    assert [getattr(each, "phone", "") for each in sent] == (["+49 40 1"] if status == 202 else [])


async def test_anybody_may_read_who_a_seller_is(storefront: Storefront) -> None:
    answer = await ask(storefront, "GET", "/sellers/s-nord", "nobody")
    assert (answer.status, answer.json["email"]) == (200, "hi@nord.example")
    assert "standings" not in answer.json
    assert (await ask(storefront, "GET", "/sellers/s-none", "nobody")).status == 404


@pytest.mark.parametrize("field", ["postal_address", "delivery"])
async def test_a_seller_s_texts_for_letters_have_no_links(
    storefront: Storefront, field: str
) -> None:
    said = {field: "see www.evil.example"}
    assert (await ask(storefront, "PUT", "/sellers/s-nord", "seller", said)).status == 422
    registration = {"name": "N", "email": "n@n.example", **said}
    assert (await ask(storefront, "POST", "/sellers", "nobody", registration)).status == 422


# --- pages ---------------------------------------------------------------------------------------


async def page_of(storefront: Storefront, path: str) -> str:
    """A page's HTML."""
    answer = await storefront.ask("GET", path, CLIENT, headers={"accept-language": "en"})
    assert answer.status == 200
    assert "img-src 'self';" in answer.headers["content-security-policy"]
    return answer.text


def main_of(html: str) -> str:
    """What stands between the head of the site and its foot."""
    return html.partition("<main")[2].partition("</main>")[0]


def actions(html: str) -> list[str]:
    """The addresses of buttons that are links, in order."""
    return [unescape(each) for each in re.findall(r'<a class="button[^"]*" href="([^"]*)"', html)]


FILLED = "https://teahouse.example/cart?add=sencha%20%26%201%20kg&note=GB-1"


@pytest.mark.parametrize(
    ("shop_id", "fields", "first"),
    [
        ("tea-house", {}, FILLED),
        ("without link", {}, PRODUCT["url"]),
        ("tea-house", {"product": PRODUCT | {"id": None}}, PRODUCT["url"]),
        ("not described", {}, PRODUCT["url"]),
        ("without link", {"product": {"name": "Tea"}}, None),
        # Nobody answers for the product's text, so its address is no link.
        (None, {}, None),
        ("tea-house", {"members": ({"id": "m-ann"},)}, FILLED),
        # Paid here: an order at the shop would not be paid by this method.
        ("tea-house", {"payment": {"scope": "member", "method": "card"}}, "/groups/GB-1/order/"),
        ("tea-house", {"closes_at": NOW - timedelta(hours=1)}, None),
    ],
)
async def test_the_first_action_of_a_group_leads_to_where_it_orders(
    storefront: Storefront, url: str, shop_id: str | None, fields: Any, first: str | None
) -> None:
    await write(url, shop(shop_id="without link", order_link=None))
    await write(url, *group("GB-1", **fields, shop_id=shop_id, version=2))
    found = actions(main_of(await page_of(storefront, "/groups/GB-1")))
    if first is None:
        assert found == []
    else:
        assert found[0].startswith(first)


async def test_a_group_s_page_shows_the_product_and_the_shop(storefront: Storefront) -> None:
    html = await page_of(storefront, "/groups/GB-1")
    assert "<strong>Shizuoka</strong>" in html
    assert '<a href="https://farm.example/tea" rel="nofollow ugc noopener">' in html
    assert f'src="/images/{TEA.image_id}" width="900" height="600"' in html
    assert 'href="mailto:hello%40teahouse.example"' in html or "mailto:hello@tea" in html
    foot = html.partition("<footer")[2]
    for each in ("imprint", "terms", "privacy"):
        assert f'href="https://teahouse.example/{each}"' in foot


async def test_a_text_that_nobody_answers_for_has_no_links(
    storefront: Storefront, url: str
) -> None:
    await write(url, *group("GB-2", shop_id=None))
    html = main_of(await page_of(storefront, "/groups/GB-2"))
    assert "[the farm](https://farm.example/tea)" in html
    assert not re.findall(r'href="https://(?:farm|teahouse)', html)


async def test_a_contract_says_where_until_when_at_what_price_and_from_whom(
    storefront: Storefront,
) -> None:
    for path in ("/auctions/a-2", "/groups/GB-C"):
        html = main_of(await page_of(storefront, path))
        assert actions(html)[0].startswith("https://teahouse.example/cart?add="), path
        assert "GB-C" in html
        assert re.search(r"Order until .*, at €900.00 each, from .*Nord Foto", unescape(html)), path


async def test_an_auction_names_the_seller_shown(storefront: Storefront) -> None:
    html = await page_of(storefront, "/auctions/a-1")
    assert "Nord Foto" in html
    assert 'data-part="seller"' in html
    answer = await ask(storefront, "GET", "/auctions/a-1", "nobody")
    assert answer.json["seller_id"] == "s-nord"


async def test_a_shop_s_page_has_its_open_groups_and_definitions(
    storefront: Storefront, url: str
) -> None:
    await write(url, *group("GB-OTHER", shop_id="coffee"))
    html = await page_of(storefront, "/shops/tea-house")
    assert 'href="/groups/GB-1"' in html
    assert 'href="/definitions/d-1"' in html
    assert "GB-OTHER" not in html
    assert (await storefront.ask("GET", "/shops/coffee", CLIENT)).status == 404


async def test_a_shop_s_page_and_the_home_page_say_the_same_of_a_group_and_of_an_offer(
    storefront: Storefront, url: str
) -> None:
    """Price with the discount so far, next goal and first step, and both follow the counts."""
    await write(url, *group("GB-2", if_incomplete="as-reached"))
    pages = [await page_of(storefront, place) for place in ("/", "/shops/tea-house")]
    assert all('data-events="/events"' in html for html in pages)
    for part in (
        r'data-live="groups/GB-2".*?(<p class="price".*?</li>)',
        r'<ul class="shelf">.*?(<p class="price">.*?</p>)',
    ):
        home, shop = (re.findall(part, html, re.DOTALL) for html in pages)
        assert home
        assert home == shop
    assert "with the discount so far" in pages[1]
    assert "10% off from 30 units" in pages[1]


async def test_lists_show_the_first_picture_small(storefront: Storefront) -> None:
    html = await page_of(storefront, "/")
    thumb = f'src="/images/{TEA.image_id}?w=144" width="72" height="72" alt="" loading="lazy"'
    # An auction, two groups and a definition.
    assert html.count(thumb) == 4


# --- forms ---------------------------------------------------------------------------------------


async def session(storefront: Storefront, who: str) -> dict[str, str]:
    """The headers of a browser that signed in."""
    own = {"origin": PAGE_URL}
    answer = await storefront.ask("POST", "/sign-in", CLIENT, headers=own, form={"key": KEYS[who]})
    assert answer.status == 303
    return own | {"cookie": answer.headers["set-cookie"].partition(";")[0]}


async def test_a_shop_edits_its_page_with_a_logo(storefront: Storefront) -> None:
    place = "/shops/tea-house"
    browser = await session(storefront, "shop")
    headers, body = multipart(
        {"name": "Tea & Co", "url": "https://teahouse.example", "logo": TEA.image_id},
        {"logo-file": file_of("#1d4ed8")},
    )
    answer = await storefront.ask(
        "POST", f"{place}/edit", CLIENT, headers=browser | headers, raw=body
    )
    assert (answer.status, answer.headers["location"]) == (303, place)
    shown = (await ask(storefront, "GET", place, "nobody")).json
    assert shown["name"] == "Tea & Co"
    assert shown["logo"] not in (None, TEA.image_id)
    assert shown["phone"] is None


async def test_another_shop_can_t_open_the_form(storefront: Storefront) -> None:
    browser = await session(storefront, "other shop")
    for method in ("GET", "POST"):
        answer = await storefront.ask(
            method, "/shops/tea-house/edit", CLIENT, headers=browser, form={"name": "X"}
        )
        assert answer.status == 403
    assert storefront.sent == []


async def test_a_form_keeps_its_pictures_after_a_mistake(storefront: Storefront) -> None:
    browser = await session(storefront, "seller")
    fields = {
        **{"product": "Camera", "price": "900", "currency": "EUR", "minimum": "5"},
        **{"description": "**New**", "tags": "a, b", "images": CUP.image_id, "zone": "UTC"},
    }
    headers, body = multipart(fields, {"images-file": file_of("#1d4ed8")})
    first = await storefront.ask(
        "POST", "/seller/open", CLIENT, headers=browser | headers, raw=body
    )
    assert first.status == 422
    (kept,) = re.findall(r'name="images" value="([^"]*)"', first.text)
    assert kept.split()[0] == CUP.image_id
    again = fields | {"images": kept, "closes_at": "2100-01-01T00:00", f"no-{CUP.image_id}": "yes"}
    headers, body = multipart(again, {})
    second = await storefront.ask(
        "POST", "/seller/open", CLIENT, headers=browser | headers, raw=body
    )
    assert second.status == 200, second.text
    assert storefront.sent == [] or not isinstance(storefront.sent[-1][1], AuctionOpened)
    kept_fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', second.text))
    third = await storefront.ask(
        "POST", "/seller/open", CLIENT, headers=browser, form=kept_fields | {"sure": "yes"}
    )
    assert third.status == 303, third.text
    message = storefront.sent[-1][1]
    assert isinstance(message, AuctionOpened)
    assert message.product.images == tuple(kept.split()[1:])
    assert (message.product.description, message.product.tags) == ("**New**", ("a", "b"))


@pytest.mark.parametrize("kind", ["; charset=utf-16", "; charset=unicode_escape"])
async def test_a_form_in_another_encoding_is_refused(storefront: Storefront, kind: str) -> None:
    browser = await session(storefront, "shop")
    headers, body = multipart({"name": "\\ud800"}, {})
    headers["content-type"] += kind
    answer = await storefront.ask(
        "POST", "/shops/tea-house/edit", CLIENT, headers=browser | headers, raw=body
    )
    assert answer.status == 400


@pytest.mark.parametrize("path", [f"{V1}/images", "/seller/profile", "/shops/tea-house/edit"])
async def test_a_form_that_takes_seconds_to_read_is_refused(
    storefront: Storefront, path: str
) -> None:
    """Text like the one between fields, a million times: the parser would block all requests."""
    who = "seller" if "seller" in path else "shop"
    browser = await session(storefront, who) if path.startswith("/s") else by(who)
    like_a_boundary = b"\r\n--B\r"
    headers, body = multipart({}, {"logo-file": like_a_boundary * 1_000_000})
    answer = await storefront.ask("POST", path, CLIENT, headers=browser | headers, raw=body)
    assert answer.status == 400


async def test_a_large_form_without_files_is_refused_before_it_is_read(
    storefront: Storefront,
) -> None:
    """The parser would look at each of millions of empty fields."""
    browser = await session(storefront, "seller")
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await storefront.ask(
        "POST", "/seller/profile", CLIENT, headers=browser | kind, raw=b"&" * 70_000
    )
    assert answer.status == 413
