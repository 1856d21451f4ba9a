"""Why something is refused, has failed or is left to people: every code, by kind.

The codes stand on topics and in answers of the API. A reader keeps a code that it does not know,
as a later version may have more of them. Their texts are in ``texts/reasons.py`` and its siblings.
"""

from enum import StrEnum


class RecordReason(StrEnum):
    """Why a record is a dead letter: its header ``reason``, and ``Task.reason``."""

    UNREADABLE = "unreadable"
    SCHEMA = "schema"
    NO_VALUE = "no-value"
    TOO_LARGE = "too-large"
    WRONG_KEY = "wrong-key"
    WRONG_PARTITION = "wrong-partition"
    BEYOND_LIMITS = "beyond-limits"
    UNKNOWN_GROUP = "unknown-group"
    UNKNOWN_AUCTION = "unknown-auction"
    MISTYPED_GROUP = "mistyped-group"


class OrderReason(StrEnum):
    """Why a shop's order could not be used: the header ``reason``, and ``Task.reason``."""

    NOT_FETCHED = "not-fetched"
    NOT_UTF_8 = "not-utf-8"
    NOT_JSON = "not-json"
    EMPTY = "empty"
    PHP_ERROR = "php-error"
    HTML = "html"
    UNREADABLE = "unreadable"
    NOT_AN_OBJECT = "not-an-object"
    ERROR_BODY = "error-body"
    SCHEMA = "schema"
    MISTYPED_GROUP = "mistyped-group"
    NOT_COUNTED = "not-counted"
    NOT_THE_PRODUCT = "not-the-product"


class TransferReason(StrEnum):
    """Why money on a bank statement is not counted for an invoice: ``Task.reason``."""

    ODD_ENTRY = "odd-entry"
    ODD_AMOUNT = "odd-amount"
    ODD_DATE = "odd-date"
    ODD_BATCH = "odd-batch"
    REVERSAL = "reversal"
    RETURNED = "returned"
    NO_NUMBER = "no-number"
    UNKNOWN_NUMBER = "unknown-number"
    CREDIT_NOTE = "credit-note"
    CUT_NUMBER = "cut-number"
    CONTRADICTORY_NUMBERS = "contradictory-numbers"
    OTHER_CURRENCY = "other-currency"
    OTHER_SUM = "other-sum"
    PAID_ALREADY = "paid-already"
    MAYBE_KNOWN = "maybe-known"


class PaymentReason(StrEnum):
    """Why a payment needs people."""

    PAY_BACK = "pay-back"
    PAY_BACK_FAILED = "pay-back-failed"
    COLLECT = "collect"
    COLLECT_FAILED = "collect-failed"
    TRANSFER_BACK = "transfer-back"
    TRANSFER_BACK_FAILED = "transfer-back-failed"
    CARD_NOT_ACCEPTED = "card-not-accepted"
    CARD_UNSURE = "card-unsure"
    CARD_NO_ANSWER = "card-no-answer"
    CARD_FAILED = "card-failed"
    CARD_DISPUTED = "card-disputed"
    CARD_DISPUTE_LOST = "card-dispute-lost"


class LetterReason(StrEnum):
    """Why a letter was not delivered."""

    REFUSED = "refused"
    GIVEN_UP = "given-up"
    NO_MAILBOX = "no-mailbox"
    NO_ADDRESS = "no-address"
    NO_SMTPUTF8 = "no-smtputf8"


class LetterReply(StrEnum):
    """What the notifier says in ``Delivery.reply``: its beginning, or words in it."""

    UNSUBSCRIBED = "unsubscribed"
    GIVEN_UP = "given up"
    NOT_SENT = "not sent"
    NEEDS_SMTPUTF8 = "needs SMTPUTF8"
    NO_ADDRESS = "no address is known"
    ERASED = "the person was erased"
    MERGED = "merged into"


class OfferReason(StrEnum):
    """Why an offer was shown, is not better, or was refused: ``OfferJudged.reason``."""

    OPENED = "opened"
    BETTER = "better"
    HIGHER_MINIMUM = "higher-minimum"
    PRICE_NOT_LOWER = "price-not-lower"
    STEP_TOO_SMALL = "step-too-small"
    AUCTION_EXISTS = "auction-exists"
    AUCTION_WITHDRAWN = "auction-withdrawn"
    AFTER_TERM = "after-term"
    IMPOSSIBLE_TERMS = "impossible-terms"
    OTHER_PRODUCT = "other-product"
    OTHER_CURRENCY = "other-currency"
    UNKNOWN_SELLER = "unknown-seller"
    PENDING_SELLER = "pending-seller"
    SUSPENDED_SELLER = "suspended-seller"
    HAS_APPLIED = "has-applied"
    UNKNOWN_AUCTION = "unknown-auction"


class WithdrawalReason(StrEnum):
    """Why an auction can't be taken back: ``reason`` of the letter that answers the seller."""

    AFTER_TERM = "after-term"
    NOT_THE_OPENER = "not-the-opener"
    HAS_BETTER_OFFER = "has-better-offer"
    HAS_APPLICATIONS = "has-applications"


class ApplicationReason(StrEnum):
    """Why a reservation does not count: ``ApplicationRefused.reason``."""

    AUCTION_WITHDRAWN = "auction-withdrawn"
    AFTER_TERM = "after-term"
    OWN_AUCTION = "own-auction"
    OVER_APPLICANT_LIMIT = "over-applicant-limit"
    ALREADY_RESERVED = "already-reserved"
    BEYOND_LIMITS = "beyond-limits"
    UNKNOWN_AUCTION = "unknown-auction"


class OrderRefusal(StrEnum):
    """Why an order does not count: ``OrderRefused.reason``."""

    NOT_A_MEMBER = "not-a-member"
    NOT_THIS_SHOP = "not-this-shop"
    BEFORE_PERIOD = "before-period"
    AFTER_PERIOD = "after-period"
    OTHER_CURRENCY = "other-currency"
    WITHDRAWN = "withdrawn"
    TOO_LATE = "too-late"
    BEYOND_LIMITS = "beyond-limits"
    EXPIRED = "expired"
    UNKNOWN_GROUP = "unknown-group"


class ReturnRefusal(StrEnum):
    """Why a return does not count, or not in full: ``OrderRefused.reason``."""

    EXCEEDS_ORDERS = "exceeds-orders"
    NOT_THIS_SHOP = "not-this-shop"
    UNKNOWN_GROUP = "unknown-group"


class PaymentFailure(StrEnum):
    """Why a payment by card or invoice failed or was not made: ``Payment.problem``.

    A shop's payment has the shop's words there.
    """

    CARD_DECLINED = "card-declined"
    NOT_PAID = "not-paid"
    REFUSED = "refused"
    NO_ANSWER = "no-answer"
    NOT_ACCEPTED = "not-accepted"
    EXPIRED = "expired"
    DISPUTED = "disputed"
    DISPUTE_LOST = "dispute-lost"
    BEYOND_LIMITS = "beyond-limits"
