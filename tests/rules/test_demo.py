"""The demo on a screen of 80 columns: readable, and letters can be read at the end."""

from email.message import EmailMessage
from io import StringIO
from typing import cast

import pytest
from rich.console import Console

from demo.asking import answer
from demo.mailbox import Letter, Mailbox
from demo.pages import Pages
from demo.telling import Teller, some_of, tell_of_letter
from demo.watching import Stage

LINK = "http://127.0.0.1:22181/groups/GB-06JGK-TY17C-9/order/" + "x" * 60


def letter(kind: str, to: str, text: str) -> Letter:
    message = EmailMessage()
    message["X-Jointbuy-Kind"] = kind
    message["Subject"] = f"{kind} for {to}, of which the subject is longer than a line can be here"
    message.set_content(text)
    return Letter(to, message.as_bytes(), message)


@pytest.fixture
def console() -> Console:
    return Console(file=StringIO(), width=80, color_system=None, force_terminal=True)


def lines_of(console: Console) -> list[str]:
    return cast(StringIO, console.file).getvalue().splitlines()


def test_steps_are_folded_between_words(console: Console) -> None:
    teller = Teller(console, cast(Stage, None), cast(Pages, None), 0, 1)
    teller.say(
        "the term has ended: 8 reserved (minimum 6), the contract is concluded with sato at 850.00"
    )
    first, second = lines_of(console)
    assert first.startswith(" 1 the term has ended")
    assert second.startswith("   ")
    assert " ".join((first + second).split()).endswith("with sato at 850.00")


def test_a_letter_that_arrives_is_one_line(console: Console) -> None:
    tell_of_letter(console, letter("deal", "aki@home.example", "It is."))
    (line,) = lines_of(console)
    assert line.startswith("   ✉ aki@home.example: deal for aki")
    assert len(line.rstrip()) <= 80


@pytest.mark.parametrize(
    ("counts", "said"),
    [([0, 2, 5], "0, 2, 5"), ([*range(30)], "0, 1, 2, 3, 4, …, 27, 28, 29")],
)
def test_many_counts_are_told_by_some(counts: list[int], said: str) -> None:
    assert some_of(counts) == said


def test_letters_and_the_page_are_shown_on_request(console: Console) -> None:
    mailbox = Mailbox()
    mailbox._letters += [
        letter("deal", "aki@home.example", f"Your price is 850.00. {'Word ' * 30}\n{LINK}\n"),
        letter("deal", "ben@home.example", "Another."),
        letter("invitation", "sato@shop.example", "Can you beat it?"),
    ]
    typed = iter(["l", "1", "7", "p", "Q"])
    opened: list[str] = []

    def open_page(url: str) -> bool:
        opened.append(url)
        return False

    answer(console, mailbox, "http://here", lambda _: next(typed), open_page)
    lines = lines_of(console)
    assert any(line.startswith(" 1 to aki@home.example (and 1 more): deal") for line in lines)
    assert any(line.startswith(" 2 to sato@shop.example: invitation") for line in lines)
    assert LINK in lines, "whole, to be copied"
    assert not any("Another." in line for line in lines)
    assert opened == ["http://here"]
    assert "no browser here: open http://here" in lines
    assert all(len(line.rstrip()) <= 80 for line in lines if not line.startswith(("Subject", LINK)))


def test_the_end_of_the_input_ends_it(console: Console) -> None:
    def read(_: str) -> str:
        raise EOFError

    answer(console, Mailbox(), "http://here", read)
    assert len(lines_of(console)) == 1
