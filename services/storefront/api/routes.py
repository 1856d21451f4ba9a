"""How a route of the API is declared: what it takes, who may, and every answer it gives."""

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from services.storefront.access.callers import Kind
from services.storefront.api.parameters import JsonBody, actor_of, needs
from services.storefront.web.refusals import WRITING, refusals

PREFIX = "/api/v1"
BEARER = "bearer"
#: Of a route that anyone may use, with or without a credential.
OPEN: dict[str, Any] = {"security": [{}, {BEARER: []}]}
LOCATION = {"Location": {"description": "Where to look.", "schema": {"type": "string"}}}


def router(tag: str) -> APIRouter:
    """Routes under the prefix; none passes over a credential that is not good."""
    return APIRouter(prefix=PREFIX, tags=[tag], dependencies=[Depends(actor_of)])


def reads(*statuses: int, by: tuple[Kind, ...] = ()) -> dict[str, Any]:
    """A route that shows something, to anyone or to those named."""
    return {
        "responses": refusals(*statuses, *((403,) if by else ())),
        "dependencies": [needs(*by)] if by else [],
        "openapi_extra": _security(by),
    }


def writes(
    *statuses: int,
    by: tuple[Kind, ...] = (),
    takes: JsonBody[Any] | None = None,
    later: type[BaseModel] | None = None,
) -> dict[str, Any]:
    """A route that does something; ``later`` is what it answers with 202, if it may."""
    responses = refusals(*WRITING, *statuses, 403)
    if later is not None:
        responses[202] = {
            "model": later,
            "description": "It is on the log; its outcome takes longer than usual.",
            "headers": LOCATION,
        }
    return {
        "responses": responses,
        "dependencies": [needs(*by)] if by else [],
        "openapi_extra": _security(by) | (takes.documented() if takes else {}),
    }


def _security(by: tuple[Kind, ...]) -> dict[str, Any]:
    return {"security": [{BEARER: []}]} if by else OPEN
