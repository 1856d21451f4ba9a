"""Lists of members are read for certain or refused with the line, whatever wrote them."""

import csv
import io
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.mailboxes import AddressError, mailbox
from terminal.member_lists import ListError, members_in
from terminal.text_files import decoded

Person = tuple[str | None, str | None, str | None]


def people(text: str) -> list[Person]:
    return [(each.id, each.email, each.name) for each in members_in(text).members]


ANN: Person = ("7", "ann@x.example", "Ann Lee")
BOB: Person = ("8", None, None)
READ: list[tuple[str, list[Person]]] = [
    ("", []),
    ("\n \n", []),
    ("id,email,name\n", []),
    ("7\n8\n", [("7", None, None), BOB]),
    ("ann@x.example\nb@x.example", [(None, "ann@x.example", None), (None, "b@x.example", None)]),
    ("7\nann@x.example\n", [("7", None, None), (None, "ann@x.example", None)]),
    ("id\n7\n", [("7", None, None)]),
    ("E-Mail\nann@x.example\n", [(None, "ann@x.example", None)]),
    ("7,ann@x.example,Ann Lee\n8\n", [ANN, BOB]),
    ("7, ann@x.example , Ann Lee \n\n8,,\n,,\n", [ANN, BOB]),
    ("7,,Ann\n", [("7", None, "Ann")]),
    # Separators, and those that stand in a field.
    ("7;ann@x.example;Ann Lee\n8", [ANN, BOB]),
    ("7\tann@x.example\tAnn Lee\n8", [ANN, BOB]),
    ('7, ann@x.example, "Lee, Ann"\n', [("7", "ann@x.example", "Lee, Ann")]),
    ("7;ann@x.example;Lee, Ann\n", [("7", "ann@x.example", "Lee, Ann")]),
    ("7,ann@x.example,Ann; Lee\n", [("7", "ann@x.example", "Ann; Lee")]),
    ("sep=;\r\nid;name\r\n7;Ann\r\n", [("7", None, "Ann")]),
    ("sep=|\nid|name\n7|Ann\n", [("7", None, "Ann")]),
    # Line ends, marks, quotes.
    ("\ufeffid,email,name\r\n7,ann@x.example,Ann Lee\r\n", [ANN]),
    ("id,email,name\r7,ann@x.example,Ann Lee\r8", [ANN, BOB]),
    ('"id";"email";"name"\n"7";"ann@x.example";"Ann Lee"\n', [ANN]),
    ('id,email,name\n7,ann@x.example,"Ann ""A"" Lee"\n', [("7", "ann@x.example", 'Ann "A" Lee')]),
    ('7,"""a..b""@docomo.ne.jp"\n', [("7", '"a..b"@docomo.ne.jp', None)]),
    # Columns by name, in any order.
    ("email;id\nann@x.example;7\n", [("7", "ann@x.example", None)]),
    ("Name,E-Mail Address,Customer ID\nAnn Lee,ann@x.example,7\n", [ANN]),
    ("name,id\nAnn,7\n", [("7", None, "Ann")]),
    ("Kunden-Nr.;Name;E-Mail-Adresse\n7;Ann Lee;ann@x.example\n", [ANN]),
    ("メールアドレス,お名前,会員番号\nann@x.example,Ann Lee,7\n", [ANN]),
    ("\uff29\uff24,\uff25\u30e1\u30fc\u30eb\n7,ann@x.example\n", [("7", "ann@x.example", None)]),
    ("MEMBER_ID,Mail\n7,ann@x.example\n", [("7", "ann@x.example", None)]),
    ("Adresse e-mail;Nom\nann@x.example;Ann Lee\n", [(None, "ann@x.example", "Ann Lee")]),
    ("id,,email\n7,,ann@x.example\n", [("7", "ann@x.example", None)]),
    ("id,First name,Last name\n7,Ann,Lee\n", [("7", None, "Ann Lee")]),
    ("Vorname;Name;Mail\nAnn;Lee;ann@x.example\n", [(None, "ann@x.example", "Ann Lee")]),
    ("姓,名,会員ID\n田中,花子,7\n", [("7", None, "田中 花子")]),
    # Addresses as the one rule takes them.
    ("7,a..b@docomo.ne.jp\n", [("7", "a..b@docomo.ne.jp", None)]),
    ("7,jörg@bücher.example\n", [("7", "jörg@bücher.example", None)]),
    ("7,ann\uff20x.example\n", [("7", "ann@x.example", None)]),
]  # fmt: skip
REFUSED = [
    ("7,ann@x.example,Lee, Ann\n", "line 1 has 4 fields"),
    ("id,name\n7,Lee, Ann\n", "line 2 has 3 fields, but there are 2 columns"),
    ("id\n7;8\n", "line 2 has 2 fields"),
    ("7;Ann\n", "line 1: 'Ann' is not an address"),
    ("7,ann@x.example\n8,bob\n", "line 2: 'bob' is not an address: the address has no @"),
    ("7,ann@x.example\n\n8,b@c@d.example\n", "line 3: .* more than one address"),
    ("id,email\n7,Ann <ann@x.example>\n", "line 2: .* did you mean ann@x.example"),
    ("ann@x.example,7\n", "line 1: the address is not in the second column: write a first line"),
    ("ann@x.example;Ann;7\n", "line 1: the address is not in the second column"),
    ("7;8\n7;Ann;ann@x.example\n", "line 2: the address is not in the second column"),
    ("7;ann@x.example\n8,bob@x.example\n", "line 1: the address is not in the second column"),
    (
        "id,email\nann@x.example,ann@x.example\n",
        "line 2: the id has an @: .* name the column email",
    ),
    ('id,email\n"7;8",ann@x.example\n', "line 2: the id '7;8' has a separator"),
    ("7/8\n", "line 1: the id '7/8' has a separator, a slash"),
    (f"{'7' * 65}\n", "line 1: the id has more than 64 characters"),
    ("a b@x.example\n", "line 1: 'a b@x.example' is not an address"),
    ("7\uff0cann@x.example\n", "line 1: '7,ann@x.example' is not an address|line 1: .*address"),
    ("id;email;Telefon\n7;a@x.example;1\n", "line 1: the column 'Telefon' is not known"),
    ("id,mail,email\n", "line 1 names two columns for the email"),
    ("name\nAnn\n", "line 1 has no column for ids or addresses"),
    ("name,id\nAnn,\n", "line 2 has neither an id nor an address"),
    ("id,,email\n7,x,ann@x.example\n", "line 2 has a field in a column without a name"),
    ('7,ann@x.example,"Ann\n8,,\n', "line 1 has a quote that does not end"),
    ('7,"a"nn@x.example\n', "line 1 has a quote"),
    # Twice.
    ("7\n8\n7\n", "lines 1 and 3 have the same id"),
    ("id,email\n7,ann@x.example\n7,bob@x.example\n", "lines 2 and 3 have the same id"),
    ("ann@x.example\nAnn+tag@X.example\n", "lines 1 and 2 have the same mailbox"),
    ("ann@bücher.example\nann@xn--bcher-kva.example\n", "lines 1 and 2 have the same mailbox"),
    ("id,email\n7,ann@x.example\n,ann@x.example\n", "lines 2 and 3 have the same mailbox"),
    (
        "".join(f"7,x{n}\n" for n in range(9)),
        "and 4 more such lines; if the columns are different, write a first",
    ),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_a_list_that_says_one_thing_is_read(text: str, expected: list[Person]) -> None:
    assert people(text) == expected


@pytest.mark.parametrize(("text", "told"), REFUSED)
def test_any_other_list_is_refused_with_the_line_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(ListError, match=told):
        members_in(text)


def test_two_members_with_one_mailbox_are_told_of_and_taken() -> None:
    found = members_in("7,ann@x.example\n8,Ann@x.example\n")
    assert len(found.members) == 2
    assert found.remarks == ("lines 1 and 2 have the same mailbox",)


# --- encodings -----------------------------------------------------------------------------------

GERMAN = "Kundennummer;Name\n7;Jörg Müller\n8;Zoë Groß\n"
JAPANESE = "会員番号,メールアドレス,名前\n7,ann@x.example,田中 花子\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((GERMAN, each) for each in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")),
        *((JAPANESE, each) for each in ("utf-8", "utf-8-sig", "utf-16", "utf-32")),
        ("Kundennummer;Name\n7;Jörg Müller\n8;Jürgen Groß\n", "latin-1"),
        ("Kundennummer;Name\n7;Jörg Müller\n", "cp1252"),
        (JAPANESE, "cp932"),
        ("id,name\n7,さくら\n8,ﾊﾅｺ\n", "cp932"),
        ("id,name\n7,\uff21さん\n", "cp932"),
        ("id,name\n7,Ann\n", "ascii"),
    ],
)
def test_a_file_is_read_where_its_encoding_is_certain(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) in (text, f"\ufeff{text}")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("id,name\n7,Dvořák\n".encode("cp1250"), "line 2 has characters that are not UTF-8"),
        ("id,name\n7,Nuñez\n".encode("cp1252"), "line 2"),
        ("id,name\n7,Иван\n".encode("cp1251"), "line 2"),
        ("id,name\n7,张伟\n".encode("gb2312"), "line 2"),
        ("id,name\n7,김철수\n".encode("euc_kr"), "line 2"),
        ("id,name\n7,ﾀﾅﾝ\n".encode("cp932"), "line 2"),
        (b"id,name\n7,\xff\xff\n", "line 2"),
        (b"id,name\n7,M\x81ller\n", "line 2"),
        (b"id,name\n7,Ann\x00\n", "line 2 has a zero byte"),
        (b"\xef\xbb\xbfid\n\xff\n", "line 2 has characters that are not UTF-8"),
        (b"\xff\xfei\x00\xff", "line 1 has characters that are not UTF-16-LE"),
        ("id,name\n7,Jörg\n".encode() + "8,Jörg\n".encode("latin-1"), "line 3"),
    ],
)
def test_a_file_whose_encoding_is_not_certain_is_refused(raw: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=rf"{told}.*: save the file as UTF-8"):
        decoded(raw)


