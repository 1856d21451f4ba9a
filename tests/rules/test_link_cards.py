"""Cards beside links: which font draws what, where a name breaks, and what a card holds."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO

import pytest
from PIL import Image

from schemas.api.groups import GroupView
from schemas.parts import FavorTerms, Product, Tier
from services.storefront.cards.card import NAME_MAX, SIZE, Card, png_of, wrapped
from services.storefront.cards.faces import Faces
from services.storefront.cards.painter import INSIDE_MAX, Painter, tag_of
from services.storefront.formats import Formats
from services.storefront.pages import shared_views
from services.storefront.pages.visits import Visit
from services.storefront.problems import NotNow
from services.storefront.rules.chart import bar
from texts.catalogue import languages

NOW = datetime(2026, 3, 11, 14, 3, tzinfo=UTC)
CARD = Card(
    kind="Group purchase",
    name="Sencha, first flush",
    count="62",
    goal="of 100",
    progress=bar(62, 100, (30, 60)),
    price="€39.90",
    price_label="Price each",
    next_goal="38 more units and the goal is reached",
    deadline="Open until 11 Mar 2026, 14:03 UTC.",
)


class Latin(Faces):
    """Fonts of a machine that has only the one inside Pillow."""

    def __init__(self) -> None:
        super().__init__()
        self._pairs = [("", "")]


@cache
def latin() -> Faces:
    return Latin()


# --- fonts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Sencha,  1 kg", "Sencha, 1 kg"),
        ("Tea 🍵!", "Tea !"),
        ("Tea\u202e\u200d\x07", "Tea"),
        ("Tea ฿ ชา", ""),
        ("急須 1.8L", ""),
        ("", ""),
    ],
)
def test_a_sign_that_no_font_has_is_left_out_and_so_is_a_word_that_would_miss_a_letter(
    text: str, shown: str
) -> None:
    assert latin().shown(text) == shown


def test_a_font_file_that_can_t_be_read_is_named() -> None:
    with pytest.raises(OSError, match=r"CARD_FONTS none\.ttf"):
        Faces(["none.ttf"])


# --- where a name breaks -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Tea", ["Tea"]),
        ("Green tea, 1 kg", ["Green tea,", "1 kg"]),
        ("Green tea of the first harvest", ["Green tea", "of the…"]),
        ("Donaudampfschiff", ["Donaudampf", "schiff"]),
        ("南部鉄器の急須です。よいもの", ["南部鉄器の急須です。", "よいもの"]),
        ("南部鉄器の急須でですー。よいもの", ["南部鉄器の急須でで", "すー。よいもの"]),
        ("", []),
    ],
)
def test_a_name_takes_two_lines_and_breaks_where_its_language_does(
    text: str, lines: list[str]
) -> None:
    assert wrapped(text, lambda line: len(line) <= 10) == lines


def test_the_longest_name_ends_in_an_ellipsis() -> None:
    assert wrapped("a " * NAME_MAX, lambda line: len(line) <= 10_000)[-1].endswith("a…")


# --- the picture ---------------------------------------------------------------------------------

LONG = "長" * 1000
CARDS = {
    "usual": CARD,
    "no price": replace(CARD, price=""),
    "nothing ordered": replace(CARD, count="0", progress=bar(0, 100)),
    "long": replace(CARD, name="W" * 1000, count="1,000,000,000", price="€10,000,000,000.00"),
    "without letters": replace(CARD, name=LONG, kind=LONG, goal=LONG, deadline=LONG),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_a_small_picture_of_the_size_that_other_sites_ask_for(name: str) -> None:
    png = png_of(CARDS[name], latin())
    assert Image.open(BytesIO(png)).size == SIZE
    assert 2_000 < len(png) < 100_000
    assert png_of(CARDS[name], latin()) == png


@pytest.mark.slow
def test_the_bar_is_as_long_as_the_count() -> None:
    def green(count: int) -> int:
        """Pixels of a line through the bar in the colour of the count."""
        card = replace(CARD, progress=bar(count, 100))
        line = Image.open(BytesIO(png_of(card, latin()))).convert("RGB").crop((0, 495, 1200, 496))
        of_each = line.getcolors() or []
        return sum(n for n, (red, greens, _) in of_each if greens > red + 40)

    assert [round(green(count) / 1056, 2) for count in (0, 25, 50, 100)] == [0, 0.25, 0.5, 1]


def test_another_card_has_another_tag() -> None:
    others = [replace(CARD, count="63"), replace(CARD, progress=bar(63, 100)), CARD]
    assert len({tag_of(each) for each in (CARD, *others)}) == 3
    assert tag_of(CARD).startswith('"')


# --- the queue -----------------------------------------------------------------------------------


@pytest.mark.slow
async def test_only_so_many_cards_wait() -> None:
    painter = Painter()
    asked = [asyncio.ensure_future(painter.png(CARD)) for _ in range(INSIDE_MAX)]
    await asyncio.wait(asked, timeout=0)
    with pytest.raises(NotNow) as refused:
        await painter.png(CARD)
    assert refused.value.status == 503
    assert len(set(await asyncio.gather(*asked))) == 1
    assert await painter.png(CARD) == asked[0].result()
    painter.close()


# --- what is told of a group ---------------------------------------------------------------------


def group(**changed: object) -> GroupView:
    tiers = (Tier(from_quantity=5, percent_off=10), Tier(from_quantity=20, percent_off=20))
    fields: dict[str, object] = {
        **{"group_id": "GB", "status": "open", "product": Product(name="Tea"), "currency": "EUR"},
        **{"unit_price": 1_000, "number_of_products": 10, "quantity": 6, "missing": 4},
        **{"members": 3, "opens_at": NOW, "closes_at": NOW + timedelta(hours=1), "version": 3},
        **{"value": 6_000, "members_listed": False, "closed_at": None, "withdrawn_at": None},
        **{"visibility": "public", "payment": {}, "favor": FavorTerms(tiers=tiers)},
        **{"tier_reached": 0, "next_tier": 1, "missing_to_next": 14, "definition_id": None},
        **{"if_incomplete": "none", "stop_at_number": False, "decision": None},
    }
    return GroupView.model_validate(fields | changed)


def visit(language: str = "en") -> Visit:
    return Visit(language, Formats.of(language), NOW)


@pytest.mark.parametrize(
    ("language", "changed", "words"),
    [
        (
            "en",
            {},
            "6 of 10 ordered. 4 more units and the goal is reached: 10% off. €10.00 each."
            " Open until Mar 11, 2026, 3:03\xa0PM UTC.",
        ),
        (
            "en",
            {"if_incomplete": "as-reached"},
            "6 of 10 ordered. 4 more units and the goal is reached. €9.00 each. Open until",
        ),
        (
            "en",
            {"unit_price": None, "quantity": 12, "missing": 0},
            "12 ordered (goal 10). The goal is reached. 8 more units bring: 20% off. Open until",
        ),
        (
            "en",
            {"status": "complete", "quantity": 10, "missing": 0},
            "10 of 10 ordered. €9.00 each. The group purchase has ended.",
        ),
        (
            "en",
            {"status": "elapsed"},
            "6 of 10 ordered. €10.00 each. The group purchase has ended.",
        ),
        (
            "ja",
            {},
            "注文 6 / 10点。あと4点で目標達成：10%引き。1点€10.00です。"  # noqa: RUF001
            "2026年3月12日 0:03 JSTまで受け付けています。",
        ),
    ],
)
def test_a_summary_says_count_price_and_deadline(
    language: str, changed: dict[str, object], words: str
) -> None:
    said = shared_views.summary(visit(language), shared_views.of_group(group(**changed)))
    assert said.startswith(words)


@pytest.mark.parametrize("language", languages())
def test_a_card_is_in_one_language(language: str) -> None:
    card = shared_views.card(visit(language), shared_views.of_group(group()))
    assert (card.name, card.count) == ("Tea", "6")
    assert card.kind == visit(language).gettext("Group purchase").unescape()
    ended = shared_views.card(visit(language), shared_views.of_group(group(status="complete")))
    assert ended.kind != card.kind
    assert ended.deadline != card.deadline
