"""A letter names who sells, as the newest fact says, and how to reach them; no name imitates."""
# ruff: noqa: RUF001 - wide characters that look like an address

from dataclasses import replace
from typing import Any

import pytest

from domain.people import of_seller
from schemas.auctions import Seller
from schemas.parts import Product
from schemas.shops import Shop
from services.notifier.letters import letter_of
from services.notifier.rules.businesses import email_of, order_link, sold_by
from services.notifier.rules.merging import MERGED_MAX
from tests.rules.letter_samples import (
    AT,
    GROUP_ID,
    PLACES,
    SENDER,
    FixedLinks,
    Sample,
    golden,
    parts,
    read,
    samples,
    written,
)

SHOP = PLACES["en"].shop.model_copy(update={"shop_id": "slug-7"})
SELLER = samples("en")["contract-concluded-of-seller"].of
assert isinstance(SELLER, Seller)


def sample(name: str, of: Shop | Seller | None = None, **says: Any) -> Sample:
    found = samples("en")[name]
    changed = found.notice.says.model_copy(update=says)
    return found._replace(notice=found.notice.model_copy(update={"says": changed}), of=of)


def text(found: Sample) -> str:
    return parts(read(written(found)))["text/plain"]


# --- who sells -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "says", "found"),
    [
        ("order-counted", {"shop_id": "slug-7"}, SHOP),
        ("order-counted", {"seller_id": SELLER.seller_id}, SELLER),
        ("order-counted", {"shop_id": "slug-7", "seller_id": SELLER.seller_id}, SHOP),
        ("order-counted", {"shop_id": "other", "seller_id": SELLER.seller_id}, SELLER),
        ("order-counted", {"shop_id": "other"}, None),
        ("order-counted", {}, None),
        ("contract-concluded-applicant", {"seller_id": SELLER.seller_id}, SELLER),
        # A seller reads neither of a rival nor of itself.
        ("contract-concluded-winner", {"seller_id": SELLER.seller_id}, None),
        ("contract-concluded-seller", {"seller_id": SELLER.seller_id}, None),
        ("right-intercepted", {"seller_id": SELLER.seller_id}, None),
        ("invitation", {"seller_id": SELLER.seller_id}, None),
        ("offer-judged-shown", {"seller_id": SELLER.seller_id}, None),
    ],
)
def test_a_buyer_reads_who_sells(
    name: str, says: dict[str, str], found: Shop | Seller | None
) -> None:
    notice = sample(name, **says).notice
    assert sold_by(notice, {"slug-7": SHOP}, {SELLER.seller_id: SELLER}) == found


@pytest.mark.slow
def test_a_seller_who_organizes_the_group_of_a_contract_is_not_told_to_ask_itself() -> None:
    notice = sample("id-issued-organizer", seller_id=SELLER.seller_id).notice
    assert sold_by(notice, {}, {SELLER.seller_id: SELLER}) == SELLER
    own = notice.model_copy(update={"recipient_id": of_seller(SELLER.seller_id)})
    assert sold_by(own, {}, {SELLER.seller_id: SELLER}) is None


def test_a_slug_is_shown_only_as_long_as_no_name_is_known() -> None:
    for name in ("order-counted", "order-refused", "order-refused-return"):
        assert "slug-7" in text(sample(name, source="slug-7"))
        said = text(sample(name, SHOP, source="slug-7"))
        assert "slug-7" not in said
        assert "Sold by: The Corner Shop" in said


def test_who_is_to_be_asked_has_a_contact() -> None:
    contact = "Contact: hello@corner-shop.example, +44 20 7946 0000\n"
    for name in ("order-refused", "payment-failed-refund", "favor-given-gift"):
        said = text(sample(name, SHOP))
        assert contact in said
        assert "the shop" not in said.replace("The Corner Shop", "")
    # A discount has no row of contacts: the footer has them.
    assert contact not in text(sample("favor-given", SHOP))


@pytest.mark.slow
def test_each_letter_has_the_postal_addresses_and_the_seller_s_pages() -> None:
    for name in ("order-counted", "payment-done-charge", "deadline-reminder"):
        said = text(sample(name, SHOP))
        assert "The Corner Shop Ltd, 1 High Street, London E1 6AN\n" in said
        assert "jointbuy e.V., Am Markt 3, 10115 Berlin, Germany\n" in said
        for page in ("terms", "privacy", "imprint"):
            assert f": https://corner-shop.example/{page}\n" in said
    for found in samples("en").values():
        assert "Am Markt 3" in text(found)


# --- where to order ------------------------------------------------------------------------------

