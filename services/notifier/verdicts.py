"""What a mail server's refusal means: for the mailbox, for one letter, or for us.

Codes are those of RFC 5321, enhanced codes those of RFC 3463 and its registry. A server puts the
same code to different uses, so the stage of the dialogue decides first: only an answer to RCPT can
be about the mailbox, and only what says so plainly is. Whoever can make a server refuse something,
by a name or a text in a letter, must not be able to silence an address.
"""

import re
from typing import Literal, NamedTuple

#: - ``gone``: there is no such mailbox. The letter has bounced, and the address gets no more.
#: - ``refused``: this letter alone has bounced.
#: - ``ours``: it is about us: our address, login, reputation or quota. The letter waits; ops are to
#:   mend it.
#: - ``later``: the letter waits, as servers ask for every day.
Verdict = Literal["gone", "refused", "ours", "later"]
Stage = Literal["connect", "login", "mail", "rcpt", "data"]


#: Servers say what they mean at once; looking through kilobytes of a hostile one takes time.
TEXT_MAX = 1_000


class Status(NamedTuple):
    """An enhanced status code such as 5.1.1."""

    kind: int
    subject: int
    detail: int


#: At the beginning of a line, or at its end as qmail writes it: ``(#5.1.1)``.
_STATUS = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})\b|\(#([245])\.(\d{1,3})\.(\d{1,3})\)", re.M)
#: A server repeats addresses, whose words are the recipient's or a stranger's choice.
_ADDRESSES = re.compile(r"<[^>\n]*>|\S*@\S*")

#: Commands out of order; logins and encryption that are missing, too weak or wrong.
_OUR_CODES = frozenset({503, 530, 534, 535, 538})
#: No such mailbox, domain or form of address; moved; a domain that takes no mail (RFC 7505); a
#: mailbox that is closed.
_GONE = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1)})
#: Our own address is of a wrong form or of no domain; more than we may send (Exchange, Gmail).
_OUR_STATUSES = frozenset({(1, 7), (1, 8), (1, 90), (4, 5)})
#: The letter is too long for the server or the mailbox.
_TOO_LONG = frozenset({(3, 4), (2, 3)})
#: The mailbox is full.
_FULL = (2, 2)
#: 5.7.0 to 5.7.2 are said of contents; all further ones of who sends: authentication, encryption,
#: reputation.
_CONTENT_POLICY_MAX = 2
_SYSTEM, _POLICY = 3, 7
#: Statuses that say nothing: then words must.
_VAGUE = frozenset({(0, 0), (1, 0)})


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_SENDER = r"\bsender('s)? (address|domain|verif|reject|denied|is|not|unknown)|\b(bad|your) sender"
#: Of an answer to RCPT.
_OURS_SAID = _words(
    _SENDER,
    r"\bsender\b|\bspam|\bblock|\bblack ?list|\bdeny ?list|\blisted\b|\bd?nsbl\b|\brbl\b",
    r"\breputation|\brelay|\bpolic(y|ies)\b|\bspf\b|\bdkim\b|\bdmarc\b|\bauthenticat|\btls\b",
    r"\bnot (allowed|authori[sz]ed|permitted)|\baccess denied|\breverse dns|\bptr\b|\be?helo\b",
    r"\bclient host|\byour (ip|host|server|network|domain|account)|\bip address",
    r"\brate\b|\btoo many|\blimit|\bthrottl|\brcpthosts\b",
)
#: Of an answer to a content: only what can't be said of a content.
_OURS_SAID_OF_CONTENT = _words(
    _SENDER,
    r"\bspf\b|\bdkim\b|\bdmarc\b|\bauthenticat|\breverse dns|\bptr\b|\brelay",
    r"\bclient host|\byour (ip|host|server|network|domain|account)|\bsending ip",
    r"\bnot verified|\bsending\b.{0,40}\b(pause|suspend|quota|limit|rate)|\bdaily\b.{0,40}\bquota",
)
_FULL_SAID = _words(r"\bquota|\b(mailbox|inbox) (is )?full|\bstorage\b")
_GONE_SAID = _words(
    r"\b(user|recipient|mailbox|account|address)( \S+){0,4} (unknown|not found|not known)",
    r"\b(user|recipient|mailbox|account|address)( \S+){0,4} (does not|doesn't|not) exist",
    r"\bunknown (local )?(user|recipient|mailbox|address)|\bunrouteable address",
    r"\bno (such|mailbox|valid)( \S+)? (user|recipient|mailbox|person|address|account|here|by)\b",
    r"\bno such (user|recipient|mailbox|person|address|account)",
    r"\b(invalid|not a valid) (user|recipient|mailbox)|\bmailbox (is )?(unavailable|not available)",
    r"\bdoes(n't| not) have an? (\S+ )?account",
    r"\b(user|mailbox|account)( \S+){0,4} (disabled|inactive|closed|discontinued|terminated)",
)


def status_of(text: str) -> Status | None:
    """The enhanced code of a reply whose lines are divided by line feeds, if it has one."""
    found = _STATUS.search(text[:TEXT_MAX])
    if found is None:
        return None
    kind, subject, detail = (int(each) for each in found.groups() if each is not None)
    return Status(kind, subject, detail)


def verdict(stage: Stage, code: int, text: str) -> Verdict:
    """What a reply other than the hoped for means; ``text`` has one line for each of the reply."""
    status = status_of(text)
    if not 500 <= code < 600 or (status is not None and status.kind == 4):
        return "later"
    if stage not in ("rcpt", "data") or code in _OUR_CODES:
        return "ours"
    words = " ".join(_ADDRESSES.sub(" ", text[:TEXT_MAX]).split())
    about = (status.subject, status.detail) if status is not None and status.kind == 5 else None
    if about in _VAGUE:
        about = None
    if stage == "data":
        return _of_content(about, words)
    return _of_recipient(code, about, words)


def _of_content(about: tuple[int, int] | None, words: str) -> Verdict:
    """A refusal of the content, or before it of all: never the mailbox's."""
    if about == _FULL:
        return "later"
    if about in _TOO_LONG:
        return "refused"
    if about is not None and (about in _OUR_STATUSES or about[0] == _SYSTEM):
        return "ours"
    if about is not None and about[0] == _POLICY and about[1] > _CONTENT_POLICY_MAX:
        return "ours"
    return "ours" if _OURS_SAID_OF_CONTENT.search(words) else "refused"


def _of_recipient(code: int, about: tuple[int, int] | None, words: str) -> Verdict:
    """A refusal of the recipient: by its status, else by its words; else the letter's alone.

    A bare 550 is said of mailboxes, policies and blocklists alike (RFC 5321, 4.2.3).
    """
    if about is None:
        return _by_words(code, words)
    if about == _FULL:
        return "later"
    if about in _GONE:
        return "ours" if re.search(_SENDER, words, re.IGNORECASE) else "gone"
    if about in _TOO_LONG:
        return "refused"
    is_ours = about in _OUR_STATUSES or about[0] in (_SYSTEM, _POLICY)
    return "ours" if is_ours else "refused"


def _by_words(code: int, words: str) -> Verdict:
    if _FULL_SAID.search(words):
        return "later"
    if _OURS_SAID.search(words):
        return "ours"
    if _GONE_SAID.search(words):
        return "gone"
    # 552 is what a full mailbox has always been told by.
    return "later" if code == 552 else "refused"
