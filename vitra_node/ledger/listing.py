"""Listing one level of the index, as a directory is listed.

The keys below ``/users`` may be ``/users/ann``, ``/users/bob/name`` and ``/users/bob/mail``; its
listing is ``ann`` and ``bob``, the latter as a container. A key's segments are joined by NUL, so
all keys inside a container lie between ``name + NUL`` and ``name + 0x01``: one step of the tree
skips a container of any size, whatever bytes its names hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Protocol

from protocol.encoding.paths import format_key

from ..contracts.engine import Entry, ListOptions, Value

_SEPARATOR = b"\x00"
_AFTER_SEPARATOR = b"\x01"
# Above every key: 0xff never occurs in UTF-8.
_LAST = b"\xff"


class OrderedEntries(Protocol):
    """What a listing reads from: the entries of one version in key order."""

    def entries(
        self, gte: bytes, lt: bytes, *, reverse: bool = False
    ) -> AsyncIterator[tuple[bytes, int, Value]]:
        """``(key, seq, value)`` of every key with ``gte <= key < lt``.

        Reading may stop anywhere, so this must not be an async generator, which would have to be
        closed.
        """
        ...


async def list_level(source: OrderedEntries, prefix: bytes, options: ListOptions) -> list[Entry]:
    """The entries one level below ``prefix`` (key bytes that end in NUL, or empty for the root).

    A name that has a value and entries below it appears once: as a container with its value.
    """
    level = _Level(source, prefix, options.limit)
    low, high = _bounds(prefix, options)
    if options.reverse:
        await level.read_backwards(low, high)
    else:
        await level.read_forwards(low, high)
    return level.found


class _Level:
    """One listing being made; ``found`` is complete when ``full``."""

    def __init__(self, source: OrderedEntries, prefix: bytes, limit: int | None) -> None:
        self.found: list[Entry] = []
        self._source = source
        self._prefix = prefix
        self._limit = limit

    @property
    def full(self) -> bool:
        return self._limit is not None and len(self.found) >= self._limit

    async def read_forwards(self, low: bytes, high: bytes) -> None:
        while low < high and not self.full:
            container = await self._plain_ones(low, high)
            if container is None:
                return
            low = container + _AFTER_SEPARATOR

    async def _plain_ones(self, low: bytes, high: bytes) -> bytes | None:
        """Take entries up to the first container, and give that container's own key."""
        async for key, seq, value in self._source.entries(low, high):
            own, inside = self._own_key(key)
            if inside:
                # NUL is the lowest byte: what lies below a name follows the name itself at once.
                if self.found and self.found[-1].path == format_key(own):
                    self.found[-1] = replace(self.found[-1], container=True)
                elif not self.full:
                    self.found.append(_entry(own, 0, None, container=True))
                return own
            if self.full:
                return None
            self.found.append(_entry(own, seq, value, container=False))
        return None

    async def read_backwards(self, low: bytes, high: bytes) -> None:
        while low < high and not self.full:
            container = await self._plain_ones_backwards(low, high)
            if container is None:
                return
            entry = _entry(container, 0, None, container=True)
            at = self._source.entries(max(container, low), container + _SEPARATOR)
            async for _, seq, value in at:
                entry = replace(entry, seq=seq, value=value)
            self.found.append(entry)
            high = container

    async def _plain_ones_backwards(self, low: bytes, high: bytes) -> bytes | None:
        async for key, seq, value in self._source.entries(low, high, reverse=True):
            own, inside = self._own_key(key)
            if inside:
                return own
            self.found.append(_entry(own, seq, value, container=False))
            if self.full:
                return None
        return None

    def _own_key(self, key: bytes) -> tuple[bytes, bool]:
        """The key of the name on this level, and whether ``key`` lies below that name."""
        name, separator, _ = key[len(self._prefix) :].partition(_SEPARATOR)
        return self._prefix + name, bool(separator)


def _bounds(prefix: bytes, options: ListOptions) -> tuple[bytes, bytes]:
    """The half-open range of keys whose names lie within the options' bounds."""
    low = prefix
    high = prefix + _LAST
    if options.gte is not None:
        low = max(low, prefix + options.gte.encode())
    if options.gt is not None:
        low = max(low, prefix + options.gt.encode() + _AFTER_SEPARATOR)
    if options.lt is not None:
        high = min(high, prefix + options.lt.encode())
    if options.lte is not None:
        high = min(high, prefix + options.lte.encode() + _AFTER_SEPARATOR)
    return low, high


def _entry(key: bytes, seq: int, value: Value, *, container: bool) -> Entry:
    name = key.rpartition(_SEPARATOR)[2].decode(errors="backslashreplace")
    return Entry(container=container, seq=seq, name=name, path=format_key(key), value=value)
