"""Messages of an organizer to all who are listed in a group or have ordered there."""

import re
import unicodedata
from dataclasses import dataclass

from domain.unverified import HIDDEN
from runtime.rows import ROWS_KEPT
from schemas.api.groups import MessageGiven
from schemas.groups import GroupPurchase
from schemas.orders import ORDERS, WORDS_MAX, GroupMessage
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor
from services.storefront.commands.authority import Authority, is_trusted
from services.storefront.commands.ids import Ids
from services.storefront.commands.letter_counts import LetterCounts, link_problems, recipient_of
from services.storefront.commands.member_table import listed_parts
from services.storefront.commands.outcomes import Outcomes, now
from services.storefront.problems import Impossible, Overtaken
from services.storefront.readmodel.reader import Reader
from texts.reasons import problem

_BREAKS = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")
_MANY_BREAKS = re.compile(r"\n{3,}")
#: Joiners are allowed, as some languages and signs are written with them.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True)
class Recipients:
    """The people who get a message: those ``listed`` who have not ordered, and who ``ordered``."""

    listed: frozenset[str]
    ordered: frozenset[str]

    @property
    def number(self) -> int:
        """How many letters a message is."""
        return len(self.listed) + len(self.ordered)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that is on the log."""

    message_id: str
    recipients: int


def plain(words: str) -> str:
    """The words as letters repeat them: lines of text, without control characters."""
    lines = _BREAKS.sub("\n", words).replace("\t", " ")
    kept = "".join(
        each
        for each in lines
        if each == "\n" or each in _JOINERS or unicodedata.category(each) not in HIDDEN
    )
    tidy = "\n".join(line.rstrip() for line in kept.split("\n"))
    return _MANY_BREAKS.sub("\n\n", tidy).strip()


class MessageCommands:
    """Messages to groups. Each raises a ``Refusal`` if it can't be done."""

    def __init__(
        self,
        reader: Reader,
        outcomes: Outcomes,
        ids: Ids,
        letters: LetterCounts,
        authority: Authority,
    ) -> None:
        self._reader = reader
        self._outcomes = outcomes
        self._ids = ids
        self._letters = letters
        self._authority = authority

    async def checked(self, actor: Actor, group_id: str, given: MessageGiven) -> Recipients:
        """Who would get a message. Raises ``Impossible`` for words that can't be sent."""
        group = await self._authority.group_run_by(actor, group_id)
        return await self._checked(actor, group, plain(given.words))

    async def send(
        self, actor: Actor, group_id: str, given: MessageGiven, seed: str | None = None
    ) -> Sent:
        """Send a message; the same seed sends it once. Raises ``TooMany`` beyond the limits."""
        group = await self._authority.group_run_by(actor, group_id)
        words = plain(given.words)
        to = await self._checked(actor, group, words)
        message_id = self._ids.new("t", actor, seed and f"{seed}/{group_id}")
        people = await self._reader.people(to.listed) if not is_trusted(actor) else {}
        named = [
            people[each].email if each in people else recipient_of(group_id, each)
            for each in to.listed
        ]
        await self._letters.count_message(actor, group_id, named, len(to.ordered), message_id)
        message = GroupMessage(message_id=message_id, group_id=group_id, words=words, at=now())
        await self._outcomes.send(ORDERS, message)
        return Sent(message_id, to.number)

    async def _checked(self, actor: Actor, group: GroupPurchase, words: str) -> Recipients:
        problems = []
        if not words:
            problems.append(problem("words", ProblemCode.REQUIRED))
        elif len(words) > WORDS_MAX:
            problems.append(problem("words", ProblemCode.TOO_LONG, most=WORDS_MAX))
        if not is_trusted(actor):
            # Letters repeat no link of a stranger; better said here than left out there.
            problems += link_problems({"words": words})
        if problems:
            raise Impossible(RefusalCode.MESSAGE_REFUSED, problems)
        if now() >= (group.withdrawn_at or group.closes_at) + ROWS_KEPT:
            # order_service has dropped the rows that say who is written to.
            raise Overtaken(RefusalCode.GROUP_LONG_ENDED)
        to = await self._recipients(group)
        if not to.number:
            raise Impossible(RefusalCode.NOBODY_TO_WRITE_TO)
        return to

    async def _recipients(self, group: GroupPurchase) -> Recipients:
        ordered = await self._reader.people_of_rows(group.group_id)
        listed = {
            member.person_id
            async for part in listed_parts(self._reader, group)
            for member in part
            if member.person_id is not None
        }
        return Recipients(frozenset(listed - ordered), frozenset(ordered))
