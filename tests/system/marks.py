"""Marked values, and where they are looked for: logs, topics, tables, pages, process arguments.

A marked value occurs nowhere else. So each place where it is found, in any common encoding, is a
place that it came to.
"""

import asyncio
import base64
import html
import json
import quopri
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import quote, quote_plus, urljoin, urlsplit

import asyncpg
import httpx
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from runtime.records import InputRecord, Unreadable
from tests.system.stack import Stack, read_all

Kind = Literal["secret", "card", "address"]
#: Where something was read, and what.
Place = tuple[str, bytes]
PAGES_MAX = 400
#: Of one page with different questions, as lists have them for each order and cursor.
QUESTIONS_MAX = 4
LINK = re.compile(r"""(?:href|src|action)=["']([^"'#]+)""")


@dataclass(frozen=True)
class Mark:
    """A value that must not be found where its ``kind`` has no business."""

    kind: Kind
    value: str

    @cached_property
    def encodings(self) -> frozenset[bytes]:
        """As it may be written."""
        return frozenset(self._encodings())

    def _encodings(self) -> Iterator[bytes]:
        for text in self._spellings():
            raw = text.encode()
            yield raw
            yield quote(text, safe="").encode()
            yield quote_plus(text).encode()
            yield html.escape(text).encode()
            yield json.dumps(text)[1:-1].encode()
            for quotetabs in (True, False):
                yield quopri.encodestring(raw, quotetabs=quotetabs).replace(b"=\n", b"")
            yield re.sub(rb"[^\w]", lambda found: b"=%02X" % found[0][0], raw)
            yield from _in_base64(raw)

    def _spellings(self) -> Iterator[str]:
        yield self.value
        if self.kind == "card":
            for separator in " -":
                yield separator.join(self.value[at : at + 4] for at in range(0, 16, 4))
        if self.kind == "address":
            local, domain = self.value.split("@")
            yield local
            yield f"{local}@{domain.encode('idna').decode()}"


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """What of it stands in the base64 of any text that holds it, wherever in it."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        certain = encoded[(0, 2, 3)[before] : len(encoded) - (4 if (before + len(raw)) % 3 else 0)]
        yield certain
        yield certain.replace(b"+", b"-").replace(b"/", b"_")


def found(places: Iterable[Place], marks: Iterable[Mark]) -> list[str]:
    """Each mark at each place where it is, with some of what stands around it."""
    marks = list(marks)
    problems = []
    for name, content in places:
        for mark in marks:
            # Plain searches: many times as fast as one expression for all.
            for at in [at for each in mark.encodings if (at := content.find(each)) >= 0][:1]:
                around = content[max(at - 60, 0) : at + 80]
                problems.append(f"{mark.kind} {mark.value} in {name}: …{around!r}…")
    return problems


# --- places --------------------------------------------------------------------------------------


def in_files(*folders: Path) -> Iterator[Place]:
    """Every file of these folders, and theirs."""
    for folder in folders:
        files = [folder] if folder.is_file() else sorted(folder.rglob("*"))
        yield from ((str(file), file.read_bytes()) for file in files if file.is_file())


def compacted(stack: Stack, topic: str) -> list[Place]:
    """The records that compaction leaves of a topic or a changelog: the latest of each key."""
    latest = {(record.partition, record.key): record for record in stack.read_raw(topic)}
    return [
        (f"topic {topic}/{each.partition}/{each.offset}", b"\n".join((each.key, each.value)))
        for each in latest.values()
        if each.value is not None
    ]


def in_tables(url: str) -> list[Place]:
    """Every row of every table of a PostgreSQL database, named by its first column."""
    return asyncio.run(_in_tables(url))


async def _in_tables(url: str) -> list[Place]:
    connection = await asyncpg.connect(url)
    try:
        named = await connection.fetch(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema"
            " NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'"
        )
        places: list[Place] = []
        for schema, table in named:
            rows = await connection.fetch(f'SELECT * FROM "{schema}"."{table}"')
            for row in rows:
                values = (each if isinstance(each, bytes) else str(each).encode() for each in row)
                places.append((f"table {table}/{row[0]}", b"\n".join(values)))
        return places
    finally:
        await connection.close()


def in_topics(stack: Stack) -> list[Place]:
    """Every record of every topic with the stack's prefix, changelogs too: key, value, headers."""
    return asyncio.run(_in_topics(stack))


async def _in_topics(stack: Stack) -> list[Place]:
    client = AIOKafkaAdminClient(bootstrap_servers=stack.broker.bootstrap_servers)
    await client.start()
    try:
        ours = [name for name in await client.list_topics() if name.startswith(stack.prefix)]
        described = await client.describe_topics(ours)
    finally:
        await client.close()
    partitions = [
        TopicPartition(topic["topic"], each["partition"])
        for topic in described
        for each in topic["partitions"]
    ]
    places: list[Place] = []

    def keep(record: InputRecord | Unreadable) -> None:
        headers = (name.encode() + b": " + text for name, text in record.headers)
        parts = (record.key or b"", record.value or b"", *headers)
        name = record.topic.removeprefix(stack.prefix)
        places.append((f"topic {name}/{record.partition}/{record.offset}", b"\n".join(parts)))

    await read_all(stack.settings, partitions, keep)
    return places


def on_pages(url: str, *starts: str) -> Iterator[Place]:
    """What anyone is shown without a credential: these paths, and all that is linked from there."""
    seen: set[str] = set()
    queue = list(starts)
    with httpx.Client(timeout=60) as client:
        while queue and len(seen) < PAGES_MAX:
            path = queue.pop(0)
            alike = [each for each in seen if each.partition("?")[0] == path.partition("?")[0]]
            if path in seen or len(alike) >= QUESTIONS_MAX:
                continue
            seen.add(path)
            with client.stream("GET", url + path) as answer:
                is_stream = "event-stream" in answer.headers.get("content-type", "")
                # A stream has no end: the first event tells how all is now.
                content = next(answer.iter_raw(), b"") if is_stream else answer.read()
            headers = repr(answer.headers.multi_items()).encode()
            yield f"page {url}{path}", headers + b"\n" + content
            text = content.decode("utf-8", "replace")
            linked = [*LINK.findall(text), answer.headers.get("location", "")]
            for link in linked:
                target = urlsplit(urljoin(url + path, html.unescape(link)))
                if f"{target.scheme}://{target.netloc}" == url:
                    queue.append(target.path + (f"?{target.query}" if target.query else ""))
    assert len(seen) < PAGES_MAX, sorted(seen)


def in_arguments(pids: Iterable[int]) -> Iterator[Place]:
    """The command lines of processes and of their children, which all users of a machine see."""
    parents = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(each.parent.name)] = int(each.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    ours = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    for pid in sorted(ours):
        try:
            yield f"arguments of {pid}", Path(f"/proc/{pid}/cmdline").read_bytes()
        except FileNotFoundError:
            continue
