"""Order links: an address with the ids of a group and a product, and nothing else to fill in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.order_links import filled, order_link
from domain.web_addresses import WebAddressError, WebReason, is_same_site, web_address

CART = "https://tea.example/cart?add={product_id}&note={group_id}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (CART, CART),
        ("https://tea.example/{group_id}", "https://tea.example/{group_id}"),
        ("https://tea.example/#{group_id}", "https://tea.example/#{group_id}"),
        (" HTTPS://Tea.Example/{group_id} ", "https://tea.example/{group_id}"),
        ("https://tea.example/茶?g={group_id}", "https://tea.example/%E8%8C%B6?g={group_id}"),
        ("http://127.0.0.1:8080/{group_id}", "http://127.0.0.1:8080/{group_id}"),
        ("http://localhost/{group_id}", "http://localhost/{group_id}"),
        ("http://tea.example/{group_id}", WebReason.NOT_ENCRYPTED),
        ("https://tea.example/cart", WebReason.NO_GROUP),
        ("https://tea.example/{product_id}", WebReason.NO_GROUP),
        ("https://tea.example/{group_id}/{email}", WebReason.OTHER_BRACES),
        ("https://tea.example/{{group_id}}", WebReason.OTHER_BRACES),
        ("https://tea.example/{group_id", WebReason.OTHER_BRACES),
        ("https://{group_id}.example/", WebReason.BRACES_IN_HOST),
        ("https://{group_id}@tea.example/", WebReason.BRACES_IN_HOST),
        ("https://tea@evil.example/{group_id}", WebReason.HAS_USER),
        ("javascript:alert('{group_id}')", WebReason.NOT_AN_ADDRESS),
        ("//tea.example/{group_id}", WebReason.NOT_AN_ADDRESS),
        ("{group_id}", WebReason.NOT_AN_ADDRESS),
        ("https://tea.example/" + "a" * 2_000 + "{group_id}", WebReason.TOO_LONG),
    ],
)
def test_an_order_link_is_taken_or_says_why_not(text: str, found: str | WebReason) -> None:
    if isinstance(found, WebReason):
        with pytest.raises(WebAddressError) as error:
            order_link(text)
        assert error.value.reason == found
    else:
        assert order_link(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://tea.example", "https://tea.example"),
        ("http://tea.example:8080/a?b=c#d", "http://tea.example:8080/a?b=c#d"),
        ("https://茶.example/茶", "https://xn--cl1a.example/%E8%8C%B6"),
        ("https://[::1]/a", "https://[::1]/a"),
        ('https://tea.example/"><script>', "https://tea.example/%22%3E%3Cscript%3E"),
        *(
            (text, None)
            for text in ("", "tea.example", "ftp://tea.example", "https://", "https:///a")
        ),
        *((text, None) for text in ("https://tea example", "https://tea.example:99999", "data:a")),
        # Browsers read a backslash as a slash.
        *(
            (text, None)
            for text in ("https://evil.example\\.tea.example", "https:\\\\evil.example")
        ),
        *((text, None) for text in ("https://a:b@evil.example", "https://@evil.example")),
        *(
            (text, None)
            for text in ("https://tea.example\n/", "https://-a.example", "https://a..b")
        ),
    ],
)
def test_an_address_on_the_web(text: str, found: str | None) -> None:
    if found is None:
        with pytest.raises(WebAddressError):
            web_address(text)
    else:
        assert web_address(text) == found
        assert web_address(found) == found


@pytest.mark.parametrize(
    ("template", "group_id", "product_id", "link"),
    [
        (CART, "GB-1", "sencha", "https://tea.example/cart?add=sencha&note=GB-1"),
        (
            CART,
            "a/b?c#d&e=é",
            "x y",
            "https://tea.example/cart?add=x%20y&note=a%2Fb%3Fc%23d%26e%3D%C3%A9",
        ),
        (
            CART,
            "{product_id}",
            "{group_id}",
            "https://tea.example/cart?add=%7Bgroup_id%7D&note=%7Bproduct_id%7D",
        ),
        (CART, "GB-1", None, None),
        ("https://tea.example/{group_id}", "GB-1", None, "https://tea.example/GB-1"),
        ("https://t.example/{group_id}?g={group_id}", "G", "p", "https://t.example/G?g=G"),
    ],
)
def test_each_place_gets_its_id_percent_encoded(
    template: str, group_id: str, product_id: str | None, link: str | None
) -> None:
    assert filled(template, group_id, product_id) == link


@given(st.text(min_size=1, max_size=64), st.text(min_size=1, max_size=64))
def test_no_id_leaves_its_place(group_id: str, product_id: str) -> None:
    link = filled("https://tea.example/cart?a={product_id}&b={group_id}&c=1", group_id, product_id)
    assert link is not None
    assert web_address(link) == link
    assert link.startswith("https://tea.example/cart?a=")
    assert link.count("&") == 2
    assert "#" not in link


@pytest.mark.parametrize(
    ("host", "other", "is_same"),
    [
        ("tea.example", "tea.example", True),
        ("www.tea.example", "tea.example", True),
        ("shop.tea.example", "www.tea.example", True),
        ("tea.example", "eviltea.example", False),
        ("tea.example.evil.example", "tea.example", False),
    ],
)
def test_whether_two_hosts_are_one_site(host: str, other: str, is_same: bool) -> None:
    assert is_same_site(host, other) == is_same
    assert is_same_site(other, host) == is_same
