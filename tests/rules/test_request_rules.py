"""What request_service promises: an id for every possible request, every problem for the others."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ids import derive
from runtime.records import encode
from runtime.rows import Due, MemoryRows
from schemas.groups import (
    Definition,
    GroupPurchase,
    GroupPurchaseRequested,
    GroupPurchaseWithdrawn,
    IdClaimed,
    IdGranted,
    IdIssued,
    IdTaken,
    MembersAdmitted,
    MembersListed,
    RequestRefused,
)
from schemas.letters import Notice, notices
from schemas.parts import (
    Contact,
    FavorTerms,
    Limits,
    ListedMember,
    Member,
    MemberPayment,
    Message,
    Party,
    PaymentChoices,
    PaymentTerms,
    Product,
    Tier,
)
from schemas.people import Person
from schemas.topic import RECORD_BYTES_MAX
from services.request_service import rows
from services.request_service.processor import DESK, REGISTRAR
from services.request_service.rules.letters import to_named
from services.storefront.commands.groups import MEMBERS_PER_PART, PART_BYTES_MAX

T = datetime(2024, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
ID = derive("r")
TOPIC = {message: topic for topic in DESK.outputs for message in topic.messages}
#: What only ``people`` may hold: the at sign of every address, a name and a time zone.
PRIVATE = ("@", "Olga", "Asia/Tokyo")


class Desk:
    """The desk with one request's rows; each row is held to survive its store after each rule.

    No row holds an address or a name, and no message but those for ``people``.
    """

    def __init__(self, *definitions: Definition) -> None:
        self.rows = MemoryRows("r")
        self.now = T
        #: The addresses that ``people`` holds by now.
        self.addresses: dict[str, str] = {}
        self.definitions = {each.definition_id: each for each in definitions}

    def take(self, message: Message) -> list[Message]:
        """A message's answers, those of the chunks it starts among them."""
        sent = [*self._kept(DESK.on[type(message)](message, self.rows, self.now, self.definitions))]
        while names := [name for name in self.rows if name.startswith("chunk/")]:
            rule = DESK.chunks[names[0].split("/")[1]]
            sent += self._kept(rule(self.rows, self.now, self.definitions))
        return sent

    def pass_time(self, span: timedelta) -> list[Message]:
        """What falls due meanwhile, at its own time and earliest first."""
        sent: list[Message] = []
        end = self.now + span
        while due := [
            (row.at, name)
            for name, row in self.rows.items()
            if isinstance(row, Due) and row.at <= end
        ]:
            self.now, name = max(self.now, min(due)[0]), min(due)[1]
            del self.rows[name]
            rule = DESK.due[name.split("/")[1]]
            sent += self._kept(rule(name, self.rows, self.now, self.definitions))
            while "chunk/drop" in self.rows:
                self._kept(DESK.chunks["drop"](self.rows, self.now, self.definitions))
        self.now = end
        return sent

    def _kept(self, sent: Sequence[Message]) -> Sequence[Message]:
        for name, row in self.rows.items():
            kind = {**DESK.rows, "due": Due}[name.split("/")[0]]
            kept = msgspec.json.encode(row)
            assert msgspec.json.decode(kept, type=kind) == row
            assert not [each for each in PRIVATE if each in kept.decode()], name
        for message in sent:
            adapter = TOPIC[type(message)].adapter
            text = message.model_dump_json()
            assert adapter.validate_json(text) == message
            if isinstance(message, Person):
                assert message.seen_at == self.now, "whatever time the sender chose"
                self.addresses[message.person_id] = message.email
            else:
                assert not [each for each in PRIVATE if each in text], text
        return sent


def asked(**terms: Any) -> GroupPurchaseRequested:
    """The smallest request there is: tea, ten of them."""
    smallest = {"product": Product(name="tea"), "number_of_products": 10}
    return GroupPurchaseRequested(**{"request_id": "r", "requested_at": T} | smallest | terms)


def priced(*tiers: Tier, **terms: Any) -> GroupPurchaseRequested:
    """Tea at 100 euro cents, with these tiers."""
    return asked(**{"unit_price": 100, "currency": "EUR", "favor": FavorTerms(tiers=tiers)} | terms)


def defined(**terms: Any) -> Definition:
    """Rice at 500 yen, with a favor of 5 % from 10."""
    rice = {"shop_id": "s", "product": Product(name="rice"), "unit_price": 500, "currency": "JPY"}
    favor = FavorTerms(tiers=(Tier(from_quantity=10, percent_off=5),))
    return Definition(
        **{"definition_id": "d", "favor": favor, "published_at": T - DAY} | rice | terms
    )


def named(**terms: Any) -> GroupPurchaseRequested:
    """A request that leaves its terms to the definition ``d``."""
    own = {"definition_id": "d", "number_of_products": 10}
    return GroupPurchaseRequested(**{"request_id": "r", "requested_at": T} | own | terms)


def granted(attempt: int = 0) -> IdGranted:
    return IdGranted(request_id="r", group_id=derive("r", attempt), attempt=attempt)


def claimed(attempt: int = 0) -> IdClaimed:
    return IdClaimed(request_id="r", group_id=derive("r", attempt), attempt=attempt)


def issued(at: datetime = T) -> IdIssued:
    return IdIssued(request_id="r", group_id=ID, issued_at=at)


def withdrawn(at: datetime = T) -> GroupPurchaseWithdrawn:
    return GroupPurchaseWithdrawn(request_id="r", at=at)


def part(number: int, parts: int, *members: str) -> MembersListed:
    listed = tuple(ListedMember(id=member) for member in members)
    return MembersListed(request_id="r", part=number, parts=parts, members=listed)


def problems(sent: Sequence[Message]) -> dict[str, str]:
    """The problems of a refusal by field; more than one of a field are joined."""
    (refusal,) = sent
    assert isinstance(refusal, RequestRefused)
    found: dict[str, str] = {}
    for each in refusal.problems:
        found[each.field] = "; ".join(filter(None, (found.get(each.field), each.problem)))
    return found


def group(desk: Desk, message: GroupPurchaseRequested) -> GroupPurchase:
    """The group purchase that a request becomes."""
    assert desk.take(message) == [claimed()]
    purchase, answer = desk.take(granted())
    assert isinstance(purchase, GroupPurchase)
    assert answer == issued(desk.now)
    return purchase


# --- terms ---------------------------------------------------------------------------------------


def test_smallest_request_gets_every_default() -> None:
    """A product's name and a number are enough."""
    assert group(Desk(), asked()) == GroupPurchase(
        group_id=ID,
        request_id="r",
        version=1,
        requested_at=T,
        issued_at=T,
        product=Product(name="tea"),
        number_of_products=10,
        opens_at=T,
        closes_at=T + 14 * DAY,
        grace_seconds=60,
        payment=PaymentTerms(scope="member", method="shop"),
        if_incomplete="as-reached",
    )


