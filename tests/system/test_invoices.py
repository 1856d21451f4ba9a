"""An invoice from the order to its money: documents, a bank statement, the ledger; no browser."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from babel.dates import format_date
from pypdf import PdfReader

from demo.mailbox import Letter, Mailbox
from domain.references import creditor_reference
from runtime.links import ANOTHER_S
from schemas.payments import Payment
from stack.brokers import RunningBroker
from tests.bank import Transfer, statement
from tests.printed import read_pdf, read_png
from tests.system import made_up
from tests.system.api_stack import LINKS, SECRET, Api, Client, after, api_on
from tests.system.letters import mail_env
from tests.system.reader import Reader
from tests.system.stack import until
from tests.system.terminal import acting_on, jointbuy

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def api(kafka: RunningBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("invoices")
    with api_on(kafka, folder, **made_up.issuer(folder)) as api:
        api.stack.start("payment_service")
        yield api


@pytest.fixture(scope="module")
def mailbox(api: Api) -> Iterator[Mailbox]:
    """Where all letters go that are sent from its first use on, and those before."""
    with Mailbox() as mailbox:
        env = mail_env(mailbox.port, LINK_SECRET=SECRET, PAGE_URL=api.nobody.url)
        api.stack.start("notifier", **env)
        yield mailbox


@dataclass(frozen=True)
class Group:
    """A group that pays by invoice, and its people as clients of the API."""

    api: Api
    shop: Client
    group_id: str
    organizer: Client

    def member(self, member_id: str) -> Client:
        """By the link to order as this member."""
        return self.api.nobody.as_(LINKS.token("order", self.group_id, member_id))

    def payer(self, payer_id: str, order_id: str = "") -> Client:
        """By the link to the own payments."""
        return self.api.nobody.as_(LINKS.token("payer", self.group_id, payer_id, order_id))

    def order(self, member_id: str, quantity: int) -> str:
        """Order as a member, and confirm it."""
        member = {"email": f"{member_id}@people.example"}
        made = self.member(member_id).post(
            f"/group-purchases/{self.group_id}/orders", {"quantity": quantity, "member": member}
        )
        self.api.confirm_order(self.group_id, made, quantity)
        return str(made["order_id"])

    def payments(self) -> list[Any]:
        """As the organizer sees them."""
        return list(self.organizer.get(f"/group-purchases/{self.group_id}/payments")["items"])

    def await_payments(self, *kinds: str) -> dict[str, Any]:
        """The payments by their numbers, once there are those of these kinds and no others."""
        until(
            f"payments {kinds}",
            lambda: sorted(each["kind"] for each in self.payments()) == sorted(kinds),
        )
        return {each["number"]: each for each in self.payments()}


def opened(api: Api, **terms: Any) -> Group:
    shop = api.shop()
    payment = {"scope": terms.pop("scope", "member"), "methods": ["invoice"]}
    definition = api.definition(shop, payment=payment)
    asked = api.nobody.post(
        "/group-purchases",
        {
            "definition_id": definition["definition_id"],
            "number_of_products": 20,
            "closes_at": after(days=1),
            "organizer": {"email": "ada@people.example"},
            "payment": {"scope": payment["scope"], "method": "invoice"},
        }
        | terms,
    )
    organizer = api.nobody.as_(asked["organizer_token"])
    return Group(api, shop, asked["group_id"], organizer)


def document(client: Client, number: str, **query: str) -> Any:
    answer = client.send("GET", f"/payments/{number}/document", params=query)
    assert answer.status_code == 200, answer.text
    return answer


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_an_invoice_is_ordered_read_paid_by_a_statement_and_paid_once(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting_on(api, monkeypatch)
    group = opened(api)
    order_id = group.order("ann", 2)
    group.await_payments("invoice")
    number = f"{group.group_id}-I1"

    ann = group.payer("ann")
    text = document(ann, number, **{"as": "text"}).text
    for said in (
        number,
        "Corner Shop Ltd",
        "Green tea",
        "€10.00 = €20.00",
        "Amount due: €20.00",
        order_id,
        "DE89 3704",
        creditor_reference(number) or "?",
    ):
        assert said in text, said  # fmt: skip
    page = document(ann, number, **{"as": "html", "lang": "ja"})
    assert "請求書" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    pdf = document(ann, number)
    assert pdf.headers["content-type"] == "application/pdf"
    assert number in text_of(pdf.content)
    assert "€20.00" in text_of(pdf.content)
    assert document(group.payer("ann", order_id), number).content == pdf.content
    # The shop is told the same but for the address; so is another person who ordered in her name.
    told = [line for line in text.splitlines() if "ann@people.example" not in line]
    for caller in (group.shop, group.payer("ann", f"{order_id}{ANOTHER_S}")):
        assert document(caller, number, **{"as": "text"}).text.splitlines() == told

    file = tmp_path / "statement.xml"
    reference = creditor_reference(number) or ""
    file.write_bytes(
        statement(
            Transfer("12.00", f"Invoice {number.lower()}", "A1"),
            Transfer("8.00", "", "A2", structured=reference),
            Transfer("3.50", "thank you", "A3"),
        )
    )
    planned = jointbuy("invoice", "import", str(file), "--dry-run", "--json")
    assert [each["amount"] for each in planned.json["counted"]] == [1200, 800]
    assert ann.get(f"/payments/{number}")["received"] == 0

    said = jointbuy("invoice", "import", str(file))
    assert said.exit_code == 1, said.err
    assert "2 counted, 0 known already, 1 not counted" in said.out
    assert "names no invoice" in said.out
    assert "`jointbuy todo --kind transfer` lists them" in said.out
    left_once(file)
    paid = ann.get(f"/payments/{number}")
    assert (paid["status"], paid["received"], paid["open"]) == ("succeeded", 2000, 0)
    most = {"amount": 10**15, "currency": "EUR", "reference": "A9"}
    (problem,) = api.admin.post(f"/payments/{number}/received", most, 422)["problems"]
    assert (problem["field"], "beyond-limits" in problem["problem"]) == ("amount", True)

    # Another statement that has some of the same entries.
    again = tmp_path / "again.xml"
    again.write_bytes(
        statement(
            Transfer("8.00", "", "A2", structured=reference),
            Transfer("12.00", f"Invoice {number.lower()}", "A1"),
            Transfer("20.00", number, "A4"),
        )
    )
    repeated = jointbuy("invoice", "import", str(again), "--json")
    assert repeated.json["counted"] == []
    assert len(repeated.json["known"]) == 2
    assert "paid already" in repeated.json["left"][0]["problem"]
    assert ann.get(f"/payments/{number}")["version"] == paid["version"]
    shown = jointbuy("invoice", "show", number, "--as", "text")
    assert "Status: paid" in shown.out
    assert "Received on June 15, 2026: €12.00" in shown.out

    books = jointbuy("ledger", group.group_id, "--json").json
    assert books["sum"] == 0
    assert {(each["account"], each["amount"]) for each in books["balances"]} == {
        ("bank", 2000),
        ("seller", -2000),
    }


def left_once(file: Path) -> None:
    """What the statement left is a task, once, and stays done when the statement comes again."""

    def transfers() -> list[Any]:
        listed = jointbuy("todo", "--kind", "transfer", "--json")
        assert listed.exit_code == 0, listed.err
        return [each for each in listed.json if each["amount"] == 350]

    (task,) = transfers()
    assert (task["currency"], task["reason"], task["shop_id"]) == ("EUR", "no-number", None)
    assert "Ask the payer" in task["what_to_do"]
    assert jointbuy("invoice", "import", str(file)).exit_code == 1
    assert [each["task_id"] for each in transfers()] == [task["task_id"]]
    shown = jointbuy("todo", "--kind", "transfer").out
    assert "Transfers without an invoice (no-number): The transfer names no invoice." in shown
    assert task["commands"][0] in shown
    done = jointbuy("todo", "done", task["task_id"], "--reason", "sent back")
    assert done.out == f"{task['task_id']}: done, sent back\n", done.err
    assert transfers() == []
    assert jointbuy("invoice", "import", str(file)).exit_code == 1
    assert transfers() == []


def test_a_favor_is_a_credit_note_and_what_was_paid_beyond_it_goes_back(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting_on(api, monkeypatch)
    group = opened(api, number_of_products=3, stop_at_number=True)
    group.order("ann", 3)
    numbers = group.await_payments("invoice", "credit")
    number, credit = f"{group.group_id}-I1", f"{group.group_id}-C1"
    assert numbers[credit]["amount"] == 300
    ann = group.payer("ann")
    assert ann.get(f"/payments/{number}")["open"] == 2700
    told = document(ann, credit, **{"as": "text"}).text
    assert "Discount of the group purchase" in told
    assert "Amount credited: €3.00" in told
    assert "Covered by credit notes: €3.00" in document(ann, number, **{"as": "text"}).text

    by_hand = ("invoice", "paid", number, "30.00", "--reference", "B1")
    said = jointbuy(*by_hand)
    assert said.exit_code == 0, said.err
    assert "€" not in said.out
    assert "30.00 EUR of 30.00 EUR received, paid" in said.out
    assert jointbuy(*by_hand).exit_code == 0
    after_all = group.await_payments("invoice", "credit", "refund")
    assert after_all[number]["received"] == 3000
    (refund,) = [each for each in after_all.values() if each["kind"] == "refund"]
    assert (refund["amount"], refund["status"]) == (300, "pending")
    assert "sum 0.00 EUR" in jointbuy("ledger", group.group_id).out
    money_goes_back(group, refund["payment_id"])
    assert "sum 0.00 EUR" in jointbuy("ledger", group.group_id).out


def money_goes_back(group: Group, refund: str) -> None:
    """A transfer that people make fails, is tried again by its payer, and is made; told once."""

    def left(client: Client) -> list[str]:
        """Whether it is left to whoever asks, and why."""
        items = client.get("/todo", kind="payment")["items"]
        return [each["reason"] for each in items if each["task_id"] == refund]

    def stands() -> tuple[str, int]:
        known = group.payer("ann").get(f"/payments/{refund}")
        return known["status"], known["version"]

    assert left(group.shop) == left(group.api.admin) == ["transfer-back"]
    assert left(group.api.shop()) == [], "another shop is not told"
    assert "failed" in jointbuy("payment", "failed", refund, "--reason", "account closed").out
    assert left(group.shop) == ["transfer-back-failed"]
    failed = stands()
    assert failed[0] == "failed"
    reader = Reader(group.api.nobody.url)
    link = f"/groups/{group.group_id}/payments/{LINKS.token('payer', group.group_id, 'ann', '')}"
    page = reader.get(link)
    assert "account closed" in page.text
    tried = reader.send(page, f"/{refund}/retry")
    assert "Try again" not in tried.text
    assert stands() == ("pending", failed[1] + 1)
    early = jointbuy("payment", "retry", refund)
    assert early.exit_code == 1
    assert "only failed payments can be tried again" in early.err
    made = group.shop.post(f"/payments/{refund}/outcome", {"state": "succeeded"}, 200)
    assert made["status"] == "succeeded"
    assert left(group.shop) == left(group.api.admin) == []
    assert jointbuy("payment", "done", refund, "--reference", "T9").exit_code == 0
    assert stands() == ("succeeded", made["version"])
    invoice = f"{group.group_id}-I1"
    assert "jointbuy makes and records it by itself" in jointbuy("payment", "done", invoice).err


def test_a_group_s_organizer_has_one_invoice_less_the_favor(api: Api) -> None:
    group = opened(api, scope="group", number_of_products=3, stop_at_number=True)
    place = f"/group-purchases/{group.group_id}/orders"
    order = {"order_id": "1", "member": {"id": "bob"}, "quantity": 3}
    group.shop.post(place, order)
    group.await_payments("invoice")
    text = document(group.organizer, f"{group.group_id}-I1", **{"as": "text"}).text
    for said in (
        "ada@people.example",
        "€10.00 = €30.00",
        "Group purchase discount",
        "-€3.00",
        "Amount to pay: €27.00",
    ):
        assert said in text, said  # fmt: skip
    managed = Reader(api.nobody.url).get(
        f"/groups/{group.group_id}/manage/{group.organizer.credential}"
    )
    assert f"Invoice {group.group_id}-I1" in managed.text
    # The shop is not told the address.
    assert "ada@" not in document(group.shop, f"{group.group_id}-I1", **{"as": "text"}).text


def test_nobody_is_invoiced_for_what_they_did_not_confirm(
    api: Api, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the order by a link over its letter to the invoice."""
    acting_on(api, monkeypatch)
    group = opened(api, number_of_products=3, stop_at_number=True)
    place = f"/group-purchases/{group.group_id}"
    joining = api.nobody.as_(LINKS.token("order", group.group_id, ""))
    order = {"quantity": 2, "member": {"email": "vic@people.example"}}
    assert "quantity" in str(joining.post(f"{place}/orders", order | {"quantity": 10**9}, 422))
    told = joining.post(f"{place}/orders", order)
    assert told["status"] == "unconfirmed"
    letter = mailbox.wait_for("vic@people.example", "confirm-order", group.group_id)
    why = jointbuy("why", group.group_id, "--json").json
    assert why["unconfirmed"] == [told["order_id"]]
    # An order behind it is through all services, and so is it itself: nothing came of it.
    behind = group.order("ann", 1)
    group.await_payments("invoice")
    shown = api.nobody.get(place)
    assert (shown["quantity"], shown["members"], shown["status"]) == (1, 1, "open")
    assert [each.kind for each in mailbox.letters("vic@people.example")] == ["confirm-order"]

    found = re.search(r"http://\S+(/confirm-order/\S+)", letter.text)
    assert found
    vic = Reader(api.nobody.url)
    # A mail scanner opens the link: still nothing.
    question = vic.get(found[1])
    assert "Confirm your order" in question.text
    for _ in range(2):
        done = vic.send(question, "/confirm-order/")
        assert "your order is confirmed" in done.text or "Your order counts" in done.text
    # It completed the group: an invoice for each order, and the tier's favor as a credit note.
    paid = group.await_payments("invoice", "invoice", "credit", "credit").values()
    invoiced = {each["cause"]["order_id"] for each in paid if each["kind"] == "invoice"}
    assert invoiced == {behind, told["order_id"]}
    shown = api.nobody.get(place)
    assert (shown["quantity"], shown["members"], shown["status"]) == (3, 2, "complete")
    mailbox.wait_for("vic@people.example", "order-counted", group.group_id)
    link = re.search(r'href="(/groups/[^"]+/payments/[^"]+)"', done.html)
    assert link
    assert "€20.00" in vic.get(link[1]).text
    says = [fact["says"] for fact in jointbuy("why", group.group_id, "--json").json["facts"]]
    assert any(each.startswith(f"OrderConfirmed {told['order_id']}") for each in says)


