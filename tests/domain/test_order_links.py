"""A shop's order link gets the ids of the group and the product, and no other syntax."""

import pytest

from domain.order_links import filled

CART = "https://shop.example/cart?product={product_id}&note={group_id}"


@pytest.mark.parametrize(
    ("template", "group_id", "product_id", "link"),
    [
        (CART, "GB7Q2", "beans", "https://shop.example/cart?product=beans&note=GB7Q2"),
        (CART, "GB7Q2", None, None),
        ("https://shop.example/{group_id}", "GB7Q2", "beans", "https://shop.example/GB7Q2"),
        ("https://shop.example/", "GB7Q2", "beans", "https://shop.example/"),
        ("https://s.example/{group_id}?g={group_id}", "G", None, "https://s.example/G?g=G"),
        (
            CART,
            "a/b?c#d&e=é",
            "x y",
            "https://shop.example/cart?product=x%20y&note=a%2Fb%3Fc%23d%26e%3D%C3%A9",
        ),
        # An id that looks like a place is not filled again, and other braces stay.
        (
            CART,
            "{product_id}",
            "{group_id}",
            "https://shop.example/cart?product=%7Bgroup_id%7D&note=%7Bproduct_id%7D",
        ),
        ("https://s.example/{0}/{group_id", "G", "p", "https://s.example/{0}/{group_id"),
    ],
)
def test_each_place_gets_its_id_percent_encoded(
    template: str, group_id: str, product_id: str | None, link: str | None
) -> None:
    assert filled(template, group_id, product_id) == link
