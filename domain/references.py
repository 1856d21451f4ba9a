"""Numbers of invoices as banks carry them: the creditor reference (ISO 11649), and free text.

A number is ``<group_id>-I<n>`` of an invoice, ``-C<n>`` of a credit note. Its creditor reference is
``RF``, two check digits (ISO 7064, modulo 97-10), and the number without its dashes.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from domain.ids import read_aloud

REFERENCE_CHARACTERS_MAX = 25
_GAP = r"[\s\-./]*"
_NUMBER = re.compile(
    rf"(?=(?P<group>GB{_GAP}(?:[0-9A-Z]{_GAP}){{11}})(?P<kind>[IC])[\s\-]*"
    r"(?P<n>[1-9][0-9]{0,8})(?![0-9]))",
    re.ASCII,
)
_REFERENCE_BEGINS = re.compile(r"RF[0-9]{2}", re.ASCII)
_REFERENCE_BEFORE = re.compile(rf"RF[0-9]{{2}}{_GAP}$", re.ASCII)
_DIGITS_AHEAD = re.compile(r"\s+([0-9]{1,8})", re.ASCII)
#: Banks cut texts into lines of so many characters; some put a blank between two such lines.
CUT_AT = (27, 35)


@dataclass(frozen=True, slots=True)
class Mention:
    """A number that a text names.

    It may be cut off: ``longer`` has the numbers that would make it ambiguous if they exist.
    ``is_doubtful``: it is in a creditor reference with wrong check digits.
    """

    number: str
    longer: tuple[str, ...] = ()
    is_doubtful: bool = False

    @property
    def is_certain(self) -> bool:
        """Whether no other number is possible."""
        return not self.longer and not self.is_doubtful


def creditor_reference(number: str) -> str | None:
    """The creditor reference of a number, in fours: ``RF48 GB7K 3M9Q XA2F TI1``.

    None of a number that can't be read back from one: of a group with an id of another kind.
    """
    body = "".join(character for character in number.upper() if character.isalnum())
    named = [each.number for each in _plain_mentions(body)]
    if len(body) + 4 > REFERENCE_CHARACTERS_MAX or named != [number]:
        return None
    whole = f"RF{98 - _modulo_97(f'{body}RF00'):02}{body}"
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))


def is_creditor_reference(text: str) -> bool:
    """Whether a text is a creditor reference whose check digits fit."""
    body = "".join(text.upper().split())
    is_one = re.fullmatch(r"RF[0-9]{2}[0-9A-Z]{1,21}", body, re.ASCII) is not None
    return is_one and _modulo_97(body[4:] + body[:4]) == 1


def numbers_in(text: str) -> list[str]:
    """The numbers of invoices and credit notes that a text names, each once, in its order.

    Written in any case, with or without dashes and spaces; only ids whose check character fits. A
    creditor reference is read as one, so that its number ends where it does; one whose check digits
    do not fit names nothing.
    """
    found = (each.number for each in mentions_in([text]) if not each.is_doubtful)
    return list(dict.fromkeys(found))


def mentions_in(lines: Iterable[str]) -> list[Mention]:
    """The numbers in the lines of one text, each once: those of creditor references first.

    A number may continue on the next line. If it stops at the end of a line before digits, or at
    a column where banks cut texts (``python-fints#226``), it may be cut off.
    """
    rest = "\n".join(lines).upper()
    found: dict[str, Mention] = {}
    for begin, end, number in list(_references_in(rest)):
        found[number] = Mention(number)
        rest = f"{rest[:begin]}{'?' * (end - begin)}{rest[end:]}"
    for mention in _plain_mentions(rest):
        known = found.get(mention.number)
        if known is None or (mention.is_certain and not known.is_certain):
            found[mention.number] = mention
    return list(found.values())


def _references_in(text: str) -> Iterator[tuple[int, int, str]]:
    """The numbers of creditor references in a text, with the begin and end of each.

    A reference ends at a blank or another sign, after the word with which its check digits fit.
    """
    for match in _REFERENCE_BEGINS.finditer(text):
        found: tuple[int, int, str] | None = None
        body = ""
        for at in range(match.start(), len(text) + 1):
            character = text[at : at + 1]
            is_end = not (character.isascii() and character.isalnum())
            if is_end and is_creditor_reference(body):
                for mention in _plain_mentions(body[4:]):
                    found = (match.start(), at, mention.number)
            if len(body) >= REFERENCE_CHARACTERS_MAX or (is_end and not character.isspace()):
                break
            body += character.strip()
        if found:
            yield found


def _plain_mentions(text: str) -> Iterator[Mention]:
    for match in _NUMBER.finditer(text):
        try:
            group_id = read_aloud(re.sub(r"[^0-9A-Z]", "", match["group"]))
        except ValueError:
            continue
        number = f"{group_id}-{match['kind']}{match['n']}"
        before = text[max(0, match.start() - REFERENCE_CHARACTERS_MAX) : match.start()]
        is_doubtful = _REFERENCE_BEFORE.search(before) is not None
        yield Mention(number, tuple(_longer(number, match["n"], text, match.end("n"))), is_doubtful)


def _longer(number: str, n: str, text: str, end: int) -> Iterator[str]:
    """Numbers of which a number that ends at this place may be the beginning.

    A group's numbers are issued in order: ``I10`` is the first that begins with ``I1``, so if it
    does not exist, no other does.
    """
    column = end - (text.rfind("\n", 0, end) + 1)
    is_column = any(column % at == 0 or column % (at + 1) == at for at in CUT_AT)
    follows = text[end : end + 1]
    if follows and not follows.isspace():
        return
    if is_column and len(n) < 9:
        yield f"{number}0"
    ahead = _DIGITS_AHEAD.match(text, end)
    if ahead and (is_column or "\n" in ahead[0]) and len(n) + len(ahead[1]) <= 9:
        yield f"{number}{ahead[1]}"


def _modulo_97(text: str) -> int:
    return int("".join(str(int(character, 36)) for character in text)) % 97
