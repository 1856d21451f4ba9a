"""``jointbuy doctor``: looks at everything a deployment depends on, and says what to do.

It changes nothing but for one empty record on the topic ``clock``, by which workers ask for the
broker's time too.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from ipaddress import ip_address
from typing import Annotated, Any, Final

import typer
from pydantic import SecretStr

from domain.findings import Finding, Verdict, worst
from runtime.checkup import DEADLINE_SECONDS, Check, Here, look
from runtime.running_stack import LINK_SECRET_FILE, home_folder, read_running
from runtime.settings import SettingsError
from terminal.cluster_checks import cluster, disk
from terminal.console import Mistake, cell, mistakes, print_json, print_table, say, table, waiting
from terminal.options import AsJson
from terminal.topic_plans import PATTERN, planned_here

#: Services with checks of their own in ``edge/checks.py``.
_SERVICES: Final = ("notifier", "payment_service", "shop_bridge")
DNS_PORT: Final = 53
_STYLES: Final[dict[Verdict, str]] = {
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
    "skipped": "dim",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


@mistakes()
def doctor(
    as_json: AsJson = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.5, help="Seconds that each check may take.")
    ] = DEADLINE_SECONDS,
    name_server: Annotated[
        str,
        typer.Option(
            "--dns", metavar="ADDRESS[:PORT]", help="A name server to ask; default: the system's."
        ),
    ] = "",
    principal: Annotated[
        str,
        typer.Option("--principal", help="The users of the ACLs, as for `jointbuy topics plan`."),
    ] = PATTERN,
) -> None:
    """Check broker, topics, ACLs, clock, disk, mail, payments, shops and links; say what to do.

    It reads the settings from the environment, as the services do, and skips what they do not name.
    The exit code is 1 if something fails.
    """
    here = Here(_of_running_stack(), _place_of(name_server), timeout)
    with waiting("looking"):
        found = asyncio.run(_look(principal, here))
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        _print(found)
    if worst(found) == "fail":
        raise typer.Exit(1)


def _place_of(name_server: str) -> tuple[str, int] | None:
    """The address and the port of a typed name server. Raises ``Mistake``."""
    if not name_server:
        return None
    found = re.fullmatch(r"(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?", name_server)
    try:
        host = ip_address((found[1] or found[2]) if found else name_server)
    except ValueError:
        wrong = f"--dns {name_server} is not the address of a name server: write 192.0.2.53:53"
        raise Mistake(wrong, usage=True) from None
    return str(host), int(found[3] or DNS_PORT) if found else DNS_PORT


def _of_running_stack() -> dict[str, Any]:
    """What the stack of this machine gives its services beside the environment."""
    home = home_folder()
    running = read_running(home)
    if running is None:
        return {}
    page = next((each.web for each in running.workers if each.service == "storefront"), None)
    given: dict[str, Any] = {"page_url": page} if page else {}
    with suppress(OSError):
        given["link_secret"] = SecretStr((home / LINK_SECRET_FILE).read_text("ascii").strip())
    return given


async def _look(principal: str, here: Here) -> list[Finding]:
    checks = [
        check
        for name in _SERVICES
        for check in import_module(f"services.{name}.edge.checks").CHECKS
    ]
    try:
        planned = planned_here(principal)
    except SettingsError as error:
        of_cluster = [Finding("security", "settings", "fail", str(error), "Correct the setting.")]
        return of_cluster + await look(checks, here)
    here = replace(here, grace_seconds=planned.settings.clock_grace_seconds)
    rooms = Check("disk", str(planned.settings.state_dir), partial(disk, planned.settings))
    of_cluster, others = await asyncio.gather(cluster(planned, here), look([rooms, *checks], here))
    return of_cluster + others


def _print(found: Sequence[Finding]) -> None:
    made = table("", "Area", "What", "Found", "What to do")
    for each in found:
        verdict = cell(each.verdict, _STYLES[each.verdict])
        made.add_row(verdict, each.area, each.subject, each.said, each.remedy)
    print_table(made)
    counts = Counter(each.verdict for each in found)
    names: dict[Verdict, str] = {
        "fail": "failed", "warn": "to look at", "ok": "ok", "skipped": "skipped",
    }  # fmt: skip
    say(", ".join(f"{counts[verdict]} {name}" for verdict, name in names.items()))
