"""Notices become letters, and letters deliveries.

notices, mail-preferences ─▶ letters ─▶ deliveries
                                ⇅
                              mailer ─▶ SMTP
"""

from runtime.processor import CallRules, Processor, takes
from runtime.rows import tables
from schemas.letters import (
    DELIVERIES,
    MAIL_PREFERENCES,
    NOTICES,
    LetterResend,
    Notice,
    Resubscribed,
    Unsubscribed,
)
from services.notifier import rows
from services.notifier.rules import deliveries

LETTERS = Processor(
    service="notifier",
    name="letters",
    inputs=(MAIL_PREFERENCES, NOTICES),
    outputs=(DELIVERIES,),
    on=dict(
        [
            takes(Notice, deliveries.take_notice),
            takes(LetterResend, deliveries.resend),
            takes(Unsubscribed, deliveries.take_preference),
            takes(Resubscribed, deliveries.take_preference),
        ]
    ),
    due={"forget": deliveries.forget},
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
        rows.LETTERS,
        rows.CONTENTS,
        rows.PREFERENCES,
        rows.SUPPRESSED,
    ),
)

#: What a worker of this service hosts.
PROCESSORS = (LETTERS,)
