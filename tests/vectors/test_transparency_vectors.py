"""Our own vectors for other implementations: specs/vectors/transparency.json."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from protocol.crypto.hashes import leaf_hash
from protocol.encoding.msgpack import pack, unpack_untrusted
from protocol.encoding.paths import format_key, parse_path, parse_write_path
from protocol.errors import PathError
from protocol.hypercore.core import EMPTY_HEAD
from protocol.hypercore.merkle.growth import append_blocks
from protocol.transparency.changes import Put
from protocol.transparency.frauds import Verified
from protocol.transparency.records import Ack, decode_ack_untrusted, is_ack_key
from protocol.transparency.replay.requests import ContractRun, OperationFacts, RunContract
from tests.replay_world import ContractThrewError, History, Read, bee_blocks, drive, run_toy

VECTORS = json.loads(
    (Path(__file__).parents[2] / "specs" / "vectors" / "transparency.json").read_text()
)
DATABASE = VECTORS["database"]
ORIGIN = bytes.fromhex(DATABASE["participant"])


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: vector["hex"][:20])
def test_values(vector: dict[str, Any]) -> None:
    assert pack(vector["value"]).hex() == vector["hex"]
    assert unpack_untrusted(bytes.fromhex(vector["hex"])) == vector["value"]


def test_values_of_bytes() -> None:
    for vector in VECTORS["bytes_values"]:
        assert pack(bytes.fromhex(vector["value_hex"])).hex() == vector["hex"]


def test_paths() -> None:
    for vector in VECTORS["paths"]:
        assert parse_path(vector["path"]).hex() == vector["key"]
        assert format_key(bytes.fromhex(vector["key"])) == vector["path"]


@pytest.mark.parametrize("path", VECTORS["refused_paths"], ids=ascii)
def test_refused_paths(path: str) -> None:
    with pytest.raises(PathError):
        parse_path(path)


@pytest.mark.parametrize("path", VECTORS["refused_write_paths"])
def test_refused_write_paths(path: str) -> None:
    parse_path(path)
    with pytest.raises(PathError):
        parse_write_path(path)


def count(read: Read, op: Any, ack: Ack) -> list[Any]:
    """The contract of the vectors."""
    if op["amount"] < 0:
        raise ContractThrewError("no")
    return [Put("/counter", (read("/counter") or 0) + op["amount"])]


def database() -> tuple[History, list[bytes]]:
    past = History({DATABASE["source"]: count})
    past.writes = [
        (bytes.fromhex(entry["key"]), bytes.fromhex(entry["value"]))
        for entry in DATABASE["entries"]
    ]
    past.oplogs = {ORIGIN: [bytes.fromhex(block) for block in DATABASE["operations"]]}
    return past, [bytes.fromhex(block) for block in DATABASE["index"]]


def run_here(past: History, request: RunContract) -> ContractRun:
    assert request.runtime_id == DATABASE["runtime"]
    return run_toy(past, request)


def test_the_index_holds_the_entries_and_their_tree_pages() -> None:
    past, blocks = database()
    assert bee_blocks(past.writes) == blocks
    for entry in DATABASE["entries"]:
        assert parse_path(entry["path"]).hex() == entry["key"]


def test_acks_name_operations_by_their_hashes() -> None:
    past, _ = database()
    acks = [decode_ack_untrusted(value or b"") for key, value in past.writes[3:] if is_ack_key(key)]
    head = EMPTY_HEAD
    for ack, block in zip(acks, past.oplogs[ORIGIN], strict=True):
        _, head = append_blocks(head, [block])
        assert (ack.op_hash, ack.oplog_head) == (leaf_hash(block), head.hash())


def test_the_database_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    past, blocks = database()
    heads = {}
    head = EMPTY_HEAD
    for seq, block in enumerate(past.oplogs[ORIGIN]):
        _, head = append_blocks(head, [block])
        heads[seq] = OperationFacts(block, head.hash())
    monkeypatch.setattr(past, "facts", lambda origin, seq: heads[seq])
    verdict, _ = drive(past, runner=partial(run_here, past), blocks=blocks)
    assert isinstance(verdict, Verified), verdict
    assert verdict.state.operations == 4
    assert verdict.state.position == len(blocks)
