"""Every code has a text; its values are those that the code gives."""

import ast
import string
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import pytest

import schemas.reasons
import schemas.refusals
from domain.mailboxes import AddressReason
from schemas.parts import Problem
from schemas.reasons import (
    LetterReason,
    LetterReply,
    OrderReason,
    PaymentReason,
    RecordReason,
    TransferReason,
)
from schemas.refusals import ProblemCode, RefusalCode, RefusalKind
from texts.catalogue import languages
from texts.document import FILE, TABLES, document
from texts.facts import OFFERS
from texts.problems import PROBLEMS
from texts.reasons import (
    PLAIN,
    Writing,
    explained,
    field_name,
    problem,
    reason,
    told,
)
from texts.refusals import REFUSALS

ROOT = Path(__file__).parents[2]
#: Codes whose texts say what people are to do: the storefront's page of tasks has them.
OF_TASKS = {RecordReason, OrderReason, TransferReason, PaymentReason, LetterReason}
TEXTS = {f"{type(code).__name__}.{code.name}": text for table in (PROBLEMS, REFUSALS)
         for code, text in table.items()}  # fmt: skip


def kinds() -> Iterator[type[StrEnum]]:
    """All kinds of codes."""
    for module in (schemas.reasons, schemas.refusals):
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, StrEnum) and each is not StrEnum:
                yield each


def names(text: str) -> set[str]:
    """The values that a text names."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_kind_of_code_has_texts() -> None:
    assert {*kinds(), AddressReason} == {*TABLES, *OF_TASKS, RefusalKind, LetterReply}


@pytest.mark.parametrize("kind", TABLES)
def test_every_code_has_a_text_and_every_text_a_code(kind: type[StrEnum]) -> None:
    assert list(TABLES[kind]) == list(kind)


def test_the_table_in_the_docs_is_made_from_the_texts() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "run make texts"


# --- where codes are given -----------------------------------------------------------------------


class Call(NamedTuple):
    """A code, and the names of the values that are given with it; None if they are not seen."""

    code: str
    given: frozenset[str] | None
    where: str


def _codes(node: ast.AST) -> set[str]:
    return {
        f"{each.value.id}.{each.attr}"
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id in ("ProblemCode", "RefusalCode")
    }


def calls() -> Iterator[Call]:
    """Every call that is given a code: as itself, or by a name that its function sets."""
    for path in sorted(
        [*ROOT.glob("services/**/*.py"), *ROOT.glob("terminal/*.py"), *ROOT.glob("schemas/**/*.py")]
    ):
        # Parsing every module for names that are nowhere in it takes long.
        text = path.read_text(encoding="utf-8")
        if "ProblemCode" not in text and "RefusalCode" not in text:
            continue
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for call in ast.walk(function):
                if not isinstance(call, ast.Call):
                    continue
                where = f"{path.relative_to(ROOT)}:{call.lineno}"
                keywords = [each.arg for each in call.keywords]
                given = None if None in keywords else frozenset(map(str, keywords))
                for argument in call.args:
                    if isinstance(argument, ast.Attribute):
                        yield from (Call(each, given, where) for each in sorted(_codes(argument)))
                    elif isinstance(argument, ast.Name) and argument.id == "code":
                        codes = sorted(_set_before(function, call.lineno))
                        yield from (Call(each, given, where) for each in codes)


def _targets(assign: ast.Assign) -> set[str]:
    """The names that an assignment sets."""
    walked = (ast.walk(each) for each in assign.targets)
    return {each.id for nodes in walked for each in nodes if isinstance(each, ast.Name)}


def _set_before(function: ast.AST, line: int) -> set[str]:
    """The codes that ``code`` may be at a line: those it was set to last."""
    found = [
        each
        for each in ast.walk(function)
        if isinstance(each, ast.Assign) and each.lineno < line and "code" in _targets(each)
    ]
    return _codes(max(found, key=lambda each: each.lineno)) if found else set()


CALLS = [each for each in calls() if each.code in TEXTS]


@pytest.mark.slow
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.where} {call.code}")
def test_a_call_gives_the_values_that_the_text_names(call: Call) -> None:
    if call.given is None or call.where.startswith("services/request_service/rules/problems.py"):
        return  # the rules' own tests raise these, and a missing value is an error
    assert call.given == names(TEXTS[call.code])


def test_every_code_is_used() -> None:
    said = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("services", "terminal", "schemas", "texts")
        for path in (ROOT / folder).glob("**/*.py")
        if path.name not in ("problems.py", "refusals.py") or folder == "services"
    )
    assert [each for each in TEXTS if each not in said] == []


# --- how texts are written -----------------------------------------------------------------------


def test_a_text_is_filled_with_its_values_in_the_reader_s_language() -> None:
    wrong = problem(
        "payment.method", ProblemCode.NOT_OFFERED, given="card", offered="shop, invoice"
    )
    assert wrong.problem == "card is not offered by the definition: choose shop or invoice"
    assert wrong.params == {"given": "card", "offered": "shop, invoice"}
    japanese = Writing("ja")
    assert "ショップ払いまたは請求書から選んでください" in told(wrong, japanese)
    assert field_name("payment.method", japanese) == "お支払い方法"
    assert field_name("favor.tiers[1].percent_off", PLAIN) == (
        "step 2 of the discounts: percent off"
    )


def test_a_message_of_a_later_or_an_earlier_version_is_told_as_it_is() -> None:
    japanese = Writing("ja")
    for code, params in ((None, None), ("of-a-later-version", {"x": 1}), ("too-low", None)):
        found = Problem(field="x", problem="is odd: mend it", code=code, params=params)
        assert told(found, japanese) == "is odd: mend it"
    assert reason(OFFERS, "of-a-later-version", japanese) == "of-a-later-version"
    for language in languages():
        assert "of-a-later-version" in explained(OFFERS, "of-a-later-version", Writing(language))


def test_a_value_is_never_read_as_a_text() -> None:
    wrong = problem("currency", ProblemCode.NOT_A_CURRENCY, currency="{0.__class__} {x}")
    assert "{0.__class__} {x}" in told(wrong, Writing("ja"))


def test_a_long_number_is_kept_whole() -> None:
    wrong = problem("x", ProblemCode.TOO_HIGH, number=10**20, most=5)
    assert wrong.params == {"number": str(10**20), "most": 5}


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        problem("x", ProblemCode.TOO_HIGH, number=1)


def test_a_refusal_s_text_names_a_code_s_values() -> None:
    assert names(REFUSALS[RefusalCode.NEEDS_OTHER]) == {"wanted", "held"}
