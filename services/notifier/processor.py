"""Notices become letters, and letters deliveries.

notices, mail-preferences ─▶ letters ─▶ deliveries
                                ⇅
                              mailer ─▶ SMTP
"""

from schemas.messages import LetterResend, Notice, Resubscribed, Unsubscribed
from schemas.topics import DELIVERIES, MAIL_PREFERENCES, NOTICES
from services.notifier import rows, rules
from services.runtime.processor import CallRules, Processor

LETTERS = Processor(
    service="notifier",
    name="letters",
    inputs=(MAIL_PREFERENCES, NOTICES),
    outputs=(DELIVERIES,),
    on={
        Notice: rules.take_notice,
        LetterResend: rules.resend,
        Unsubscribed: rules.take_preference,
        Resubscribed: rules.take_preference,
    },
    due={"forget": rules.forget},
    calls={
        "letter": CallRules(
            request=rules.request,
            settle=rules.settle,
            reply=rows.Reply,
            server=rows.mail_server,
        ),
    },
    facts={"letter": rows.delivery},
    rows={
        "letter": rows.Letter,
        "content": rows.Content,
        "preference": rows.Preference,
        "suppressed": rows.Suppressed,
    },
)

#: What a worker of this service hosts.
PROCESSORS = (LETTERS,)
