"""The catalogue: one entry per topic, and the only list of topics there is."""

from collections.abc import Mapping

from schemas.messages import (
    ApiKey,
    ApplicationConfirmed,
    ApplicationRefused,
    ApplicationWithdrawn,
    Applied,
    Auction,
    AuctionOpened,
    AuctionWithdrawn,
    ConditionReplaced,
    ContractConcluded,
    ContractFailed,
    CounterOffered,
    Definition,
    Delivery,
    Favor,
    FavorDecision,
    GroupPurchase,
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    GroupSettled,
    IdClaimed,
    IdGranted,
    IdIssued,
    IdTaken,
    KeyParked,
    LetterResend,
    MembersAdmitted,
    MembersListed,
    Notice,
    OfferJudged,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    OrderReturned,
    Payment,
    PaymentDisputed,
    PaymentReported,
    PaymentRetried,
    ProductAsked,
    ProductTold,
    PurchaseOpened,
    PurchaseRow,
    PurchaseState,
    RequestRefused,
    Resubscribed,
    RightIntercepted,
    Seller,
    SellerApproved,
    SellerRegistered,
    SellerReinstated,
    SellerSuspended,
    ShopOrderEdited,
    ShopOrderGone,
    ShopOrderRead,
    ShopOrderSeen,
    ShopOrderUnnamed,
    ShopOrderUnread,
    ShopRefundSeen,
    Task,
    Unsubscribed,
)
from schemas.topic import Topic

