"""The error when a rule fails: it names the key and the record, and says what ops can do."""

from collections.abc import Mapping
from typing import Any


class RuleError(Exception):
    """A rule raised, or its rows or messages can't be stored or sent: a bug.

    The text names the key and the record, so that ops can park it. ``about`` has more fields for
    its log line.
    """

    def __init__(
        self,
        service: str,
        key: str,
        what: str,
        at: str,
        error: Exception,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self.about = dict(about or {})
        said = " ".join(str(error).split())
        super().__init__(
            f"{service}: {what} raised {type(error).__name__}: {said} on {at}, key {key};"
            f" nothing is skipped. Set the key aside with: jointbuy park {key} --service {service}"
        )


def shown(cause: Any) -> str:
    """The input that is being applied, by ``topic/partition/offset`` or by a row's name."""
    if isinstance(cause, tuple):
        topic, partition, offset = cause
        return f"{topic}/{partition}/{offset}"
    return str(cause)
