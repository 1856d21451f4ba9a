"""Which worker of a group runs which partitions, and which keeps the rows of others at hand.

A partition stays where it runs. One that has to move goes to a worker that has its rows, so it does
not wait for a long restore; until a worker has them, it keeps them beside (a standby), and the
partition stays where it is. A number stands for that partition of every input, as these meet.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

import msgspec


class Held(msgspec.Struct, frozen=True):
    """What a worker tells when it joins: partitions that it runs, and whose rows it has beside."""

    runs: frozenset[int] = frozenset()
    warm: frozenset[int] = frozenset()


class Share(msgspec.Struct):
    """What a worker is given: partitions to run, and those whose rows it keeps beside.

    It is given ``awaited``, some of the latter, as soon as it has their rows and joins again.
    """

    runs: set[int] = set()
    standbys: set[int] = set()
    awaited: set[int] = set()


@dataclass
class _Plan:
    """Partitions by worker while they are dealt out."""

    members: list[str]
    of: dict[int, str] = field(default_factory=dict)

    def load(self, member: str) -> int:
        return sum(each == member for each in self.of.values())


def shares(members: Mapping[str, Held], count: int, standbys: int) -> dict[str, Share]:
    """Deal ``count`` partitions to the members, each with up to ``standbys`` standbys.

    The same for the same arguments, and balanced once all rows are where they are awaited.
    """
    runner = {
        number: member
        for member in sorted(members, reverse=True)
        for number in members[member].runs
        if number < count
    }
    goal = _balanced(members, runner, count)
    plan = _Plan(sorted(members))
    found = {member: Share() for member in members}
    # Those that need no thought first, so that loads are known for the others.
    for number in sorted(range(count), key=lambda each: runner.get(each) != goal[each]):
        aim = goal[number]
        if runner.get(number) != aim and number not in members[aim].warm:
            # Not yet: it stays, or goes to who has its rows, if anybody has.
            having = [m for m in plan.members if number in members[m].warm]
            stays = runner.get(number) or min(having, key=plan.load, default=aim)
            if stays != aim and standbys:
                found[aim].standbys.add(number)
                found[aim].awaited.add(number)
                aim = stays
        plan.of[number] = aim
        found[aim].runs.add(number)
    for number in range(count):
        _add_standbys(found, members, number, standbys, plan.of[number], count)
    return found


def _balanced(members: Mapping[str, Held], runner: Mapping[int, str], count: int) -> dict[int, str]:
    """Who runs each in the end: as many for each as for others, and as few moves as possible."""
    each, more = divmod(count, len(members))
    run: dict[str, list[int]] = {member: [] for member in members}
    for number, member in sorted(runner.items()):
        run[member].append(number)
    # Who runs most keeps one more where they can't be equal, then who has rows that nobody runs.
    left = set(range(count)) - runner.keys()
    by_load = sorted(members, key=lambda m: (-len(run[m]), -len(left & members[m].warm), m))
    room = {member: each + (rank < more) for rank, member in enumerate(by_load)}
    goal: dict[int, str] = {}
    for member in by_load:
        for number in run[member][: room[member]]:
            goal[number] = member
            room[member] -= 1
    for prefers_warm in (True, False):
        for number in range(count):
            fits = [
                member
                for member in by_load
                if room[member] and (not prefers_warm or number in members[member].warm)
            ]
            if number not in goal and fits:
                goal[number] = max(fits, key=lambda member: room[member])
                room[goal[number]] -= 1
    return goal


def _add_standbys(
    found: Mapping[str, Share],
    members: Mapping[str, Held],
    number: int,
    wanted: int,
    runner: str,
    count: int,
) -> None:
    """Choose who keeps a partition's rows beside.

    Who has them keeps them, unless it would keep more than others, in all or of that runner: when
    that one leaves, each of the others should have some of its partitions' rows.
    """
    has = sum(number in share.standbys for share in found.values())
    beside = found[runner].runs
    most = -(-count * wanted // len(members))
    most_of_runner = -(-len(beside) * wanted // max(len(members) - 1, 1))

    def rank(member: str) -> tuple[bool, bool, bool, int, int, str]:
        standbys = found[member].standbys
        of_runner = len(standbys & beside)
        return (
            len(standbys) >= most,
            of_runner >= most_of_runner,
            not _has_rows(members[member], number),
            of_runner,
            len(standbys),
            member,
        )

    others = [m for m in found if m != runner and number not in found[m].standbys]
    for member in sorted(others, key=rank)[: max(wanted - has, 0)]:
        found[member].standbys.add(number)


def _has_rows(held: Held, number: int) -> bool:
    rows: Set[int] = held.runs | held.warm
    return number in rows
