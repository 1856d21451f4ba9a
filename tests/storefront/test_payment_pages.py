"""A payer's page: by when, what and to which account to pay; the codes say the same."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from domain.references import creditor_reference
from papers.issuer import Issuer
from schemas.shops import Shop
from tests.printed import read_svgs
from tests.rules.paper_samples import AT, IN_JAPAN, ISSUER, credit, group, payment, received
from tests.storefront.pages_app import storefront_on
from tests.storefront.payer_pages import PayerPages, payer_pages
from tests.storefront.test_read_model import write

REFERENCE = creditor_reference(payment().number or "") or "?"


async def shown(
    url: str, folder: Path, *payments: Any, issuer: Issuer = ISSUER, language: str = "en"
) -> str:
    await write(url, group(), *payments)
    with payer_pages(url, folder, issuer) as pages:
        return await pages.page(language)


async def test_an_open_invoice_says_when_what_and_where_to_pay(url: str, tmp_path: Path) -> None:
    page = await shown(url, tmp_path, payment())
    for said in (
        "March 20, 2026",
        "€84.00",
        "Corner Shop Ltd",
        "DE89 3704 0044 0532 0130 00",
        "COBADEFFXXX",
        REFERENCE,
        'data-copy="DE89370400440532013000"',
        f'data-copy="{REFERENCE.replace(" ", "")}"',
    ):
        assert said in page, said
    (code,) = read_svgs(page)
    assert code.split("\n")[4:10] == [
        "COBADEFFXXX",
        "Corner Shop Ltd",
        "DE89370400440532013000",
        "EUR84.00",
        "",
        REFERENCE.replace(" ", ""),
    ]


async def test_of_an_invoice_that_was_paid_in_part_the_rest_is_asked_for(
    url: str, tmp_path: Path
) -> None:
    page = await shown(url, tmp_path, payment(**received(3_000)), credit(420))
    assert "€49.80" in page
    (code,) = read_svgs(page)
    assert "EUR49.80" in code


@pytest.mark.parametrize(
    ("what", "payments"),
    [
        ("paid", (payment(status="succeeded", **received(8_400)),)),
        ("covered by a credit note", (payment(status="cancelled"), credit(8_400, "withdrawal"))),
        ("a credit note", (credit(420),)),
    ],
)
async def test_where_nothing_is_open_nothing_is_asked_for(
    url: str, tmp_path: Path, what: str, payments: Any
) -> None:
    page = await shown(url, tmp_path, *payments)
    assert "IBAN" not in page
    assert read_svgs(page) == []
    assert ("<p>Paid</p>" in page) == (what == "paid")


async def test_each_open_invoice_has_its_own_code(url: str, tmp_path: Path) -> None:
    page = await shown(url, tmp_path, payment(), payment(2))
    said = {creditor_reference(each.number or "") or "" for each in (payment(), payment(2))}
    codes = read_svgs(page)
    assert {code.split("\n")[9] for code in codes} == {each.replace(" ", "") for each in said}
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids)), "ids of the page are each of one element"


@pytest.mark.parametrize(
    ("name", "is_said"), [("Leaf & Cup", True), (ISSUER.name, False)], ids=["other", "the same"]
)
async def test_who_issues_the_invoice_for_another_is_named(
    url: str, tmp_path: Path, name: str, is_said: bool
) -> None:
    shop = Shop(shop_id="leaf", name=name, at=AT, version=1)
    await write(url, shop, group(shop_id="leaf"), payment())
    with payer_pages(url, tmp_path, ISSUER) as pages:
        page = unescape(await pages.page()).replace("\u2068", "").replace("\u2069", "")
    assert (f"{ISSUER.name} issues the invoice for {name}." in page) == is_said
    assert f"sold by {name}" in page


async def test_the_list_says_how_a_discount_comes_until_it_is_decided(
    url: str, tmp_path: Path
) -> None:
    favor = {"tiers": ({"from_quantity": 10, "percent_off": 10},)}
    terms = group(favor=favor, payment={"method": "invoice"})
    await write(url, terms, payment())
    with payer_pages(url, tmp_path, ISSUER) as pages:
        assert "a credit note takes off the discount" in await pages.page()
        text = (await pages.paper(payment(), kind="text")).text
    assert "you get a credit note for it after the group has closed" in text


async def test_yen_go_to_an_account_in_words_without_a_code(url: str, tmp_path: Path) -> None:
    page = await shown(url, tmp_path, payment(currency="JPY"), issuer=IN_JAPAN, language="ja")
    for said in ("2026年4月5日", "¥8,400", "普通 1234567 カドノミセ", "お支払期限"):
        assert said in page, said
    assert "IBAN" not in page
    assert read_svgs(page) == []


async def test_without_an_issuer_the_page_says_only_what_is_open(url: str, tmp_path: Path) -> None:

    await write(url, group(), payment())
    with storefront_on(url) as storefront:
        page = await PayerPages(storefront, "ann").page()
    assert "€84.00" in page
    assert "IBAN" not in page


async def test_the_paper_s_page_shows_the_code_of_the_list(url: str, tmp_path: Path) -> None:
    await write(url, group(), payment())
    with payer_pages(url, tmp_path, ISSUER) as pages:
        codes = read_svgs(await pages.page())
        html = await pages.paper(payment(), kind="html")
    assert read_svgs(html.text) == codes
    assert len(codes) == 1
    assert html.text.count("Amount due") == 1
    assert re.search(r'<a href="/groups/[^/]+/payments/[^/"]+">Back to your payments<', html.text)
