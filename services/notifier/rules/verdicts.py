"""The meaning of a mail server's refusal: it is about the mailbox, about one letter, or about us.

Codes are those of RFC 5321, enhanced codes those of RFC 3463 and its registry. Servers use the same
code for different reasons, so the stage of the dialogue decides first. Only an answer to RCPT can
be about the mailbox, and only if it says so plainly. A stranger can make a server refuse a letter
by a name or a text in it. This must not suppress the address.
"""

import re
from typing import Literal, NamedTuple

#: - ``gone``: there is no such mailbox. The letter has bounced, and the address gets no more.
#: - ``refused``: this letter alone has bounced.
#: - ``ours``: the refusal is about us: our address, login, reputation or quota. The letter waits
#:   until ops have fixed the cause.
#: - ``later``: the letter waits for the next try, as is usual.
Verdict = Literal["gone", "refused", "ours", "later"]
Stage = Literal["connect", "login", "mail", "rcpt", "data"]


#: The reason is at the beginning of a reply; searching a hostile server's kilobytes takes time.
TEXT_MAX = 1_000


class Status(NamedTuple):
    """An enhanced status code such as 5.1.1."""

    kind: int
    subject: int
    detail: int


#: A status is at the beginning of a line, or at its end as qmail writes it: ``(#5.1.1)``.
_STATUS = re.compile(r"^([245])\.(\d{1,3})\.(\d{1,3})\b|\(#([245])\.(\d{1,3})\.(\d{1,3})\)", re.M)
#: Servers repeat addresses, and strangers may have chosen the words in an address.
_ADDRESSES = re.compile(r"<[^>\n]*>|\S*@\S*")

#: Commands out of order; logins and encryption that are missing, too weak or wrong.
_OUR_CODES = frozenset({503, 530, 534, 535, 538})
#: No such mailbox, domain or form of address; moved; a domain that takes no mail (RFC 7505); a
#: mailbox that is closed.
_GONE = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1)})
#: Gmail also answers this for a mailbox that gets too many letters for now.
_CLOSED = (2, 1)
#: Our own address is malformed or has no domain; we sent more than we may (Exchange, Gmail).
_OUR_STATUSES = frozenset({(1, 7), (1, 8), (1, 90), (4, 5)})
_LIMIT_STATUSES = frozenset({(4, 5), (1, 90)})
#: The letter is too long for the server or the mailbox.
_TOO_LONG = frozenset({(3, 4), (2, 3)})
#: The mailbox is full.
_FULL = (2, 2)
#: 5.7.0 to 5.7.2 are about contents; higher ones are about the sender: authentication, encryption,
#: reputation.
_CONTENT_POLICY_MAX = 2
_SYSTEM, _POLICY = 3, 7
#: Statuses without a meaning: the words of the reply decide.
_VAGUE = frozenset({(0, 0), (1, 0), (2, 0)})


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_SENDER = r"\bsender('s)? (address|domain|verif|reject|denied|is|not|unknown)|\b(bad|your) sender"
#: Words about us in an answer to RCPT.
_OURS_SAID = _words(
    _SENDER,
    r"\bsender\b|\bspam|\bblock|\bblack ?list|\bdeny ?list|\blisted\b|\bd?nsbl\b|\brbl\b",
    r"\breputation|\brelay|\bpolic(y|ies)\b|\bspf\b|\bdkim\b|\bdmarc\b|\bauthenticat|\btls\b",
    r"\bnot (allowed|authori[sz]ed|permitted)|\baccess denied|\breverse dns|\bptr\b|\be?helo\b",
    r"\bclient host|\byour (ip|host|server|network|domain|account)|\bip address",
    r"\brate\b|\btoo many|\blimit|\bthrottl|\brcpthosts\b",
    # Relays also answer this to a sender who is too fast (PHPMailer#1114).
    r"\btry (it )?again|\bcome back later",
    r"送信元|差出人|ブロック|制限|上限|認証|迷惑メール",
)
#: Words beside a status of the mailbox that contradict it.
_NOT_OF_MAILBOX = _words(_SENDER, r"\bblocked\b|\bblock ?list|\bblack ?list", r"\btry (it )?again")
#: Words about us in an answer to a content: only words that can't be about the content.
_OURS_SAID_OF_CONTENT = _words(
    _SENDER,
    r"\bspf\b|\bdkim\b|\bdmarc\b|\bauthenticat|\breverse dns|\bptr\b|\brelay",
    r"\bclient host|\byour (ip|host|server|network|domain|account)|\bsending ip",
    r"\bnot allowed to send|\bsend ?as ?denied|送信元|認証",
    r"\bnot verified|\bsending\b.{0,40}\b(pause|suspend|quota|limit|rate)|\bdaily\b.{0,40}\bquota",
)
#: Words for a limit on the letters that we may send.
_LIMIT_SAID = _words(
    r"\b(daily|hourly|24[ -]hour|sending|relay|outbound|outgoing)\b[^.]{0,40}"
    r"\b(limit|quota|threshold)",
    r"\b(limit|quota|threshold)s?\b[^.]{0,40}(\bper (day|hour)\b|\ba day\b|\bdaily\b|\bhourly\b)",
    r"\b(message|rate) (count |rate )?(limit|quota)|\bthrottl|\bexceeded threshold",
    r"\b(sent|sending) too many\b|\b(messages|mails|e-?mails) per (hour|day)\b|上限",
    r"\btoo many (messages|mails|e-?mails)\b[^.]{0,20}\b(sent|today|hour|day)|\bunusual rate\b",
)
#: Words about the recipient.
_THEIRS_SAID = _words(r"\b(recipient|user|mailbox|inbox)\b.{0,40}\b(receiv|gets)", r"\breceiving\b")
_FULL_SAID = _words(
    r"\bquota|\b(mailbox|inbox) (is )?full|\bstorage\b|\btoo many messages on the server",
    r"\bspeicher(volumen|platz)|\bpostfach (ist )?voll|容量|いっぱい|一杯",
)
_GONE_SAID = _words(
    r"\b(user|recipient|mailbox|account|address)( \S+){0,4} (unknown|not found|not known)",
    r"\b(user|recipient|mailbox|account|address)( \S+){0,4} (does not|doesn't|not) exist",
    r"\bunknown (local )?(user|recipient|mailbox|address)|\bunrouteable address",
    r"\bno (such|mailbox|valid)( \S+)? (user|recipient|mailbox|person|address|account|here|by)\b",
    r"\bno such (user|recipient|mailbox|person|address|account)",
    r"\b(invalid|not a valid) (user|recipient|mailbox)|\bmailbox (is )?(unavailable|not available)",
    r"\bdoes(n't| not) have an? (\S+ )?account",
    r"\b(benutzer|empf(ä|ae)nger)( \S+){0,2} (nicht bekannt|unbekannt)|\buser (is )?unknown",
    r"(宛先|ユーザー?|アドレス|メールボックス|アカウント)\S{0,20}(存在しま?せん|存在しない|見つかりません|不明)",
    r"\binvalid recipient|\buser not found",
    r"\b(user|mailbox|account)( \S+){0,4} (disabled|inactive|closed|discontinued|terminated)",
)