def test_own_terms_are_kept_and_times_told_in_utc() -> None:
    """What a request says stands, down to a grace of nothing."""
    tokyo = timezone(timedelta(hours=9))
    own = {
        "opens_at": (T + DAY).astimezone(tokyo),
        "closes_at": T + 2 * DAY,
        "grace_seconds": 0,
        "stop_at_number": True,
        "payment": PaymentTerms(scope="group", method="invoice"),
        "if_incomplete": "none",
        "visibility": "unlisted",
    }
    olga, ann = Contact(id="olga"), ListedMember(id="ann", payment=MemberPayment(method="card"))
    purchase = group(Desk(), asked(**own, organizer=olga, members=(ann, ListedMember(id="bob"))))
    assert {name: getattr(purchase, name) for name in own} == own
    assert purchase.organizer == Party(id="olga")
    assert purchase.members == (Member(id="ann", payment=ann.payment), Member(id="bob"))
    assert purchase.opens_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("message", "sources"),
    [
        (asked(), ()),
        (asked(sources=("leaf",)), ("leaf",)),
        (asked(sources=("till", "leaf", "till")), ("till", "leaf")),
        (named(), ("s", "storefront", "admin")),
        (named(sources=("till",)), ("till",)),
    ],
    ids=["none-to-ask", "named", "each-once", "the-definition-s-shop", "named-under-a-definition"],
)
def test_a_group_is_fed_by_the_sources_named_else_by_its_definition_s_shop(
    message: GroupPurchaseRequested, sources: tuple[str, ...]
) -> None:
    """Without either, as where recorded orders are fed again, by any."""
    assert group(Desk(defined()), message).sources == sources


@pytest.mark.parametrize(
    ("message", "sells"),
    [
        (asked(), (None, None)),
        (asked(shop_id="leaf"), ("leaf", None)),
        (named(), ("s", None)),
        (named(shop_id="leaf"), ("s", None)),
        (asked(seller_id="mori"), (None, "mori")),
        (asked(shop_id="leaf", seller_id="mori"), ("leaf", "mori")),
    ],
    ids=["nobody", "the-request-s-shop", "the-definition-s-shop", "that-before-the-request-s",
         "an-auction-s-seller", "both"],
)  # fmt: skip
def test_a_group_s_terms_and_letters_say_who_sells(
    message: GroupPurchaseRequested, sells: tuple[str | None, str | None]
) -> None:
    """A definition's shop goes before the one whose key the request came with."""
    desk = Desk(defined())
    organized = message.model_copy(update={"organizer": Contact(id="olga", person_id="m-olga")})
    assert desk.take(organized) == [claimed()]
    purchase, _, letter = desk.take(granted())
    assert isinstance(purchase, GroupPurchase)
    assert isinstance(letter, Notice)
    assert (purchase.shop_id, purchase.seller_id) == sells
    assert (letter.says.shop_id, letter.says.seller_id) == sells
    (again,) = desk.take(withdrawn())
    assert isinstance(again, GroupPurchase)
    assert (again.shop_id, again.seller_id) == sells


#: Rice with all that can be said of it.
SOLD = Product(
    id="rice-5",
    name="rice",
    description="Polished. " * 1_000,
    url="https://leaf.example/rice",
    images=("a" * 64, "b" * 64),
    category="food",
    tags=("rice", "5 kg"),
)


@pytest.mark.parametrize(
    "message", [asked(product=SOLD), named()], ids=["the-request-s", "the-definition-s"]
)
def test_the_product_goes_through_whole_and_letters_have_as_much_as_they_show(
    message: GroupPurchaseRequested,
) -> None:
    """Also when the definition came later, and when the group is withdrawn."""
    desk = Desk()
    olga = Contact(id="olga", person_id="m-olga")
    sent = desk.take(message.model_copy(update={"organizer": olga}))
    desk.definitions["d"] = defined(product=SOLD)
    assert [*sent, *desk.pass_time(5 * SECOND)] == [claimed()]
    purchase, _, letter = desk.take(granted())
    (again,) = desk.take(withdrawn())
    assert isinstance(purchase, GroupPurchase)
    assert isinstance(again, GroupPurchase)
    assert (purchase.product, again.product) == (SOLD, SOLD)
    assert isinstance(letter, Notice)
    assert letter.says.product == SOLD.brief()


def test_the_shop_is_known_only_with_the_definition() -> None:
    """A request that waits for its definition is bound to its shop all the same."""
    desk = Desk()
    assert desk.take(named()) == []
    desk.definitions["d"] = defined(shop_id="leaf")
    assert desk.pass_time(5 * SECOND) == [claimed()]
    purchase = desk.take(granted())[0]
    assert isinstance(purchase, GroupPurchase)
    assert purchase.sources == ("leaf", "storefront", "admin")
    assert purchase.shop_id == "leaf"


def test_definition_gives_the_terms_a_request_has_not() -> None:
    """Own terms stand; all others are the definition's, the payment's field by field."""
    terms = defined(
        if_incomplete="none", payment=PaymentChoices(scope="group", methods=("invoice", "card"))
    )
    purchase = group(Desk(terms), named())
    assert purchase.product == terms.product
    assert (purchase.unit_price, purchase.currency) == (500, "JPY")
    assert (purchase.favor, purchase.if_incomplete) == (terms.favor, "none")
    assert purchase.payment == PaymentTerms(scope="group", method="invoice")
    own = GroupPurchaseRequested.model_validate_json(
        '{"request_id":"r","requested_at":"2024-03-01T00:00:00Z","definition_id":"d",'
        '"number_of_products":10,"unit_price":450,"payment":{"method":"card"}}'
    )
    purchase = group(Desk(terms), own)
    assert (purchase.unit_price, purchase.product) == (450, terms.product)
    assert purchase.payment == PaymentTerms(scope="group", method="card")


