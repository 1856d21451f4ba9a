"""What every route takes: who asks, a body, a page of a list, a key against doing it twice."""

import secrets
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Header, Path, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from services.storefront.access.callers import Actor, Kind
from services.storefront.commands.acting import demand
from services.storefront.commands.given import ID_PATTERN, given
from services.storefront.problems import NotJson
from services.storefront.shop import Shop, shop_of

G = TypeVar("G", bound=BaseModel)
V = TypeVar("V", bound=BaseModel)

LIMIT_MAX = 100
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*$"


async def who(request: Request) -> Actor:
    """Who asks. Raises ``NoCredential``, and ``TooMany`` for a key that does too much."""
    shop = shop_of(request)
    actor = await shop.access.bearer(request)
    if actor.via and request.method != "GET":
        shop.rates.count("writes-of-key", actor.via)
    return actor


The = Annotated[Shop, Depends(shop_of)]
Who = Annotated[Actor, Depends(who)]


def needing(*kinds: Kind) -> Any:
    """A route's dependency: refuses who can't be right before anything else is looked at."""

    def need(actor: Who) -> None:
        demand(actor, *kinds)

    return Depends(need)


def _digits(text: object) -> object:
    """A number as an address has it: digits alone, no underscores, signs or blanks."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError("is not a whole number: give digits alone")
    return text


Digits = BeforeValidator(_digits)
IdInPath = Annotated[str, Path(min_length=1, max_length=64, pattern=ID_PATTERN)]
Absent = SkipJsonSchema[None]
_Cursor = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[A-Za-z0-9_-]*$")]
Cursor = Annotated[_Cursor | Absent, Query(description="`cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX), Digits]
Words = Annotated[
    str, Query(max_length=200, pattern=TEXT_PATTERN, description="Words of the product's name.")
]
_Random = Annotated[
    str, StringConstraints(min_length=16, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")
]
_Key = Annotated[
    _Random | Absent,
    Header(
        alias="Idempotency-Key",
        description="Chosen at random. The same request under the same key happens once; whoever"
        " knows both gets its answer again.",
    ),
]


@dataclass(frozen=True, slots=True)
class Once:
    """What ids are made of, and whether the same was asked for before."""

    seed: str
    again: bool


async def _once(request: Request, actor: Who, idempotency_key: _Key = None) -> Once:
    if idempotency_key is None:
        return Once(secrets.token_hex(16), False)
    shop = shop_of(request)
    route = request.scope["route"].path
    # The path names what the command is about, so that it belongs to what was asked for.
    place = f"{route}\n{request.url.path}\n".encode()
    key = f"{actor.name}\n{route}\n{idempotency_key}"
    again = await shop.idempotency.remember(key, place + await request.body())
    return Once(shop.access.seal("seed", key), again)


Seed = Annotated[Once, Depends(_once)]


#: Every shape of a body, for the documentation.
SHAPES: list[type[BaseModel]] = []


class Taken(Generic[G]):
    """A dependency: the body as JSON of a shape, see ``documented``."""

    def __init__(self, shape: type[G], *, optional: bool = False) -> None:
        self._shape = shape
        self._optional = optional
        SHAPES.append(shape)

    async def __call__(self, request: Request) -> G:
        """The body. Raises ``NotJson`` and ``Invalid``."""
        body = await request.body()
        if not body and self._optional:
            return given(self._shape, b"{}")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise NotJson("send the body as application/json")
        return given(self._shape, body)

    def documented(self) -> dict[str, Any]:
        """How the body is documented."""
        name = self._shape.__name__
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        return {"requestBody": {"required": not self._optional, "content": content}}


class Page(BaseModel, Generic[V]):
    """A page of a list; ``cursor`` asks for the next one, and is null at the end."""

    model_config = ConfigDict(frozen=True)

    items: list[V]
    cursor: str | None