DEFINITIONS = Topic(
    name="definitions",
    kind="fact",
    key="definition_id",
    messages=(Definition,),
    producers=("storefront",),
    consumers=("request_service", "storefront"),
    purpose="What shops open to the public for group purchase.",
    compacted=True,
)
GROUP_PURCHASE_REQUESTS = Topic(
    name="group-purchase-requests",
    kind="command",
    key="request_id",
    messages=(GroupPurchaseRequested, MembersListed, GroupPurchaseWithdrawn),
    producers=("storefront", "shop_bridge", "auction_service"),
    consumers=("request_service", "terminal"),
    purpose="Requests for a group purchase, and their withdrawal.",
)
ID_CLAIMS = Topic(
    name="id-claims",
    kind="step",
    key="group_id",
    messages=(IdClaimed,),
    producers=("request_service",),
    consumers=("request_service",),
    purpose="Claims to an id, keyed by the id itself, so that it is given once.",
)
ID_ANSWERS = Topic(
    name="id-answers",
    kind="step",
    key="request_id",
    messages=(IdGranted, IdTaken),
    producers=("request_service",),
    consumers=("request_service",),
    purpose="Whether a claimed id is the request's.",
)
REQUEST_OUTCOMES = Topic(
    name="request-outcomes",
    kind="fact",
    key="request_id",
    messages=(IdIssued, RequestRefused),
    producers=("request_service",),
    consumers=("shop_bridge", "storefront", "terminal"),
    purpose="The id a request runs under, or every reason why it can't.",
    compacted=True,
)
GROUP_PURCHASES = Topic(
    name="group-purchases",
    kind="fact",
    key="group_id, or group_id/members/part",
    messages=(GroupPurchase, MembersAdmitted),
    producers=("request_service",),
    consumers=("order_service", "payment_service", "shop_bridge", "storefront", "terminal"),
    purpose="All the terms a group purchase runs under.",
    compacted=True,
)
ORDERS = Topic(
    name="orders",
    kind="command",
    key="group_id",
    messages=(OrderPlaced, OrderConfirmed, OrderPaid, OrderCancelled, OrderReturned),
    producers=("shop_bridge", "storefront"),
    consumers=("order_service", "payment_service", "shop_bridge", "terminal"),
    purpose="What purchasers order, confirm, pay, cancel and return, as shops tell it.",
)
SHOP_EVENTS = Topic(
    name="shop-events",
    kind="step",
    key="shop_order",
    messages=(
        ShopOrderSeen,
        ShopOrderUnnamed,
        ShopOrderEdited,
        ShopRefundSeen,
        ShopOrderGone,
        ShopOrderUnread,
        ShopOrderRead,
        ProductTold,
    ),
    producers=("shop_bridge",),
    consumers=("shop_bridge",),
    purpose="The state of shops' orders, from webhooks and polls.",
)
SHOP_QUESTIONS = Topic(
    name="shop-questions",
    kind="step",
    key="group_id",
    messages=(ProductAsked,),
    producers=("shop_bridge",),
    consumers=("shop_bridge",),
    purpose="Questions for a group's product, with which a shop's order is compared.",
)
PAYMENTS = Topic(
    name="payments",
    kind="fact",
    key="group_id/payment/payment_id, or group_id/settled",
    messages=(Payment, GroupSettled),
    producers=("payment_service",),
    consumers=("order_service", "shop_bridge", "storefront"),
    purpose="Movements of money, and when a group is settled.",
    compacted=True,
)
PAYMENT_REPORTS = Topic(
    name="payment-reports",
    kind="command",
    key="group_id",
    messages=(PaymentReported, PaymentRetried, PaymentDisputed),
    producers=("payment_service", "shop_bridge", "storefront"),
    consumers=("payment_service",),
    purpose="Outcomes of payments outside, disputes, and payments to try again.",
)
PURCHASES = Topic(
    name="purchases",
    kind="fact",
    key="group_id, or group_id/definition, /member/member_id, /refused/source/order_id",
    messages=(PurchaseState, PurchaseOpened, PurchaseRow, OrderRefused),
    producers=("order_service",),
    consumers=("favor_service", "payment_service", "storefront", "terminal"),
    purpose="A group's whole story in order: terms, purchasers' rows, refusals, summary.",
    compacted=True,
)
FAVORS = Topic(
    name="favors",
    kind="fact",
    key="group_id, or group_id/member/member_id",
    messages=(FavorDecision, Favor),
    producers=("favor_service",),
    consumers=("payment_service", "storefront", "terminal"),
    purpose="What a group's close decided, and what each member gets.",
    compacted=True,
)
SELLER_REGISTRATIONS = Topic(
    name="seller-registrations",
    kind="command",
    key="seller_id",
    messages=(SellerRegistered, SellerApproved, SellerSuspended, SellerReinstated),
    producers=("storefront",),
    consumers=("auction_service",),
    purpose="Who wants to sell, and what admins decide of them.",
)
SELLERS = Topic(
    name="sellers",
    kind="fact",
    key="seller_id",
    messages=(Seller,),
    producers=("auction_service",),
    consumers=("auction_service", "storefront", "terminal"),
    purpose="Every seller with every standing so far.",
    compacted=True,
)
OFFERS = Topic(
    name="offers",
    kind="command",
    key="auction_id",
    messages=(AuctionOpened, CounterOffered, AuctionWithdrawn),
    producers=("storefront",),
    consumers=("auction_service", "terminal"),
    purpose="Conditions that sellers offer, the one that opens an auction first.",
)
APPLICATIONS = Topic(
    name="applications",
    kind="command",
    key="auction_id",
    messages=(Applied, ApplicationConfirmed, ApplicationWithdrawn),
    producers=("storefront",),
    consumers=("auction_service",),
    purpose="What buyers reserve, confirm and take back.",
)
AUCTIONS = Topic(
    name="auctions",
    kind="fact",
    key="auction_id, or auction_id/offer/offer_id, /replaced/version, /intercepted/offer_id,"
    " /refused/application_id, /conclusion",
    messages=(
        Auction,
        OfferJudged,
        ConditionReplaced,
        RightIntercepted,
        ApplicationRefused,
        ContractConcluded,
        ContractFailed,
    ),
    producers=("auction_service",),
    consumers=("storefront", "terminal"),
    purpose="An auction's page, and what became of every offer.",
    compacted=True,
)
NOTICES = Topic(
    name="notices",
    kind="command",
    key="recipient_id",
    messages=(Notice, LetterResend),
    producers=(
        "request_service",
        "order_service",
        "favor_service",
        "payment_service",
        "auction_service",
        "terminal",
    ),
    consumers=("notifier", "terminal"),
    purpose="One per letter and recipient, with all that the letter says.",
)
MAIL_PREFERENCES = Topic(
    name="mail-preferences",
    kind="fact",
    key="recipient_id/kind, or recipient_id/all",
    messages=(Unsubscribed, Resubscribed),
    producers=("storefront",),
    consumers=("notifier", "storefront"),
    purpose="Which letters a recipient does not want.",
    compacted=True,
)
DELIVERIES = Topic(
    name="deliveries",
    kind="fact",
    key="recipient_id/notice_id",
    messages=(Delivery,),
    producers=("notifier",),
    consumers=("storefront", "terminal"),
    purpose="What became of every letter.",
    compacted=True,
)
API_KEYS = Topic(
    name="api-keys",
    kind="fact",
    key="key_id",
    messages=(ApiKey,),
    producers=("storefront",),
    consumers=("storefront",),
    purpose="Digests of the keys by which sellers' and shops' programs act.",
    compacted=True,
)
_WITH_PROCESSORS = (
    "request_service",
    "order_service",
    "favor_service",
    "payment_service",
    "auction_service",
    "notifier",
    "shop_bridge",
)
DEAD_LETTERS = Topic(
    name="dead-letters",
    kind="ops",
    key="the record's own",
    messages=(),
    producers=_WITH_PROCESSORS,
    consumers=("terminal",),
    purpose="Records that could not be read, card numbers masked; headers say where from and why.",
)
TASKS = Topic(
    name="tasks",
    kind="fact",
    key="task_id",
    messages=(Task,),
    producers=(*_WITH_PROCESSORS, "storefront", "terminal"),
    consumers=("storefront",),
    purpose="Tasks for people that no other fact contains; the latest word on a task stands.",
    compacted=True,
)
PARKED_KEYS = Topic(
    name="parked-keys",
    kind="ops",
    key="parked/service",
    messages=(KeyParked,),
    producers=("terminal",),
    consumers=_WITH_PROCESSORS,
    purpose="Keys that ops set aside; their records wait until a tombstone.",
    compacted=True,
)


def buries(topic: Topic) -> str | None:
    """The service that writes the dead letter of an unreadable record of a topic.

    It is the first in the catalogue that reads the topic by a processor; the others count the
    record. ``None`` for a topic that no processor may read.
    """
    return next((each for each in topic.consumers if each in _WITH_PROCESSORS), None)


CATALOGUE: Mapping[str, Topic] = {
    topic.name: topic
    for topic in (
        DEFINITIONS,
        GROUP_PURCHASE_REQUESTS,
        ID_CLAIMS,
        ID_ANSWERS,
        REQUEST_OUTCOMES,
        GROUP_PURCHASES,
        ORDERS,
        SHOP_EVENTS,
        SHOP_QUESTIONS,
        PAYMENTS,
        PAYMENT_REPORTS,
        PURCHASES,
        FAVORS,
        SELLER_REGISTRATIONS,
        SELLERS,
        OFFERS,
        APPLICATIONS,
        AUCTIONS,
        NOTICES,
        MAIL_PREFERENCES,
        DELIVERIES,
        API_KEYS,
        DEAD_LETTERS,
        TASKS,
        PARKED_KEYS,
    )
}
