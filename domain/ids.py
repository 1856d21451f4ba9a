"""Group ids: derived from the request, readable aloud, with a check character.

An id is ``GB-`` and ten characters of Crockford's base 32 in two fives, then a check character,
such as ``GB-7K3M9-QXA2F-D``. The check is a weighted sum over GF(32), the field of the alphabet's
own size: as the weights are distinct and not zero, it catches every single wrong character and
every swap of two.
"""

import re
from functools import lru_cache
from hashlib import sha256

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_LOOKS_LIKE = str.maketrans("ILO", "110")
_LENGTH = 10
#: Ids of auctions are as the storefront makes them, and random.
_AUCTION_ID = re.compile(r"a-[0-9a-z]{8,58}")
_FIELD_POLYNOMIAL = 0b100101  # x^5 + x^2 + 1, primitive over GF(2), so 2 generates all weights.


def derive(request_id: str, attempt: int = 0) -> str:
    """The ``attempt``-th group id of a request: the same arguments always give the same id."""
    digest = sha256(f"{attempt}:{request_id}".encode()).digest()
    bits = int.from_bytes(digest[:8], "big") >> 14
    body = "".join(ALPHABET[bits >> shift & 31] for shift in range(45, -1, -5))
    return f"GB-{body[:5]}-{body[5:]}-{check_character(body)}"


#: Marks of orders are below this, and so are sums of them.
MARK_MAX = 10**15


def order_mark(source: str, order_id: str) -> int:
    """A number of an order's own: the sum of those of several, modulo ``MARK_MAX``, tells which."""
    digest = sha256(f"{source}/{order_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % MARK_MAX


def check_character(body: str) -> str:
    """The check character of ten characters of the alphabet."""
    total, weight = 0, 1
    for character in body:
        weight = _times_two(weight)
        total ^= _times(_VALUE[character], weight)
    return ALPHABET[total]


def read_aloud(text: str) -> str:
    """The id that a person typed: any case, spaces or dashes anywhere, I and L for 1, O for 0.

    Raises ``ValueError`` with what is wrong when it can't be an id.
    """
    body = "".join(text.upper().split()).replace("-", "")
    if len(body) != _LENGTH + 1:
        # An id of the right length without its prefix may itself begin with GB.
        body = body.removeprefix("GB")
    body = body.translate(_LOOKS_LIKE)
    if len(body) != _LENGTH + 1:
        raise ValueError(f"{text!r} has {len(body)} characters after GB, an id has {_LENGTH + 1}")
    wrong = sorted(set(body) - set(ALPHABET))
    if wrong:
        raise ValueError(f"{text!r} has {wrong[0]!r}, which no id has")
    if check_character(body[:_LENGTH]) != body[_LENGTH]:
        raise ValueError(f"{text!r} is mistyped: its check character does not fit")
    return f"GB-{body[:5]}-{body[5:10]}-{body[10]}"


def is_group_id(text: str) -> bool:
    """Whether it is an id as the system issues them: no group ever has another one."""
    try:
        return read_aloud(text) == text
    except ValueError:
        return False


def ids_in(*texts: object) -> dict[str, str]:
    """The ids of a group purchase and of an auction among texts, by name.

    Only ids as the system issues them: any other text may be about a person.
    """
    found: dict[str, str] = {}
    for text in texts:
        if isinstance(text, str) and text.startswith(("GB-", "a-")) and (name := _name_of(text)):
            found[name] = text
    return found


@lru_cache(maxsize=4096)  # many records in a row are of few groups
def _name_of(text: str) -> str:
    if is_group_id(text):
        return "group_purchase_id"
    return "auction_id" if _AUCTION_ID.fullmatch(text) else ""


def _times_two(value: int) -> int:
    value <<= 1
    return value ^ _FIELD_POLYNOMIAL if value & 32 else value


def _times(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left, right = _times_two(left), right >> 1
    return product
