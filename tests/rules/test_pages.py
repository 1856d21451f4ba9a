"""Pages without a server: templates without literals, figures, charts."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from markupsafe import Markup, escape

from domain.mailboxes import AddressReason
from domain.money import in_decimals
from schemas.api.auctions import AuctionDetail, ConditionAt
from schemas.api.groups import DefinitionSummary, GroupView, PaidState
from schemas.api.sellers import SellerProfile
from schemas.auctions import AuctionStatus, Standing, Verdict
from schemas.letters import OPTIONAL_KINDS
from schemas.parts import FavorTerms, IfIncomplete, Method, Model, Problem, Product, Status, Tier
from schemas.payments import Payment
from schemas.reasons import ApplicationReason, OfferReason
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront import formats
from services.storefront.formats import Formats
from services.storefront.pages import agreement, codes, figures, shared_views
from services.storefront.pages.forms import Form
from services.storefront.pages.home import HomeChoices
from services.storefront.pages.shared_views import SharedView
from services.storefront.pages.sharing import Sharing
from services.storefront.pages.visits import Visit, render
from services.storefront.pages.wares import SoldBy, Wares
from services.storefront.problems import Impossible
from services.storefront.rules import chart
from services.storefront.rules.rows import Listed
from services.storefront.wares.markdown import html_of
from texts.catalogue import languages
from texts.facts import ADDRESSES, APPLICATIONS, OFFERS
from texts.reasons import explained, problem

STOREFRONT = Path(__file__).parents[2] / "services" / "storefront"
TEMPLATES = sorted((STOREFRONT / "pages" / "templates").glob("*.html"))
T = datetime(2026, 3, 11, 14, 3, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


# --- texts ---------------------------------------------------------------------------------------


def values_of(model: type[Model], field: str) -> set[str]:
    return set(get_args(model.model_fields[field].annotation))


def test_each_code_has_a_text() -> None:
    assert set(codes.STATUS) == {*get_args(Status), *get_args(AuctionStatus)}
    assert set(codes.STANDING) == {*get_args(Standing), "unknown"}
    assert set(codes.VERDICT) == {*get_args(Verdict), "displaced", "waiting"}
    assert set(codes.RESULT) == {*get_args(Verdict), "pending"}
    assert set(codes.METHOD) == set(get_args(Method))
    assert set(codes.COUNTS_ONCE) == {*get_args(Method), "group"}
    assert set(codes.SCOPE) == values_of(FavorTerms, "scope")
    assert set(codes.IF_INCOMPLETE) == set(get_args(IfIncomplete))
    assert set(codes.LETTERS) == {*OPTIONAL_KINDS, "all"}
    assert set(codes.PAID) == set(codes.PAID_MEANS) == set(get_args(PaidState))
    assert set(codes.PAID_IN_TABLE) == {*get_args(PaidState)} - {"none"}
    assert set(codes.PAYMENT) == values_of(Payment, "kind")
    assert set(codes.PAYMENT_STATUS) == {*values_of(Payment, "status"), "to_pay", "open"}


def test_codes_have_words_in_every_language() -> None:
    for table, codes_of in ((OFFERS, OfferReason), (APPLICATIONS, ApplicationReason)):
        for code in codes_of:
            said = {explained(table, code, visit(each).writing) for each in languages()}
            assert len(said) == len(languages())


def test_a_reason_of_a_later_version_is_shown_as_it_is() -> None:
    assert "new-one" in explained(OFFERS, "new-one", visit().writing)


class Literals(HTMLParser):
    """Collects what a reader would read of a template that is no expression."""

    READ = ("alt", "aria-label", "placeholder", "title", "content")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        read = [value for name, value in attrs if name in self.READ and value]
        if tag == "meta" and dict(attrs).get("name") != "description":
            return
        self.found += read

    def handle_data(self, data: str) -> None:
        self.found.append(data)


@pytest.mark.slow
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_have_no_literal_and_no_style_or_script_of_their_own(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    without = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", source, flags=re.DOTALL)
    reader = Literals()
    reader.feed(without)
    assert not re.findall(r"[^\W\d_]+", " ".join(reader.found)), "write it as {{ _(...) }}"
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", without)
    assert not re.search(r"<script(?![^>]*\ssrc=)", without)
    assert "|safe" not in source


# --- figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "accepted", "amount", "currency", "written"),
    [
        ("en", "", 123_450, "EUR", "€1,234.50"),
        ("en", "en-GB,en;q=0.8", 5, "GBP", "£0.05"),
        ("en", "", 123_450, "JPY", "¥123,450"),
        ("ja", "", 123_450, "JPY", "¥123,450"),
        ("ja", "ja-JP", 123_450, "KWD", "KWD\xa0123.450"),
        ("en", "", 10**15, "USD", "$10,000,000,000,000.00"),
    ],
)
def test_money_is_exact_and_of_its_currency_s_digits(
    language: str, accepted: str, amount: int, currency: str, written: str
) -> None:
    assert Formats.of(language, accepted).money(amount, currency) == written


def test_times_say_their_zone() -> None:
    assert Formats.of("en", "en-GB").minute(T) == "11 Mar 2026, 14:03 UTC"
    assert Formats.of("ja").minute(T) == "2026年3月11日 23:03 JST"
    assert Formats.of("en").second(T).endswith("UTC")


@pytest.mark.parametrize(
    ("span", "english", "japanese"),
    [
        (timedelta(days=2, hours=4, minutes=9), "2 days 4 hours", "2日4時間"),
        (timedelta(days=1, minutes=9), "1 day", "1日"),
        (timedelta(minutes=61), "1 hour 1 minute", "1時間1分"),
        (timedelta(seconds=59.9), "59 seconds", "59秒"),
        (timedelta(seconds=-5), "0 seconds", "0秒"),
    ],
)
def test_time_left_names_the_two_largest_units(
    span: timedelta, english: str, japanese: str
) -> None:
    assert Formats.of("en").left(span) == english
    assert Formats.of("ja").left(span) == japanese


@pytest.mark.parametrize(
    ("typed", "currency", "amount"),
    [
        ("12.50", "EUR", 1_250),
        (" 1,234 ", "EUR", 123_400),
        ("１２，３４５", "JPY", 12_345),  # noqa: RUF001 - full width, as it is typed
        ("0.001", "KWD", 1),
        ("12.5", "EUR", 1_250),
    ],
)
def test_amounts_are_read_as_people_type_them(typed: str, currency: str, amount: int) -> None:
    assert formats.amount_of(typed, currency, "en") == amount
    assert formats.amount_of(in_decimals(amount, currency), currency, "en") == amount


#: Numbers as somebody types them who wants to see what breaks.
ODD_NUMBERS = [
    *("", "-1", "+1", "1e9", "1e999999", "1E-999999", "1e999999999999999999999", "0e999999"),
    *("12.", ".5", "NaN", "sNaN", "Infinity", "-inf", "1.2.3", "0x10", "1_000", "1__0", "--1"),
    *("9" * 17, "9" * 5_000, "1." + "0" * 5_000, "1." + "0" * 40 + "1", "0." + "1" * 29),
    *(
        "\u0661\u0662",
        "\u0967\u0968",
        "\U0001d7d9\U0001d7da",
        "²",
        "½",
        "1\u00a0000\x00",
        "\x0012",
        "12\ud800",
        "1\u202e2",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("typed", ODD_NUMBERS, ids=lambda typed: ascii(typed)[:24])
def test_amounts_that_are_none_are_told_apart(typed: str) -> None:
    for currency in ("EUR", "JPY", "KWD", "", "\x00"):
        with pytest.raises(ValueError, match=r"^not-an-amount$"):
            formats.amount_of(typed, currency, "en")


@pytest.mark.slow
@pytest.mark.parametrize(
    "typed", [each for each in ODD_NUMBERS if each], ids=lambda t: ascii(t)[:24]
)
def test_whole_numbers_that_are_none_are_told_apart(typed: str) -> None:
    with pytest.raises(ValueError, match=r"^not-countable$"):
        formats.number_of(typed, "en")


@pytest.mark.parametrize(
    ("typed", "locale", "percent"),
    [
        ("5", "en", 5.0),
        (" 12.5 % ", "en", 12.5),
        ("12,5%", "de", 12.5),
        ("12.5", "de", 12.5),
        ("１２．５％", "ja", 12.5),  # noqa: RUF001 - as Japanese keyboards write it
        ("0", "en", 0.0),
    ],
)
def test_a_percentage_is_read_as_people_type_it(typed: str, locale: str, percent: float) -> None:
    assert formats.percent_of(typed, locale) == percent


@pytest.mark.slow
@pytest.mark.parametrize(
    "typed",
    [*(each for each in ODD_NUMBERS if each), *("nan", "sNaN", "inf", "1e9", "-5", "%", "9" * 400)],
    ids=lambda typed: ascii(typed)[:24],
)
def test_percentages_that_are_none_are_told_apart(typed: str) -> None:
    with pytest.raises(ValueError, match=r"^not-a-number$"):
        formats.percent_of(typed, "en")


@pytest.mark.slow
@pytest.mark.parametrize("typed", ODD_NUMBERS, ids=lambda typed: ascii(typed)[:24])
def test_a_form_says_at_its_field_what_is_wrong_with_a_number(typed: str) -> None:
    here = visit()
    form = Form(here, {"price": typed, "minimum": typed, "closes_at": typed, "zone": typed})
    assert form.amount("price", "EUR") is None
    form.number("minimum")
    assert form.time("closes_at") is None
    assert set(form.problems) == {"price", "minimum", "closes_at"}


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ann@x.example", "ann@x.example"),
        ("\u3000\uff41nn\uff20x.example ", "ann@x.example"),
        ("a..b@docomo.ne.jp", "a..b@docomo.ne.jp"),
        ("jörg@bücher.example", "jörg@bücher.example"),
        ("a/b@x.example", "a/b@x.example"),
    ],
)
def test_a_form_takes_each_address_that_a_letter_can_go_to(typed: str, kept: str) -> None:
    form = Form(visit(), {"email": typed})
    assert (form.email(), form.problems) == (kept, {})


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("reason", [each for each in AddressReason if each != "missing"])
def test_a_form_says_why_an_address_is_refused(reason: AddressReason, language: str) -> None:
    typed = {
        "no_at": "ann", "several": "a@x.example, b@x.example", "named": "Ann <a@x.example>",
        "comment": "a@x.example (Ann)", "hidden": "a\u202e@x.example", "local": "a b@x.example",
        "blank": "a @x.example", "domain": "a@x_y.example", "no_dot": "a@gmail",
        "ip": "a@[192.0.2.1]", "long": f"{'a' * 65}@x.example",
    }[reason]  # fmt: skip
    here = visit(language)
    form = Form(here, {"email": typed})
    form.email()
    meant = "a@x.example" if reason in ("named", "blank") else ""
    said = escape(explained(ADDRESSES, reason, here.writing))
    assert set(form.problems) == {"email"}
    assert form.problems["email"].startswith(said)
    assert (form.problems["email"] == said) == (not meant)
    assert meant in form.problems["email"]


@pytest.mark.parametrize(
    ("language", "typed", "currency", "said"),
    [
        ("en", "24.005", "EUR", "EUR has 2 decimals: give an amount such as 24.00."),
        ("en", "24.00", "JPY", "JPY has no decimals: give an amount such as 2,400."),
        ("en", "24,00", "EUR", "Give an amount such as 24.00."),
        (
            "ja",
            "24.00",
            "JPY",
            "JPY には小数点以下がありません。2,400 のような金額で入力してください。",
        ),
    ],
)
def test_a_form_says_how_to_write_an_amount(
    language: str, typed: str, currency: str, said: str
) -> None:
    form = Form(visit(language), {"price": typed})
    assert (form.amount("price", currency), form.problems) == (None, {"price": said})


def test_a_form_reads_an_amount_as_the_reader_writes_it() -> None:
    form = Form(Visit("en", Formats.of("en", "en-DE"), T), {"price": "24,00"})
    assert (form.amount("price", "EUR"), form.problems) == (2_400, {})


def test_times_of_forms_are_of_the_zone_they_were_typed_in() -> None:
    at = formats.time_of("2026-03-11T23:03", "Asia/Tokyo")
    assert at == datetime(2026, 3, 11, 14, 3, tzinfo=UTC)
    assert formats.time_of("2026-03-11T23:03:20.5", "UTC").second == 20
    for typed, zone in (
        ("", "UTC"),
        ("soon", "UTC"),
        ("2026-03-11T23:03", "../etc"),
        ("0001-01-01T00:00", "Asia/Tokyo"),
    ):
        with pytest.raises(ValueError, match=r"^not-a-date$"):
            formats.time_of(typed, zone)


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "language"),
    [
        ("ja", "en", "en", "ja"),
        (None, "ja", "en-GB", "ja"),
        (None, None, "fr-FR,ja;q=0.8,en;q=0.5", "ja"),
        ("xx", None, "", "en"),
        (None, "<script>", "de", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_then_kept_then_the_browser_s(
    asked: str | None, kept: str | None, accepted: str, language: str
) -> None:
    from services.storefront.pages.visits import _language

    assert _language(asked, kept, accepted) == language


# --- pictures ------------------------------------------------------------------------------------


def steps(*amounts: int) -> list[chart.Step]:
    return [chart.Step(T + number * HOUR, each, f"<{each}>") for number, each in enumerate(amounts)]


@pytest.mark.parametrize("frame", [chart.WIDE, chart.NARROW], ids=lambda frame: frame.name)
@pytest.mark.parametrize("amounts", [(1,), (100, 90), tuple(range(10**12, 10**12 - 300, -1))])
def test_a_chart_is_whole_numbers_within_its_frame_and_escaped(
    amounts: tuple[int, ...], frame: chart.Frame
) -> None:
    ends = chart.Mark(T + 400 * HOUR, '"&')
    drawn = chart.step_chart(
        steps(*amounts), ends, T + 350 * HOUR, chart.Mark(T, "a"), '<"&>', frame
    )
    svg = ElementTree.fromstring(drawn)
    assert svg.get("aria-label") == '<"&>'
    assert svg.get("role") == "img"
    assert "style" not in drawn
    across, down = frame.width, frame.height
    for path in svg.iter("path"):
        for command, numbers in re.findall(r"([MHVZ])([\d ]*)", path.get("d", "")):
            found = [int(each) for each in numbers.split()]
            if command in "MH" and found:
                assert 0 <= found[0] <= across
            if command == "V":
                assert 0 <= found[0] <= down
    written = [each.text for each in svg.iter("text")]
    assert f"<{amounts[-1]}>" in written


def test_a_chart_goes_down_as_the_price_does() -> None:
    drawn = chart.step_chart(
        steps(1_000, 900, 700),
        chart.Mark(T + 10 * HOUR, ""),
        T + 5 * HOUR,
        chart.Mark(T, ""),
        "",
        chart.WIDE,
    )
    line = re.search(r'class="line" d="([^"]+)"', drawn)
    assert line
    heights = [int(each) for each in re.findall(r"(?:M\d+ |V)(\d+)", line[1])]
    assert heights == sorted(heights)
    assert len(heights) == 3


@pytest.mark.parametrize(
    ("count", "goal", "filled", "goal_at"),
    [(0, 100, 0, 1_000), (50, 100, 500, 1_000), (200, 100, 1_000, 500), (0, 0, 0, 0)],
)
def test_a_bar_is_as_long_as_its_goal_or_what_is_there(
    count: int, goal: int, filled: int, goal_at: int
) -> None:
    assert chart.bar(count, goal) == chart.Bar(filled, goal_at, ())


def test_a_bar_s_marks_may_lie_beyond_its_goal() -> None:
    assert chart.bar(10, 100, (30, 200)) == chart.Bar(50, 500, (150, 1_000))


# --- what is told --------------------------------------------------------------------------------


def auction(**changed: object) -> AuctionDetail:
    history = (
        ConditionAt(at=T, unit_price=90_000, minimum_reservations=5),
        ConditionAt(at=T + HOUR, unit_price=78_800, minimum_reservations=4),
    )
    fields: dict[str, object] = {
        **{"auction_id": "a", "version": 3, "status": "open", "product": Product(name="Camera")},
        **{"unit_price": 78_800, "currency": "EUR", "minimum_reservations": 4, "reservations": 1},
        **{"applicants": 1, "missing": 3, "minimum_step": 1, "opened_at": T},
        **{"quantity_max_per_applicant": 100},
        **{"invites_at": T + 3 * HOUR, "invited_at": None, "closes_at": T + 4 * HOUR},
        **{"history": history, "concluded_at": None, "group_id": None, "seller_id": "s"},
    }
    return AuctionDetail.model_validate(fields | changed)


def visit(language: str = "en", after: timedelta = 2 * HOUR) -> Visit:
    return Visit(language, Formats.of(language), T + after)


def test_what_happened_is_told_from_the_latest_back() -> None:
    told = figures.story(visit(), auction(invited_at=T + 90 * timedelta(minutes=1)))
    assert [each.kind for each in told] == ["invited", "better", "opened"]
    assert told[1].words == "A better offer took over: €788.00, minimum 4"
    assert told[1].less == 11_200
    ended = figures.story(visit(), auction(status="failed", concluded_at=T + 4 * HOUR))
    assert ended[0].words == "Ended without a contract"


def test_a_drop_is_said_in_percent_of_the_opening_price() -> None:
    assert figures.drop(auction()) == 12.4


def group(*tiers: Tier, quantity: int = 0, price: int | None = 1_000) -> GroupView:
    fields = {
        **{"group_id": "GB", "status": "open", "product": Product(name="Tea"), "currency": "EUR"},
        **{
            "unit_price": price,
            "number_of_products": 10,
            "quantity": quantity,
            "missing": 10 - quantity,
        },
        **{"members": 0, "opens_at": T, "closes_at": T + HOUR, "definition_id": None, "version": 0},
        **{"value": 0, "members_listed": False, "closed_at": None, "withdrawn_at": None},
        **{"visibility": "public", "payment": {}, "favor": FavorTerms(tiers=tiers)},
        **{"tier_reached": None, "next_tier": None, "missing_to_next": None},
        **{"if_incomplete": "none", "stop_at_number": False, "decision": None},
    }
    return GroupView.model_validate(fields)


@pytest.mark.parametrize(
    ("tier", "price", "words"),
    [
        (Tier(from_quantity=1, percent_off=12.5), 875, "12.5% off"),
        (Tier(from_quantity=1, amount_off=50), 950, "€0.50 off each"),
        (Tier(from_quantity=1, unit_price=0), 0, "€0.00 each"),
        (Tier(from_quantity=1, gift="<b>Cup</b>"), None, "a gift: &lt;b&gt;Cup&lt;/b&gt;"),
    ],
)
def test_a_tier_is_said_and_priced(tier: Tier, price: int | None, words: str) -> None:
    assert figures.tier_price(group(tier, quantity=10)) == price
    assert figures.tier_price(group(tier, quantity=10, price=None)) is None
    assert figures.tier_price(group(tier, quantity=9)) is None, "nothing before the number"
    assert visit().tier(tier, "EUR") == words


def test_marks_far_beyond_the_number_do_not_shrink_the_bar_to_nothing() -> None:
    tiers = (Tier(from_quantity=5, percent_off=1), Tier(from_quantity=5_000, percent_off=2))
    assert figures.marks(group(*tiers)) == (5,)
    assert figures.starts(group(*tiers)) == (5, 5_000)


def sharing_of(here: Visit, shared: SharedView) -> Sharing:
    """What a page names for sharing, as ``sharing`` makes it of a request."""
    return Sharing(
        title=shared.product,
        summary=shared_views.summary(here, shared),
        url="https://shop.example/a",
        card="https://shop.example/a/card.png",
        card_size=(1200, 630),
        qr="/a/qr.svg",
        calendar="/a/deadline.ics",
        frame=f'<iframe title="{shared.product}"></iframe>',
    )


@pytest.mark.slow
@pytest.mark.parametrize("language", languages())
def test_what_people_typed_is_text_and_nothing_else(language: str) -> None:
    name = "<script>alert(1)</script>\"'&{n}\u202e" + "長" * 980
    product = Product(name=name[:1_000], category="<script>", tags=("<script>alert(1)",))
    shown = auction(product=product)
    text = Markup(html_of(name, links=True))
    said = SellerProfile(
        seller_id="s",
        name=name[:200],
        email="a@b.example",
        delivery=name,
        postal_address=name[:200],
    )
    about = Wares(product, (), text, "https://a.example", SoldBy(said, None, None))
    here = visit(language)
    wide, narrow = figures.charts(here, shown)
    page = render(
        "auction.html",
        here,
        auction=shown,
        form=Form(here, {"email": '"><script>'}),
        group_id=None,
        agreement=agreement.of_reservation(shown, 1),
        wares=about,
        sold_by=about.sold_by,
        drop=figures.drop(shown),
        chart_wide=wide,
        chart_narrow=narrow,
        story=figures.story(here, shown),
        sharing=sharing_of(here, shared_views.of_auction(shown)),
    )
    assert "<script>alert" not in page
    assert '"><script>' not in page
    assert f'<html lang="{language}"' in page
    assert page.count("<script") == 1
    assert "&lt;script&gt;alert" in page.partition("prose")[2]


# --- searches ------------------------------------------------------------------------------------

FOUND = DefinitionSummary(
    definition_id="d",
    shop_id="s",
    product=Product(name="Green tea"),
    unit_price=1_000,
    currency="EUR",
    published_at=T,
)
NOTHING, SOME, FURTHER_ON = Listed([], None), Listed([FOUND], None), Listed([], "a-cursor")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("groups", "definitions", "sections", "says"),
    [
        (NOTHING, NOTHING, [], ["We found nothing. Try another word, or a shorter one."]),
        (NOTHING, SOME, ["definitions"], []),
        (
            FURTHER_ON,
            NOTHING,
            ["groups"],
            [
                "We found nothing here yet. There may be more on the next page.",
                "Show more group purchases",
            ],
        ),
        (
            FURTHER_ON,
            SOME,
            ["groups", "definitions"],
            [
                "We found nothing here yet. There may be more on the next page.",
                "Show more group purchases",
            ],
        ),
    ],
)
def test_a_search_shows_the_lists_that_have_something_and_says_once_that_none_has(
    groups: Listed[Any], definitions: Listed[Any], sections: list[str], says: list[str]
) -> None:
    """A list may have nothing in its window: then what is further on can be asked for."""
    here = visit("en")
    page = render(
        "home.html",
        here,
        words="tea",
        searched_id=None,
        is_crossed=False,
        shop_names={},
        prices={},
        discounts={},
        sort="ending",
        asked=dict.fromkeys(("only", "category", "tag", "shop", "price_min", "price_max"), "")
        | {"currency": "", "q": "tea", "sort": ""},
        is_narrowed=True,
        applied=[],
        form=Form(here),
        choices=HomeChoices((), (), (), ()),
        currency="",
        currency_options=[],
        shop_options=[],
        auctions=NOTHING,
        groups=groups,
        goals={},
        definitions=definitions,
        count=str,
        url=lambda **asked: "/",
        is_admin=False,
    )
    assert re.findall(r'<section class="board" aria-labelledby="(\w+)"', page) == sections
    for text in (
        "We found nothing. Try another word, or a shorter one.",
        "We found nothing here yet. There may be more on the next page.",
        "Show more auctions",
        "Show more group purchases",
    ):
        assert page.count(here.gettext(text)) == (text in says), text
    assert page.count('class="sorts"') == ("groups" in sections)


# --- refusals ------------------------------------------------------------------------------------


def test_a_problem_that_only_the_rules_find_is_shown_in_the_reader_s_language() -> None:
    """Those of request_service, as they come over the topic."""
    found = problem("number_of_products", ProblemCode.TOO_LOW, number=0, least=1)
    later = Problem(field="later", problem="is odd: mend it", code="of-a-later-version")
    shown = {
        language: render("refused.html", visit(language), problems=[found, later], back="/")
        for language in languages()
    }
    assert "Number of products: Is 0: give at least 1." in shown["en"]
    assert "目標の数量：0は小さすぎます。1以上で指定してください。" in shown["ja"]  # noqa: RUF001
    assert "give at least" not in shown["ja"]
    for each in shown.values():
        assert "s odd: mend it" in each, "what is not known stays as it was told"


def test_a_form_says_in_the_reader_s_language_why_a_command_is_refused() -> None:
    form = Form(visit("ja"))
    refusal = Impossible(RefusalCode.OFFER_REFUSED, reason=OfferReason.PENDING_SELLER)
    form.refused(refusal, {})
    assert "承認が済んでいませんでした" in form.problems[""]
    reasons = {"reason": "not-this-shop", "quantity": 2}
    for language, said in (
        ("en", "Orders of this shop do not count"),
        ("ja", "対象ではありません"),
    ):
        form = Form(visit(language))
        refused = problem("order_id", ProblemCode.ORDER_REFUSED, **reasons)
        form.refused(Impossible(RefusalCode.ORDER_REFUSED, [refused]), {"order_id": "quantity"})
        assert said in form.problems["quantity"]
