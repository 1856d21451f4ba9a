"""Sellers at a desk, and auctions that every offer of theirs goes to.

seller-registrations ─▶ seller desk ─▶ sellers ─┐ (read whole)
offers, applications ───────────────────────────┴─▶ auction ─▶ auctions, notices,
                                                    a contract's group-purchase-requests

Both send the addresses that come in to people.
"""

from runtime.processor import Processor, takes
from runtime.rows import WAITING, WAITS, tables
from schemas.auctions import (
    APPLICATIONS,
    AUCTIONS,
    OFFERS,
    SELLER_REGISTRATIONS,
    SELLERS,
    ApplicationConfirmed,
    ApplicationWithdrawn,
    Applied,
    AuctionOpened,
    AuctionWithdrawn,
    CounterOffered,
    SellerApproved,
    SellerDescribed,
    SellerRegistered,
    SellerReinstated,
    SellerSuspended,
)
from schemas.groups import GROUP_PURCHASE_REQUESTS
from schemas.letters import NOTICES
from schemas.people import PEOPLE
from services.auction_service import rows
from services.auction_service.rules import auctions, conclusion, invitations, sellers

DESK = Processor(
    service="auction_service",
    name="desk",
    inputs=(SELLER_REGISTRATIONS,),
    outputs=(SELLERS, PEOPLE, NOTICES),
    on=dict(
        [
            takes(SellerRegistered, sellers.register),
            takes(SellerDescribed, sellers.describe),
            takes(SellerApproved, sellers.act_on_seller),
            takes(SellerSuspended, sellers.act_on_seller),
            takes(SellerReinstated, sellers.act_on_seller),
        ]
    ),
    facts={"seller": rows.seller_fact},
    rows=tables(
        rows.SELLER,
        rows.ACTS,
        rows.DESCRIBED,
    ),
)
AUCTION = Processor(
    service="auction_service",
    name="auction",
    inputs=(OFFERS, APPLICATIONS),
    outputs=(AUCTIONS, GROUP_PURCHASE_REQUESTS, NOTICES, PEOPLE),
    reads_whole=(SELLERS,),
    on=dict(
        [
            takes(AuctionOpened, auctions.open_auction),
            takes(CounterOffered, auctions.take_offer),
            takes(AuctionWithdrawn, auctions.withdraw_auction),
            takes(Applied, auctions.apply),
            takes(ApplicationConfirmed, auctions.confirm_application),
            takes(ApplicationWithdrawn, auctions.withdraw_application),
        ]
    ),
    due={
        "look": auctions.look_for_seller,
        "expire": auctions.refuse_unknown,
        "invite": invitations.invite,
        "late-sellers": invitations.invite_late,
        "close": auctions.close,
        "shrink": conclusion.begin_shrinking,
    },
    chunks={
        "announce": conclusion.announce,
        "drain": auctions.drain_waiting,
        "invite": invitations.invite_some,
        "shrink": conclusion.shrink,
        "tell": conclusion.tell,
    },
    facts={"auction": rows.auction_fact},
    rows=tables(
        rows.AUCTION,
        rows.PRODUCT,
        rows.LIVE,
        rows.OFFERS,
        rows.ASKING,
        rows.ASKED,
        rows.BIDDERS,
        rows.ADDRESSES,
        rows.EARLY,
        rows.APPLICATIONS,
        rows.APPLICANTS,
        rows.MAILBOXES,
        rows.GONE,
        WAITING,
        WAITS,
        rows.TOLD,
        rows.INVITED,
        rows.CHUNKS,
        rows.ENDED,
    ),
)

#: What a worker of this service hosts.
PROCESSORS = (DESK, AUCTION)
