"""Callers: keys of programs, signed links of people, the session of a browser.

A key is ``jb_<key_id>_<secret>``; only its digest is on the log. A link's token names what it lets
its holder do, to what, and since when. A credential that is not good is never passed over as if
none had been given.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal, Protocol
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response

from domain.people import of_seller
from domain.pseudonyms import seal
from runtime.links import ANOTHER_S, ExpiredLinkError, LinkError, Links, Purpose
from runtime.networks import network_of
from schemas.letters import mailbox_of
from schemas.ops import ApiKey
from schemas.people import Person
from schemas.refusals import RefusalCode
from services.storefront.problems import NoCredential, NotAllowed
from services.storefront.settings import PageSettings

Kind = Literal[
    "anonymous", "admin", "seller", "invited", "shop", "requester", "organizer", "member",
    "applicant", "payer", "person",
]  # fmt: skip
COOKIE = "jointbuy-session"
ADMIN = "admin"
SESSION_SECONDS = 12 * 3600
DAY_SECONDS = 24 * 3600
#: How long each kind of link works. None: as long as letters lie in mailboxes (RFC 8058).
MAX_AGE: dict[Purpose, int | None] = {
    "unsubscribe": None,
    "confirm-application": 60 * DAY_SECONDS,
    "application": 180 * DAY_SECONDS,
    # The link works for 48 hours; after that its page says so, and what to do.
    "confirm-order": 60 * DAY_SECONDS,
    "counter-offer": 60 * DAY_SECONDS,
    "request": DAY_SECONDS,
    "group": 400 * DAY_SECONDS,
    "order": 180 * DAY_SECONDS,
    "payer": 400 * DAY_SECONDS,
    "seller": 3600,
    "person": 3600,
    "session": SESSION_SECONDS,
}
#: The purposes of tokens that the API accepts, and the kind of caller that each makes.
_BEARERS: dict[Purpose, Kind] = {
    "request": "requester",
    "group": "organizer",
    "order": "member",
    "payer": "payer",
    "application": "applicant",
    "counter-offer": "invited",
}
_KEY_ID_CHARACTERS = 16
_SESSION_BYTES = 16
#: How many parts a token has that are said of its holder; two unless said otherwise.
_PARTS: dict[Purpose, int] = {"request": 1, "payer": 3}
_NOBODY = "0" * 64
#: Begins what stands for the key in a session that began with a link from a letter.
_BY_MAIL = "mail-"


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller: ``id`` of the seller, shop or person; ``about`` the group, auction or request.

    ``order`` is the one order that a payer's link is about, empty for all. ``is_anothers``: it was
    made by another person than the payer's other orders, and papers do not name the payer.
    ``holder`` is the mark of the person who got the link by a letter; papers name no other person.
    ``via`` is the id of the key, where there is one. ``client`` is the network that the request
    came from; limits are counted by it. Raises ``ValueError`` if it is empty, as such an actor
    would share its limits with everybody.
    """

    kind: Kind = "anonymous"
    id: str = ""
    about: str = ""
    order: str = ""
    via: str = ""
    _: KW_ONLY
    client: str
    is_anothers: bool = False
    holder: str = ""

    def __post_init__(self) -> None:
        if not self.client:
            raise ValueError("an actor needs a client, as limits are counted by it")

    @property
    def name(self) -> str:
        """Tells actors apart; holds nothing secret."""
        return f"{self.kind}/{self.about}/{self.id}"


class Keys(Protocol):
    """Where issued keys are looked up."""

    async def api_key(self, key_id: str) -> ApiKey | None:
        """The key of this id, revoked or not."""
        ...

    async def people(self, person_ids: Iterable[str | None]) -> dict[str, Person]:
        """Those of these people who are known, whose addresses sellers sign in by."""
        ...


class Ended(Protocol):
    """A store of the sessions that ended before their time."""

    async def end(self, session: str, seconds: float) -> bool:
        """End a session; remember it until it would expire. Whether it had not ended before."""
        ...

    async def has(self, session: str) -> bool:
        """Whether a session was ended."""
        ...


