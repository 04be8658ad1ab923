"""Checks a whole store: every block is hashed again, every head verified again.

What is derived is compared with what it is derived from: blocks with leaves, leaves with their
parents, parents with the roots of the head, the head with its signature, the bitfield with the
blocks that are there. Nothing is changed, except that a journal left by a crash is worked off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from protocol.crypto.hashes import TreeNode, leaf_node, parent_node
from protocol.crypto.hashes import discovery_key as discovery_key_of
from protocol.errors import LocalProtocolError
from protocol.hypercore.core import TreeHead
from protocol.hypercore.merkle.flat_tree import end_length, is_left_child, parent, sibling
from protocol.hypercore.merkle.quorum import verify_head

from ...progress import Counter, Progress
from ..environments.environment import Environment, prefix_range
from ..environments.journaled_environment import JournaledEnvironment
from ..environments.lmdb_environment import DATA_NAME
from ..environments.lock import DirectoryLock
from ..environments.schema import (
    BLOCK_TABLE,
    CORE_TABLE,
    NODE_TABLE,
    CoreRecord,
    block_key,
    decode_core,
    decode_head,
    decode_node,
    head_key,
    index_of,
    node_key,
    rows_from,
)
from ..errors import StorageError
from ..log.bitfield import Bitfield

# Rows read at a time, so that a check of a large log holds little of it.
_ROWS_PER_READ = 256


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
      discovery_key: of the log it was found in.
      key: of that log, if it could be read.
      problem: what is wrong, for a person.
      block: the number of the block it concerns, or None.
    """

    discovery_key: bytes
    key: bytes | None
    problem: str
    block: int | None = None


def check_directory(directory: Path, progress: Progress | None = None) -> Iterator[Finding]:
    """``check_store`` on a data directory that no process uses; holds it until exhausted or closed.

    Raises:
      StoreInUse: a process uses it.
      StorageError: there is no store, or its data file cannot be read.
    """
    if not (directory / DATA_NAME).exists():
        raise StorageError(f"there is no store in {directory}")
    lock = DirectoryLock(directory)
    try:
        environment = JournaledEnvironment(directory)
        try:
            yield from check_store(environment, progress)
        finally:
            environment.close()
    finally:
        lock.release()


def check_store(environment: Environment, progress: Progress | None = None) -> Iterator[Finding]:
    """Everything that is wrong, log by log; nothing when the store is sound.

    The environment must not change meanwhile. Takes as long as reading and hashing everything;
    ``progress`` is told of blocks hashed.

    Raises:
      StorageError: the data file as such cannot be read.
    """
    progress = progress or Progress()
    for row, data in environment.items(*prefix_range(CORE_TABLE)):
        id_ = row[len(CORE_TABLE) :]
        try:
            record = decode_core(data)
        except StorageError as error:
            yield Finding(id_, None, str(error))
            continue
        if discovery_key_of(record.key) != id_:
            yield Finding(id_, record.key, "the key does not belong to this discovery key")
        for block, problem in _check_core(environment, record, progress):
            yield Finding(id_, record.key, problem, block)


_Problem = tuple[int | None, str]


def _check_core(
    environment: Environment, record: CoreRecord, progress: Progress
) -> Iterator[_Problem]:
    data = environment.get(head_key(record.number))
    if data is None:
        yield None, "there is no head"
        return
    try:
        head_record = decode_head(data)
    except StorageError as error:
        yield None, str(error)
        return
    head = head_record.head
    yield from _check_head(record, head)
    name = record.key.hex()[:8]
    with progress.counted(f"Checking the tree of log {name}", "nodes", 2 * head.length) as nodes:
        yield from _check_nodes(environment, record.number, head, nodes)
    bitfield = Bitfield(environment, record.number, head_record.contiguous_length)
    with progress.counted(f"Checking log {name}", "blocks", head.length) as blocks:
        yield from _check_blocks(environment, record.number, head, bitfield, blocks)


def _check_head(record: CoreRecord, head: TreeHead) -> Iterator[_Problem]:
    if record.manifest is not None and not record.manifest.is_for(record.key):
        yield None, "the manifest does not belong to the key"
        return
    if head.length == 0:
        if head.roots or head.byte_length:
            yield None, "the head of an empty log has roots"
        return
    if record.manifest is None:
        yield None, "the manifest is missing"
        return
    try:
        genuine = verify_head(record.key, record.manifest, head)
    except LocalProtocolError:
        genuine = False
    if not genuine:
        yield None, "the head does not verify"


def _check_nodes(
    environment: Environment, number: int, head: TreeHead, counter: Counter
) -> Iterator[_Problem]:
    """Every stored node lies in the tree, and leads to a root through stored nodes."""
    roots = {root.index for root in head.roots}
    for root in head.roots:
        if _node(environment, number, root.index) != root:
            yield None, f"root {root.index} is not stored as it stands in the head"
    for row, data in _rows(environment, NODE_TABLE, number):
        index = index_of(row)
        counter.done = index + 1
        try:
            node = decode_node(index, data)
        except StorageError as error:
            yield None, str(error)
            continue
        if end_length(index) > head.length:
            yield None, f"tree node {index} is not part of the tree"
        elif index not in roots:
            beside = _node(environment, number, sibling(index))
            above = _node(environment, number, parent(index))
            if beside is None or above is None:
                yield None, f"tree node {index} has no path to a root"
            elif is_left_child(index) and parent_node(node, beside) != above:
                yield None, f"tree nodes {index} and {beside.index} do not hash to their parent"


def _check_blocks(
    environment: Environment, number: int, head: TreeHead, bitfield: Bitfield, counter: Counter
) -> Iterator[_Problem]:
    seen = 0
    for row, block in _rows(environment, BLOCK_TABLE, number):
        index = index_of(row)
        counter.done = index + 1
        if index >= head.length:
            yield index, "this block is past the end of the log"
            continue
        if not bitfield.has(index):
            yield index, "this block is stored, but not listed"
        else:
            seen += 1
        leaf = _node(environment, number, 2 * index)
        if leaf is None:
            yield index, "the leaf of this block is missing"
        elif leaf_node(index, block) != leaf:
            yield index, "this block does not hash to its leaf"
    if bitfield.contiguous_length > head.length:
        yield None, "more blocks are listed than the log has"
        return
    listed = int.from_bytes(bitfield.read(0, (head.length + 7) & ~7), "little")
    if listed >> head.length:
        yield None, "a block past the end of the log is listed"
    if listed.bit_count() != seen:
        yield from _missing_blocks(environment, number, head.length, bitfield)


def _missing_blocks(
    environment: Environment, number: int, length: int, bitfield: Bitfield
) -> Iterator[_Problem]:
    for index in range(length):
        if bitfield.has(index) and environment.get(block_key(number, index)) is None:
            yield index, "this block is listed, but not stored"


def _rows(environment: Environment, table: bytes, number: int) -> Iterator[tuple[bytes, bytes]]:
    start, end = rows_from(table, number, 0)
    while rows := environment.items(start, end, limit=_ROWS_PER_READ):
        yield from rows
        start = rows[-1][0] + b"\x00"


def _node(environment: Environment, number: int, index: int) -> TreeNode | None:
    data = environment.get(node_key(number, index))
    if data is None:
        return None
    try:
        return decode_node(index, data)
    except StorageError:
        return None
