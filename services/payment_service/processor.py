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
from runtime.rows import Waiting
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
from services.payment_service import hearing, rows, rules, waiting

PROCESSOR = Processor(
    service="payment_service",
    name="payments",
    inputs=(GROUP_PURCHASES, PURCHASES, FAVORS, ORDERS, PAYMENT_REPORTS),
    outputs=(PAYMENTS, NOTICES),
    on=dict(
        [
            takes(MembersAdmitted, rules.admit_members),
            takes(GroupPurchase, rules.take_terms),
            takes(PurchaseState, rules.close),
            takes(PurchaseRow, rules.take_row),
            takes(OrderRefused, rules.refuse_order),
            takes(Favor, rules.take_favor),
            takes(FavorDecision, rules.decide),
            takes(OrderPlaced, rules.place_order),
            takes(OrderConfirmed, rules.confirm_order),
            takes(OrderPaid, rules.pay_order),
            takes(OrderCancelled, rules.cancel_order),
            takes(PaymentReported, hearing.take_report),
            takes(PaymentDisputed, hearing.take_dispute),
            takes(PaymentRetried, hearing.retry),
        ]
    ),
    due={
        "favor": rules.await_no_longer,
        "shrink": rules.begin_shrinking,
        "unknown": waiting.count_no_more,
    },
    chunks={
        "open": rules.open_waiting,
        "level": rules.level_all,
        "shrink": rules.shrink,
    },
    calls={
        "card": CallRules(
            request=hearing.request,
            settle=hearing.settle,
            reply=hearing.Reply,
            server=hearing.stripe,
        ),
    },
    facts={"payment": rows.payment, "settled": rows.settled},
    rows={
        "terms": rows.Terms,
        "listed": rows.Listed,
        "group": rows.Group,
        "member": rows.Purchaser,
        "order": rows.Order,
        "payer": rows.Payer,
        "payment": rows.Move,
        "report": rows.Report,
        "settled": rows.Settled,
        "waits": rows.Waits,
        "waiting": Waiting,
        "chunk": rows.Chunk,
    },
)

#: What a worker of this service hosts.
PROCESSORS = (PROCESSOR,)
