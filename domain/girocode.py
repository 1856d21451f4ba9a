"""The text of an EPC QR code ("girocode"): a banking app reads a SEPA credit transfer from it.

Source: EPC069-12, version 002 of the data, in UTF-8. Names and free text are written in the Latin
characters that every bank of SEPA takes (EPC217-08).
"""

import re
import unicodedata
from typing import Final

from domain.references import is_creditor_reference

#: Minor units of EUR that a SEPA credit transfer can have.
AMOUNT_MIN, AMOUNT_MAX = 1, 99_999_999_999
NAME_MAX, TEXT_MAX = 70, 140
#: Bytes of the whole: what a QR code of version 13 holds at error correction M.
BYTES_MAX = 331
#: Where accounts take SEPA credit transfers (EPC409-09), as IBANs begin there.
_COUNTRIES: Final = frozenset(
    {
        "AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB",
        "GI", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK",
        "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "SM", "VA",
    }
)  # fmt: skip
_UNWRITTEN = re.compile(r"[^A-Za-z0-9/?:().,'+ -]")
#: Letters that are not a Latin letter with a mark, and signs that have a common replacement.
_WRITTEN_AS: Final = str.maketrans(
    {
        "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS",
        "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ħ": "h", "Ħ": "H",
        "\u0131": "i", "ŋ": "n", "Ŋ": "N", "&": "+", "_": "-",
        # Quotation marks, accents that stand alone, and dashes.
        "\u2018": "'", "\u2019": "'", "`": "'", "\xb4": "'", "\u2013": "-", "\u2014": "-",
    }
)  # fmt: skip


def girocode(
    payee: str, iban: str, amount: int, currency: str, reference: str, bic: str | None = None
) -> str | None:
    """The text of the code for a transfer of this amount, in minor units.

    ``iban`` is a valid one without spaces. A ``reference`` that is a creditor reference (ISO 11649)
    is given as one, any other as free text. A payee's name that is too long is cut.

    None if no code can say it: the currency is not EUR, nothing is to be paid or too much, the
    account is not in SEPA, the name has letters that are not Latin, or the reference is too long.
    """
    name = latin(payee)
    is_possible = currency == "EUR" and AMOUNT_MIN <= amount <= AMOUNT_MAX
    if not is_possible or not name or iban[:2] not in _COUNTRIES:
        return None
    structured, free = "", ""
    if is_creditor_reference(reference):
        structured = "".join(reference.upper().split())
    else:
        free = latin(reference) or ""
        if not free or len(free) > TEXT_MAX:
            return None
    euros, cents = divmod(amount, 100)
    lines = (
        "BCD",
        "002",
        "1",  # UTF-8
        "SCT",
        bic or "",
        name[:NAME_MAX].rstrip(),
        iban,
        f"EUR{euros}.{cents:02}",
        "",  # no purpose
        structured,
        free,
    )
    code = "\n".join(lines).rstrip("\n")
    return code if len(code.encode()) <= BYTES_MAX else None


def latin(text: str) -> str | None:
    """A text in the characters that every bank takes, on one line; signs become blanks.

    None if it has a letter or a digit that can't be written so: another name would be a guess.
    """
    marked = unicodedata.normalize("NFC", text).translate(_WRITTEN_AS)
    bare = [
        each for each in unicodedata.normalize("NFKD", marked) if not unicodedata.combining(each)
    ]
    if any(each.isalnum() and not each.isascii() for each in bare):
        return None
    return " ".join(_UNWRITTEN.sub(" ", "".join(bare)).split())
