"""Checks of a deployment for ``jointbuy doctor``: run at once, each with a deadline.

A service names its checks in ``edge/checks.py`` as ``CHECKS``. A check reads the settings that its
service has, and skips what they do not name. It changes nothing.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from domain.findings import Finding
from runtime.settings import S, SettingsError, read_settings

DEADLINE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Here:
    """Where the doctor looks from.

    ``given`` are values of settings that the stack of this machine has and its environment lacks.
    ``grace_seconds`` is how far clocks may be off, ``seconds`` the deadline of each check.
    ``name_server`` is an address and a port; ``None`` is for the system's.
    """

    given: Mapping[str, Any] = field(default_factory=dict)
    name_server: tuple[str, int] | None = None
    seconds: float = DEADLINE_SECONDS
    grace_seconds: float = 2.0

    def settings(self, kind: type[S]) -> S:
        """The settings of a service. Raises ``SettingsError``."""
        return read_settings(kind, **self.given)


@dataclass(frozen=True)
class Check:
    """One thing that can be looked at by itself: its area and name, as findings have them."""

    area: str
    subject: str
    look: Callable[[Here], Awaitable[Sequence[Finding]]]


async def look(checks: Iterable[Check], here: Here) -> list[Finding]:
    """The findings of all checks, in their order; none takes longer than the deadline."""
    found = await asyncio.gather(*(_looked(check, here) for check in checks))
    return [finding for findings in found for finding in findings]


async def _looked(check: Check, here: Here) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(here.seconds) as deadline:
            return await check.look(here)
    except TimeoutError as error:
        said = f"no answer in {here.seconds:g} s" if deadline.expired() else told(error)
        remedy = "Check the address and the network, or give it longer with --timeout."
    except SettingsError as error:
        said, remedy = str(error), "Correct the setting."
    except Exception as error:
        # One check that can't be made must not hide what the others found.
        said, remedy = told(error), "Check the address, and look at the log of the service."
    return [Finding(check.area, check.subject, "fail", said, remedy)]


def told(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def ends_at(certificate: Mapping[str, Any] | None) -> datetime | None:
    """When a certificate ends, as ``getpeercert`` has it; ``None`` without one."""
    if not certificate or not (moment := certificate.get("notAfter")):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(moment)), UTC)


async def certificate_of(host: str, port: int, tls: ssl.SSLContext) -> datetime | None:
    """When the certificate of a server ends that speaks TLS first. Raises ``OSError``."""
    _, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host)
    try:
        return ends_at(writer.get_extra_info("peercert"))
    finally:
        writer.transport.abort()
