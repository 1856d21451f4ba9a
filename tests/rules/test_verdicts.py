"""What servers' refusals mean: only RCPT's plain word of a mailbox silences an address.

Codes are those that the servers' documentation gives; the words are retold.
"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.rules.verdicts import (
    Stage,
    Status,
    Verdict,
    is_about_sending_limit,
    status_of,
    verdict,
)

CASES: list[tuple[str, Stage, int, str, Verdict]] = [
    # Gmail and Google Workspace.
    ("gmail", "rcpt", 550, "5.1.1 The account you wrote to does not exist\n5.1.1 gsmtp", "gone"),
    ("gmail", "rcpt", 550, "5.2.1 This account is disabled. gsmtp", "gone"),
    ("gmail", "rcpt", 450, "4.2.1 This user gets mail too quickly. gsmtp", "later"),
    ("gmail", "rcpt", 452, "4.2.2 The inbox is out of storage. gsmtp", "later"),
    ("gmail", "rcpt", 552, "5.2.2 The inbox is out of storage. gsmtp", "later"),
    ("gmail", "data", 550, "5.4.5 Daily sending limit exceeded. gsmtp", "ours"),
    ("gmail", "rcpt", 550, "5.4.5 Daily sending limit exceeded. gsmtp", "ours"),
    ("gmail", "data", 421, "4.7.0 Unusual rate of mail from your network", "later"),
    ("gmail", "data", 550, "5.7.1 This message is likely unsolicited mail. gsmtp", "refused"),
    ("gmail", "data", 552, "5.7.0 Blocked: its content is a potential danger. gsmtp", "refused"),
    ("gmail", "data", 550, "5.7.26 Mail from this domain is not authenticated. gsmtp", "ours"),
    ("gmail", "data", 550, "5.7.25 The sending address has no PTR record. gsmtp", "ours"),
    ("gmail", "mail", 530, "5.7.0 Authentication required. gsmtp", "ours"),
    ("gmail", "login", 535, "5.7.8 User name and password not accepted. gsmtp", "ours"),
    ("gmail", "mail", 550, "5.7.1 Invalid credentials for relay. gsmtp", "ours"),
    ("gmail", "mail", 555, "5.5.2 Syntax error. gsmtp", "ours"),
    ("gmail", "data", 552, "5.3.4 The message is larger than the limit. gsmtp", "refused"),
    # Outlook.com and Exchange Online.
    ("exchange", "rcpt", 550, "5.1.10 Recipient not found by address lookup", "gone"),
    ("exchange", "rcpt", 550, "5.1.1 Recipient not found", "gone"),
    ("exchange", "rcpt", 550, "5.5.0 Requested action not taken: mailbox unavailable", "refused"),
    ("exchange", "rcpt", 550, "Requested action not taken: mailbox unavailable (S20)", "gone"),
    ("exchange", "rcpt", 550, "5.4.1 Recipient address rejected: access denied", "refused"),
    ("exchange", "mail", 550, "5.7.606 Access denied, banned sending IP", "ours"),
    ("exchange", "rcpt", 550, "5.7.606 Access denied, banned sending IP", "ours"),
    ("exchange", "mail", 530, "5.7.57 Client not authenticated to send mail", "ours"),
    ("exchange", "rcpt", 550, "5.7.1 Unable to relay", "ours"),
    ("exchange", "rcpt", 550, "5.1.8 Access denied, bad outbound sender", "ours"),
    ("exchange", "rcpt", 550, "5.1.90 Recipient limit per day exceeded", "ours"),
    ("exchange", "data", 550, "5.7.509 Access denied, domain does not pass DMARC", "ours"),
    ("exchange", "data", 550, "5.7.515 Access denied, does not meet the level", "ours"),
    ("exchange", "rcpt", 550, "5.7.705 Tenant has exceeded threshold", "ours"),
    ("exchange", "rcpt", 552, "5.2.2 Mailbox full", "later"),
    ("exchange", "rcpt", 554, "5.2.122 Recipient gets too much mail an hour", "refused"),
    ("exchange", "data", 554, "5.6.0 Corrupt message content", "refused"),
    ("exchange", "connect", 421, "4.3.2 Service not available", "later"),
    ("hotmail", "mail", 550, "SC-001 Mail rejected: your IP is on our block list", "ours"),
    # Yahoo.
    ("yahoo", "rcpt", 552, "1 Requested mail action aborted, mailbox not found", "gone"),
    ("yahoo", "data", 554, "delivery error: dd user doesn't have a yahoo account", "refused"),
    ("yahoo", "mail", 553, "5.7.1 [BL21] Connections will not be accepted", "ours"),
    ("yahoo", "data", 554, "5.7.9 Message not accepted for policy reasons", "ours"),
    ("yahoo", "connect", 421, "4.7.0 [TSS04] deferred due to complaints", "later"),
    ("yahoo", "rcpt", 554, "delivery error: this account is over quota", "later"),
    # Postfix.
    ("postfix", "rcpt", 550, "5.1.1 <a@x.org>: User unknown in virtual mailbox table", "gone"),
    ("postfix", "rcpt", 550, "5.1.2 <a@x.org>: Recipient address rejected: no domain", "gone"),
    ("postfix", "rcpt", 450, "4.2.0 <a@x.org>: greylisted", "later"),
    ("postfix", "rcpt", 550, "5.1.1 <a@x.org>: User unknown in relay recipient table", "gone"),
    ("postfix", "rcpt", 554, "5.7.1 <a@x.org>: Relay access denied", "ours"),
    ("postfix", "rcpt", 554, "5.7.1 Client host [192.0.2.1] blocked using a list", "ours"),
    ("postfix", "rcpt", 550, "5.1.8 <us@x>: Sender address rejected: no such domain", "ours"),
    ("postfix", "rcpt", 550, "5.1.7 <us>: Sender address rejected: undeliverable", "ours"),
    ("postfix", "rcpt", 550, "5.1.0 <us@x>: Sender address rejected: unknown user", "ours"),
    ("postfix", "rcpt", 550, "5.1.1 <us@x>: Sender address rejected: user unknown", "ours"),
    ("postfix", "rcpt", 504, "5.5.2 <a@x>: Recipient address rejected: no full name", "refused"),
    ("postfix", "rcpt", 553, "5.7.1 <us@x>: Sender address rejected: not logged in", "ours"),
    ("postfix", "rcpt", 452, "4.3.1 Insufficient system storage", "later"),
    ("postfix", "rcpt", 550, "4.2.2 Over quota", "later"),
    ("postfix", "data", 552, "5.3.4 Message size exceeds the limit", "refused"),
    ("postfix", "data", 550, "5.7.1 Message content rejected", "refused"),
    ("postfix", "data", 554, "5.5.1 Error: no valid recipients", "refused"),
    ("postfix", "connect", 554, "5.7.1 You are not welcome", "ours"),
    # Exim: no enhanced codes.
    ("exim", "rcpt", 550, "Unrouteable address", "gone"),
    ("exim", "rcpt", 550, "No such person at this address", "gone"),
    ("exim", "rcpt", 550, "No Such User Here", "gone"),
    ("exim", "rcpt", 550, "relay not permitted", "ours"),
    ("exim", "rcpt", 550, "<us@x> failed\nUnrouteable address\nSender verify failed", "ours"),
    ("exim", "rcpt", 550, "rejected because 192.0.2.1 is in a black list at bl.example", "ours"),
    ("exim", "rcpt", 550, "JunkMail rejected, see the URL for reasons", "refused"),
    ("exim", "data", 550, "This message scored 9.1 spam points", "refused"),
    ("exim", "data", 550, "Administrative prohibition", "refused"),
    ("exim", "mail", 550, "Access denied - invalid HELO name", "ours"),
    # qmail and others.
    ("qmail", "rcpt", 550, "sorry, no mailbox here by that name. (#5.1.1)", "gone"),
    ("qmail", "rcpt", 553, "sorry, that domain isn't in my list of rcpthosts (#5.7.1)", "ours"),
    ("qmail", "rcpt", 553, "that domain isn't in my list of allowed rcpthosts", "ours"),
    ("sendmail", "rcpt", 550, "5.1.1 <a@x.org>... User unknown", "gone"),
    ("sendmail", "rcpt", 550, "5.7.1 <a@x.org>... Relaying denied", "ours"),
    ("other", "rcpt", 551, "User not local; please try another", "refused"),
    ("other", "rcpt", 551, "we do not relay", "ours"),
    ("other", "rcpt", 553, "Requested action not taken: invalid mailbox name", "gone"),
    ("other", "rcpt", 550, "5.0.0 No such user", "gone"),
    ("other", "rcpt", 550, "5.1.0 Address rejected", "refused"),
    ("other", "rcpt", 550, "", "refused"),
    ("other", "rcpt", 550, "Rejected for policy reasons", "ours"),
    ("other", "rcpt", 552, "storage allocation exceeded", "later"),
    ("other", "rcpt", 552, "", "later"),
    ("other", "rcpt", 554, "Transaction failed", "refused"),
    ("other", "rcpt", 503, "5.5.1 MAIL first", "ours"),
    ("other", "rcpt", 550, "5.3.2 System not accepting messages", "ours"),
    ("other", "rcpt", 550, "5.1.6 Moved, no forwarding address", "gone"),
    ("other", "data", 550, "5.1.1 no such user", "refused"),
    ("other", "data", 552, "5.2.2 mailbox full", "later"),
    ("other", "rcpt", 700, "what", "later"),
    ("other", "data", 250, "ok, though nobody said a word yet", "later"),
    # A provider's own server as our relay (zone-mta#24, PHPMailer#2113, PHPMailer#1114).
    ("gmail", "rcpt", 550, "5.2.1 The user gets mail at a rate that prevents more. gsmtp", "later"),
    ("gmail", "rcpt", 550, "5.7.1 Daily SMTP relay limit exceeded for us.\n5.7.1 gsmtp", "ours"),
    ("gmail", "data", 550, "5.4.5 Daily user sending quota exceeded. gsmtp", "ours"),
    ("gmail", "mail", 550, "5.4.5 Daily user sending quota exceeded. gsmtp", "ours"),
    ("gmail", "rcpt", 452, "4.5.3 Your message has too many recipients", "later"),
    ("gmail", "rcpt", 450, "4.2.1 Peak SMTP relay limit exceeded for customer", "later"),
    ("gmail", "rcpt", 550, "5.7.1 Mail from 192.0.2.1 has a low reputation",
     "ours"),
    ("gmx", "rcpt", 550,
     "Requested action not taken: mailbox unavailable\nFailure sending mail. Try again later",
     "ours"),
    ("gmx", "rcpt", 550, "Requested action not taken: mailbox unavailable", "gone"),
    ("gmx", "rcpt", 550, "Unknown User", "gone"),
    ("gmx", "rcpt", 550, "Quota Exceeded", "later"),
    ("gmx", "connect", 554, "Service unavailable; client host is blocked, IP black listed", "ours"),
    ("gmx", "rcpt", 550, "must be authenticated", "ours"),
    ("web.de", "rcpt", 550, "Benutzer nicht bekannt/User unknown", "gone"),
    ("web.de", "rcpt", 550, "Benutzer unbekannt", "gone"),
    ("web.de", "rcpt", 550, "Benutzer hat das Speichervolumen ueberschritten", "later"),
    ("web.de", "rcpt", 550, "User has exhausted allowed storage space.", "later"),
    ("web.de", "rcpt", 550, "User has too many messages on the server.", "later"),
    ("web.de", "rcpt", 550, "Postfach ist voll", "later"),
    ("t-online", "rcpt", 552, "5.2.2 Over STORAGE quota", "later"),
    ("comcast", "rcpt", 550, "5.2.0 Message rejected due to DMARC.", "ours"),
    ("comcast", "rcpt", 550, "5.1.1 Not our customer", "gone"),
    ("at&t", "rcpt", 550, "5.2.1 Addressee unknown", "gone"),
    ("at&t", "rcpt", 550, "5.7.1 Connection not taken. Fix reverse DNS for 192.0.2.1", "ours"),
    ("at&t", "mail", 553, "5.3.0 DNSBL:ATTRBL 521 is_blocked", "ours"),
    ("barracuda", "rcpt", 550, "cuda_nsu 5.1.1 <a@x.org>: Rejected: User unknown", "gone"),
    ("barracuda", "rcpt", 550, "Blocked", "ours"),
    ("icloud", "rcpt", 550, "5.7.1 [CS01] Message rejected due to local policy", "ours"),
    ("icloud", "rcpt", 550, "5.1.1 <a@icloud.com>: user does not exist", "gone"),
    ("icloud", "connect", 554, "5.7.0 Blocked - see the lookup of 192.0.2.1", "ours"),
    ("proofpoint", "connect", 554, "Blocked - see the check of 192.0.2.1", "ours"),
    ("yahoo", "data", 554, "delivery error: dd Account disabled or discontinued", "refused"),
    ("outlook", "rcpt", 550, "5.2.0 No such mailbox", "gone"),
    ("outlook", "data", 550, "5.2.0 STOREDRV; delivery failed", "refused"),
    ("outlook", "rcpt", 451, "4.7.500 Server busy. Please try again later", "later"),
    ("outlook", "rcpt", 550, "5.7.1 Service unavailable, client host blocked (S3140)", "ours"),
    ("outlook", "rcpt", 550, "5.7.708 Access denied, traffic not accepted from this IP", "ours"),
    ("outlook", "data", 554, "5.2.252 SendAsDenied; not allowed to send as us", "ours"),
    ("exim", "data", 550, "Domain has exceeded the max emails per hour (300) allowed", "ours"),
    ("exim", "data", 552, "Message would take you over your relay quota of 500", "ours"),
    ("qq", "mail", 553, "Mail from must equal authorized user", "ours"),
    ("qq", "rcpt", 550, "Mailbox unavailable or access denied", "ours"),
    ("163", "rcpt", 550, "User not found", "gone"),
    ("163", "rcpt", 550, "User suspended", "refused"),
    ("mail.ru", "rcpt", 550, "spam message rejected. Please visit our page", "ours"),
    # Japanese phone companies: no enhanced codes; the words of a filter are those of a mailbox.
    ("docomo", "rcpt", 550, "Unknown user a@docomo.ne.jp", "gone"),
    ("docomo", "connect", 421, "Service not available, too many connections", "later"),
    ("docomo", "rcpt", 554, "Transaction failed", "refused"),
    ("au", "rcpt", 550, "<a@ezweb.ne.jp>: User unknown", "gone"),
    ("softbank", "rcpt", 550, "Invalid recipient: <a@softbank.ne.jp>", "gone"),
    ("softbank", "rcpt", 550, "5.7.1 too many recipients unknown, blocked", "ours"),
    ("japanese", "rcpt", 550, "宛先のユーザーが見つかりません", "gone"),
    ("japanese", "rcpt", 550, "そのメールアドレスは存在しません", "gone"),
    ("japanese", "rcpt", 550, "メールボックスの容量が一杯です", "later"),
    ("japanese", "rcpt", 550, "送信が制限されています", "ours"),
    ("japanese", "rcpt", 550, "迷惑メールとしてブロックされました", "ours"),
    ("japanese", "rcpt", 550, "送信元ドメインが存在しません", "ours"),
    ("japanese", "data", 550, "宛先のユーザーが見つかりません", "refused"),
    ("japanese", "data", 550, "送信の上限に達しました", "ours"),
    ("japanese", "rcpt", 550, "5.1.1 宛先が存在しません", "gone"),
    ("other", "rcpt", 550, "5.1.1 Domain blocked, see our list", "ours"),
    ("other", "rcpt", 550, "Sorry, first line of ours\n5.1.1 User unknown", "gone"),
    ("other", "rcpt", 550, "5.1.1 User unknown\n5.7.1 as we do not know you", "gone"),
    ("other", "rcpt", 550, "User unknown\nYour host is on our block list", "ours"),
    ("other", "rcpt", 450, "5.1.1 User unknown", "later"),
    ("other", "rcpt", 550, "No such user, try again later", "ours"),
    ("other", "rcpt", 452, "5.2.2 Mailbox full", "later"),
    ("other", "rcpt", 452, "", "later"),
    ("other", "rcpt", 550, "5.2.2 Over quota", "later"),
    ("other", "rcpt", 550, "5.7.13 User disabled by our policy", "ours"),
    ("other", "mail", 552, "5.3.4 Message size exceeds the limit", "refused"),
    ("other", "mail", 552, "message too large", "refused"),
    ("other", "mail", 552, "4.3.4 Message too large for now", "later"),
    # Amazon SES as our relay.
    ("ses", "login", 535, "Authentication credentials invalid", "ours"),
    ("ses", "connect", 530, "Must issue a STARTTLS command first", "ours"),
    ("ses", "mail", 501, "Invalid MAIL FROM address provided", "ours"),
    ("ses", "data", 554, "Message rejected: address is not verified in this region", "ours"),
    ("ses", "data", 554, "Message rejected: sending is paused for this account", "ours"),
    ("ses", "data", 454, "Throttling failure: maximum sending rate exceeded", "later"),
    ("ses", "data", 554, "Transaction failed: Duplicate header 'Subject'", "refused"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("whose", "stage", "code", "text", "means"), CASES)
def test_what_servers_say_and_what_it_means(
    whose: str, stage: Stage, code: int, text: str, means: Verdict
) -> None:
    """By stage, code, status, and only then words."""
    assert verdict(stage, code, text) == means


@pytest.mark.parametrize(
    "address",
    ["no-such-user@spam.example", "mailbox.not.found@x.example", "blocked.sender@relay.example"],
)
def test_the_words_of_an_address_that_is_repeated_mean_nothing(address: str) -> None:
    """They are anybody's choice."""
    for said in (f"<{address}> we do not want it", f"{address}: rejected", f"rejected {address}"):
        assert verdict("rcpt", 550, said) == "refused"
        assert verdict("data", 550, said) == "refused"


