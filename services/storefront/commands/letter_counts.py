"""Letters that commands cause: how many, and which texts of strangers they repeat."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from domain.addresses import canonical
from domain.unverified import greetable, has_link
from runtime.cache import TwoGenerations
from schemas.parts import Problem
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.access.rates import Count, Rates
from services.storefront.commands.authority import is_trusted
from services.storefront.problems import Impossible
from texts.reasons import problem

#: Commands whose letters were counted; so many are known at least.
COUNTED_SIZE = 10_000


class LetterCounts:
    """Counts letters against the limits of a client, of a recipient and of all strangers."""

    def __init__(self, rates: Rates, per_hour: int) -> None:
        self._rates = rates
        self._per_hour = per_hour
        self._counted: TwoGenerations[bool] = TwoGenerations(COUNTED_SIZE)

    async def count_message(
        self, actor: Actor, group_id: str, listed: Sequence[str], others: int, message_id: str
    ) -> None:
        """Count a message to all of a group: of its day, and the letters of untrusted organizers.

        ``listed`` are recipients who did nothing themselves, named as in ``count``. They count as
        in ``count``. ``others`` have ordered, so they count only for all strangers together. A
        repeated message is not counted again by this process. Raises as ``count`` does.
        """
        if self._counted.get(message_id):
            return
        counts = [Count("group-messages", group_id)]
        if not is_trusted(actor):
            counts += self._of_letters(actor, listed, others)
        await self._rates.count_all(counts)
        self._counted.put(message_id, True)

    async def count(
        self, actor: Actor, recipients: Iterable[str | None], command: str | None = None
    ) -> None:
        """Count the letters that a command causes: per client, per recipient and in total.

        ``recipients`` has one entry for each letter: an address, or the result of ``recipient_of``
        if the address is not known here; ``None`` gets no letter. Letters that a shop or the admin
        causes are not counted. ``command`` names the command: a repeat causes no further letters,
        and this process does not count it again. Raises ``TooMany``, and ``Impossible`` for more
        letters than the limit of an hour.
        """
        if is_trusted(actor) or (command is not None and self._counted.get(command)):
            return
        counts = self._of_letters(actor, recipients)
        if not counts:
            return
        await self._rates.count_all(counts)
        if command is not None:
            self._counted.put(command, True)

    def _of_letters(
        self, actor: Actor, recipients: Iterable[str | None], others: int = 0
    ) -> list[Count]:
        """What letters count; ``others`` are recipients who count only for all together."""
        mailboxes = Counter(canonical(each) for each in recipients if each)
        number = mailboxes.total()
        most = self._per_hour
        if number > most:
            raise Impossible(RefusalCode.TOO_MANY_LETTERS, number=number, most=most)
        counts = []
        if number:
            counts.append(Count("letters", actor.client, number))
        counts += [Count("letters-to-one", to, times) for to, times in mailboxes.items()]
        if number + others:
            counts.append(Count("letters-of-strangers", "all", number + others))
        return counts


def name_in_letters(actor: Actor, name: str | None) -> str | None:
    """A person's name if letters may repeat it; names from a shop or the admin are trusted."""
    return name if is_trusted(actor) else greetable(name)


def link_problems(said: Mapping[str, str | None]) -> list[Problem]:
    """A problem for each field whose text letters must not repeat."""
    return [
        problem(field, ProblemCode.HAS_LINK)
        for field, text in said.items()
        if text and has_link(text)
    ]


def recipient_of(group_id: str, person_id: str) -> str:
    """The name to count letters by, for a recipient whose address is not known."""
    return f"{group_id}/{person_id}"
