"""What letters tell in words and leave out: money back, failed payments, rows that say nothing."""

import pytest

from services.notifier.rules.labels import METHODS
from tests.rules.letter_samples import AUCTION_ID, GROUP_ID, parts, read, samples, written


def text(name: str, language: str = "en", **says: object) -> str:
    """The text of a sample's letter, whose notice says something else too."""
    sample = samples(language)[name]
    changed = sample.notice.says.model_copy(update=says)
    notice = sample.notice.model_copy(update={"says": changed})
    return parts(read(written(sample._replace(notice=notice))))["text/plain"]


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", samples("en"))
def test_no_letter_has_words_of_the_code(name: str, language: str) -> None:
    said = text(name, language).replace("payment-failed", "")
    for word in ("favor", "minor unit", "card-declined", "intercepted"):
        assert word not in said.lower()


@pytest.mark.slow
@pytest.mark.parametrize("name", samples("ja"))
def test_japanese_has_no_space_between_a_number_and_its_counter(name: str) -> None:
    said = text(name, "ja")
    assert " 点" not in said
    assert " 名" not in said


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"method": "shop", "payment_scope": "member"}, "The shop pays it back to you"),
        ({"method": "card", "payment_scope": "member"}, "We charge you that much less"),
        ({"method": None, "payment_scope": "member"}, "We charge you that much less"),
        ({"method": "shop", "payment_scope": "group"}, "The organizer pays for the whole group"),
    ],
)
def test_a_discount_says_how_it_comes(says: dict[str, str], told: str) -> None:
    assert told in text("favor-given", **says)


def test_a_notice_from_before_it_said_who_pays_does_not_guess() -> None:
    said = text("favor-given", method=None, payment_scope=None)
    assert "You get 10% off, which is £10.35.\n" in said


def test_a_cancelled_group_gives_money_back_and_no_discount() -> None:
    said = text("favor-given-cancelled")
    assert "so it was cancelled" in said
    assert "For you that is £103.50. We pay back what you have paid" in said
    assert "discount" not in said.lower()
    assert "Percent off" not in said


@pytest.mark.parametrize(
    ("quantity", "told"),
    [(3, "The discount does not lower the price of your order."), (0, "You have no purchase left")],
)
def test_no_discount_says_why(quantity: int, told: str) -> None:
    assert told in text("favor-given-none", quantity=quantity)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["charge", "refund", "release", "invoice", "capture"])
def test_a_buyer_s_failed_payment_is_not_the_organizer_s(kind: str) -> None:
    """Nor does the button lead to payments of the organizer's own."""
    name = "payment-failed-charge-organizer"
    for reason in (None, "dispute-lost", "card-declined"):
        said = text(name, payment_kind=kind, reason=reason)
        for wrong in ("your card", "your payment", "owe you", "your bank", "/payments/"):
            assert wrong not in said.lower()
        assert f"https://jointbuy.example/groups/{GROUP_ID}" in said


def test_a_row_that_repeats_another_is_left_out() -> None:
    """A minimum that stayed, a price that stayed; and a code is no way to pay."""
    changed, same = text("condition-improved"), text("condition-improved-price")
    assert "Minimum before: 120 units" in changed
    assert "Minimum before" not in same
    before = samples("en")["condition-improved"].notice.says
    assert before.shown
    assert before.before
    fewer = before.before.model_copy(update={"unit_price": before.shown.unit_price})
    assert "Price before" not in text("condition-improved", before=fewer)
    assert METHODS["shop"] not in text("payment-done-code")


def test_a_deadline_that_has_passed_is_not_told_as_one_to_come() -> None:
    assert "Closes: Friday, 13 March" in text("order-counted")
    assert "Closed: Friday, 13 March" in text("order-counted-late")


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Price each: give £0.01 to £10,000,000,000.00."),
        ("ja", "¥1から¥1,000,000,000,000までの間で指定してください。"),
    ],
)
def test_a_range_of_money_is_told_in_the_currency(language: str, told: str) -> None:
    assert told in text("offer-judged-refused", language)


def test_a_range_in_an_unknown_currency_stays_in_minor_units() -> None:
    assert "give 1 to 1,000,000,000,000 minor units" in text("offer-judged-refused", currency="???")


@pytest.mark.slow
def test_a_letter_says_why_one_gets_it() -> None:
    """Who is invited, or whose address somebody gave, takes part in nothing yet."""
    assert "because you are registered as a seller" in text("invitation")
    for name in ("confirm-application", "application-refused"):
        assert "somebody gave this address with a reservation" in text(name)
    of_kinds = {
        "because you asked for the group purchase": ["id-issued-organizer"],
        "because you organize the group purchase": ["payment-failed-charge-organizer"],
        "because you are on the list of the group": ["id-issued-member", "deadline-reminder"],
        "because you ordered in the group": ["order-waits", "order-counted", "order-refused"],
        "because you take part in the group": ["favor-given", "payment-done-charge"],
        "because you reserved in the auction": ["condition-improved", "contract-failed-applicant"],
        "because you made an offer in the auction": ["offer-judged-shown", "right-intercepted"],
        "because somebody asked for the links": ["links-again"],
        "because somebody asked to see": ["data-link"],
        "because you are registered as a seller. It tells": ["seller-standing-good"],
        "because you made offers in these auctions": ["offers-judged"],
    }
    for why, names in of_kinds.items():
        assert all(why in text(name) for name in names), why
    for name in ("invitation", "confirm-order", "confirm-application", "application-refused"):
        assert "you take part" not in text(name)


def test_a_letter_names_an_auction_by_its_product() -> None:
    said = text("offer-judged-shown").replace(f"/auctions/{AUCTION_ID}", "")
    assert AUCTION_ID not in said
    assert "you made an offer in the auction of Olive oil" in said