#: Whether a reply says that we have sent as much as we may, whoever gets the letter.
LIMITS: list[tuple[int, str, bool]] = [
    (550, "5.4.5 Daily user sending quota exceeded. gsmtp", True),
    (550, "5.7.1 Daily SMTP relay limit exceeded for customer.\n5.7.1 gsmtp", True),
    (550, "5.7.1 Daily SMTP relay\n5.7.1 limit exceeded for customer", True),
    (450, "4.2.1 Peak SMTP relay limit exceeded for customer", True),
    (421, "4.4.5 Server busy, try again later.", True),
    (421, "4.7.0 Unusual rate of mail from your network", True),
    (454, "Throttling failure: Daily message quota exceeded", True),
    (454, "Throttling failure: Maximum sending rate exceeded", True),
    (550, "5.1.90 Recipient limit per day exceeded", True),
    (550, "5.7.705 Tenant has exceeded threshold", True),
    (552, "Message would take you over your relay quota of 500", True),
    (550, "Domain has exceeded the max emails per hour (300) allowed", True),
    (554, "User has exceeded its 24-hour sending limit", True),
    (550, "送信の上限に達しました", True),
    (250, "5.4.5 what is taken is taken", False),
    (450, "4.2.1 The user is receiving mail too quickly", False),
    (550, "5.2.1 The user gets mail at a rate that prevents more", False),
    (554, "5.2.122 Recipient gets too much mail, over the hourly limit", False),
    (452, "4.2.2 The inbox is over its quota", False),
    (552, "5.3.4 Message size exceeds the limit", False),
    (552, "5.2.2 Over quota", False),
    (550, "5.1.1 No such user", False),
    (451, "4.7.1 Greylisted, try again in an hour", False),
    (454, "4.7.0 TLS not available", False),
    (550, "<daily-sending-limit@x.example> no such user", False),
]


