"""Notices become letters to people's addresses, and letters deliveries.

notices, people, mail-preferences ─▶ letters ─▶ deliveries
                                        ⇅
                                      mailer ─▶ SMTP
"""

from runtime.processor import CallRules, Processor, takes
from runtime.rows import WAITING, tables
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
from services.notifier import rows
from services.notifier.rules import deliveries, people

LETTERS = Processor(
    service="notifier",
    name="letters",
    # Of one moment, the address comes before the notice.
    inputs=(MAIL_PREFERENCES, PEOPLE, NOTICES),
    outputs=(DELIVERIES,),
    on=dict(
        [
            takes(Person, people.take_person),
            takes(PersonErased, people.erase),
            takes(Notice, deliveries.take_notice),
            takes(LetterResend, deliveries.resend),
            takes(Unsubscribed, deliveries.take_preference),
            takes(Resubscribed, deliveries.take_preference),
        ]
    ),
    due={"forget": deliveries.forget, "address": people.give_up},
    chunks={"release": people.release, "erase": people.erase_more},
    calls={
        "letter": CallRules(
            request=deliveries.request,
            settle=deliveries.settle,
            reply=rows.Reply,
            server=rows.mail_server,
        ),
    },
    facts={"letter": rows.delivery},
    rows=tables(
        rows.PERSON,
        rows.ERASED,
        rows.LETTERS,
        rows.CONTENTS,
        rows.PREFERENCES,
        rows.SUPPRESSED,
        rows.CHUNKS,
        WAITING,
    ),
)

#: What a worker of this service hosts.
PROCESSORS = (LETTERS,)
