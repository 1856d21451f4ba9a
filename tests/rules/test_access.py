"""Keys, links and sessions: what is good, and what only looks like it."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from fastapi import Request, Response

from domain.people import of_seller
from runtime.links import ExpiredLinkError, LinkError, Links, mark_of_holder
from schemas.ops import ApiKey
from schemas.people import Person
from schemas.refusals import RefusalCode
from services.notifier.letters.links import SignedLinks
from services.storefront.access.callers import (
    COOKIE,
    MAX_AGE,
    SESSION_SECONDS,
    Access,
    Actor,
    digest_of,
    new_key,
    revoked,
)
from services.storefront.problems import NoCredential, NotAllowed
from services.storefront.settings import PageSettings

SECRET = "a-secret-of-the-tests"
ADMIN = "an-admin-key-of-the-tests"


class Keys(dict[str, ApiKey]):
    """What the log knows of keys, and of sellers' addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Person] = {}

    def reach(self, seller_id: str, email: str) -> None:
        id_ = of_seller(seller_id)
        self.known[id_] = Person(person_id=id_, email=email, seen_at=datetime.now(UTC))

    async def people(self, person_ids: Iterable[str | None]) -> dict[str, Person]:
        return {each: self.known[each] for each in person_ids if each in self.known}

    def add(self, key: ApiKey) -> None:
        self[key.key_id] = key

    async def api_key(self, key_id: str) -> ApiKey | None:
        return self.get(key_id)


@pytest.fixture
def keys() -> Keys:
    return Keys()


class Ended(set[str]):
    """Which sessions ended."""

    async def end(self, session: str, seconds: float) -> bool:
        assert seconds == (MAX_AGE["seller"] if session.startswith("link-") else SESSION_SECONDS)
        is_new = session not in self
        self.add(session)
        return is_new

    async def has(self, session: str) -> bool:
        return session in self


def access_of(keys: Keys, **settings: Any) -> Access:
    said = {"link_secret": SECRET, "admin_key": ADMIN, "page_url": "https://shop.example"}
    return Access(PageSettings(**said | settings), Links(SECRET), keys, Ended())


@pytest.fixture
def access(keys: Keys) -> Access:
    return access_of(keys)


def asking(**headers: str) -> Request:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "client": ("192.0.2.1", 1)})


async def test_a_key_is_known_by_its_digest_and_ends_with_its_revocation(
    keys: Keys, access: Access
) -> None:
    key, credential = new_key("shop", "tea-house")
    assert credential not in key.model_dump_json()
    assert key.digest == digest_of(credential)
    with pytest.raises(NoCredential) as unknown:
        await access.by_key(asking(), credential)
    keys.add(key)
    assert await access.by_key(asking(), credential) == Actor(
        "shop", "tea-house", via=key.key_id, client="192.0.2.1"
    )
    keys.add(revoked(key))
    with pytest.raises(NoCredential) as ended:
        await access.by_key(asking(), credential)
    assert str(unknown.value) == str(ended.value), "nobody learns which keys there were"
    assert revoked(keys[key.key_id]) == keys[key.key_id]


@pytest.mark.slow
@pytest.mark.parametrize(
    "header",
    [
        "", "Bearer", "Bearer ", "Basic abc", "Bearer jb_", "Bearer jb__", "Bearer jb_\xe4_x",
        "Bearer jb_' OR 1=1 --_x", f"Bearer {ADMIN[:-1]}", f"Bearer {ADMIN}x", "Bearer e30.x.y",
        "Bearer " + "x" * 60_000,
    ],
)  # fmt: skip
async def test_what_is_no_credential_is_never_taken_for_none(access: Access, header: str) -> None:
    with pytest.raises(NoCredential):
        await access.bearer(asking(authorization=header))


async def test_nobody_is_the_admin_where_there_is_no_key(keys: Keys, access: Access) -> None:
    found = await access.bearer(asking(authorization=f"bearer {ADMIN}"))
    assert (found.kind, found.client) == ("admin", "192.0.2.1")
    assert (await access.bearer(asking())).kind == "anonymous"
    off = access_of(keys, admin_key="")
    with pytest.raises(NoCredential):
        await off.bearer(asking(authorization="Bearer x"))


