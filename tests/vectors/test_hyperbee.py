"""Blocks, listings, histories and diffs of Hyperbees written by JavaScript."""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from protocol.hyperbee import (
    BeeBlock,
    BeeWriter,
    BlockReads,
    Bounds,
    Delete,
    DiffReader,
    Entry,
    Header,
    HistoryReader,
    Put,
    RangeReader,
    decode_block_untrusted,
    decode_header_untrusted,
    encode_header,
    get,
    run,
    sub_bounds,
    sub_prefix,
)

_SPECS = Path(__file__).parents[2] / "specs" / "vectors"
VECTORS: dict[str, Any] = json.loads((_SPECS / "hypercore.json").read_text())["hyperbee"]


def _operation(op: list[Any]) -> Put | Delete:
    key = op[1].encode()
    if op[0] == "del":
        return Delete(key)
    return Put(key, None if op[2] is None else op[2].encode())


class Log:
    """Blocks in memory, with readers run over them."""

    def __init__(self, blocks: list[bytes]) -> None:
        self.blocks = blocks

    def fetch(self, seq: int) -> BeeBlock:
        return decode_block_untrusted(self.blocks[seq], seq)

    def run(self, reads: BlockReads[Any]) -> Any:
        return run(reads, self.fetch)

    def all(self, reader: Any) -> list[Any]:
        entries = []
        while (entry := self.run(reader.next())) is not None:
            entries.append(entry)
        return entries


def _blocks(case: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(block) for block in case["blocks"]]


def _write(batches: list[list[Any]], writer: BeeWriter, log: Log) -> list[bytes]:
    for batch in batches:
        log.blocks += log.run(writer.batch(map(_operation, batch)))
    return log.blocks


def _entry(entry: dict[str, Any] | None) -> Entry | None:
    if entry is None:
        return None
    value = entry.get("value")
    return Entry(
        entry["seq"], bytes.fromhex(entry["key"]), None if value is None else bytes.fromhex(value)
    )


@pytest.mark.parametrize("name", ["single_ops", "to_empty"])
def test_single_operations(name: str) -> None:
    case = VECTORS[name]
    assert _write([[op] for op in case["ops"]], BeeWriter(0), Log([])) == _blocks(case)


def test_a_writer_without_memory_writes_the_same() -> None:
    case = VECTORS["single_ops"]
    log = Log([])
    for op in case["ops"]:
        _write([[op]], BeeWriter(len(log.blocks)), log)
    assert log.blocks == _blocks(case)


def test_many_operations() -> None:
    case = VECTORS["large"]
    blocks = _write([[op] for op in case["ops"]], BeeWriter(0), Log([]))
    digests = [blake2b(block, digest_size=32).hexdigest() for block in blocks]
    assert digests == case["block_hashes"]
    listing = Log(blocks).all(RangeReader(len(blocks)))
    assert listing == [_entry(entry) for entry in case["listing"]]


@pytest.mark.parametrize("one_writer", [True, False])
def test_batches(one_writer: bool) -> None:
    case = VECTORS["batches"]
    log = Log([])
    writer = BeeWriter(0)
    for batch in case["batches"]:
        _write([batch], writer if one_writer else BeeWriter(len(log.blocks)), log)
    assert log.blocks == _blocks(case)


@pytest.mark.parametrize("name", ["single_ops", "to_empty", "batches"])
def test_listing_and_get(name: str) -> None:
    case = VECTORS[name]
    log = Log(_blocks(case))
    version = len(log.blocks)
    listing = [_entry(entry) for entry in case["listing"]]
    assert log.all(RangeReader(version)) == listing
    assert log.all(RangeReader(version, reverse=True)) == listing[::-1]
    for entry in listing:
        assert entry is not None
        assert log.run(get(version, entry.key)) == entry
        assert log.run(get(version, entry.key + b"\x00")) is None


@pytest.mark.parametrize("name", ["single_ops", "batches"])
def test_history(name: str) -> None:
    case = VECTORS[name]
    log = Log(_blocks(case))
    history = log.all(HistoryReader(len(log.blocks)))
    assert [
        {"type": "del" if op.deleted else "put", "seq": op.seq, "key": op.key.hex()}
        for op in history
    ] == case["history"]


def test_checkout_and_diff() -> None:
    case = VECTORS["single_ops"]
    log = Log(_blocks(case))
    checkout = [_entry(entry) for entry in case["checkout20_listing"]]
    assert log.all(RangeReader(20)) == checkout

    def bare(entry: Entry | None) -> tuple[int, bytes] | None:
        return entry and (entry.seq, entry.key)

    diff = log.all(DiffReader(len(log.blocks), 20))
    assert [(bare(d.left), bare(d.right)) for d in diff] == [
        (bare(_entry(d["left"])), bare(_entry(d["right"]))) for d in case["diff_against_version20"]
    ]


def test_encodings_header_and_subs() -> None:
    case = VECTORS["encodings"]
    header = Header(content_feed=b"\x01" * 32, user_data=b"ud")
    blocks = _blocks(case)
    assert encode_header(header) == blocks[0]
    assert decode_header_untrusted(blocks[0]) == header
    log = Log([])
    writer = BeeWriter(0, header=header)
    sub = sub_prefix(b"", b"ns")
    for key, value in (
        (b"a", b'{"x":1}'),
        (sub + b"a", b'{"y":2}'),
        (sub_prefix(sub, b"in") + b"b", b"[1]"),
    ):
        log.blocks += log.run(writer.batch([Put(key, value)]))
    assert log.blocks == blocks
    listing = log.all(RangeReader(4, sub_bounds(sub, Bounds())))
    assert [entry.key.removeprefix(sub).decode() for entry in listing] == case["sub_listing_keys"]


def test_without_duplicates() -> None:
    log = Log([])
    writer = BeeWriter(0, always_duplicate=False)
    for value in (b"1", b"1", b"2"):
        log.blocks += log.run(writer.batch([Put(b"a", value)]))
    assert log.blocks == _blocks(VECTORS["always_duplicate_false"])
