"""The columns of lists that a fact fills, and the words by which a row is found.

A fact carries the whole new state of what it names, so each becomes columns of one row. A group has
two such facts, its terms and its state, on topics that race: each is a ``Part`` of the row with a
version of its own.
"""

import json
import re
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from domain.addresses import canonical
from domain.ledger import balances, entries
from domain.tiers import start_of
from schemas.api.letters import LetterState
from schemas.auctions import Auction, ConditionReplaced, OfferJudged, Seller
from schemas.groups import Definition, GroupPurchase
from schemas.images import Image
from schemas.letters import Delivery
from schemas.ops import ApiKey, Task
from schemas.orders import PurchaseRow, PurchaseState
from schemas.parts import Message, Product, Tier
from schemas.payments import Payment
from schemas.people import Person
from schemas.shops import Shop
from services.storefront.rules import todo_reasons
from services.storefront.rules.paid import is_unpaid_order

#: The largest number that both databases hold.
NUMBER_MAX: Final = 2**63 - 1
#: Facts that stand in their own table only.
ONLY_IN_PARTS: Final[frozenset[type[Message]]] = frozenset({Image})
TERMS_MAX: Final = 64
TERM_LENGTH_MAX: Final = 32
WORDS_MAX: Final = 8

Columns = dict[str, str | int | bytes | None]


@dataclass(frozen=True, slots=True)
class Part:
    """The columns of a table that one kind of fact fills, guarded by ``version``.

    ``columns(fact, at)`` are those of a fact whose record has that time, always the same;
    ``None`` if the table has no row of such a fact.
    ``when_deleted`` is what they are without the fact; a row all of whose guards are 0 goes.
    Subjects that are ``is_searched`` are found by the words of ``product_name``, ``category`` and
    ``tags``.
    """

    table: str
    id: tuple[str, ...]
    version: str
    columns: Callable[[Any, int], Columns | None]
    when_deleted: Mapping[str, str | int | None] | None = None
    is_searched: bool = False


def _product(product: Product) -> Columns:
    """What lists keep of a product; tags are a line each, as none has a line's end."""
    return {
        "product_name": clean(product.name),
        "category": None if product.category is None else clean(product.category),
        "tags": "\n".join(clean(each) for each in product.tags) or None,
        "image_id": product.images[0] if product.images else None,
    }


def _auction(fact: Auction, _: int) -> Columns:
    return {
        "auction_id": fact.auction_id,
        **_product(fact.product),
        "status": fact.status,
        "currency": clean(fact.currency),
        "unit_price": fact.shown.unit_price,
        "minimum": fact.shown.minimum_reservations,
        "reservations": fact.reservations,
        "applicants": fact.applicants,
        "shown_seller_id": fact.shown.seller_id,
        "opened_by": fact.opened_by,
        "opened_at": milliseconds(fact.opened_at),
        "closes_at": milliseconds(fact.closes_at),
        "version": within(fact.version),
        "group_request_id": fact.group_request_id,
    }


def _ladder(tiers: Iterable[Tier]) -> str:
    """Tiers as a row keeps them: JSON, in which a NUL is escaped."""
    return json.dumps([each.model_dump(exclude_none=True) for each in tiers])


def _terms(fact: GroupPurchase, _: int) -> Columns:
    return {
        "group_id": fact.group_id,
        "request_id": fact.request_id,
        "definition_id": fact.definition_id,
        "organizer_id": fact.organizer.id if fact.organizer else None,
        "shop_id": fact.shop_id,
        "seller_id": fact.seller_id,
        **_product(fact.product),
        "visibility": fact.visibility,
        "currency": None if fact.currency is None else clean(fact.currency),
        "unit_price": fact.unit_price,
        "number": within(fact.number_of_products),
        "opens_at": milliseconds(fact.opens_at),
        "closes_at": milliseconds(fact.closes_at),
        "ladder": _ladder(fact.favor.tiers),
        "if_incomplete": fact.if_incomplete,
        "terms_version": within(fact.version),
    }


