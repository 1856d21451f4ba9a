"""Sellers at a desk, and auctions that every offer of theirs goes to.

seller-registrations ─▶ seller desk ─▶ sellers ─┐ (read whole)
offers, applications ───────────────────────────┴─▶ auction ─▶ auctions, notices,
                                                    a contract's group-purchase-requests
"""

from schemas.messages import (
    ApplicationConfirmed,
    ApplicationWithdrawn,
    Applied,
    AuctionOpened,
    AuctionWithdrawn,
    CounterOffered,
    SellerApproved,
    SellerRegistered,
    SellerReinstated,
    SellerSuspended,
)
from schemas.topics import (
    APPLICATIONS,
    AUCTIONS,
    GROUP_PURCHASE_REQUESTS,
    NOTICES,
    OFFERS,
    SELLER_REGISTRATIONS,
    SELLERS,
)
from services.auction_service import desk, ending, inviting, rows, rules
from services.runtime.processor import Processor
from services.runtime.rows import Waiting

DESK = Processor(
    service="auction_service",
    name="desk",
    inputs=(SELLER_REGISTRATIONS,),
    outputs=(SELLERS,),
    on={
        SellerRegistered: desk.register,
        SellerApproved: desk.act_on_seller,
        SellerSuspended: desk.act_on_seller,
        SellerReinstated: desk.act_on_seller,
    },
    facts={"seller": rows.seller_fact},
    rows={"seller": rows.Profile, "acts": rows.Acts},
)
AUCTION = Processor(
    service="auction_service",
    name="auction",
    inputs=(OFFERS, APPLICATIONS),
    outputs=(AUCTIONS, GROUP_PURCHASE_REQUESTS, NOTICES),
    reads_whole=(SELLERS,),
    on={
        AuctionOpened: rules.open_auction,
        CounterOffered: rules.take_offer,
        AuctionWithdrawn: rules.withdraw_auction,
        Applied: rules.apply,
        ApplicationConfirmed: rules.confirm_application,
        ApplicationWithdrawn: rules.withdraw_application,
    },
    due={
        "look": rules.look_for_seller,
        "expire": rules.refuse_unknown,
        "invite": inviting.invite,
        "late-sellers": inviting.invite_late,
        "close": rules.close,
        "shrink": ending.begin_shrinking,
    },
    chunks={
        "announce": ending.announce,
        "drain": rules.drain_waiting,
        "invite": inviting.invite_some,
        "shrink": ending.shrink,
        "tell": ending.tell,
    },
    facts={"auction": rows.auction_fact},
    rows={
        "auction": rows.Auction,
        "live": rows.Live,
        "offer": rows.Judged,
        "asking": Waiting,
        "asked": rows.Mark,
        "bidder": rows.Mark,
        "address": rows.Mark,
        "application": rows.Application,
        "applicant": rows.Applicant,
        "mailbox": rows.Mailbox,
        "gone": rows.Gone,
        "waiting": Waiting,
        "waits": rows.Waits,
        "told": rows.Mark,
        "invited": rows.Mark,
        "chunk": rows.Cursor,
        "ended": rows.Ended,
    },
)

#: What a worker of this service hosts.
PROCESSORS = (DESK, AUCTION)
