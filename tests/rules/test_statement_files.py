"""Files of banks however they are written: versions, encodings, envelopes, ZIPs."""

import io
import zipfile
from collections.abc import Mapping

import pytest

from domain.ids import derive
from terminal.statement_files import BYTES_MAX, FILES_MAX, StatementError
from terminal.statements import read_statement
from tests.bank import Sheet, Transfer, message, statement, stmt

I1 = f"{derive('spring-oil')}-I1"
GOOD = statement(Transfer("20.00", f"{I1} Grüße", "A1"))
TEXT = GOOD.decode()
BODY = TEXT.partition("?>\n")[2]
PREFIXED = (
    TEXT.replace("<Document xmlns=", "<d:Document xmlns:d=")
    .replace("</", "</d:")
    .replace("<", "<d:")
    .replace("<d:/d:", "</d:")
    .replace("<d:d:", "<d:")
    .replace("<d:?", "<?")
)


def zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return made.getvalue()


def declared(encoding: str) -> str:
    return TEXT.replace("UTF-8", encoding)


SAME = [
    *((f"version {n:02}", GOOD.replace(b"001.08", b"001.%02d" % n)) for n in range(3, 14)),
    ("a blank line first", b"\n" + GOOD),
    ("blanks and tabs first", b"  \r\n\t " + GOOD),
    ("a mark of byte order", b"\xef\xbb\xbf" + GOOD),
    ("that and a blank line", b"\xef\xbb\xbf\r\n" + GOOD),
    ("a blank line and that", b"\n\xef\xbb\xbf" + GOOD),
    ("no declaration", BODY.encode()),
    ("UTF-16", declared("UTF-16").encode("utf-16")),
    ("UTF-16, the other order", b"\xfe\xff" + declared("UTF-16").encode("utf-16-be")),
    ("UTF-16 without a mark", declared("UTF-16").encode("utf-16-le")),
    ("UTF-16 with a blank line", ("\n" + declared("UTF-16")).encode("utf-16")),
    ("UTF-16 said of UTF-8", declared("UTF-16").encode()),
    ("ISO-8859-1", declared("ISO-8859-1").encode("latin-1")),
    ("Windows-1252", declared("windows-1252").encode("cp1252")),
    ("prefixes", PREFIXED.encode()),
    ("an envelope", f'<Envelope xmlns="urn:e"><AppHdr/>{BODY}</Envelope>'.encode()),
    ("elements of others", GOOD.replace(b"<Ntry>", b'<x:y xmlns:x="urn:x"/><Ntry>')),
    ("a ZIP", zipped({"a/statement.xml": GOOD})),
]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "data"), SAME, ids=[each[0] for each in SAME])
def test_the_same_statement_is_read_however_a_bank_writes_it(what: str, data: bytes) -> None:
    (credit,) = read_statement(data).credits
    assert (credit.amount, credit.currency, credit.numbers) == (2_000, "EUR", (I1,))
    assert credit.text.endswith("Grüße")
    assert credit.reference == read_statement(GOOD).credits[0].reference


def test_several_statements_and_accounts_in_one_file_are_all_read() -> None:
    one, two = Transfer("1.00", I1), Transfer("2.00", I1, day="2026-06-16")
    other = Sheet(id="3", account="DE02120300000000202051")
    read = read_statement(
        message(stmt(one), stmt(two, sheet=Sheet(id="2")), stmt(one, sheet=other))
    )
    assert [each.amount for each in read.credits] == [100, 200, 100]
    # The same transfer to two accounts is two.
    assert len({each.reference for each in read.credits}) == 3
    assert not any(each.odd for each in read.credits)


def test_a_statement_that_a_file_holds_twice_is_read_once() -> None:
    assert len(read_statement(message(stmt(Transfer("1.00", I1)) * 2)).credits) == 1


def test_the_files_of_a_zip_are_read_together() -> None:
    files = {f"{n}.xml": statement(Transfer("1.00", I1, f"A{n}")) for n in range(3)}
    assert len(read_statement(zipped(files)).credits) == 3


LOCKED = bytearray(zipped({"a.xml": GOOD}))
LOCKED[6] |= 1  # the bit that says that a file has a password, here and in the directory
LOCKED[LOCKED.index(b"PK\x01\x02") + 8] |= 1

REFUSED = [
    ("another file among them", zipped({"a.xml": GOOD, "b.pdf": b"%PDF-1.7"}), "'b.pdf' in it"),
    ("a document type in it", zipped({"a.xml": b"<!DOCTYPE d><d/>"}), "document type"),
    ("one that is cut off", zipped({"a.xml": GOOD})[:-30], "not a complete ZIP"),
    ("one with a password", bytes(LOCKED), "password"),
    ("one in another", zipped({"a.zip": zipped({"a.xml": GOOD})}), "'a.zip' in it"),
    ("an empty one", zipped({"folder/": b""}), "without a file"),
    ("a bomb", zipped({"a.xml": b" " * (BYTES_MAX + 1)}), "unpacks to more"),
    ("a bomb in parts", zipped({f"{n}.xml": GOOD + b" " * 9_000_000 for n in range(3)}), "unpacks"),
    ("too many files", zipped({str(n): GOOD for n in range(FILES_MAX + 1)}), "files: give"),
    ("half of a character", b"\xff\xfe" + b"<", "not valid XML"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("what", "data", "said"), REFUSED, ids=[each[0] for each in REFUSED])
def test_a_zip_that_is_not_whole_and_right_counts_nothing(
    what: str, data: bytes, said: str
) -> None:
    with pytest.raises(StatementError, match=said):
        read_statement(data)
