"""Bodies of the HTTP API about people."""

from schemas.api.parts import Address, Given


class LinksAgainGiven(Given):
    """Whose links are to be emailed again."""

    email: Address
