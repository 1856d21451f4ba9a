"""The facts of a letter, written for its recipient; every language has the same.

``values`` gives the values that sentences may name. ``rows`` picks those that stand below the
sentences, by kind. A value that the notice lacks is None: its row and sentences are left out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from domain.letters import is_about_auction
from domain.money import CURRENCIES
from domain.sources import STOREFRONT
from domain.unverified import without_links
from schemas.auctions import Seller
from schemas.letters import OPTIONAL_KINDS, Notice, Says
from schemas.orders import WORDS_MAX
from schemas.parts import SUM_MAX, Problem
from schemas.reasons import OfferReason, PaymentFailure, ReturnRefusal
from schemas.refusals import ProblemCode
from schemas.shops import Shop
from services.notifier.rules import businesses, labels, steps
from services.notifier.rules.headers import ID_MAX, NAME_MAX, clean
from services.notifier.rules.headers import unverified as _unverified
from services.notifier.rules.labels import Room
from services.notifier.rules.steps import Writes
from texts.catalogue import paragraph, texts
from texts.facts import APPLICATIONS, PAYMENTS
from texts.reasons import (
    FIELD_AND_PROBLEM,
    OFFERS_AND_WITHDRAWALS,
    ORDERS_AND_RETURNS,
    Writing,
    explained,
    field_name,
    told,
)

#: Longest texts of others in a letter, in characters.
TEXT_MAX = 500
SHORT_MAX = 80

#: Refusals that no other offer in the same auction can avoid.
_FINAL_REASONS = frozenset(
    {OfferReason.AFTER_TERM, OfferReason.AUCTION_WITHDRAWN, OfferReason.AUCTION_EXISTS}
)
#: Texts of reasons, by the kind of letter.
_REASONS: Mapping[str, Mapping[str, str]] = {
    "order-refused": ORDERS_AND_RETURNS,
    "offer-judged": OFFERS_AND_WITHDRAWALS,
    "application-refused": APPLICATIONS,
    "payment-failed": PAYMENTS,
}

#: By kind: the large rows, and those below; ``label=value`` where their names differ.
_ROWS: dict[str, tuple[str, str]] = {
    "id-issued": ("group_id goal=number", "product price opens deadline sold_by=seller delivery"),
    "confirm-order": (
        "quantity confirm_by",
        "product value group_id order sold_by=seller",
    ),
    "order-waits": (
        "value deadline",
        "product quantity group_id order sold_by=seller contact method",
    ),
    "order-counted": (
        "quantity progress",
        "product value group_id buyer_number deadline order source",
    ),
    "order-refused": ("", "product quantity_refused=quantity order source contact group_id"),
    "group-message": ("", "product group_id sold_by=seller"),
    "links-again": ("", ""),
    "data-link": ("", ""),
    "favor-given": (
        "favor=off favor_percent=percent",
        "gift product quantity value group_id buyer_number sold_by=seller delivery contact",
    ),
    "payment-done": (
        "code",
        "product number=number_of_paper amount method group_id=about payment sold_by=seller",
    ),
    "payment-failed": ("", "amount method group_id=about payment sold_by=seller contact"),
    "confirm-application": (
        "quantity shown_price",
        "product own_sum shown_minimum deadline sold_by=seller",
    ),
    "application-refused": ("", "product quantity_refused=quantity quantity_max"),
    "right-intercepted": (
        "new_price=price own_price=before_price",
        "product new_minimum=minimum own_minimum=before_minimum reservations applicants step"
        " deadline",
    ),
    "contract-concluded": (
        "shown_price reservations",
        "product shown_minimum applicants quantity own_sum contract_sum on sold_by=seller contact"
        " delivery",
    ),
    "contract-failed": (
        "reservations shown_minimum",
        "product shown_price applicants quantity on",
    ),
    "condition-improved": (
        "shown_price before_price",
        "product quantity own_sum shown_minimum before_minimum reservations applicants deadline"
        " sold_by=seller delivery contact",
    ),
    "invitation": (
        "shown_price reservations",
        "product shown_minimum applicants step deadline",
    ),
    "offer-judged": (
        "",
        "product own_price=price own_minimum=minimum"
        " shown_price_now=shown_price shown_minimum_now=shown_minimum deadline",
    ),
    "seller-standing": ("", ""),
    "deadline-reminder": ("progress group_id", "product price deadline sold_by=seller contact"),
}


class Row(NamedTuple):
    """A label and a value."""

    label: str
    value: str


def room_of(notice: Notice) -> Room:
    """Whether a letter is about a group purchase or an auction."""
    return "auctions" if is_about_auction(notice.kind) else "groups"


def is_open(notice: Notice) -> bool:
    """Whether the deadline in the letter is still to come."""
    closes_at = notice.says.closes_at
    return closes_at is not None and notice.at < closes_at


def takes_orders_by_link(notice: Notice) -> bool:
    """Whether the letter brings the organizer the link by which anybody orders on our pages."""
    says = notice.says
    return notice.kind == "id-issued" and says.role == "organizer" and says.is_order_here is True


def can_counter(notice: Notice) -> bool:
    """Whether the letter calls its seller to outbid the condition shown."""
    if notice.kind == "offer-judged":
        has_another_chance = notice.says.verdict == "not-better"
        return has_another_chance and is_open(notice)
    return notice.kind in ("invitation", "right-intercepted") and is_open(notice)


def values(
    notice: Notice,
    name: str,
    writes: Writes,
    of: Shop | Seller | None = None,
    buyer_number: str = "",
) -> dict[str, Any]:
    """The values that sentences of a letter may name, written for its recipient of that name.

    The name is one that may be greeted, the blank for one, or empty. ``of`` is who sells. The
    ``buyer_number`` is the recipient's in the organizer's list, the blank for it, or empty.
    """
    says, language = notice.says, writes.language
    room = room_of(notice)
    return {
        "name": clean(name, NAME_MAX) or None,
        "buyer_number": buyer_number or None,
        **_of_what(notice, language),
        **_of_seller(notice, of, language),
        **_amounts(says, writes),
        **_steps(says, writes),
        **_counts(says, writes),
        **_times(notice, writes),
        **_codes(notice, writes),
        "kind": notice.kind,
        "optional": notice.kind in OPTIONAL_KINDS,
        "kind_name": texts(language).gettext(labels.KINDS[notice.kind]),
        "room": room,
        "is_other_seller": _is_other_seller(notice.says),
        "is_order_here": takes_orders_by_link(notice),
        "before_quantity": _replaced(notice.says, writes),
    }


def _is_other_seller(says: Says) -> bool:
    """Whether better terms are another seller's than those before."""
    if says.before is None or says.shown is None:
        return False
    return says.before.seller_id != says.shown.seller_id