REFUSED: list[tuple[str, GroupPurchaseRequested, dict[str, str]]] = [
    ("no product", asked(product=None), {"product": "is missing"}),
    ("no number", asked(number_of_products=None), {"number_of_products": "is missing"}),
    ("none of them", asked(number_of_products=0), {"number_of_products": "at least 1"}),
    ("fewer than none", asked(number_of_products=-1), {"number_of_products": "at least 1"}),
    ("too many", asked(number_of_products=10**9 + 1), {"number_of_products": "at most 1000000000"}),
    ("thousands of digits", asked(number_of_products=10**4000), {"number_of_products": "at most"}),
    (
        "closes before it opens",
        asked(opens_at=T + 2 * DAY, closes_at=T + DAY),
        {"closes_at": "is not after opens_at"},
    ),
    (
        "closes as it opens",
        asked(opens_at=T + DAY, closes_at=T + DAY),
        {"closes_at": "is not after opens_at"},
    ),
    (
        "over before it starts",
        asked(opens_at=T - 2 * DAY, closes_at=T),
        {"closes_at": "is not after requested_at, so the period is over before it starts"},
    ),
    (
        "opens after the default close",
        asked(opens_at=T + 14 * DAY),
        {"closes_at": "is not after opens_at"},
    ),
    (
        "a year that has no 90 days after it",
        asked(closes_at=datetime.max.replace(tzinfo=UTC)),
        {"closes_at": "years 1970 to 8999"},
    ),
    (
        "requested at the end of time",
        asked(requested_at=datetime.max.replace(tzinfo=UTC)),
        {"requested_at": "years 1970 to 8999", "opens_at": "years 1970 to 8999"},
    ),
    (
        "a time before Kafka's",
        asked(opens_at=datetime.min.replace(tzinfo=UTC)),
        {"opens_at": "years 1970 to 8999"},
    ),
    ("less than no grace", asked(grace_seconds=-1), {"grace_seconds": "at least 0"}),
    ("a grace of ages", asked(grace_seconds=10**9 + 1), {"grace_seconds": "at most"}),
    ("a strange currency", asked(currency="EURO"), {"currency": "'EURO' is not a currency"}),
    ("a small currency", asked(currency="eur"), {"currency": "ISO 4217"}),
    ("a price of nothing known", asked(unit_price=5), {"currency": "is missing"}),
    ("a price below 0", priced(unit_price=-1), {"unit_price": "at least 0"}),
    (
        "a value without currency",
        asked(favor=FavorTerms(tiers=(Tier(from_value=5, gift="cup"),))),
        {"currency": "is missing"},
    ),
    (
        "the same member again",
        asked(members=(ListedMember(id="ann"), ListedMember(id="bob"), ListedMember(id="ann"))),
        {"members": "listed more than once: ann; list each once"},
    ),
    (
        "all at once",
        asked(
            product=None, number_of_products=0, closes_at=T - DAY, unit_price=1, grace_seconds=-1
        ),
        {
            "product": "is missing",
            "number_of_products": "at least 1",
            "closes_at": "is not after opens_at",
            "currency": "is missing",
            "grace_seconds": "at least 0",
        },
    ),
]
TIERS: list[tuple[str, tuple[Tier, ...], dict[str, str]]] = [
    ("from nowhere", (Tier(gift="cup"),), {"[0]": "exactly one of from_quantity, from_value"}),
    (
        "from two",
        (Tier(from_quantity=1, from_value=1, gift="cup"),),
        {"[0]": "has from_quantity and from_value", "": "mixes"},
    ),
    ("nothing off", (Tier(from_quantity=1),), {"[0]": "exactly one of percent_off, amount_off"}),
    (
        "two favors",
        (Tier(from_quantity=1, percent_off=0, gift="cup"),),
        {"[0]": "has percent_off and gift"},
    ),
    ("a gift without a name", (Tier(from_quantity=1, gift=""),), {"[0]": "has none"}),
    ("from none", (Tier(from_quantity=0, gift="cup"),), {"[0].from_quantity": "at least 1"}),
    ("from no value", (Tier(from_value=0, gift="cup"),), {"[0].from_value": "at least 1"}),
    (
        "mixed",
        (Tier(from_quantity=1, gift="cup"), Tier(from_value=5, gift="pot")),
        {"": "mixes from_quantity and from_value"},
    ),
    (
        "overlap",
        (Tier(from_quantity=5, gift="cup"), Tier(from_quantity=5, percent_off=5)),
        {"": "overlap: 2 have from_quantity 5"},
    ),
    ("-1 %", (Tier(from_quantity=1, percent_off=-1),), {"[0].percent_off": "is -1: give 0 to 100"}),
    ("101 %", (Tier(from_quantity=1, percent_off=100.01),), {"[0].percent_off": "0 to 100"}),
    ("2.125 %", (Tier(from_quantity=1, percent_off=2.125),), {"[0].percent_off": "two decimals"}),
    ("1e-9 %", (Tier(from_quantity=1, percent_off=1e-9),), {"[0].percent_off": "two decimals"}),
    ("adds", (Tier(from_quantity=1, amount_off=-1),), {"[0].amount_off": "at least 0"}),
    (
        "pays more than the price",
        (Tier(from_quantity=1, amount_off=101),),
        {"[0].amount_off": "is 101, more than the price of 100"},
    ),
    ("a price below 0", (Tier(from_quantity=1, unit_price=-1),), {"[0].unit_price": "at least 0"}),
    (
        "raises the price",
        (Tier(from_quantity=1, unit_price=101),),
        {"[0].unit_price": "is 101, more than the price of 100"},
    ),
    (
        "two tiers, two problems",
        (Tier(from_quantity=1, percent_off=101), Tier(from_quantity=0, gift="cup")),
        {"[0].percent_off": "0 to 100", "[1].from_quantity": "at least 1"},
    ),
]
REFUSED += [
    (f"tiers: {name}", priced(*tiers), {f"favor.tiers{at}": text for at, text in wanted.items()})
    for name, tiers, wanted in TIERS
]
REFUSED += [
    (
        f"{name} without a price",
        asked(currency="EUR", favor=FavorTerms(tiers=(Tier(**{"from_quantity": 1, name: 5}),))),
        {f"favor.tiers[0].{name}": "give the request's unit_price"},
    )
    for name in ("amount_off", "unit_price")
]


