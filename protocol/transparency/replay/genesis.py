"""The replay of a genesis: source, participants, genesis ack. The table is in ``replay``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ...encoding.paths import CONTRACT_SOURCE, GENESIS_ACK, INPUTS_PREFIX, format_key
from ...errors import RecordError
from ..frauds import UncertaintyCode, Violation, ViolationCode
from ..records import (
    RECORD_FORMAT,
    GenesisAck,
    decode_genesis_ack_untrusted,
    decode_input_untrusted,
    decode_source_untrusted,
)
from .entries import Entries
from .requests import IndexEntry
from .stop import Broken, Step, Unknown


class _State(Enum):
    SOURCE = auto()
    FIRST_INPUT = auto()
    INPUTS = auto()
    DONE = auto()


class _Kind(Enum):
    SOURCE = auto()
    INPUT = auto()
    GENESIS_ACK = auto()
    OTHER = auto()


_NEXT: Final = {
    (_State.SOURCE, _Kind.SOURCE): _State.FIRST_INPUT,
    (_State.FIRST_INPUT, _Kind.INPUT): _State.INPUTS,
    (_State.INPUTS, _Kind.INPUT): _State.INPUTS,
    (_State.INPUTS, _Kind.GENESIS_ACK): _State.DONE,
}


@dataclass(frozen=True, slots=True)
class Genesis:
    """What a database begins with.

    Attributes:
      entries: the entries of the genesis, in order.
      source: the contract.
      source_seq: the index block that holds it.
      participants: public keys.
      ack: runtime and form of the records.
    """

    entries: tuple[IndexEntry, ...]
    source: str
    source_seq: int
    participants: tuple[bytes, ...]
    ack: GenesisAck


def replay_genesis(entries: Entries, seq: int) -> Step[Genesis]:
    """Read the genesis, which begins at block ``seq``.

    Raises:
      Broken: an entry has no place there, or does not follow its schema.
      Unknown: the index ends too early, or its records have a form this code does not know.
    """
    seen: list[IndexEntry] = []
    participants: list[bytes] = []
    source, source_seq = "", seq
    ack = GenesisAck(None)
    state = _State.SOURCE
    while state is not _State.DONE:
        if seq >= entries.length:
            reason = "The index ends before its genesis is complete."
            raise Unknown(UncertaintyCode.UNFINISHED_GENESIS, reason, seq)
        entry = yield from entries.read(seq)
        kind = _kind(entry.key)
        following = _NEXT.get((state, kind))
        if following is None:
            raise Broken(_unexpected(state, kind, entry))
        try:
            if entry.value is None:
                raise RecordError("an entry of the genesis was deleted")
            if kind is _Kind.SOURCE:
                source, source_seq = decode_source_untrusted(entry.value), seq
            elif kind is _Kind.INPUT:
                participants.append(_active(entry.key, entry.value))
            else:
                ack = decode_genesis_ack_untrusted(entry.value)
        except RecordError as error:
            reason = f"The genesis does not follow its schema: {error}."
            raise Broken(
                Violation(ViolationCode.INVALID_SCHEMA, reason, seq=seq, actual=entry.write)
            ) from None
        seen.append(entry)
        state = following
        seq += 1
    if not ack.legacy and ack.record_format != RECORD_FORMAT:
        reason = f"The records have form {ack.record_format}, this program knows {RECORD_FORMAT}."
        raise Unknown(UncertaintyCode.UNKNOWN_FORMAT, reason, seq - 1)
    return Genesis(tuple(seen), source, source_seq, tuple(participants), ack)


def _kind(key: bytes) -> _Kind:
    if key == CONTRACT_SOURCE:
        return _Kind.SOURCE
    if key.startswith(INPUTS_PREFIX):
        return _Kind.INPUT
    return _Kind.GENESIS_ACK if key == GENESIS_ACK else _Kind.OTHER


def _active(key: bytes, value: bytes) -> bytes:
    record = decode_input_untrusted(key, value)
    if not record.active:
        raise RecordError("a participant of the genesis is not active")
    return record.public_key


def _unexpected(state: _State, kind: _Kind, entry: IndexEntry) -> Violation:
    if state is _State.FIRST_INPUT and kind is _Kind.GENESIS_ACK:
        code = ViolationCode.NO_GENESIS_INPUTS_DECLARED
        reason = "The genesis names no participant."
    else:
        code = ViolationCode.UNEXPECTED_PATH
        reason = f"{format_key(entry.key)} has no place in the genesis here."
    return Violation(code, reason, seq=entry.seq, actual=entry.write)
