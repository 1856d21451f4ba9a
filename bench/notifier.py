"""Letters a second of the whole notifier, from a backlog of notices on Kafka to ``smtp-sink``.

Against a bare loop of aiosmtplib that sends one ready-made letter of the same size over as many
connections, in turn. Reading, claiming, writing and signing off every letter is in the notifier's
figure; with several workers the connections are shared out.
"""

import asyncio
import re
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.letters import CONNECTIONS, bare
from schemas.links import Links
from services.notifier.letters import Sender, letter
from services.notifier.links import SignedLinks
from services.runtime import brokers
from tests.system.letters import letter_to, mail_env
from tests.system.mail import sink
from tests.system.stack import Stack, stack_on, until

RATIO_MIN = 0.7


def sent(stack: Stack) -> int:
    """Letters that the workers have handed over."""
    total = 0.0
    for worker in stack.workers:
        page = worker.page("metrics")
        text = page.text if page is not None else ""
        found = re.findall(r'^jointbuy_letters_total\{.*outcome="sent"\} (\S+)$', text, re.M)
        total += sum(map(float, found))
    return int(total)


def whole(
    broker: brokers.RunningBroker, folder: Path, port: int, count: int, workers: int
) -> float:
    """Letters a second of the notifier, from the first tenth to the last but one."""
    now = datetime.now(UTC)
    with stack_on(broker, folder, clock="wall") as stack:
        stack.feed("notices", *((letter_to(number, now), None) for number in range(count)))
        env = mail_env(port, SMTP_CONNECTIONS=str(CONNECTIONS // workers))
        for _ in range(workers):
            stack.worker("notifier", **env)
        until("the first letters", lambda: sent(stack) >= count // 10, timeout=120)
        began, before = time.monotonic(), sent(stack)
        while (now_sent := sent(stack)) < count * 9 // 10:
            time.sleep(0.5)  # the page costs the worker some milliseconds
        return (now_sent - before) / (time.monotonic() - began)


def main(
    letters: Annotated[int, typer.Option(help="In each run.")] = 6_000,
    runs: Annotated[int, typer.Option(help="Of each, in turn.")] = 3,
    workers: Annotated[list[int] | None, typer.Option(help="How many, repeatable.")] = None,
) -> None:
    """Print the figures; exit 1 when the best ratio is below 0.7."""
    now = datetime.now(UTC)
    links = SignedLinks("http://127.0.0.1", Links("bench"))
    sender = Sender("jointbuy@shop.example", "jointbuy", "http://127.0.0.1", "shop.example")
    message = letter(letter_to(0, now), sender, links).content
    rates: dict[int, list[float]] = {count: [] for count in workers or [1, 2]}
    theirs: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jointbuy-bench-")))
        port = stack.enter_context(sink(folder))
        broker = brokers.start("kafka", home=folder / "kafka", fresh=True)
        stack.callback(broker.stop)
        for _ in range(runs):
            began = time.monotonic()
            asyncio.run(bare(port, letters, message))
            theirs.append(letters / (time.monotonic() - began))
            for count, measured in rates.items():
                measured.append(whole(broker, folder, port, letters, count))
    print(
        f"{letters:,} letters of {len(message):,} bytes, {CONNECTIONS} connections,"
        f" medians of {runs}"
    )
    bare_rate = statistics.median(theirs)
    print(f"aiosmtplib alone: {bare_rate:,.0f} letters/s")
    best = 0.0
    for count, measured in rates.items():
        ratio = statistics.median(measured) / bare_rate
        best = max(best, ratio)
        print(f"notifier, workers {count}: {statistics.median(measured):,.0f}/s, ratio {ratio:.2f}")
    if best < RATIO_MIN:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