@pytest.mark.parametrize(
    ("message", "wanted"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_impossible_request_is_refused_with_every_problem(
    message: GroupPurchaseRequested, wanted: dict[str, str]
) -> None:
    """Exactly the fields that are wrong are named; a repeat gets the same refusal again."""
    desk = Desk()
    first = desk.take(message)
    found = problems(first)
    assert found.keys() == wanted.keys()
    for field, text in wanted.items():
        assert text in found[field]
    assert desk.take(message) == first
    assert list(desk.rows) == ["outcome"], "a refusal leaves only its answer"
    assert len(first[0].model_dump_json()) < 1_000


@pytest.mark.parametrize(
    "message",
    [
        priced(Tier(from_quantity=1, percent_off=0), Tier(from_quantity=2, percent_off=100)),
        priced(Tier(from_quantity=1, percent_off=2.35), Tier(from_quantity=2, percent_off=99.99)),
        priced(Tier(from_quantity=1, amount_off=0), Tier(from_quantity=2, amount_off=100)),
        priced(Tier(from_quantity=1, unit_price=100), Tier(from_quantity=2, unit_price=0)),
        priced(Tier(from_value=1, gift="cup"), unit_price=None),
        priced(unit_price=0),
        asked(number_of_products=10**9, grace_seconds=10**9),
        asked(number_of_products=1, opens_at=T - 9 * DAY, closes_at=T + SECOND),
        asked(opens_at=T + 14 * DAY - SECOND),
    ],
)
def test_terms_at_the_edge_of_the_possible_are_taken(message: GroupPurchaseRequested) -> None:
    assert group(Desk(), message).number_of_products == message.number_of_products


LIMITED = defined(
    limits=Limits(number_min=5, number_max=20, period_days_max=7),
    payment=PaymentChoices(scope="member", methods=("card", "shop")),
)
BEYOND: list[tuple[str, GroupPurchaseRequested, dict[str, str]]] = [
    ("too few", named(number_of_products=4), {"number_of_products": "at least 5"}),
    ("too many", named(number_of_products=21), {"number_of_products": "at most 20"}),
    (
        "too long",
        named(closes_at=T + 7 * DAY + SECOND),
        {"closes_at": "a period of at most 7 days"},
    ),
    (
        "another method",
        named(payment=PaymentTerms(method="invoice")),
        {"payment.method": "choose card or shop"},
    ),
    (
        "another scope",
        named(payment=PaymentTerms(scope="group", method="card")),
        {"payment.scope": "choose member"},
    ),
    (
        "a member's other method",
        named(members=(ListedMember(id="ann", payment=MemberPayment(method="invoice")),)),
        {"members": "choose card or shop"},
    ),
    (
        "more members than products allowed",
        named(members=tuple(ListedMember(id=f"m{n}") for n in range(21))),
        {"members": "are 21, but the definition allows 20"},
    ),
    ("another currency", named(currency="EUR"), {"currency": "is not the definition's JPY"}),
    (
        "another currency, and half of the amounts",
        named(currency="EUR", unit_price=500),
        {"currency": "is not the definition's JPY"},
    ),
    (
        "own price below what the definition takes off",
        named(definition_id="off", unit_price=10),
        {"favor.tiers[0].amount_off": "more than the price of 10"},
    ),
    (
        "all at once",
        named(number_of_products=0, payment=PaymentTerms(method="invoice"), grace_seconds=-1),
        {"number_of_products": "the definition asks", "payment.method": "", "grace_seconds": ""},
    ),
]


@pytest.mark.parametrize(
    ("message", "wanted"), [row[1:] for row in BEYOND], ids=[row[0] for row in BEYOND]
)
def test_definition_binds_what_it_limits(
    message: GroupPurchaseRequested, wanted: dict[str, str]
) -> None:
    off = defined(
        definition_id="off", favor=FavorTerms(tiers=(Tier(from_quantity=1, amount_off=20),))
    )
    found = problems(Desk(LIMITED, off).take(message))
    assert found.keys() == wanted.keys()
    for field, text in wanted.items():
        assert text in found[field]


@pytest.mark.parametrize(
    "message",
    [
        named(number_of_products=5),
        named(number_of_products=20, closes_at=T + 7 * DAY),
        named(payment=PaymentTerms(method="shop")),
        named(currency="EUR", unit_price=5, favor=FavorTerms()),
    ],
)
def test_request_at_the_limits_of_its_definition_is_taken(message: GroupPurchaseRequested) -> None:
    assert group(Desk(LIMITED), message)


def test_default_close_keeps_to_a_definition_of_fewer_days() -> None:
    assert group(Desk(LIMITED), named()).closes_at == T + 7 * DAY
    early = named(opens_at=T - 2 * DAY)
    assert group(Desk(LIMITED), early).closes_at == T + 5 * DAY
    longer = defined(limits=Limits(period_days_max=15))
    assert group(Desk(longer), early).closes_at == T + 13 * DAY
    assert group(Desk(longer), named()).closes_at == T + 14 * DAY
    huge = defined(limits=Limits(period_days_max=10**30))
    assert group(Desk(huge), named()).closes_at == T + 14 * DAY


# --- waiting for a definition --------------------------------------------------------------------


def test_definition_that_comes_within_the_minute_is_used() -> None:
    """Looked for every 5 seconds; repeats meanwhile change nothing."""
    desk = Desk()
    assert desk.take(named()) == []
    assert desk.pass_time(9 * SECOND) == []
    desk.definitions["d"] = defined()
    assert desk.take(named()) == []
    assert desk.pass_time(SECOND) == [claimed()]
    purchase = desk.take(granted())[0]
    assert isinstance(purchase, GroupPurchase)
    assert purchase.product == defined().product


def test_definition_that_never_comes_refuses_after_the_minute() -> None:
    """Other problems are named too, but not for want of what the definition would have given."""
    desk = Desk()
    tier = Tier(from_quantity=1, percent_off=100.5)
    wait = named(number_of_products=0, unit_price=5, favor=FavorTerms(tiers=(tier,)))
    assert desk.take(wait) == []
    assert desk.pass_time(59 * SECOND) == []
    refusal = desk.pass_time(SECOND)
    assert problems(refusal) == {
        "definition_id": "is not known: publish it first, or give the terms in the request",
        "number_of_products": "is 0: give at least 1",
        "favor.tiers[0].percent_off": "is 100.5: give 0 to 100 with at most two decimals",
    }
    desk.definitions["d"] = defined()
    assert desk.take(named()) == refusal, "the first answer stands"


@pytest.mark.parametrize(
    ("terms", "answer_after", "problem"),
    [
        ({"published_at": T}, 0, None),
        ({"published_at": T + 5 * SECOND}, 5, None),
        ({"published_at": T + 61 * SECOND}, 60, "is not published before"),
        ({"withdrawn_at": T + SECOND}, 0, None),
        ({"withdrawn_at": T}, 0, "was withdrawn"),
    ],
)
def test_definition_counts_from_publication_to_withdrawal(
    terms: dict[str, Any], answer_after: int, problem: str | None
) -> None:
    desk = Desk(defined(**terms))
    sent = desk.take(named())
    if answer_after:
        assert sent == []
        assert desk.pass_time((answer_after - 1) * SECOND) == []
        sent = desk.pass_time(SECOND)
    assert sent == [claimed()] if problem is None else problem in problems(sent)["definition_id"]


# --- the id --------------------------------------------------------------------------------------


def test_first_request_stands_and_is_answered_again() -> None:
    """While the id is claimed a repeat gets nothing, then always the same id."""
    desk = Desk()
    assert desk.take(asked()) == [claimed()]
    assert desk.take(asked()) == []
    desk.take(granted())
    desk.now += DAY
    assert desk.take(asked()) == [issued()]
    assert desk.take(asked(number_of_products=0)) == [issued()]
    assert desk.take(granted()) == [], "an answer that comes twice changes nothing"


def test_taken_id_leads_to_the_next_derivation() -> None:
    """Answers to an earlier claim are passed over."""
    desk = Desk()
    desk.take(asked())
    taken = [
        IdTaken(request_id="r", group_id=derive("r", attempt), attempt=attempt)
        for attempt in range(2)
    ]
    assert desk.take(taken[0]) == [claimed(1)]
    assert desk.take(taken[0]) == []
    assert desk.take(granted(0)) == []
    assert desk.take(taken[1]) == [claimed(2)]
    purchase, answer = desk.take(granted(2))
    assert isinstance(purchase, GroupPurchase)
    assert isinstance(answer, IdIssued)
    assert purchase.group_id == answer.group_id == derive("r", 2)


def test_registrar_grants_an_id_to_the_first_claim_only() -> None:
    """The same request is granted it again; another is told that it is taken."""
    rows = MemoryRows(ID)
    rule = REGISTRAR.on[IdClaimed]

    def answer(request_id: str, attempt: int) -> Sequence[Message]:
        return rule(IdClaimed(group_id=ID, request_id=request_id, attempt=attempt), rows, T)

    first = IdGranted(request_id="r", group_id=ID, attempt=3)
    assert answer("r", 3) == [first]
    assert answer("q", 0) == [IdTaken(request_id="q", group_id=ID, attempt=0)]
    assert answer("r", 3) == [first]


# --- members in parts ----------------------------------------------------------------------------

PARTS = [part(1, 3, "ann", "bob"), part(2, 3, "cy"), part(3, 3, "dee")]
IN_PARTS = asked(member_parts=3, members=(ListedMember(id="olga"),))


@settings(max_examples=60, deadline=None)
@given(st.permutations([IN_PARTS, *PARTS]), st.lists(st.integers(0, 3), max_size=3))
def test_id_is_claimed_when_request_and_all_parts_are_there(
    order: list[Message], again: list[int]
) -> None:
    """In any order and with any repeats: one claim at the last, parts before their group."""
    desk = Desk()
    sent = [desk.take(message) for message in [*order[:3], *(order[n] for n in again if n < 3)]]
    assert all(answer == [] for answer in sent)
    assert desk.take(order[3]) == [claimed()]
    assert [desk.take(message) for message in PARTS] == [[], [], []]
    *admitted, purchase, answer = desk.take(granted())
    assert admitted == [
        MembersAdmitted(
            group_id=ID,
            part=each.part,
            parts=3,
            members=tuple(member.member_of("r") for member in each.members),
        )
        for each in PARTS
    ]
    assert isinstance(purchase, GroupPurchase)
    assert (purchase.member_parts, purchase.members) == (3, (Member(id="olga"),))
    assert answer == issued()
    assert sorted(desk.rows) == ["due/shrink", "group", "outcome"], "nothing gathered is left"


def test_many_parts_are_admitted_a_few_at_a_time() -> None:
    """No call sends more than five parts; the group comes once, after the last."""
    desk = Desk()
    desk.take(asked(member_parts=11))
    for number in range(11, 0, -1):
        desk.take(part(number, 11, f"m{number}"))
    assert DESK.on[IdGranted](granted(), desk.rows, T, {}) == []
    calls = []
    while "chunk/admit" in desk.rows:
        calls.append(DESK.chunks["admit"](desk.rows, T, {}))
    parts = [[each.part for each in call if isinstance(each, MembersAdmitted)] for call in calls]
    assert parts == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11]]
    assert [type(each) for each in calls[-1]] == [MembersAdmitted, GroupPurchase, IdIssued]


