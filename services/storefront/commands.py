"""All that can be asked for: the one place where messages are made, sent, and answered."""

from services.storefront.auction_commands import AuctionCommands
from services.storefront.group_commands import GroupCommands
from services.storefront.order_commands import OrderCommands
from services.storefront.seller_commands import SellerCommands


class Commands(GroupCommands, OrderCommands, AuctionCommands, SellerCommands):
    """Commands of pages and of the API.

    Each takes the actor, what was given, and for those that make an id a seed: the same seed makes
    the same ids, so the same command twice is one. Each raises a ``Refusal`` (see ``problems``), or
    ``TransportError`` or ``KafkaError`` when the log is away, and ``DatabaseError`` when the
    database is.
    """
