"""``jointbuy why``: the facts behind a state, with the rule and the input of each."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from domain.orders import deadline
from runtime.records import InputRecord, instant
from runtime.running_stack import settings_here
from runtime.settings import Settings
from schemas.auctions import (
    ApplicationRefused,
    Auction,
    AuctionWithdrawn,
    Offer,
    OfferJudged,
    RightIntercepted,
)
from schemas.favors import Favor, FavorDecision
from schemas.groups import GroupPurchase, GroupPurchaseRequested, IdIssued, RequestRefused, Terms
from schemas.orders import Order, OrderRefused, PurchaseOpened, PurchaseRow, PurchaseState
from terminal import topics, typed_values, why_auction
from terminal.console import (
    Mistake,
    Step,
    cell,
    count,
    grid,
    mistakes,
    money,
    print_json,
    print_table,
    progress,
    say,
    when,
)
from terminal.descriptions import of_tier
from terminal.options import AsJson, typed
from terminal.story import Fact, Story, add_inputs, collect, fact_of, important

NOTE = "Facts are compacted: a key may have only its latest one. Commands are kept for 30 days."


@mistakes()
def why(
    of: Annotated[
        str,
        typer.Argument(metavar="ID", help="A group's id, GB-…, a request_id, or an auction's id."),
    ],
    member: Annotated[
        str | None, typer.Option("--member", help="Only facts about this member or seller.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, help="At most this many facts about people, the latest; 0: all.")
    ] = 40,
    as_json: AsJson = False,
) -> None:
    """Explain the state of a group, request or auction: its facts, rules and inputs."""
    reference = typed(typed_values.group_id, of)
    settings = settings_here()
    with progress(f"reading {reference}") as step:
        story, shown = asyncio.run(_read(settings, reference, member, limit, step))
    left_out = len(story.facts) - len(shown)
    if as_json:
        print_json(_as_json(story, shown, left_out))
        raise typer.Exit(0 if story.facts else 1)
    if not story.facts:
        raise Mistake(summary(story))
    say(summary(story))
    if shown:
        say()
        print_table(_entries(settings, shown))
    if left_out and member is None:
        of_what = "the auction" if story.auction_id else "orders"
        say(f"\n{left_out:,} earlier facts about {of_what} are left out: --limit 0 shows them")
    if shown:
        say(f"\n{NOTE}")


async def _read(
    settings: Settings, reference: str, member: str | None, limit: int, step: Step
) -> tuple[Story, list[Fact]]:
    story = await collect(settings, reference, step)
    shown = list(_chosen(story, member, limit))
    await add_inputs(settings, shown)
    return story, shown


def _chosen(story: Story, member: str | None, limit: int) -> Iterator[Fact]:
    """The facts to show, in order: the important ones, and the latest others."""
    if member is not None:
        yield from (fact for fact in story.facts if _is_of_member(fact, member))
        return
    others = [fact for fact in story.facts if not important(fact)]
    left_out = {id(fact) for fact in others[:-limit]} if limit else set()
    yield from (fact for fact in story.facts if id(fact) not in left_out)


def _is_of_member(fact: Fact, member: str) -> bool:
    match fact.message:
        case PurchaseRow() | Favor() | OrderRefused() | Order() as message:
            return message.member_id == member
        case Offer() | OfferJudged() | RightIntercepted() | AuctionWithdrawn() as message:
            return message.seller_id == member
        case ApplicationRefused() as message:
            return message.applicant_id == member
    return False


# --- the first sentence --------------------------------------------------------------------------


def summary(story: Story) -> str:
    """The state and its reason in one sentence."""
    if story.auction_id is not None:
        return why_auction.summary(story) + _parked(story)
    state, terms = story.last(PurchaseState), story.last(PurchaseOpened)
    if state is not None and isinstance(state.message, PurchaseState):
        message = terms.message if terms else None
        known = message if isinstance(message, Terms) else None
        name = f"{story.group_id}: " if story.reference != story.group_id else ""
        return name + _stands(story, state.message, known) + _unconfirmed(story)
    return _not_known(story)


def _stands(story: Story, state: PurchaseState, terms: Terms | None) -> str:
    of = f" of {terms.number_of_products:,}" if terms else ""
    if state.status == "open":
        until = f", {_deadline(terms)}" if terms else ""
        by = count(state.members, "member")
        return f"open: {state.quantity:,}{of} ordered by {by}{until}{_parked(story)}"
    if state.status == "withdrawn":
        return f"withdrawn at {when(state.closed_at)}: its request was withdrawn{_parked(story)}"
    closing = story.closing.message if story.closing else None
    then = closing.quantity if isinstance(closing, PurchaseState) else state.quantity
    now = f"; {state.quantity:,} by now" if then != state.quantity else ""
    said = f"{state.status}: {then:,}{of} ordered{_what_closed(story, state, terms)}"
    return f"{said}; {_what_was_decided(story)}{now}{_parked(story)}"


def _deadline(terms: Terms) -> str:
    """The deadline as `jointbuy show` names it, and the time for orders that arrive late."""
    late = f" and {terms.grace_seconds} s for late orders" if terms.grace_seconds else ""
    return f"deadline {when(terms.closes_at)}{late}"


def _what_closed(story: Story, state: PurchaseState, terms: Terms | None) -> str:
    closing = story.closing
    if closing is not None and closing.because.startswith("clock/"):
        passed = _deadline(terms) if terms else f"deadline {when(state.closed_at)}"
        return f" after the {passed} ({closing.rule})"
    if terms is not None and state.closed_at == deadline(terms.closes_at, terms.grace_seconds):
        # The record that closed it may be compacted away by one of a later order or return.
        return f" after the {_deadline(terms)}"
    if closing is not None and closing.cause is not None:
        return f" when {closing.because} came at {when(state.closed_at)} ({closing.rule})"
    return f" at {when(state.closed_at)}"


def _what_was_decided(story: Story) -> str:
    fact = story.last(FavorDecision)
    if fact is None or not isinstance(fact.message, FavorDecision):
        return "no discount is decided yet"
    decision = fact.message
    # The last of several steps decides, and names itself as the cause: the close is behind it all.
    source = fact.cause or (story.closing.place if story.closing else None)
    service = fact.headers.get("ce_source", "").rpartition("/")[2] or "favor_service"
    by = f" decided by {service}{f' from {source}' if source else ''}"
    if decision.cancel_all:
        return f"everyone gets the whole value back,{by}"
    if decision.tier is None:
        return f"no tier,{by}"
    return f"tier {of_tier(decision.tier, decision.currency)},{by}"


def _unconfirmed(story: Story) -> str:
    waiting = len(story.unconfirmed(datetime.now(UTC)))
    return f"; {count(waiting, 'order')} unconfirmed" if waiting else ""


def _parked(story: Story) -> str:
    latest = {fact.record.key: fact for fact in story.facts if fact.topic.name == "parked-keys"}
    services = [
        (key or b"").decode("utf-8", "replace").rpartition("/")[2]
        for key, fact in latest.items()
        if fact.record.value is not None
    ]
    return f"; set aside (parked) for {', '.join(sorted(services))}" if services else ""


def _not_known(story: Story) -> str:
    refusal, issued = story.last(RequestRefused), story.last(IdIssued)
    if refusal is not None and isinstance(refusal.message, RequestRefused):
        problems = "; ".join(f"{each.field}: {each.problem}" for each in refusal.message.problems)
        return f"not known: the request was refused because {problems}{_parked(story)}"
    if issued is not None or story.last(GroupPurchase) is not None:
        return (
            f"{story.group_id} is issued, but order_service has not opened it yet: see"
            f" `jointbuy lag`{_parked(story)}"
        )
    if story.last(GroupPurchaseRequested) is not None:
        return (
            "not answered yet: the request has no outcome; see `jointbuy lag` and"
            f" `jointbuy status`{_parked(story)}"
        )
    refused = story.last(OrderRefused)
    if refused is not None:
        return f"not known: no request has this id, so its orders are refused{_parked(story)}"
    return (
        f"not known: no topic has {story.reference}; orders for an unknown ID wait an hour,"
        f" then they are refused{_parked(story)}"
    )


# --- the facts -----------------------------------------------------------------------------------


def _entries(settings: Settings, shown: list[Fact]) -> Table:
    made = grid()
    made.add_column(no_wrap=True)
    made.add_column()
    for fact in shown:
        made_by = f" by {fact.rule}" if fact.rule else ""
        made_by += f", from {fact.because}" if fact.because else ""
        lines = Text.assemble(cell(fact.says), "\n", cell(f"  {fact.place}{made_by}", "dim"))
        if fact.cause is not None:
            lines.append("\n").append_text(cell(f"  {_input(settings, fact.input)}", "dim"))
        made.add_row(cell(when(instant(fact.record.timestamp))), lines)
    return made


def _input(settings: Settings, record: InputRecord | None) -> str:
    if record is None:
        return "(this input is no longer kept)"
    made_of = fact_of(settings, record)
    if isinstance(made_of.message, Order) and made_of.message.value is not None:
        return f"{made_of.says}, value {money(made_of.message.value, made_of.message.currency)}"
    return made_of.says


def _as_json(story: Story, shown: list[Fact], left_out: int) -> dict[str, Any]:
    state = story.last(PurchaseState) or story.last(Auction)
    message = state.message if state else None
    status = message.status if isinstance(message, PurchaseState | Auction) else None
    return {
        "reference": story.reference,
        "auction_id": story.auction_id,
        "group_id": story.group_id,
        "request_id": story.request_id,
        "status": status,
        "summary": summary(story),
        "unconfirmed": [order.order_id for order in story.unconfirmed(datetime.now(UTC))],
        "facts": [_fact_as_json(fact) for fact in shown],
        "left_out": left_out,
        "note": NOTE,
    }


def _fact_as_json(fact: Fact) -> dict[str, Any]:
    cause = fact.cause
    return {
        "at": instant(fact.record.timestamp).isoformat(),
        "topic": fact.topic.name,
        "partition": fact.record.partition,
        "offset": fact.record.offset,
        "key": topics.as_text(fact.record.key),
        "says": fact.says,
        "rule": fact.rule or None,
        "because": fact.because or None,
        "cause": asdict(cause) if cause else None,
        "value": topics.as_json(fact.record.value),
        "input": topics.as_json(fact.input.value) if fact.input else None,
    }
