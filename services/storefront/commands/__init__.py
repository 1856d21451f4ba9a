"""All that can be asked for: the one place where messages are made, sent, and answered."""

from services.storefront.commands.auctions import AuctionCommands
from services.storefront.commands.groups import GroupCommands
from services.storefront.commands.orders import OrderCommands
from services.storefront.commands.sellers import SellerCommands
from services.storefront.commands.todos import TodoCommands


class Commands(GroupCommands, OrderCommands, AuctionCommands, SellerCommands, TodoCommands):
    """Commands of pages and of the API.

    Each takes the actor, what was given, and for those that make an id a seed: the same seed makes
    the same ids, so the same command twice is one. Each raises a ``Refusal`` (see ``problems``), or
    ``TransportError`` or ``KafkaError`` when the log is away, and ``DatabaseError`` when the
    database is.
    """
