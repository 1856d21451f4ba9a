"""Lists of members as people have them: an id or an address a line, or a table. Pure.

Fields are separated by commas, semicolons or tabs. The first line may name the columns, in any
order; without it they are id, email and name. A list that can be read in two
ways is refused, and the error says the line and what to do.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from domain.addresses import canonical
from domain.mailboxes import AddressError, mailbox
from texts.facts import ADDRESSES
from texts.reasons import reason

Column = Literal["id", "email", "name", "given", "family"]
SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
ORDER: tuple[Column, ...] = ("id", "email", "name")
PROBLEMS_SHOWN = 5

_WORDS: dict[Column, str] = {
    "id": "id|member|member id|member no|member number|customer|customer id|customer no"
    "|customer number|user id|purchaser|purchaser id|shop id"
    "|mitglied|mitglieds id|mitgliedsnr|mitgliedsnummer|kunde|kunden id|kundennr|kundennummer"
    "|identifiant|id client|numéro client|cliente|id cliente|número de cliente"
    "|会員|会員id|会員番号|会員no|顧客|顧客id|顧客番号|顧客コード|お客様id|お客様番号|メンバーid|ユーザーid",
    "email": "email|e mail|mail|email address|e mail address|mail address|member email"
    "|customer email|e mail adresse|email adresse|mailadresse|mail adresse"
    "|courriel|adresse e mail|adresse email|correo|correo electrónico"
    "|メール|eメール|メールアドレス|電子メール|電子メールアドレス|メアド",
    "name": "name|full name|display name|member name|customer name|kundenname|mitgliedsname"
    "|vollständiger name|nom|nom complet|nombre|nombre completo"
    "|名前|お名前|氏名|会員名|顧客名|お客様名",
    "given": "first name|given name|vorname|prénom|名",
    "family": "last name|surname|family name|nachname|familienname|nom de famille"
    "|apellidos|姓|苗字",
}
_FIRST_LINE = re.compile(r'"?sep=([,;|\t])"?\r?\n', re.IGNORECASE)
#: An id of the system, without what separates fields or makes an address.
_ID = re.compile(r"[^/@,;\x00-\x1f\x7f-\x9f]{1,64}")
_EDGES = " \t\r\n\u00a0\u3000\u200b\ufeff"


def _plain(word: str) -> str:
    """A header's word without case, blanks and punctuation."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", word).casefold())


_COLUMNS: dict[str, Column] = {
    _plain(word): column for column, words in _WORDS.items() for word in words.split("|")
}


class Listed(NamedTuple):
    """A member as listed: an id, an address or both. ``line`` counts from 1."""

    line: int
    id: str | None
    email: str | None
    name: str | None


class MemberList(NamedTuple):
    """The members in their order, and remarks for the author of the list."""

    members: tuple[Listed, ...]
    remarks: tuple[str, ...]


class ListError(ValueError):
    """A list with more than one reading; the text names the lines and says what to do."""


class _Row(NamedTuple):
    line: int
    fields: Sequence[str]


@dataclass(frozen=True)
class _Table:
    """Rows, the columns they have, and whether the first line says so."""

    rows: Sequence[_Row]
    columns: Sequence[Column | None]
    is_named: bool
    separator: str


def members_in(text: str) -> MemberList:
    """The members of a list. Raises ``ListError``."""
    text = text.removeprefix("\ufeff")
    if told := _FIRST_LINE.match(text):
        # Excel writes and reads this line; it stays in the count of lines.
        return _members(_table("\n" + text[told.end() :], told[1]))
    separators = [each for each in SEPARATORS if each in text] or [","]
    tables: list[_Table] = []
    read: dict[str, MemberList] = {}
    refused: dict[str, ListError] = {}
    for separator in separators:
        try:
            tables.append(_table(text, separator))
        except ListError as error:
            refused[separator] = error
    for table in tables:
        if table.is_named and len(table.columns) > 1:
            return _members(table)
    for table in tables:
        try:
            read[table.separator] = _members(table)
        except ListError as error:
            refused[table.separator] = error
    if len({each.members for each in read.values()}) > 1:
        names = " or ".join(SEPARATORS[each] for each in read)
        raise ListError(f"fields may be separated by {names}: {_name_them(separators[0])}")
    if read:
        return next(iter(read.values()))
    raise refused[max(refused, key=text.count)]


def _table(text: str, separator: str) -> _Table:
    rows = list(_rows(text, separator))
    if not rows:
        return _Table((), (), is_named=False, separator=separator)
    first = rows[0]
    columns = tuple(_COLUMNS.get(_plain(each)) for each in first.fields)
    if any(columns) and not any("@" in each for each in first.fields):
        return _Table(rows[1:], _columns_of(first, columns), is_named=True, separator=separator)
    return _Table(rows, _unnamed(rows, separator), is_named=False, separator=separator)