# --- letters, and the addresses that they go to --------------------------------------------------


def mailed(*names: str) -> tuple[ListedMember, ...]:
    return tuple(ListedMember(id=name, email=f"{name}@x.example") for name in names)


def mailed_part(number: int, parts: int, *names: str) -> MembersListed:
    return MembersListed(request_id="r", part=number, parts=parts, members=mailed(*names))


def told(sent: Sequence[Message], desk: Desk) -> list[tuple[str, str | None, str | None]]:
    """Who is told as what at which address."""
    return [
        (each.says.party_id, each.says.role, desk.addresses.get(each.recipient_id))
        for each in sent
        if isinstance(each, Notice)
    ]


def people(sent: Sequence[Message]) -> list[tuple[str, str]]:
    """The addresses that are sent to ``people``, by person."""
    return [(each.person_id, each.email) for each in sent if isinstance(each, Person)]


OLGA = Contact(id="olga", email="olga@x.example", name="Olga", locale="ja", time_zone="Asia/Tokyo")
TOLD_OLGA = ("olga", "organizer", "olga@x.example")
TOLD_ANN, TOLD_BOB = (("ann", "member", "ann@x.example"), ("bob", "member", "bob@x.example"))

NAMED: list[tuple[str, dict[str, Any], list[tuple[str, ...]]]] = [
    ("nobody", {}, []),
    ("an organizer", {"organizer": OLGA}, [TOLD_OLGA]),
    ("one without an address", {"organizer": Contact(id="olga")}, []),
    ("members", {"members": mailed("ann", "bob")}, [TOLD_ANN, TOLD_BOB]),
    (
        "members of whom one has an address",
        {"members": (ListedMember(id="cy"), *mailed("ann"), ListedMember(id="dee", email=""))},
        [TOLD_ANN],
    ),
    ("both", {"organizer": OLGA, "members": mailed("ann")}, [TOLD_OLGA, TOLD_ANN]),
    (
        "an organizer who is a member",
        {
            "organizer": OLGA,
            "members": (*mailed("ann"), ListedMember(id="olga", email="o@x.example")),
        },
        [TOLD_OLGA, TOLD_ANN],
    ),
    (
        "an organizer whose address is in the list",
        {"organizer": Contact(id="olga"), "members": mailed("ann", "olga")},
        [TOLD_ANN, TOLD_OLGA],
    ),
    (
        "people of a shop",
        {
            "organizer": OLGA.model_copy(update={"person_id": "acme:olga"}),
            "members": (ListedMember(id="ann", person_id="acme:ann", email="ann@x.example"),),
        },
        [TOLD_OLGA, TOLD_ANN],
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("in_parts", [False, True], ids=["at-once", "in-parts"])
@pytest.mark.parametrize(("terms", "wanted"), [row[1:] for row in NAMED],
                         ids=[row[0].replace(" ", "-") for row in NAMED])  # fmt: skip
def test_who_is_named_is_told_once_when_the_id_is_issued(
    terms: dict[str, Any], wanted: list[tuple[str, ...]], in_parts: bool
) -> None:
    """In any order of parts; a repeat of the request, or of the grant, tells nobody again."""
    desk = Desk()
    if in_parts:
        listed = terms.get("members") or (ListedMember(id="zoe"),)
        request = asked(**terms | {"members": (), "member_parts": 1})
        first = desk.take(MembersListed(request_id="r", part=1, parts=1, members=listed))
    else:
        request, first = asked(**terms), []
    assert told([*first, *desk.take(request)], desk) == [], "not before the id is issued"
    sent = desk.take(granted())
    assert sorted(told(sent, desk)) == sorted(wanted)
    assert issued() in sent
    assert desk.take(request) == [issued()]
    assert desk.take(granted()) == desk.take(mailed_part(1, 1, "ann")) == []
    assert told(desk.take(withdrawn()), desk) == []


def test_who_is_named_is_told_though_the_definition_came_later() -> None:
    """The request that waited held no address, but the people that letters go to."""
    desk = Desk()
    desk.take(named(organizer=OLGA, members=mailed("ann")))
    desk.definitions["d"] = defined()
    desk.pass_time(5 * SECOND)
    assert told(desk.take(granted()), desk) == [TOLD_OLGA, TOLD_ANN]


def mark(name: str) -> str:
    """The mark of a name in the request ``r``."""
    return sha256(f"r/{name}".encode()).hexdigest()[:16]


MARKED: list[tuple[str, dict[str, Any], str | None]] = [
    ("with an address and a name", {"email": "a@x.example", "name": "Olga"}, mark("Olga")),
    ("with a person of a shop", {"person_id": "acme:a", "name": "Olga"}, mark("Olga")),
    ("without a name", {"email": "a@x.example"}, None),
    ("with an empty name", {"email": "a@x.example", "name": ""}, None),
    ("whom no letter reaches", {"name": "Olga"}, None),
]


@pytest.mark.parametrize("way", ["at once", "after its definition", "in a part"])
@pytest.mark.parametrize(
    ("who", "wanted"), [row[1:] for row in MARKED], ids=[row[0] for row in MARKED]
)
def test_terms_hold_a_mark_of_each_name_and_no_name(
    who: dict[str, Any], wanted: str | None, way: str
) -> None:
    """The desk checks that rows and facts hold no name; the id is not the first derivation."""
    desk = Desk()
    olga, ann = Contact(id="olga", **who), ListedMember(id="ann", **who)
    if way == "in a part":
        desk.take(asked(organizer=olga, member_parts=1))
        desk.take(MembersListed(request_id="r", part=1, parts=1, members=(ann,)))
    else:
        definition = {"definition_id": "d"} if way == "after its definition" else {}
        desk.take(asked(organizer=olga, members=(ann,), **definition))
        assert ("asked" in desk.rows) is bool(definition)
        desk.definitions["d"] = defined()
        desk.pass_time(5 * SECOND)
    desk.take(IdTaken(request_id="r", group_id=ID, attempt=0))
    sent = desk.take(granted(1))
    (purchase,) = [each for each in sent if isinstance(each, GroupPurchase)]
    members = [
        *purchase.members,
        *(each for part in sent if isinstance(part, MembersAdmitted) for each in part.members),
    ]
    assert purchase.organizer is not None
    assert [each.name_mark for each in (purchase.organizer, *members)] == [wanted, wanted]


@pytest.mark.slow
def test_the_longest_part_of_members_is_a_record_with_its_marks() -> None:
    """No character takes more than four bytes, and each member is named twice in the fact."""
    long_id = "\N{PEAR}" * 60
    listed = tuple(
        ListedMember(
            id=f"{n:04}{long_id}",
            email=f"{n}@x.example",
            name="Olga",
            payment=MemberPayment(method="invoice"),
        )
        for n in range(MEMBERS_PER_PART)
    )
    sizes = (len(each.model_dump_json(exclude_none=True).encode()) for each in listed)
    assert sum(sizes) <= PART_BYTES_MAX, "the storefront sends them as one part"
    desk = Desk()
    desk.take(asked(member_parts=1, number_of_products=9_000))
    desk.take(MembersListed(request_id="r", part=1, parts=1, members=listed))
    (admitted,) = (each for each in desk.take(granted()) if isinstance(each, MembersAdmitted))
    assert {each.name_mark for each in admitted.members} == {mark("Olga")}
    assert len(encode(admitted)) <= RECORD_BYTES_MAX


def test_letter_says_what_the_id_is_for() -> None:
    """The group's own terms, under the id that was granted."""
    desk = Desk()
    desk.take(priced(organizer=OLGA, members=mailed("ann")))
    desk.take(IdTaken(request_id="r", group_id=ID, attempt=0))
    group_id = derive("r", 1)
    purchase, _, *letters = desk.take(granted(1))
    says = {"group_id": group_id, "request_id": "r", "product": Product(name="tea"),
            "number_of_products": 10, "opens_at": T, "closes_at": T + 14 * DAY, "unit_price": 100,
            "currency": "EUR"}  # fmt: skip
    assert isinstance(purchase, GroupPurchase)
    olga, ann = (Party(id=each, person_id=each) for each in ("olga", "ann"))
    assert letters == [
        *notices("id-issued", olga, group_id, T, role="organizer", **says),
        *notices("id-issued", ann, group_id, T, role="member", **says),
    ]


def test_refused_request_is_told_to_nobody_by_letter() -> None:
    """The id's letter is the only one of a request; without a letter no address is needed."""
    desk = Desk()
    sent = desk.take(asked(number_of_products=0, organizer=OLGA, members=mailed("ann")))
    assert [type(each) for each in sent] == [RequestRefused]


def test_a_person_is_all_that_a_request_says_of_one_and_when_it_came() -> None:
    desk = Desk()
    desk.now = T + DAY
    person, _ = desk.take(asked(organizer=OLGA))
    assert person == Person(
        person_id="olga",
        email="olga@x.example",
        name="Olga",
        locale="ja",
        time_zone="Asia/Tokyo",
        seen_at=T + DAY,
    )


AT_X = [("ann", "ann@x.example"), ("bob", "bob@x.example")]


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        pytest.param(asked(members=mailed("ann", "bob")), AT_X, id="its id is claimed"),
        pytest.param(
            named(organizer=OLGA, members=mailed("ann", "bob")),
            [("olga", "olga@x.example"), *AT_X],
            id="its definition is awaited",
        ),
        pytest.param(
            asked(members=mailed("ann", "bob"), member_parts=1), AT_X, id="its parts are awaited"
        ),
        pytest.param(
            asked(members=(ListedMember(id="ann"), ListedMember(id="bob", email=""))),
            [],
            id="nobody has an address",
        ),
        pytest.param(
            asked(members=(ListedMember(id="ann", person_id="acme:ann"), mailed("bob")[0])),
            AT_X[1:],
            id="one is known by id",
        ),
        pytest.param(
            asked(organizer=OLGA, members=(ListedMember(id="olga", email="o@x.example"),)),
            [("olga", "olga@x.example")],
            id="the organizer is listed at another address",
        ),
        pytest.param(
            asked(
                organizer=OLGA.model_copy(update={"person_id": "acme:olga"}),
                members=(
                    ListedMember(id="ann", person_id="acme:ann", email="ann@acme.example"),
                    ListedMember(id="bob", person_id="leaf:ann", email="ann@leaf.example"),
                ),
            ),
            [
                ("acme:olga", "olga@x.example"),
                ("acme:ann", "ann@acme.example"),
                ("leaf:ann", "ann@leaf.example"),
            ],
            id="two shops have one id",
        ),
    ],
)
def test_addresses_are_sent_when_a_request_comes_and_not_when_it_is_repeated(
    request_: GroupPurchaseRequested, wanted: list[tuple[str, str]]
) -> None:
    """Nor when the request goes on later, whatever address a repeat names."""
    desk = Desk()
    assert people(desk.take(request_)) == wanted
    moved = tuple(
        member.model_copy(update={"email": "new@x.example"}) for member in request_.members
    )
    assert people(desk.take(request_.model_copy(update={"members": moved}))) == []
    desk.definitions["d"] = defined()
    assert people(desk.pass_time(5 * SECOND)) == []
    assert people(desk.take(part(1, 1, "cy"))) == []
    assert people(desk.take(granted())) == []
    assert people(desk.take(request_)) == []


