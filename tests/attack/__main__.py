"""``python -m tests.attack``: all of it, on a broker and a stack of its own; figures at the end.

The matrix of routes and credentials first, then every changed field, form, address, header and
token. 1 if anything broke, something came of what was refused, or a service can't go on.
"""

import argparse
import asyncio
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stack import brokers
from tests.attack.attacks import KINDS, attacks_of, some_of
from tests.attack.judging import problems_of
from tests.attack.targets import OverHttp, in_process
from tests.system import test_credentials as matrix
from tests.system.api_stack import Api, api_on

SHOWN = 40
MATRIX: tuple[Callable[[matrix.World], None], ...] = (
    matrix.test_without_a_credential,
    matrix.test_with_a_wrong_or_expired_credential,
    matrix.test_with_another_s_credential,
    matrix.test_nothing_has_happened_by_any_of_that,
    matrix.test_with_the_right_one,
    matrix.test_a_token_lasts_as_long_as_it_should,
    matrix.test_a_copied_cookie_ends_with_its_session_in_every_process,
)


@dataclass
class Counting(matrix.World):
    """A world that counts what is asked of it: routes, credentials, requests."""

    def __post_init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    def send(self, name: str, credential: str | None) -> Any:
        """Ask, as ever."""
        self.asked.append((name, credential))
        return super().send(name, credential)


def say(text: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def try_matrix(world: Counting) -> list[str]:
    """Every route with every credential; what did not hold."""
    found = []
    for check in MATRIX:
        try:
            check(world)
        except AssertionError as error:
            found.append(f"{check.__name__}: {error}")
    routes = {name for name, _ in world.asked}
    credentials = {credential for _, credential in world.asked}
    say(
        f"matrix: {len(world.asked):,} requests over {len(credentials)} credentials and"
        f" {len(routes)} routes, {len(found)} did not hold"
    )
    return found


def told(kind: str, began: float, statuses: Counter[int], found: list[str]) -> None:
    """The figures of a kind."""
    counted = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
    took = time.monotonic() - began
    say(f"{kind}: {statuses.total():,} in {took:.0f} s ({counted}), {len(found)} did not hold")


def over_http(world: Counting, most: int, seed: int) -> list[str]:
    """Each attack on a stack that runs."""
    target, found = OverHttp(world.api.nobody.url), []
    means = matrix.means(world)
    for kind in KINDS:
        began, bad = time.monotonic(), []
        attacks = attacks_of(kind, means, matrix.who_of())
        answers = target.all(some_of(attacks, most, seed))
        for attack, answer in answers:
            bad += problems_of(attack, answer)
        told(kind, began, Counter(answer.status for _, answer in answers), bad)
        found += bad
    return found


async def without_a_broker(folder: Path, most: int, seed: int) -> list[str]:
    """Each attack on a storefront whose log is seen: nothing is sent by what is refused."""
    found = []
    async with in_process(folder) as target:
        for kind in KINDS:
            began, bad, statuses = time.monotonic(), [], Counter[int]()
            attacks = attacks_of(kind, target.means, matrix.who_of())
            for attack in some_of(attacks, most, seed):
                answer = await target.ask(attack)
                statuses[answer.status] += 1
                bad += problems_of(attack, answer)
            told(f"{kind}, the log watched", began, statuses, bad)
            found += bad
    return found


def standing(api: Api) -> list[str]:
    """What is not as it was: services, records that nobody can read, an honest order."""
    found = [f"{each.module} is down" for each in api.stack.workers if not each.ready()]
    letters = api.stack.read("dead-letters")
    found += [f"a dead letter: {each.headers.get('error')}" for each in letters]
    for worker in api.stack.workers:
        faults = worker.log.read_text(errors="replace").count("a fault of ours")
        found += [f"{worker.module} logged {faults} faults"] if faults else []
    shop = api.shop()
    definition = api.definition(shop)["definition_id"]
    given = {"definition_id": definition, "number_of_products": 2}
    group = api.nobody.post("/group-purchases", given)["group_id"]
    order = {"state": "paid", "order_id": "honest", "member": {"id": "m"}, "quantity": 1}
    counted = shop.post(f"/group-purchases/{group}/orders", order, None)
    if counted.get("status") != "counted":
        found.append(f"an honest order afterwards: {counted}")
    say(f"afterwards: {len(api.stack.workers)} processes, {len(letters)} dead letters")
    return found


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=16)
    parser.add_argument("--most", type=int, default=10_000, help="Of each kind.")
    asked = parser.parse_args()
    # Said of each time that a page's form gives as text; nothing comes of it.
    warnings.filterwarnings("ignore", "Pydantic serializer")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "alone").mkdir()
        found = asyncio.run(without_a_broker(folder / "alone", asked.most, asked.seed))
        broker = brokers.start(brokers.choose(), home=folder / "broker")
        try:
            with api_on(broker, folder, ANSWER_SECONDS="1") as api:
                made = matrix.populated(api)
                world = Counting(*(getattr(made, each.name) for each in fields(matrix.World)))
                found += try_matrix(world)
                found += over_http(world, asked.most, asked.seed)
                found += standing(api)
        finally:
            broker.stop()
    for each in found[:SHOWN]:
        say(each[:500])
    say(f"{len(found)} did not hold (--seed {asked.seed})" if found else "all held")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
