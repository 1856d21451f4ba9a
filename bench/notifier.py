"""Letters a second of the whole notifier, from a backlog of notices on Kafka to ``smtp-sink``.

The recipients' addresses are sent first. A person's address comes once, and many letters go there.

Against three loops of aiosmtplib over as many connections, in turn: one that sends a letter which
is ready as bytes (the claim: at least 0.7 of it), one that sends messages as programs have them,
and one that writes each letter as the notifier does. The distance to the last
is the cost of losing no letter and sending none twice.

Two figures of the notifier: of all its work, from the moment its workers have their partitions to
the last letter, and while it sends, from the first tenth to the last but one. With several workers
the connections are shared out.
"""

import asyncio
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import SMTP
from pathlib import Path
from typing import Annotated, Any

import aiosmtplib
import typer

from bench.letters import CONNECTIONS
from runtime.links import Links
from services.notifier.letters import Letter, Sender, letter
from services.notifier.letters.links import SignedLinks
from services.notifier.rules.people import person_row
from stack import brokers
from tests.system.letters import buyer, letter_to, mail_env
from tests.system.mail import sink
from tests.system.stack import Stack, stack_on, until

RATIO_MIN = 0.7
READY = "a loop of ready bytes"


SENT = r'jointbuy_letters_total\{.*outcome="sent"\}'
PROCESSOR = "process_cpu_seconds_total"


def total(stack: Stack, series: str) -> float:
    """The sum over the workers of what their pages show of it."""
    pages = [worker.page("metrics") for worker in stack.workers]
    text = "\n".join(page.text for page in pages if page is not None)
    return sum(map(float, re.findall(rf"^{series} (\S+)$", text, re.M)))


@dataclass
class Rates:
    """Letters a second of the notifier: of all its work, and while it sends."""

    whole: list[float] = field(default_factory=list)
    sending: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def lines(self, name: str, loops: Mapping[str, float]) -> str:
        """For people."""
        whole, sending = statistics.median(self.whole), statistics.median(self.sending)
        told = f"notifier, {name}: {whole:,.0f}/s, {statistics.median(self.cpu_ms):.2f} ms"
        ratios = [
            f"  {whole / rate:.2f} of {loop}; while it sends {sending / rate:.2f}"
            for loop, rate in loops.items()
        ]
        return "\n".join([told, *ratios])


def measure(
    rates: Rates, broker: brokers.RunningBroker, folder: Path, port: int, count: int, workers: int
) -> None:
    """One run of the notifier."""
    now = datetime.now(UTC)
    with stack_on(broker, folder, clock="wall") as stack:
        stack.feed("people", *((buyer(number, now), None) for number in range(count)))
        env = mail_env(port, SMTP_CONNECTIONS=str(CONNECTIONS // workers))
        started = stack.start(*("notifier",) * workers, **env)
        stack.wait_idle()
        for each in started:
            each.stop()
        stack.feed("notices", *((letter_to(number, now), None) for number in range(count)))
        for each in started:
            each.start()
        until("ready", lambda: all(each.ready() for each in started), timeout=120)
        at = [(time.monotonic(), total(stack, SENT))]
        cpu = total(stack, PROCESSOR)
        while at[-1][1] < count:
            time.sleep(0.5)  # the page costs the worker some milliseconds
            at.append((time.monotonic(), total(stack, SENT)))
        cpu = total(stack, PROCESSOR) - cpu
    rates.cpu_ms.append(1000 * cpu / (count - at[0][1]))
    rates.whole.append(_rate(at))
    rates.sending.append(_rate([each for each in at if count <= 10 * each[1] <= 9 * count]))


def _rate(at: list[tuple[float, float]]) -> float:
    (began, before), (ended, after) = at[0], at[-1]
    return (after - before) / (ended - began)


async def loop(
    port: int, count: int, send: Callable[[aiosmtplib.SMTP, int], Any]
) -> tuple[float, float]:
    """Letters a second of as few lines as it can be done with, and processor ms a letter."""
    left = iter(range(count))

    async def work() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in left:
                await send(client, number)

    began, cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return count / (time.monotonic() - began), 1000 * (time.process_time() - cpu) / count


def loops() -> dict[str, Callable[[aiosmtplib.SMTP, int], Any]]:
    """By name, how a loop sends its letter of a number."""
    now = datetime.now(UTC)
    links = SignedLinks("http://127.0.0.1", Links("bench"))
    sender = Sender("jointbuy@shop.example", "jointbuy", "http://127.0.0.1", "shop.example")

    def write(number: int) -> Letter:
        return letter(letter_to(number, now), person_row(buyer(number, now)), sender, links)

    ready = write(0).content
    parser = BytesParser(policy=SMTP)
    messages = [parser.parsebytes(write(number).content) for number in range(100)]

    async def written(client: aiosmtplib.SMTP, number: int) -> None:
        made = write(number)
        await client.sendmail(sender.mail_from, made.recipient, made.content)

    return {
        READY: lambda client, number: client.sendmail(
            sender.mail_from, f"buyer-{number}@mail.example", ready
        ),
        "a loop of send_message": lambda client, number: client.send_message(
            messages[number % len(messages)]
        ),
        "a loop that writes each letter": written,
    }


def main(
    letters: Annotated[int, typer.Option(help="In each run.")] = 12_000,
    runs: Annotated[int, typer.Option(help="Of each, in turn.")] = 3,
    workers: Annotated[list[int] | None, typer.Option(help="How many, repeatable.")] = None,
) -> None:
    """Print the figures; exit 1 when the best ratio to the loop of ready bytes is below 0.7."""
    senders = loops()
    theirs: dict[str, list[tuple[float, float]]] = {name: [] for name in senders}
    ours = {count: Rates() for count in workers or [1, 2]}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jointbuy-bench-")))
        port = stack.enter_context(sink(folder))
        broker = brokers.start("kafka", home=folder / "kafka", fresh=True)
        stack.callback(broker.stop)
        for _ in range(runs):
            for name, send in senders.items():
                theirs[name].append(asyncio.run(loop(port, letters // 2, send)))
            for count, rates in ours.items():
                measure(rates, broker, folder, port, letters, count)
    print(f"{letters:,} letters of 12 kB, {CONNECTIONS} connections, medians of {runs}")
    medians = {name: statistics.median(rate for rate, _ in each) for name, each in theirs.items()}
    print("letters/s, and milliseconds of the processor for each in the process that sends")
    for name, rate in medians.items():
        cpu_ms = statistics.median(each for _, each in theirs[name])
        print(f"{name}: {rate:,.0f}/s, {cpu_ms:.2f} ms")
    for count, rates in ours.items():
        print(rates.lines(f"workers {count}", medians))
    best = max(statistics.median(rates.whole) for rates in ours.values())
    if best < RATIO_MIN * medians[READY]:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
