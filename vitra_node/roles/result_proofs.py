"""Proofs of results: fetched over the network where blocks are missing, made here."""

from __future__ import annotations

from protocol.encoding.paths import ack_key
from protocol.errors import BeeBlockError, RecordError
from protocol.hypercore.merkle.prover import CannotProve
from protocol.transparency.frauds import CannotTell, UncertaintyCode, Verdict
from protocol.transparency.proofs.extract import extract_blocks
from protocol.transparency.proofs.result_proof import ResultProof
from protocol.transparency.records import decode_ack_untrusted
from protocol.transparency.replay.state import START

from ..errors import CannotTellYet, StoreDamaged
from ..ledger.index import Index
from ..ledger.oplogs import OplogSet
from ..storage.errors import BlockNotAvailable
from .auditor import Auditor


async def prove_result(
    index: Index, oplogs: OplogSet, origin: bytes, seq: int, seconds: float
) -> ResultProof:
    """Prove what became of an operation; peers have so many seconds for each missing block.

    Raises:
      CannotTellYet: it is not executed yet.
      BlockNotAvailable: a block is missing here, and no peer gave it in time.
      StoreDamaged: a record of the index does not decode.
    """
    start, count = await _transaction(index, origin, seq)
    core, oplog = index.core, (await oplogs.open(origin)).core
    for number in range(start, start + 1 + count):
        await core.get(number, timeout=seconds)
    with oplog.tail(seq):
        await oplog.get(seq, timeout=seconds)
    try:
        blocks = extract_blocks(core.storage, range(start, start + 1 + count))
        operation = extract_blocks(oplog.storage, [seq])
    except CannotProve as error:
        raise CannotTellYet(f"The proof cannot be made here: {error}.") from error
    return ResultProof(core.key, origin, seq, blocks, operation)


async def verify_one(index: Index, auditor: Auditor, origin: bytes, seq: int) -> Verdict:
    """Replay one operation alone: it needs a logarithmic number of blocks, from any peer."""
    start = 0
    try:
        start, count = await _transaction(index, origin, seq)
        return await auditor.run_one(start, min(start + 1 + count, index.length))
    except CannotTellYet as error:
        return CannotTell(UncertaintyCode.UNFINISHED_TRANSACTION, error.failed, 0, START)
    except BlockNotAvailable as error:
        reason = f"Missing here is {error}."
        return CannotTell(UncertaintyCode.CANNOT_FETCH_INDEX, reason, start, START)
    except (RecordError, BeeBlockError) as error:
        reason = f"The index before block {start} cannot be read: {error}."
        return CannotTell(UncertaintyCode.UNEXPECTED_SEQ, reason, start, START)


async def _transaction(index: Index, origin: bytes, seq: int) -> tuple[int, int]:
    """The index block of an operation's ack, and how many changes stand behind it."""
    entry = await index.get_packed(ack_key(origin, seq))
    if entry is None:
        raise CannotTellYet(f"Operation {seq} of oplog {origin.hex()} is not executed yet.")
    start, value = entry
    try:
        return start, decode_ack_untrusted(value).num_changes
    except RecordError as error:
        raise StoreDamaged(f"The ack in index block {start} does not decode: {error}.") from error
