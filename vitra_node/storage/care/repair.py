"""Takes out of a store what ``fsck`` finds to be false, so that peers can give it again.

What is done to a damaged log, the least that helps:

  - a block that is false, or listed and not there, is dropped: it is fetched again like any block
    that was never here;
  - tree nodes that do not fit are computed anew from the blocks, when all of them are here and lead
    to the signed head;
  - any other log is emptied if its writer is somebody else, and fetched anew;
  - of our own logs nothing else is touched: who empties what it writes to would sign a second
    history. For those there are backups.

Nothing is ever guessed: what stays is what a check finds nothing wrong with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from protocol.crypto.hashes import discovery_key as discovery_key_of
from protocol.errors import LocalProtocolError
from protocol.hypercore.core import EMPTY_HEAD, TreeHead
from protocol.hypercore.merkle.growth import append_blocks
from protocol.hypercore.merkle.quorum import verify_head

from ...progress import Progress
from ..environments.environment import Environment, Writes
from ..environments.journaled_environment import JournaledEnvironment
from ..environments.lmdb_environment import DATA_NAME
from ..environments.lock import DirectoryLock
from ..environments.schema import (
    BITFIELD_TABLE,
    BLOCK_TABLE,
    NODE_TABLE,
    CoreRecord,
    HeadRecord,
    block_key,
    core_key,
    decode_core,
    decode_head,
    encode_head,
    head_key,
    rows_from,
    rows_of,
)
from ..errors import EnvironmentFull, StorageError
from ..log.bitfield import Bitfield
from .fsck import Finding, check_store
from .restored import mark_restored

_BLOCKS_PER_STEP = 1024


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done to one damaged log.

    Attributes:
      discovery_key: of the log.
      key: of the log, if it could be read.
      findings: what was wrong with it.
      action: ``"blocks dropped"``, ``"nodes computed"``, ``"emptied"`` or ``"untouched"``.
    """

    discovery_key: bytes
    key: bytes | None
    findings: tuple[Finding, ...]
    action: str

    @property
    def done(self) -> bool:
        """Whether the log is sound now, though parts of it may have to be fetched."""
        return self.action != UNTOUCHED


DROPPED, COMPUTED, EMPTIED, UNTOUCHED = "blocks dropped", "nodes computed", "emptied", "untouched"


def repair_directory(directory: Path, progress: Progress | None = None) -> list[Repair]:
    """Check a data directory that no process uses, and repair each damaged log.

    Raises:
      StoreInUse: a process uses it.
      StorageError: there is no store, or its files cannot be read or written.
    """
    if not (directory / DATA_NAME).exists():
        raise StorageError(f"there is no store in {directory}")
    lock = DirectoryLock(directory)
    try:
        environment = JournaledEnvironment(directory)
        try:
            return list(repair_store(environment, progress))
        finally:
            environment.close()
    finally:
        lock.release()


def repair_store(environment: Environment, progress: Progress | None = None) -> Iterator[Repair]:
    """The same for an environment that nothing else changes; one log after the other."""
    found = list(check_store(environment, progress))
    for discovery_key, group in groupby(found, key=lambda finding: finding.discovery_key):
        findings = tuple(group)
        action = _repair(environment, discovery_key, findings)
        yield Repair(discovery_key, findings[0].key, findings, action)


def _repair(environment: Environment, discovery_key: bytes, findings: Sequence[Finding]) -> str:
    data = environment.get(core_key(discovery_key))
    try:
        record = decode_core(data or b"")
    except StorageError:
        # Whose it is cannot be told.
        return UNTOUCHED
    if discovery_key_of(record.key) != discovery_key:
        return UNTOUCHED
    try:
        head_record = decode_head(environment.get(head_key(record.number)) or b"")
    except StorageError:
        return _empty_unless_ours(environment, discovery_key, record, 0)
    if all(finding.block is not None for finding in findings):
        blocks = {finding.block for finding in findings if finding.block is not None}
        _drop(environment, record, head_record, blocks)
        return DROPPED
    if _compute_nodes(environment, record, head_record):
        return COMPUTED
    return _empty_unless_ours(environment, discovery_key, record, head_record.head.length)


def _drop(
    environment: Environment, record: CoreRecord, head_record: HeadRecord, blocks: set[int]
) -> None:
    number = record.number
    bitfield = Bitfield(environment, number, head_record.contiguous_length)
    writes = Writes()
    for index in sorted(blocks):
        writes.delete(block_key(number, index))
        if index < head_record.head.length:
            bitfield.remove_range(index, index + 1)
    bitfield.collect(writes)
    changed = HeadRecord(head_record.head, bitfield.contiguous_length)
    writes.put(head_key(number), encode_head(changed))
    _write(environment, writes)


def _compute_nodes(environment: Environment, record: CoreRecord, stored: HeadRecord) -> bool:
    """Write all nodes anew; False, and nothing written, if the blocks do not lead to the head."""
    if not _is_signed(record, stored.head):
        return False
    head, number = EMPTY_HEAD, record.number
    writes = Writes()
    for table in (NODE_TABLE, BITFIELD_TABLE):
        writes.delete_range(*rows_from(table, number, 0))
    while head.length < stored.head.length:
        start = head.length
        end = min(start + _BLOCKS_PER_STEP, stored.head.length)
        blocks = []
        for index in range(start, end):
            block = environment.get(block_key(number, index))
            if block is None:
                return False
            blocks.append(block)
        nodes, head = append_blocks(head, blocks)
        for key, value in rows_of(number, nodes, start, ()):
            writes.put(key, value)
    if head.roots != stored.head.roots:
        return False
    writes.put(head_key(number), encode_head(HeadRecord(stored.head, head.length)))
    _write(environment, writes)
    return True


def _is_signed(record: CoreRecord, head: TreeHead) -> bool:
    manifest = record.manifest
    if head.length == 0 or manifest is None or not manifest.is_for(record.key):
        return False
    try:
        return verify_head(record.key, manifest, head)
    except LocalProtocolError:
        return False


def _empty_unless_ours(
    environment: Environment, discovery_key: bytes, record: CoreRecord, length: int
) -> str:
    if record.name is not None:
        return UNTOUCHED
    writes = Writes()
    # A program may hold the key pair of this log and write to it: not before it is all here again.
    mark_restored(writes, discovery_key, length)
    for table in (NODE_TABLE, BLOCK_TABLE, BITFIELD_TABLE):
        writes.delete_range(*rows_from(table, record.number, 0))
    writes.put(head_key(record.number), encode_head(HeadRecord(EMPTY_HEAD, 0)))
    _write(environment, writes)
    return EMPTIED


def _write(environment: Environment, writes: Writes) -> None:
    while True:
        try:
            environment.write([writes])
        except EnvironmentFull:
            environment.grow()
        else:
            environment.settle()
            return
