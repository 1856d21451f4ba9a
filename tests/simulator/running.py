"""Runs seeds through the rules and the oracle, and tells the first difference so it can be read."""

import traceback
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runtime.processor import Processor

from .auctions import History, simulate
from .compare import differences, gather
from .driver import run
from .oracle import expect


class Way(NamedTuple):
    """How a history is made and run.

    ``facts_first`` has every seller's whole story seen from the start, as a late reader has it.
    """

    auctions: int = 1
    events: int = 20
    patience: int = 0
    stored: bool = False
    facts_first: bool = False


#: The ways that seeds take by turns, the plain one most often.
PLAIN = Way()
WAYS = (
    PLAIN,
    Way(events=12),
    PLAIN,
    Way(auctions=3, events=15),
    PLAIN,
    Way(facts_first=True),
    Way(events=45),
    Way(events=25, stored=True),
    Way(auctions=2, patience=4, facts_first=True),
    Way(events=40, patience=1, facts_first=True),
)


def way_of(seed: int) -> Way:
    """The way that a seed takes."""
    return WAYS[seed % len(WAYS)]


def history_of(seed: int, way: Way) -> History:
    """The history of a seed."""
    history = simulate(seed, auctions=way.auctions, events=way.events)
    return history.with_facts_first() if way.facts_first else history


def check(processors: Sequence[Processor], history: History, way: Way = PLAIN) -> list[str]:
    """Every difference between the rules' run of a history and what the oracle expects."""
    try:
        ran = run(processors, history, patience=way.patience, stored=way.stored)
    except Exception:  # a rule that raises is a difference like any other
        return traceback.format_exc().splitlines()
    return differences(expect(history), gather(ran))


def check_seeds(processors: Sequence[Processor], seeds: Iterable[int]) -> str:
    """The first seed whose run differs, told in full, or an empty text."""
    for seed in seeds:
        way = way_of(seed)
        history = history_of(seed, way)
        found = check(processors, history, way)
        if found:
            return told(seed, way, history, found)
    return ""


def told(seed: int, way: Way, history: History, found: Sequence[str]) -> str:
    """A seed's differences and its history, to read."""
    return "\n".join((f"seed {seed}, {way}", *found, "", *history.lines()))
