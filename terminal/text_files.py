"""The text of a file that another program wrote, such as Excel. Pure.

UTF-8 and UTF-16 are read. A file in an older encoding does not say which one it is. It is read only
if all the encodings that give words give the same text. Otherwise it is refused.
"""

import codecs
import re
import unicodedata
from functools import cache

_HINT = "save the file as UTF-8 (in Excel: CSV UTF-8)"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: What Excel and older programs write in Europe, Japan, China, Taiwan and Korea.
_OLDER = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1257"),
    *("cp932", "euc_jp", "gb2312", "big5", "euc_kr"),
)
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "FULLWIDTH"})
#: Characters that are not letters, but may be in names and lists.
_BESIDE_LETTERS = frozenset("\u2019\u00a0\u3000\u30fb\u3001\uff0d\uff08\uff09\uff20")


def decoded(raw: bytes) -> str:
    """The text of a file. Raises ``ValueError`` with the line that can't be read and what to do."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return _strictly(raw[len(mark) :], encoding)
    if b"\0" in raw:
        return _of_two_bytes(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        texts = {text for encoding in _OLDER if (text := _sensible(raw, encoding)) is not None}
        if len(texts) != 1:
            raise _unreadable(raw, error.start, "characters that are not UTF-8") from None
    return texts.pop()


def _strictly(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        told = f"characters that are not {encoding.upper()}, as its first bytes say"
        raise _unreadable(raw, error.start, told) from None


def _of_two_bytes(raw: bytes) -> str:
    """UTF-16 without a mark: in one of its two orders it is text, and most of it ASCII."""
    found = []
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and 2 * sum(map(str.isascii, text)) > len(text):
            found.append(text)
    if len(found) != 1:
        raise _unreadable(raw, raw.index(b"\0"), "a zero byte")
    return found[0]


def _sensible(raw: bytes, encoding: str) -> str | None:
    """The text in this encoding, if its words could be words."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        return None
    words = {word for word in re.split(r"[\x00-\x2f:-@\[-`{-\x7f]+", text) if not word.isascii()}
    return text if all(map(_is_word, words)) else None


def _is_word(word: str) -> bool:
    """Whether all letters are of one script and all other characters may be in names."""
    scripts = {_script(each) for each in word if each not in _BESIDE_LETTERS}
    return len(scripts - {"DIGIT"}) <= 1 and "" not in scripts


@cache
def _script(character: str) -> str:
    """The script of a letter; empty for other characters outside ASCII."""
    if character in "0123456789":
        return "DIGIT"
    first = unicodedata.name(character, "").partition(" ")[0]
    if first in _EAST_ASIAN:
        return "CJK"
    return first if unicodedata.category(character).startswith("L") else ""


def _unreadable(raw: bytes, place: int, what: str) -> ValueError:
    line = raw.count(b"\n", 0, place) + 1
    return ValueError(f"line {line} has {what}: {_HINT}")