async def test_a_link_is_good_for_one_purpose(access: Access) -> None:
    token = access.links.token("group", "GB-1", "m-ada")
    assert access.by_link(asking(), "group", token) == Actor(
        "organizer", "m-ada", "GB-1", client="192.0.2.1"
    )
    for purpose in ("order", "request", "application", "counter-offer"):
        with pytest.raises(LinkError):
            access.by_link(asking(), purpose, token)  # type: ignore[arg-type]
    for purpose, what in (
        ("unsubscribe", ("m", "all", "mailbox")),
        ("confirm-application", ("a", "b")),
        ("session", ("s", "k", "r")),
        ("group", ("GB-1",)),
        ("order", ("GB-1", "m", "more")),
    ):
        odd = access.links.token(purpose, *what)
        with pytest.raises((NoCredential, LinkError)):
            await access.bearer(asking(authorization=f"Bearer {odd}"))


def session_cookie(access: Access, actor: Actor) -> tuple[str, str]:
    response = Response()
    access.remember(response, actor, secure=access.is_secure)
    header = response.headers["set-cookie"]
    return header.partition(";")[0], header


@pytest.mark.parametrize("order_id", ["", "a/", "a"])
def test_a_payer_s_link_says_whose_the_order_is(access: Access, order_id: str) -> None:
    """A letter's link to one order is another person's; the page's own links keep that."""
    order, is_anothers = order_id.removesuffix("/"), order_id.endswith("/")
    expected = Actor("payer", "ann", "GB-1", order, client="192.0.2.1", is_anothers=is_anothers)
    path = access.payments_path("GB-1", "ann", order, is_anothers=is_anothers)
    assert access.by_link(asking(), "payer", path.rpartition("/")[2]) == expected
    if is_anothers:
        letter_s = SignedLinks("https://x.example", access.links)
        link = letter_s.payments("GB-1", "ann", order, "shop:eve")
        assert access.by_link(asking(), "payer", link.rpartition("/")[2]) == expected


def test_a_payer_s_link_in_a_letter_says_whom_it_went_to(access: Access) -> None:
    """And the page's own links keep that."""
    link = SignedLinks("https://x.example", access.links).payer("GB-1", "ann", "shop:eve")
    found = access.by_link(asking(), "payer", link.rpartition("/")[2])
    assert (found.order, found.is_anothers, found.holder) == ("", False, mark_of_holder("shop:eve"))
    path = access.payments_path("GB-1", "ann", found.order, holder=found.holder)
    assert access.by_link(asking(), "payer", path.rpartition("/")[2]) == found


async def test_a_session_is_a_seller_s_and_ends_with_time_or_key(
    keys: Keys, access: Access
) -> None:
    key, credential = new_key("seller", "s-1")
    keys.add(key)
    actor = await access.sign_in(asking(), f" {credential} ", "seller")
    cookie, header = session_cookie(access, actor)
    for word in ("HttpOnly", "SameSite=lax", "Secure", f"Max-Age={SESSION_SECONDS}"):
        assert word in header
    found = await access.session(asking(cookie=cookie))
    assert (found.kind, found.id) == ("seller", "s-1")
    assert credential not in cookie

    soon = time.time() + SESSION_SECONDS + 5
    with patch("itsdangerous.timed.time.time", lambda: soon):
        assert (await access.session(asking(cookie=cookie))).kind == "anonymous"
    keys.add(key.model_copy(update={"holder_id": "s-2"}))
    assert (await access.session(asking(cookie=cookie))).kind == "anonymous"
    keys.add(revoked(key))
    assert (await access.session(asking(cookie=cookie))).kind == "anonymous"


async def test_a_session_can_t_be_made_up_or_fixed(keys: Keys, access: Access) -> None:
    key, credential = new_key("seller", "s-1")
    keys.add(key)
    theirs = Links("another secret").token("session", "s-1", key.key_id, "r")
    link = access.links.token("counter-offer", "s-1", key.key_id)
    for made_up in ("", "x", theirs, link, credential, f"{credential};x", "e30.x.y"):
        found = await access.session(asking(cookie=f"{COOKIE}={made_up}"))
        assert found.kind == "anonymous", made_up
    actor = await access.sign_in(asking(), credential, "seller")
    now = time.time()
    with patch("itsdangerous.timed.time.time", lambda: now + 60):
        later, _ = session_cookie(access, actor)
    assert later != session_cookie(access, actor)[0], "each sign-in makes its own"


