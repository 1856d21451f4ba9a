"""Numbers of invoices as banks carry them: the creditor reference (ISO 11649), and free text.

A number is ``<group_id>-I<n>`` of an invoice, ``-C<n>`` of a credit note. Its creditor reference is
``RF``, two check digits (ISO 7064, modulo 97-10), and the number without its dashes.
"""

import re

from schemas.ids import read_aloud

REFERENCE_CHARACTERS_MAX = 25
_GAP = r"[\s\-./]*"
_NUMBER = re.compile(
    rf"(?=(?P<group>GB{_GAP}(?:[0-9A-Z]{_GAP}){{11}})(?P<kind>[IC])[\s\-]*(?P<n>[1-9][0-9]{{0,8}}))"
)


def creditor_reference(number: str) -> str | None:
    """The creditor reference of a number, in fours: ``RF48 GB7K 3M9Q XA2F TI1``.

    None of a number that can't be read back from one: of a group with an id of another kind.
    """
    body = "".join(character for character in number.upper() if character.isalnum())
    if len(body) + 4 > REFERENCE_CHARACTERS_MAX or _plain_numbers(body) != [number]:
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
    creditor reference is read as one, so that its number ends where it does.
    """
    rest = text.upper()
    found: dict[str, None] = {}
    for reference in _references_in(rest):
        found |= dict.fromkeys(_plain_numbers("".join(reference.split())))
        rest = rest.replace(reference, "\n")
    return list(found | dict.fromkeys(_plain_numbers(rest)))


def _references_in(text: str) -> list[str]:
    """Creditor references as they stand in a text, each to a blank or to where it ends."""
    found = []
    for match in re.finditer(r"RF[0-9]{2}", text, re.ASCII):
        whole = re.match(r"[0-9A-Z ]*", text[match.start() :], re.ASCII)
        words = whole[0].split(" ") if whole else []
        heads = (" ".join(words[:count]) for count in range(len(words), 0, -1))
        found += [head for head in heads if is_creditor_reference(head)][:1]
    return found


def _plain_numbers(text: str) -> list[str]:
    found: dict[str, None] = {}
    for match in _NUMBER.finditer(text):
        try:
            group_id = read_aloud(re.sub(r"[^0-9A-Z]", "", match["group"]))
        except ValueError:
            continue
        found[f"{group_id}-{match['kind']}{match['n']}"] = None
    return list(found)


def _modulo_97(text: str) -> int:
    return int("".join(str(int(character, 36)) for character in text)) % 97
