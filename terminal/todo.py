"""``jointbuy todo``: list the tasks for people, and close them."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any

import typer

from schemas.api.todos import TRANSFERS_MAX, TodoKind, TodoView
from terminal.answers import shown
from terminal.api import Api, connected, once_of, segment
from terminal.console import count, mistakes, money, print_json, print_table, say, table, when
from terminal.options import AsJson, Once, Url, given
from texts.words import TASK_KINDS

commands = typer.Typer(
    invoke_without_command=True,
    help="Tasks for people: payments, transfers, orders, letters and dead letters.",
)
OfShop = Annotated[
    str | None, typer.Option("--shop", help="Only this shop's tasks; needs the admin's key.")
]
OfKind = Annotated[TodoKind | None, typer.Option("--kind", help="Only tasks of this kind.")]
Most = Annotated[
    int, typer.Option("--most", min=1, help="List at most this many, the oldest first.")
]
DONE_BY = {"task_id": "TASK", "reason": "--reason"}


@commands.callback()
@mistakes()
def todo(
    context: typer.Context,
    shop: OfShop = None,
    kind: OfKind = None,
    most: Most = 200,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List open tasks, the oldest first: a shop's with its key, all with the admin's key."""
    if context.invoked_subcommand is not None:
        return
    with connected(url, as_json=as_json) as api:
        asked = given({"shop": shop, "kind": kind})
        items = list(islice(api.pages("/todo", **asked), most + 1))
    found, is_cut = items[:most], len(items) > most
    if as_json:
        print_json(found)
        return
    if not found:
        say("there are no open tasks")
        return
    for part in _by_reason([shown(TodoView, each) for each in found]):
        _print(part)
    say(count(len(found), "task") + (" and more: --most shows them" if is_cut else ""))


def _by_reason(items: Iterable[TodoView]) -> list[list[TodoView]]:
    """Tasks by kind and reason, as one instruction serves all of a reason."""
    parts: dict[tuple[int, str], list[TodoView]] = {}
    order = list(TASK_KINDS)
    for each in items:
        parts.setdefault((order.index(each.kind), each.reason), []).append(each)
    return [part for _, part in sorted(parts.items(), key=lambda item: item[0])]


def _print(part: Sequence[TodoView]) -> None:
    first = part[0]
    say(f"{TASK_KINDS[first.kind]} ({first.reason}): {first.what_to_do}")
    made = table("Id", "Since", "About", "Amount", "Why", "Command", right=["Amount"])
    for each in part:
        amount = "" if each.amount is None else money(each.amount, each.currency)
        about = f"{each.letter} to {each.recipient_id}" if each.recipient_id else each.about
        command = "; ".join(each.commands)
        made.add_row(each.task_id, when(each.since), about, amount, each.problem, command)
    print_table(made)
    say()


@commands.command("done")
@mistakes()
def done(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task's id from the list.")],
    reason: Annotated[str, typer.Option(help="How you settled the task; others read it later.")],
    once: Once = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Mark a transfer or an order as done."""
    with connected(url, as_json=as_json) as api:
        path = f"/todo/{segment(task)}/done"
        closed: Any = api.post(path, {"reason": reason}, DONE_BY, once=once_of(once)).body
    if as_json:
        print_json(closed)
    else:
        say(f"{closed['task_id']}: done, {closed['done_reason']}")


# --- transfers -----------------------------------------------------------------------------------


def leave(api: Api, transfers: Sequence[Mapping[str, Any]]) -> None:
    """Make tasks of transfers given as by ``receipts.Left.as_json``.

    A transfer becomes one task, however many statements contain it.
    """
    for start in range(0, len(transfers), TRANSFERS_MAX):
        api.begin_anew()
        some = [_transfer(each) for each in transfers[start : start + TRANSFERS_MAX]]
        api.post("/transfers", {"transfers": some}, once=once_of(None))


def _transfer(left: Mapping[str, Any]) -> dict[str, Any]:
    # At noon, so that it is that day nearly everywhere.
    at = f"{left['date']}T12:00:00Z" if left["date"] else None
    fields = {name: left[name] for name in ("reference", "reason", "problem", "amount")}
    return given({**fields, "currency": left["currency"] or None, "received_at": at})
