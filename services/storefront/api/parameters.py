"""Parameters of routes: the caller, a JSON body, a page of a list, an idempotency key."""

import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Header, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema

from schemas.api.parts import ID_PATTERN, CountedPage, Currency, Moment
from schemas.parts import MINOR_UNITS, SUM_MAX
from schemas.refusals import ProblemCode, RefusalCode
from services.storefront.access.callers import Actor, Kind
from services.storefront.api.examples import EXAMPLES
from services.storefront.commands.authority import demand
from services.storefront.problems import Impossible, NotJson, Refusal
from services.storefront.readmodel.database import DatabaseError
from services.storefront.rules.rows import Filters, Listed, Total
from services.storefront.web.bodies import given
from services.storefront.web.parameters import TEXT_PATTERN, Digits
from services.storefront.web.shop import Shop, shop_of
from texts.reasons import problem

G = TypeVar("G", bound=BaseModel)
V = TypeVar("V", bound=BaseModel)

LIMIT_MAX = 100


async def actor_of(request: Request) -> Actor:
    """The caller. Raises ``NoCredential``, and ``TooMany`` for a key that writes too often."""
    shop = shop_of(request)
    actor = await shop.access.bearer(request)
    if actor.via and request.method != "GET":
        await shop.rates.count("writes-of-key", actor.via)
    return actor


ShopDep = Annotated[Shop, Depends(shop_of)]
ActorDep = Annotated[Actor, Depends(actor_of)]


def needs(*kinds: Kind) -> Any:
    """A route's dependency: it refuses other kinds of callers before the body is read."""

    def need(actor: ActorDep) -> None:
        demand(actor, *kinds)

    return Depends(need)


IdInPath = Annotated[str, Path(min_length=1, max_length=64, pattern=ID_PATTERN)]
#: A person's id is an id, or two with a colon between.
PersonIdInPath = Annotated[str, Path(min_length=1, max_length=256, pattern=ID_PATTERN)]
GivenPersonId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=ID_PATTERN)]
Absent = SkipJsonSchema[None]
_Cursor = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[A-Za-z0-9_-]*$")]
Cursor = Annotated[_Cursor | Absent, Query(description="`cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX), Digits]
Words = Annotated[
    str, Query(max_length=200, pattern=TEXT_PATTERN, description="Words of the product's name.")
]
_Label = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=ID_PATTERN)]
_Amount = Annotated[int, Field(ge=0, le=SUM_MAX), Digits]
_Price = Annotated[_Amount | Absent, Query(description=MINOR_UNITS)]


def _filters(
    category: Annotated[_Label | Absent, Query(description="As its shop writes it.")] = None,
    tag: Annotated[_Label | Absent, Query(description="However it is written.")] = None,
    currency: Annotated[Currency | Absent, Query(description="Of the prices.")] = None,
    price_min: _Price = None,
    price_max: _Price = None,
) -> Filters:
    """What narrows every list. Raises ``Impossible`` for prices without a currency."""
    if currency is None and (price_min is not None or price_max is not None):
        raise Impossible(RefusalCode.INVALID_FIELD, [problem("currency", ProblemCode.REQUIRED)])
    return Filters(
        category=category, tag=tag, currency=currency, price_min=price_min, price_max=price_max
    )


ListFilters = Annotated[Filters, Depends(_filters)]
ClosesBy = Annotated[
    Moment | Absent, Query(description="Only those that close at this time or before.")
]


def _true_or_false(text: object) -> object:
    if text not in ("true", "false", True, False):
        raise ValueError("is not true or false")
    return text


NearlyThere = Annotated[
    bool,
    Query(description="Only those with at least 80 % of what they need, and not all."),
    BeforeValidator(_true_or_false),
]


def counted(items: list[V], found: Listed[Any]) -> CountedPage[V]:
    """A page with the total of its list."""
    total = found.total or Total(len(items))
    return CountedPage(
        items=items, cursor=found.cursor, count=total.count, is_count_exact=total.is_exact
    )


_Random = Annotated[
    str, StringConstraints(min_length=16, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")
]
_Key = Annotated[
    _Random | Absent,
    Header(
        alias="Idempotency-Key",
        description="A random text. The same request under the same key is done once; a repeat gets"
        " the same answer. A refused request can be corrected and sent again under its key.",
    ),
]


async def _seed(
    request: Request, actor: ActorDep, idempotency_key: _Key = None
) -> AsyncIterator[str]:
    """The seed of a command's ids, made from the caller, the key and the whole request.

    So another request under the same key never gets the first one's result, even after the table
    has dropped the key. A refused request gives its key back.
    """
    if idempotency_key is None:
        yield secrets.token_hex(16)
        return
    shop = shop_of(request)
    route = request.scope["route"].path
    # The path names the subject of the command, so it is a part of the request.
    asked = f"{route}\n{request.url.path}\n".encode() + await request.body()
    key = f"{actor.name}\n{route}\n{idempotency_key}"
    # Callers without an API key share one name, but must not use up each other's keys.
    whose = key if actor.via else f"{actor.client}\n{key}"
    is_new = not await shop.idempotency.remember(whose, asked)
    try:
        yield shop.access.seal("seed", key, sha256(asked).hexdigest())
    except (Refusal, RequestValidationError) as refusal:
        if is_new and _did_nothing(refusal):
            # If that fails, the key stays with this body; the answer remains the same.
            with suppress(DatabaseError):
                await shop.idempotency.forget(whose, asked)
        raise


def _did_nothing(refusal: Refusal | RequestValidationError) -> bool:
    """Whether the caller can correct the request; after a 5xx it may have been carried out."""
    return isinstance(refusal, RequestValidationError) or refusal.status < 500


Seed = Annotated[str, Depends(_seed)]


#: Every shape of a body, for the documentation.
SHAPES: list[type[BaseModel]] = []


class JsonBody(Generic[G]):
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
            raise NotJson(RefusalCode.NOT_JSON)
        return given(self._shape, body)

    def documented(self) -> dict[str, Any]:
        """How the body is documented."""
        name = self._shape.__name__
        schema = {"$ref": f"#/components/schemas/{name}"}
        content = {"application/json": {"schema": schema, "example": EXAMPLES[self._shape]}}
        return {"requestBody": {"required": not self._optional, "content": content}}
