"""A page for a reader: the language asked for, the reader's figures, templates without a literal.

The language is that of ``?lang=``, which is kept in a cookie, else the cookie's, else what the
browser asks for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from babel.core import Locale
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from domain.money import decimals
from domain.pseudonyms import short_number
from domain.web_addresses import host_of
from schemas.parts import Problem, Tier
from schemas.refusals import ProblemCode
from services.storefront.access.callers import COOKIE
from services.storefront.formats import Formats
from services.storefront.pages import codes
from services.storefront.problems import Refusal
from services.storefront.rules import chart, todo_texts
from services.storefront.web.pictures import THUMBNAIL_SIDE
from texts.catalogue import ENGLISH, Texts, languages, own_name, texts
from texts.reasons import (
    OFFERS_AND_WITHDRAWALS,
    Value,
    Writing,
    explained,
    field_name,
    problem_text,
    told,
)
from texts.templates import SharedCode, escaped, install
from texts.words import TASK_KINDS

LANGUAGE_COOKIE = "lang"
_YEAR_SECONDS = 365 * 86_400
#: No language has a plural category that none of the numbers below has, but for fractions.
_PLURALS_REPEAT_AFTER = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """Who reads, when, and how that person writes."""

    language: str
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

    @property
    def texts(self) -> Texts:
        """The texts in the reader's language."""
        return texts(self.language)

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

    def gettext(self, text: str, **values: object) -> Markup:
        """A text with its values, safe to stand in a page."""
        return escaped(self.texts.gettext(text), values)

    def ngettext(self, one: str, many: str, n: int, **values: object) -> Markup:
        """The text for a number, which it may show as ``{n}``."""
        values["n"] = self.formats.number(n)
        return escaped(self.texts.ngettext(one, many, n), values)

    def patterns(self, one: str, many: str, **values: str) -> dict[str, str]:
        """The texts for a number, by plural category, with all values but ``{n}``; not escaped."""
        found: dict[str, str] = json.loads(_patterns(self.language, one, many))
        for name, value in values.items():
            found = {each: text.replace(f"{{{name}}}", value) for each, text in found.items()}
        return found

    def picked(self, patterns: Mapping[str, str], n: int, written: str) -> str:
        """The one of the patterns that is for a number, with the number as it is written."""
        text = patterns.get(Locale(self.language).plural_form(n), patterns["other"])
        return text.replace("{n}", written)

    def tier(self, tier: Tier, currency: str | None) -> Markup:
        """What a tier gives, in words."""
        f = self.formats
        if tier.percent_off is not None:
            return self.gettext("{percent} off", percent=f.percent(tier.percent_off))
        if tier.gift:
            return self.gettext("a gift: {gift}", gift=tier.gift)
        if tier.amount_off is not None:
            return self.gettext("{amount} off each", amount=f.money(tier.amount_off, currency))
        return self.gettext("{amount} each", amount=f.money(tier.unit_price or 0, currency))


def _language(asked: str | None, kept: str | None, accepted: str) -> str:
    browsers = (tag.strip().partition(";")[0].partition("-")[0] for tag in accepted.split(","))
    known = languages()
    return next((each for each in (asked, kept, *browsers) if each in known), ENGLISH)


@cache
def _patterns(language: str, one: str, many: str) -> str:
    """The texts for a number as a script picks them: JSON, by plural category (CLDR)."""
    found = {"other": texts(language).ngettext(one, many, 2)}
    category = Locale(language).plural_form
    for n in range(1, _PLURALS_REPEAT_AFTER):
        found.setdefault(category(n), texts(language).ngettext(one, many, n))
    return json.dumps(found, ensure_ascii=False)


_CODE = SharedCode()


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("services.storefront.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_CODE,
    )
    install(environment, texts(language))
    environment.globals.update(
        asset=asset,
        thumbnail=f"?w={THUMBNAIL_SIDE}",
        bar=chart.bar,
        brand="jointbuy",
        codes=codes,
        decimals=decimals,
        host_of=host_of,
        # Texts whose ``{names}`` a script in the page fills in.
        pattern=texts(language).gettext,
        patterns=partial(_patterns, language),
        segment=partial(quote, safe=""),
        short_number=short_number,
        todo_texts=todo_texts,
        task_kinds=TASK_KINDS,
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


def whole_id(id_: str) -> Markup:
    """An id in a sentence: it is never broken over two lines."""
    return Markup('<span class="id">{}</span>').format(id_)


def render(
    name: str, visit: Visit, path: str = "/", query: Mapping[str, str] | None = None, **values: Any
) -> str:
    """A template for a visit to ``path``."""
    # Who answers for the page: shown at its foot.
    values.setdefault("sold_by", None)
    values.setdefault("is_signed_in", False)
    values.setdefault("is_admin", False)
    others = [
        {
            "code": code,
            "name": own_name(code),
            "url": f"{path}?{urlencode({**(query or {}), 'lang': code})}",
        }
        for code in languages()
        if code != visit.language
    ]
    return (
        _environment(visit.language)
        .get_template(name)
        .render(
            told=visit.told,
            field_name=visit.field,
            offer_reason=visit.offer_reason,
            id_words=whole_id,
            f=visit.formats,
            tier_words=visit.tier,
            lang=visit.language,
            now=visit.now,
            path=path,
            other_languages=others,
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
    values.setdefault("is_signed_in", COOKIE in request.cookies)
    return render(name, visit, request.url.path, query, **values)


def answered(request: Request, visit: Visit, body: str, status: int = 200) -> HTMLResponse:
    """The answer that carries a page's text; a language asked for is kept for the next one."""
    answer = HTMLResponse(body, status)
    answer.headers["Vary"] = "Accept-Language, Cookie"
    answer.headers["Content-Language"] = visit.language
    if request.query_params.get("lang") in languages():
        answer.set_cookie(
            LANGUAGE_COOKIE, visit.language, max_age=_YEAR_SECONDS, samesite="lax", httponly=True,
            secure=request.url.scheme == "https",
        )  # fmt: skip
    return answer


def said(request: Request, title: str, text: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of a title and a text, both in English as the code marks them.

    It may have ``values`` for the text, ``why`` as a sentence, a ``note``, a ``button`` that posts
    to its ``action``, and the links ``next`` and ``also``; their words are in English too. Without
    a text, ``why`` stands in its place.
    """
    rest = dict.fromkeys(("values", "why", "note", "button", "next", "also"))
    return page(request, "said.html", status, title=title, text=text, **{**rest, **values})
