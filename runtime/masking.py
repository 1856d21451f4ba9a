"""What must not stay where it came to by chance: addresses in logs, card numbers in dead letters.

Topics and letters may hold addresses, that is what they are for; the words of an error, or an id
that a shop gave, may hold one too, and go to a log. No shop should send us card numbers; one that
does must not make us keep them. Pure.
"""

import re
from collections.abc import Iterator
from typing import Any

#: What ends a word that can be part of an address.
_ENDS = r"""\s"`<>()\[\]{},;:=&?/\\|"""
#: Anything around an @, whether or not the domain has a dot, or is an IP address. A number alone is
#: not a domain: after the @ of an event's id is its version. A local part has at most 64 characters
#: (RFC 5321).
_ADDRESS = re.compile(
    rf"""(?:"(?:[^"\\\n]|\\.){{1,64}}"|\\"(?:[^"\\\n]|\\[^"]){{1,64}}\\"|(?!')[^{_ENDS}]{{1,64}})"""
    r"(?:@|%40|\uff20)"
    rf"""(?:\[[0-9A-Fa-f.:IPv]{{2,50}}\]|(?![0-9]+\.?(?:[{_ENDS}'@]|$))[^{_ENDS}'@.]+(?:\.[^{_ENDS}'@.]+)*)"""
)
_NO_ADDRESS = "(an address)"
#: By first digits and length, of the large schemes (ISO/IEC 7812): Visa; Mastercard, JCB, Discover
#: and UnionPay; American Express; Diners Club. Often in groups.
_CARD = re.compile(
    rb"(?<![\d.])(?:4(?:[ -]?\d){15}|(?:5[1-5]|2[2-7]|35|6[0245])(?:[ -]?\d){14}"
    rb"|3[47](?:[ -]?\d){13}|3[068](?:[ -]?\d){12})(?!\d)"
)


def without_addresses(value: Any) -> Any:
    """Text, or lists and dicts of it, with each address replaced; other things as they print."""
    match value:
        case str():
            return _ADDRESS.sub(_NO_ADDRESS, value)
        case None | bool() | int() | float():
            return value
        case dict():
            return {name: without_addresses(each) for name, each in value.items()}
        case list() | tuple():
            return [without_addresses(each) for each in value]
    return without_addresses(repr(value))


def addresses_in(text: str) -> Iterator[str]:
    """Everything in a text that may be an e-mail address; ``%40`` is its @."""
    for found in _ADDRESS.finditer(text):
        yield found[0].replace("%40", "@")


def without_cards(content: bytes) -> bytes:
    """Bytes of the same length, with all but the last four digits of each card number as nines.

    So a number in JSON stays a number. About one in ten other numbers that begin as a card's and
    are as long passes for one (ISO/IEC 7812-1, annex B: its check digit is right by chance).
    """
    return _CARD.sub(_masked, content)


def _masked(found: re.Match[bytes]) -> bytes:
    number = found[0]
    digits = [int(each) for each in re.findall(rb"\d", number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    if (sum(doubled) + sum(digits[::-2])) % 10:
        return number
    return re.sub(rb"\d", b"9", number, count=len(digits) - 4)
