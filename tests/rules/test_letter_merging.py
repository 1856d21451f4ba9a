"""Several notices become one letter: each is told once, and nothing is told too late."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.rows import Call, MemoryRows
from schemas.letters import Delivery, LetterKind, Notice, Says, ShownOffer
from schemas.parts import Message, Product
from schemas.people import PersonErased
from services.notifier.__main__ import as_set
from services.notifier.processor import letters
from services.notifier.rows import Reply, Request, delivery
from services.notifier.rules import deliveries
from services.notifier.rules.merging import MERGED_MAX, told
from tests.rules.test_notifier_rules import DAY, MINUTE, T, person, resend, resubscribed
from tests.rules.test_notifier_rules import unsubscribed as no_more

FIVE = 5 * MINUTE
LETTERS = letters(FIVE)
ERASED = PersonErased(person_id="acme:ann")
SECOND = timedelta(seconds=1)


def offer(price: int) -> ShownOffer:
    return ShownOffer(
        offer_id=f"o{price}", seller_id="s", unit_price=price, minimum_reservations=10
    )


def improved(number: int, price: int = 90, before: int = 100, **more: Any) -> Notice:
    says = {"before": offer(before), "shown": offer(price), "quantity": 2, "reservations": 4}
    return of("condition-improved", number, says, **more)


def invited(number: int, about: str, **more: Any) -> Notice:
    return of("invitation", number, {"shown": offer(100), "minimum_step": 1}, about=about, **more)


def of(
    kind: LetterKind,
    number: int,
    says: dict[str, Any] | None = None,
    *,
    about: str = "tea",
    at: datetime = T,
    closes_at: datetime | None = T + DAY,
) -> Notice:
    told = {"product": Product(name=about), "currency": "EUR", "closes_at": closes_at}
    return Notice(
        notice_id=f"n{number}", kind=kind, recipient_id="acme:ann", about=about, at=at,
        says=Says(party_id="ann", **told, **(says or {})),
    )  # fmt: skip


def taken(*messages: Message, now: datetime = T, email: str | None = "ann@x.example") -> MemoryRows:
    rows = MemoryRows("acme:ann")
    if email:
        take(person(email, T - DAY), rows, now)
    for message in messages:
        take(message, rows, now)
    return rows


def take(message: Message, rows: MemoryRows, now: datetime = T) -> None:
    assert not LETTERS.on[type(message)](message, rows, now, {}, {})
    go_on(rows, now)


def go_on(rows: MemoryRows, now: datetime) -> None:
    while chunk := next((name for name in rows if name.startswith("chunk/")), ""):
        LETTERS.chunks[chunk.removeprefix("chunk/")](rows, now, {}, {})


def fact(rows: MemoryRows, number: int) -> Delivery:
    return delivery(f"letter/n{number}", rows)


def became(rows: MemoryRows) -> dict[str, str]:
    """By notice: the status, and the reply of a letter that was not tried."""
    found = {}
    for name in sorted(each for each in rows if each.startswith("letter/")):
        one = delivery(name, rows)
        found[one.notice_id] = one.reply or one.status if one.attempts == 0 else one.status
    return found


def claim(rows: MemoryRows, number: int, now: datetime = T) -> Request | None:
    """What the mailer is asked, once a worker has claimed the letter."""
    name = f"call/letter/n{number}"
    rows[name] = replace(rows[name], owner="worker", claim="c")
    return deliveries.request(name, rows, now, {}, {})


def answer(rows: MemoryRows, number: int, outcome: Any = "sent", now: datetime = T) -> None:
    text = {"sent": "250 ok", "deferred": "450 later", "bounced": "550 no"}.get(outcome, "words")
    reply = Reply(outcome, "data", text, f"<n{number}@x>")
    deliveries.settle(f"call/letter/n{number}", reply, rows, now, {}, {})


def waits_until(rows: MemoryRows, number: int) -> datetime:
    call: Call = rows[f"call/letter/n{number}"]
    return call.at


# --- who joins whom ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "notices", "apart"),
    [
        ("takeovers of one auction", [improved(1), improved(2, 80, 90)], []),
        ("takeovers of two auctions", [improved(1), improved(2, about="oil")], ["n2"]),
        ("invitations to two auctions", [invited(1, "tea"), invited(2, "oil")], []),
        ("two kinds", [improved(1), invited(2, "tea")], ["n2"]),
        ("results", [of("offer-judged", 1), of("offer-judged", 2, about="oil")], []),
        ("contractual", [of("right-intercepted", 1), of("right-intercepted", 2)], ["n2"]),
        ("a reminder", [of("deadline-reminder", 1), of("deadline-reminder", 2)], ["n2"]),
        ("what comes again", [improved(1), improved(1)], []),
    ],
)
def test_which_notices_share_a_letter(name: str, notices: list[Notice], apart: list[str]) -> None:
    rows = taken(*notices)
    calls = {each.rpartition("/")[2] for each in rows if each.startswith("call/")}
    assert calls == {"n1", *apart}, name
    for notice in notices:
        if notice.notice_id not in calls:
            assert became(rows)[notice.notice_id] == "merged into n1"
    asked = claim(rows, 1)
    assert asked is not None
    joined = [each for each in notices if each.notice_id not in apart]
    assert list(asked.notices) == list(dict.fromkeys(joined))


def test_a_contractual_letter_never_waits() -> None:
    for number, kind in enumerate(("right-intercepted", "contract-concluded", "order-counted")):
        rows = taken(of(kind, number))  # type: ignore[arg-type]
        assert waits_until(rows, number) == T
        assert "merging" not in str(list(rows))


@pytest.mark.parametrize(
    ("closes_in", "waits"),
    [
        (None, FIVE),
        (DAY, FIVE),
        (10 * MINUTE, FIVE),
        (10 * MINUTE - 2 * SECOND, FIVE - SECOND),
        (4 * MINUTE, 2 * MINUTE),
        (timedelta(0), timedelta(0)),
        (-DAY, timedelta(0)),
    ],
)
def test_no_notice_waits_for_more_than_half_of_its_time(
    closes_in: timedelta | None, waits: timedelta
) -> None:
    rows = taken(improved(1, closes_at=T + closes_in if closes_in is not None else None))
    assert waits_until(rows, 1) == T + waits


def test_a_later_notice_can_shorten_the_wait_and_not_lengthen_it() -> None:
    rows = taken(invited(1, "tea"))
    take(invited(2, "oil"), rows, T + 2 * MINUTE)
    assert waits_until(rows, 1) == T + FIVE
    take(invited(3, "salt", closes_at=T + 4 * MINUTE), rows, T + 2 * MINUTE)
    assert waits_until(rows, 1) == T + 3 * MINUTE


def test_with_no_minutes_each_letter_goes_out_at_once() -> None:
    at_once = letters(timedelta(0))
    rows = taken()
    for notice in (improved(1), improved(2, 80, 90)):
        at_once.on[Notice](notice, rows, T, {}, {})
    assert [waits_until(rows, number) for number in (1, 2)] == [T, T]
    assert not [name for name in rows if name.startswith("merging/")]


def test_the_setting_says_how_long_a_worker_s_letters_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for minutes, waits in (("0.5", MINUTE / 2), ("0", timedelta(0))):
        monkeypatch.setenv("MERGE_MINUTES", minutes)
        (processor,) = as_set()
        rows = taken()
        processor.on[Notice](improved(1), rows, T, {}, {})
        assert waits_until(rows, 1) == T + waits


@pytest.mark.parametrize(
    ("name", "then"),
    [
        ("is under way", lambda rows: claim(rows, 1)),
        ("was tried", lambda rows: (claim(rows, 1), answer(rows, 1, "deferred"))),
        ("was sent", lambda rows: (claim(rows, 1), answer(rows, 1))),
        ("bounced", lambda rows: (claim(rows, 1), answer(rows, 1, "bounced"))),
        (
            "may have been sent",
            lambda rows: rows.update({"call/letter/n1": Call(at=T, since=T, ambiguous=True)}),
        ),
    ],
)
def test_a_letter_that_can_change_no_more_takes_no_more(name: str, then: Any) -> None:
    rows = taken(improved(1))
    then(rows)
    take(improved(2, 80, 90), rows)
    assert fact(rows, 2).status == "queued", name
    take(improved(3, 70, 80), rows)
    assert became(rows)["n3"] == "merged into n2"


def test_a_claim_that_is_given_back_lets_notices_join_again() -> None:
    """While the mail server is down, one letter grows instead of many that wait."""
    rows = taken(improved(1))
    claim(rows, 1)
    rows["call/letter/n1"] = replace(rows["call/letter/n1"], owner="")
    take(improved(2, 80, 90), rows, T + DAY)
    assert became(rows)["n2"] == "merged into n1"


def test_a_full_letter_takes_no_more() -> None:
    rows = taken(*(invited(number, f"a{number}") for number in range(MERGED_MAX + 1)))
    assert became(rows)[f"n{MERGED_MAX - 1}"] == "merged into n0"
    assert fact(rows, MERGED_MAX).status == "queued"


# --- what it tells -------------------------------------------------------------------------------


@pytest.mark.parametrize("in_order", [True, False])
def test_better_terms_are_told_from_the_first_to_the_newest(in_order: bool) -> None:
    """Whatever the order in which the notices came."""
    notices = [
        improved(1, 90, 100, at=T), improved(2, 80, 90, at=T + MINUTE),
        improved(3, 70, 80, at=T + 2 * MINUTE),
    ]  # fmt: skip
    (one,) = told(notices if in_order else notices[::-1])
    assert one.says.before == offer(100)
    assert one.says.shown == offer(70)
    assert one.at == T + 2 * MINUTE


def test_of_two_invitations_to_an_auction_the_newer_is_told() -> None:
    old, new = invited(1, "tea", at=T), invited(2, "tea", at=T + MINUTE)
    assert list(told([new, invited(3, "oil"), old])) == [invited(3, "oil"), new]


# --- what happens between ------------------------------------------------------------------------


def test_a_recipient_who_unsubscribes_between_gets_no_letter() -> None:
    rows = taken(improved(1), improved(2, 80, 90))
    take(no_more("condition-improved"), rows)
    asked = claim(rows, 1)
    assert asked is not None
    assert asked.unwanted == "unsubscribed from condition-improved"
    answer(rows, 1, "unwanted")
    assert fact(rows, 1).status == "suppressed"
    assert fact(rows, 1).attempts == 0
    take(resubscribed("condition-improved", T + MINUTE), rows)
    take(improved(3, 70, 80), rows)
    assert fact(rows, 3).status == "queued"


def test_a_letter_that_ops_want_again_goes_to_one_who_unsubscribed() -> None:
    rows = taken(improved(1))
    take(no_more("condition-improved"), rows)
    claim(rows, 1)
    answer(rows, 1, "unwanted")
    take(resend(1), rows, T + MINUTE)
    asked = claim(rows, 1)
    assert asked is not None
    assert not asked.unwanted


def test_an_erased_person_gets_no_letter_and_nothing_of_it_is_kept() -> None:
    rows = taken(improved(1), improved(2, 80, 90))
    take(ERASED, rows)
    assert became(rows) == {"n1": "the person was erased", "n2": "merged into n1"}
    assert not [name for name in rows if name.partition("/")[0] in ("call", "content", "merging")]


def test_a_merged_letter_that_is_sent_again_by_hand_is_a_letter_of_its_own() -> None:
    rows = taken(improved(1), improved(2, 80, 90))
    claim(rows, 1)
    answer(rows, 1)
    take(resend(2), rows, T + MINUTE)
    asked = claim(rows, 2)
    assert asked is not None
    assert [each.notice_id for each in asked.notices] == ["n2"]
    answer(rows, 2)
    assert became(rows) == {"n1": "sent", "n2": "sent"}


def test_a_letter_with_others_is_sent_again_with_them() -> None:
    rows = taken(improved(1), improved(2, 80, 90))
    claim(rows, 1)
    answer(rows, 1)
    take(resend(1), rows, T + MINUTE)
    asked = claim(rows, 1)
    assert asked is not None
    assert [each.notice_id for each in asked.notices] == ["n1", "n2"]


def test_letters_that_waited_for_their_address_are_merged_too() -> None:
    rows = taken(improved(1), improved(2, 80, 90), email=None)
    take(person(), rows, T + MINUTE)
    assert became(rows) == {"n1": "queued", "n2": "merged into n1"}
    assert waits_until(rows, 1) == T + MINUTE + FIVE


# --- whatever happens ----------------------------------------------------------------------------

KINDS = ("condition-improved", "invitation", "offer-judged", "right-intercepted")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ("notice",) * 6
            + (
                "claim",
                "claim",
                "claim",
                "answer",
                "answer",
                "answer",
                "lost",
                "person",
                "unsubscribe",
                "erase",
            )
            + ("resubscribe", "hour", "month", "down")
        ),
        st.integers(0, 11),
        st.sampled_from(("sent", "sent", "deferred", "bounced")),
    ),
    min_size=10,
    max_size=60,
)


class World:
    """A recipient's rows, and how often each notice was told in a letter that arrived."""

    def __init__(self) -> None:
        self.rows = taken()
        self.told: Counter[str] = Counter()
        self.in_hand: dict[str, Request | None] = {}
        self.taken: set[str] = set()
        self.now = T

    def step(self, what: str, number: int, outcome: str) -> None:
        self.now += 17 * SECOND
        rows, now = self.rows, self.now
        match what:
            case "notice":
                kind = KINDS[number % 4]
                closes_at = T + (1 + number) * 2 * MINUTE
                about = f"a{number // 8}"
                take(of(kind, number, about=about, at=T, closes_at=closes_at), rows, now)  # type: ignore[arg-type]
                self.taken.add(f"n{number}")
            case "person":
                take(person(f"{'ab'[number % 2]}@x.example", now), rows, now)
            case "unsubscribe":
                take(no_more(KINDS[number % 3], at=now), rows, now)  # type: ignore[arg-type]
            case "resubscribe":
                take(resubscribed(KINDS[number % 3], at=now), rows, now)  # type: ignore[arg-type]
            case "erase":
                take(ERASED, rows, now)
            case "claim":
                self.claim(self.one_of(name[12:] for name in rows if name[:5] == "call/"))
            case "answer":
                self.answer(self.one_of(self.in_hand), outcome)
            case "lost":  # the worker died, and nobody knows when
                self.give_back(number, is_open=True)
            case "down":
                self.give_back(number, is_open=False)
            case "hour" | "month":
                rule = {"hour": "address", "month": "forget"}[what]
                self.fire(f"due/{rule}/n{number}")

    def fire(self, name: str) -> None:
        if name in self.rows:
            due = self.rows.pop(name)
            now = self.now = max(self.now, due.at)
            LETTERS.due[name.split("/")[1]](name, self.rows, now, {}, {})

    def one_of(self, notice_ids: Iterable[str]) -> int:
        """One of the letters that something can happen to."""
        numbers = sorted(int(each[1:]) for each in notice_ids)
        return numbers[self.now.second % len(numbers)] if numbers else -1

    def claim(self, number: int) -> None:
        name = f"call/letter/n{number}"
        if name in self.rows and not self.rows[name].owner:
            self.now = max(self.now, self.rows[name].at)
            self.in_hand[f"n{number}"] = claim(self.rows, number, self.now)

    def give_back(self, number: int, *, is_open: bool) -> None:
        name = f"call/letter/n{number}"
        if self.in_hand.pop(f"n{number}", None) is not None and name in self.rows:
            self.rows[name] = replace(self.rows[name], owner="", ambiguous=is_open)

    def answer(self, number: int, outcome: str) -> None:
        if f"n{number}" not in self.in_hand:
            return
        request = self.in_hand.pop(f"n{number}")
        if request is None:
            answer(self.rows, number, "erased", self.now)
        elif request.unwanted:
            answer(self.rows, number, "unwanted", self.now)
        else:
            answer(self.rows, number, outcome, self.now)
            if outcome == "sent":
                self.told.update(each.notice_id for each in request.notices)

    def end(self) -> None:
        """Let all that waits come to its end."""
        for number in range(12):
            self.fire(f"due/address/n{number}")
        for number in range(12):
            self.answer(number, "sent")
            self.claim(number)
            self.answer(number, "sent")


@pytest.mark.slow
@given(STEPS)
@example([("notice", 0, "sent"), ("notice", 4, "sent"), ("month", 4, "sent")])
def test_each_notice_ends_once_and_is_told_at_most_once(steps: list[tuple[str, int, str]]) -> None:
    world = World()
    for each in steps:
        world.step(*each)
    world.end()
    rows = world.rows
    ended = {name.partition("/")[2]: delivery(name, rows) for name in rows if name[:7] == "letter/"}
    assert set(ended) == world.taken
    assert not [name for name in rows if name.startswith(("call/", "waiting/", "merging/"))]
    assert max(world.told.values(), default=0) <= 1
    for notice_id, one in ended.items():
        assert one.status in ("sent", "bounced", "suppressed")
        first = (one.reply or "").removeprefix("merged into ")
        if first != one.reply and one.status == "suppressed":
            assert ended[first].kind == one.kind
            assert not (ended[first].reply or "").startswith("merged into ")
            # The first one's letter told it, or says why there was none.
            is_told = bool(world.told[notice_id])
            assert is_told == bool(world.told[first])
            assert is_told or ended[first].status in ("bounced", "suppressed")
        else:
            assert bool(world.told[notice_id]) == (one.status == "sent")
