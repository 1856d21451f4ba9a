"""Who may have orders of which source counted, as the API says before anything is on the log."""

from typing import Any

import pytest

from domain.sources import SOURCES_MAX, sources_of_shop
from runtime.links import Links
from schemas.ops import ApiKey
from schemas.orders import OrderCancelled, OrderPaid, OrderPlaced, OrderReturned
from services.storefront.access.callers import digest_of
from tests.storefront.test_asking_twice import SECRET, Site
from tests.storefront.test_asking_twice import site as site  # noqa: PLC0414 - a fixture
from tests.storefront.test_read_model import NOW, definition, group, write

pytestmark = pytest.mark.slow

ADMIN = "an-admin-key-of-the-tests"
LEAF = "g-001"
PAGES_ONLY = "g-002"
TILLS = "g-003"
LATER = {"closes_at": NOW.replace(year=2090), "payment": {"scope": "group", "method": "invoice"}}
OWN = {"product": {"name": "Tea"}, "number_of_products": 2}
BOUGHT = {"order_id": "1", "member": {"id": "ann"}, "quantity": 1}
BACK = {"return_id": "r", "member_id": "ann", "quantity": 1}
HERE = {"source": "storefront"}


class Shops:
    """Two shops, the admin, and groups: one under a definition of ``leaf``, two of the admin's."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.keys = {"admin": ADMIN}

    async def open(self) -> "Shops":
        await write(
            self.site.url,
            definition(1, shop_id="leaf"),
            group(1, definition_id="d-001", sources=sources_of_shop("leaf"), **LATER),
            group(2, sources=("storefront",), **LATER),
            group(3, sources=("till",), **LATER),
            *(self._key(shop_id) for shop_id in ("leaf", "rival")),
        )
        return self

    def _key(self, shop_id: str) -> ApiKey:
        key_id = shop_id.ljust(16, "0")
        self.keys[shop_id] = f"jb_{key_id}_secret"
        return ApiKey(
            key_id=key_id,
            role="shop",
            holder_id=shop_id,
            digest=digest_of(self.keys[shop_id]),
            issued_at=NOW,
            version=1,
        )

    def as_(self, who: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys.get(who, who)}"} if who else {}

    async def post(self, who: str | None, path: str, body: Any) -> tuple[int, str]:
        """The status of the answer, and its words."""
        key = f"{len(self.site.sent):032}"
        answer = await self.site.post(body, path=f"/api/v1{path}", key=key, **self.as_(who))
        return answer.status_code, answer.text


@pytest.fixture
async def shops(site: Site) -> Shops:
    return await Shops(site).open()


FEEDS: list[tuple[str, str, str, dict[str, Any], int, str]] = [
    ("the shop itself", "leaf", "orders", BOUGHT, 201, "leaf"),
    ("the shop by its name", "leaf", "orders", BOUGHT | {"source": "leaf"}, 201, "leaf"),
    ("the shop by another's", "leaf", "orders", BOUGHT | {"source": "rival"}, 403, ""),
    ("another shop", "rival", "orders", BOUGHT, 403, ""),
    ("another shop by its name", "rival", "orders", BOUGHT | {"source": "leaf"}, 403, ""),
    ("the admin", "admin", "orders", BOUGHT, 201, "admin"),
    ("the admin for the shop", "admin", "orders", BOUGHT | {"source": "leaf.2"}, 201, "leaf.2"),
    ("a cancellation of the shop", "leaf", "cancellations", {"order_id": "1"}, 201, "leaf"),
    ("of another", "rival", "cancellations", {"order_id": "1"}, 403, ""),
    ("of another's", "leaf", "cancellations", {"order_id": "1", "source": "rival"}, 403, ""),
    ("a return of the shop", "leaf", "returns", BACK, 201, "leaf"),
    ("of what our pages sold", "leaf", "returns", BACK | HERE, 201, "storefront"),
    ("a return of another shop", "rival", "returns", BACK, 403, ""),
    ("of it, by our pages", "rival", "returns", BACK | HERE, 403, ""),
    ("of another's orders", "leaf", "returns", BACK | {"source": "rival"}, 403, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "who", "path", "body", "status", "source"), FEEDS, ids=[each[0] for each in FEEDS]
)
async def test_a_shop_feeds_its_own_groups_and_no_other(
    shops: Shops, what: str, who: str, path: str, body: dict[str, Any], status: int, source: str
) -> None:
    """``source`` is what goes out on the log, or nothing does."""
    answered, words = await shops.post(who, f"/group-purchases/{LEAF}/{path}", body)
    assert answered == status, words
    kinds = (OrderPlaced, OrderPaid, OrderCancelled, OrderReturned)
    told = [each.source for each in shops.site.sent if isinstance(each, kinds)]
    assert told == ([source] if source else [])


async def test_a_source_that_does_not_count_is_named_before_it_is_sent(shops: Shops) -> None:
    """A placed order that would wait for its money gets no other answer."""
    await write(
        shops.site.url, group(3, version=2, sources=("till",), closes_at=LATER["closes_at"])
    )
    status, words = await shops.post("admin", f"/group-purchases/{TILLS}/orders", BOUGHT)
    assert status == 422
    assert "not-this-shop: orders of admin do not count here, only those of till" in words
    assert not shops.site.sent


@pytest.mark.parametrize(("group_id", "status"), [(PAGES_ONLY, 201), (TILLS, 422)])
async def test_our_pages_take_orders_only_where_they_count(
    shops: Shops, group_id: str, status: int
) -> None:
    token = Links(SECRET).token("order", group_id, "ann")
    place = f"/group-purchases/{group_id}/orders"
    by_link = {"quantity": 1, "member": {"email": "ann@example.com"}}
    answered, words = await shops.post(token, place, by_link)
    assert answered == status, words
    assert ("not-this-shop" in words) is (status == 422)
    assert len(shops.site.sent) == (status == 201)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "do not count in this group purchase"), ("ja", "こちらからのご注文の対象外です")],
)
async def test_a_page_says_so_in_the_reader_s_language(
    shops: Shops, language: str, words: str
) -> None:
    token = Links(SECRET).token("order", TILLS, "ann")
    answer = await shops.site.processes[0].post(
        f"/groups/{TILLS}/order/{token}",
        data={"quantity": "1", "email": "ann@example.com"},
        headers={"Accept-Language": language, "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.status_code == 422
    assert words in answer.text
    assert not shops.site.sent


REQUESTS: list[tuple[str, str | None, dict[str, Any], int, tuple[str, ...]]] = [
    ("anyone, under a definition", None, {}, 202, ()),
    ("anyone naming sources", None, {"sources": ["rival"]}, 403, ()),
    ("anyone naming none", None, {"sources": []}, 403, ()),
    ("the shop under its definition", "leaf", {}, 202, ()),
    ("the shop naming its tills", "leaf", {"sources": ["leaf.1", "fair"]}, 202, ("leaf.1", "fair")),
    ("another shop under it", "rival", {}, 202, ()),
    ("another shop naming itself", "rival", {"sources": ["rival"]}, 403, ()),
    ("too many", "leaf", {"sources": ["s"] * (SOURCES_MAX + 1)}, 400, ()),
    ("as many as can be", "leaf", {"sources": ["s"] * SOURCES_MAX}, 202, ("s",) * SOURCES_MAX),
    ("an invalid id", "leaf", {"sources": ["a/b"]}, 400, ()),
]


@pytest.mark.parametrize(
    ("what", "who", "more", "status", "sources"), REQUESTS, ids=[each[0] for each in REQUESTS]
)
async def test_who_may_say_which_sources_count(
    shops: Shops,
    what: str,
    who: str | None,
    more: dict[str, Any],
    status: int,
    sources: tuple[str, ...],
) -> None:
    body = {"definition_id": "d-001", "number_of_products": 2} | more
    answered, words = await shops.post(who, "/group-purchases", body)
    assert answered == status, words
    assert [each.sources for each in shops.site.asked] == ([sources] if status == 202 else [])


@pytest.mark.parametrize(
    ("who", "more", "sources"),
    [
        ("leaf", {}, ("leaf", "storefront", "admin")),
        ("leaf", {"sources": []}, ("leaf", "storefront", "admin")),
        ("leaf", {"sources": ["fair"]}, ("fair",)),
        ("admin", {}, ()),
    ],
)
async def test_terms_of_a_shop_s_own_are_fed_by_that_shop(
    shops: Shops, who: str, more: dict[str, Any], sources: tuple[str, ...]
) -> None:
    """Unless it names others; the admin's by any, as there is no shop."""
    answered, words = await shops.post(who, "/group-purchases", OWN | more)
    assert answered == 202, words
    assert [each.sources for each in shops.site.asked] == [sources]


@pytest.mark.parametrize(
    "shop_id",
    ["storefront", "admin", "admin.2", "storefront.x", "seller", "seller.s-1", "a:b", ".b"],
)
async def test_no_shop_is_named_as_we_are(shops: Shops, shop_id: str) -> None:
    answered, _ = await shops.post("admin", f"/shops/{shop_id}/keys", b"")
    assert answered == 422
    assert not shops.site.sent
