"""What was typed into a form: kept as it is, read field by field, each problem at its field."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from babel.numbers import get_currency_name
from fastapi import Request
from markupsafe import Markup, escape

from domain.amounts import example
from domain.mailboxes import AddressError, mailbox
from domain.money import CURRENCIES
from domain.unverified import NAME_MAX, greetable
from schemas.parts import NUMBER_MAX
from schemas.refusals import ProblemCode, RefusalCode, ShapeError
from services.storefront import formats
from services.storefront.formats import Formats
from services.storefront.pages.visits import Visit
from services.storefront.problems import Invalid, Refusal
from services.storefront.web.shop import shop_of
from services.storefront.web.uploads import MULTIPART, kind_of, multipart
from texts.facts import ADDRESSES
from texts.reasons import Value, explained, meant

T = TypeVar("T")


def currency_options(f: Formats) -> list[tuple[str, str]]:
    """All currencies with their names, those that readers most likely want first."""
    first = sorted({f.currency, "EUR", "JPY", "USD", "GBP"})
    codes = [*first, *(each for each in sorted(CURRENCIES) if each not in first)]
    return [(each, currency_label(each, f)) for each in codes]


def currency_label(currency: str, f: Formats) -> str:
    """A currency's code and its name."""
    return f"{currency} · {get_currency_name(currency, locale=f.locale)}"


class Form:
    """A form's values and problems by field; empty as it is first shown."""

    def __init__(self, visit: Visit, values: Mapping[str, str] | None = None) -> None:
        self.visit = visit
        self.values = dict(values or {})
        self.problems: dict[str, Markup] = {}

    @staticmethod
    async def of(request: Request, visit: Visit) -> "Form":
        """The form of a request, urlencoded as our pages send it. Raises ``Invalid``.

        Only forms with files are multipart, see ``with_files``.
        """
        if kind_of(request.headers) not in ("", "application/x-www-form-urlencoded"):
            raise Invalid(RefusalCode.NOT_OUR_FORM)
        sent = await request.form()
        return Form(visit, {name: each for name, each in sent.items() if isinstance(each, str)})

    @staticmethod
    async def with_files(request: Request, visit: Visit) -> "tuple[Form, list[bytes]]":
        """The form of a request that may have files, and the files. Raises ``Invalid``."""
        if kind_of(request.headers) != MULTIPART:
            return await Form.of(request, visit), []
        values, files = {}, []
        async with multipart(request) as sent:
            for name, each in sent.multi_items():
                if isinstance(each, str):
                    values[name] = each
                elif each.size:
                    # A field without a file is sent as an empty one.
                    files.append(await each.read())
        return Form(visit, values), files

    def text(self, name: str, *, required: bool = True) -> str:
        """What stands in a field, without what surrounds it."""
        found = self.values.get(name, "").strip()
        if required and not found:
            self.wrong(name, ProblemCode.REQUIRED)
        return found

    def email(self, name: str = "email") -> str:
        """An address that a letter can go to; whether it is a mailbox, only the letter tells."""
        found = self.text(name)
        if found:
            try:
                return mailbox(found).written
            except AddressError as error:
                self._wrong_address(name, error)
        return found

    def seed(self, request: Request) -> str | None:
        """The seed of a command's ids: all fields of the form, and its page.

        So the same form sent twice is one command, and another form with a copied number does not
        get the first one's result.
        """
        if not self.text("once", required=False):
            return None
        told = json.dumps(sorted(self.values.items()))
        return shop_of(request).access.seal("form", request.url.path, told)

    def is_ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return self.values.get(name) == "yes"

    def number(self, name: str, *, least: int = 1, most: int = NUMBER_MAX) -> int:
        """A whole number within bounds; the least one where there is a problem."""
        locale = self.visit.formats.locale
        found = self._read(name, lambda text: formats.number_of(text, locale), least)
        if name not in self.problems:
            if found < 1:
                self.wrong(name, ProblemCode.NOT_COUNTABLE)
            elif found < least:
                self.wrong(name, ProblemCode.BELOW_LEAST, least=least)
            elif found > most:
                self.wrong(name, ProblemCode.ABOVE_MOST, most=most)
        return found

    def units(self, name: str, most: int) -> int:
        """The number in a field if it is from 1 to ``most``, else 1; says no problem."""
        try:
            found = formats.number_of(self.values.get(name, ""), self.visit.formats.locale)
        except ShapeError:
            return 1
        return found if 1 <= found <= most else 1

    def amount(self, name: str, currency: str, *, required: bool = True) -> int | None:
        """Minor units of a currency; ``None`` for an empty field, or a problem."""
        if not self.text(name, required=required):
            return None
        locale = self.visit.formats.locale
        found = self._read(name, lambda text: formats.amount_of(text, currency, locale), 0)
        if found == 0 and name not in self.problems:
            self.wrong(name, ProblemCode.NOT_AN_AMOUNT, example=example(currency, locale))
        return found or None

    def percent(self, name: str) -> float:
        """A percentage with or without decimals; 0 where there is a problem."""
        locale = self.visit.formats.locale
        return self._read(name, lambda text: formats.percent_of(text, locale), 0.0)

    def time(self, name: str, *, required: bool = True) -> datetime | None:
        """A time in the zone that the form says; ``None`` for an empty field, or a problem."""
        if not self.text(name, required=required):
            return None
        zone = self.values.get("zone", "") or self.visit.formats.zone
        return self._read(name, lambda text: formats.time_of(text, zone), None)

    def _read(self, name: str, read: Callable[[str], T], instead: T) -> T:
        if not self.text(name):
            return instead
        try:
            return read(self.values[name])
        except ShapeError as error:
            self.wrong(name, error.code, **error.params)
            return instead

    def wrong(self, name: str, code: ProblemCode, **params: Value) -> None:
        """Say what is wrong with a field; what was said first stays."""
        self.problems.setdefault(name, self.visit.wrong(code, **params))

    def _wrong_address(self, name: str, error: AddressError) -> None:
        writing = self.visit.writing
        said = explained(ADDRESSES, error.reason, writing)
        if error.meant:
            said = meant(said, error.meant, writing)
        self.problems.setdefault(name, escape(said))

    def refused(self, refusal: Refusal, fields: Mapping[str, str]) -> None:
        """Take the problems of a refusal; ``fields`` says which field of the form each is of."""
        for problem in refusal.problems:
            name = fields.get(problem.field, problem.field)
            self.problems.setdefault(name, self.visit.told(problem))
        if not refusal.problems:
            self.problems.setdefault("", self.visit.refused(refusal))

    def person(self, **more: str) -> dict[str, str]:
        """Who filled in the form: address, name, and how letters are to be written."""
        zone = self.values.get("zone", "") or self.visit.formats.zone
        locale = self.visit.formats.locale.replace("_", "-")
        fields = {"email": self.email(), "locale": locale, "time_zone": zone, **more}
        if name := self.text("name", required=False):
            fields["name"] = name
            if "name" not in more:
                self._check_name(name)
        return {key: value for key, value in fields.items() if value}

    def _check_name(self, name: str) -> None:
        """Say what is wrong with a person's name that no letter can greet by."""
        if len(name) > NAME_MAX:
            self.wrong("name", ProblemCode.TOO_LONG, most=NAME_MAX)
        elif greetable(name) is None:
            self.wrong("name", ProblemCode.HAS_LINK)
