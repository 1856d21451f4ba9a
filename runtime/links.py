"""Signed links in letters: who may do what, without a password, until when.

A token names its purpose and whom or what it is for; the services that write letters and the one
that answers the links share a secret. Tokens are URL-safe, signed (HMAC-SHA256) and dated.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from schemas.refusals import RefusalCode

Purpose = Literal[
    "unsubscribe",
    "confirm-application",
    "application",
    "confirm-order",
    "counter-offer",
    "request",
    "group",
    "order",
    "payer",
    "seller",
    "person",
    "session",
]


#: Behind the order in a ``payer`` token: the order is another person's than the payer's other
#: orders, so papers name nobody to the holder. No id has a slash.
ANOTHER_S = "/"


def mark_of_holder(person_id: str) -> str:
    """Stands in place of the order in the ``payer`` token of a letter to a person.

    The token shows all of the payer's orders, and papers name the payer only if it is this person:
    whoever ordered first in a member's name and cancelled holds such a link, too.
    """
    return f"{ANOTHER_S}{sha256(person_id.encode()).hexdigest()[:16]}"


class LinkError(ValueError):
    """A token that is not ours, not complete or for something else: ``code`` says which."""

    def __init__(self, code: RefusalCode = RefusalCode.LINK_INCOMPLETE, **params: str) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class ExpiredLinkError(LinkError):
    """A token that is too old."""

    def __init__(self, made_at: datetime) -> None:
        super().__init__(RefusalCode.LINK_EXPIRED, made_on=f"{made_at:%Y-%m-%d}")


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads the tokens of one deployment."""

    secret: str

    def _serializer(self, purpose: Purpose) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(
            self.secret, salt=f"jointbuy/{purpose}", signer_kwargs={"digest_method": sha256}
        )

    def token(self, purpose: Purpose, *what: str) -> str:
        """A token for a purpose: of ``unsubscribe`` (recipient_id, kind, the letter's mailbox), of
        ``confirm-application`` and ``application``, by which it is taken back (auction_id,
        application_id), of ``confirm-order`` (group_id, member_id, source, order_id, quantity,
        until when), of ``counter-offer`` (auction_id, seller_id), of ``request``
        (request_id), of ``group``, its organizer's (group_id, the organizer's id), of ``order``
        (group_id, member_id, empty for whoever has the link), of ``payer`` (group_id, the payer's
        id, the one order that it is about or what stands for all, see ``ANOTHER_S`` and
        ``mark_of_holder``), of ``seller``, by
        which a seller signs in (seller_id, the letter's mailbox), of ``person``, by which a person
        sees, downloads and erases what is kept (person_id, the letter's mailbox), of
        ``session``, a browser that signed in (seller_id, key_id or the mailbox, a random id of the
        session)."""
        return str(self._serializer(purpose).dumps(what))

    def read(self, purpose: Purpose, token: str, max_age_seconds: int | None = None) -> list[str]:
        """What a token was made for.

        Raises ``LinkError`` when it is not a token of this purpose, ``ExpiredLinkError`` when it
        is older than allowed.
        """
        try:
            what = self._serializer(purpose).loads(token, max_age=max_age_seconds)
        except SignatureExpired as expired:
            made_at = expired.date_signed or datetime.now(UTC)
            raise ExpiredLinkError(made_at) from None
        except BadSignature:
            raise LinkError() from None
        if not isinstance(what, list) or not all(isinstance(each, str) for each in what):
            raise LinkError()
        return what