def test_addresses_of_a_part_are_sent_when_it_comes_and_not_when_it_is_repeated() -> None:
    """Before the request, after it, or as the last; a part that does not fit has none sent."""
    desk = Desk()
    assert people(desk.take(mailed_part(1, 3, "ann"))) == AT_X[:1]
    assert people(desk.take(mailed_part(1, 3, "ann"))) == []
    assert people(desk.take(asked(member_parts=3))) == []
    assert people(desk.take(mailed_part(2, 3, "bob"))) == AT_X[1:]
    assert desk.take(mailed_part(3, 3, "cy"))[0] == Person(
        person_id="cy", email="cy@x.example", seen_at=T
    )
    assert people(desk.take(mailed_part(3, 3, "cy"))) == []
    assert people([*Desk().take(mailed_part(4, 3, "dee"))]) == []


@pytest.mark.parametrize("is_first", [True, False], ids=["request-first", "part-first"])
def test_an_organizer_s_address_is_the_one_given_there_not_the_one_in_a_part(
    is_first: bool,
) -> None:
    desk = Desk()
    listed = (ListedMember(id="olga", email="o@x.example"), *mailed("ann"))
    in_part = MembersListed(request_id="r", part=1, parts=1, members=listed)
    for message in (asked(organizer=OLGA, member_parts=1), in_part)[:: 1 if is_first else -1]:
        desk.take(message)
        desk.now += SECOND
    assert sorted(told(desk.take(granted()), desk)) == [TOLD_ANN, TOLD_OLGA]


