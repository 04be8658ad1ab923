"""Listing one level of the index, against the obvious way of computing it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding.paths import format_key, parse_path
from vitra_node.contracts.engine import Entry, ListOptions, Value
from vitra_node.ledger.listing import list_level


class Entries:
    """Ordered entries in memory, counting how many were read."""

    def __init__(self, values: dict[bytes, int]) -> None:
        self.values = values
        self.read = 0

    def entries(
        self, gte: bytes, lt: bytes, *, reverse: bool = False
    ) -> AsyncIterator[tuple[bytes, int, Value]]:
        return Walk(self, sorted((k for k in self.values if gte <= k < lt), reverse=reverse))


class Walk:
    """Iterates over some of the entries."""

    def __init__(self, source: Entries, keys: list[bytes]) -> None:
        self.source = source
        self.keys = iter(keys)

    def __aiter__(self) -> Walk:
        return self

    async def __anext__(self) -> tuple[bytes, int, Value]:
        key = next(self.keys, None)
        if key is None:
            raise StopAsyncIteration
        self.source.read += 1
        seq = self.source.values[key]
        return key, seq, f"value {seq}"


def obvious(values: dict[bytes, int], prefix: bytes, options: ListOptions) -> list[Entry]:
    """All names below the prefix, then bounds, order and limit."""
    names = {key[len(prefix) :].split(b"\x00")[0] for key in values if key.startswith(prefix)}
    chosen = [
        name
        for name in sorted(names, reverse=options.reverse)
        if (options.gt is None or name > options.gt.encode())
        and (options.gte is None or name >= options.gte.encode())
        and (options.lt is None or name < options.lt.encode())
        and (options.lte is None or name <= options.lte.encode())
    ]
    found = []
    for name in chosen[: options.limit]:
        own = prefix + name
        seq = values.get(own)
        found.append(
            Entry(
                container=any(key.startswith(own + b"\x00") for key in values),
                seq=seq or 0,
                name=name.decode(),
                path=format_key(own),
                value=None if seq is None else f"value {seq}",
            )
        )
    return found


def listed(source: Entries, prefix: bytes, options: ListOptions) -> list[Entry]:
    return trio.run(list_level, source, prefix, options)


names = st.sampled_from(["a", "b", "a!", "ab", "ä", "\u00ff", "\uffff", "\x01", "Z", "😀"])
paths = st.lists(names, min_size=1, max_size=3).map(lambda segments: "/" + "/".join(segments))
bounds = st.none() | names
options = st.builds(
    ListOptions,
    gt=bounds,
    gte=bounds,
    lt=bounds,
    lte=bounds,
    limit=st.none() | st.integers(0, 4),
    reverse=st.booleans(),
)


@settings(max_examples=300)
@given(st.sets(paths, max_size=14), st.sampled_from(["", "/a", "/ä"]), options)
def test_same_as_the_obvious_way(stored: set[str], below: str, options: ListOptions) -> None:
    values = {parse_path(path): number for number, path in enumerate(sorted(stored), 1)}
    prefix = parse_path(below) + b"\x00" if below else b""
    assert listed(Entries(values), prefix, options) == obvious(values, prefix, options)


def test_a_large_container_is_stepped_over() -> None:
    values = {parse_path(f"/big/{number:05}"): number + 1 for number in range(1000)}
    values[parse_path("/next")] = 5000
    for reverse in (False, True):
        source = Entries(values)
        found = listed(source, b"", ListOptions(reverse=reverse))
        assert {entry.name for entry in found} == {"big", "next"}
        assert source.read < 5
