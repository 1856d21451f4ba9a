"""Letters: queued once, tried again with growing pauses, given up after days, suppressed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.rows import Call, Due, MemoryRows, spread_pause
from schemas.letters import (
    Delivery,
    LetterKind,
    LetterResend,
    Notice,
    Preference,
    Resubscribed,
    Says,
    Unsubscribed,
    mailbox_of,
)
from schemas.parts import Message, Product
from schemas.people import Person
from services.notifier.processor import LETTERS
from services.notifier.rows import Reply, delivery
from services.notifier.rules import deliveries
from services.notifier.rules.staleness import in_time, too_late
from services.notifier.rules.verdicts import Verdict

T = datetime(2026, 5, 4, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CALL = "call/letter/n1"


def notice(kind: LetterKind = "offer-judged", number: int = 1) -> Any:
    says = Says(party_id="ann", verdict="shown", reason="better", product=Product(name="tea"))
    return Notice(
        notice_id=f"n{number}", kind=kind, recipient_id="acme:ann", about="tea", at=T, says=says
    )


def person(email: str = "Ann@x.example", seen_at: datetime = T, **more: Any) -> Person:
    return Person(person_id="acme:ann", email=email, seen_at=seen_at, **more)


def taken(*messages: Message, now: datetime = T, email: str | None = "Ann@x.example") -> MemoryRows:
    """The rows of a person with this address, if any, after these messages."""
    rows = MemoryRows("acme:ann")
    if email is not None:
        take(person(email, now - DAY), rows, now)
    for message in messages:
        take(message, rows, now)
    return rows


def take(message: Message, rows: MemoryRows, now: datetime = T) -> Sequence[Message]:
    return LETTERS.on[type(message)](message, rows, now)


def told(rows: MemoryRows, number: int = 1) -> Delivery:
    return delivery(f"letter/n{number}", rows)


def resend(number: int = 1) -> LetterResend:
    return LetterResend(recipient_id="acme:ann", notice_id=f"n{number}", at=T)


def answer(
    rows: MemoryRows,
    outcome: Any,
    now: datetime = T,
    stage: str = "rcpt",
    text: str = "450 later",
    verdict: Verdict | None = None,
    digest: str | None = None,
) -> None:
    """What came of a try, to the person's address unless ``digest`` says another one."""
    to = rows["person"].digest if digest is None else digest
    deliveries.settle(CALL, Reply(outcome, stage, text, "<n1@x>", verdict, digest=to), rows, now)


def test_a_notice_is_queued_once_however_often_it_comes() -> None:
    rows = taken(notice())
    assert told(rows).status == "queued"
    assert rows[CALL] == Call(at=T, since=T)
    answer(rows, "sent")
    before = dict(rows)
    assert take(notice(), rows, T + DAY) == ()
    assert dict(rows) == before


def test_what_the_mailer_is_asked_is_the_notice_as_it_came() -> None:
    rows = taken(notice())
    asked = deliveries.request(CALL, rows, T, {}, {})
    assert asked is not None
    assert asked.notices == (notice(),)


def test_a_sent_letter_is_recorded_with_its_message_id_and_not_called_for_again() -> None:
    rows = taken(notice())
    answer(rows, "sent", T + MINUTE, "data", "250 taken")
    fact = told(rows)
    assert (fact.status, fact.attempts, fact.version) == ("sent", 1, 2)
    assert (fact.message_id, fact.reply, fact.at) == ("<n1@x>", "250 taken", T + MINUTE)
    assert CALL not in rows


def test_a_letter_that_may_have_been_sent_before_counts_that() -> None:
    rows = taken(notice())
    rows[CALL] = Call(at=T, since=T, ambiguous=True)
    answer(rows, "sent")
    assert told(rows).ambiguous == 1


PAUSES = [1, 5, 15, 30, 60, 120, 240, 240]


@pytest.mark.parametrize("verdict", ["later", "ours", None])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "write"])
def test_pauses_grow_whatever_the_server_left_open(stage: str, verdict: Verdict | None) -> None:
    rows = taken(notice())
    now = T
    for attempts, minutes in enumerate(PAUSES, 1):
        answer(rows, "deferred", now, stage, verdict=verdict)
        fact = told(rows)
        assert (fact.status, fact.attempts) == ("deferred", attempts)
        assert fact.next_at is not None
        assert 0.8 * minutes * MINUTE <= fact.next_at - now <= 1.2 * minutes * MINUTE
        call: Call = rows[CALL]
        assert (call.at, call.since) == (fact.next_at, T)
        now = fact.next_at


def test_letters_of_one_moment_are_spread() -> None:
    pauses = {spread_pause(f"n{number}", 1, deliveries.PAUSES) for number in range(100)}
    assert len(pauses) == 100


