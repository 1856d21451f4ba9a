"""Files of banks as documents: XML in any of its encodings, alone or several in a ZIP. Pure.

Read whole or not at all. A document type is refused, so there are no entities to expand. The
unpacked size and the depth of elements are limited.
"""

import io
import re
import zipfile
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

BYTES_MAX: Final = 20_000_000
DEPTH_MAX: Final = 40
FILES_MAX: Final = 200
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.(0[2-9]|1[0-3])")
_SPACE = b" \t\r\n"
_ZIP_BEGINS = b"PK\x03\x04"
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


class StatementError(ValueError):
    """A file that can't be read as a statement; the message says what to do."""


def documents(data: bytes) -> list[Element]:
    """The documents of a file, each by its root: names of other namespaces are ``?``.

    Raises ``StatementError``, which names the file in a ZIP that is wrong.
    """
    if len(data) > BYTES_MAX:
        raise StatementError(
            f"it has {len(data):,} bytes: give statements of {BYTES_MAX:,} at most"
        )
    if not data.startswith(_ZIP_BEGINS):
        return [_tree(data)]
    found = []
    for name, content in _unpacked(data):
        try:
            found.append(_tree(content))
        except StatementError as error:
            raise StatementError(f"{name!r} in it: {error}") from None
    if not found:
        raise StatementError("it is a ZIP without a file in it: give the file as the bank makes it")
    return found


def printable(text: str) -> str:
    """Text from a file, with ``?`` for each character that a terminal must not print."""
    return "".join(each if each.isprintable() else "?" for each in text)


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a ZIP, in the order of their names, with limits on their number and size."""
    left = BYTES_MAX
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            inside = [each for each in packed.infolist() if not each.is_dir()]
            if len(inside) > FILES_MAX:
                raise StatementError(f"it holds {len(inside)} files: give {FILES_MAX} at most")
            for each in sorted(inside, key=lambda each: each.filename):
                name = printable(each.filename)[:100]
                if each.flag_bits & 1:
                    raise StatementError(f"{name!r} in it has a password: give its files unpacked")
                with packed.open(each) as opened:
                    content = opened.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise StatementError(
                        f"it unpacks to more than {BYTES_MAX:,} bytes: give its files one by one"
                    )
                yield name, content
    except StatementError:
        raise
    except _ZIP_ERRORS as error:
        raise StatementError(f"it is not a complete ZIP ({error}): give the file again") from None


def _plain(data: bytes) -> tuple[bytes, str | None]:
    """The bytes from the first element or declaration on, and their encoding if that is certain.

    A mark of byte order, blanks and empty lines may stand before the declaration. UTF-16 becomes
    UTF-8. A declaration may say UTF-16 in a file that is not: a program then saved the file in
    another encoding and left the declaration unchanged.
    """
    utf_16 = {BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}.get(data[:2])
    head = data[:200].lstrip(b"\0" + _SPACE)
    if not utf_16 and b"\0" in data[:200]:
        utf_16 = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    if utf_16:
        try:
            text = data.decode(utf_16)
        except UnicodeDecodeError as error:
            raise StatementError(f"it is not valid XML ({error}): give the file again") from None
        return text.lstrip("\ufeff \t\r\n").encode("utf-8", "surrogatepass"), "utf-8"
    while data.startswith((BOM_UTF8, *(bytes([each]) for each in _SPACE))):
        data = data.removeprefix(BOM_UTF8).lstrip(_SPACE)
    says_utf_16 = re.match(rb"<\?xml[^>]{0,80}encoding=[\"']utf-?16", head, re.IGNORECASE)
    return data, "utf-8" if says_utf_16 else None


def _tree(data: bytes) -> Element:
    """The elements of a document, in an envelope or not, by their names in its namespace."""
    plain, encoding = _plain(data)
    parser = expat.ParserCreate(encoding, namespace_separator=" ")
    builder = TreeBuilder()
    first, namespace, depth = "", "", 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal first, namespace, depth
        space, _, local = name.rpartition(" ")
        first = first or space or local
        if local == "Document" and not namespace:
            if not _NAMESPACE.fullmatch(space):
                raise _foreign(space or local)
            namespace = space
        depth += 1
        if depth > DEPTH_MAX:
            raise StatementError("its elements are nested too deeply: this is not a statement")
        builder.start(local if space == namespace else "?", attributes)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end("")

    def refuse(*_: object) -> None:
        raise StatementError("it has a document type, which no bank's statement has")

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(plain, True)
    except StatementError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise StatementError(
            f"it is not valid XML ({error}): give the file as the bank makes it"
        ) from None
    if not namespace:
        raise _foreign(first)
    return builder.close()


def _foreign(name: str) -> StatementError:
    return StatementError(f"it is {name[:80]!r}: give camt.053.001.02 to .13")
