"""Texts for codes: what each code of a status, a verdict or a reason says on a page, in English."""

from typing import Final

from services.storefront.rules.paid import IN_TABLE
from texts.catalogue import mark

#: Of auctions and group purchases.
STATUS: Final = {
    "open": mark("Open"),
    "concluded": mark("Contract concluded"),
    "failed": mark("No contract"),
    "withdrawn": mark("Withdrawn"),
    "complete": mark("Complete"),
    "elapsed": mark("Goal not reached"),
}
#: Of sellers; ``unknown`` is one that the read model does not have yet.
STANDING: Final = {
    "pending": mark("Waiting for approval"),
    "good": mark("Approved"),
    "suspended": mark("Suspended"),
    "unknown": mark("Just registered"),
}
#: What a standing means for a seller, where it needs to be said.
STANDING_MEANS: Final = {
    "pending": mark("You can make offers once an administrator has approved you."),
    "suspended": mark("You can't make offers for now. Offers that are shown stay and bind you."),
}
#: Of offers, as the desk lists them.
VERDICT: Final = {
    "shown": mark("Shown on the page"),
    "not-better": mark("Not better than the one shown"),
    "refused": mark("Refused"),
    "displaced": mark("A better offer took its place"),
    "waiting": mark("Being checked"),
}
#: What became of a letter, as the admin's list sorts it.
LETTER_STATE: Final = {
    "undelivered": mark("Not delivered"),
    "waiting": mark("Waiting to be sent"),
    "sent": mark("Sent"),
    "unwanted": mark("Not needed"),
}
#: Of an offer that was just made.
RESULT: Final = {
    "shown": mark("Your offer is now on the page"),
    "not-better": mark("Your offer is not better than the one shown"),
    "refused": mark("We could not accept your offer"),
    "pending": mark("We are checking your offer"),
}
#: Methods of payment.
METHOD: Final = {
    "shop": mark("At the shop"),
    "card": mark("By card"),
    "invoice": mark("By invoice"),
}
#: When an order counts, by the method of payment; ``group`` if the organizer pays.
COUNTS_ONCE: Final = {
    "shop": mark("Your order counts once the shop has been paid."),
    "card": mark("Your order counts once your card is authorised."),
    "invoice": mark("Your order counts once we have issued the invoice."),
    "group": mark("You pay nothing: the organizer pays for the group."),
}
#: The same where orders are confirmed by a link in an email.
COUNTS_ONCE_CONFIRMED: Final = {
    "shop": mark(
        "Your order counts once you have confirmed it by the link that we email you, and the shop "
        "has been paid."
    ),
    "card": mark(
        "Your order counts once you have confirmed it by the link that we email you, and your card "
        "is authorised."
    ),
    "invoice": mark(
        "Your order counts once you have confirmed it by the link that we email you. We then send "
        "you the invoice."
    ),
    "group": mark(
        "You pay nothing: the organizer pays for the group. Your order counts once you have "
        "confirmed it by the link that we email you."
    ),
}
#: How a discount reaches a buyer, by the method of payment; ``group`` if the organizer pays.
DISCOUNT_COMES: Final = {
    "shop": mark(
        "You pay the shop its full price now. After the group has closed ({time} at the latest), "
        "the shop pays the discount back to you, or sends you a code for your next order."
    ),
    "card": mark(
        "Your card is charged or reserved for the full price now. After the group has closed "
        "({time} at the latest), we charge you the discount less, or pay it back to your card."
    ),
    "invoice": mark(
        "Your invoice is for the full price. When the group has closed ({time} at the latest), a "
        "credit note takes off the discount. If you have already paid, we pay that part back."
    ),
    "group": mark(
        "The organizer pays after the group has closed ({time} at the latest), less the discount."
    ),
}
#: How a discount is shared: each buyer's own orders, or the total of the group.
SCOPE: Final = {
    "member": mark("Each buyer gets it on their own orders."),
    "group": mark("It applies to the group's total and is shared by order value."),
}
#: Who pays.
PAYERS: Final = {
    "member": mark("Each buyer pays."),
    "group": mark("The organizer pays for the group."),
}
#: What a group gets if it does not reach its goal.
IF_INCOMPLETE: Final = {
    "as-reached": mark("If the goal is not reached, the step reached by then applies."),
    "none": mark("If the goal is not reached, there is no discount."),
    "cancel-all": mark(
        "If the goal is not reached, all orders are cancelled and payments refunded."
    ),
}
#: Kinds of letters that people can unsubscribe from.
LETTERS: Final = {
    "condition-improved": mark("emails about better offers"),
    "invitation": mark("invitations to make a better offer"),
    "offer-judged": mark("emails about the results of your offers"),
    "deadline-reminder": mark("reminders of closing times"),
    "group-message": mark("messages from organizers"),
    "all": mark("any emails that are not part of a contract"),
}
#: Kinds of payments.
PAYMENT: Final = {
    "authorisation": mark("Reserved on your card"),
    "charge": mark("Payment"),
    "capture": mark("Charged from the reserved amount"),
    "refund": mark("Refund"),
    "release": mark("Reserved amount released"),
    "invoice": mark("Invoice"),
    "credit": mark("Credit note"),
}
#: Whether a payer's orders in a group are paid, see ``rules.paid``.
PAID: Final = {
    "none": mark("Nothing to pay so far"),
    "unpaid": mark("Unpaid"),
    "reserved": mark("Reserved on your card"),
    "paid": mark("Paid"),
}
#: What that means for the payer.
PAID_MEANS: Final = {
    "none": mark("When you owe something, it appears here."),
    "unpaid": mark("Some of it is not paid yet."),
    "reserved": mark("The final amount is charged when the group has closed."),
    "paid": mark("You owe nothing at the moment."),
}
UNPAID_SOME: Final = PAID_MEANS["unpaid"]
UNPAID_ALL: Final = mark("None of it is paid yet.")
UNPAID_BY_CARD: Final = mark("An order by card counts once its payment has gone through.")
PAID_IN_TABLE: Final = IN_TABLE
#: Of payments; ``to_pay`` and ``open`` are ones that the payer still has to pay.
PAYMENT_STATUS: Final = {
    "pending": mark("In progress"),
    "authorised": mark("Reserved, not charged yet"),
    "succeeded": mark("Done"),
    "failed": mark("Failed"),
    "cancelled": mark("Cancelled"),
    "to_pay": mark("Waiting for your payment"),
    "open": mark("To be paid"),
}
