"""Letters: pure functions from a notice to an e-mail.

A notice's figures are written for its recipient (``figures``, ``facts``), named by sentences
(``templates``, ``wording``), laid out (``layout``) and put into a message (``letter``), whose
headers nobody but us can write (``headers``).
"""

from services.notifier.letters.letter import NoticeError, envelope_recipient, letter
from services.notifier.letters.sender import LinkMaker, Sender
from services.notifier.letters.written import Letter

__all__ = [
    "Letter",
    "LinkMaker",
    "NoticeError",
    "Sender",
    "envelope_recipient",
    "letter",
]
