"""What is sold, by whom and where, on a real stack: from a picture's file to the pages."""

import pytest

from tests.storefront.wares_world import file_of
from tests.system import plain_http
from tests.system.api_stack import Api
from tests.system.stack import until

pytestmark = pytest.mark.system


def test_a_picture_and_a_shop_are_on_the_pages_of_what_it_sells(api: Api) -> None:
    shop = api.shop()
    headers = {"Content-Type": "image/png"}
    sent = shop.send("POST", "/images", content=file_of("#1d4ed8"), headers=headers)
    assert sent.status_code == 201, sent.text
    image = sent.json()
    served = plain_http.request("GET", f"{api.other.url}{image['path']}", timeout=30)
    assert (served.status_code, served.headers["content-type"]) == (200, "image/webp")

    product = {"name": "Sencha", "description": "**fresh**", "images": [image["image_id"]]}
    definition = api.definition(shop, product=product)
    shop_id = definition["shop_id"]
    said = {
        "name": "Leaf & Cup",
        "url": "https://leaf.example",
        "order_link": "https://leaf.example/cart?note={group_id}",
        "logo": image["image_id"],
    }
    described = shop.send("PUT", f"/shops/{shop_id}", said)
    assert (described.status_code, described.json()["version"]) == (200, 1), described.text
    assert api.nobody.get(f"/shops/{shop_id}")["name"] == "Leaf & Cup"

    ask = {"definition_id": definition["definition_id"], "number_of_products": 3}
    group_id = api.nobody.post("/group-purchases", ask)["group_id"]
    pages = (f"/definitions/{definition['definition_id']}", f"/groups/{group_id}")
    for path in pages:
        html = plain_http.request("GET", api.nobody.url + path, timeout=30).text
        assert "<strong>fresh</strong>" in html, path
        assert f'src="{image["path"]}" width="900" height="600"' in html, path
    until(
        "the other web process shows the shop",
        lambda: (
            "Leaf &amp; Cup"
            in plain_http.request("GET", f"{api.other.url}/shops/{shop_id}", timeout=30).text
        ),
    )
