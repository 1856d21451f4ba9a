"""Parameters in the query of pages and of the API."""

from pydantic import BeforeValidator

#: Any text without control characters.
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*$"


def _digits(text: object) -> object:
    """A number in a URL: digits only, without underscores, signs or blanks."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("is not a whole number: give digits only")
    return text


Digits = BeforeValidator(_digits)
