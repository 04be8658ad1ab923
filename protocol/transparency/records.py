"""The records an executor publishes on the index: genesis, inputs, acks.

Executor and monitor share these definitions. A transaction is one ack followed by the writes of
its operation, and stands in the index as consecutive blocks. See specs/10-auditing.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ..encoding.msgpack import UNDEFINED, Value, pack, unpack_untrusted
from ..encoding.paths import (
    ACK_SEQ_DIGITS,
    ACKS_PREFIX,
    CONTRACT_SOURCE,
    GENESIS_ACK,
    INPUTS_PREFIX,
    MAX_ACK_SEQ,
    PUBLIC_KEY_BYTES,
    ack_key,
    input_key,
)
from ..errors import DecodeError, LocalProtocolError, RecordError
from ..limits import MAX_SAFE_INTEGER
from .changes import Write

HASH_BYTES: Final = 32

# The form of the records. A reader that meets another one answers "cannot tell".
RECORD_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Ack:
    """What the executor says about one operation.

    Attributes:
      origin: public key of the oplog, 32 bytes.
      seq: number of the operation in its oplog, from 0.
      ts: milliseconds since 1970; never less than in the ack before.
      success: whether ``apply`` ended without an error.
      error: the text of the failure, None exactly when it succeeded.
      metadata: what the contract's ``process`` returned.
      num_changes: number of index blocks that follow as the operation's writes. The original
        counted deletions of absent keys too, which have no block.
      op_hash: leaf hash of the operation's block, 32 bytes; None in the original's acks.
      oplog_head: tree hash of the oplog with the operation as its last block, 32 bytes; None in
        the original's acks.
      runtime_id: the runtime for the source that this operation set, None when it set none.
    """

    origin: bytes
    seq: int
    ts: int
    success: bool
    error: str | None
    metadata: Value
    num_changes: int
    op_hash: bytes | None = None
    oplog_head: bytes | None = None
    runtime_id: str | None = None

    def key(self) -> bytes:
        """The key of the index under which the ack stands."""
        return ack_key(self.origin, self.seq)


@dataclass(frozen=True, slots=True)
class Input:
    """Whether an oplog's operations count; ``public_key`` has 32 bytes."""

    public_key: bytes
    active: bool


@dataclass(frozen=True, slots=True)
class GenesisAck:
    """The end of the genesis.

    Attributes:
      runtime_id: the contract runtime the database was made for, None in databases of the
        original.
      record_format: form of the records; 0 in databases of the original.
    """

    runtime_id: str | None
    record_format: int = RECORD_FORMAT

    @property
    def legacy(self) -> bool:
        """Whether the database was made by the original, whose acks name no operation."""
        return self.runtime_id is None


def encode_ack(ack: Ack) -> bytes:
    """Encode an ack as the value of its index entry.

    Raises:
      LocalProtocolError: the ack is not complete, contradicts itself, or its metadata is no value.
    """
    if ack.op_hash is None or ack.oplog_head is None:
        raise LocalProtocolError("an ack names its operation by two hashes")
    if ack.success is not (ack.error is None):
        raise LocalProtocolError("an ack has an error exactly when it reports no success")
    record: dict[str, object] = {
        "success": ack.success,
        "error": ack.error,
        "origin": ack.origin.hex(),
        "seq": ack.seq,
        "ts": ack.ts,
        "metadata": ack.metadata,
        "numChanges": ack.num_changes,
        "opHash": ack.op_hash,
        "oplogHead": ack.oplog_head,
    }
    if ack.runtime_id is not None:
        record["runtime"] = ack.runtime_id
    return pack(record)


def decode_ack_untrusted(value: bytes) -> Ack:
    """Decode the value of an ack's index entry; the original's form too.

    Raises:
      RecordError: not MessagePack, a field is missing or of another type or out of range, or
        error and success contradict each other.
    """
    fields = _Fields(value, "ack")
    success = fields.boolean("success")
    error = fields.optional_text("error")
    op_hash = fields.optional_bytes("opHash")
    oplog_head = fields.optional_bytes("oplogHead")
    if (op_hash is None) is not (oplog_head is None):
        raise RecordError("an ack names its operation by two hashes or by none")
    # The original has no error text for a contract that throws undefined.
    if success is not (error is None) and (success or op_hash is not None):
        raise RecordError("an ack has an error exactly when it reports no success")
    metadata = fields.record.get("metadata")
    return Ack(
        origin=fields.hex_key("origin"),
        seq=fields.integer("seq", MAX_ACK_SEQ),
        ts=fields.integer("ts", MAX_SAFE_INTEGER),
        success=success,
        error=error,
        metadata=None if metadata is UNDEFINED else metadata,
        num_changes=fields.integer("numChanges", MAX_SAFE_INTEGER),
        op_hash=op_hash,
        oplog_head=oplog_head,
        runtime_id=fields.optional_text("runtime"),
    )


def parse_ack_key_untrusted(key: bytes) -> tuple[bytes, int]:
    """Take an ack's key apart: public key of the oplog and number of the operation.

    Raises:
      RecordError: not the key of an operation's ack, to the byte.
    """
    parts = key.removeprefix(ACKS_PREFIX).split(b"\x00")
    if key.startswith(ACKS_PREFIX) and len(parts) == 2:
        public_key, seq = parts
        if len(seq) == ACK_SEQ_DIGITS and seq.isdigit() and len(public_key) == 64:
            try:
                origin, number = bytes.fromhex(public_key.decode("ascii")), int(seq)
            except ValueError as error:
                raise RecordError("an ack's key holds no public key") from error
            if ack_key(origin, number) == key:
                return origin, number
    raise RecordError("not the key of an ack")


