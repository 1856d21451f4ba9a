"""What is owed against what was paid, and the difference moved.

    group-purchases ─┐
    purchases ───────┤                                ┌▶ payments
    favors ──────────┼─▶ payments (payment_service) ──┴▶ notices
    orders ──────────┤            ⇅
    payment-reports ─┘       methods ─▶ Stripe
           ▲                              │
           └──────────── webhooks ◀───────┘

Orders are read as well as what is made of them: an order by card or invoice counts only when its
payment says that the money is there, so it has to be asked for before it is on ``purchases``. And
group-purchases, as the members of a large group are on that topic only.
"""

from runtime.processor import CallRules, Processor, takes
from runtime.rows import WAITING, tables
from schemas.favors import FAVORS, Favor, FavorDecision
from schemas.groups import GROUP_PURCHASES, GroupPurchase, MembersAdmitted
from schemas.letters import NOTICES
from schemas.orders import (
    ORDERS,
    PURCHASES,
    OrderCancelled,
    OrderConfirmed,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    PurchaseRow,
    PurchaseState,
)
from schemas.payments import (
    PAYMENT_REPORTS,
    PAYMENTS,
    PaymentDisputed,
    PaymentReported,
    PaymentRetried,
)
from services.payment_service import rows
from services.payment_service.rules import facts, groups, payers, provider, reports, waiting

PROCESSOR = Processor(
    service="payment_service",
    name="payments",
    inputs=(GROUP_PURCHASES, PURCHASES, FAVORS, ORDERS, PAYMENT_REPORTS),
    outputs=(PAYMENTS, NOTICES),
    on=dict(
        [
            takes(MembersAdmitted, groups.admit_members),
            takes(GroupPurchase, groups.take_terms),
            takes(PurchaseState, groups.close),
            takes(PurchaseRow, payers.take_purchaser),
            takes(OrderRefused, payers.take_order),
            takes(Favor, payers.take_purchaser),
            takes(FavorDecision, groups.decide),
            takes(OrderPlaced, payers.take_order),
            takes(OrderConfirmed, payers.take_order),
            takes(OrderPaid, payers.take_order),
            takes(OrderCancelled, payers.take_order),
            takes(PaymentReported, reports.take_report),
            takes(PaymentDisputed, reports.take_dispute),
            takes(PaymentRetried, reports.retry),
        ]
    ),
    due={
        "favor": payers.await_no_longer,
        "shrink": groups.begin_shrinking,
        "unknown": waiting.count_no_more,
    },
    chunks={
        "open": groups.open_waiting,
        "level": groups.level_all,
        "shrink": groups.shrink,
    },
    calls={
        "card": CallRules(
            request=provider.request,
            settle=provider.settle,
            reply=provider.Reply,
            server=provider.stripe,
            about=provider.about,
        ),
    },
    facts={"payment": facts.payment, "settled": facts.settled},
    rows=tables(
        rows.TERMS,
        rows.LISTED,
        rows.GROUP,
        rows.MEMBERS,
        rows.ORDERS,
        rows.PAYERS,
        rows.PAYMENTS,
        rows.REPORTS,
        rows.SETTLED,
        rows.EARLY,
        WAITING,
        rows.CHUNKS,
    ),
)

#: What a worker of this service hosts.
PROCESSORS = (PROCESSOR,)
