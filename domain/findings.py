"""What a check of a deployment finds, and the rules that several checks share; pure.

``jointbuy doctor`` shows findings. Each service judges what it uses itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

Verdict = Literal["ok", "warn", "fail", "skipped"]

#: A certificate that ends sooner should be renewed by now; one that ends even sooner must be.
RENEW_DAYS: Final = 14
EXPIRES_DAYS: Final = 3
#: Above this the alert ClockOff fires.
CLOCK_OFF_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``said`` is what is so, ``remedy`` one sentence what to do."""

    area: str
    subject: str
    verdict: Verdict
    said: str
    remedy: str = ""


def worst(findings: Iterable[Finding]) -> Verdict:
    """The verdict on all of them: ``fail`` before ``warn`` before ``ok`` before ``skipped``."""
    order: tuple[Verdict, ...] = ("skipped", "ok", "warn", "fail")
    return max((each.verdict for each in findings), key=order.index, default="skipped")


def certificate(area: str, subject: str, ends_at: datetime, now: datetime) -> Finding:
    """Whether a certificate lasts; ``subject`` is such as ``certificate of shop.example``."""
    left = ends_at - now
    on = f"{ends_at:%Y-%m-%d %H:%M}Z"
    if left <= timedelta():
        remedy = "Renew it: nobody who checks it connects."
        return Finding(area, subject, "fail", f"expired on {on}", remedy)
    said = f"ends on {on}, in {left.days} d {left.seconds // 3_600} h"
    if left < timedelta(days=EXPIRES_DAYS):
        return Finding(area, subject, "fail", said, "Renew it today.")
    if left < timedelta(days=RENEW_DAYS):
        remedy = "Renew it, and find out why it was not renewed by itself."
        return Finding(area, subject, "warn", said, remedy)
    return Finding(area, subject, "ok", said)


def clock(subject: str, off_seconds: float, grace_seconds: float) -> Finding:
    """Whether this machine's clock is right; ``off_seconds`` is how far it is ahead."""
    ahead = "ahead of" if off_seconds > 0 else "behind"
    said = f"{abs(off_seconds):.1f} s {ahead} {subject}" if off_seconds else f"as that of {subject}"
    remedy = "Check time synchronization here and there (`timedatectl`, `chronyc tracking`)."
    if abs(off_seconds) > grace_seconds:
        said += ": workers handle no deadline while it is off by more than CLOCK_GRACE_SECONDS"
        return Finding("clock", subject, "fail", said, remedy)
    if abs(off_seconds) > CLOCK_OFF_SECONDS:
        return Finding("clock", subject, "warn", said, remedy)
    return Finding("clock", subject, "ok", said)
