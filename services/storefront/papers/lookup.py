"""The paper of a payment, for one reader."""

from typing import Protocol

from domain.invoices import open_of
from papers.bills import Payer, bill_of, has_paper
from papers.issuer import Issuer
from papers.paper import Paper, paper_of
from runtime.links import mark_of_holder
from schemas.groups import GroupPurchase
from schemas.orders import PURCHASES, PurchaseRow
from schemas.parts import Party
from schemas.payments import Payment
from schemas.people import Person
from schemas.refusals import RefusalCode
from services.storefront.access.callers import Access, Actor
from services.storefront.access.names import name_shown_to
from services.storefront.access.pseudonyms import pseudonym
from services.storefront.problems import Overtaken, Unknown
from services.storefront.readmodel.reader import Reader
from texts.catalogue import language_of


class Means(Protocol):
    """The parts that papers are made with."""

    @property
    def reader(self) -> Reader:
        """Where facts are."""

    @property
    def access(self) -> Access:
        """The maker of pseudonyms."""

    @property
    def issuer(self) -> Issuer | None:
        """The issuer, if the deployment has one."""


async def paper_shown(
    means: Means,
    actor: Actor,
    payment: Payment,
    group: GroupPurchase,
    language: str | None,
    *,
    with_address: bool,
) -> Paper:
    """The paper of an invoice or credit note, in the payer's language unless one is asked for.

    ``with_address`` is for the payer and the admin: a shop is not told of payers' addresses here.
    The payer too sees only a name that was given in the group, as whoever typed an address may
    hold a link to its payments.
    Someone else who ordered under the payer's id sees the id alone.
    Raises ``Unknown`` for a payment without a paper, ``Overtaken`` where nobody issues invoices.
    """
    if not has_paper(payment):
        raise Unknown(RefusalCode.NO_DOCUMENT, kind=payment.kind)
    if means.issuer is None:
        raise Overtaken(RefusalCode.NO_ISSUER)
    party = await _payer(means.reader, payment, group)
    person = await _person(means.reader, party)
    if language is None:
        language = language_of((person and person.locale) or "")
    payments = await means.reader.payments_of(group.group_id, payment.member_id or "")
    still_open = open_of(payment, payments)
    is_holder = actor.holder in ("", mark_of_holder(party.person_id or ""))
    is_named = is_holder and not actor.is_anothers
    payer = Payer(
        # A document shows every reader the same payer and organizer.
        id=pseudonym(means.access, group.group_id, party.id),
        name=name_shown_to(actor, group.request_id, party.name_mark, person) if is_named else None,
        email=person.email if person and is_named and with_address else None,
    )
    return paper_of(bill_of(payment, group.product, payer, still_open), means.issuer, language)


async def _payer(reader: Reader, payment: Payment, group: GroupPurchase) -> Party:
    """The payer as listed, else as the orders say."""
    if payment.member_id is None:
        return group.organizer or Party(id="organizer")
    listed = next((each for each in group.members if each.id == payment.member_id), None)
    if listed is not None and listed.person_id is not None:
        return listed
    row = await reader.fact(PURCHASES.name, f"{group.group_id}/member/{payment.member_id}")
    if not isinstance(row, PurchaseRow):
        return Party(id=payment.member_id)
    return Party(id=payment.member_id, person_id=row.person_id, name_mark=row.name_mark)


async def _person(reader: Reader, party: Party) -> Person | None:
    """The party's address and name; ``None`` if there is none, or it was erased."""
    if party.person_id is None:
        return None
    return (await reader.people([party.person_id])).get(party.person_id)