def encode_input(record: Input) -> bytes:
    """Encode a participant's record as the value of its index entry."""
    return pack({"pubkey": record.public_key, "active": record.active})


def decode_input_untrusted(key: bytes, value: bytes) -> Input:
    """Decode a participant's record, and check that it stands under its own key.

    Raises:
      RecordError: not MessagePack, a field is missing or of another type, or the key is another
        participant's.
    """
    fields = _Fields(value, "participant")
    public_key = fields.record.get("pubkey")
    if not isinstance(public_key, bytes) or len(public_key) != PUBLIC_KEY_BYTES:
        raise RecordError("a participant's pubkey has 32 bytes")
    if key != input_key(public_key):
        raise RecordError("a participant's record stands under another key than its own")
    return Input(public_key, fields.boolean("active"))


def encode_genesis_ack(genesis: GenesisAck) -> bytes:
    """Encode the end of the genesis as the value of its index entry."""
    return pack({"runtime": genesis.runtime_id, "format": genesis.record_format})


def decode_genesis_ack_untrusted(value: bytes) -> GenesisAck:
    """Decode the end of the genesis; the original's is an empty map.

    Raises:
      RecordError: not MessagePack, or a field of another type.
    """
    fields = _Fields(value, "genesis ack")
    runtime_id = fields.optional_text("runtime")
    if runtime_id is None:
        return GenesisAck(None, 0)
    return GenesisAck(runtime_id, fields.integer("format", MAX_SAFE_INTEGER))


def decode_source_untrusted(value: bytes) -> str:
    """Decode the contract's source.

    Raises:
      RecordError: not MessagePack, or not text.
    """
    source = _unpack(value, "contract source")
    if not isinstance(source, str):
        raise RecordError("the contract source is not text")
    return source


def genesis_batch(
    source: str, participants: Iterable[bytes], runtime_id: str
) -> list[tuple[bytes, bytes]]:
    """Give the first entries of an index, in order: source, participants, genesis ack.

    Args:
      participants: public keys, 32 bytes each; repeated ones count once.

    Raises:
      LocalProtocolError: there is no participant, or a key has the wrong length.
    """
    inputs = sorted((input_key(key), encode_input(Input(key, True))) for key in set(participants))
    if not inputs:
        raise LocalProtocolError("a database has at least one participant")
    genesis = encode_genesis_ack(GenesisAck(runtime_id))
    return [(CONTRACT_SOURCE, pack(source)), *inputs, (GENESIS_ACK, genesis)]


def op_batch(ack: Ack, writes: Sequence[Write]) -> list[Write]:
    """Give the index entries of one operation, in order: its ack, then its effective writes.

    Args:
      writes: in the order of their keys, without deletions of absent keys
        (``changes.effective_writes``).

    Raises:
      LocalProtocolError: the ack counts other writes than these, reports a failure that wrote
        something, or cannot be encoded; the writes are out of order or name a key twice.
    """
    if ack.num_changes != len(writes):
        raise LocalProtocolError("an ack counts the writes that follow it")
    if writes and not ack.success:
        raise LocalProtocolError("a failed operation writes nothing")
    keys = [key for key, _ in writes]
    if any(a >= b for a, b in pairwise(keys)):
        raise LocalProtocolError("writes stand in the order of their keys, each key once")
    if (CONTRACT_SOURCE in keys) is (ack.runtime_id is None):
        raise LocalProtocolError("an ack names a runtime exactly when its operation set a source")
    return [(ack.key(), encode_ack(ack)), *writes]


def is_input_key(key: bytes) -> bool:
    """Whether the key is that of a participant's record."""
    return key.startswith(INPUTS_PREFIX)


def is_ack_key(key: bytes) -> bool:
    """Whether the key is that of an ack, be it of the genesis or malformed."""
    return key.startswith(ACKS_PREFIX)


class _Fields:
    """The fields of a record, each taken out with its type checked."""

    def __init__(self, value: bytes, name: str) -> None:
        record = _unpack(value, name)
        if not isinstance(record, dict):
            raise RecordError(f"the {name} is not a map")
        self.record = record
        self.name = name

    def boolean(self, field: str) -> bool:
        value = self.record.get(field)
        if not isinstance(value, bool):
            raise self._wrong(field, "true or false")
        return value

    def integer(self, field: str, largest: int) -> int:
        value = self.record.get(field)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
            raise self._wrong(field, f"an integer from 0 to {largest}")
        return value

    def optional_text(self, field: str) -> str | None:
        value = self.record.get(field)
        if value is None or value is UNDEFINED:
            return None
        if not isinstance(value, str):
            raise self._wrong(field, "text")
        return value

    def optional_bytes(self, field: str) -> bytes | None:
        value = self.record.get(field)
        if value is None or value is UNDEFINED:
            return None
        if not isinstance(value, bytes) or len(value) != HASH_BYTES:
            raise self._wrong(field, f"{HASH_BYTES} bytes")
        return value

    def hex_key(self, field: str) -> bytes:
        value = self.record.get(field)
        if isinstance(value, str) and len(value) == 2 * PUBLIC_KEY_BYTES:
            try:
                key = bytes.fromhex(value)
            except ValueError:
                raise self._wrong(field, "a public key in hex") from None
            if key.hex() == value:
                return key
        raise self._wrong(field, "a public key in hex")

    def _wrong(self, field: str, wanted: str) -> RecordError:
        return RecordError(f"the {self.name}'s {field} is not {wanted}")


def _unpack(value: bytes, name: str) -> Value:
    try:
        return unpack_untrusted(value)
    except DecodeError as error:
        raise RecordError(f"the {name} is not a value: {error}") from error
