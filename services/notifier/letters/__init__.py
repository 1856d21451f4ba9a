"""Letters: functions from a notice and a person to an e-mail.

``figures`` and ``rules/facts`` write a notice's values for its recipient. Sentences name these
values (``templates``, ``rules/labels``). ``layout`` makes text and HTML of them, ``letter`` puts
all into a message, and ``rules/headers`` writes headers that no typed text can add to.
"""

from services.notifier.letters.letter import NoticeError, letter, letter_of
from services.notifier.letters.sender import LinkMaker, Sender
from services.notifier.letters.written import Letter

__all__ = [
    "Letter",
    "LinkMaker",
    "NoticeError",
    "Sender",
    "letter",
    "letter_of",
]
