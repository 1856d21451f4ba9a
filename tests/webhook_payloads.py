"""Recorded and made-up webhooks of shops, signed as their shops sign them."""

import base64
import copy
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from domain.ids import derive

GROUP = derive("office-tea")
OTHER_GROUP = derive("office-coffee")
MISTYPED = GROUP[:-1] + ("0" if GROUP[-1] != "0" else "1")
SECRET = "shpss_of_this_test_only"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"a key of this test only, 32 byte").decode()

Json = dict[str, Any]


def recorded(data: Path, name: str) -> tuple[str, Json]:
    """A recorded payload, ``shopify/…`` or ``woocommerce/…``: its topic and its body."""
    document = json.loads((data / "webhooks" / name).read_text())
    if name.startswith("woocommerce"):
        return "order.updated", document
    return document["topic"], document["body"]


def under_group(body: Json, group_id: str = GROUP) -> Json:
    """A Shopify order whose cart names a group; refunds and edits name none.

    Shopify's samples are test orders, paid by its bogus gateway: this is a real one.
    """
    named = copy.deepcopy(body)
    if "note_attributes" in named:
        named |= {
            "note_attributes": [{"name": "group_id", "value": group_id}],
            "test": False,
            "payment_gateway_names": ["visa"],
        }
    return named


def woo_under_group(body: Json, group_id: str = GROUP) -> Json:
    """A WooCommerce order whose meta data name a group."""
    named = copy.deepcopy(body)
    named["meta_data"] = [*named["meta_data"], {"id": 9, "key": "_group_id", "value": group_id}]
    return named


def signature(body: bytes, secret: str = SECRET) -> str:
    """Base64 HMAC-SHA256."""
    return base64.b64encode(hmac.digest(secret.encode(), body, sha256)).decode()


def shopify(
    topic: str, body: Json, secret: str = SECRET, **headers: str
) -> tuple[bytes, dict[str, str]]:
    """A delivery of Shopify: raw body and headers."""
    raw = json.dumps(body).encode()
    told = {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signature(raw, secret),
        "X-Shopify-Shop-Domain": "shop.myshopify.com",
        "X-Shopify-API-Version": "2026-04",
    }
    return raw, told | headers


def woocommerce(topic: str, body: Json, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A delivery of WooCommerce."""
    raw = json.dumps(body).encode()
    return raw, {
        "X-WC-Webhook-Source": "https://shop.example/",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": topic.partition(".")[0],
        "X-WC-Webhook-Event": topic.partition(".")[2],
        "X-WC-Webhook-Signature": signature(raw, secret),
        "X-WC-Webhook-ID": "3",
        "X-WC-Webhook-Delivery-ID": "35b1d3b0e7a4",
    }


def standard(
    body: Mapping[str, Any] | bytes, at: datetime | None = None, secret: str = STANDARD_SECRET
) -> tuple[bytes, dict[str, str]]:
    """A Standard Webhook, signed by the library's own hand."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = at or datetime.now(UTC)
    return raw, {
        "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(
            "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", at, raw.decode()
        ),
    }


def shopify_order(**fields: Any) -> Json:
    """A small Shopify order of 2 at 24.00 EUR, under the group, changed as given."""
    body: Json = {
        "id": 9_007_199_254_740_993,
        "created_at": "2026-05-04T11:00:00+02:00",
        "updated_at": "2026-05-04T11:00:05+02:00",
        "currency": "EUR",
        "email": "ann@x.example",
        "financial_status": "pending",
        "cancelled_at": None,
        "customer": {"id": 115_310_627_314_723_954, "email": "ann@x.example"},
        "note_attributes": [{"name": "Group ID", "value": GROUP.lower()}],
        "discount_codes": [],
        "line_items": [shopify_line()],
        "refunds": [],
    }
    return body | fields


def shopify_line(line_id: int = 1, quantity: int = 2, price: str = "24.00", **more: Any) -> Json:
    """A line of a Shopify order."""
    line: Json = {"id": line_id, "quantity": quantity, "price": price, "properties": []}
    return line | more


def shopify_refund(
    refund_id: int, *lines: tuple[int, int], order_id: int = 9_007_199_254_740_993
) -> Json:
    """A refund of so many of some lines."""
    return {
        "id": refund_id,
        "order_id": order_id,
        "created_at": "2026-05-06T10:00:00+02:00",
        "refund_line_items": [
            {"id": 1, "line_item_id": line, "quantity": quantity} for line, quantity in lines
        ],
    }


def woo_order(**fields: Any) -> Json:
    """A small WooCommerce order of 2 at 24.00 EUR, unpaid, under the group."""
    body: Json = {
        "id": 727,
        "status": "on-hold",
        "currency": "EUR",
        "date_created_gmt": "2026-05-04T09:00:00",
        "date_modified_gmt": "2026-05-04T09:00:05",
        "date_paid_gmt": None,
        "prices_include_tax": False,
        "customer_id": 42,
        "billing": {"email": "bob@x.example"},
        "meta_data": [{"id": 1, "key": "group_id", "value": GROUP}],
        "line_items": [woo_line()],
        "coupon_lines": [],
        "refunds": [],
    }
    return body | fields


def woo_line(line_id: int = 315, quantity: int = 2, total: str = "48.00", **more: Any) -> Json:
    """A line of a WooCommerce order."""
    line: Json = {
        "id": line_id,
        "quantity": quantity,
        "total": total,
        "total_tax": "0.00",
        "meta_data": [],
    }
    return line | more
