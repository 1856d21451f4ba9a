"""``jointbuy repartition``: moves a stopped deployment to another number of partitions."""

import asyncio
from typing import Annotated

import typer

from runtime.running_stack import settings_here
from runtime.settings import Settings
from terminal.console import (
    Mistake,
    confirm,
    mistakes,
    print_json,
    progress,
    say,
)
from terminal.copying import PREFIX, Proof
from terminal.moving import Moving
from terminal.options import AsJson
from terminal.proofs import as_facts, print_proof
from terminal.topic_plans import known_processors


@mistakes()
def repartition(
    to: Annotated[
        int, typer.Option("--to", min=1, max=10_000, help="The new number of partitions.")
    ],
    prefix: Annotated[
        str, typer.Option("--prefix", help="The new TOPIC_PREFIX, another one than now.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy all topics of a stopped deployment to a new prefix with another number of partitions.

    TOPIC_PREFIX and PARTITIONS are those of the deployment as it is. Stop all its processes first,
    and all that writes to its topics. Records keep their keys, values, times and order; each
    service goes on where it was. Then all is compared, key by key. Nothing of the old topics is
    changed, but their topic clock is deleted, so that the old deployment does not start again. A
    run that was stopped starts over. Run it as a user who may create and delete topics.
    """
    old = settings_here()
    if prefix == old.topic_prefix or not PREFIX.fullmatch(prefix):
        raise Mistake(
            f"--prefix: give another one than {old.topic_prefix!r}, such as shop-2-: at most 100"
            " letters, digits, dots, dashes and underscores",
            usage=True,
        )
    if not old.kafka_transactions:
        raise Mistake("a broker without transactions keeps nothing that is worth moving")
    new = old.model_copy(update={"topic_prefix": prefix, "partitions": to})
    if not yes:
        confirm(
            f"Copy all topics with the prefix {old.topic_prefix!r} and {old.partitions} partitions"
            f" to the prefix {prefix!r} with {to}?"
        )
    with progress("copying") as step:
        proof = asyncio.run(Moving(old, new, known_processors(), step).run())
    if as_json:
        print_json(as_facts(proof))
    else:
        _print(old, new, proof)
    if not proof.is_same:
        raise Mistake("the copy differs, so it is not used: nothing has changed; run this again")


def _print(old: Settings, new: Settings, proof: Proof) -> None:
    print_proof(proof)
    for each in proof.left_out:
        say(f"left out, as it can't be read and every reader has passed it: {each}")
    if proof.is_same:
        for line in what_follows(old, new, proof):
            say(line)


def what_follows(old: Settings, new: Settings, proof: Proof) -> list[str]:
    """What to do next, a step a line."""
    before = "The copy was complete before." if proof.was_complete else "The copy is complete."
    return [
        f"{before} The old deployment no longer starts, as its topic {old.topic('clock')} is"
        " deleted.",
        f"1. Set TOPIC_PREFIX={new.topic_prefix} and PARTITIONS={new.partitions} for every process,"
        " and the new topic for shops' own producers.",
        "2. If the cluster has ACLs: run `jointbuy topics apply` with these settings.",
        "3. Start all processes. They restore their rows, and the read model is built anew.",
        "4. Delete the old topics once you do not need them: they keep people's addresses, and"
        " `jointbuy erase` does not reach them.",
    ]
