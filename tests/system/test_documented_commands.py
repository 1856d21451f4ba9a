"""The commands of the pages for newcomers, as written, one after the other.

A shell reads them all. Those of the terminal then run in forked processes, as that is quicker.
"""

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.folders import ROOT
from tests.system import whole_stack
from tests.system.stack import until

pytestmark = pytest.mark.system

FIRST, FEED, README = (
    ROOT / name for name in ("docs/first-ten-minutes.md", "docs/feed-orders.md", "README.md")
)
BLOCK = re.compile(r"(<!-- not run: .*? -->\n)?```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: What is not run here, and why: nothing else is left out.
NOT_RUN = {
    "git clone ADDRESS jointbuy    # ADDRESS: the repository's": "needs an address",
    "cd jointbuy": "of the clone",
    "jointbuy down": "the stack that is shared runs with what the page wants",
    "jointbuy up --broker embedded": "the same",
}
#: Of the README's block. What `make setup` and `up` do is run by the first page.
README_NOT_RUN = {
    "make setup && . .venv/bin/activate",
    "jointbuy up --broker kafka               # broker and services in the background;"
    " `jointbuy down` ends them",
}
#: What stands for an id that a command prints, and the ids.
IDS = {
    "d-…": re.compile(r"\bd-[0-9a-f]{20}\b"),
    "GB-…": re.compile(r"\bGB-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]\b"),
}
#: The usual addresses, for those of a stack that has other ports.
BROKER, WEBHOOKS = "127.0.0.1:19092", "127.0.0.1:8081"
COMMAND_SECONDS = 240
HEREDOC = re.compile(r"<<'(\w+)'")


def commands(block: str) -> Iterator[str]:
    """The commands of a block, each with its further lines."""
    lines = iter(block.splitlines())
    for line in lines:
        command = line
        while command.endswith("\\"):
            command += "\n" + next(lines)
        if ends := HEREDOC.search(command):
            for each in lines:
                command += "\n" + each
                if each == ends[1]:
                    break
        if command.strip():
            yield command


def blocks(page: Path) -> list[tuple[bool, list[str]]]:
    """Of each shell block: whether it is run, and its commands."""
    text = page.read_text(encoding="utf-8")
    return [(not mark, list(commands(block))) for mark, block in BLOCK.findall(text)]


def use_it() -> list[str]:
    """The first block of the README's part "Use it"."""
    _, found = re.split(r"^## Use it$", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    block = BLOCK.search(found)
    assert block
    return list(commands(block[2]))


class Shell:
    """A shell that is typed into, in a folder where files may be written."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        (folder / "Makefile").symlink_to(ROOT / "Makefile")
        (folder / ".venv").symlink_to(Path(sys.prefix))
        for name in ("requirements.lock", "pyproject.toml"):
            (folder / name).symlink_to(ROOT / name)
        env = {
            name: value for name, value in os.environ.items() if not name.startswith("JOINTBUY_")
        }
        env |= {
            "JOINTBUY_HOME": str(self._home),
            "JOINTBUY_PORTS": os.environ["JOINTBUY_PORTS"],
        }
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        self.replaced: dict[str, str] = {}

    def types(self, command: str) -> str:
        """Run a command; what it printed. Fails if it does."""
        for written, real in self.replaced.items():
            command = command.replace(written, real)
        assert "…" not in command, f"no command has printed what {command} needs"
        program, _, rest = command.partition(" ")
        if rest.startswith("watch "):
            return self._watches(command.partition("#")[0])
        out, code = self._asks(rest) if program == "jointbuy" else self._run(command)
        assert code == 0, f"{command}\n{out}"
        for written, pattern in IDS.items():
            if found := pattern.search(out):
                self.replaced[written] = found.group()
        return out

    def _asks(self, rest: str) -> tuple[str, int]:
        """Run a command of the terminal, with the words that the shell reads; starts quickly."""
        words, _ = self._run(f"set -- {rest}\nprintf '%s\\0' \"$@\"")
        shops, _ = self._run('echo "$SHOPS"')
        arguments = words.split("\0")[:-1]
        if arguments[0] == "up":
            # As long as anything may take on a busy machine.
            arguments += ["--timeout", "240"]
        done = whole_stack.jointbuy(self._home, *arguments, SHOPS=shops.strip())
        return done.stdout + done.stderr, done.returncode

    def _watches(self, command: str) -> str:
        """Let a command that goes on print its first line, then end it."""
        seen = self._home / "watched"
        # The shell makes the file only when it starts the command, which may be later.
        seen.touch()
        self._run(f"{command} >{shlex.quote(str(seen))} &")
        until("the first line", lambda: "\n" in seen.read_text())
        self._run("kill $!; wait $!")
        return seen.read_text()

    def _run(self, command: str) -> tuple[str, int]:
        pipe, read = self._process.stdin, self._process.stdout
        assert pipe
        assert read
        pipe.write(f"{command}\nprintf '\\n__ended__ %s\\n' $?\n".encode())
        pipe.flush()
        out, ends = b"", time.monotonic() + COMMAND_SECONDS
        while not (said := re.search(rb"\n__ended__ (\d+)\n", out)):
            left = ends - time.monotonic()
            assert left > 0, f"{command} takes too long: {out.decode()}"
            if select.select([read], [], [], left)[0]:
                more = os.read(read.fileno(), 65_536)
                assert more, f"{command} ended the shell: {out.decode()}"
                out += more
        return out[: said.start()].decode(), int(said[1])

    def ends(self) -> None:
        """End the stack, if one runs, and the shell."""
        try:
            self._run("jointbuy down")
        finally:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Starts no stack: the first page does."""
    shell = Shell(tmp_path_factory.mktemp("newcomer"))
    yield shell
    shell.ends()


def test_nothing_else_is_left_out() -> None:
    left_out = [
        command
        for page in (FIRST, FEED)
        for is_run, block in blocks(page)
        if not is_run
        for command in block
    ]
    assert set(left_out) == set(NOT_RUN)
    assert len(left_out) == len(NOT_RUN)
    assert set(use_it()) >= README_NOT_RUN


def test_the_first_ten_minutes_end_in_a_counted_order(shell: Shell) -> None:
    """As written, but that the stack has the shop of the next page, too."""
    shops, *_ = next(block for is_run, block in blocks(FEED) if is_run)
    assert shops.startswith("export SHOPS=")
    shell.types(shops)
    said = []
    *story, end = [block for is_run, block in blocks(FIRST) if is_run]
    for command in (command for block in story for command in block):
        said.append((command, out := shell.types(command)))
        if command.startswith("jointbuy up"):
            (shell.replaced[BROKER],) = re.findall(r"embedded at ([\d.:]+)", out)
            status = shell.types("jointbuy status")
            (shell.replaced[WEBHOOKS],) = re.findall(r"webhooks .*?http://([\d.:]+)", status)
    tables = [out for command, out in said if command == "jointbuy show $group"]
    assert ["0 of 5" in tables[0], "2 of 5" in tables[1], "5 of 5" in tables[2]] == [True] * 3
    (why,) = [out for command, out in said if command.startswith("jointbuy why")]
    assert why.count("by pay_order, from orders/") >= 2
    assert end == ["jointbuy down", "rm my_shop.py"]
    shell.types(end[1])


def test_the_readme_s_commands_run(shell: Shell) -> None:
    said = [(each, shell.types(each)) for each in use_it() if each not in README_NOT_RUN]
    counted = [
        out for command, out in said if command.startswith(("jointbuy show", "jointbuy watch"))
    ]
    assert ["2 of 5" in out for out in counted] == [True, True]


def test_orders_come_by_kafka_by_webhook_and_from_a_file(shell: Shell) -> None:
    tables = []
    for command in (command for is_run, block in blocks(FEED) if is_run for command in block):
        out = shell.types(command)
        if command.startswith("python my_webhook.py"):
            assert out.startswith("202")
        if command.startswith("jointbuy show"):
            tables.append(out)
        if command.startswith("jointbuy dead-letters"):
            assert "no open dead letters" in out
    assert "9 of 50 ordered" in tables[0], "by Kafka and by webhook"
    assert "12 of 50 ordered" in tables[1], "and from a file that was sent twice"


def test_the_stack_ends_as_the_page_says(shell: Shell) -> None:
    assert "all services ended" in shell.types("jointbuy down")
