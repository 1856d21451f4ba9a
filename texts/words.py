"""Words that stand in texts of reasons: names of fields, of keys and links, of states and methods.

English has the system's words for states and methods, as the API does.
"""

from collections.abc import Mapping
from typing import Final

from texts.catalogue import mark

#: Kinds of keys and links (``Kind`` of the storefront's callers).
CREDENTIALS: Final[Mapping[str, str]] = {
    "admin": mark("the admin's key"),
    "seller": mark("a seller's key"),
    "invited": mark("the link of an invitation"),
    "shop": mark("a shop's key"),
    "organizer": mark("the organizer's link"),
    "member": mark("a link to order"),
    "applicant": mark("the buyer's link"),
    "payer": mark("the link to a payer's payments"),
    "person": mark("the link to your data"),
    "requester": mark("the token that came with the request"),
}
#: States of groups, auctions and payments; ways to pay.
WORDS: Final[Mapping[str, str]] = {
    "open": mark("open"),
    "complete": mark("complete"),
    "elapsed": mark("elapsed"),
    "withdrawn": mark("withdrawn"),
    "concluded": mark("concluded"),
    "failed": mark("failed"),
    "pending": mark("pending"),
    "authorised": mark("authorised"),
    "succeeded": mark("succeeded"),
    "cancelled": mark("cancelled"),
    "shop": mark("shop"),
    "card": mark("card"),
    "invoice": mark("invoice"),
}
#: Kinds of tasks for people, as the name of a list.
TASK_KINDS: Final[Mapping[str, str]] = {
    "payment": mark("Payments"),
    "transfer": mark("Transfers without an invoice"),
    "order": mark("Orders that could not be read"),
    "letter": mark("Letters that were not delivered"),
    "record": mark("Records that could not be read"),
}
#: A step of the ladder, counted from 1.
STEP: Final = mark("step {number} of the discounts")
#: Fields of requests, offers and bodies that people fill in, by their path.
FIELDS: Final[Mapping[str, str]] = {
    "amount": mark("amount"),
    "amount_off": mark("amount off"),
    "applicant.email": mark("email"),
    "applicant.name": mark("name"),
    "closes_at": mark("end of the term"),
    "currency": mark("currency"),
    "definition_id": mark("definition"),
    "delivery": mark("delivery"),
    "favor.tiers": mark("discounts"),
    "from_quantity": mark("from this quantity"),
    "from_value": mark("from this value"),
    "email": mark("email"),
    "gift": mark("gift"),
    "grace_seconds": mark("seconds of grace"),
    "imprint_url": mark("legal notice"),
    "invites_at": mark("time of the invitations"),
    "logo": mark("logo"),
    "member.email": mark("email"),
    "members": mark("members"),
    "minimum_reservations": mark("minimum reservations"),
    "minimum_step": mark("smallest price cut"),
    "name": mark("name"),
    "number_of_products": mark("number of products"),
    "offered_at": mark("time of the offer"),
    "opens_at": mark("opening"),
    "order_link": mark("order link"),
    "organizer.email": mark("email"),
    "organizer.name": mark("name"),
    "payment.method": mark("payment method"),
    "payment.scope": mark("payers"),
    "phone": mark("phone"),
    "postal_address": mark("postal address"),
    "percent_off": mark("percent off"),
    "product": mark("product"),
    "privacy_url": mark("privacy notice"),
    "product.category": mark("category"),
    "product.description": mark("description"),
    "product.images": mark("pictures"),
    "product.name": mark("product"),
    "product.tags": mark("tags"),
    "product.url": mark("product's page"),
    "quantity": mark("quantity"),
    "quantity_max_per_applicant": mark("most per buyer"),
    "requested_at": mark("time of the request"),
    "terms_url": mark("terms"),
    "unit_price": mark("price each"),
    "url": mark("website"),
}