@pytest.mark.parametrize("verdict", ["later", "ours"])
def test_a_letter_is_given_up_three_days_after_its_first_try(verdict: Verdict) -> None:
    rows = taken(notice())
    first, now, tries = T + DAY, T + DAY, 0
    while told(rows).status in ("queued", "deferred"):
        answer(rows, "deferred", now, verdict=verdict)
        tries += 1
        assert tries < 100
        now = told(rows).next_at or now
    assert first + 2 * DAY < now <= first + 3 * DAY
    fact = told(rows)
    assert fact.status == "bounced"
    assert fact.reply == "given up after 3 days: 450 later"
    assert CALL not in rows
    take(notice("contract-concluded", 2), rows)
    assert told(rows, 2).status == "queued", "that suppresses nothing"


def test_the_time_that_the_server_was_down_is_not_one_of_the_three_days() -> None:
    """Nothing was tried then, so a try before and one after are two tries."""
    rows = taken(notice())
    answer(rows, "deferred", T)
    for number in range(1, 5):
        answer(rows, "deferred", T + number * 2 * DAY)
        assert told(rows).status == "deferred"
    answer(rows, "sent", T + 9 * DAY)
    assert told(rows).status == "sent"


def test_a_letter_that_may_have_been_delivered_without_a_reply_counts_if_it_goes_out_again() -> (
    None
):
    """Such as one whose last dot was not answered in time (swiftmailer#828)."""
    rows = taken(notice())
    deliveries.settle(
        CALL, Reply("deferred", "data", "timed out", "<n1@x>", None, is_open=True), rows, T
    )
    assert told(rows).ambiguous == 0
    assert rows[CALL].ambiguous
    answer(rows, "sent", T + MINUTE)
    assert (told(rows).ambiguous, told(rows).attempts) == (1, 2)


def test_a_letter_of_no_use_any_more_is_suppressed_and_was_not_tried() -> None:
    rows = taken(notice("deadline-reminder"))
    answer(rows, "too-late", T + DAY, "write", "not sent: it was useful until then")
    fact = told(rows)
    assert (fact.status, fact.attempts) == ("suppressed", 0)
    assert fact.reply == "not sent: it was useful until then"
    assert CALL not in rows


LATE = [
    # kind, closes_at, confirm_by, wanted_at, is too late at T
    ("deadline-reminder", T, None, T - DAY, True),
    ("deadline-reminder", T + MINUTE, None, T - DAY, False),
    ("deadline-reminder", T - DAY, None, T - MINUTE, False),  # ops asked for it after its time
    ("deadline-reminder", None, None, T - DAY, False),
    ("invitation", T, None, T - DAY, True),
    ("condition-improved", T, None, T - DAY, True),
    ("confirm-application", T, None, T - DAY, True),
    ("confirm-order", T + DAY, T, T - DAY, True),
    ("confirm-order", T - MINUTE, T + DAY, T - DAY, False),
    # These tell how something ended, or what somebody has: they are sent however late.
    ("order-counted", T - MINUTE, None, T - DAY, False),
    ("id-issued", T - MINUTE, None, T - DAY, False),
    ("right-intercepted", T - MINUTE, None, T - DAY, False),
    ("contract-concluded", T - MINUTE, None, T - DAY, False),
    ("contract-failed", T - MINUTE, None, T - DAY, False),
    ("favor-given", T - MINUTE, None, T - DAY, False),
    ("payment-failed", T - MINUTE, None, T - DAY, False),
]


@pytest.mark.parametrize(("kind", "closes_at", "confirm_by", "wanted_at", "is_late"), LATE)
def test_only_a_letter_that_would_mislead_is_too_late(
    kind: LetterKind,
    closes_at: datetime | None,
    confirm_by: datetime | None,
    wanted_at: datetime,
    *,
    is_late: bool,
) -> None:
    says = Says(party_id="ann", closes_at=closes_at, confirm_by=confirm_by)
    of = notice(kind).model_copy(update={"says": says})
    assert bool(too_late(of, wanted_at, T)) == is_late


@pytest.mark.parametrize(
    ("kind", "says", "at", "is_late"),
    [
        ("order-waits", {"closes_at": T}, T - DAY, True),
        ("order-waits", {"closes_at": T + MINUTE}, T - DAY, False),
        ("links-again", {}, T - DAY, True),
        ("links-again", {}, T - DAY + MINUTE, False),
        ("data-link", {}, T - DAY, True),
        ("group-message", {"closes_at": T - MINUTE}, T - 9 * DAY, False),
    ],
)
def test_a_call_to_pay_and_links_are_too_late_after_their_time(
    kind: LetterKind, says: dict[str, datetime], at: datetime, *, is_late: bool
) -> None:
    changed = {"says": Says(party_id="ann", **says), "at": at}  # type: ignore[arg-type]
    of = notice(kind).model_copy(update=changed)
    assert bool(too_late(of, T - 2 * DAY, T)) == is_late


