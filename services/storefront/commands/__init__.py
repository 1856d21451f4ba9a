"""Commands: the one place where messages are made, sent, and answered."""

from dataclasses import dataclass

from runtime.settings import Settings
from services.storefront.access.callers import Access
from services.storefront.access.idempotency import Idempotency
from services.storefront.access.rates import Rates
from services.storefront.commands.auctions import AuctionCommands, ReservationCommands
from services.storefront.commands.authority import Authority
from services.storefront.commands.group_messages import MessageCommands
from services.storefront.commands.groups import DefinitionCommands, GroupCommands
from services.storefront.commands.ids import Ids
from services.storefront.commands.images import ImageCommands
from services.storefront.commands.letter_counts import LetterCounts
from services.storefront.commands.letters import LetterCommands
from services.storefront.commands.links_again import LinkCommands
from services.storefront.commands.orders import OrderCommands
from services.storefront.commands.outcomes import Outcomes
from services.storefront.commands.payments import PaymentCommands
from services.storefront.commands.people import PeopleCommands
from services.storefront.commands.sellers import KeyCommands, PreferenceCommands, SellerCommands
from services.storefront.commands.sender import Sender
from services.storefront.commands.shops import ShopCommands
from services.storefront.commands.tasks import Tasks
from services.storefront.commands.todos import TodoCommands
from services.storefront.live.hub import Hub
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.reservations import Reservations
from services.storefront.settings import PageSettings


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands of pages and of the API, by subject.

    Each takes the actor, what was given, and for those that make an id a seed: the same seed makes
    the same ids, so the same command twice is one. Each raises a ``Refusal`` (see ``problems``), or
    ``TransportError`` or ``KafkaError`` when the log is away, and ``DatabaseError`` when the
    database is.
    """

    definitions: DefinitionCommands
    groups: GroupCommands
    orders: OrderCommands
    payments: PaymentCommands
    auctions: AuctionCommands
    reservations: ReservationCommands
    sellers: SellerCommands
    shops: ShopCommands
    images: ImageCommands
    keys: KeyCommands
    preferences: PreferenceCommands
    todos: TodoCommands
    letters: LetterCommands
    people: PeopleCommands
    links: LinkCommands
    messages: MessageCommands
    authority: Authority
    ids: Ids


def commands_of(
    settings: PageSettings,
    sender: Sender,
    hub: Hub,
    reader: Reader,
    access: Access,
    rates: Rates,
    of_topics: Settings,
) -> Commands:
    """The commands of a web process; ``of_topics`` says how long topics keep records."""
    outcomes = Outcomes(sender, hub, reader, settings.answer_seconds)
    ids = Ids(access)
    letters = LetterCounts(rates, settings.letters_per_hour)
    idempotency = Idempotency(reader.engine, settings.link_secret.get_secret_value())
    authority = Authority(reader, ids)
    tasks = Tasks(reader, outcomes)
    images = ImageCommands(reader, outcomes, rates)
    payments = PaymentCommands(reader, outcomes, letters, authority, tasks)
    return Commands(
        definitions=DefinitionCommands(reader, outcomes, ids, images),
        groups=GroupCommands(
            settings, reader, outcomes, ids, letters, authority, access, rates, images
        ),
        orders=OrderCommands(
            settings, reader, outcomes, ids, letters, authority, Reservations(reader.engine)
        ),
        payments=payments,
        auctions=AuctionCommands(reader, outcomes, ids, rates, images),
        reservations=ReservationCommands(
            reader, outcomes, ids, letters, access, Reservations(reader.engine)
        ),
        sellers=SellerCommands(settings, reader, outcomes, ids, letters, rates, images),
        shops=ShopCommands(reader, outcomes, images),
        images=images,
        keys=KeyCommands(reader, outcomes, ids),
        preferences=PreferenceCommands(outcomes),
        todos=TodoCommands(settings, reader, outcomes, ids, tasks, payments),
        letters=LetterCommands(reader, outcomes, idempotency),
        people=PeopleCommands(of_topics, reader, outcomes),
        links=LinkCommands(reader, outcomes, letters),
        messages=MessageCommands(reader, outcomes, ids, letters, authority),
        authority=authority,
        ids=ids,
    )