def _replaced(says: Says, writes: Writes) -> str | None:
    """The units of the earlier reservation that this one replaces."""
    number = says.replaced_quantity
    return (number and labels.units(number, writes.number(number), writes.language)) or None


def rows(notice: Notice, known: Mapping[str, Any], language: str) -> tuple[list[Row], list[Row]]:
    """The large rows, and those below; ``known`` are the letter's ``values``."""
    large, small = _ROWS[notice.kind]
    left_out = _left_out(notice, known)
    names = _other_labels(notice, known)

    def picked(labelled: str) -> Iterator[Row]:
        for each in labelled.split():
            label, _, key = each.partition("=")
            value = known[key or label]
            if value is not None and label not in left_out:
                name = labels.LABELS[names.get(label, label)]
                yield Row(texts(language).gettext(name), value)

    return list(picked(large)), list(picked(small))


def _left_out(notice: Notice, known: Mapping[str, Any]) -> frozenset[str]:
    """Labels of rows that would repeat another row, or mislead."""
    left_out: set[str] = set()
    if not known["is_cheaper"]:
        left_out.add("before_price")
    if known["shown_minimum"] == known["before_minimum"]:
        left_out.add("before_minimum")
    if known["verdict"] == "shown":
        left_out |= {"shown_price_now", "shown_minimum_now"}
    if known["code"]:
        left_out.add("method")  # a code is no way to pay
    if known["number_of_paper"]:
        left_out |= {"payment", "method"}  # the paper's number is the one that people need
    if known["is_cancelled"]:
        left_out.add("favor_percent")
    if notice.kind == "favor-given" and not known["gift"]:
        left_out |= {"contact", "delivery"}  # the goods have been ordered long since
    return frozenset(left_out)


def _other_labels(notice: Notice, known: Mapping[str, Any]) -> Mapping[str, str]:
    """Labels of rows that have another name in this letter."""
    names: dict[str, str] = {}
    if known["is_return"]:
        names["order"] = "return"
    if known["is_cancelled"]:
        names["favor"] = "amount"
    if notice.says.closes_at is not None and not known["is_open"]:
        names["deadline"] = "closed"
    if known["is_sold_by_known"]:
        names["source"] = "sold_by"
    return names


