"""Why something is refused: one exception per kind, for answers (RFC 9457) and pages alike. Pure.

``kind`` names the problem's type, so that programs can tell them apart; the text says what to do.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from schemas.parts import Model, Problem

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
    """Something can't be done; ``str`` of it says why and what to do."""

    kind: ClassVar[str] = "refused"
    title: ClassVar[str] = "Refused"
    status: ClassVar[int] = 422

    def __init__(
        self,
        detail: str,
        problems: Iterable[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)
        self.headers = dict(headers or {})

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

    kind, title, status = "invalid", "Not as documented", 400


class NoCredential(Refusal):
    """Nobody may do this without a key or a link, or the one given is not (or no longer) good."""

    kind, title, status = "credential-needed", "A key or a link is needed", 401

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class NotAllowed(Refusal):
    """Whoever asks may not do this."""

    kind, title, status = "not-allowed", "Not allowed", 403


class Unknown(Refusal):
    """There is nothing of that name, or nothing that may be seen."""

    kind, title, status = "unknown", "Not found", 404


class WrongMethod(Refusal):
    """The place is there, but can't be asked in this way."""

    kind, title, status = "wrong-method", "Not possible here", 405


class Overtaken(Refusal):
    """It was possible once, or will be, but not as things stand."""

    kind, title, status = "overtaken", "Not as things stand", 409


class TooLarge(Refusal):
    """More was sent than anything here takes."""

    kind, title, status = "too-large", "Too large", 413


class NotJson(Refusal):
    """The body is of another kind than JSON."""

    kind, title, status = "not-json", "Not JSON", 415


class Impossible(Refusal):
    """The rules refuse it, each problem named."""

    kind, title, status = "refused", "Refused", 422


class KeyReused(Refusal):
    """The same ``Idempotency-Key`` came with something else before."""

    kind, title, status = "idempotency-key-reused", "Idempotency-Key used before", 422


class TooMany(Refusal):
    """Too many of these in too short a time."""

    kind, title, status = "too-many", "Too many requests", 429

    def __init__(self, seconds: int) -> None:
        wait = max(seconds, 1)
        super().__init__(f"try again in {wait} s", headers={"Retry-After": str(wait)})


class NotNow(Refusal):
    """The database or the log can't be reached; nothing is known to have happened."""

    kind, title, status = "not-now", "Not just now", 503

    def __init__(self, detail: str = "this can't be done just now: try again in a minute") -> None:
        super().__init__(detail, headers={"Retry-After": "10"})


class Broken(Refusal):
    """A fault of ours."""

    kind, title, status = "broken", "A fault of ours", 500


def invalid(errors: Sequence[Mapping[str, Any]]) -> Invalid:
    """What pydantic found, each problem at its field; never with what was given there."""
    problems = [
        Problem(field=_field(error.get("loc", ())), problem=_in_words(error))
        for error in errors[:NAMED_MAX]
    ]
    named = "one field is" if len(errors) == 1 else f"{len(errors)} fields are"
    return Invalid(f"{named} not as documented: mend what is named and send it again", problems)


def _field(location: Sequence[Any]) -> str:
    """``favor.tiers[0].percent_off``; a body's own fields stand without ``body``."""
    path = ""
    steps = location[1:] if len(location) > 1 and location[0] == "body" else location
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path[:FIELD_CHARACTERS_MAX] or "body"


def _in_words(error: Mapping[str, Any]) -> str:
    match error.get("type"):
        case "missing":
            return "is missing: give it"
        case "extra_forbidden":
            return "is not a field of this: leave it out"
        case "json_invalid":
            return "is not JSON: see where it ends or is nested too deeply"
        case "string_pattern_mismatch":
            return "has characters, or a form, that are not possible here: see the documentation"
    text = str(error.get("msg", "is not as documented")).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
