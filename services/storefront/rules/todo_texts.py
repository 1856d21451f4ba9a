"""Texts for tasks that need people: each kind and reason with what to do, in English."""

from typing import Final

from texts.catalogue import mark

#: The text of a kind for reasons that are not known here is right whatever the reason is.
OTHER: Final = "other"
#: One task of a kind.
ONE: Final = {
    "payment": mark("Payment"),
    "transfer": mark("Transfer"),
    "order": mark("Order"),
    "letter": mark("Letter"),
    "record": mark("Record"),
}
#: What a letter was about, by its kind.
LETTERS: Final = {
    "id-issued": mark("group purchase is open"),
    "confirm-order": mark("order to confirm"),
    "order-waits": mark("order waits for its payment"),
    "order-counted": mark("order counts"),
    "order-refused": mark("order does not count"),
    "group-message": mark("message from the organizer"),
    "links-again": mark("links asked for again"),
    "data-link": mark("links to a person's data"),
    "favor-given": mark("discount"),
    "payment-done": mark("payment"),
    "payment-failed": mark("payment failed"),
    "confirm-application": mark("reservation to confirm"),
    "application-refused": mark("reservation does not count"),
    "right-intercepted": mark("another seller's better offer"),
    "contract-concluded": mark("contract concluded"),
    "contract-failed": mark("no contract"),
    "condition-improved": mark("better offer"),
    "invitation": mark("invitation to make a better offer"),
    "offer-judged": mark("result of an offer"),
    "seller-standing": mark("standing of a seller"),
    "deadline-reminder": mark("reminder of the closing time"),
    "other": mark("unknown kind"),
}
#: What to do, by kind and reason.
TO_DO: Final[dict[str, dict[str, str]]] = {
    "payment": {
        "pay-back": mark(
            "The shop owes this amount to its buyer. If the shop's entry in SHOPS has "
            '"favors", wait: jointbuy pays it back and tries for up to three days. Otherwise '
            "pay it back in the shop, then mark it as paid."
        ),
        "collect": mark(
            "The buyer returned goods after the discount, so the buyer owes the shop this "
            "amount. Ask the buyer to pay, then mark it as paid. If you can't collect it, "
            "report that the payment failed."
        ),
        "collect-failed": mark(
            "The shop could not collect this amount. Ask the buyer to pay it another way, "
            "then mark it as paid."
        ),
        "pay-back-failed": mark(
            "The shop could not pay this amount back. Pay it back by hand, then mark it as "
            "paid. Or correct the problem named in the reason, then try again."
        ),
        "transfer-back": mark("Transfer this amount back to the payer, then mark it as paid."),
        "transfer-back-failed": mark(
            "The transfer back failed. Ask the payer for another account and transfer the "
            "amount, then mark it as paid."
        ),
        "card-not-accepted": mark(
            "The payment provider rejected our request. Check the key and the account at the "
            "provider, then try again."
        ),
        "card-unsure": mark(
            "The payment provider did not answer, so this payment may have been made. Check at "
            "the provider, then try again. When you try again, we check first, so the payment is "
            "never made twice."
        ),
        "card-no-answer": mark(
            "The payment provider did not answer for three days. Check that it can be reached, "
            "then try again."
        ),
        "card-failed": mark(
            "The payment provider refused this payment. Check the reason at the provider, then "
            "try again. If the card can't receive a refund, agree on another way with the buyer."
        ),
        "card-disputed": mark(
            "The payer's bank disputes this payment. Answer the dispute at the provider "
            "before the deadline. Refunds of the payment wait until the dispute is decided; "
            "the task then leaves the list by itself."
        ),
        "card-dispute-lost": mark(
            "The payer's bank took money back in a dispute, so we can't process this payment "
            "automatically. Check the dispute at the provider, and agree with the payer on "
            "what is still to be paid. Try again only if you agree."
        ),
        "other": mark("Check the payment's status and reason before you do anything."),
    },
    "transfer": {
        "odd-entry": mark(
            "Check this entry in the bank statement. If it pays an invoice, record it for "
            "the invoice with its reference. Otherwise mark it as done."
        ),
        "odd-amount": mark(
            "The amount can't be read. Check the amount at the bank, then record it for its "
            "invoice."
        ),
        "odd-date": mark(
            "The date can't be read. Check the date at the bank, then record the money for "
            "its invoice."
        ),
        "odd-batch": mark(
            "The payments in this entry do not add up to its amount. Ask the bank for the "
            "details, then record each payment for its invoice."
        ),
        "reversal": mark(
            "The bank reversed a payment. Find out which one, and settle it with the payer."
        ),
        "returned": mark(
            "Money was returned. If a transfer of yours came back, ask for the right account "
            "and transfer it again. If the bank took a payment back, settle it with the "
            "payer."
        ),
        "no-number": mark(
            "The transfer names no invoice. Ask the payer, then record the money for its "
            "invoice or transfer it back."
        ),
        "unknown-number": mark(
            "The transfer names an unknown invoice. Ask the payer, then record the money for "
            "its invoice or transfer it back."
        ),
        "credit-note": mark(
            "The transfer names a credit note, which does not have to be paid. Ask the "
            "payer, then record the money for its invoice or transfer it back."
        ),
        "cut-number": mark(
            "The invoice's number is incomplete or mistyped. Ask the payer, then record the "
            "money for its invoice."
        ),
        "contradictory-numbers": mark(
            "The transfer names different invoices in different fields. Ask the payer, then "
            "record the money for its invoice."
        ),
        "other-currency": mark(
            "The money is not in the invoice's currency. Exchange it, then record the new "
            "amount for the invoice."
        ),
        "other-sum": mark(
            "The amount is not the sum of the invoices that the transfer names. Ask the "
            "payer how to divide it, then record each part for its invoice."
        ),
        "paid-already": mark(
            "The invoice is already paid. Ask the payer, then transfer the money back or "
            "record it for another invoice."
        ),
        "maybe-known": mark(
            "This money may already be counted with another reference. Compare it with the "
            "invoice's payments before you record it."
        ),
        "other": mark(
            "Check the entry in the bank statement and ask the payer before you record the "
            "money for an invoice."
        ),
    },
    "order": {
        "mistyped-group": mark(
            "The order has an invalid group id, so it does not count. Correct the id in the "
            "shop and save the order there. If the order is not for a group, mark it as done."
        ),
        "not-counted": mark(
            "A part of the order can't be counted; the rest counts. Correct the order in the "
            "shop and save it there. Or enter the missing part by hand, then mark it as done."
        ),
        "not-the-product": mark(
            "The order does not contain the group's product, so it does not count. Correct "
            "the order, or the product's id or SKU, in the shop. If the order is right, mark "
            "it as done."
        ),
        "not-fetched": mark(
            "We could not fetch this order from the shop, and will try again. Open the order "
            "in the shop and save it. If that fails, check the shop's error log."
        ),
        "not-utf-8": mark(
            "The shop sent text that is not UTF-8. Look for odd characters in the order, "
            "correct them in the shop and save the order there."
        ),
        "not-json": mark(
            "The shop sent something that is not JSON. A plugin or a firewall may have "
            "changed it. Correct this, then save the order in the shop."
        ),
        "empty": mark(
            "The shop sent nothing. Save the order in the shop. If nothing comes again, "
            "check the shop's error log."
        ),
        "php-error": mark(
            "The shop sent a PHP error instead of the order. Correct the problem named in "
            "the shop's error log, then save the order in the shop."
        ),
        "html": mark(
            "The shop sent a web page instead of the order: perhaps a login, an error or "
            "maintenance. Correct this, then save the order in the shop."
        ),
        "unreadable": mark(
            "We can't read a field of the order; the reason names it. Correct it in the shop "
            "and save the order there. Or enter the order by hand, then mark it as done."
        ),
        "not-an-object": mark(
            "The shop sent something that is not an order. Check that the webhook is for "
            "orders and that no plugin changes it, then save the order in the shop."
        ),
        "error-body": mark(
            "The shop sent an error instead of the order. Check that the webhook or the key "
            "can read orders, then save the order in the shop."
        ),
        "schema": mark(
            "The order has a value that we can't accept, because of its kind or size. "
            "Correct the order in the shop and save it there. Or enter the order by hand, "
            "then mark it as done."
        ),
        "other": mark(
            "Open the order in the shop and check the problem named in the reason. Correct "
            "the order there: jointbuy reads it again when it changes. If nothing more has "
            "to be counted, mark it as done."
        ),
    },
    "letter": {
        "refused": mark(
            "The mail server refused this letter. Contact the person another way. When the "
            "cause is corrected, the admin can send the letter again."
        ),
        "given-up": mark(
            "The letter could not be sent for at least three days. Contact the person "
            "another way. When the mail server works again, the admin can send the letter."
        ),
        "no-mailbox": mark(
            "The mailbox does not exist, so no letters are sent to it. Ask the person for "
            "the right address. If the mailbox works again, the admin can send the letter."
        ),
        "no-address": mark(
            "No address of this person is known, so the letter was not sent. When an address "
            "is known, the admin can send the letter again."
        ),
        "no-smtputf8": mark(
            "Your mail server can't take this address, because it does not support SMTPUTF8. "
            "Ask the person for an ASCII address, or use a server that supports SMTPUTF8. "
            "The admin can then send the letter again."
        ),
        "other": mark("Check the mail server's answer, and contact the person another way."),
    },
    "record": {
        "unreadable": mark(
            "We can't read the record's bytes. Ask the sender of the topic to send the "
            "record again, then purge this one."
        ),
        "schema": mark(
            "The record does not match its topic's schema; the error names the field. Replay "
            "it with a corrected value, or ask the sender to send a corrected record, then "
            "purge this one."
        ),
        "no-value": mark(
            "The record has no value, and its topic does not accept tombstones. Replay it "
            "with a value, or purge it."
        ),
        "too-large": mark(
            "The record is larger than its topic allows. Ask the sender to send less, or "
            "replay the record with a smaller value. If nobody needs it, purge it."
        ),
        "wrong-key": mark(
            "The record's key does not match its message. Ask the sender to send the record "
            "again with the right key, then purge this one."
        ),
        "wrong-partition": mark(
            "The record is in the wrong partition for its key. Replay it: it then goes to "
            "the right one. Check also that the sender partitions by murmur2."
        ),
        "beyond-limits": mark(
            "With this record, a sum would exceed its limit. Check what was sent, then "
            "replay it with the right value, or purge it."
        ),
        "unknown-group": mark(
            "No group with this id opened within an hour. When the group is there, replay "
            "the record. Otherwise purge it."
        ),
        "unknown-auction": mark(
            "No auction with this id opened within an hour. When the auction is there, "
            "replay the record. Otherwise purge it."
        ),
        "mistyped-group": mark(
            "The record names a group by an invalid id. Replay it with the right id in its "
            "value, or purge it."
        ),
        "other": mark(
            "Check the record and its error. Correct the cause and replay the record, or "
            "purge it if nobody needs it."
        ),
    },
}
