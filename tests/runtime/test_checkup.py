"""Checks run at once, and none hides another."""

import asyncio
import time

from domain.findings import Finding
from runtime.checkup import Check, Here, look
from runtime.settings import SettingsError

FINE = Finding("disk", "rows", "ok", "room")


async def fine(here: Here) -> list[Finding]:
    return [FINE]


async def silent(here: Here) -> list[Finding]:
    await asyncio.Event().wait()
    return []


async def wrong(here: Here) -> list[Finding]:
    raise SettingsError("SMTP_PORT: give a whole number")


async def broken(here: Here) -> list[Finding]:
    raise ZeroDivisionError


async def slow_inside(here: Here) -> list[Finding]:
    raise TimeoutError("the server took too long")


async def test_a_check_that_can_t_be_made_fails_alone_and_at_its_deadline() -> None:
    checks = [Check("area", each.__name__, each) for each in (silent, wrong, broken, slow_inside)]
    checks += [Check("area", f"silent {number}", silent) for number in range(5)]
    began = time.monotonic()
    found = await look([*checks, Check("disk", "rows", fine)], Here(seconds=0.2))
    assert time.monotonic() - began < 1.5, "not one after the other"
    assert found[-1] == FINE
    assert {each.verdict for each in found[:-1]} == {"fail"}
    assert [each.said for each in found[:4]] == [
        "no answer in 0.2 s",
        "SMTP_PORT: give a whole number",
        "ZeroDivisionError",
        "the server took too long",
    ]
    assert all(each.remedy for each in found[:-1])