@given(st.binary())
def test_any_bytes_are_text_or_refused_with_what_to_do(raw: bytes) -> None:
    try:
        text = decoded(raw)
    except ValueError as error:
        told = str(error)
    else:
        told = ""
        assert isinstance(text, str)
    assert told == "" or "save the file as UTF-8" in told


# --- all dialects --------------------------------------------------------------------------------

IDS = st.text(st.sampled_from("0123456789abcXYZ-_.: 会é\"'"), min_size=1, max_size=12).map(
    lambda text: f"{text.strip()}7"
)
EMAILS = (
    st.sampled_from(
        ["a..b@docomo.ne.jp", "jörg@x.example", "ann@bücher.example", "o'hara@x.example"]
    ).flatmap(lambda email: st.integers(0, 999).map(lambda n: f"{n}{email}"))
    | st.emails()
)
NAMES = st.text(
    st.sampled_from("abcÄß田 ,;\t\"'-.|").filter(lambda each: each != "\t"), min_size=1, max_size=15
).map(str.strip)
HEADERS = {
    0: ("id", "Member ID", "customer_id", "会員番号", "Kundennummer"),
    1: ("email", "E-Mail", "mail", "メールアドレス", "EMAIL ADDRESS"),
    2: ("name", "Full Name", "名前", "氏名", "Kundenname"),
}


