"""An upgrade under load: each worker of an earlier version is replaced by one of this version.

The earlier version is taken from the repository's history and runs in an environment of its own,
with what its lock names. It makes the topics. Then orders come, each sent twice and each of a buyer
with an address, on Kafka and to a real mail server. A new worker starts, works beside the old ones,
and an old one ends, until all are new. Each order must count once, each buyer must get one letter,
and nothing may become a dead letter.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from runtime.settings import CLUSTER_S_OWN
from schemas.orders import OrderPaid
from stack import brokers
from tests.system.letters import mail_env
from tests.system.mail import Mailpit
from tests.system.purchases import group_until, order_at
from tests.system.stack import Stack, Worker, until
from tests.system.test_rolling import GROUPS, Load, load_on, open_in

ROOT = Path(__file__).parents[2]
#: In this order: who reads a message comes before who writes it (docs/deploy.md).
SERVICES = ("notifier", "favor_service", "order_service", "order_service", "request_service")
#: Orders to each group between two steps.
ROUNDS = 20


@dataclass
class OldWorker(Worker):
    """A worker of the earlier version."""

    tree: Path = ROOT

    def start(self) -> None:
        """Start it with the Python of its environment, in its folder."""
        command = [str(self.tree / ".venv/bin/python"), "-m", self.module]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                cwd=self.tree,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )


class SlowLoad(Load):
    """Orders of buyers with addresses, as many as letters can be sent."""

    tick_seconds = 0.5

    def order(self, group_id: str, number: int, now: datetime) -> OrderPaid:
        """The group's n-th order, of its n-th buyer."""
        # A shop's member is one person in all groups, and has one address.
        told = {
            "member_id": f"{group_id}-{number}",
            "member_email": address(group_id, number),
        }
        return order_at(group_id, number, now).model_copy(update=told)


def address(group_id: str, number: int) -> str:
    """The address of a group's n-th buyer."""
    return f"{group_id}-{number}@upgrade.example".lower()


def tree_of(version: str, folder: Path) -> Path:
    """The files of a version, with an environment of what its lock names."""
    tree = folder / "old"
    tree.mkdir()
    files = subprocess.run(["git", "archive", version], cwd=ROOT, capture_output=True, check=False)
    if files.returncode:
        sys.exit(f"{version} is not in the history: {files.stderr.decode().strip()}")
    subprocess.run(["tar", "-x"], cwd=tree, input=files.stdout, check=True)
    subprocess.run([sys.executable, "-m", "venv", ".venv"], cwd=tree, check=True)
    pip = [".venv/bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    lock = ["--require-hashes", "-r", "requirements.lock"]
    subprocess.run([*pip, *lock], cwd=tree, check=True)
    return tree


def old_worker(stack: Stack, service: str, tree: Path, **env: str) -> OldWorker:
    """A worker of the earlier version on the stack's topics, started."""
    new = stack.worker(service, start=False, **env)
    stack.workers.remove(new)
    given = dict(new.env)
    # Earlier versions did not know how to leave it to the cluster.
    if given.get("REPLICATION_FACTOR") == str(CLUSTER_S_OWN):
        given["REPLICATION_FACTOR"] = "1"
    log = new.log.with_name(f"old-{new.log.name}")
    old = OldWorker(new.module, new.port, new.ops_port, given, log, tree=tree)
    stack.workers.append(old)
    old.start()
    return old


def upgrade(stack: Stack, tree: Path, mail: Mailpit) -> None:
    """The story. Raises ``AssertionError``."""
    now, env = datetime.now(UTC), mail_env(mail.port)
    old = [old_worker(stack, each, tree, **env) for each in SERVICES]
    stack.until_ready(*old)
    terms = [group_until(group, now + timedelta(days=1), now) for group in GROUPS]
    stack.feed("group-purchases", *((each, None) for each in terms))
    began = time.monotonic()
    new: list[Worker] = []
    with load_on(stack, SlowLoad) as load:

        def more() -> None:
            wanted = load.rounds + ROUNDS
            until("orders came", lambda: load.rounds > wanted)

        more()
        for leaving in old:
            coming = stack.worker(leaving.module, **env)
            new.append(coming)
            stack.until_ready(coming)
            more()
            leaving.stop()
            more()
            seconds = time.monotonic() - began
            print(f"{seconds:6.1f} s: {leaving.module} is replaced; {load.rounds} rounds")
    both = [each for each in new if each.module.endswith("order_service")]
    until("the new ones have all", lambda: sum(open_in(*both)) == len(GROUPS))
    stack.wait_idle()
    for group in GROUPS:
        stack.wait_for("purchases", group, quantity=load.rounds)
    buyers = {address(group, number) for group in GROUPS for number in range(load.rounds)}
    mail.wait_for(len(buyers))
    stack.wait_idle()
    letters = Counter((each["To"][0]["Address"], each["Subject"]) for each in mail.messages())
    twice = [each for each, count in letters.items() if count > 1]
    assert not twice, f"{len(twice)} letters came twice, such as {twice[:3]}"
    assert {to for to, _ in letters} == buyers
    assert stack.read("dead-letters") == []
    print(f"{len(buyers)} orders, each sent twice: each counted once; {len(letters)} letters")


def main(version: Annotated[str, typer.Argument(help="A tag or a commit.")]) -> None:
    """Upgrade from an earlier version to this one, under load."""
    with tempfile.TemporaryDirectory(prefix="jointbuy-upgrade-") as name:
        folder = Path(name)
        tree = tree_of(version, folder)
        broker = brokers.start("kafka", home=folder / "broker", fresh=True)
        mail = Mailpit.start(folder)
        (folder / "stack").mkdir()
        prefix = f"upgrade-{os.getpid()}-"
        stack = Stack(broker, folder / "stack", prefix, "wall", makes_topics=False)
        try:
            upgrade(stack, tree, mail)
        except AssertionError:
            for worker in stack.workers:
                print(f"--- {worker.log.name}", worker.log.read_text()[-3_000:], sep="\n")
            raise
        finally:
            stack.close()
            mail.stop()
            broker.stop()


if __name__ == "__main__":
    typer.run(main)