def _state(fact: PurchaseState, _: int) -> Columns:
    return {
        "group_id": fact.group_id,
        "status": fact.status,
        "quantity": fact.quantity,
        "value": fact.value,
        "members": fact.members,
        "state_version": within(fact.version),
    }


def _definition(fact: Definition, _: int) -> Columns:
    return {
        "definition_id": fact.definition_id,
        "shop_id": fact.shop_id,
        **_product(fact.product),
        "currency": clean(fact.currency),
        "unit_price": fact.unit_price,
        "published_at": milliseconds(fact.published_at),
        "withdrawn_at": None if fact.withdrawn_at is None else milliseconds(fact.withdrawn_at),
        "version": within(fact.version),
    }


def _image(fact: Image, _: int) -> Columns | None:
    try:
        data = b64decode(fact.data, validate=True)
    except ValueError:
        return None
    if sha256(data).hexdigest() != fact.image_id:
        # Browsers keep what an address shows for ever, so it must be what the address says.
        return None
    return {
        "image_id": fact.image_id,
        "media_type": fact.media_type,
        "width": fact.width,
        "height": fact.height,
        "data": data,
        "version": 0,
    }


def _offer(fact: OfferJudged, at: int) -> Columns:
    return {
        "auction_id": fact.auction_id,
        "offer_id": fact.offer_id,
        "seller_id": fact.seller_id,
        "verdict": fact.verdict,
        "reason": clean(fact.reason),
        "judged_at": at,
        "version": within(fact.version),
    }


def _takeover(fact: ConditionReplaced, _: int) -> Columns:
    return {
        "auction_id": fact.auction_id,
        "version": within(fact.version),
        "unit_saved": fact.before.unit_price - fact.shown.unit_price,
    }


def _payment(fact: Payment, at: int) -> Columns:
    booked = {account: amount for (account, _), amount in balances(entries([fact])).items()}
    return {
        "group_id": fact.group_id,
        "payment_id": fact.payment_id,
        "payer": fact.member_id or "",
        "begun_at": at if fact.begun_at is None else milliseconds(fact.begun_at),
        "number": None if fact.number is None else clean(fact.number),
        "unpaid": int(is_unpaid_order(fact)),
        "kind": fact.kind,
        "method": fact.method,
        "status": fact.status,
        "told_at": at,
        "currency": clean(fact.currency),
        "held": booked.get("held", 0),
        "owed": booked.get("receivable", 0),
        "version": within(fact.version),
    }


def _seller(fact: Seller, _: int) -> Columns:
    return {
        "seller_id": fact.seller_id,
        "name": clean(fact.name),
        "standing": fact.standing,
        "registered_at": milliseconds(fact.registered_at),
        "version": within(fact.version),
        "words": in_row(terms_of(fact.name)),
    }


def _shop(fact: Shop, _: int) -> Columns:
    return {
        "shop_id": fact.shop_id,
        "version": within(fact.version),
        "words": in_row(terms_of(fact.name)),
    }


def _key(fact: ApiKey, _: int) -> Columns:
    return {
        "key_id": fact.key_id,
        "role": fact.role,
        "holder_id": fact.holder_id,
        "issued_at": milliseconds(fact.issued_at),
        "revoked_at": None if fact.revoked_at is None else milliseconds(fact.revoked_at),
        "version": within(fact.version),
    }


def letter_state(delivery: Delivery) -> LetterState:
    """What became of a letter, as the admin's list sorts it."""
    if todo_reasons.reason_of_letter(delivery) is not None:
        return "undelivered"
    if delivery.status in ("queued", "deferred"):
        return "waiting"
    return "sent" if delivery.status == "sent" else "unwanted"


def _letter(fact: Delivery, _: int) -> Columns:
    return {
        "recipient_id": fact.recipient_id,
        "notice_id": fact.notice_id,
        "kind": fact.kind,
        "about": fact.about,
        "state": letter_state(fact),
        "at": milliseconds(fact.at),
        "version": within(fact.version),
    }


def _todo(row: Callable[[Any, int], dict[str, Any] | None]) -> Part:
    """The todo row of one kind of fact."""

    def columns(fact: Message, at: int) -> Columns | None:
        found = row(fact, at)
        if found is None:
            return None
        held: Columns = {name: _held(value) for name, value in found.items()}
        return held

    return Part("todos", ("topic", "key"), "version", columns)