@pytest.mark.parametrize(
    ("before", "last"),
    [
        pytest.param([], asked(number_of_products=0, members=mailed("ann")), id="at once"),
        pytest.param([withdrawn()], asked(members=mailed("ann")), id="withdrawn before it came"),
        pytest.param([part(1, 2, "bob")], asked(members=mailed("ann")), id="parts of another"),
        pytest.param([asked(member_parts=1)], mailed_part(1, 1, "ann", "ann"), id="by its part"),
        pytest.param([asked(member_parts=2)], mailed_part(1, 1, "ann"), id="by a part of another"),
    ],
)
def test_what_refuses_a_request_has_no_addresses_sent(before: list[Message], last: Message) -> None:
    """No letter will go there."""
    desk = Desk()
    for message in before:
        desk.take(message)
    assert problems(desk.take(last))
    assert not desk.addresses


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "named", "calls"),
    [
        ([2] * 11, 0, [10, 10, 2]),
        ([1_000, 1_000, 300], 0, [1_000, 1_000, 300]),
        ([600, 400, 1], 0, [1_000, 1]),
        ([600, 401, 599], 0, [600, 1_000]),
        ([300, 300], 400, [1_000]),
        ([300, 300], 401, [600, 401]),
        ([1_000], 1_000, [1_000, 1_000]),
        ([1_000, 1], 1_000, [1_000, 1, 1_000]),
    ],
    ids=str,
)
def test_letters_go_with_their_part_few_at_a_time(
    sizes: list[int], named: int, calls: list[int]
) -> None:
    """A thousand letters a call at most, the organizer's aside; every member gets one."""
    names = iter(f"m{n:04}" for n in range(10_000))
    desk = Desk()
    desk.take(
        asked(
            number_of_products=9_000,
            members=mailed(*(next(names) for _ in range(named))),
            member_parts=len(sizes),
            organizer=OLGA,
        )
    )
    for number, size in enumerate(sizes, 1):
        desk.take(mailed_part(number, len(sizes), *(next(names) for _ in range(size))))
    assert DESK.on[IdGranted](granted(), desk.rows, T, {}) == []
    sent = []
    while "chunk/admit" in desk.rows:
        sent.append(DESK.chunks["admit"](desk.rows, T, {}))
    letters = [[each for each in call if isinstance(each, Notice)] for call in sent]
    assert [len(call) for call in letters[:-1]] + [len(letters[-1]) - 1] == calls
    everyone = [letter.recipient_id for call in letters for letter in call]
    assert sorted(everyone) == [*(f"m{n:04}" for n in range(sum(sizes) + named)), "olga"]
    others = [each for call in sent for each in call if not isinstance(each, Notice)]
    assert [type(each) for each in others] == [
        *[MembersAdmitted] * len(sizes),
        GroupPurchase,
        IdIssued,
    ]
    admitted = others[: len(sizes)]
    assert [each.part for each in admitted if isinstance(each, MembersAdmitted)] == [
        *range(1, len(sizes) + 1)
    ]


# --- parts that do not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "field", "problem"),
    [
        (
            [asked(member_parts=2), part(1, 2, "ann", "bob"), part(2, 2, "bob", "ann")],
            "members",
            "listed more than once: ann, bob; list each once",
        ),
        (
            [part(1, 1, "ann"), asked(member_parts=1, members=(ListedMember(id="ann"),))],
            "members",
            "listed more than once: ann; list each once",
        ),
        (
            [
                part(1, 1),
                asked(member_parts=1, members=(ListedMember(id="ann"), ListedMember(id="ann"))),
            ],
            "members",
            "listed more than once: ann; list each once",
        ),
        (
            [part(1, 1, *(f"m{n:02}" for n in range(30)), "m00"), asked(member_parts=1)],
            "members",
            "listed more than once: m00; list each once",
        ),
        (
            [part(1, 3, "ann"), asked(member_parts=2)],
            "member_parts",
            "is 2, but MembersListed came with parts 3: give the same",
        ),
        (
            [part(1, 1, "ann"), asked()],
            "member_parts",
            "is 0, but MembersListed came with parts 1: give the same",
        ),
        (
            [asked(member_parts=2), part(1, 2, "ann"), part(2, 3, "bob")],
            "member_parts",
            "is 2, but part 2 of 3 came where 2 parts were expected: give the same number in all of"
            " them",
        ),
        (
            [asked(member_parts=2), part(3, 2, "ann")],
            "member_parts",
            "is 2, but part 3 of 2 came where 2 parts were expected: give the same number in all of"
            " them",
        ),
        (
            [asked(member_parts=2), part(1, 2), part(2, 2)],
            "member_parts",
            "is 2, but no part lists a member: list them, or leave member_parts out",
        ),
    ],
)
def test_parts_that_do_not_fit_refuse_the_request(
    messages: list[Message], field: str, problem: str
) -> None:
    desk = Desk()
    sent = [desk.take(message) for message in messages]
    assert problems(sent[-1]) == {field: problem}
    assert all(answer == [] for answer in sent[:-1])
    assert list(desk.rows) == ["outcome"]
    assert desk.take(part(1, 2, "zoe")) == []
    assert list(desk.rows) == ["outcome"], "a part that comes later is not kept"


