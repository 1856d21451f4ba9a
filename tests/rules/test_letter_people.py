"""Letters and people: the newest address is used, letters wait for one, an erased person gets none.

The rows of the recipient are the only place of the notifier where an address stands.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.rows import ROWS_PER_CALL, Call, Due, MemoryRows
from schemas.letters import NOTICES
from schemas.people import PEOPLE, Person, PersonErased
from services.notifier.processor import LETTERS
from services.notifier.rows import Reply
from services.notifier.rules import deliveries, people
from services.notifier.rules.verdicts import Verdict
from tests.rules.test_notifier_rules import (
    CALL,
    DAY,
    MINUTE,
    T,
    answer,
    notice,
    person,
    resend,
    resubscribed,
    take,
    taken,
    told,
    unsubscribed,
)

HOUR = timedelta(hours=1)
ERASED = PersonErased(person_id="acme:ann")


def asked(rows: MemoryRows, number: int = 1) -> Person:
    """The person to whom the mailer is asked to send a letter."""
    request = deliveries.request(f"call/letter/n{number}", rows, T, {}, {})
    assert request is not None
    fields = asdict(request.person)
    del fields["digest"]
    return Person(person_id=rows.key, **fields)


def go_on(rows: MemoryRows) -> int:
    """Run chunks to their end; how many there were."""
    count = 0
    while chunk := next((name for name in rows if name.startswith("chunk/")), ""):
        LETTERS.chunks[chunk.removeprefix("chunk/")](rows, T)
        count += 1
    return count


def expire(rows: MemoryRows, number: int = 1) -> None:
    """The hour in which an address could come is over."""
    name = f"due/address/n{number}"
    due = rows.pop(name)  # as the runtime does before it calls the rule
    people.give_up(name, rows, due.at)


# --- a letter without an address -----------------------------------------------------------------


def test_of_one_moment_the_person_comes_before_the_notice() -> None:
    """The inputs of a partition are merged by time, and of one time in this order."""
    assert LETTERS.inputs.index(PEOPLE) < LETTERS.inputs.index(NOTICES)


def test_a_letter_waits_for_its_address_and_then_goes_out_at_once() -> None:
    rows = taken(notice(), email=None)
    assert told(rows).status == "queued"
    assert CALL not in rows
    assert rows["due/address/n1"] == Due(T + HOUR)
    take(person(name="Ann"), rows, T + MINUTE)
    assert rows[CALL] == Call(at=T + MINUTE, since=T)
    assert asked(rows) == person(name="Ann")
    fact = told(rows)
    assert (fact.status, fact.version, fact.queued_at, fact.at) == ("queued", 2, T, T + MINUTE)
    assert not [name for name in rows if name.startswith(("waiting/", "due/address/"))]


def test_a_letter_that_is_not_wanted_is_not_sent_when_the_address_comes() -> None:
    rows = taken(unsubscribed("all"), notice("invitation"), notice(number=2), email=None)
    take(person(), rows, T + MINUTE)
    fact = told(rows)
    assert (fact.status, fact.reply, fact.version) == ("suppressed", "unsubscribed", 2)
    assert CALL not in rows
    take(resubscribed("all", T + MINUTE), rows)
    take(notice("invitation", 3), rows)
    assert told(rows, 3).status == "queued"


def test_after_an_hour_without_an_address_a_letter_is_given_up() -> None:
    rows = taken(notice(), email=None)
    expire(rows)
    fact = told(rows)
    assert (fact.status, fact.reply) == ("suppressed", "no address is known")
    assert (fact.attempts, fact.version, fact.at) == (0, 2, T + HOUR)
    take(person(), rows, T + 2 * HOUR)
    assert told(rows) == fact
    take(resend(), rows, T + 3 * HOUR)
    assert rows[CALL] == Call(at=T + 3 * HOUR, since=T + 3 * HOUR)


def test_a_letter_that_is_sent_again_by_hand_waits_for_an_address_again() -> None:
    rows = taken(notice(), email=None)
    expire(rows)
    take(resend(), rows, T + DAY)
    assert told(rows).status == "queued"
    take(person(), rows, T + DAY + MINUTE)
    assert rows[CALL] == Call(at=T + DAY + MINUTE, since=T + DAY)


def test_a_letter_that_waits_for_an_address_keeps_its_content() -> None:
    rows = taken(notice(), email=None)
    expire(rows)
    take(resend(), rows, T + 30 * DAY - MINUTE)
    deliveries.forget("due/forget/n1", rows, T + 30 * DAY)
    take(person(), rows, T + 30 * DAY + MINUTE)
    assert asked(rows) == person()
    assert rows["due/forget/n1"] == Due(T + 31 * DAY)


@pytest.mark.parametrize("email", ["Ann@x.example", None])
def test_what_comes_again_changes_nothing(email: str | None) -> None:
    rows = taken(notice(), email=email)
    before = dict(rows)
    take(notice(), rows, T + MINUTE)
    assert dict(rows) == before
    take(person(), rows)
    before = dict(rows)
    take(person(), rows, T + MINUTE)
    assert dict(rows) == before


# --- the newest address --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "kept"),
    [
        ([("old@x.example", T), ("new@x.example", T + MINUTE)], "new@x.example"),
        ([("new@x.example", T), ("old@x.example", T - MINUTE)], "new@x.example"),
        ([("one@x.example", T), ("other@x.example", T)], "other@x.example"),
        ([("a@x.example", T - DAY), ("b@x.example", T), ("c@x.example", T - HOUR)], "b@x.example"),
    ],
)
def test_the_address_that_was_seen_last_counts(seen: list[tuple[str, datetime]], kept: str) -> None:
    rows = taken(*(person(email, at) for email, at in seen), notice(), email=None)
    assert asked(rows).email == kept


def test_the_next_try_goes_to_the_new_address_as_its_owner_reads() -> None:
    rows = taken(notice())
    answer(rows, "deferred")
    due = rows[CALL]
    new = person("ann@new.example", T + MINUTE, name="安", locale="ja", time_zone="Asia/Tokyo")
    take(new, rows)
    assert asked(rows) == new
    assert rows[CALL] == due
    take(notice(number=2), rows)
    assert asked(rows, 2) == new


def test_a_letter_that_bounced_stays_so_when_the_address_changes() -> None:
    rows = taken(notice())
    answer(rows, "bounced", text="550 no such user", verdict="gone")
    before = told(rows)
    take(person("ann@new.example", T + MINUTE), rows)
    assert told(rows) == before
    assert CALL not in rows


def test_a_refusal_is_about_the_address_that_the_letter_went_to() -> None:
    rows = taken(notice())
    tried = rows["person"].digest
    take(person("ann@new.example", T + MINUTE), rows)
    answer(rows, "bounced", text="550 no such user", verdict="gone", digest=tried)
    take(notice("contract-concluded", 2), rows)
    assert told(rows, 2).status == "queued"
    take(person("ann@X.example", T + 2 * MINUTE), rows)
    take(notice("contract-concluded", 3), rows)
    assert told(rows, 3).reply == "the address was refused: 550 no such user"


# --- erased --------------------------------------------------------------------------------------


def waits_for_address() -> MemoryRows:
    return taken(notice(), email=None)


def waits_for_its_first_try() -> MemoryRows:
    return taken(notice())


def waits_for_another_try() -> MemoryRows:
    rows = taken(notice())
    answer(rows, "deferred")
    return rows


@pytest.mark.parametrize(
    "waiting", [waits_for_address, waits_for_its_first_try, waits_for_another_try]
)
def test_a_letter_that_waits_when_its_person_is_erased_is_not_sent(
    waiting: Callable[[], MemoryRows],
) -> None:
    rows = waiting()
    before = told(rows)
    take(ERASED, rows, T + MINUTE)
    fact = told(rows)
    assert (fact.status, fact.reply) == ("suppressed", "the person was erased")
    assert (fact.attempts, fact.next_at, fact.at) == (before.attempts, None, T + MINUTE)
    assert fact.version == before.version + 1
    assert set(rows) == {"letter/n1", "erased"}


def test_of_an_erased_person_only_outcomes_and_wishes_are_kept() -> None:
    rows = taken(unsubscribed("invitation"), notice(), notice("invitation", 2))
    answer(rows, "bounced", text="550 no such user", verdict="gone")
    before = told(rows), told(rows, 2)
    take(ERASED, rows, T + MINUTE)
    go_on(rows)
    assert (told(rows), told(rows, 2)) == before
    assert set(rows) == {"letter/n1", "letter/n2", "preference/invitation/", "erased"}
    take(resend(), rows, T + DAY)
    assert (told(rows), told(rows, 2)) == before
    kept = dict(rows)
    take(ERASED, rows, T + MINUTE)
    assert dict(rows) == kept


UNDER_WAY: list[tuple[str, Verdict | None, str, str, int]] = [
    # The outcome, its meaning; the letter's status, reply and tries.
    ("sent", None, "sent", "the answer", 1),
    ("bounced", "gone", "bounced", "the answer", 1),
    ("bounced", "refused", "bounced", "the answer", 1),
    ("deferred", "later", "suppressed", "the person was erased", 1),
    ("too-late", None, "suppressed", "the answer", 0),
]


@pytest.mark.parametrize(("outcome", "verdict", "status", "reply", "attempts"), UNDER_WAY)
def test_what_becomes_of_a_letter_that_is_under_way_is_still_known(
    outcome: str, verdict: Verdict | None, status: str, reply: str, attempts: int
) -> None:
    rows = taken(notice())
    tried = rows["person"].digest
    rows[CALL] = Call(at=T, since=T, owner="a worker", claim="c-1")
    take(ERASED, rows)
    answer(rows, outcome, text="the answer", verdict=verdict, digest=tried)
    fact = told(rows)
    assert (fact.status, fact.reply, fact.attempts) == (status, reply, attempts)
    assert set(rows) == {"letter/n1", "erased"}


def test_a_letter_under_way_whose_worker_died_is_not_sent_after_the_erasure() -> None:
    """Not even if the person came back before the next worker takes it up."""
    rows = taken(notice())
    rows[CALL] = Call(at=T, since=T, owner="a worker", claim="c-1", ambiguous=True)
    take(ERASED, rows)
    take(person("ann@new.example"), rows)
    assert deliveries.request(CALL, rows, T, {}, {}) is None
    deliveries.settle(CALL, Reply("erased", "write", "the person was erased"), rows, T)
    fact = told(rows)
    assert (fact.status, fact.reply) == ("suppressed", "the person was erased")
    assert (fact.attempts, fact.ambiguous) == (0, 1)
    assert CALL not in rows


def test_a_person_who_comes_back_begins_anew() -> None:
    rows = taken(notice())
    answer(rows, "bounced", text="550 no such user", verdict="gone")
    take(ERASED, rows, T + MINUTE)
    go_on(rows)
    take(person(seen_at=T - DAY), rows, T + HOUR)
    assert "erased" not in rows
    take(notice("contract-concluded", 2), rows, T + HOUR)
    assert told(rows, 2).status == "queued"
    assert asked(rows, 2) == person(seen_at=T - DAY)


def test_a_letter_to_an_erased_person_waits_for_a_new_address_and_says_why_it_ends() -> None:
    rows = taken(ERASED, notice())
    expire(rows)
    assert told(rows).reply == "the person was erased"
    take(notice(number=2), rows)
    take(person(), rows)
    assert asked(rows, 2) == person()


# --- many letters --------------------------------------------------------------------------------

MANY = 2 * ROWS_PER_CALL + 1


@pytest.mark.slow
def test_many_letters_that_waited_go_out_some_at_a_time() -> None:
    rows = taken(*(notice(number=number) for number in range(MANY)), email=None)
    take(person(), rows)
    assert sum(name.startswith("call/") for name in rows) == ROWS_PER_CALL
    assert go_on(rows) == 2
    assert sum(name.startswith("call/") for name in rows) == MANY
    assert not [name for name in rows if name.startswith("waiting/")]


@pytest.mark.slow
def test_many_letters_are_erased_some_at_a_time() -> None:
    rows = taken(*(notice(number=number) for number in range(MANY)))
    take(ERASED, rows)
    assert "person" not in rows
    assert sum(name.startswith("content/") for name in rows) == MANY - ROWS_PER_CALL
    assert go_on(rows) == 2
    assert {told(rows, number).status for number in range(MANY)} == {"suppressed"}
    assert {name.partition("/")[0] for name in rows} == {"letter", "erased"}


# --- where an address stands ---------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("person", "notice", "resend", "erase", "answer", "hour", "month")),
        st.integers(0, 3),
    ),
    max_size=40,
)


def step(rows: MemoryRows, what: str, number: int, now: datetime) -> None:
    """One thing that happens to a person; most steps are about the letter of a number."""
    call = f"call/letter/n{number}"
    match what:
        case "person":
            email, name = f"secret{number}@mail.example", f"Secret {number}"
            take(person(email, T + number * MINUTE, name=name), rows, now)
        case "notice":
            take(notice(number=number), rows, now)
        case "resend":
            take(resend(number), rows, now)
        case "erase":
            take(ERASED, rows, now)
            go_on(rows)
        case "answer" if call in rows:
            request = deliveries.request(call, rows, now, {}, {})
            assert request is not None
            outcome: Any = ("sent", "deferred", "bounced", "bounced")[number]
            verdict: Verdict | None = "gone" if number == 3 else None
            reply = Reply(outcome, "rcpt", "words", verdict=verdict, digest=request.person.digest)
            deliveries.settle(call, reply, rows, now)
        case "hour" if f"due/address/n{number}" in rows:
            expire(rows, number)
        case "month" if f"due/forget/n{number}" in rows:
            del rows[f"due/forget/n{number}"]
            deliveries.forget(f"due/forget/n{number}", rows, now)


@given(STEPS)
def test_an_address_stands_in_the_person_s_row_alone(steps: list[tuple[str, int]]) -> None:
    rows = taken(email=None)
    for minute, (what, number) in enumerate(steps):
        step(rows, what, number, T + minute * MINUTE)
        kept = {name: asdict(row) for name, row in rows.items() if name != "person"}
        facts = [delivery.model_dump() for delivery in facts_of(rows)]
        assert "secret" not in json.dumps([kept, facts], default=str).lower()
        # A letter is to be sent, or waits for an address, only while its content is there.
        for name in rows:
            if name.startswith(("call/", "waiting/")):
                assert f"content/{name.rpartition('/')[2]}" in rows
                assert name.startswith("call/") == ("person" in rows)


def facts_of(rows: MemoryRows) -> list[Any]:
    return [told(rows, int(name[len("letter/n") :])) for name in rows if name.startswith("letter/")]
