"""The purchase condition management table of a group, for whoever may see it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from schemas.api.groups import PaidState, TableRow
from schemas.favors import FAVORS, Favor
from schemas.groups import GROUP_PURCHASES, GroupPurchase, MembersAdmitted
from schemas.orders import PURCHASES, PurchaseRow
from schemas.parts import Member
from schemas.people import Person
from services.storefront.access.callers import Access, Actor
from services.storefront.access.names import name_shown_to
from services.storefront.access.pseudonyms import KNOWING, shown_to
from services.storefront.commands.authority import is_contract_of
from services.storefront.readmodel.cursors import cursor as cursor_of
from services.storefront.readmodel.cursors import read_cursor
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.paid import paid_state
from services.storefront.rules.rows import Listed
from services.storefront.rules.views import table_row


async def table_shown(
    reader: Reader,
    access: Access,
    actor: Actor,
    terms: GroupPurchase,
    cursor: str | None,
    limit: int,
) -> Listed[TableRow]:
    """A page of the purchase condition management table, for whoever may see it.

    Where members are listed, nobody else can order: then the lines are the list's, in its order,
    and those who have not ordered have lines, too. Of a contract's group the winning seller sees
    every applicant's address: who is to be sold to. In other groups an actor who may not see
    people's ids gets pages by position, as a cursor would hold an id. Raises ``BadCursor``.
    """
    if terms.members or terms.member_parts:
        return await _of_list(reader, access, actor, terms, cursor, limit)
    ask = reader.members if actor.kind in KNOWING else reader.members_by_place
    page = await ask(terms.group_id, cursor=cursor, limit=limit)
    people = await reader.people(row.person_id for row, _ in page.rows)
    paid = await _paid(reader, terms, {row.member_id: row.quantity for row, _ in page.rows})
    rows = []
    for row, favor in page.rows:
        person = people.get(row.person_id or "")
        name = name_shown_to(actor, terms.request_id, row.name_mark, person)
        shown_id = shown_to(actor, access, terms.group_id, row.member_id)
        line = table_row(row, favor, name=name, payment=paid.get(row.member_id))
        rows.append(line.model_copy(update={"member_id": shown_id}))
    return Listed(rows, page.cursor)


async def listed_parts(reader: Reader, terms: GroupPurchase) -> AsyncIterator[Sequence[Member]]:
    """The listed members, part by part."""
    for part in range(1, max(terms.member_parts, 1) + 1):
        yield await _part(reader, terms, part)


async def _of_list(
    reader: Reader,
    access: Access,
    actor: Actor,
    terms: GroupPurchase,
    cursor: str | None,
    limit: int,
) -> Listed[TableRow]:
    """The listed members in the order they are listed in, part by part."""
    part, done = read_cursor(cursor, "listed", [int, int]) if cursor else (1, 0)
    members = await _part(reader, terms, part)
    page = members[max(done, 0) :][:limit]
    rows = await _rows_of(reader, access, actor, terms, page)
    done = max(done, 0) + len(page)
    if done >= len(members):
        part, done = part + 1, 0
    is_last = part > max(terms.member_parts, 1)
    return Listed(rows, None if is_last else cursor_of("listed", [part, done]))


async def _part(reader: Reader, terms: GroupPurchase, part: int) -> Sequence[Member]:
    if not terms.member_parts:
        return terms.members if part == 1 else ()
    found = await reader.fact(GROUP_PURCHASES.name, f"{terms.group_id}/members/{part}")
    return found.members if isinstance(found, MembersAdmitted) else ()


async def _rows_of(
    reader: Reader,
    access: Access,
    actor: Actor,
    terms: GroupPurchase,
    members: Sequence[Member],
) -> list[TableRow]:
    """The lines of listed members, those who have not ordered too."""
    keys = {member.id: f"{terms.group_id}/member/{member.id}" for member in members}
    purchases = await reader.facts_of(PURCHASES.name, list(keys.values()))
    favors = await reader.facts_of(FAVORS.name, list(keys.values()))
    people = await reader.people(member.person_id for member in members)
    counted = {
        member.id: row.quantity
        for member in members
        if isinstance(row := purchases.get(keys[member.id]), PurchaseRow)
    }
    paid = await _paid(reader, terms, counted, members)
    rows = []
    for member in members:
        row, favor = purchases.get(keys[member.id]), favors.get(keys[member.id])
        shown = _shown(actor, terms, member, people.get(member.person_id or ""))
        shown["payment"] = paid.get(member.id)
        if isinstance(row, PurchaseRow):
            line = table_row(row, favor if isinstance(favor, Favor) else None, **shown)
        else:
            line = _without_orders(member.id, terms.currency, **shown)
        shown_id = shown_to(actor, access, terms.group_id, member.id)
        rows.append(line.model_copy(update={"member_id": shown_id}))
    return rows


def _shown(
    actor: Actor, terms: GroupPurchase, member: Member, person: Person | None
) -> dict[str, Any]:
    """What an actor sees of a listed member beside the orders."""
    name = name_shown_to(actor, terms.request_id, member.name_mark, person)
    if not (actor.kind == "seller" and is_contract_of(terms, actor.id)):
        return {"name": name}
    return {
        "name": name,
        "email": person.email if person else None,
        "reserved": member.reserved,
    }


async def _paid(
    reader: Reader,
    terms: GroupPurchase,
    quantities: Mapping[str, int],
    listed: Sequence[Member] = (),
) -> dict[str, PaidState]:
    """Whether the orders of these members, with so many units that count, are paid.

    Empty where the organizer pays for all. Members may be ``listed`` with their own ways to pay.
    """
    if terms.payment.scope == "group":
        return {}
    own = {each.id: each.payment.method for each in listed if each.payment}
    payments = await reader.payments_of_all(terms.group_id, quantities)
    return {
        member_id: paid_state(
            found,
            counts_once_paid=quantities[member_id] > 0
            and own.get(member_id, terms.payment.method) == "shop",
        )
        for member_id, found in payments.items()
    }


def _without_orders(member_id: str, currency: str | None, **shown: Any) -> TableRow:
    return TableRow(
        member_id=member_id,
        quantity=0,
        value=0,
        currency=currency,
        first_ordered_at=None,
        last_ordered_at=None,
        favor_amount=None,
        gift=None,
        **{"name": None, "email": None, "reserved": None} | shown,
    )