def test_a_letter_of_several_notices_leaves_out_those_that_are_too_late() -> None:
    def invitation(number: int, closes_at: datetime) -> Notice:
        says = Says(party_id="ann", closes_at=closes_at)
        changed: Notice = notice("invitation", number).model_copy(update={"says": says})
        return changed

    late, open_ = invitation(1, T), invitation(2, T + MINUTE)
    assert in_time((late, open_), T - DAY, T) == (
        (open_,),
        "not sent: it was useful until 2026-05-04 09:00 UTC",
    )
    assert in_time((late,), T - DAY, T)[0] == ()
    assert in_time((open_,), T - DAY, T) == ((open_,), "")


@pytest.mark.parametrize(
    ("stage", "verdict", "suppresses"),
    [
        ("rcpt", "gone", True),
        ("rcpt", "refused", False),
        ("data", "refused", False),
        ("write", None, False),
    ],
)
def test_only_an_address_without_a_mailbox_gets_no_further_letters_however_it_is_written(
    stage: str, verdict: Verdict | None, suppresses: bool
) -> None:
    rows = taken(notice())
    answer(rows, "bounced", stage=stage, text="550 no such user", verdict=verdict)
    assert told(rows).status == "bounced"
    take(person("ann@X.example"), rows)
    take(notice("contract-concluded", 2), rows)
    take(person("ann@new.example"), rows)
    take(notice("contract-concluded", 3), rows)
    assert told(rows, 2).status == ("suppressed" if suppresses else "queued")
    if suppresses:
        assert told(rows, 2).reply == "the address was refused: 550 no such user"
        assert "call/letter/n2" not in rows
    assert told(rows, 3).status == "queued"


@pytest.mark.parametrize(
    ("refused", "same", "others"),
    [
        ("a..b@docomo.ne.jp", '"a..b"@DOCOMO.ne.jp', ["a.b@docomo.ne.jp"]),
        ("ann@bücher.example", "Ann@xn--bcher-kva.example", ["ann@bucher.example"]),
        ("ann@straße.example", "ann@xn--strae-oqa.example", ["ann@strasse.example"]),
        ("Jörg@x.example", "jo\u0308rg@x.example", ["jorg@x.example"]),
        (" ann@x.example", "\uff41nn\uff20x.example", ["ann+shop@x.example"]),
        ("ann+shop@gmail.com", "ANN+shop@gmail.com", ["ann@gmail.com", "a.nn+shop@gmail.com"]),
    ],
)
def test_an_address_that_was_refused_gets_no_more_letters_in_any_of_its_spellings(
    refused: str, same: str, others: list[str]
) -> None:
    """A provider's special rules are not applied: another address may well exist."""
    rows = taken(notice(), email=refused)
    answer(rows, "bounced", stage="rcpt", text="550 no such user", verdict="gone")
    take(person(same), rows)
    take(notice("contract-concluded", 2), rows)
    assert told(rows, 2).status == "suppressed"
    for number, other in enumerate(others, 3):
        take(person(other), rows)
        take(notice("contract-concluded", number), rows)
        assert told(rows, number).status == "queued"


def unsubscribed(kind: Any, at: datetime = T) -> Unsubscribed:
    return Unsubscribed(recipient_id="acme:ann", kind=kind, at=at)


def resubscribed(kind: Any, at: datetime = T) -> Resubscribed:
    return Resubscribed(recipient_id="acme:ann", kind=kind, at=at)


@pytest.mark.parametrize(
    ("preferences", "kind", "reason"),
    [
        ([], "invitation", None),
        ([unsubscribed("invitation")], "invitation", "unsubscribed from invitation"),
        ([unsubscribed("all")], "invitation", "unsubscribed"),
        ([unsubscribed("invitation")], "offer-judged", None),
        ([unsubscribed("all")], "contract-concluded", None),
        ([unsubscribed("contract-concluded")], "contract-concluded", None),
        ([unsubscribed("all"), resubscribed("all", T + MINUTE)], "invitation", None),
        ([resubscribed("all", T + MINUTE), unsubscribed("all")], "invitation", None),
        ([unsubscribed("all"), unsubscribed("all")], "invitation", "unsubscribed"),
        ([resubscribed("all"), unsubscribed("all", T + MINUTE)], "invitation", "unsubscribed"),
    ],
)
def test_only_what_can_be_unsubscribed_is_and_the_latest_word_counts(
    preferences: list[Message], kind: Any, reason: str | None
) -> None:
    fact = told(taken(*preferences, notice(kind)))
    assert fact.reply == reason
    assert fact.status == ("suppressed" if reason else "queued")


def of_mailbox(email: str, *, wanted: bool = False, at: datetime = T) -> Preference:
    word = Resubscribed if wanted else Unsubscribed
    mailbox = mailbox_of("acme:ann", email)
    return word(recipient_id="acme:ann", kind="invitation", at=at, mailbox=mailbox)


