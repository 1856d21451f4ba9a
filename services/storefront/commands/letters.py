"""Commands about letters: listing them, and sending one again."""

from schemas.letters import NOTICES, Delivery, LetterResend
from schemas.refusals import RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.access.idempotency import Idempotency
from services.storefront.commands.authority import demand
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.problems import Impossible, Overtaken, Unknown
from services.storefront.readmodel.reader import Reader
from services.storefront.readmodel.todo_pages import LETTERS_KEPT_FOR
from services.storefront.rules.rows import Listed


class LetterCommands:
    """Letters. Each raises a ``Refusal`` if it can't be done."""

    def __init__(self, reader: Reader, outcomes: Outcomes, idempotency: Idempotency) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._idempotency = idempotency

    async def page(
        self,
        actor: Actor,
        *,
        state: str | None = None,
        about: str | None = None,
        recipient_id: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Listed[Delivery]:
        """Letters, the latest first: of a state, a group or auction, a person, or of all."""
        demand(actor, "admin")
        return await self._reader.letters(
            state=state, about=about, recipient_id=recipient_id, cursor=cursor, limit=limit
        )

    async def one(self, actor: Actor, notice_id: str) -> Delivery:
        """What became of a letter. Raises ``Unknown``."""
        demand(actor, "admin")
        found = await self._reader.letter(notice_id)
        if found is None:
            raise Unknown(RefusalCode.NO_LETTER, id=notice_id)
        return found

    async def resend(self, actor: Actor, notice_id: str, version: int | None = None) -> Delivery:
        """Have a letter sent again now, once for each state that it is in.

        ``version`` is the state that the actor has seen. Raises ``Overtaken`` if the letter has
        changed since, and ``Impossible`` if the notifier no longer keeps its content.
        """
        before = await self.one(actor, notice_id)
        if version is not None and version != before.version:
            raise Overtaken(RefusalCode.LETTER_CHANGED)
        if now() - before.queued_at >= LETTERS_KEPT_FOR:
            raise Impossible(RefusalCode.LETTER_TOO_OLD, days=LETTERS_KEPT_FOR.days)
        # The notifier sends a letter as often as it is asked to. A form that is sent twice finds
        # the same state, so all web processes know by this key that they have asked already.
        asked = f"resend\n{before.key}\n{before.version}"
        if not await self._idempotency.remember(asked, b""):
            message = LetterResend(recipient_id=before.recipient_id, notice_id=notice_id, at=now())
            try:
                await self._outcomes.send(NOTICES, message)
            except BaseException:
                await self._idempotency.forget(asked, b"")
                raise

        async def changed() -> Delivery | None:
            found = await self._reader.letter(notice_id)
            return found if found is not None and found.version > before.version else None

        return await self._outcomes.look(changed, self._outcomes.seconds) or before