def papers_of(letter: Letter) -> dict[str, bytes]:
    """The PDFs that a letter encloses, by their names."""
    return {
        str(each.get_filename()): each.get_content()
        for each in letter.message.iter_attachments()
        if isinstance(each, EmailMessage) and each.get_content_type() == "application/pdf"
    }


def test_invoice_and_credit_note_come_with_their_letters_as_their_pages_serve_them(
    api: Api, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting_on(api, monkeypatch)
    group = opened(api, number_of_products=3, stop_at_number=True)
    group.order("pia", 3)
    numbers = group.await_payments("invoice", "credit")
    number, credit = f"{group.group_id}-I1", f"{group.group_id}-C1"
    told = mailbox.wait_for("pia@people.example", "payment-done", "Your invoice for €30.00")
    assert list(papers_of(told)) == [f"invoice-{number}.pdf"]
    (pdf,) = papers_of(told).values()
    begun_at = datetime.fromisoformat(numbers[number]["begun_at"])
    due = format_date(begun_at.date() + timedelta(days=14), "long", locale="en")
    for said in (due, "€30.00", "DE89 3704 0044 0532 0130 00", "Corner Shop Ltd"):
        assert said in text_of(pdf), said
        assert said in told.text, said
    (code,) = read_pdf(pdf)
    assert "EUR30.00" in code
    (picture,) = [each for each in told.message.walk() if each.get_content_type() == "image/png"]
    assert isinstance(picture, EmailMessage)
    assert read_png(picture.get_content()) == [code]

    credited = mailbox.wait_for("pia@people.example", "payment-done", "A credit of €3.00")
    assert papers_of(credited) == {
        f"credit-note-{credit}.pdf": document(group.payer("pia"), credit).content
    }
    # Sent again, the letter has the paper that it had, as of its date.
    listed = jointbuy("letters", "list", "--json").json
    (sent,) = (each for each in listed if each["notice_id"] == told.notice_id)
    before = len(mailbox.letters(about="Your invoice for €30.00"))
    again = jointbuy("letters", "resend", f"{sent['recipient_id']}/{told.notice_id}")
    assert again.exit_code == 0, again.err
    until("one more", lambda: len(mailbox.letters(about="Your invoice for €30.00")) > before)
    assert papers_of(mailbox.letters(about="Your invoice for €30.00")[-1]) == papers_of(told)


def test_a_buyer_comes_from_the_letter_to_the_invoice_of_that_order_alone(
    api: Api, mailbox: Mailbox
) -> None:
    group = opened(api)
    eve = Reader(api.nobody.url)
    ordering = f"/groups/{group.group_id}/order/{LINKS.token('order', group.group_id, '')}"
    pages = []
    for quantity in ("2", "3"):
        eve.send(eve.get(ordering), "/order/", quantity=quantity, email="eve@people.example")
        letter = mailbox.wait_for("eve@people.example", "confirm-order", f"{quantity} units")
        asked = re.search(r"http://\S+(/confirm-order/\S+)", letter.text)
        assert asked
        done = eve.send(eve.get(asked[1]), "/confirm-order/")
        link = re.search(r'href="(/groups/[^"]+/payments/[^"]+)"', done.html)
        assert link, done.text
        until("the invoice", lambda at=link[1]: "To be paid" in eve.get(at).text)
        pages.append(eve.get(link[1]))
    first, second = (page.text for page in pages)
    assert "€20.00" in first
    assert "€30.00" not in first
    assert "€30.00" in second
    assert "€20.00" not in second
    paper = re.search(r'href="([^"?]+/payments/[^"?]+)\?as=pdf"', pages[0].html)
    assert paper
    assert "eve@people.example" in eve.get(paper[1]).text
    assert "請求書" in Reader(api.nobody.url, "ja").get(paper[1]).text
    public = eve.get(f"/groups/{group.group_id}").html
    assert "eve@" not in public
    assert "-I1" not in public
    # Somebody who typed the same address has a link to the own order; so not to this paper.
    other = re.search(r"/payments/([^/]+)$", pages[1].url)
    assert other
    eve.get(paper[1].replace(paper[1].split("/")[4], other[1]), 403)


def test_a_payment_by_card_that_waits_has_a_link_to_pay_and_one_that_failed_says_why(
    api: Api,
) -> None:
    group = opened(api)
    cards = {"group_id": group.group_id, "member_id": "kim", "method": "card", "version": 1}
    cards |= {"amount": 500, "currency": "EUR", "cause": {"kind": "order"}}
    told: list[dict[str, Any]] = [
        {"kind": "charge", "status": "pending", "page": "https://pay.example/1"},
        {"kind": "charge", "status": "pending", "page": "javascript:alert(1)"},
        {"kind": "charge", "status": "failed", "problem": "no-answer"},
        {"kind": "charge", "status": "failed", "problem": "card_declined <b>"},
    ]
    facts = [
        Payment.model_validate(cards | {"payment_id": f"{group.group_id}-{number}"} | each)
        for number, each in enumerate(told)
    ]
    api.stack.feed("payments", *((each, None) for each in facts))
    place = f"/groups/{group.group_id}/payments/{LINKS.token('payer', group.group_id, 'kim', '')}"
    kim = Reader(api.nobody.url)
    until("all four", lambda: "card_declined" in kim.get(place).text)
    page = kim.get(place)
    # At the top of the page, and beside the payment.
    assert page.html.count('href="https://pay.example/1"') == page.text.count("Pay now") == 2
    assert "javascript:" not in page.html
    assert "The payment provider did not answer." in page.text
    assert "card_declined <b>" in page.text
    # Whoever orders for the member by the member's own link sees the same.
    ordering = f"/groups/{group.group_id}/order/{LINKS.token('order', group.group_id, 'kim')}"
    assert "Pay now" in kim.get(ordering).text
    # Where to pay is for the payer alone.
    assert {each["page"] for each in group.payments()} == {None}


def test_another_s_invoice_is_not_shown(api: Api) -> None:
    group, other = opened(api), opened(api)
    order_id = group.order("ann", 1)
    group.await_payments("invoice")
    place = f"/payments/{group.group_id}-I1/document"
    assert group.payer("ann", order_id).send("GET", place).status_code == 200
    for client in (
        group.payer("bob"),
        group.payer("ann", "another-order"),
        group.member("bob"),
        group.member(""),
        group.organizer,
        other.payer("ann"),
        other.shop,
    ):
        assert client.send("GET", place).status_code == 403
    assert api.nobody.send("GET", place).status_code == 401


def test_a_file_that_is_no_statement_counts_nothing(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting_on(api, monkeypatch)
    group = opened(api)
    group.order("ann", 1)
    number = next(iter(group.await_payments("invoice")))
    whole = statement(Transfer("10.00", number, "C1"))
    file = tmp_path / "cut.xml"
    file.write_bytes(whole[:-20])
    said = jointbuy("invoice", "import", str(file))
    assert said.exit_code == 1
    assert "nothing was counted" in said.err
    assert group.payer("ann").get(f"/payments/{number}")["received"] == 0
