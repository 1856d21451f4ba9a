"""An example of each body that the API takes, for its documentation. A test checks each."""

from typing import Any, Final

from pydantic import BaseModel

from schemas.api.auctions import ApplicationGiven, AuctionGiven, OfferGiven
from schemas.api.groups import DefinitionGiven, GroupGiven, MessageGiven
from schemas.api.letters import AddressGiven, ResendGiven
from schemas.api.orders import CancellationGiven, OrderGiven, ReturnGiven
from schemas.api.parts import WithdrawalGiven
from schemas.api.payments import OutcomeGiven, ReceivedGiven
from schemas.api.people import DataLinkGiven, LinksAgainGiven
from schemas.api.sellers import ProfileGiven, SellerGiven
from schemas.api.shops import ShopGiven
from schemas.api.todos import DoneGiven, TransfersGiven

_ADA = {"email": "ada@example.com", "name": "Ada"}
_CLOSES = "2030-01-31T18:00:00Z"

EXAMPLES: Final[dict[type[BaseModel], dict[str, Any]]] = {
    AddressGiven: {"email": "ada@example.com"},
    ApplicationGiven: {"applicant": _ADA, "quantity": 2},
    AuctionGiven: {
        "product": {"name": "Compact camera", "id": "camera-4"},
        "minimum_reservations": 20,
        "unit_price": 90000,
        "currency": "EUR",
        "minimum_step": 500,
        "closes_at": _CLOSES,
    },
    CancellationGiven: {"order_id": "1042"},
    DataLinkGiven: {"email": "ada@example.com"},
    DefinitionGiven: {
        "product": {
            "name": "Sencha, 1 kg",
            "id": "sencha-1",
            "description": "First flush from **Shizuoka**.\n\n- organic\n- harvest of this year",
            "url": "https://teahouse.example/sencha",
        },
        "unit_price": 2400,
        "currency": "EUR",
        "favor": {
            "tiers": [
                {"from_quantity": 5, "percent_off": 5},
                {"from_quantity": 30, "percent_off": 10},
            ]
        },
        "payment": {"methods": ["shop", "card"]},
    },
    DoneGiven: {"reason": "paid back by hand"},
    GroupGiven: {
        "definition_id": "DEFINITION_ID",
        "organizer": _ADA,
        "number_of_products": 30,
        "closes_at": _CLOSES,
        "visibility": "public",
    },
    LinksAgainGiven: {"email": "ada@example.com"},
    MessageGiven: {"words": "The tea is here: come and get it on Saturday from 10 to 12."},
    OfferGiven: {"unit_price": 85000, "minimum_reservations": 20},
    OrderGiven: {
        "state": "paid",
        "order_id": "1042",
        "member": {"id": "customer-7", **_ADA},
        "quantity": 2,
        "unit_price": 2400,
        "currency": "EUR",
    },
    OutcomeGiven: {"state": "succeeded", "reference": "bank transfer 17"},
    ReceivedGiven: {"amount": 4900, "currency": "EUR", "reference": "B17"},
    ResendGiven: {"version": 3},
    ReturnGiven: {
        "return_id": "R-1",
        "order_id": "1042",
        "member_id": "customer-7",
        "quantity": 1,
    },
    ProfileGiven: {
        "url": "https://nordfoto.example",
        "order_link": "https://nordfoto.example/order?group={group_id}",
        "postal_address": "Nord Foto\nHafenstr. 1\n20457 Hamburg",
        "delivery": "By parcel within five days, 4.90 EUR.",
    },
    SellerGiven: {"name": "Nord Foto", "email": "nord@example.com", "locale": "en-GB"},
    ShopGiven: {
        "name": "Tea House",
        "email": "hello@teahouse.example",
        "url": "https://teahouse.example",
        "order_link": "https://teahouse.example/cart?add={product_id}&note={group_id}",
        "postal_address": "Tea House\nGartenweg 3\n10115 Berlin",
        "phone": "+49 30 1234567",
        "imprint_url": "https://teahouse.example/imprint",
        "terms_url": "https://teahouse.example/terms",
        "privacy_url": "https://teahouse.example/privacy",
        "delivery": "By parcel within three days. Free from 40 EUR, else 3.90 EUR.",
    },
    TransfersGiven: {
        "transfers": [
            {
                "reference": "B18",
                "reason": "no-number",
                "problem": "no invoice has the number in the transfer's text",
                "amount": 4900,
                "currency": "EUR",
            }
        ]
    },
    WithdrawalGiven: {"reason": "the product is no longer made"},
}
