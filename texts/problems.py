"""What is wrong with a field, by code. English starts in lower case, for a line of the terminal.

Texts of one field stand after its name or alone; ``texts/reasons.py`` fills in the values.
"""

from collections.abc import Mapping
from typing import Final

from schemas.refusals import ProblemCode
from texts.catalogue import mark

PROBLEMS: Final[Mapping[str, str]] = {
    # of a request, by request_service
    ProblemCode.UNKNOWN_DEFINITION: mark(
        "is not known: publish it first, or give the terms in the request"
    ),
    ProblemCode.NOT_PUBLISHED_YET: mark("is not published before {at:time}: ask again then"),
    ProblemCode.DEFINITION_WITHDRAWN: mark("was withdrawn at {at:time}: name another one"),
    ProblemCode.NOT_DEFINITIONS_CURRENCY: mark(
        "is not the definition's {currency}: leave it out, or give unit_price and favor in it too"
    ),
    ProblemCode.NOT_OFFERED: mark("{given} is not offered by the definition: choose {offered:or}"),
    ProblemCode.BELOW_DEFINITION: mark("is {number}: the definition asks for at least {least}"),
    ProblemCode.ABOVE_DEFINITION: mark("is {number}: the definition allows at most {most}"),
    ProblemCode.PERIOD_TOO_LONG: mark(
        "is too late: the definition allows a period of at most {days} days"
    ),
    ProblemCode.NO_PRODUCT: mark("is missing: give the product's name"),
    ProblemCode.NO_NUMBER: mark("is missing: give the number of products that is the goal"),
    ProblemCode.TOO_LOW: mark("is {number}: give at least {least}"),
    ProblemCode.TOO_HIGH: mark("is {number}: give at most {most}"),
    ProblemCode.FAR_TOO_LOW: mark("is far too small: give at least {least}"),
    ProblemCode.FAR_TOO_HIGH: mark("is far too large: give at most {most}"),
    ProblemCode.IMPOSSIBLE_TIME: mark("is {at:time}: give a time in the years 1970 to 8999"),
    ProblemCode.CLOSES_BEFORE_OPENING: mark(
        "is not after opens_at: give a later close or an earlier opening"
    ),
    ProblemCode.CLOSES_BEFORE_REQUEST: mark(
        "is not after requested_at, so the period is over before it starts: close later"
    ),
    ProblemCode.NOT_A_CURRENCY: mark(
        "'{currency}' is not a currency: give an ISO 4217 code such as EUR"
    ),
    ProblemCode.NO_CURRENCY: mark(
        "is missing, but there are amounts of money: give an ISO 4217 code such as EUR"
    ),
    ProblemCode.SEVERAL_OF_TIER: mark("has {given:and}: give exactly one of {choices}"),
    ProblemCode.NONE_OF_TIER: mark("has none: give exactly one of {choices}"),
    ProblemCode.ODD_PERCENT: mark("is {percent}: give 0 to 100 with at most two decimals"),
    ProblemCode.FAR_PERCENT: mark("is far out of range: give 0 to 100 with at most two decimals"),
    ProblemCode.NO_PRICE: mark("needs a price to be taken from: give the request's unit_price too"),
    ProblemCode.ABOVE_PRICE: mark("is {amount}, more than the price of {price}: give at most that"),
    ProblemCode.MIXED_TIERS: mark(
        "mixes from_quantity and from_value: use one of them in all tiers"
    ),
    ProblemCode.SAME_TIERS: mark("overlap: {times} have {name} {start}, keep one of them"),
    ProblemCode.LISTED_TWICE: mark("listed more than once: {members}; list each once"),
    ProblemCode.MANY_LISTED_TWICE: mark(
        "listed more than once: {members} and more; list each once"
    ),
    ProblemCode.MORE_MEMBERS_THAN_PRODUCTS: mark(
        "are {number}, but the definition allows {most} products: list fewer"
    ),
    ProblemCode.METHODS_NOT_OFFERED: mark(
        "pay by {given:and}, which the definition does not offer: choose {offered:or}"
    ),
    ProblemCode.OTHER_PARTS: mark(
        "is {parts}, but MembersListed came with parts {of}: give the same"
    ),
    ProblemCode.ODD_PART: mark(
        "is {parts}, but part {part} of {of} came where {expected} parts were expected: give the "
        "same number in all of them"
    ),
    ProblemCode.EMPTY_PARTS: mark(
        "is {parts}, but no part lists a member: list them, or leave member_parts out"
    ),
    ProblemCode.MISSING_PARTS: mark(
        "of {parts} parts these did not come within 7 days: {missing}; ask again"
    ),
    ProblemCode.MANY_MISSING_PARTS: mark(
        "of {parts} parts these did not come within 7 days: {missing} and more; ask again"
    ),
    ProblemCode.REQUEST_WITHDRAWN: mark("withdrawn before its id was issued"),
    # of an offer's terms, by auction_service
    ProblemCode.OUT_OF_RANGE: mark("give {least} to {most}"),
    ProblemCode.OUT_OF_MONEY_RANGE: mark("give {least} to {most} minor units"),
    ProblemCode.TERM_ENDS_EARLY: mark("give an end after the offer"),
    ProblemCode.INVITES_OUTSIDE_TERM: mark("give a date between the offer and the end of the term"),
    # of the API's commands
    ProblemCode.MISSING: mark("is missing: give it"),
    ProblemCode.MISSING_NAME: mark("is missing: name it"),
    ProblemCode.MISSING_OF_SHOP: mark("is missing: give the one that the shop uses"),
    ProblemCode.MISSING_ADDRESS: mark(
        "is missing: give your address, so that we can email you a link to confirm the order"
    ),
    ProblemCode.NO_EMAIL_OR_ID: mark("give an email, or an id with a shop's key"),
    ProblemCode.MADE_FROM_ADDRESS: mark("leave it out: it is made from the address"),
    ProblemCode.FOR_SHOPS: mark("is for a shop's key: leave it out"),
    ProblemCode.ONLY_SHOP_SAYS: mark("only the shop can say that: leave it out"),
    ProblemCode.HAS_LINK: mark(
        "leave out web and email addresses, and anything that looks like one"
    ),
    ProblemCode.AT_MOST: mark("give at most {most}"),
    ProblemCode.AT_MOST_WITHOUT_KEY: mark("give at most {most} without a key"),
    ProblemCode.ABOVE_OTHER: mark("is {number}, more than {other}: give at most {most}"),
    ProblemCode.OUTSIDE_PRICE: mark("give 0 to the price, {price}"),
    ProblemCode.OTHER_KIND_OF_PAYMENT: mark("is of a payment of the kind {kind}: name an invoice"),
    ProblemCode.NOT_INVOICES_CURRENCY: mark("is not the invoice's {currency}"),
    ProblemCode.TOO_MUCH_RECEIVED: mark(
        "is beyond-limits: the total received would be {amount}, at most {most} is possible"
    ),
    ProblemCode.NOT_FAILED: mark("is {status:word}: only failed payments can be tried again"),
    ProblemCode.PAYMENT_WITHOUT_PEOPLE: mark(
        "is of a payment by {method}: jointbuy makes and records it by itself"
    ),
    ProblemCode.A_DEAD_LETTER: mark(
        "is a dead letter: replay or purge it (`jointbuy dead-letters`)"
    ),
    ProblemCode.A_PAYMENT: mark("is a payment: report its outcome (`jointbuy payment done`)"),
    ProblemCode.TOO_MUCH_BY_LINK: mark("is too much for one order here: order at most {most}"),
    ProblemCode.CLOSED_FOR_ORDERS: mark("is not open for orders any more"),
    ProblemCode.PAID_AT_SHOP: mark("is paid at the shop: order there, and name the group's id"),
    ProblemCode.NOT_MADE_HERE: mark(
        "orders made here do not count in this group purchase (not-this-shop): order at the "
        "group's shop"
    ),
    ProblemCode.OTHER_SOURCE: mark(
        "not-this-shop: orders of {source} do not count here, only those of {counted}"
    ),
    ProblemCode.TOO_MUCH_WORTH: mark(
        "is beyond-limits: the order would be worth {amount}, at most {most} is possible"
    ),
    ProblemCode.OUTSIDE_PERIOD: mark("is not between {opens:time} and {closes:time}"),
    ProblemCode.NOT_GROUPS_CURRENCY: mark("is not the group's {currency}"),
    ProblemCode.NOT_A_MEMBER: mark("is not among the group's members"),
    ProblemCode.ORDER_REFUSED: mark("{reason} ({quantity} units)"),
    ProblemCode.ADDRESS: mark("{reason:address}"),
    ProblemCode.UNKNOWN_IMAGE: mark("no picture has this id: upload the picture first"),
    ProblemCode.LEADS_ELSEWHERE: mark(
        "leads to {host}, and not to the website {site}: give a link to the website, or ask the "
        "admin to set it"
    ),
    # of a body's or a form's shape
    ProblemCode.FIELD_UNKNOWN: mark("is not a known field: leave it out"),
    ProblemCode.NOT_JSON: mark(
        "is not valid JSON: check where it ends and how deeply it is nested"
    ),
    ProblemCode.ODD_CHARACTERS: mark(
        "has characters or a form that we can't accept: see the documentation"
    ),
    ProblemCode.TOO_SHORT: mark("is too short: give at least {least} characters"),
    ProblemCode.TOO_LONG: mark("is too long: give at most {most} characters"),
    ProblemCode.TOO_FEW_ITEMS: mark("has too few entries: give at least {least}"),
    ProblemCode.TOO_MANY_ITEMS: mark("has too many entries: give at most {most}"),
    ProblemCode.NOT_AT_LEAST: mark("is too small: give at least {least}"),
    ProblemCode.NOT_AT_MOST: mark("is too large: give at most {most}"),
    ProblemCode.NOT_WHOLE: mark("is not a whole number: give one"),
    ProblemCode.NOT_A_NUMBER: mark("is not a number: give one"),
    ProblemCode.NOT_TEXT: mark("is not text: give a string"),
    ProblemCode.NOT_TRUE_OR_FALSE: mark("is not true or false: give one of them"),
    ProblemCode.NOT_A_LIST: mark("is not a list: give one"),
    ProblemCode.NOT_FIELDS: mark("is not an object with fields: give one"),
    ProblemCode.NOT_OF_CHOICES: mark("is not one of these: {choices}"),
    ProblemCode.NOT_A_TIME: mark("is not a time: give RFC 3339, such as 2026-11-30T18:00:00Z"),
    ProblemCode.NOT_A_WEB_ADDRESS: mark(
        "is not a web address: give one such as https://shop.example/tea"
    ),
    ProblemCode.WEB_ADDRESS_WITH_USER: mark("has an @ in its host: leave the user name out"),
    ProblemCode.WEB_ADDRESS_TOO_LONG: mark(
        "is too long: give a web address of at most {most} characters"
    ),
    ProblemCode.LINK_NOT_ENCRYPTED: mark("is not encrypted: give a link with https://"),
    ProblemCode.LINK_WITHOUT_GROUP: mark(
        "has no {group}: put it where the shop takes the group purchase ID"
    ),
    ProblemCode.LINK_WITH_OTHER_BRACES: mark(
        "has other braces than {group} and {product}: leave them out"
    ),
    ProblemCode.LINK_WITH_BRACES_IN_HOST: mark(
        "has braces in its host: put {group} behind the host"
    ),
    ProblemCode.NOT_AS_DOCUMENTED: mark("is not valid: see the documentation"),
    # of a form
    ProblemCode.REQUIRED: mark("please fill this in"),
    ProblemCode.NOT_AN_AMOUNT: mark("give an amount such as {example}"),
    ProblemCode.TOO_MANY_DECIMALS: mark(
        "{currency} has {digits} decimals: give an amount such as {example}"
    ),
    ProblemCode.NO_DECIMALS: mark("{currency} has no decimals: give an amount such as {example}"),
    ProblemCode.TWO_AMOUNTS: mark("this can mean {example} or {other}: give one of these"),
    ProblemCode.NOT_COUNTABLE: mark("give a whole number, 1 or more"),
    ProblemCode.NOT_A_DATE: mark("give a date and a time"),
    ProblemCode.NO_LISTED_CURRENCY: mark("choose a currency from the list"),
    ProblemCode.NOT_A_CHOICE: mark("choose one of the options"),
    ProblemCode.BELOW_LEAST: mark("give at least {least}"),
    ProblemCode.ABOVE_MOST: mark("give at most {most}"),
    ProblemCode.BELOW_FIRST_TIER: mark(
        "lies below the first step of the discount: give a higher goal, or tick the box below"
    ),
    ProblemCode.MORE_THAN_LEFT: mark("there are {left} left now: order at most {left}"),
    ProblemCode.PAST: mark("give a time in the future"),
    ProblemCode.INVITES_OUTSIDE: mark("give a time between now and the end of the term"),
    ProblemCode.NOT_SURE: mark("tick the box to say that you are sure"),
    ProblemCode.DOUBTFUL_PRICE: mark(
        "is {percent} % below the price shown, {shown}: if it is right, leave out "
        "refuse_if_doubtful"
    ),
    ProblemCode.NOT_BETTER: mark("give {price} or less, or the same price with a lower minimum"),
    ProblemCode.MINIMUM_ABOVE: mark(
        "give {minimum} or less: a higher minimum would be worse for buyers who have reserved"
    ),
    ProblemCode.NOT_A_VALID_KEY: mark("this is not a key, or it was revoked: check it"),
    # of a definition
    ProblemCode.GIVE_ONE_OF: mark("give exactly one of {choices}"),
    # of what is typed in the terminal
    ProblemCode.TYPED_TIER_NUMBER: mark(
        "tier {text!r} does not begin with a number: write FROM:DISCOUNT, such as 10:5%, "
        "50:-2.00, 50:=9.00 or '50:gift=A mug'"
    ),
    ProblemCode.TYPED_TIER_FAVOR: mark(
        "tier {text!r} has no discount that can be read: write FROM:DISCOUNT, such as 10:5%, "
        "50:-2.00, 50:=9.00 or '50:gift=A mug'"
    ),
    ProblemCode.TYPED_AMOUNT_CURRENCY: mark("an amount needs its currency: give --currency too"),
    ProblemCode.TYPED_SPAN: mark(
        "{text!r} is not a length of time: write 90s, 15m, 2h, 3d, 2w or 1d12h"
    ),
    ProblemCode.TYPED_SPAN_TOO_LONG: mark(
        "{text!r} is longer than 1,000 years: write a shorter one"
    ),
    ProblemCode.TYPED_TIME: mark(
        "{text!r} is not a time: write it with its offset, such as 2026-06-15T08:00:00Z"
    ),
    ProblemCode.TYPED_TIME_NO_ZONE: mark(
        "{text!r} has no time zone: write it with its offset, such as 2026-06-15T08:00:00Z"
    ),
    ProblemCode.TYPED_TIME_OUT_OF_RANGE: mark(
        "{text!r} is out of range in UTC: write it with its offset, such as 2026-06-15T08:00:00Z"
    ),
}
