"""What a copy proves, for people and as JSON."""

from typing import Any, Final

from terminal.console import count, print_table, say, table
from terminal.copying import Proof
from terminal.topics import as_text

#: Differing keys that are named of each topic.
SHOWN: Final = 5


def as_facts(proof: Proof) -> dict[str, Any]:
    """A proof as JSON."""
    return {
        "same": proof.is_same,
        "was_complete": proof.was_complete,
        "topics": [
            {
                "topic": each.topic,
                "records": [each.before.records, each.after.records],
                "keys": [each.before.keys, each.after.keys],
                "digests": [str(each.before), str(each.after)],
                "differing": [f"{number}/{as_text(key)}" for number, key in each.differing],
            }
            for each in proof.topics
        ],
        "groups": [
            {"group": reader.group, "topic": reader.topic, "unread": [reader.unread, after]}
            for reader, after in proof.readers
        ],
        "left_out": [str(each) for each in proof.left_out],
    }


def print_proof(proof: Proof) -> None:
    """Print a proof as tables."""
    if not proof.was_complete:
        _print_topics(proof)
        _print_readers(proof)


def _print_topics(proof: Proof) -> None:
    columns = ("Topic", "Records", "Keys", "Digest before", "Digest after", "")
    made = table(*columns, right=("Records", "Keys"))
    for each in proof.topics:
        if each.before.records or each.after.records:
            numbers = f"{each.before.records:,}", f"{each.before.keys:,}"
            said = "differs" if each.differing else "same"
            made.add_row(each.topic, *numbers, str(each.before), str(each.after), said)
    print_table(made)
    empty = sum(not each.before.records and not each.after.records for each in proof.topics)
    say(f"and {count(empty, 'empty topic')}")
    for each in proof.topics:
        for number, key in each.differing[:SHOWN]:
            say(f"{each.topic} differs at key {as_text(key)} of partition {number}")


def _print_readers(proof: Proof) -> None:
    behind = [each for each in proof.readers if each[0].unread or each[1]]
    if not behind:
        say("all groups have read all they read before")
        return
    made = table("Group", "Topic", "Unread before", "Unread after", right=("Unread before",))
    for reader, after in behind:
        made.add_row(reader.group, reader.topic, f"{reader.unread:,}", f"{after:,}")
    print_table(made)