class Access:
    """Reads and makes the credentials of one deployment."""

    def __init__(self, settings: PageSettings, links: Links, keys: Keys, ended: Ended) -> None:
        self.links = links
        self._keys = keys
        self._ended = ended
        self._page_url = settings.page_url.rstrip("/")
        self._admin_key = settings.admin_key.get_secret_value().encode()

    # --- who asks --------------------------------------------------------------------------------

    async def bearer(self, request: Request) -> Actor:
        """The caller of the API: by ``Authorization: Bearer``, or anonymous without that header.

        Raises ``NoCredential`` for a credential that is not, or no longer, good.
        """
        given = request.headers.get("authorization")
        if given is None:
            return visitor(request)
        return await self._by_credential(request, given)

    async def _by_credential(self, request: Request, given: str) -> Actor:
        scheme, _, credential = given.partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential or not credential.isascii():
            raise NoCredential(RefusalCode.CREDENTIAL_FORM)
        if credential.startswith("jb_"):
            return await self.by_key(request, credential)
        if self._is_admin(credential):
            return Actor("admin", via=ADMIN, client=client_of(request))
        return self._by_token(request, credential)

    async def by_key(self, request: Request, credential: str) -> Actor:
        """The holder of a key. Raises ``NoCredential``."""
        key_id = credential.removeprefix("jb_").partition("_")[0]
        found = None
        if len(key_id) == _KEY_ID_CHARACTERS and key_id.isalnum():
            found = await self._keys.api_key(key_id)
        # Compared whether or not there is such a key, and answered alike.
        is_it = hmac.compare_digest(digest_of(credential), found.digest if found else _NOBODY)
        if found is None or not is_it or found.revoked_at is not None:
            raise NoCredential(RefusalCode.KEY_UNKNOWN)
        return Actor(found.role, found.holder_id, via=found.key_id, client=client_of(request))

    def _is_admin(self, credential: str) -> bool:
        return bool(self._admin_key) and hmac.compare_digest(credential.encode(), self._admin_key)

    def _by_token(self, request: Request, token: str) -> Actor:
        for purpose in _BEARERS:
            try:
                return self.by_link(request, purpose, token)
            except ExpiredLinkError as error:
                raise NoCredential(error.code, **error.params) from None
            except LinkError:
                continue
        raise NoCredential(RefusalCode.CREDENTIAL_UNKNOWN)

    def by_link(self, request: Request, purpose: Purpose, token: str) -> Actor:
        """The holder of a link, in whose place a page acts.

        Raises ``LinkError``, which says what to do.
        """
        what = self.links.read(purpose, token, MAX_AGE[purpose])
        kind = _BEARERS[purpose]
        if len(what) != _PARTS.get(purpose, 2):
            raise LinkError()
        about, id_, order = (*what, "", "")[:3]
        holder = order if order.startswith(ANOTHER_S) else ""
        return Actor(
            kind,
            id_,
            about,
            order.removesuffix(ANOTHER_S) if not holder else "",
            client=client_of(request),
            is_anothers=order.endswith(ANOTHER_S),
            holder=holder,
        )

    async def seller_of_link(self, token: str) -> tuple[str, str]:
        """The seller who may sign in by a link from a letter, and the letter's mailbox.

        Raises ``LinkError`` if the link is too old, was used, or went to another address than the
        seller has now.
        """
        what = self.links.read("seller", token, MAX_AGE["seller"])
        if len(what) != _PARTS.get("seller", 2):
            raise LinkError()
        seller_id, mailbox = what
        if not await self._is_mailbox(of_seller(seller_id), mailbox):
            raise LinkError()
        if await self._ended.has(_once(token)):
            raise LinkError(RefusalCode.LINK_USED)
        return seller_id, mailbox

    async def sign_in_by_link(self, request: Request, token: str) -> Actor:
        """The seller of a link from a letter, which signs in once. Raises ``LinkError``."""
        seller_id, mailbox = await self.seller_of_link(token)
        if not await self._ended.end(_once(token), MAX_AGE["seller"] or 0):
            raise LinkError(RefusalCode.LINK_USED)
        return Actor("seller", seller_id, via=_BY_MAIL + mailbox, client=client_of(request))

    async def person_of_link(self, request: Request, token: str) -> Actor:
        """The person who holds a link from a letter.

        Raises ``LinkError`` if the link is too old, has erased the person, or went to another
        address than the person has now.
        """
        what = self.links.read("person", token, MAX_AGE["person"])
        if len(what) != _PARTS.get("person", 2):
            raise LinkError()
        if await self._ended.has(_once(token)):
            raise LinkError(RefusalCode.LINK_USED)
        person_id, mailbox = what
        if not await self._is_mailbox(person_id, mailbox):
            raise LinkError()
        return Actor("person", person_id, client=client_of(request))

    async def use_up(self, token: str) -> None:
        """Remember that a person's link has erased the person: it works for nothing any more."""
        await self._ended.end(_once(token), MAX_AGE["person"] or 0)

    async def _is_mailbox(self, person_id: str, mailbox: str) -> bool:
        """Whether a person's letters go to this mailbox now."""
        person = (await self._keys.people([person_id])).get(person_id)
        return person is not None and hmac.compare_digest(
            mailbox_of(person_id, person.email).encode(), mailbox.encode()
        )

    # --- browsers --------------------------------------------------------------------------------

    async def sign_in(self, request: Request, credential: str, *kinds: Kind) -> Actor:
        """The actor of a key, of one of these kinds.

        Raises ``NoCredential`` and ``NotAllowed``.
        """
        credential = credential.strip()
        if "admin" in kinds and self._is_admin(credential):
            return Actor("admin", via=ADMIN, client=client_of(request))
        actor = await self.by_key(request, credential)
        if actor.kind not in kinds:
            raise NotAllowed(RefusalCode.OTHER_KEY, kind=actor.kind)
        return actor

    def remember(self, response: Response, actor: Actor, *, secure: bool) -> None:
        """Give the browser a new session for the actor, in place of any earlier one."""
        token = self.session_token(actor)
        response.set_cookie(
            COOKIE, token, max_age=SESSION_SECONDS, httponly=True, samesite="lax", secure=secure
        )

    def session_token(self, actor: Actor) -> str:
        """The cookie of a new session; it holds no key."""
        via = self._admin_session() if actor.kind == "admin" else actor.via
        return self.links.token("session", actor.id, via, secrets.token_hex(_SESSION_BYTES))

    async def end_session(self, request: Request) -> None:
        """End the browser's session, so that copies of its cookie are refused, too."""
        told = self._told_session(request)
        if told is not None:
            await self._ended.end(told[2], SESSION_SECONDS)

    def forget(self, response: Response) -> None:
        """Delete the session's cookie in the browser."""
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")

    async def session(self, request: Request) -> Actor:
        """The seller, shop or admin whose browser sent the request, or anonymous.

        A session ends when it expires or somebody signs out, when the key of a seller or shop is
        revoked, and when the admin's key is replaced. One that began with a link from a letter ends
        when the seller's address changes or is erased.
        """
        anonymous = visitor(request)
        told = self._told_session(request)
        if told is None:
            return anonymous
        holder_id, key_id, session = told
        actor = await self._of_session(holder_id, key_id, anonymous.client)
        if actor is None or await self._ended.has(session):
            return anonymous
        return actor

    async def _of_session(self, holder_id: str, key_id: str, client: str) -> Actor | None:
        """The holder of a session, as long as its key is valid."""
        if not holder_id:
            is_admin = bool(self._admin_key) and key_id == self._admin_session()
            return Actor("admin", via=ADMIN, client=client) if is_admin else None
        if key_id.startswith(_BY_MAIL):
            person_id = of_seller(holder_id)
            is_read = await self._is_mailbox(person_id, key_id.removeprefix(_BY_MAIL))
            return Actor("seller", holder_id, via=key_id, client=client) if is_read else None
        key = await self._keys.api_key(key_id)
        if key is None or key.revoked_at is not None or key.holder_id != holder_id:
            return None
        return Actor(key.role, holder_id, via=key_id, client=client)

    def _admin_session(self) -> str:
        """The digest of the admin's key for a session; each key has another."""
        return self.seal(ADMIN, digest_of(self._admin_key.decode()))

    def _told_session(self, request: Request) -> tuple[str, str, str] | None:
        """Holder, key and session of a valid cookie that has not expired."""
        token = request.cookies.get(COOKIE, "")
        try:
            holder_id, key_id, session = self.links.read("session", token, MAX_AGE["session"])
        except ValueError:
            return None
        return holder_id, key_id, session

    # --- what is handed out ----------------------------------------------------------------------

    def organizer_link(self, group_id: str, organizer_id: str) -> str:
        """The organizer's page of a group; shown once."""
        token = self.links.token("group", group_id, organizer_id)
        return f"{self._page_url}/groups/{quote(group_id, safe='')}/manage/{token}"

    def order_link(self, group_id: str, member_id: str = "") -> str:
        """Where a member orders, or anybody who has the link if it names none."""
        token = self.links.token("order", group_id, member_id)
        return f"{self._page_url}/groups/{quote(group_id, safe='')}/order/{token}"

    def payments_path(
        self,
        group_id: str,
        payer_id: str,
        order_id: str = "",
        *,
        is_anothers: bool = False,
        holder: str = "",
    ) -> str:
        """The page where payers see their payments in a group, or those for one order."""
        only = f"{order_id}{ANOTHER_S}" if is_anothers else order_id or holder
        token = self.links.token("payer", group_id, payer_id, only)
        return f"/groups/{quote(group_id, safe='')}/payments/{token}"

    def application_link(self, auction_id: str, application_id: str) -> str:
        """Where an applicant takes an application back."""
        return f"{self._page_url}/applications/{self.application_token(auction_id, application_id)}"

    def application_token(self, auction_id: str, application_id: str) -> str:
        """The same for programs."""
        return self.links.token("application", auction_id, application_id)

    def request_token(self, request_id: str) -> str:
        """The token that reads the outcome of a request."""
        return self.links.token("request", request_id)

    def seal(self, *what: str) -> str:
        """Always the same for the same words, and not to be guessed: 40 hexadecimal digits."""
        return seal(self.links.secret, *what)

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach these pages by https only."""
        return self._page_url.startswith("https://")


def visitor(request: Request) -> Actor:
    """A caller without a credential."""
    return Actor(client=client_of(request))


def client_of(request: Request) -> str:
    """The client that a request is counted by: the network it came from."""
    return network_of(request.client.host if request.client else "")


def _once(token: str) -> str:
    """The name under which it is remembered that a link was used."""
    return f"link-{digest_of(token)}"


def digest_of(credential: str) -> str:
    """The digest of a key, which its topic keeps in place of the key."""
    return sha256(credential.encode()).hexdigest()


def new_key(
    role: Literal["seller", "shop"], holder_id: str, random: tuple[str, str] | None = None
) -> tuple[ApiKey, str]:
    """A new key: the record for its topic, and the secret that its holder sees once.

    ``random`` is what it is made of, if the same key may have to be made again.
    """
    key_id, secret = random or (
        secrets.token_hex(_KEY_ID_CHARACTERS // 2),
        secrets.token_urlsafe(32),
    )
    credential = f"jb_{key_id}_{secret}"
    key = ApiKey(
        key_id=key_id,
        role=role,
        holder_id=holder_id,
        digest=digest_of(credential),
        issued_at=datetime.now(UTC),
        version=1,
    )
    return key, credential


def revoked(key: ApiKey) -> ApiKey:
    """The key, revoked from now on."""
    if key.revoked_at is not None:
        return key
    at = max(datetime.now(UTC), key.issued_at + timedelta(milliseconds=1))
    return key.model_copy(update={"revoked_at": at, "version": key.version + 1})
