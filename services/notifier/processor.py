"""Notices become letters to people's addresses, and letters deliveries.

notices, people, mail-preferences ─▶ letters ─▶ deliveries
shops, sellers ─▶                       ⇅
                                      mailer ─▶ SMTP
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial, update_wrapper
from typing import Any

from runtime.processor import CallRules, Processor, takes
from runtime.rows import WAITING, tables
from schemas.auctions import SELLERS
from schemas.letters import (
    DELIVERIES,
    MAIL_PREFERENCES,
    NOTICES,
    LetterResend,
    Notice,
    Resubscribed,
    Unsubscribed,
)
from schemas.people import PEOPLE, Person, PersonErased
from schemas.shops import SHOPS
from services.notifier import rows
from services.notifier.rules import deliveries, people


def letters(merge_for: timedelta) -> Processor:
    """The processor; some letters wait so long for others of their kind, see ``rules/merging``."""

    def merging(rule: Callable[..., Any]) -> Callable[..., Any]:
        return update_wrapper(partial(rule, merge_for=merge_for), rule)

    return Processor(
        service="notifier",
        name="letters",
        # Of one moment, the address comes before the notice.
        inputs=(MAIL_PREFERENCES, PEOPLE, NOTICES),
        outputs=(DELIVERIES,),
        # Who sells: read before any letter is written.
        reads_whole=(SHOPS, SELLERS),
        on=dict(
            [
                takes(Person, merging(people.take_person)),
                takes(PersonErased, people.erase),
                takes(Notice, merging(deliveries.take_notice)),
                takes(LetterResend, deliveries.resend),
                takes(Unsubscribed, deliveries.take_preference),
                takes(Resubscribed, deliveries.take_preference),
            ]
        ),
        due={"forget": deliveries.forget, "address": people.give_up},
        chunks={"release": merging(people.release), "erase": people.erase_more},
        calls={
            "letter": CallRules(
                request=deliveries.request,
                settle=deliveries.settle,
                reply=rows.Reply,
                server=rows.mail_server,
                about=deliveries.about,
            ),
        },
        facts={"letter": rows.delivery},
        rows=tables(
            rows.PERSON,
            rows.ERASED,
            rows.LETTERS,
            rows.CONTENTS,
            rows.MERGING,
            rows.PREFERENCES,
            rows.SUPPRESSED,
            rows.CHUNKS,
            WAITING,
        ),
    )


#: Without waiting; a worker waits as long as its settings say.
LETTERS = letters(timedelta(0))

#: What a worker of this service hosts.
PROCESSORS = (LETTERS,)
