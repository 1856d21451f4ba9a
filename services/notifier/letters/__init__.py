"""Letters: pure functions from a notice to an e-mail.

``figures`` and ``facts`` write a notice's values for its recipient. Sentences name these values
(``templates``, ``wording``). ``layout`` makes text and HTML of them, ``letter`` puts all into a
message, and ``headers`` writes headers that no typed text can add to.
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