def _of_what(notice: Notice, language: str) -> dict[str, Any]:
    says = notice.says
    product = says.product
    called = ""
    if product:
        said = (product.name, product.id or "", notice.about)
        called = next(filter(None, map(_unverified, said)), "…")
    return {
        # Payments name no product, and neither does an order whose group is unknown.
        "product": called or None,
        "product_short": clean(called, SHORT_MAX) or None,
        "about": _id(notice.about),
        "group_id": says.group_id and _id(says.group_id),
        "order": says.order_id and _id(says.order_id),
        # Our own pages have no name that buyers know.
        "source": (says.source and says.source != STOREFRONT and _id(says.source)) or None,
        "payment": says.payment_id and _id(says.payment_id),
        "number_of_paper": says.billed and _id(says.billed.payment.number or ""),
        "code": says.code and _id(says.code),
        "gift": (says.gift and _unverified(says.gift)) or None,
        "method": says.method and texts(language).gettext(labels.METHODS[says.method]),
    }


def _of_seller(notice: Notice, of: Shop | Seller | None, language: str) -> dict[str, Any]:
    """Who sells, and how to reach them; a source of orders has the seller's name if it is known."""
    says = notice.says
    if of is None:
        seller = (says.seller_name and _unverified(says.seller_name)) or None
        nothing = dict.fromkeys(("contact", "delivery"))
        return {**nothing, "seller": seller, "is_sold_by_known": False, "is_order_link": False}
    name = businesses.name_of(of)
    ways = (businesses.email_of(of), businesses.phone_of(of))
    between = texts(language).pgettext("between two ways to reach somebody", ", ")
    return {
        "seller": name,
        **({"source": name} if says.source else {}),
        "contact": between.join(filter(None, ways)) or None,
        "delivery": (of.delivery and without_links(clean(of.delivery, TEXT_MAX))) or None,
        "is_sold_by_known": True,
        "is_order_link": businesses.order_link(notice, of) is not None,
    }


def _amounts(says: Says, writes: Writes) -> dict[str, Any]:
    currency = clean(says.currency or "", 16)

    def money(amount: int | None) -> str | None:
        return None if amount is None or amount > SUM_MAX else writes.money(amount, currency)

    shown = says.shown.unit_price if says.shown else None
    before = says.before.unit_price if says.before else None
    return {
        "price": money(says.unit_price),
        "value": money(says.value),
        "amount": money(says.amount),
        "off": money(says.amount or None),
        "percent": writes.percent(says.percent) if says.percent else None,
        "step": money(says.minimum_step),
        "shown_price": money(shown),
        "before_price": money(before),
        "is_cheaper": shown is not None and before is not None and shown < before,
        "own_sum": money(_product(shown, says.quantity)),
        "contract_sum": money(_product(shown, says.reservations))
        if says.role == "winner"
        else None,
    }


def _steps(says: Says, writes: Writes) -> dict[str, str | None]:
    """The step of the discount that holds, and the next one with its start, in words."""
    currency = clean(says.currency or "", 16)
    held = steps.tier(says.tier, writes, currency)[0] if says.tier else None
    following = steps.tier(says.next_tier, writes, currency) if says.next_tier else (None, None)
    return {"tier": held, "next_tier": following[0], "next_start": following[1]}


def _product(price: int | None, number: int | None) -> int | None:
    return None if price is None or number is None else price * number


def _counts(says: Says, writes: Writes) -> dict[str, Any]:
    language = writes.language

    def units(number: int | None) -> str | None:
        return None if number is None else labels.units(number, writes.number(number), language)

    goal, total = says.number_of_products, says.total_quantity
    minimum = says.shown.minimum_reservations if says.shown else None
    applicants = says.applicants
    progress = None
    if goal is not None and total is not None:
        is_reached = total >= goal
        counted, aim = writes.number(total), writes.number(goal)
        if is_reached:
            counted = labels.units(total, counted, language)
        else:
            aim = labels.units(goal, aim, language)
        progress = labels.progress(counted, aim, language, is_reached=is_reached)
    return {
        "quantity": units(says.quantity),
        "quantity_max": units(says.quantity_max),
        "number": units(goal),
        "total": units(total),
        "progress": progress,
        "missing": units(_missing(total, goal) or _missing(says.reservations, minimum)),
        "minimum": units(says.minimum_reservations),
        "shown_minimum": units(minimum),
        "before_minimum": units(says.before.minimum_reservations) if says.before else None,
        "reservations": units(says.reservations),
        "applicants": None
        if applicants is None
        else labels.buyers(applicants, writes.number(applicants), language),
        "has_reservations": bool(says.reservations),
        "has_units": says.quantity != 0,
    }


