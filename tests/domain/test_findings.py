"""What the doctor says about certificates and clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.findings import Finding, Verdict, certificate, clock, worst

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "verdict"),
    [
        (timedelta(days=90), "ok"),
        (timedelta(days=14), "ok"),
        (timedelta(days=14, seconds=-1), "warn"),
        (timedelta(days=10), "warn"),
        (timedelta(days=3), "warn"),
        (timedelta(days=3, seconds=-1), "fail"),
        (timedelta(), "fail"),
        (timedelta(days=-400), "fail"),
    ],
)
def test_a_certificate_is_to_be_renewed_in_time(left: timedelta, verdict: Verdict) -> None:
    found = certificate("links", "certificate of shop.example", NOW + left, NOW)
    assert found.verdict == verdict
    assert bool(found.remedy) == (verdict != "ok")
    assert ("expired on" in found.said) == (left <= timedelta())


@pytest.mark.parametrize(
    ("off_seconds", "verdict", "said"),
    [
        (0.0, "ok", "as that of the broker"),
        (0.9, "ok", "0.9 s ahead of the broker"),
        (-1.0, "ok", "1.0 s behind the broker"),
        (1.1, "warn", "1.1 s ahead of the broker"),
        (-2.0, "warn", "2.0 s behind the broker"),
        (2.1, "fail", "2.1 s ahead of the broker: workers handle no deadline"),
        (-3600.0, "fail", "3600.0 s behind the broker: workers handle no deadline"),
    ],
)
def test_a_clock_may_be_off_by_the_grace(off_seconds: float, verdict: Verdict, said: str) -> None:
    found = clock("the broker", off_seconds, 2.0)
    assert found.verdict == verdict
    assert found.said.startswith(said)


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        ((), "skipped"),
        (("skipped", "skipped"), "skipped"),
        (("skipped", "ok"), "ok"),
        (("ok", "warn", "skipped"), "warn"),
        (("warn", "fail", "ok"), "fail"),
    ],
)
def test_the_worst_verdict_counts(verdicts: tuple[Verdict, ...], wanted: Verdict) -> None:
    assert worst(Finding("area", "what", each, "said") for each in verdicts) == wanted
