"""The paper of a payment, for one reader."""

from typing import Protocol

from schemas.groups import GroupPurchase
from schemas.orders import PURCHASES, PurchaseRow
from schemas.parts import Person
from schemas.payments import Payment
from schemas.refusals import RefusalCode
from services.storefront.access.callers import Access
from services.storefront.access.pseudonyms import pseudonym
from services.storefront.papers.issuer import Issuer
from services.storefront.papers.papers import Paper, paper_of
from services.storefront.problems import Overtaken, Unknown
from services.storefront.readmodel.reader import Reader
from services.storefront.rules.bills import bill_of, has_paper
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
    payment: Payment,
    group: GroupPurchase,
    language: str | None,
    *,
    with_address: bool,
) -> Paper:
    """The paper of an invoice or credit note, in the payer's language unless one is asked for.

    ``with_address`` is for the payer and the admin: a shop is not told of payers' addresses here.
    Raises ``Unknown`` for a payment without a paper, ``Overtaken`` where nobody issues invoices.
    """
    if not has_paper(payment):
        raise Unknown(RefusalCode.NO_DOCUMENT, kind=payment.kind)
    if means.issuer is None:
        raise Overtaken(RefusalCode.NO_ISSUER)
    payer = await _payer(means.reader, payment, group)
    if language is None:
        language = language_of(payer.locale or "")
    if not with_address:
        payer = payer.model_copy(update={"email": None})
    payments = await means.reader.payments_of(group.group_id, payment.member_id or "")
    # A document shows every reader the same payer and organizer.
    payer = payer.model_copy(update={"id": pseudonym(means.access, group.group_id, payer.id)})
    return paper_of(bill_of(payment, group, payer, payments), means.issuer, language)


async def _payer(reader: Reader, payment: Payment, group: GroupPurchase) -> Person:
    """The payer as listed, else as the orders say."""
    if payment.member_id is None:
        return group.organizer or Person(id="organizer")
    listed = next((each for each in group.members if each.id == payment.member_id), None)
    if listed is not None and listed.email:
        return listed
    row = await reader.fact(PURCHASES.name, f"{group.group_id}/member/{payment.member_id}")
    if isinstance(row, PurchaseRow) and row.member is not None:
        return row.member
    return listed or Person(id=payment.member_id)
