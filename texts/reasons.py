"""Texts of reasons in a reader's language: codes and their values become words.

A text names its values: ``{most}``. What follows a colon says how a value is written:

- ``{at:time}`` a time, as RFC 3339 has it;
- ``{offered:or}``, ``{given:and}`` a list, as one text with commas;
- ``{status:word}`` a word of the system; ``{wanted:credentials}`` kinds of keys and links;
- ``{reason:offer}``, ``{reason:order}`` and others: a code, by its text.

An unknown code or a text without its values stays as it was told, as later versions may have more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from schemas.parts import Problem
from schemas.refusals import ProblemCode, RefusalCode
from texts.catalogue import ENGLISH, mark, texts
from texts.facts import ADDRESSES, APPLICATIONS, OFFERS, ORDERS, RETURNS, WITHDRAWALS
from texts.problems import PROBLEMS
from texts.refusals import REFUSALS
from texts.words import CREDENTIALS, FIELDS, STEP, WORDS

Table = Mapping[str, str]
Value = str | int | float

#: What an auction answers a seller: to an offer, or to the wish to take the auction back.
OFFERS_AND_WITHDRAWALS: Final[Table] = {**WITHDRAWALS, **OFFERS}
#: What an ``OrderRefused`` can say, of an order or of a return.
ORDERS_AND_RETURNS: Final[Table] = {**RETURNS, **ORDERS}
_COMMA = ", "
_SEPARATORS: Final = {"and": mark(" and "), "or": mark(" or ")}
_CODES: Final[Mapping[str, Table]] = {
    "address": ADDRESSES,
    "application": APPLICATIONS,
    "offer": OFFERS,
    "order": ORDERS_AND_RETURNS,
}
_UNKNOWN = mark("the reason given is “{reason}”")
_MEANT = mark("{problem} Did you mean {meant}?")
#: A problem with the name of its field.
FIELD_AND_PROBLEM: Final = mark("{field}: {problem}")
_ENDS = (".", "!", "?", "。", "？")  # noqa: RUF001 - Japanese
#: Beyond this, JSON's numbers lose digits in other languages.
_EXACT_MAX = 2**53


def _moment(at: datetime) -> str:
    return at.isoformat()


@dataclass(frozen=True, slots=True)
class Writing:
    """How a reader's texts are written: the language, numbers and times."""

    language: str = ENGLISH
    number: Callable[[int | float], str] = field(default=str)
    time: Callable[[datetime], str] = field(default=_moment)

    def text(self, text: str, params: Mapping[str, object]) -> str:
        """A text in the language, with its values. Raises ``KeyError`` if one is missing."""
        values = {name: _Written(value, self) for name, value in params.items()}
        return texts(self.language).gettext(text).format_map(values)

    def sentence(self, text: str) -> str:
        """A text that stands alone: with a capital letter and a full stop in English."""
        if self.language != ENGLISH or not text:
            return text
        return text[0].upper() + text[1:] + ("" if text.endswith(_ENDS) else ".")


#: As the API, the terminal and messages have it.
PLAIN: Final = Writing()


class _Written:
    """A value in a text."""

    def __init__(self, value: object, writing: Writing) -> None:
        self._value = value
        self._writing = writing

    def __str__(self) -> str:
        value = self._value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._writing.number(value)
        return str(value)

    def __repr__(self) -> str:
        return repr(self._value)

    def __format__(self, spec: str) -> str:
        said = str(self)
        if spec in _CODES:
            return reason(_CODES[spec], said, self._writing)
        if spec == "time":
            return self._time(said)
        if spec == "word":
            return self._word(said, WORDS)
        if spec == "credentials":
            return self._list(said, "or", CREDENTIALS)
        return self._list(said, spec, WORDS) if spec in _SEPARATORS else format(said, spec)

    def _time(self, said: str) -> str:
        try:
            return self._writing.time(datetime.fromisoformat(said))
        except (ValueError, OverflowError):
            return said

    def _word(self, said: str, words: Table) -> str:
        return texts(self._writing.language).gettext(words[said]) if said in words else said

    def _list(self, said: str, how: str, words: Table) -> str:
        between = texts(self._writing.language).gettext(_SEPARATORS[how])
        return between.join(self._word(each, words) for each in said.split(_COMMA))


def reason(table: Table, code: str, writing: Writing = PLAIN) -> str:
    """The text of a code, to stand in a line; a code of a later version stays as it is."""
    return writing.text(table[code], {}) if code in table else code


def explained(table: Table, code: str, writing: Writing = PLAIN) -> str:
    """The text of a code as a sentence; a code of a later version is quoted."""
    if code in table:
        return writing.sentence(reason(table, code, writing))
    return writing.sentence(writing.text(_UNKNOWN, {"reason": code}))


def refusal_text(code: RefusalCode, params: Mapping[str, object], writing: Writing = PLAIN) -> str:
    """Why something is refused. Raises ``KeyError`` if a value is missing."""
    return writing.text(REFUSALS[code], params)


def problem_text(code: ProblemCode, params: Mapping[str, object], writing: Writing = PLAIN) -> str:
    """What is wrong with a field. Raises ``KeyError`` if a value is missing."""
    return writing.text(PROBLEMS[code], params)


def problem(name: str, code: ProblemCode, /, **params: Value) -> Problem:
    """A problem of the field ``name``. Raises ``KeyError`` if a value of its text is missing."""
    kept = {key: _exact(value) for key, value in params.items()}
    return Problem(field=name, problem=problem_text(code, kept), code=code, params=kept or None)


def _exact(value: Value) -> Value:
    return str(value) if isinstance(value, int) and abs(value) > _EXACT_MAX else value


def told(found: Problem, writing: Writing, clean: Callable[[str], str] = str) -> str:
    """What is wrong with a field, for a reader; without a known code, as it was told in English.

    Values come from outside: ``clean`` makes one safe to be shown.
    """
    params: dict[str, Any] = {
        name: clean(value) if isinstance(value, str) else value
        for name, value in (found.params or {}).items()
    }
    if found.code == ProblemCode.ORDER_REFUSED and "reason" in params:
        # Programs read the code; people read its text.
        return reason(ORDERS_AND_RETURNS, str(params["reason"]), writing)
    if found.code is not None and found.code in PROBLEMS:
        try:
            return writing.text(PROBLEMS[found.code], params)
        except (KeyError, ValueError, IndexError):
            pass
    return clean(found.problem)


def meant(said: str, address: str, writing: Writing) -> str:
    """What is wrong with an address, and the address that was meant."""
    return writing.text(_MEANT, {"problem": said, "meant": address})


def field_name(path: str, writing: Writing) -> str:
    """What people call a field, as ``favor.tiers[0].percent_off``; an unknown one by its path."""
    tiers, bracket, rest = path.partition("[")
    place, _, last = rest.partition("].")
    if bracket and tiers == "favor.tiers" and place.rstrip("]").isdecimal():
        step = writing.text(STEP, {"number": int(place.rstrip("]")) + 1})
        return f"{step}: {field_name(last, writing)}" if last else step
    return writing.text(FIELDS[path], {}) if path in FIELDS else path