def status_of(text: str) -> Status | None:
    """The enhanced code of a reply, if it has one; its lines are separated by line feeds."""
    found = _STATUS.search(text[:TEXT_MAX])
    if found is None:
        return None
    kind, subject, detail = (int(each) for each in found.groups() if each is not None)
    return Status(kind, subject, detail)


def is_about_sending_limit(code: int, text: str) -> bool:
    """Whether a refusal says that we have reached our sending limit, for any recipient.

    Status x.4.5 and 5.1.90, or words (Gmail's "daily user sending quota", PHPMailer#2113; Amazon's
    454 "daily message quota"). A recipient's limit is not our limit.
    """
    if not 400 <= code < 600:
        return False
    words = _plain(text)
    status = status_of(text)
    if status is not None and (status.subject, status.detail) in _LIMIT_STATUSES:
        return True
    return bool(_LIMIT_SAID.search(words)) and not _THEIRS_SAID.search(words)


def _plain(text: str) -> str:
    """The words of a reply as one line, without addresses and enhanced codes."""
    return " ".join(_STATUS.sub(" ", _ADDRESSES.sub(" ", text[:TEXT_MAX])).split())


def verdict(stage: Stage, code: int, text: str) -> Verdict:
    """The meaning of a refusal; ``text`` has the lines of the reply."""
    status = status_of(text)
    if not 500 <= code < 600 or (status is not None and status.kind == 4):
        return "later"
    words = _plain(text)
    about = (status.subject, status.detail) if status is not None and status.kind == 5 else None
    if about in _VAGUE:
        about = None
    if stage == "mail" and (about in _TOO_LONG or (code == 552 and about is None)):
        return "refused"  # MAIL says how long the letter is
    if stage not in ("rcpt", "data") or code in _OUR_CODES or is_about_sending_limit(code, text):
        return "ours"
    if stage == "data":
        return _of_content(about, words)
    return _of_recipient(code, about, words)


def _of_content(about: tuple[int, int] | None, words: str) -> Verdict:
    """The meaning of a refusal after DATA: never that the mailbox is gone."""
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
    """The meaning of a refusal after RCPT, by its status, else by its words, else ``refused``.

    Servers answer a bare 550 for mailboxes, policies and blocklists alike (RFC 5321, 4.2.3).
    """
    if about is None:
        return _by_words(code, words)
    if about == _FULL:
        return "later"
    if about == _CLOSED and _THEIRS_SAID.search(words):
        return "later"
    if about in _GONE:
        return "ours" if _NOT_OF_MAILBOX.search(words) else "gone"
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
    # 552 is the traditional code for a full mailbox.
    return "later" if code == 552 else "refused"
