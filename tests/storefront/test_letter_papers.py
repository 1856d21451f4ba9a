"""The paper that a letter encloses is, byte for byte, the one that its link leads to."""

from pathlib import Path
from random import Random

import pytest

from domain.people import name_mark
from papers.pdf import pdf_of
from runtime.links import ANOTHER_S
from schemas.groups import GroupPurchase
from schemas.letters import Notice
from schemas.orders import PurchaseRow
from schemas.parts import Member, Party
from schemas.people import Person
from services.notifier.letters.enclosed import paper_for
from services.notifier.rules.people import person_row
from tests.rules import payment_world
from tests.rules.paper_samples import ISSUER
from tests.rules.payment_world import GROUP, World
from tests.storefront.pages_app import SECRET
from tests.storefront.payer_pages import payer_pages
from tests.storefront.test_read_model import write

NAME = "Ann Äpfel"
#: A person without a shop's id: papers have a pseudonym of it.
MAILBOX = "m-0123456789abcdef01234567"


def listed(name: str | None = NAME) -> GroupPurchase:
    """A group whose request listed one member, under this name."""
    mark = name_mark("R", name) if name else None
    member = Member(id=MAILBOX, person_id=MAILBOX, name_mark=mark)
    terms = payment_world.terms(method="invoice")
    return terms.model_copy(update={"members": (member,)})


def organized(name: str | None = NAME) -> GroupPurchase:
    """A group that pays as one; its organizer gave this name."""
    mark = name_mark("R", name) if name else None
    organizer = Party(id="org", person_id="m-org", name_mark=mark)
    terms = payment_world.terms("group", "invoice")
    return terms.model_copy(update={"organizer": organizer})


def told(terms: GroupPurchase, member: str) -> tuple[list[Notice], PurchaseRow]:
    """The letters about papers from an order to the end, and the member's row."""
    it = World(Random(1), terms)
    it.order(member, 3)
    it.drain()
    it.come_to_rest()
    letters = [each for each in it.payments.sent if isinstance(each, Notice)]
    bought = next(each for each in it.purchases.sent if isinstance(each, PurchaseRow))
    return [each for each in letters if each.says.billed], bought


GROUPS: list[tuple[str, GroupPurchase, str, str]] = [
    ("of a member who was named", listed(), MAILBOX, "en"),
    ("in Japanese", listed(), MAILBOX, "ja"),
    ("whom the request did not name", listed(None), MAILBOX, "en"),
    ("who has another name by now", listed("Other"), MAILBOX, "en"),
    ("of a member whom nobody listed", payment_world.terms(method="invoice"), "ann", "en"),
    ("of the organizer", organized(), "ann", "en"),
]


@pytest.mark.parametrize(
    ("what", "terms", "member", "language"), GROUPS, ids=[each[0] for each in GROUPS]
)
async def test_the_paper_of_a_letter_is_the_one_that_its_page_serves(
    url: str, tmp_path: Path, what: str, terms: GroupPurchase, member: str, language: str
) -> None:
    letters, bought = told(terms, member)
    kinds = [each.says.payment_kind for each in letters]
    assert kinds in (["invoice", "credit"], ["invoice"]), "of a group that pays as one, one is due"
    for each in letters:
        person = Person(
            person_id=each.recipient_id,
            email="ann@people.example",
            name=NAME,
            locale=language,
            seen_at=each.at,
        )
        paper = paper_for(each, person_row(person), ISSUER, SECRET)
        assert paper is not None
        billed = each.says.billed
        assert billed is not None
        # As facts were when the letter was written.
        await write(url, terms, bought, person, billed.payment)
        with payer_pages(url, tmp_path, ISSUER, each.says.party_id, "", GROUP) as pages:
            served = await pages.paper(billed.payment, language)
        assert served.headers["content-type"] == "application/pdf"
        assert pdf_of(paper) == served.content
        is_named = what in ("of a member who was named", "in Japanese", "of the organizer")
        assert (NAME in paper.payer) == is_named


async def test_the_paper_to_another_person_who_ordered_under_the_payer_s_id_names_nobody(
    url: str, tmp_path: Path
) -> None:
    terms = payment_world.terms(method="invoice")
    it = World(Random(1), terms)
    it.order("ann", 3)
    it.drain()
    it.order("ann", 2)
    of_another = {"member_email": "zoe@x.example", "person_id": "m-zoe"}
    it.commands["orders"][-1] = it.commands["orders"][-1].model_copy(update=of_another)
    it.drain()
    first, second = (each for each in it.payments.sent if isinstance(each, Notice))
    assert (first.says.order_id, second.recipient_id) == (None, "m-zoe")
    order_id, billed = second.says.order_id, second.says.billed
    assert order_id
    assert billed is not None
    zoe = Person(person_id="m-zoe", email="zoe@x.example", name="Zoe", seen_at=second.at)
    paper = paper_for(second, person_row(zoe), ISSUER, SECRET)
    assert paper is not None
    assert paper.payer == ("Customer: ann",)
    bought = next(each for each in it.purchases.sent if isinstance(each, PurchaseRow))
    await write(url, terms, bought, zoe, *it.latest().values())
    only = f"{order_id}{ANOTHER_S}"
    with payer_pages(url, tmp_path, ISSUER, "ann", only, GROUP) as pages:
        served = await pages.paper(billed.payment)
    assert pdf_of(paper) == served.content
