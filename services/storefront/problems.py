"""Why something is refused: one exception per kind, for answers (RFC 9457) and pages alike. Pure.

``kind`` names the problem's type, so that programs can tell them apart; the text says what to do.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from schemas.parts import Model, Problem
from schemas.refusals import RefusalCode, RefusalKind
from texts.reasons import PLAIN, Value, Writing, refusal_text
from texts.shapes import problem_of

TYPE_PREFIX = "urn:jointbuy:problem:"
MEDIA_TYPE = "application/problem+json"
NAMED_MAX = 50
FIELD_CHARACTERS_MAX = 200


class ProblemDocument(Model):
    """What went wrong (RFC 9457): ``type`` names its kind, ``problems`` each field."""

    type: str
    title: str
    status: int
    detail: str
    problems: tuple[Problem, ...] = ()


class Refusal(Exception):
    """Something can't be done: ``code`` and ``params`` say why, ``detail`` in English.

    Raises ``KeyError`` if a value of the code's text is missing.
    """

    kind: ClassVar[RefusalKind] = RefusalKind.REFUSED
    title: ClassVar[str] = "Refused"
    status: ClassVar[int] = 422

    def __init__(
        self, code: RefusalCode, problems: Iterable[Problem] = (), /, **params: Value
    ) -> None:
        self.code = code
        self.params = params
        self.detail = self.text(PLAIN)
        self.problems = tuple(problems)
        self.headers: dict[str, str] = {}
        super().__init__(self.detail)

    def text(self, writing: Writing) -> str:
        """Why, and what to do, for a reader."""
        return refusal_text(self.code, self.params, writing)

    def document(self) -> ProblemDocument:
        """As it is answered."""
        return ProblemDocument(
            type=TYPE_PREFIX + self.kind,
            title=self.title,
            status=self.status,
            detail=self.detail,
            problems=self.problems,
        )


class Invalid(Refusal):
    """What was sent does not have the shape that the documentation gives it."""

    kind, title, status = RefusalKind.INVALID, "Not as documented", 400


class NoCredential(Refusal):
    """Nobody may do this without a key or a link, or the one given is not (or no longer) good."""

    kind, title, status = RefusalKind.CREDENTIAL_NEEDED, "A key or a link is needed", 401

    def __init__(self, code: RefusalCode, /, **params: Value) -> None:
        super().__init__(code, **params)
        self.headers["WWW-Authenticate"] = "Bearer"


class NotAllowed(Refusal):
    """Whoever asks may not do this."""

    kind, title, status = RefusalKind.NOT_ALLOWED, "Not allowed", 403


class Unknown(Refusal):
    """There is nothing of that name, or nothing that may be seen."""

    kind, title, status = RefusalKind.UNKNOWN, "Not found", 404


class WrongMethod(Refusal):
    """The place is there, but can't be asked in this way."""

    kind, title, status = RefusalKind.WRONG_METHOD, "Method not supported", 405


class Overtaken(Refusal):
    """It was possible once, or will be, but not as things stand."""

    kind, title, status = RefusalKind.OVERTAKEN, "Not allowed in this state", 409


class TooLarge(Refusal):
    """More was sent than anything here takes."""

    kind, title, status = RefusalKind.TOO_LARGE, "Too large", 413


class NotJson(Refusal):
    """The body is of another kind than JSON."""

    kind, title, status = RefusalKind.NOT_JSON, "Not JSON", 415


class NotAnImage(Refusal):
    """The file is of another kind than a picture."""

    kind, title, status = RefusalKind.NOT_AN_IMAGE, "Not an image", 415


class Impossible(Refusal):
    """The rules refuse it, each problem named."""

    kind, title, status = RefusalKind.REFUSED, "Refused", 422


class KeyReused(Refusal):
    """The same ``Idempotency-Key`` came with something else before."""

    kind = RefusalKind.IDEMPOTENCY_KEY_REUSED
    title, status = "Idempotency-Key used before", 422


class TooMany(Refusal):
    """Too many of these in too short a time."""

    kind, title, status = RefusalKind.TOO_MANY, "Too many requests", 429

    def __init__(self, seconds: int, code: RefusalCode | None = None) -> None:
        wait = max(seconds, 1)
        super().__init__(code or RefusalCode.TOO_OFTEN, seconds=wait)
        self.headers["Retry-After"] = str(wait)


class NotNow(Refusal):
    """The database or the log can't be reached; nothing is known to have happened."""

    kind, title, status = RefusalKind.NOT_NOW, "Not available right now", 503

    def __init__(self, code: RefusalCode = RefusalCode.NOT_NOW) -> None:
        super().__init__(code)
        self.headers["Retry-After"] = "10"


class Broken(Refusal):
    """A fault of ours."""

    kind, title, status = RefusalKind.BROKEN, "Something went wrong on our side", 500


def invalid(errors: Sequence[Mapping[str, Any]]) -> Invalid:
    """What pydantic found, each problem at its field; never with what was given there."""
    problems = [problem_of(_field(error.get("loc", ())), error) for error in errors[:NAMED_MAX]]
    if len(errors) == 1:
        return Invalid(RefusalCode.INVALID_FIELD, problems)
    return Invalid(RefusalCode.INVALID_FIELDS, problems, number=len(errors))


def _field(location: Sequence[Any]) -> str:
    """``favor.tiers[0].percent_off``; a body's own fields stand without ``body``."""
    path = ""
    steps = location[1:] if len(location) > 1 and location[0] == "body" else location
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path[:FIELD_CHARACTERS_MAX] or "body"