@pytest.mark.parametrize(("code", "text", "is_limit"), LIMITS)
def test_a_limit_of_ours_is_told_from_one_of_theirs(
    code: int, text: str, *, is_limit: bool
) -> None:
    """It rests the server; one letter's refusal does not."""
    assert is_about_sending_limit(code, text) == is_limit


texts = st.one_of(
    st.text(max_size=80),
    st.builds(
        "{}.{}.{} {}".format,
        st.sampled_from("2457"),
        st.integers(0, 9),
        st.integers(0, 999),
        st.sampled_from(["no such user", "spam", "user unknown", "relay denied", ""]),
    ),
)


@given(st.sampled_from(["connect", "login", "mail", "data"]), st.integers(0, 999), texts)
def test_nothing_but_an_answer_to_rcpt_silences_an_address(
    stage: Stage, code: int, text: str
) -> None:
    """Whatever a name or a text in a letter makes a server say."""
    assert verdict(stage, code, text) != "gone"


@given(st.integers(0, 999), texts)
def test_nothing_but_a_permanent_answer_silences_an_address(code: int, text: str) -> None:
    """And none that has the status of another subject."""
    if verdict("rcpt", code, text) == "gone":
        assert 500 <= code < 600
        status = status_of(text)
        assert status is None or status.kind != 4
        assert status is None or status.subject in (0, 1, 2) or status.kind != 5


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("5.1.1 no", Status(5, 1, 1)),
        ("no\n5.7.26 no", Status(5, 7, 26)),
        ("no (#5.1.1)", Status(5, 1, 1)),
        ("see 5.1.1 of our rules", None),
        ("5.1.1234 no", None),
        ("550 5.1.1", None),
    ],
)
def test_an_enhanced_code_begins_a_line_or_ends_one_as_qmail_writes_it(
    text: str, status: Status | None
) -> None:
    """One in the midst of a sentence is a sentence's."""
    assert status_of(text) == status


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["<", "a", "@", "user ", "no ", "sending ", "5.1.1", "(#"])
def test_a_hostile_server_s_words_take_no_time(piece: str) -> None:
    """However many they are."""
    text = piece * (32_768 // len(piece))
    began = time.perf_counter()
    verdict("rcpt", 550, text)
    verdict("data", 550, text)
    assert time.perf_counter() - began < 0.2