LINK = f"https://corner-shop.example/cart?add=oil-5l&note={GROUP_ID}"
CONCLUDED = {"group_id": GROUP_ID}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "says", "template", "link"),
    [
        ("id-issued-member", {}, SHOP.order_link, LINK),
        ("deadline-reminder", {}, SHOP.order_link, LINK),
        ("contract-concluded-applicant", CONCLUDED, SHOP.order_link, LINK),
        # The contract is told before its group has an ID.
        ("contract-concluded-applicant", {}, SHOP.order_link, None),
        ("id-issued-organizer", {}, SHOP.order_link, None),
        ("order-counted", {}, SHOP.order_link, None),
        ("id-issued-member", {}, None, None),
        ("id-issued-member", {}, "javascript:alert({group_id})", None),
        ("id-issued-member", {}, "https://x.example/ {group_id}", None),
        ("id-issued-member", {}, 'https://x.example/">{group_id}', None),
    ],
)
def test_a_letter_that_calls_to_order_leads_there(
    name: str, says: dict[str, str], template: str | None, link: str | None
) -> None:
    shop = SHOP.model_copy(update={"order_link": template})
    found = sample(name, shop, **says)
    assert order_link(found.notice, shop) == link
    assert (f"\nOrder now:\n{link}\n" in text(found)) is (link is not None)
    assert "javascript" not in golden(read(written(found)))


def test_a_product_s_id_can_change_nothing_of_the_link() -> None:
    found = sample("id-issued-member", SHOP, product=Product(name="Oil", id="x&note=GB#"))
    link = order_link(found.notice, SHOP)
    assert link == LINK.replace("oil-5l", "x%26note%3DGB%23")


# --- the sender ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("The Corner Shop", "The Corner Shop via jointbuy"),
        ("角の店", "角の店 via jointbuy"),
        ("jointbuy", "jointbuy"),
        ("Bank\r\nBcc: mallory@evil.example", "Bank Bcc … via jointbuy"),
        ('PayPal <service@paypal.com>, "x"', "PayPal … x via jointbuy"),
        ("service＠paypal．com", "slug-7 via jointbuy"),
        ("Shop ＜Bank＞; (Bank)", "Shop Bank Bank via jointbuy"),
        ("www.evil.example", "slug-7 via jointbuy"),
        ("x" * 200, f"{'x' * 59}… via jointbuy"),
        ('"', "jointbuy"),
    ],
)
def test_no_name_imitates_an_address(name: str, shown: str) -> None:
    message = read(written(sample("order-counted", SHOP.model_copy(update={"name": name}))))
    (sender,) = message["From"].addresses
    assert sender.addr_spec == "letters@jointbuy.example"
    # Python keeps the spaces between encoded words.
    assert sender.display_name.replace(" ", "") == shown.replace(" ", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("email", "replies_to"),
    [
        ("hello@corner-shop.example", "hello@corner-shop.example"),
        ("hello@bücher.example", "hello@xn--bcher-kva.example"),
        # It would need SMTPUTF8, which the recipient's program may not have.
        ("jörg@corner-shop.example", None),
        ("not an address", None),
        ("a@b.example, mallory@evil.example", None),
        ("", None),
        (None, None),
    ],
)
def test_replies_go_to_who_sells(email: str | None, replies_to: str | None) -> None:
    shop = SHOP.model_copy(update={"email": email})
    assert email_of(shop) == replies_to
    found = sample("order-counted", shop)
    assert read(written(found))["Reply-To"] == replies_to
    assert ("reply to this email: The Corner Shop gets" in text(found)) is bool(replies_to)


def test_without_a_known_seller_nobody_is_named() -> None:
    message = read(written(sample("order-counted")))
    assert message["From"] == "jointbuy <letters@jointbuy.example>"
    assert message["Reply-To"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page_url", "has_logo"),
    [
        ("https://jointbuy.example", True),
        ("https://198.51.99.7", True),
        ("http://jointbuy.example", False),
        ("https://localhost:8080", False),
        ("https://jointbuy", False),
        ("https://jointbuy.local", False),
        ("https://10.0.0.7", False),
        ("https://[fd00::7]", False),
        ("https://127.0.0.1:8080", False),
    ],
)
def test_a_logo_is_shown_from_public_pages_only(page_url: str, has_logo: bool) -> None:
    found = sample("order-counted", SHOP)
    sender = replace(SENDER, page_url=page_url)
    links = FixedLinks(page_url)
    content = letter_of("n", (found.notice,), found.person, sender, links, SHOP).content
    html = parts(read(content))["text/html"]
    assert (f'src="{page_url}/images/{SHOP.logo}"' in html) is has_logo
    assert ('alt="Logo of The Corner Shop"' in html) is has_logo
    assert "<img" not in html or has_logo
    assert "The Corner Shop via jointbuy" in html


# --- many ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["invitation", "offer-judged-not-better"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_full_digest_is_shown_whole(name: str, language: str) -> None:
    """Mail programs cut what is longer than 102 kB, and with it the link to unsubscribe."""
    found = samples(language)[name]
    many = [
        found.notice.model_copy(
            update={
                "notice_id": f"n{number}",
                "about": f"auction-{number}",
                "at": AT,
                "says": found.notice.says.model_copy(
                    update={"product": Product(name=f"{number} {'long name ' * 8}")}
                ),
            }
        )
        for number in range(MERGED_MAX)
    ]
    content = letter_of("n0", many, found.person, SENDER, FixedLinks()).content
    assert len(parts(read(content))["text/html"].encode()) < 100_000
    assert all(
        f"\n{number} long name" in parts(read(content))["text/plain"] for number in range(20)
    )
