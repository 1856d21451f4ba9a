"""Why offers, reservations, orders and payments do not count, and what is wrong with an address.

One wording serves letters, pages, the API and the terminal, so it names the seller or the buyer.
"""

from collections.abc import Mapping
from typing import Final

from domain.mailboxes import AddressReason
from schemas.reasons import (
    ApplicationReason,
    OfferReason,
    OrderRefusal,
    PaymentFailure,
    ReturnRefusal,
    WithdrawalReason,
)
from texts.catalogue import mark

OFFERS: Final[Mapping[str, str]] = {
    OfferReason.OPENED: mark("the auction opened with this offer"),
    OfferReason.BETTER: mark(
        "the offer is better than the one that was shown, so it is on the page now"
    ),
    OfferReason.HIGHER_MINIMUM: mark("it asks for more reservations than the offer shown"),
    OfferReason.PRICE_NOT_LOWER: mark("its price is not below the one shown"),
    OfferReason.STEP_TOO_SMALL: mark(
        "the price is lower than the one shown, but by less than the auction's smallest price cut"
    ),
    OfferReason.AUCTION_EXISTS: mark(
        "another offer opened an auction with this id: choose another id"
    ),
    OfferReason.AUCTION_WITHDRAWN: mark("the auction was withdrawn"),
    OfferReason.AFTER_TERM: mark("the auction's term is over"),
    OfferReason.IMPOSSIBLE_TERMS: mark("the terms are not possible"),
    OfferReason.OTHER_PRODUCT: mark("the offer is for another product"),
    OfferReason.OTHER_CURRENCY: mark("the offer is in another currency"),
    OfferReason.UNKNOWN_SELLER: mark(
        "the seller was not registered at the time of the offer: register, then offer again"
    ),
    OfferReason.PENDING_SELLER: mark(
        "the seller was not approved at the time of the offer: offer again once approved"
    ),
    OfferReason.SUSPENDED_SELLER: mark(
        "the seller was suspended at the time of the offer: ask the admin"
    ),
    OfferReason.HAS_APPLIED: mark(
        "the seller has reserved in this auction as a buyer: withdraw the reservation first"
    ),
    OfferReason.UNKNOWN_AUCTION: mark("no such auction opened within an hour of the offer"),
}
WITHDRAWALS: Final[Mapping[str, str]] = {
    WithdrawalReason.AFTER_TERM: mark("the auction's term is over"),
    WithdrawalReason.NOT_THE_OPENER: mark("only the seller who opened the auction can withdraw it"),
    WithdrawalReason.HAS_BETTER_OFFER: mark("a better offer has taken over the page"),
    WithdrawalReason.HAS_APPLICATIONS: mark("buyers have reserved, and rely on it"),
}
APPLICATIONS: Final[Mapping[str, str]] = {
    ApplicationReason.AUCTION_WITHDRAWN: mark("the auction was withdrawn"),
    ApplicationReason.AFTER_TERM: mark("the auction's term is over"),
    ApplicationReason.OWN_AUCTION: mark(
        "a seller who has made an offer in an auction can't reserve in it"
    ),
    ApplicationReason.OVER_APPLICANT_LIMIT: mark("it is for more units than one buyer can reserve"),
    ApplicationReason.ALREADY_RESERVED: mark(
        "this address already has a reservation, and it still counts: withdraw it first"
    ),
    ApplicationReason.BEYOND_LIMITS: mark(
        "with this reservation the auction would exceed what it can hold"
    ),
    ApplicationReason.UNKNOWN_AUCTION: mark("no such auction opened within an hour"),
}
ORDERS: Final[Mapping[str, str]] = {
    OrderRefusal.NOT_A_MEMBER: mark(
        "this group purchase is for listed members only: ask the organizer"
    ),
    OrderRefusal.NOT_THIS_SHOP: mark(
        "orders of this shop do not count in this group purchase: order at a shop that takes part"
    ),
    OrderRefusal.BEFORE_PERIOD: mark("the order was made before the group purchase opened"),
    OrderRefusal.AFTER_PERIOD: mark("the order was made after the group purchase closed"),
    OrderRefusal.OTHER_CURRENCY: mark("the order is in another currency than the group purchase"),
    OrderRefusal.WITHDRAWN: mark(
        "the group purchase was withdrawn, so no order counts in it any more"
    ),
    OrderRefusal.TOO_LATE: mark(
        "the order was made in time, but came more than 72 hours after the group purchase closed"
    ),
    OrderRefusal.BEYOND_LIMITS: mark(
        "with this order the group purchase would exceed what it can hold"
    ),
    OrderRefusal.EXPIRED: mark("the order was not confirmed within 48 hours"),
    OrderRefusal.UNKNOWN_GROUP: mark(
        "no group purchase has this id: check whether a character is mistyped"
    ),
}
RETURNS: Final[Mapping[str, str]] = {
    ReturnRefusal.EXCEEDS_ORDERS: mark(
        "it is more than is left of the orders in this group purchase"
    ),
    ReturnRefusal.NOT_THIS_SHOP: mark(
        "orders of this shop do not count in this group purchase: order at a shop that takes part"
    ),
    ReturnRefusal.UNKNOWN_GROUP: mark(
        "no group purchase has this id: check whether a character is mistyped"
    ),
}
PAYMENTS: Final[Mapping[str, str]] = {
    PaymentFailure.CARD_DECLINED: mark("the card was declined"),
    PaymentFailure.NOT_PAID: mark("the payment page was left without a payment"),
    PaymentFailure.REFUSED: mark("the payment provider refused it"),
    PaymentFailure.NO_ANSWER: mark("the payment provider did not answer"),
    PaymentFailure.NOT_ACCEPTED: mark("the payment provider did not accept it"),
    PaymentFailure.EXPIRED: mark("the payment page was not used in time"),
    PaymentFailure.DISPUTED: mark("it waits until a dispute at the payer's bank is decided"),
    PaymentFailure.DISPUTE_LOST: mark("the payer's bank took the money back in a dispute"),
    PaymentFailure.BEYOND_LIMITS: mark(
        "with this order the group purchase would exceed what it can hold"
    ),
}
ADDRESSES: Final[Mapping[str, str]] = {
    AddressReason.MISSING: mark("there is no address: give one such as ada@example.com"),
    AddressReason.NO_AT: mark("the address has no @: write it like ada@example.com"),
    AddressReason.SEVERAL: mark("this is more than one address, or it has two @: give one"),
    AddressReason.NAMED: mark("give the address alone, without a name, < or >"),
    AddressReason.COMMENT: mark("the address has a comment in parentheses: leave it out"),
    AddressReason.HIDDEN: mark(
        "the address has a line end or an invisible character: type it again"
    ),
    AddressReason.LOCAL: mark(
        "the part before the @ has a character that is not allowed: write it like ada@example.com"
    ),
    AddressReason.BLANK: mark("the address has a blank next to the @: leave it out"),
    AddressReason.DOMAIN: mark(
        "the part after the @ is not a domain name: write it like ada@example.com"
    ),
    AddressReason.NO_DOT: mark(
        "the domain name after the @ has no dot: write it in full, like ada@example.com"
    ),
    AddressReason.IP: mark("the part after the @ is an IP address or a number: give a domain name"),
    AddressReason.LONG: mark("an address has at most 64 characters before the @ and 254 in all"),
}