def _held(value: Any) -> str | int | None:
    """A value as both databases hold it."""
    if isinstance(value, datetime):
        return milliseconds(value)
    if isinstance(value, int):
        return within(value)
    return value if value is None else clean(value)


_NO_TERMS: Final = dict.fromkeys(
    (
        "request_id",
        "definition_id",
        "organizer_id",
        "shop_id",
        "seller_id",
        "product_name",
        "category",
        "tags",
        "image_id",
        "visibility",
        "currency",
        "unit_price",
        "number",
        "opens_at",
        "closes_at",
        "ladder",
        "if_incomplete",
    )
)
PARTS: Final[Mapping[type[Message], tuple[Part, ...]]] = {
    Auction: (Part("auctions", ("auction_id",), "version", _auction, is_searched=True),),
    GroupPurchase: (
        Part(
            "groups",
            ("group_id",),
            "terms_version",
            _terms,
            {**_NO_TERMS, "terms_version": 0, "words": None},
            is_searched=True,
        ),
    ),
    PurchaseState: (
        Part(
            "groups",
            ("group_id",),
            "state_version",
            _state,
            {"status": "open", "quantity": 0, "value": 0, "members": 0, "state_version": 0},
        ),
    ),
    Definition: (
        Part("definitions", ("definition_id",), "version", _definition, is_searched=True),
    ),
    Image: (Part("images", ("image_id",), "version", _image),),
    OfferJudged: (Part("offers", ("auction_id", "offer_id"), "version", _offer),),
    ConditionReplaced: (Part("takeovers", ("auction_id", "version"), "version", _takeover),),
    Payment: (
        Part("payments", ("group_id", "payment_id"), "version", _payment),
        _todo(todo_reasons.row_of_payment),
    ),
    Delivery: (
        Part("letters", ("recipient_id", "notice_id"), "version", _letter),
        _todo(todo_reasons.row_of_letter),
    ),
    Task: (_todo(todo_reasons.row_of_task),),
    Shop: (Part("shops", ("shop_id",), "version", _shop),),
    Seller: (Part("sellers", ("seller_id",), "version", _seller),),
    ApiKey: (Part("api_keys", ("key_id",), "version", _key),),
}


#: What lies under the bare id of a topic's subject.
_NAMESAKES: Final[Mapping[str, type[Message]]] = {
    "auctions": Auction,
    "group-purchases": GroupPurchase,
    "purchases": PurchaseState,
    "definitions": Definition,
    "images": Image,
    "tasks": Task,
    "sellers": Seller,
    "shops": Shop,
    "api-keys": ApiKey,
}


def deleted(topic: str, key: str) -> list[tuple[Part, tuple[str | int, ...]]]:
    """The parts of rows, and the rows' ids, that go with the fact of this key."""
    subject, _, rest = key.partition("/")
    kind: type[Message] | None = None if rest else _NAMESAKES.get(topic)
    ids: dict[str, tuple[str | int, ...]] = {"todos": (topic, key)}
    if topic == "auctions" and rest.startswith("offer/"):
        kind, ids["offers"] = OfferJudged, (subject, rest.removeprefix("offer/"))
    elif topic == "auctions" and rest.startswith("replaced/"):
        number = rest.removeprefix("replaced/")
        kind = ConditionReplaced if number.isdecimal() else None
        ids["takeovers"] = (subject, int(number) if kind else 0)
    elif topic == "payments" and rest.startswith("payment/"):
        kind, ids["payments"] = Payment, (subject, rest.removeprefix("payment/"))
    elif topic == "deliveries":
        kind, ids["letters"] = Delivery, (subject, rest)
    parts = () if kind is None else PARTS[kind]
    return [(part, ids.get(part.table, (subject,))) for part in parts]