def is_taken(person: Person) -> bool:
    if person[1] is not None:
        try:
            mailbox(person[1])
        except AddressError:
            return False
    return True


PEOPLE = st.lists(
    st.tuples(IDS, st.none() | EMAILS, st.none() | NAMES.filter(bool)).filter(is_taken),
    max_size=6,
    unique_by=lambda person: person[0],
)


@pytest.mark.slow
@given(
    listed=PEOPLE,
    separator=st.sampled_from(",;\t"),
    order=st.none() | st.permutations((0, 1, 2)),
    words=st.integers(0, 4),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    blank=st.booleans(),
)
def test_a_list_reads_back_the_same_from_every_dialect(
    listed: list[Person],
    separator: str,
    order: list[int] | None,
    words: int,
    quoting: int,
    ends: str,
    encoding: str,
    blank: bool,
) -> None:
    """Without a first line that names the columns, an address or a name may make it uncertain."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=ends)  # type: ignore[arg-type]
    if order is not None:
        writer.writerow([HEADERS[n][words] for n in order])
    for person in listed:
        writer.writerow([person[n] or "" for n in order or (0, 1, 2)])
        if blank:
            file.write(ends)
    text = decoded(file.getvalue().encode(encoding))
    try:
        found = people(text)
    except ListError:
        # Only what can be read in two ways may be refused.
        assume(order is not None)
        raise
    assert found == listed


@pytest.mark.slow
def test_a_long_list_takes_seconds_at_most() -> None:
    """A hundred thousand lines, with the other separator in each name."""
    text = "".join(f'm{n},m{n}@x.example,"Lee; {n}"\n' for n in range(100_000))
    begun = time.process_time()
    assert len(members_in(text).members) == 100_000
    assert time.process_time() - begun < 10