def test_request_beside_parts_of_another_is_told_of_its_own_members_too() -> None:
    """Every problem is named, whatever else does not fit."""
    desk = Desk()
    desk.take(part(1, 1, "bob"))
    found = problems(desk.take(asked(members=(ListedMember(id="ann"), ListedMember(id="ann")))))
    assert found == {
        "member_parts": "is 0, but MembersListed came with parts 1: give the same",
        "members": "listed more than once: ann; list each once",
    }


def test_definition_binds_members_in_parts_too() -> None:
    desk = Desk(LIMITED)
    desk.take(part(1, 2, *(f"m{n}" for n in range(20))))
    by_invoice = ListedMember(id="ann", payment=MemberPayment(method="invoice"))
    desk.take(MembersListed(request_id="r", part=2, parts=2, members=(by_invoice,)))
    found = problems(desk.take(named(member_parts=2)))
    assert "are 21, but the definition allows 20 products" in found["members"]
    assert "pay by invoice" in found["members"]


def test_parts_that_never_come_refuse_after_a_week() -> None:
    """Seven days from the request, not from a part that came before it."""
    desk = Desk()
    desk.take(part(2, 4, "ann"))
    desk.pass_time(6 * DAY)
    desk.take(asked(member_parts=4))
    desk.take(part(3, 4, "bob"))
    assert desk.pass_time(7 * DAY - SECOND) == []
    refusal = desk.pass_time(SECOND)
    wanted = "of 4 parts these did not come within 7 days: 1, 4; ask again"
    assert problems(refusal) == {"member_parts": wanted}
    assert desk.take(part(1, 4, "cy")) == []
    assert desk.take(asked(member_parts=4)) == refusal


def test_parts_of_a_request_that_never_comes_are_dropped_after_a_week() -> None:
    desk = Desk()
    for number in range(1, 13):
        desk.take(part(number, 12, "ann", f"m{number}"))
    desk.pass_time(7 * DAY - SECOND)
    assert "part/00012" in desk.rows
    assert desk.pass_time(SECOND) == []
    assert not desk.rows


def test_missing_parts_are_named_only_as_far_as_a_record_is_small() -> None:
    desk = Desk()
    desk.take(asked(member_parts=10_000))
    problem = problems(desk.pass_time(7 * DAY))["member_parts"]
    assert "1, 2, 3" in problem
    assert "20 and more" in problem


# --- withdrawal, and the end ---------------------------------------------------------------------

TOO_EARLY = {"request_id": "withdrawn before its id was issued"}


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([], id="before the request"),
        pytest.param([asked()], id="while its id is claimed"),
        pytest.param([named()], id="while its definition is awaited"),
        pytest.param([asked(member_parts=2), part(1, 2, "ann")], id="while parts are awaited"),
    ],
)
def test_withdrawal_before_the_id_refuses(before: list[Message]) -> None:
    """Whatever comes afterwards, the request, its grant or more parts, finds it refused."""
    desk = Desk()
    for message in before:
        desk.take(message)
    refusal = desk.take(withdrawn())
    assert problems(refusal) == TOO_EARLY
    assert desk.take(asked()) == desk.take(withdrawn()) == refusal
    assert desk.take(granted()) == desk.take(part(2, 2, "bob")) == []
    assert list(desk.rows) == ["outcome"]


def test_withdrawal_after_the_id_is_told_with_the_group() -> None:
    """Once: a repeat of whatever time gets the same record again."""
    desk = Desk()
    purchase = group(desk, asked())
    taken_back = purchase.model_copy(update={"withdrawn_at": T + DAY, "version": 2})
    assert desk.take(withdrawn(T + DAY)) == [taken_back]
    assert desk.take(withdrawn(T + 2 * DAY)) == [taken_back]
    assert desk.take(asked()) == [issued()]


def test_withdrawal_at_an_impossible_time_counts_when_it_comes() -> None:
    desk = Desk()
    group(desk, asked())
    (taken_back,) = desk.take(withdrawn(datetime.max.replace(tzinfo=UTC)))
    assert isinstance(taken_back, GroupPurchase)
    assert taken_back.withdrawn_at == T


def test_refused_request_can_not_be_withdrawn() -> None:
    desk = Desk()
    refusal = desk.take(asked(number_of_products=0))
    assert desk.take(withdrawn()) == refusal


def test_ninety_days_after_the_end_only_the_answer_is_left() -> None:
    desk = Desk()
    group(desk, asked())
    end = timedelta(days=104, seconds=60)
    desk.pass_time(end - SECOND)
    assert "group" in desk.rows
    desk.pass_time(SECOND)
    assert list(desk.rows) == ["outcome"]
    assert desk.take(asked()) == [issued()]
    assert desk.take(withdrawn()) == []


def test_rows_declared_are_the_rows_there_are() -> None:
    """A dataclass that no table holds, or is missing from them, would break the worker."""
    kinds = {kind for kind in vars(rows).values() if hasattr(kind, "__dataclass_fields__")}
    assert kinds == {*DESK.rows.values(), *REGISTRAR.rows.values()}


@pytest.mark.parametrize(
    ("terms", "is_here"),
    [
        ({"payment": {"method": "invoice"}}, True),
        ({"payment": {"scope": "group", "method": "shop"}}, True),
        ({"payment": {"method": "shop"}}, None),
        ({"payment": {"method": "invoice"}, "sources": ("leaf",)}, None),
        ({"payment": {"method": "invoice"}, "members": (Member(id="ann"),)}, None),
    ],
)
def test_the_organizer_s_letter_has_the_link_to_order_where_anybody_orders_by_it(
    terms: dict[str, Any], is_here: bool | None
) -> None:
    group = GroupPurchase.model_validate(
        {
            **{"group_id": ID, "request_id": "r", "version": 1, "requested_at": T},
            **{"issued_at": T, "organizer": Party(id="olga", person_id="olga")},
            **{"product": Product(name="tea"), "number_of_products": 10},
            **{"opens_at": T, "closes_at": T + DAY, **terms},
        }
    )
    letter, *_ = to_named(group, T)
    assert letter.says.is_order_here == is_here
