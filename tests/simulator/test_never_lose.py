"""Whatever is sent, in whatever order: no buyer loses, and no one is told a thing twice."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.auctions import Auction, ConditionReplaced, OfferJudged
from schemas.letters import Notice
from schemas.parts import Message
from services.auction_service.processor import PROCESSORS

from .auctions import History, simulate
from .driver import run
from .running import Way

pytestmark = pytest.mark.slow
ways = st.builds(
    Way,
    auctions=st.integers(1, 3),
    events=st.integers(1, 60),
    patience=st.sampled_from((0, 0, 1, 5)),
)
promise = settings(max_examples=40, deadline=None)


def sent(seed: int, way: Way) -> tuple[History, list[Message]]:
    """A history and what the auctions say in its course."""
    history = simulate(seed, auctions=way.auctions, events=way.events)
    return history, run(PROCESSORS, history, patience=way.patience).auctions


def pages(messages: list[Message]) -> Iterator[list[Auction]]:
    """Each auction's facts, in order."""
    facts = [message for message in messages if isinstance(message, Auction)]
    for auction_id in dict.fromkeys(fact.auction_id for fact in facts):
        yield [fact for fact in facts if fact.auction_id == auction_id]


@given(seed=st.integers(0, 2**32), way=ways)
@promise
def test_the_price_shown_never_rises_and_neither_does_the_minimum(seed: int, way: Way) -> None:
    for facts in pages(sent(seed, way)[1]):
        for before, after in pairwise(facts):
            assert after.version > before.version
            assert after.shown.unit_price <= before.shown.unit_price
            assert after.shown.minimum_reservations <= before.shown.minimum_reservations


@given(seed=st.integers(0, 2**32), way=ways)
@promise
def test_no_takeover_makes_a_certain_conclusion_uncertain(seed: int, way: Way) -> None:
    _, messages = sent(seed, way)
    page: dict[str, Auction] = {}
    for message in messages:
        if isinstance(message, Auction):
            page[message.auction_id] = message
        elif isinstance(message, ConditionReplaced):
            # The page's fact goes out before what is said of it.
            reservations = page[message.auction_id].reservations
            was_certain = reservations >= message.before.minimum_reservations
            assert not was_certain or reservations >= message.shown.minimum_reservations
    for facts in pages(messages):
        for before, after in pairwise(facts):
            is_one_change = after.version == before.version + 1
            if is_one_change and before.shown != after.shown:
                assert after.reservations == before.reservations


@given(seed=st.integers(0, 2**32), way=ways)
@promise
def test_what_was_certain_and_is_not_taken_back_is_concluded(seed: int, way: Way) -> None:
    for facts in pages(sent(seed, way)[1]):
        last = facts[-1]
        assert last.status != "open"
        enough = last.reservations >= last.shown.minimum_reservations
        assert (last.status == "concluded") == (enough and last.status != "withdrawn")
        ended = [fact.status != "open" for fact in facts]
        assert ended == sorted(ended)
        assert sum(ended) == 1


@given(seed=st.integers(0, 2**32), way=ways)
@promise
def test_no_letter_is_written_twice_and_no_seller_invited_twice(seed: int, way: Way) -> None:
    _, messages = sent(seed, way)
    letters = [message for message in messages if isinstance(message, Notice)]
    assert not [each for each, count in Counter(map(_id, letters)).items() if count > 1]
    invited = Counter(
        (letter.about, letter.recipient_id) for letter in letters if letter.kind == "invitation"
    )
    assert not [each for each, count in invited.items() if count > 1]


def _id(letter: Notice) -> str:
    return letter.notice_id


@given(seed=st.integers(0, 2**32), way=ways)
@promise
def test_every_offer_gets_one_verdict_and_never_another(seed: int, way: Way) -> None:
    history, messages = sent(seed, way)
    verdicts: dict[str, OfferJudged] = {}
    for message in messages:
        if isinstance(message, OfferJudged):
            assert verdicts.setdefault(message.key, message) == message
    offers = {
        f"{record.message.key}/offer/{offer_id}"
        for record in history.offers
        if (offer_id := getattr(record.message, "offer_id", None))
    }
    assert set(verdicts) == offers


@pytest.mark.parametrize("patience", [0, 3])
def test_a_history_that_is_run_again_says_the_same(patience: int) -> None:
    for seed in range(50):
        way = Way(events=30, patience=patience)
        assert sent(seed, way)[1] == sent(seed, way)[1]
