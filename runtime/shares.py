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
        _add_standbys(found, members, number, standbys)
    return found


def _balanced(members: Mapping[str, Held], runner: Mapping[int, str], count: int) -> dict[int, str]:
    """Who runs each in the end: as many for each as for others, and as few as possible wait.

    One waits if it goes to a member without its rows. Those that stay are dealt first, then each of
    the others along an augmenting path: others make room for it by going to where their rows are.
    """
    each, more = divmod(count, len(members))
    run: dict[str, list[int]] = {member: [] for member in sorted(members)}
    for number, member in sorted(runner.items()):
        run[member].append(number)
    dealt: dict[str, list[int]] = {}
    for rank, member in enumerate(sorted(run, key=lambda m: -len(run[m]))):
        dealt[member] = run[member][: each + (rank < more)]

    def with_more() -> list[str]:
        return [member for member, numbers in dealt.items() if len(numbers) > each]

    def has_room(member: str) -> bool:
        has = len(dealt[member])
        return has < each or (has == each and len(with_more()) < more)

    def gives_one_up(member: str, asked: set[str]) -> bool:
        asked.add(member)
        for number in dealt[member]:
            if is_placed(number, asked):
                dealt[member].remove(number)
                return True
        return False

    def is_placed(number: int, asked: set[str]) -> bool:
        having = [m for m in dealt if m == runner.get(number) or number in members[m].warm]
        for member in sorted(having, key=lambda m: len(dealt[m])):
            if member in asked:
                continue
            if has_room(member) or gives_one_up(member, asked):
                dealt[member].append(number)
                return True
            # One that has more than others may give up that, so that this member has more.
            rivals = with_more() if len(dealt[member]) == each else []
            if any(gives_one_up(one, asked) for one in rivals if one not in asked):
                dealt[member].append(number)
                return True
        return False

    stay = {number for numbers in dealt.values() for number in numbers}
    for number in (n for n in range(count) if n not in stay and not is_placed(n, set())):
        dealt[min((m for m in dealt if has_room(m)), key=lambda m: len(dealt[m]))].append(number)
    return {number: member for member, numbers in dealt.items() for number in numbers}


def _add_standbys(
    found: Mapping[str, Share], members: Mapping[str, Held], number: int, wanted: int
) -> None:
    """Choose who keeps a partition's rows beside: who has them first, then who has fewest."""
    has = sum(number in share.standbys for share in found.values())
    others = [m for m in found if number not in found[m].runs | found[m].standbys]
    others.sort(key=lambda m: (not _has_rows(members[m], number), len(found[m].standbys), m))
    for member in others[: max(wanted - has, 0)]:
        found[member].standbys.add(number)


def _has_rows(held: Held, number: int) -> bool:
    rows: Set[int] = held.runs | held.warm
    return number in rows
