"""Labels and names of kinds: texts that stand alone in templates.

Sentences of letters are in ``templates/``; translations of both are in ``texts/locale``.
"""

from typing import Literal

from schemas.letters import HeldRole
from texts.catalogue import mark, texts

Room = Literal["groups", "auctions"]

#: What a row of facts is called.
LABELS: dict[str, str] = {
    "buyer_number": mark("Your number in the organizer's list"),
    "closed": mark("Closed"),
    "account": mark("Account"),
    "bic": mark("BIC"),
    "code": mark("Code"),
    "contact": mark("Contact"),
    "amount": mark("Amount"),
    "applicants": mark("Buyers"),
    "before_minimum": mark("Minimum before"),
    "before_price": mark("Price before"),
    "confirm_by": mark("Confirm before"),
    "contract_sum": mark("Contract total"),
    "deadline": mark("Closes"),
    "delivery": mark("Delivery"),
    "favor": mark("Your discount"),
    "favor_percent": mark("Percent off"),
    "gift": mark("Gift"),
    "due": mark("Please pay by"),
    "goal": mark("Goal"),
    "group_id": mark("Group purchase ID"),
    "iban": mark("IBAN"),
    "method": mark("Payment method"),
    "new_minimum": mark("Minimum now"),
    "new_price": mark("Price now"),
    "number": mark("Number"),
    "on": mark("Ended on"),
    "open": mark("Amount due"),
    "opens": mark("Opens"),
    "order": mark("Order number"),
    "own_minimum": mark("Your minimum"),
    "own_price": mark("Your price"),
    "own_sum": mark("Your total"),
    "payee": mark("Payee"),
    "payment": mark("Payment number"),
    "price": mark("Price each"),
    "product": mark("Product"),
    "progress": mark("Ordered so far"),
    "quantity": mark("Your quantity"),
    "quantity_max": mark("At most"),
    "quantity_refused": mark("Quantity"),
    "reference": mark("Reference"),
    "reservations": mark("Reserved"),
    "result": mark("Result"),
    "return": mark("Return number"),
    "shown_minimum": mark("Minimum reservations"),
    "shown_minimum_now": mark("Minimum shown"),
    "shown_price": mark("Price each"),
    "shown_price_now": mark("Price shown"),
    "sold_by": mark("Sold by"),
    "source": mark("Shop"),
    "step": mark("Smallest price cut"),
    "value": mark("Order value"),
}

#: What letters of a kind are about, as in "letters about …".
KINDS: dict[str, str] = {
    "id-issued": mark("new group purchases"),
    "confirm-order": mark("orders to confirm"),
    "order-waits": mark("orders that wait for their payment"),
    "order-counted": mark("orders that count"),
    "order-refused": mark("orders that do not count"),
    "group-message": mark("messages from organizers"),
    "links-again": mark("your links"),
    "data-link": mark("your data"),
    "favor-given": mark("discounts"),
    "payment-done": mark("payments"),
    "payment-failed": mark("failed payments"),
    "confirm-application": mark("reservations to confirm"),
    "application-refused": mark("reservations that do not count"),
    "right-intercepted": mark("offers that were outbid"),
    "contract-concluded": mark("concluded contracts"),
    "contract-failed": mark("auctions without a contract"),
    "condition-improved": mark("better offers"),
    "invitation": mark("invitations to make a better offer"),
    "offer-judged": mark("the results of offers"),
    "seller-standing": mark("your registration as a seller"),
    "deadline-reminder": mark("closing times"),
}

METHODS: dict[str, str] = {
    "shop": mark("at the shop"),
    "card": mark("card"),
    "invoice": mark("invoice"),
}


#: What a person may do by a link, and the words of the link.
HELD: dict[HeldRole, tuple[str, str]] = {
    "organizer": (
        mark("You organize this group purchase."),
        mark("Go to your organizer's page"),
    ),
    "seller": (mark("You are registered as a seller."), mark("Sign in as a seller")),
    "payer": (mark("You pay in this group purchase."), mark("See your payments")),
    "member": (
        mark("You buy in this group purchase."),
        mark("See your order and payments, or order more"),
    ),
    "applicant": (mark("You reserved in this auction."), mark("See or withdraw your reservation")),
}


def colon(language: str) -> str:
    """What stands between a label and its value."""
    return texts(language).pgettext("between a label and its value", ": ")


def units(number: int, written: str, language: str) -> str:
    """``3 units``; ``written`` is the number as the recipient writes it."""
    return texts(language).ngettext("{n} unit", "{n} units", number).format(n=written)


def buyers(number: int, written: str, language: str) -> str:
    """``41 buyers``."""
    return texts(language).ngettext("{n} buyer", "{n} buyers", number).format(n=written)


def progress(total: str, goal: str, language: str, *, is_reached: bool) -> str:
    """``62 of 100 units``, or ``104 units (goal 100)``; one of the two numbers has the unit."""
    gettext = texts(language).gettext
    text = gettext("{total} (goal {goal})") if is_reached else gettext("{total} of {goal}")
    return text.format(total=total, goal=goal)


def minor_units(written: str, currency: str, language: str) -> str:
    """An amount whose currency is not known well enough to place the decimal point."""
    gettext = texts(language).gettext
    if not currency:
        return gettext("{amount} of the smallest unit").format(amount=written)
    text = gettext("{amount} of the smallest unit of {currency}")
    return text.format(amount=written, currency=currency)
