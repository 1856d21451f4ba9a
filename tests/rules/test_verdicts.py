"""What servers' refusals mean: only RCPT's plain word of a mailbox silences an address.

Codes are those that the servers' documentation gives; the words are retold.
"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.verdicts import Stage, Status, Verdict, status_of, verdict

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
    # Amazon SES as our relay.
    ("ses", "login", 535, "Authentication credentials invalid", "ours"),
    ("ses", "connect", 530, "Must issue a STARTTLS command first", "ours"),
    ("ses", "mail", 501, "Invalid MAIL FROM address provided", "ours"),
    ("ses", "data", 554, "Message rejected: address is not verified in this region", "ours"),
    ("ses", "data", 554, "Message rejected: sending is paused for this account", "ours"),
    ("ses", "data", 454, "Throttling failure: maximum sending rate exceeded", "later"),
    ("ses", "data", 554, "Transaction failed: Duplicate header 'Subject'", "refused"),
]  # fmt: skip


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


@pytest.mark.parametrize("piece", ["<", "a", "@", "user ", "no ", "sending ", "5.1.1", "(#"])
def test_a_hostile_server_s_words_take_no_time(piece: str) -> None:
    """However many they are."""
    text = piece * (32_768 // len(piece))
    began = time.perf_counter()
    verdict("rcpt", 550, text)
    verdict("data", 550, text)
    assert time.perf_counter() - began < 0.2
