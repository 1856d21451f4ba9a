"""A page for a reader: the language asked for, the reader's figures, templates without a literal.

The language is that of ``?lang=``, which is kept in a cookie, else the cookie's, else what the
browser asks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from domain.money import decimals
from schemas.parts import Problem, Tier
from schemas.refusals import ProblemCode
from services.storefront.formats import Formats
from services.storefront.pages import texts
from services.storefront.pages.texts import LANGUAGES, Language
from services.storefront.problems import Refusal
from services.storefront.rules import chart
from texts.reasons import (
    OFFERS_AND_WITHDRAWALS,
    Value,
    Writing,
    explained,
    field_name,
    problem_text,
    told,
)

LANGUAGE_COOKIE = "lang"
_YEAR_SECONDS = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Visit:
    """Who reads, when, and how that person writes."""

    language: Language
    formats: Formats
    now: datetime

    @staticmethod
    def of(request: Request, now: datetime | None = None) -> "Visit":
        """The visit that a request is."""
        accepted = request.headers.get("accept-language", "")
        language = _language(
            request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE), accepted
        )
        return Visit(language, Formats.of(language, accepted), now or datetime.now(UTC))

    def text(self, key: str, n: int | None = None, **values: object) -> Markup:
        """A text with its values, safe to stand in a page; ``n`` is a number that it counts."""
        if n is None and not values:
            return _plain_text(key, self.language)
        if n is not None:
            values["n"] = self.formats.number(n)
        return Markup(escape(texts.text(key, self.language, n))).format(**values)

    @property
    def writing(self) -> Writing:
        """How texts of reasons are written for the reader."""
        return Writing(self.language, self._number, self.formats.minute)

    def _number(self, number: int | float) -> str:
        return self.formats.number(number) if isinstance(number, int) else str(number)

    def wrong(self, code: ProblemCode, **params: Value) -> Markup:
        """What is wrong with a field, as a sentence."""
        writing = self.writing
        return escape(writing.sentence(problem_text(code, params, writing)))

    def told(self, problem: Problem) -> Markup:
        """A problem of the rules, as a sentence."""
        writing = self.writing
        return escape(writing.sentence(told(problem, writing)))

    def refused(self, refusal: Refusal) -> Markup:
        """Why something is refused, as a sentence."""
        writing = self.writing
        return escape(writing.sentence(refusal.text(writing)))

    def field(self, path: str) -> Markup:
        """What people call a field."""
        writing = self.writing
        return escape(writing.sentence(field_name(path, writing)).removesuffix("."))

    def offer_reason(self, code: str) -> Markup:
        """Why an offer was judged as it was."""
        return escape(explained(OFFERS_AND_WITHDRAWALS, code, self.writing))

    def pattern(self, key: str, n: int | None = None) -> str:
        """A text whose ``{names}`` a script in the page fills in."""
        return texts.text(key, self.language, n)

    def tier(self, tier: Tier, currency: str | None) -> Markup:
        """What a tier gives, in words."""
        if tier.percent_off is not None:
            return self.text("group.percent_off", percent=self.formats.percent(tier.percent_off))
        if tier.gift:
            return self.text("group.gift", gift=tier.gift)
        kind = "amount_off" if tier.amount_off is not None else "unit_price"
        amount = tier.amount_off if tier.amount_off is not None else tier.unit_price
        return self.text(f"group.{kind}", amount=self.formats.money(amount or 0, currency))


@cache
def _plain_text(key: str, language: Language) -> Markup:
    return Markup(escape(texts.text(key, language, None))).format()


def _language(asked: str | None, kept: str | None, accepted: str) -> Language:
    browsers = (tag.strip().partition(";")[0].partition("-")[0] for tag in accepted.split(","))
    for each in (asked, kept, *browsers):
        for language in LANGUAGES:
            if each == language:
                return language
    return "en"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("services.storefront.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        asset=asset,
        bar=chart.bar,
        decimals=decimals,
        segment=partial(quote, safe=""),
    )
    return environment


@cache
def asset_bytes(name: str) -> bytes:
    """A file of ``static/``. Raises ``KeyError`` when there is none."""
    for file in files("services.storefront.pages").joinpath("static").iterdir():
        if file.name == name:
            return file.read_bytes()
    raise KeyError(name)


@cache
def asset(name: str) -> str:
    """The address of a file of ``static/``: another one when it changes, so it may be kept."""
    return f"/static/{name}?v={sha256(asset_bytes(name)).hexdigest()[:12]}"


def render(
    name: str, visit: Visit, path: str = "/", query: Mapping[str, str] | None = None, **values: Any
) -> str:
    """A template for a visit to ``path``."""
    other = LANGUAGES[(LANGUAGES.index(visit.language) + 1) % len(LANGUAGES)]
    return (
        _environment()
        .get_template(name)
        .render(
            t=visit.text,
            pattern=visit.pattern,
            told=visit.told,
            field_name=visit.field,
            offer_reason=visit.offer_reason,
            f=visit.formats,
            tier_words=visit.tier,
            lang=visit.language,
            now=visit.now,
            path=path,
            other_language_url=f"{path}?{urlencode({**(query or {}), 'lang': other})}",
            **values,
        )
    )


def page(
    request: Request, name: str, status: int = 200, visit: Visit | None = None, **values: Any
) -> HTMLResponse:
    """A page in the reader's language; a language asked for is kept for the next one."""
    visit = visit or Visit.of(request)
    return answered(request, visit, body_of(request, name, visit, **values), status)


def body_of(request: Request, name: str, visit: Visit, **values: Any) -> str:
    """A page's text, for a visit to what the request asks for."""
    query = {key: value for key, value in request.query_params.items() if key != "lang"}
    # After a form that was sent, the language is changed on the page that has the form.
    return render(name, visit, request.url.path, query, **values)


def answered(request: Request, visit: Visit, body: str, status: int = 200) -> HTMLResponse:
    """The answer that carries a page's text; a language asked for is kept for the next one."""
    answer = HTMLResponse(body, status)
    answer.headers["Vary"] = "Accept-Language, Cookie"
    answer.headers["Content-Language"] = visit.language
    if request.query_params.get("lang") in LANGUAGES:
        answer.set_cookie(
            LANGUAGE_COOKIE, visit.language, max_age=_YEAR_SECONDS, samesite="lax", httponly=True,
            secure=request.url.scheme == "https",
        )  # fmt: skip
    return answer


def said(request: Request, table: str, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of a title and a sentence: the texts ``<table>.<name>_title`` and ``…_text``.

    It may have ``values`` for them, ``why`` as a sentence, a ``note``, a ``button`` that posts to
    its ``action``, and the links ``next`` and ``also``.
    """
    rest = dict.fromkeys(("values", "why", "note", "button", "next", "also"))
    return page(request, "said.html", status, what=f"{table}.{name}", **{**rest, **values})
