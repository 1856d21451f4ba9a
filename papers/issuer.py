"""The issuer of invoices, from a TOML file of the deployment."""

import tomllib
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic import model_validator as validates

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


def _iban(text: str) -> str:
    """An IBAN (ISO 13616) whose check digits fit, without its spaces."""
    iban = "".join(text.upper().split())
    is_written = 15 <= len(iban) <= 34 and iban.isascii() and iban.isalnum()
    if not is_written or int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 != 1:
        raise ValueError("is no IBAN, or mistyped: its check digits do not fit")
    return iban


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        raise ValueError("is not a time zone: give one such as Europe/Berlin") from None
    return name


class Issuer(BaseModel):
    """The issuer and its account; dates on papers are those of ``time_zone``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    address: Annotated[tuple[Line, ...], Field(min_length=1, max_length=8)]
    tax_id: Line
    email: Line | None = None
    iban: Annotated[str, AfterValidator(_iban)] | None = None
    bic: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{8}([A-Z0-9]{3})?$")] | None = None
    #: An account in other words, where there are no IBANs.
    account: Annotated[tuple[Line, ...], Field(max_length=8)] = ()
    payment_days: Annotated[int, Field(ge=0, le=365)] = 14
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    note: Line | None = None

    @validates(mode="after")
    def _can_be_paid(self) -> "Issuer":
        if self.iban is None and not self.account:
            raise ValueError("there is no account to pay to: give iban or account")
        return self


class IssuerError(ValueError):
    """A file that says no issuer; the message says what to mend."""


def read_issuer(path: Path) -> Issuer:
    """The issuer of a file. Raises ``IssuerError``."""
    try:
        return Issuer.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise IssuerError(f"INVOICE_ISSUER_FILE {path}: {error.strerror or error}") from None
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {each['msg']}" for each in found
        )
        raise IssuerError(f"INVOICE_ISSUER_FILE {path}: {problems}") from None
    except ValueError as error:
        raise IssuerError(f"INVOICE_ISSUER_FILE {path} is no TOML: {error}") from None
