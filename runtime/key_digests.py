"""Digests of topics, key by key: whether a copy has the same records in the same order. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from struct import pack

from runtime.records import InputRecord, OutputRecord

_BYTES = 16


@dataclass
class KeyDigests:
    """A digest of each key in each partition, over all its records, times and headers in order.

    The order of keys among each other does not matter.
    """

    records: int = 0
    _of: dict[tuple[int, bytes | None], bytes] = field(default_factory=dict)

    def take(self, record: InputRecord | OutputRecord) -> None:
        """Add the next record."""
        self.records += 1
        name = record.partition, record.key
        made = blake2b(self._of.get(name, b""), digest_size=_BYTES)
        made.update(pack(">qi", record.timestamp, len(record.headers)))
        parts = [record.value, *(each for name, text in record.headers for each in (name, text))]
        for part in parts:
            raw = part.encode() if isinstance(part, str) else part
            made.update(pack(">q", -1 if raw is None else len(raw)))
            made.update(raw or b"")
        self._of[name] = made.digest()

    @property
    def keys(self) -> int:
        """The number of keys."""
        return len(self._of)

    def __str__(self) -> str:
        """One digest of all keys, in hexadecimal."""
        total = 0
        for (partition, key), digest in self._of.items():
            one = blake2b(pack(">ii", partition, -1 if key is None else len(key)), digest_size=8)
            one.update(key or b"")
            one.update(digest)
            total = (total + int.from_bytes(one.digest())) % 2**64
        return f"{total:016x}"

    def differing(self, other: "KeyDigests") -> list[tuple[int, bytes | None]]:
        """The partitions and keys that are not the same in both."""
        names: Iterable[tuple[int, bytes | None]] = {*self._of, *other._of}
        found = [each for each in names if self._of.get(each) != other._of.get(each)]
        return sorted(found, key=lambda each: (each[0], each[1] or b""))
