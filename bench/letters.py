"""Letters a second that `Mailer` hands over, against a bare loop of aiosmtplib with as many
connections, in turn on one ``smtp-sink``. The ratio is the claim (at least 0.9): what a pool,
a limit and a reply for everything cost.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Annotated

import aiosmtplib
import typer

from services.notifier.edge.connections import Mailer
from services.notifier.settings import MailSettings
from tests.system.mail import sink, smtp_sink

CONNECTIONS = 8
RATIO_MIN = 0.9
SENDER = "jointbuy@example.org"


def letter() -> bytes:
    """Text and HTML, about 9 kB, as letters are."""
    message = EmailMessage(policy=SMTP)
    message["From"] = f"jointbuy <{SENDER}>"
    message["To"] = "member@example.com"
    message["Subject"] = "Your order counts: 1,204 of 1,500"
    message["Message-ID"] = "<order-counted.000@example.org>"
    line = "The group purchase of a kettle stands at 1,204 of 1,500 and ends on Friday.\n"
    message.set_content(line * 40)
    message.add_alternative(f"<html><body>{f'<p>{line}</p>' * 60}</body></html>", subtype="html")
    return message.as_bytes()


async def bare(port: int, count: int, message: bytes) -> None:
    """As few lines as it can be done with."""
    left = iter(range(count))

    async def work() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in left:
                await client.sendmail(SENDER, f"member{number}@example.com", message)

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def ours(port: int, count: int, message: bytes) -> None:
    """The same through the pool, from more tasks than it has connections."""
    left = iter(range(count))
    begun = 0

    def begin() -> None:
        nonlocal begun
        begun += 1

    settings = MailSettings(smtp_host="127.0.0.1", smtp_port=port, smtp_connections=CONNECTIONS)
    async with Mailer(settings) as mailer:

        async def work() -> None:
            for number in left:
                reply = await mailer.send(message, SENDER, f"member{number}@example.com", begin)
                assert reply.outcome == "sent", reply

        await asyncio.gather(*(work() for _ in range(4 * CONNECTIONS)))
    assert begun == count


@dataclass
class Run:
    """How fast it went, and what it cost this process."""

    per_second: float
    cpu_us: float


def measure(
    do: Callable[[int, int, bytes], Coroutine[None, None, None]], port: int, count: int
) -> Run:
    """One run."""
    message = letter()
    started, cpu = time.perf_counter(), time.process_time()
    asyncio.run(do(port, count, message))
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return Run(count / seconds, cpu_seconds / count * 1e6)


def main(
    letters: Annotated[int, typer.Option(help="In each run.")] = 1_500,
    runs: Annotated[int, typer.Option(help="Of each, in turn.")] = 15,
) -> None:
    """Print both and the ratio; exit 1 when it is below 0.9."""
    server = "smtp-sink" if smtp_sink() else "aiosmtpd in a thread"
    print(f"{letters} letters of {len(letter())} bytes, {CONNECTIONS} connections, to {server}")
    theirs: list[Run] = []
    mine: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="jointbuy-bench-") as name, sink(Path(name)) as port:
        measure(bare, port, letters)
        for _ in range(runs):
            theirs.append(measure(bare, port, letters))
            mine.append(measure(ours, port, letters))
    for who, measured in (("aiosmtplib", theirs), ("Mailer", mine)):
        rates = sorted(each.per_second for each in measured)
        cpu = statistics.median(each.cpu_us for each in measured)
        print(
            f"{who:>10} {statistics.median(rates):7,.0f} letters/s (the median of {runs};"
            f" {rates[0]:,.0f} to {rates[-1]:,.0f}), {cpu:.0f} µs of CPU for each"
        )
    pairs = zip(mine, theirs, strict=True)
    ratio = statistics.median(one.per_second / other.per_second for one, other in pairs)
    print(f"Mailer to aiosmtplib: {ratio:.2f}, the median of pairs (at least {RATIO_MIN})")
    if ratio < RATIO_MIN:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
