"""The OpenAPI 3.1 document of the API, from its routes and the shapes that bodies have."""

from functools import cache
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from services.storefront.api.auctions import auctions
from services.storefront.api.events import router as events
from services.storefront.api.group_purchases import definitions, groups, requests
from services.storefront.api.letters import letters
from services.storefront.api.parameters import SHAPES
from services.storefront.api.payments import payments
from services.storefront.api.people import people
from services.storefront.api.routes import BEARER, PREFIX
from services.storefront.api.sellers import keys, sellers
from services.storefront.api.shops import images, shops
from services.storefront.api.todos import todos
from services.storefront.problems import ProblemDocument

ROUTERS = (
    *(definitions, groups, requests, payments, todos, auctions, sellers, shops, images, keys),
    *(letters, people),
)
TITLE = "jointbuy"
VERSION = "1.0.0"
_DESCRIPTION = """Group bulk purchases and joint purchase counter auctions.

Times are RFC 3339, money is integer minor units. Errors are `application/problem+json` (RFC 9457):
`type` names the kind of problem, `problems` each field. A command answers 201 or 200 as soon as its
outcome is there, and 202 with a place to look when that takes longer.
"""


def openapi(routes: Any) -> dict[str, Any]:
    """The document of these routes."""
    document = get_openapi(
        title=TITLE,
        version=VERSION,
        openapi_version="3.1.0",
        description=_DESCRIPTION,
        routes=routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _, shapes = models_json_schema(
        [(shape, "validation") for shape in SHAPES] + [(ProblemDocument, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    for name, schema in shapes["$defs"].items():
        schemas.setdefault(name, schema)
    for operation in (each for path in document["paths"].values() for each in path.values()):
        # What FastAPI says of bodies that it reads itself; here they are answered with 400.
        answers = operation["responses"]
        if "HTTPValidationError" in str(answers.get("422")):
            del answers["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = {
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "description": "A shop's, a seller's or the admin's key, or the token of a link.",
        }
    }
    return document


@cache
def _routes() -> list[APIRoute]:
    found = [route for each in (*ROUTERS, events) for route in each.routes]
    return [each for each in found if isinstance(each, APIRoute) and each.path.startswith(PREFIX)]


@cache
def own() -> dict[str, Any]:
    """The document of the API."""
    return openapi(_routes())


def methods_of(path: str) -> list[str]:
    """What can be asked of an address of the API.

    An address without parameters goes before one with them, as OpenAPI has it (3.1, Paths Object).
    """
    fitting = [route for route in _routes() if route.path_regex.match(path)]
    named = [route for route in fitting if route.path == path] or fitting
    return sorted({method for route in named for method in route.methods or ()})


def answer() -> Response:
    """The document, to be asked for at ``/api/v1/openapi.json``."""
    return JSONResponse(own())
