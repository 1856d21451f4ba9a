"""``jointbuy letters``: list, show and resend letters."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from runtime.follower import partitions_of
from runtime.running_stack import settings_here
from runtime.settings import Settings
from schemas.letters import DELIVERIES, NOTICES, Delivery, DeliveryStatus, LetterResend, Notice
from terminal import topics
from terminal.console import (
    Mistake,
    cell,
    count,
    facts,
    mistakes,
    print_json,
    print_table,
    progress,
    say,
    table,
    when,
)
from terminal.handled import send_and_see
from terminal.options import AsJson

commands = typer.Typer(no_args_is_help=True, help="List, show and resend letters.")

LetterId = Annotated[
    str, typer.Argument(metavar="LETTER", help="recipient/notice, as in the list.")
]
Status = Annotated[DeliveryStatus | None, typer.Option(help="Only letters with this status.")]


@commands.command("list")
@mistakes()
def list_them(
    status: Status = None,
    to: Annotated[str | None, typer.Option(help="Only letters to this recipient's id.")] = None,
    newest: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List letters, the oldest first, with the mail server's last reply."""
    found = asyncio.run(_deliveries(settings_here(), to))
    chosen = [each for each in found if status is None or each.status == status][-newest:]
    if as_json:
        print_json([facts(each) for each in chosen])
        return
    if not chosen:
        say("no such letters" if found else "no letters yet")
        return
    made = table("Letter", "Kind", "About", "Status", "Tries", "When", "Reply")
    for each in chosen:
        tries = f"{each.attempts}" + (f" ({each.ambiguous} ambiguous)" if each.ambiguous else "")
        fields = (each.key, each.kind, each.about, each.status, tries, when(each.at), each.reply)
        made.add_row(*map(cell, (field or "" for field in fields)))
    print_table(made)
    if len(chosen) < len(found):
        say(f"{count(len(found), 'letter')} in all")


@commands.command("show")
@mistakes()
def show(letter: LetterId, as_json: AsJson = False) -> None:
    """Show a letter's delivery and content, without its address."""
    settings = settings_here()
    delivery, notice = asyncio.run(_one(settings, letter))
    said = facts(notice)["says"] if notice else None
    if as_json:
        print_json({"delivery": facts(delivery), "says": said})
        return
    made = table("", "")
    made.show_header = False
    for name, value in facts(delivery).items():
        if name != "type":
            made.add_row(name, cell(value))
    for name, value in (said or {}).items():
        made.add_row(f"says {name}", cell(value))
    print_table(made)
    if notice is None:
        say("its notice is no longer kept, so it can't be sent again")


@commands.command("resend")
@mistakes()
def resend(letter: LetterId, as_json: AsJson = False) -> None:
    """Send a letter again now, even if it was given up or its address refused."""
    settings = settings_here()
    before, notice = asyncio.run(_one(settings, letter))
    if notice is None:
        raise Mistake(f"letter {letter} is too old: its notice is no longer kept")
    after = asyncio.run(_resend(settings, before))
    if as_json:
        print_json(facts(after))
        return
    if after.version == before.version:
        raise Mistake(f"letter {letter} is not sent again yet: is the notifier running?")
    say(f"{letter}: {after.status}{': ' + after.reply if after.reply else ''}")


async def _resend(settings: Settings, before: Delivery) -> Delivery:
    now = datetime.now(UTC)
    message = LetterResend(recipient_id=before.recipient_id, notice_id=before.notice_id, at=now)
    await send_and_see(settings, [topics.record_of(settings, NOTICES, message, now)], DELIVERIES)
    after = await topics.latest(settings, DELIVERIES, before.key)
    return after if isinstance(after, Delivery) else before


async def _one(settings: Settings, letter: str) -> tuple[Delivery, Notice | None]:
    delivery = await topics.latest(settings, DELIVERIES, letter)
    if not isinstance(delivery, Delivery):
        raise Mistake(f"no letter {letter}: `jointbuy letters list` names them")
    partitions = partitions_of(settings, NOTICES, delivery.recipient_id)
    async with aclosing(topics.read(settings, partitions)) as records:
        async for record in records:
            message = topics.message_of(settings, NOTICES, record)
            if isinstance(message, Notice) and message.notice_id == delivery.notice_id:
                return delivery, message
    return delivery, None


async def _deliveries(settings: Settings, to: str | None) -> list[Delivery]:
    found: dict[Any, Delivery] = {}
    with progress("reading deliveries") as step:
        partitions = partitions_of(settings, DELIVERIES, to)
        async for record in topics.read(settings, partitions, step):
            message = topics.message_of(settings, DELIVERIES, record)
            if isinstance(message, Delivery) and to in (None, message.recipient_id):
                found[record.key] = message
    return sorted(found.values(), key=lambda each: (each.at, each.key))
