"""However replies, webhooks, kills and new tries mix: one page can be paid, one refund is made.

One payment by card and its provider, explored from state to state: every order in which few things
happen, and random ones of many. Replies come late, get lost or die with their worker; webhooks come
late and twice; the payer gives a page up, or pays it; a day goes by; somebody has a payment that
failed tried again.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.rows import MemoryRows
from schemas.orders import OrderCancelled, OrderPlaced
from schemas.payments import Payment, PaymentReported, PaymentRetried
from services.payment_service.rules import facts, groups, payers, provider, reports
from services.payment_service.rules.provider import Reply, Request
from tests.rules.payment_world import GROUP, HOUR, T, terms

#: So long until the page of a payment is looked at; pages and keys live for a day.
DAY = timedelta(hours=25)
#: Pauses between tries are shorter.
SOON = 3 * HOUR
PAGE = "https://pay.example/"
NO_ANSWER = Reply("again", "no answer")
KEPT_ERROR = Reply("again", "500", spent=True)

Step = tuple[str, "State"]


@dataclass(frozen=True)
class Event:
    """What the provider tells of a page or a refund."""

    number: int
    status: str
    name: str


@dataclass(frozen=True)
class Flight:
    """A call under way; ``reply`` once the provider has done it."""

    row: str
    request: Request
    reply: Reply | None = None


@dataclass(frozen=True)
class State:
    """The rows of a group with one payment, and all that is under way around them."""

    rows: dict[str, Any]
    payment_id: str
    #: The provider's pages or refunds: how each stands, and the day it was made.
    things: tuple[tuple[str, int], ...] = ()
    #: What the provider answers again under a key, for a day.
    keys: tuple[tuple[str, int, Reply], ...] = ()
    #: Told, and not heard yet; how many there were.
    events: tuple[Event, ...] = ()
    told: int = 0
    flight: Flight | None = None
    day: int = 0
    #: Pages that stood in a fact.
    seen: frozenset[str] = frozenset()
    is_cancelled: bool = False

    # --- what may happen -------------------------------------------------------------------------

    def steps(self) -> Iterator[Step]:
        """Each thing that may happen next, and the state after it."""
        yield from self._calls()
        for event in self.events:
            yield f"hear {event}", self.hear(event)
            yield f"hear {event}, which comes again", self.hear(event, again=True)
        if self.fact.status == "failed":
            yield "retry", self.retry()
        if self.day < 3 and self.flight is None:  # a call ends within minutes
            yield "a day goes by", self.pass_day()
        yield from self.outside()

    def _calls(self) -> Iterator[Step]:
        if self.flight is None:
            for name in self.due():
                yield f"claim {name}", self.claim(name)
            return
        if self.flight.reply is None:
            yield "the provider does it", self.do()
        else:
            yield "the reply comes", self.settle(self.flight.reply)
        yield "the reply is lost", self.settle(NO_ANSWER)
        yield "an error is kept under the key", self.settle(KEPT_ERROR)
        yield "the worker is killed", self.kill()

    def outside(self) -> Iterator[Step]:
        """What payers and banks may do."""
        raise NotImplementedError

    # --- the service -----------------------------------------------------------------------------

    @property
    def now(self) -> Any:
        return T + self.day * DAY

    @property
    def fact(self) -> Payment:
        """The newest fact of the payment."""
        return facts.payment(f"payment/{self.payment_id}", MemoryRows(GROUP, self.rows))  # type: ignore[arg-type]

    def due(self) -> list[str]:
        """Calls whose time has come."""
        calls = ((n, row) for n, row in self.rows.items() if n.startswith("call/"))
        return [name for name, call in calls if call.at <= self.now + SOON]

    def apply(self, rule: Callable[[Any], Any], **changes: Any) -> Self:
        """The state after a rule; its facts are told at once."""
        rows = MemoryRows(GROUP, self.rows)
        rule(rows)
        after = replace(self, rows=dict(rows), **changes)
        page = after.fact.page
        return replace(after, seen=after.seen | {page.removeprefix(PAGE)}) if page else after

    def claim(self, name: str) -> Self:
        call = self.rows[name]
        rows = MemoryRows(GROUP, self.rows | {name: replace(call, owner="w")})
        request = provider.request(name, rows, self.now)  # type: ignore[arg-type]
        return replace(self, rows=dict(rows), flight=Flight(name, request))

    def kill(self) -> Self:
        """Whether the call was made is open then."""
        assert self.flight is not None
        call = self.rows.get(self.flight.row)
        again = {self.flight.row: replace(call, owner="", ambiguous=True)} if call else {}
        return replace(self, rows=self.rows | again, flight=None)

    def settle(self, reply: Reply) -> Self:
        flight = self.flight
        assert flight is not None
        if flight.row not in self.rows:
            return replace(self, flight=None)
        told = replace(reply, key=flight.request.key)
        return self.apply(
            lambda rows: provider.settle(flight.row, told, rows, self.now),  # type: ignore[arg-type]
            flight=None,
        )

    def hear(self, event: Event, *, again: bool = False) -> Self:
        report = PaymentReported(
            report_id=f"evt_{event.number}",
            group_id=GROUP,
            payment_id=self.payment_id,
            status=event.status,  # type: ignore[arg-type]
            provider_reference=event.name,
            at=self.now,
        )
        left = tuple(each for each in self.events if again or each != event)
        return self.apply(lambda rows: reports.take_report(report, rows, self.now), events=left)

    def retry(self) -> Self:
        wish = PaymentRetried(group_id=GROUP, payment_id=self.payment_id, at=self.now)
        return self.apply(lambda rows: reports.retry(wish, rows, self.now))

    # --- the provider ----------------------------------------------------------------------------

    def do(self) -> Self:
        """The provider does what it was asked, or answers as before under a key that it knows."""
        assert self.flight is not None
        request = self.flight.request
        key = f"{request.key}-{request.action}"
        kept = [reply for known, day, reply in self.keys if known == key and day == self.day]
        if kept and not request.session and not request.reference:
            return replace(self, flight=replace(self.flight, reply=kept[0]))
        after, reply = self.done(request)
        return replace(
            after,
            keys=(*after.keys, (key, self.day, reply)),
            flight=replace(self.flight, reply=reply),
        )

    def done(self, request: Request) -> tuple[Self, Reply]:
        """The state after a request that is new, and the reply."""
        raise NotImplementedError

    def become(self, name: str, status: str, *events: tuple[str, str]) -> Self:
        """A thing has another status, and webhooks are sent."""
        place = int(name.partition("_")[2])
        things = tuple(
            (status, day) if number == place else (before, day)
            for number, (before, day) in enumerate(self.things)
        )
        sent = tuple(Event(self.told + each, *event) for each, event in enumerate(events))
        told = self.told + len(sent)
        return replace(self, things=things, events=(*self.events, *sent), told=told)

    def status(self, name: str) -> str:
        return self.things[int(name.partition("_")[2])][0]

    def pass_day(self) -> Self:
        return replace(self, day=self.day + 1)

    # --- what must be ----------------------------------------------------------------------------

    @property
    def mark(self) -> tuple[Any, ...]:
        """What makes a state differ from others."""
        rows = tuple((n, str(self.rows[n])) for n in sorted(self.rows))
        return (
            rows, self.things, str(self.keys), self.events, str(self.flight), self.day, self.seen,
        )  # fmt: skip

    def at_rest(self) -> "State":
        """All that is under way comes to its end, and what has failed is tried again."""
        state: State = self
        for _ in range(60):
            if state.flight is not None:
                state = state.settle(state.flight.reply) if state.flight.reply else state.do()
            elif state.events:
                state = state.hear(state.events[0])
            elif names := state.due():
                state = state.claim(names[0])
            elif state.fact.status == "failed":
                state = state.retry()
            else:
                return state
        raise AssertionError("it never comes to rest")

    def check(self) -> None:
        """What must hold at any time."""
        raise NotImplementedError

    def check_rest(self) -> None:
        """What must hold in the end."""
        raise NotImplementedError


# --- pages ---------------------------------------------------------------------------------------


class Pages(State):
    """A payment that is asked of the payer."""

    @classmethod
    def start(cls, days: float) -> Self:
        rows = MemoryRows(GROUP)
        groups.take_terms(terms(days=days), rows, T)
        order = OrderPlaced(
            order_id="o1", source="shop", group_id=GROUP, member_id="ann", quantity=2, ordered_at=T
        )
        payers.take_order(order, rows, T)
        (name,) = (name for name in rows if name.startswith("payment/"))
        return cls(dict(rows), name.partition("/")[2])

    def outside(self) -> Iterator[Step]:
        for name in self.payable():
            yield f"{name} is paid", self.pay(name)
            yield f"{name} is given up", self.become(name, "expired", ("failed", name))
        if not self.is_cancelled:
            yield "the order is cancelled", self.cancel()

    def payable(self) -> list[str]:
        """Pages that someone was told of, and can pay."""
        return [each for each in sorted(self.seen) if self.status(each) == "open"]

    def pay(self, name: str) -> Self:
        is_hold = self.fact.kind == "authorisation"
        told = "authorised" if is_hold else "succeeded"
        return self.become(name, "complete", (told, f"pi_{name}"))

    def cancel(self) -> Self:
        void = OrderCancelled(order_id="o1", source="shop", group_id=GROUP, cancelled_at=self.now)
        return self.apply(lambda rows: payers.take_order(void, rows, self.now), is_cancelled=True)

    def pass_day(self) -> Self:
        state = replace(self, day=self.day + 1)
        for number, (status, _) in enumerate(self.things):
            if status == "open":
                state = state.become(f"cs_{number}", "expired", ("failed", f"cs_{number}"))
        return state

    def done(self, request: Request) -> tuple[Self, Reply]:
        match request.action:
            case "ask" if not request.session:
                name = f"cs_{len(self.things)}"
                made = replace(self, things=(*self.things, ("open", self.day)))
                return made, Reply("pending", session=name, page=f"{PAGE}{name}")
            case "ask" | "withdraw" if request.session:
                return self._looked(request)
        return self, Reply("cancelled" if request.action == "withdraw" else "succeeded")

    def _looked(self, request: Request) -> tuple[Self, Reply]:
        name = request.session
        if self.status(name) == "complete":
            is_hold = self.fact.kind == "authorisation"
            return self, Reply("authorised" if is_hold else "succeeded", reference=f"pi_{name}")
        if request.action == "withdraw":
            is_open = self.status(name) == "open"
            after = self.become(name, "expired", ("failed", name)) if is_open else self
            return after, Reply("cancelled")
        if self.status(name) == "expired":
            return self, Reply("declined", "not-paid")
        return self, Reply("pending", session=name, page=f"{PAGE}{name}")

    def check(self) -> None:
        """Nobody can pay twice, as at most one of all pages that were told can be or is paid."""
        alive = [each for each in self.seen if self.status(each) != "expired"]
        assert len(alive) <= 1, f"{alive} can be paid"

    def check_rest(self) -> None:
        """It is paid, or one page can be paid and stands in the newest fact, or it is off."""
        fact = self.fact
        paid = [each for each in self.seen if self.status(each) == "complete"]
        if paid:
            assert fact.status in ("authorised", "succeeded", "cancelled"), fact
        elif self.is_cancelled:
            assert fact.status == "cancelled", fact
            assert not self.payable()
        else:
            assert fact.status == "pending", fact
            assert [f"{PAGE}{each}" for each in self.payable()] == [fact.page]


# --- refunds -------------------------------------------------------------------------------------


class Refunds(State):
    """A refund that the payer's bank may send back."""

    @classmethod
    def start(cls, days: float) -> Self:
        asked = Pages.start(days)
        paid = asked.claim(asked.due()[0]).do()
        assert paid.flight is not None
        assert paid.flight.reply is not None
        paid = paid.settle(paid.flight.reply).pay("cs_0")
        owing = paid.hear(paid.events[0]).cancel()
        (name,) = (n for n, row in owing.rows.items() if getattr(row, "kind", "") == "refund")
        return cls(owing.rows, name.partition("/")[2], told=owing.told)

    def outside(self) -> Iterator[Step]:
        if self.told < 6:
            for name in self.made():
                told = (("failed", name), ("failed", name))
                yield f"the bank sends {name} back", self.become(name, "failed", *told)
            if self.flight is not None and self.flight.reply is None:
                after = self.do()
                if len(after.things) > len(self.things):
                    yield "the bank refuses it at once", after.refused()

    def refused(self) -> Self:
        """The refund that was made last is one that the bank does not take."""
        assert self.flight is not None
        name = f"re_{len(self.things) - 1}"
        after = replace(self, events=self.events[:-1]).become(name, "failed", ("failed", name))
        reply = after._shown(name)
        keys = (*self.keys[:-1], (*self.keys[-1][:2], reply))
        return replace(after, keys=keys, flight=replace(self.flight, reply=reply))

    def made(self) -> list[str]:
        """Refunds that the payer has, or gets."""
        return [f"re_{n}" for n, (status, _) in enumerate(self.things) if status == "succeeded"]

    def done(self, request: Request) -> tuple[Self, Reply]:
        assert request.action == "refund"
        if request.reference:
            return self, self._shown(request.reference)
        if request.looks and self.made():
            return self, self._shown(self.made()[0])
        name = f"re_{len(self.things)}"
        made = replace(self, things=(*self.things, ("succeeded", self.day)))
        made = made.become(name, "succeeded", ("succeeded", name))
        return made, made._shown(name)

    def _shown(self, name: str) -> Reply:
        is_made = self.status(name) == "succeeded"
        return Reply("succeeded" if is_made else "declined", reference=name)

    def check(self) -> None:
        """The payer never has the money twice."""
        assert len(self.made()) <= 1, f"{self.made()} were made"

    def check_rest(self) -> None:
        """The payer has the money, and the newest fact says so."""
        assert len(self.made()) == 1
        assert (self.fact.status, self.fact.provider_reference) == ("succeeded", self.made()[0])


