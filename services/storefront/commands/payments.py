"""Commands of payments: who may see one, and what is said of it from outside."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from domain.invoices import sums_of
from schemas.api.payments import OutcomeGiven, ReceivedGiven
from schemas.groups import GroupPurchase
from schemas.parts import SUM_MAX, Message
from schemas.payments import PAYMENT_REPORTS, PAYMENTS, Payment, PaymentReported, PaymentRetried
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.authority import Authority, demand
from services.storefront.commands.letter_counts import LetterCounts, recipient_of
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.commands.tasks import Tasks
from services.storefront.problems import Impossible, NotAllowed, Unknown
from services.storefront.readmodel.details import known_group
from services.storefront.readmodel.reader import Reader
from texts.reasons import problem


@dataclass(frozen=True, slots=True)
class Reported:
    """A payment after a report: ``counted``, or ``recorded`` if that takes longer."""

    payment: Payment
    state: Literal["counted", "recorded"]


class PaymentCommands:
    """Payments. Each raises a ``Refusal`` if it can't be done."""

    def __init__(
        self,
        reader: Reader,
        outcomes: Outcomes,
        letters: LetterCounts,
        authority: Authority,
        tasks: Tasks,
    ) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._letters = letters
        self._authority = authority
        self._tasks = tasks

    async def one(self, actor: Actor, id_or_number: str) -> tuple[Payment, GroupPurchase]:
        """A payment by its id or its paper's number, for its payer or whoever runs its group."""
        demand(actor, "payer", "member", "organizer", "shop", "seller", "admin")
        payment = await self._payment(id_or_number)
        group = await known_group(self._reader, payment.group_id)
        if is_of_payer(actor, payment, group):
            return payment, group
        if actor.kind == "organizer" or not await self._authority.runs(actor, group):
            raise NotAllowed(RefusalCode.PAYMENT_OF_OTHER)
        return payment, group

    async def _payment(self, id_or_number: str) -> Payment:
        found = await self._reader.payment(id_or_number)
        if found is None:
            raise Unknown(RefusalCode.NO_PAYMENT, id=id_or_number)
        return found

    async def of_payer(self, actor: Actor) -> tuple[GroupPurchase, list[Payment]]:
        """A payer's own payments in the group of a link, the oldest first."""
        demand(actor, "payer", "member", "organizer")
        group = await known_group(self._reader, actor.about)
        organizer_id = group.organizer.id if group.organizer else None
        found = [] if not actor.id else await self._reader.payments_of(group.group_id, actor.id)
        if actor.id and actor.id == organizer_id:
            found = [*await self._reader.payments_of(group.group_id, ""), *found]
        return group, [each for each in found if is_of_payer(actor, each, group)]

    async def receive(
        self, actor: Actor, id_or_number: str, given: ReceivedGiven, seed: str | None = None
    ) -> Reported:
        """Say that money came for an invoice: the same reference, or else seed, counts once.

        Closes the task of a transfer with this reference if all of its money is counted.
        """
        reported = await self._receive(actor, id_or_number, given, seed)
        if given.reference is not None:
            await self._tasks.close_transfer(given.reference, given.amount, reported.payment)
        return reported

    async def _receive(
        self, actor: Actor, id_or_number: str, given: ReceivedGiven, seed: str | None
    ) -> Reported:
        demand(actor, "admin")
        payment = await self._payment(id_or_number)
        problems = []
        if payment.kind != "invoice":
            code = ProblemCode.OTHER_KIND_OF_PAYMENT
            problems.append(problem("payment_id", code, kind=payment.kind))
        if given.currency != payment.currency:
            code = ProblemCode.NOT_INVOICES_CURRENCY
            problems.append(problem("currency", code, currency=payment.currency))
        mark = given.reference if given.reference is not None else f"\0{seed}"
        report_id = f"received-{sha256(f'{payment.payment_id}{mark}'.encode()).hexdigest()[:40]}"
        if not problems and _has(payment, report_id):
            return Reported(payment, "counted")
        others = await self._reader.payments_of(payment.group_id, payment.member_id or "")
        received = sums_of(others).received
        if received + given.amount > SUM_MAX:
            code, amount = ProblemCode.TOO_MUCH_RECEIVED, received + given.amount
            problems.append(problem("amount", code, amount=amount, most=SUM_MAX))
        if problems:
            raise Impossible(RefusalCode.RECEIPT_REFUSED, problems)
        report = PaymentReported(
            report_id=report_id,
            group_id=payment.group_id,
            payment_id=payment.payment_id,
            status="succeeded",
            provider_reference=given.reference,
            amount=given.amount,
            at=given.received_at or now(),
        )
        counted = await self._outcomes.ask(
            PAYMENT_REPORTS,
            report,
            answers=(PAYMENTS, payment.key),
            when=lambda fact: _has(fact, report_id),
        )
        if isinstance(counted, Payment):
            return Reported(counted, "counted")
        return Reported(payment, "recorded")

    async def retry(self, actor: Actor, id_or_number: str) -> Reported:
        """Have a payment that failed tried again: its payer, or whoever runs its group."""
        payment, group = await self.one(actor, id_or_number)
        if payment.status != "failed":
            wrong = problem("payment_id", ProblemCode.NOT_FAILED, status=payment.status)
            raise Impossible(RefusalCode.RETRY_REFUSED, [wrong])
        # If the payment fails again, its payer and the organizer get a letter again.
        organizer = group.organizer.id if group.organizer else None
        people = dict.fromkeys(each for each in (payment.member_id, organizer) if each)
        await self._letters.count(actor, [recipient_of(group.group_id, each) for each in people])
        wish = PaymentRetried(group_id=payment.group_id, payment_id=payment.payment_id, at=now())
        return await self._said_of(payment, wish)

    async def say_outcome(
        self, actor: Actor, id_or_number: str, given: OutcomeGiven, seed: str | None = None
    ) -> Reported:
        """Say what became of a payment that people make: by a shop, or back for an invoice."""
        demand(actor, "shop", "seller", "admin")
        payment, _ = await self.one(actor, id_or_number)
        if not is_made_by_people(payment):
            code = ProblemCode.PAYMENT_WITHOUT_PEOPLE
            wrong = problem("payment_id", code, method=payment.method)
            raise Impossible(RefusalCode.OUTCOME_REFUSED, [wrong])
        if payment.status == given.state:
            return Reported(payment, "counted")
        said = f"{payment.payment_id}\0{given.state}\0{payment.version}\0{seed or ''}"
        report = PaymentReported(
            report_id=f"outcome-{sha256(said.encode()).hexdigest()[:40]}",
            group_id=payment.group_id,
            payment_id=payment.payment_id,
            status=given.state,
            provider_reference=given.reference,
            reason=given.reason,
            at=now(),
        )
        return await self._said_of(payment, report)

    async def _said_of(self, payment: Payment, said: PaymentReported | PaymentRetried) -> Reported:
        """Send a report about a payment; the payment after that."""
        after = await self._outcomes.ask(
            PAYMENT_REPORTS,
            said,
            answers=(PAYMENTS, payment.key),
            when=lambda fact: isinstance(fact, Payment) and fact.version > payment.version,
        )
        if isinstance(after, Payment):
            return Reported(after, "counted")
        return Reported(payment, "recorded")


def is_made_by_people(payment: Payment) -> bool:
    """Whether people have to say what became of a payment: a shop's, or a transfer back."""
    return payment.method == "shop" or (payment.method == "invoice" and payment.kind == "refund")


def _has(fact: Message, report_id: str) -> bool:
    receipts = (fact.receipts or ()) if isinstance(fact, Payment) else ()
    return any(each.report_id == report_id for each in receipts)


def is_of_payer(actor: Actor, payment: Payment, group: GroupPurchase) -> bool:
    """Whether the holder of a link is the payment's payer: a payer, a member, the organizer."""
    if actor.about != payment.group_id or not actor.id:
        return False
    organizer_id = group.organizer.id if group.organizer else None
    payer_id = payment.member_id or organizer_id
    if actor.kind == "organizer":
        return payment.member_id is None
    if actor.order and payment.cause.order_id != actor.order:
        return False
    return actor.kind in ("payer", "member") and actor.id == payer_id