def _missing(number: int | None, goal: int | None) -> int | None:
    return goal - number if number is not None and goal is not None and number < goal else None


def _times(notice: Notice, writes: Writes) -> dict[str, Any]:
    opens_at, closes_at = notice.says.opens_at, notice.says.closes_at
    return {
        "on": writes.day(notice.at),
        "opens": opens_at and writes.full(opens_at),
        "opens_short": opens_at and writes.minute(opens_at),
        "deadline": closes_at and writes.full(closes_at),
        "deadline_short": closes_at and writes.minute(closes_at),
        "confirm_by": notice.says.confirm_by and writes.full(notice.says.confirm_by),
        "confirm_by_short": notice.says.confirm_by and writes.minute(notice.says.confirm_by),
        "is_open": is_open(notice),
    }


def _writing(writes: Writes) -> Writing:
    """How the recipient reads texts of reasons."""

    def number(number: int | float) -> str:
        return writes.number(number) if isinstance(number, int) else str(number)

    return Writing(writes.language, number, writes.full)


def _codes(notice: Notice, writes: Writes) -> dict[str, Any]:
    """The values by which templates choose sentences, and the reason in words."""
    says = notice.says
    is_withdrawal = notice.kind == "offer-judged" and says.offer_id is None
    code = clean(says.reason or "", TEXT_MAX)
    reason = None
    if says.reason is not None:
        writing = _writing(writes)
        reason = explained(_REASONS.get(notice.kind, {}), code or "?", writing)
        sentences = [reason, *(_problem(each, says, writes) for each in says.problems)]
        reason = paragraph(sentences, writes.language)
    return {
        "role": says.role,
        "basis": says.basis,
        "verdict": says.verdict,
        "standing": says.standing,
        "payment_kind": says.payment_kind,
        "is_card": says.method == "card",
        "is_by_shop": says.method == "shop",
        "is_of_buyer": says.role == "organizer",
        "payment_scope": says.payment_scope,
        "is_covered": says.billed is not None and not says.billed.still_open,
        "is_cancelled": bool(says.is_cancelled),
        "is_reversed": says.reason == PaymentFailure.DISPUTE_LOST,
        "reason": reason,
        "is_return": notice.kind == "order-refused" and says.reason == ReturnRefusal.EXCEEDS_ORDERS,
        "can_reserve": bool(says.quantity_max),
        "is_nothing": not says.amount and not says.gift,
        "is_withdrawal": is_withdrawal,
        "can_counter": can_counter(notice),
        "can_retry": is_open(notice)
        and says.verdict == "refused"
        and not is_withdrawal
        and says.reason not in _FINAL_REASONS,
    }


def _problem(problem: Problem, says: Says, writes: Writes) -> str:
    """What is wrong with a field, as a sentence."""
    writing = _writing(writes)
    name = clean(field_name(problem.field, writing), ID_MAX)
    said = told(_in_money(problem, says, writes), writing, lambda text: clean(text, TEXT_MAX))
    return writing.sentence(writing.text(FIELD_AND_PROBLEM, {"field": name, "problem": said}))


def _in_money(problem: Problem, says: Says, writes: Writes) -> Problem:
    """A problem with a range of minor units, with the range as people write money."""
    params = problem.params or {}
    amounts = {key: value for key, value in params.items() if isinstance(value, int)}
    if problem.code != ProblemCode.OUT_OF_MONEY_RANGE or says.currency not in CURRENCIES:
        return problem
    if amounts.keys() != params.keys():
        return problem
    written = {key: writes.money(amount, says.currency) for key, amount in amounts.items()}
    return problem.model_copy(update={"code": ProblemCode.OUT_OF_RANGE, "params": written})


def words(notice: Notice) -> list[str]:
    """The lines of an organizer's words, without links."""
    lines = (notice.says.words or "").splitlines()
    return [without_links(clean(line, WORDS_MAX)) for line in lines]


def _id(text: str) -> str:
    return clean(text, ID_MAX) or "…"