# --- exploring -----------------------------------------------------------------------------------

STARTS: dict[str, State] = {
    "a hold": Pages.start(3),
    "a charge": Pages.start(20),
    "a refund": Refunds.start(20),
}


def told(path: tuple[str, ...], state: State) -> str:
    return "\n".join([*path, str(state.fact), *map(str, state.things)])


def judge(state: State, path: tuple[str, ...]) -> None:
    """Check a state and what becomes of it."""
    try:
        state.check()
        state.at_rest().check_rest()
    except AssertionError as error:
        raise AssertionError(f"{error}\nafter\n{told(path, state)}") from error


def explore(start: State, states_max: int) -> int:
    """Check so many different states, those after few steps first; how many steps were enough."""
    known = {start.mark}
    queue: deque[tuple[State, tuple[str, ...]]] = deque([(start, ())])
    depth = 0
    while queue and len(known) < states_max:
        state, path = queue.popleft()
        depth = len(path)
        for what, after in state.steps():
            if after.mark not in known:
                known.add(after.mark)
                judge(after, (*path, what))
                queue.append((after, (*path, what)))
    return depth


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS)
def test_whatever_few_things_happen_it_ends_well(start: str) -> None:
    explore(STARTS[start], 600)


@pytest.mark.long
@pytest.mark.parametrize("start", STARTS)
def test_whatever_some_things_happen_it_ends_well(start: str) -> None:
    assert explore(STARTS[start], 20_000) >= 7


@pytest.mark.slow
@settings(max_examples=120)
@given(st.sampled_from(list(STARTS)), st.integers(0, 2**32))
def test_whatever_many_things_happen_it_ends_well(start: str, seed: int) -> None:
    random, state, path = Random(seed), STARTS[start], ()
    for _ in range(random.randint(10, 40)):
        if steps := list(state.steps()):
            what, state = random.choice(steps)
            path = (*path, what)
            judge(state, path)