def _rows(text: str, separator: str) -> Iterator[_Row]:
    """Rows that hold anything, without blanks around fields and empty fields at the end."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True
    )
    begins = 1
    try:
        for row in reader:
            fields = [field.strip(_EDGES) for field in row]
            while fields and not fields[-1]:
                fields.pop()
            if fields:
                yield _Row(begins, fields)
            begins = reader.line_num + 1
    except csv.Error:
        told = 'a quote that does not end, or text behind one: write a quote in a field as ""'
        raise ListError(f"line {begins} has {told}") from None


def _columns_of(first: _Row, columns: Sequence[Column | None]) -> Sequence[Column | None]:
    for field, column in zip(first.fields, columns, strict=True):
        if column is None and field:
            raise ListError(
                f"line {first.line}: the column {field!r} is not known: name it id, email or name,"
                " or delete it"
            )
        if column is not None and columns.count(column) > 1:
            raise ListError(f"line {first.line} names two columns for the {column}: delete one")
    if not {"id", "email"} & set(columns):
        raise ListError(f"line {first.line} has no column for ids or addresses: add one named id")
    return columns


def _unnamed(rows: Sequence[_Row], separator: str) -> Sequence[Column | None]:
    """The columns of a list that does not name them."""
    widest = max(rows, key=lambda row: len(row.fields))
    width = len(widest.fields)
    if width == 1:
        return ORDER[:1]
    if width > len(ORDER):
        raise ListError(
            f"line {widest.line} has {width} fields: write id{separator}email{separator}name, and"
            " put quotes around a field that has the separator in it"
        )
    with_at = {
        n: row.line for row in reversed(rows) for n, each in enumerate(row.fields) if "@" in each
    }
    if 0 in with_at or set(with_at) == {2}:
        line = with_at.get(0) or with_at[2]
        told = f"line {line}: the address is not in the second column"
        raise ListError(f"{told}: {_name_them(separator)}")
    return ORDER[:width]


def _name_them(separator: str) -> str:
    return f"write a first line that names the columns, such as id{separator}email{separator}name"


def _members(table: _Table) -> MemberList:
    members, problems = [], []
    for row in table.rows:
        try:
            members.append(_member(row, table))
        except ListError as error:
            problems.append(str(error))
    twice, remarks = _twice(members)
    hint = f"; if the columns are different, {_name_them(table.separator)}"
    has_hint = bool(problems) and not table.is_named and len(table.columns) > 1
    problems += twice
    if len(problems) > PROBLEMS_SHOWN:
        rest = len(problems) - PROBLEMS_SHOWN
        problems[PROBLEMS_SHOWN:] = [f"and {rest} more such lines"]
    if problems:
        raise ListError("; ".join(problems) + (hint if has_hint else ""))
    return MemberList(tuple(members), tuple(remarks))


def _member(row: _Row, table: _Table) -> Listed:
    if len(row.fields) > len(table.columns):
        raise ListError(
            f"line {row.line} has {len(row.fields)} fields, but there are {len(table.columns)}"
            " columns: put quotes around a field that has the separator in it"
        )
    found = dict(zip(table.columns, row.fields, strict=False))
    if None in found and found.pop(None):
        raise ListError(f"line {row.line} has a field in a column without a name: name it")
    if len(table.columns) == 1 and not table.is_named and "@" in found["id"]:
        found = {"email": found["id"]}
    member_id, email = found.get("id") or None, found.get("email") or None
    if member_id is None and email is None:
        raise ListError(f"line {row.line} has neither an id nor an address: add one")
    if member_id is not None and not _ID.fullmatch(member_id):
        raise ListError(f"line {row.line}: {_wrong_id(member_id)}")
    return Listed(row.line, member_id, _email(email, row.line), _name(found))


def _name(found: Mapping[Column | None, str]) -> str | None:
    """The whole name. In East Asia the family's name comes first."""
    name, given, family = (found.get(each, "") for each in ("name", "given", "family"))
    if name and (family or not given or given in name):
        return name
    # Where a column is for the given name, a column "name" is for the family's.
    parts = [given, family or name]
    if any(unicodedata.category(each) == "Lo" for each in given):
        parts.reverse()
    return " ".join(filter(None, parts)) or None


def _wrong_id(member_id: str) -> str:
    if "@" in member_id:
        return "the id has an @: if these are addresses, name the column email"
    if len(member_id) > 64:
        return "the id has more than 64 characters"
    return f"the id {member_id!r} has a separator, a slash or an invisible character"


def _email(email: str | None, line: int) -> str | None:
    if email is None:
        return None
    try:
        return mailbox(email).written
    except AddressError as error:
        meant = f"; did you mean {error.meant}?" if error.meant else ""
        why = reason(ADDRESSES, error.reason)
        told = f"line {line}: {email!r} is not an address: {why}{meant}"
        raise ListError(told) from None


def _twice(members: Sequence[Listed]) -> tuple[list[str], list[str]]:
    """Which lines list a member again, and which share an address under different ids."""
    problems, remarks = [], []
    ids: dict[str, int] = {}
    mailboxes: dict[str, Listed] = {}
    for each in members:
        if each.id is not None and (line := ids.setdefault(each.id, each.line)) != each.line:
            problems.append(f"lines {line} and {each.line} have the same id: delete one")
        elif each.email is not None:
            first = mailboxes.setdefault(canonical(each.email), each)
            if first is each:
                continue
            told = f"lines {first.line} and {each.line} have the same mailbox"
            if each.id is None or first.id is None:
                problems.append(f"{told}: delete one, or give both an id")
            else:
                remarks.append(told)
    return problems, remarks