async def test_a_session_that_was_signed_out_of_is_good_for_nobody(
    keys: Keys, access: Access
) -> None:
    key, credential = new_key("seller", "s-1")
    keys.add(key)
    actor = await access.sign_in(asking(), credential, "seller")
    (cookie, _), (elsewhere, _) = session_cookie(access, actor), session_cookie(access, actor)
    assert cookie != elsewhere, "two browsers have a session each, also of one second"
    await access.end_session(asking(cookie=cookie))
    assert (await access.session(asking(cookie=cookie))).kind == "anonymous"
    assert (await access.session(asking(cookie=elsewhere))).kind == "seller"
    await access.end_session(asking(cookie=cookie))
    for nothing in ("", f"{COOKIE}=x", f"{COOKIE}={access.links.token('session', 's-1', 'k')}"):
        await access.end_session(asking(cookie=nothing))
    assert len(access._ended) == 1  # type: ignore[arg-type]  # the test's own


async def test_a_shop_s_key_does_not_sign_in(keys: Keys, access: Access) -> None:
    key, credential = new_key("shop", "tea-house")
    keys.add(key)
    with pytest.raises(NotAllowed):
        await access.sign_in(asking(), credential, "seller")


def test_what_is_sealed_is_the_same_again_and_tells_words_apart(access: Access) -> None:
    assert access.seal("a", "b") == access.seal("a", "b")
    assert access.seal("a", "b") != access.seal("ab")
    assert access.seal("a", "b") != access.seal("b", "a")


def test_links_that_act_expire_and_that_of_unsubscribing_does_not() -> None:
    assert {purpose for purpose, age in MAX_AGE.items() if age is None} == {"unsubscribe"}


# --- sellers who sign in by a letter -------------------------------------------------------------

NORD = "nord@sellers.example"


def mailed(seller_id: str = "s-1", email: str = NORD, seconds_ago: float = 0) -> str:
    """The token of the link in a seller's letter."""
    made_at = time.time() - seconds_ago
    with patch("itsdangerous.timed.time.time", lambda: made_at):
        url = SignedLinks("https://x.example", Links(SECRET)).seller(seller_id, email)
    return url.rpartition("/")[2]


async def test_a_mailed_link_signs_a_seller_in_once(keys: Keys, access: Access) -> None:
    keys.reach("s-1", NORD)
    token = mailed()
    for _ in range(2):
        assert (await access.seller_of_link(token))[0] == "s-1", "looking changes nothing"
    actor = await access.sign_in_by_link(asking(), token)
    assert (actor.kind, actor.id) == ("seller", "s-1")
    for again in (access.seller_of_link(token), access.sign_in_by_link(asking(), token)):
        with pytest.raises(LinkError) as used:
            await again
        assert used.value.code == RefusalCode.LINK_USED


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (lambda: mailed(seconds_ago=3_590), None),
        (lambda: mailed(seconds_ago=3_610), ExpiredLinkError),
        (lambda: mailed(email="NORD+desk@sellers.example"), None),
        (lambda: mailed(email="old@sellers.example"), LinkError),
        (lambda: mailed("s-2"), LinkError),
        (lambda: Links(SECRET).token("seller", "s-1"), LinkError),
        (lambda: Links(SECRET).token("counter-offer", "s-1", "m"), LinkError),
        (lambda: Links("another").token("seller", "s-1", "m"), LinkError),
    ],
    ids=["59 minutes", "over an hour", "another spelling", "an earlier address", "no address",
         "no mailbox", "another purpose", "another deployment"],
)  # fmt: skip
async def test_a_mailed_link_signs_in_for_an_hour_and_for_the_address_of_now(
    keys: Keys, access: Access, made: Callable[[], str], error: type[LinkError] | None
) -> None:
    keys.reach("s-1", NORD)
    token = made()
    if error is None:
        assert (await access.sign_in_by_link(asking(), token)).id == "s-1"
        return
    with pytest.raises(error):
        await access.sign_in_by_link(asking(), token)


@pytest.mark.parametrize("change", ["another address", "erased", "signed out"])
async def test_a_session_by_a_mailed_link_ends_with_its_address(
    keys: Keys, access: Access, change: str
) -> None:
    keys.reach("s-1", NORD)
    answer = Response()
    actor = await access.sign_in_by_link(asking(), mailed())
    access.remember(answer, actor, secure=True)
    request = asking(cookie=answer.headers["set-cookie"].partition(";")[0])
    assert (await access.session(request)).id == "s-1"
    if change == "another address":
        keys.reach("s-1", "new@sellers.example")
    elif change == "erased":
        keys.known.clear()
    else:
        await access.end_session(request)
    assert (await access.session(request)).kind == "anonymous"


async def test_a_mailed_link_is_no_key_of_the_api(keys: Keys, access: Access) -> None:
    keys.reach("s-1", NORD)
    with pytest.raises(NoCredential):
        await access.bearer(asking(authorization=f"Bearer {mailed()}"))