@pytest.mark.parametrize(
    ("preferences", "email", "is_sent"),
    [
        ([of_mailbox("ann@x.example")], "ann@x.example", False),
        ([of_mailbox("ann@x.example")], "Ann@X.example", False),
        ([of_mailbox("ann@x.example")], "ann+tag@x.example", False),
        ([of_mailbox("a..b@docomo.ne.jp")], '"a..b"@docomo.ne.jp', False),
        ([of_mailbox("ann@bücher.example")], "ann@xn--bcher-kva.example", False),
        ([of_mailbox("ann@straße.example")], "ann@xn--strae-oqa.example", False),
        ([of_mailbox("ann@straße.example")], "ann@strasse.example", True),
        ([of_mailbox("ann@x.example")], "\u3000ann\uff20x.example.", False),
        # Somebody named her id with an address of their own, and followed that letter's link.
        ([of_mailbox("stranger@evil.example")], "ann@x.example", True),
        ([of_mailbox("ann@x.example")], "ann@new.example", True),
        (
            [of_mailbox("ann@x.example"), of_mailbox("stranger@evil.example", wanted=True)],
            "ann@x.example",
            False,
        ),
        (
            [of_mailbox("ann@x.example"), resubscribed("invitation", T + MINUTE)],
            "ann@x.example",
            True,
        ),
        (
            [resubscribed("invitation"), of_mailbox("ann@x.example", at=T + MINUTE)],
            "ann@x.example",
            False,
        ),
    ],
)
def test_a_letter_s_link_speaks_for_the_mailbox_it_came_to_and_no_other(
    preferences: list[Message], email: str, *, is_sent: bool
) -> None:
    fact = told(taken(*preferences, notice("invitation"), email=email))
    assert fact.status == ("queued" if is_sent else "suppressed")


def test_another_s_mailbox_is_another_s_though_the_address_is_the_same() -> None:
    assert mailbox_of("ann", "x@x.example") != mailbox_of("bob", "x@x.example")
    assert mailbox_of("ann", "x@x.example") == mailbox_of("ann", "X+y@x.example")


def test_who_unsubscribes_while_a_letter_waits_for_another_try_does_not_get_it() -> None:
    rows = taken(notice("invitation"))
    take(unsubscribed("invitation"), rows)
    answer(rows, "deferred")
    assert told(rows).status == "suppressed"
    assert CALL not in rows


def test_ops_can_have_a_letter_sent_again_though_its_address_was_refused() -> None:
    rows = taken(notice())
    answer(rows, "bounced", text="550 no such user", verdict="gone")
    take(resend(), rows, T + DAY)
    assert told(rows).status == "queued"
    assert rows[CALL] == Call(at=T + DAY, since=T + DAY)
    answer(rows, "deferred", T + 9 * DAY)
    assert told(rows).status == "deferred"
    take(notice(number=2), rows)
    assert told(rows, 2).status == "queued"


def test_a_letter_nobody_knows_can_t_be_sent_again() -> None:
    rows = taken(resend(), email=None)
    assert dict(rows) == {}


def test_after_thirty_days_only_that_it_was_sent_is_known() -> None:
    rows = taken(notice())
    assert rows["due/forget/n1"] == Due(T + 30 * DAY)
    answer(rows, "sent")
    before = told(rows)
    deliveries.forget("due/forget/n1", rows, T + 30 * DAY)
    assert told(rows) == before
    assert not any(name.startswith("content/") for name in rows)
    take(notice(), rows, T + 31 * DAY)
    take(resend(), rows, T + 31 * DAY)
    assert told(rows) == before


@pytest.mark.parametrize("owner", ["", "a worker"])
def test_a_letter_that_was_asked_for_again_keeps_its_content(owner: str) -> None:
    rows = taken(notice())
    answer(rows, "bounced")
    take(resend(), rows, T + 29 * DAY)
    rows[CALL].owner = owner
    deliveries.forget("due/forget/n1", rows, T + 30 * DAY)
    assert deliveries.request(CALL, rows, T + 30 * DAY, {}, {}).notices
    assert rows["due/forget/n1"] == Due(T + (31 if owner else 59) * DAY)
    assert told(rows).status == "queued"


def test_a_letter_that_could_not_be_tried_for_thirty_days_is_given_up() -> None:
    rows = taken(notice())
    del rows["due/forget/n1"]  # as the runtime does before it calls the rule
    deliveries.forget("due/forget/n1", rows, T + 30 * DAY)
    fact = told(rows)
    assert (fact.status, fact.attempts) == ("bounced", 0)
    assert fact.reply == "given up after 30 days: it was never tried"
    assert set(rows) == {"letter/n1", "person"}