def holder_of(message: Message) -> str | None:
    """Whose a fact is, so that its links can be had again; ``None`` for all other facts.

    A person's is the mailbox in its canonical address. A group's is the organizer's person, and the
    row's of somebody who has ordered the person who gets the letters about it.
    """
    if isinstance(message, Person):
        return clean(canonical(message.email))
    if isinstance(message, PurchaseRow):
        return message.person_id if message.first_ordered_at is not None else None
    if isinstance(message, GroupPurchase) and message.organizer is not None:
        return message.organizer.person_id
    return None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def version_of(message: Message) -> int:
    """A fact's version; 0 for a kind without versions, which is sent once.

    Several services write people, so a person's version is the time when the address came in.
    """
    if isinstance(message, Person):
        return (message.seen_at - _EPOCH) // timedelta(microseconds=1)
    return within(getattr(message, "version", 0))


def milliseconds(at: datetime) -> int:
    """A time as the tables keep it, rounded down."""
    return int(at.timestamp() * 1000 // 1)


def clean(text: str) -> str:
    """A text that both databases hold: PostgreSQL's have no NUL."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")


#: Our ids, keys and words never have these; PostgreSQL refuses NUL, all databases lone surrogates.
_NEVER_ASKED: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def can_be_asked(text: str) -> bool:
    """Whether a text can be in a query and in the database."""
    return _NEVER_ASKED.search(text) is None


def within(number: int) -> int:
    """The nearest number that both databases hold."""
    return max(-NUMBER_MAX, min(number, NUMBER_MAX))


# --- words ---------------------------------------------------------------------------------------

#: Scripts that are written without spaces between words: kana, han and their halves.
_UNSPACED = "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUNS = re.compile(rf"[{_UNSPACED}\U00020000-\U0003ffff]+|[^\W_{_UNSPACED}\U00020000-\U0003ffff]+")
_IN_TAGS = re.compile(r"[\s;]+")
_PLURAL_S = re.compile(r"(?<=[a-z]{2}[a-rt-z])s$")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}\U00020000-\U0003ffff]")


def terms_of(name: str) -> list[str]:
    """What a product's name is found by: its words, and the pairs and last of unspaced scripts."""
    terms: dict[str, None] = {}
    for run in _runs(name):
        if _IS_UNSPACED.match(run):
            terms.update(dict.fromkeys(run[at : at + 2] for at in range(len(run))))
        else:
            terms[run[:TERM_LENGTH_MAX]] = None
    return list(terms)[:TERMS_MAX]


def terms_of_product(name: str, category: str | None, tags: str | None) -> list[str]:
    """What a product's row is found by: words of all that is said of it, and its tags."""
    told = tags_of(tags)
    words = (term for text in (name, category or "", *told) for term in terms_of(text))
    return list(dict.fromkeys((*words, *map(term_of_tag, told))))


@lru_cache(maxsize=4096)
def ladder_of(ladder: str | None) -> tuple[Tier, ...]:
    """The tiers of a group's row, lowest start first; most groups of a shop have the same."""
    tiers = (Tier.model_validate(each) for each in json.loads(ladder or "[]"))
    return tuple(sorted(tiers, key=start_of))


def tags_of(tags: str | None) -> tuple[str, ...]:
    """The tags of a row, as they were given."""
    return tuple(tags.split("\n")) if tags else ()


def term_of_tag(tag: str) -> str:
    """What a tag is found by, however it is written: no word has such signs, nor another tag."""
    plain = unicodedata.normalize("NFKC", tag).casefold()
    return f"#{_IN_TAGS.sub('_', plain)};"


def in_row(terms: Iterable[str]) -> str:
    """Terms as a row keeps them: none has a space, so one is before each."""
    return "".join(f" {each}" for each in terms)


def wanted(words: str) -> list[str]:
    """The beginnings of terms that everything found has, each of them; without a plural's s."""
    beginnings: dict[str, None] = {}
    for run in _runs(words):
        if _IS_UNSPACED.match(run) and len(run) > 1:
            beginnings.update(dict.fromkeys(run[at : at + 2] for at in range(len(run) - 1)))
        else:
            beginnings[_PLURAL_S.sub("", run)[:TERM_LENGTH_MAX]] = None
    return list(beginnings)[:WORDS_MAX]


def _runs(text: str) -> list[str]:
    return _RUNS.findall(unicodedata.normalize("NFKC", text).casefold())
