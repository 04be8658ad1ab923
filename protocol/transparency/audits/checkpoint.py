"""A checkpoint of a monitor: how far it verified an index, and under which signed head.

    checkpoint = fixed32 sum || uint format || buffer key || string runtime || head || buffer state

``sum`` is BLAKE2b-256 of all that follows it. It is there for damage, not for liars: whoever can
write to our store can make us believe anything. Specs/10-auditing.md section 10.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...crypto.hashes import blake2b_256
from ...encoding.compact import Decoder, encode_buffer, encode_string, encode_uint
from ...errors import DecodeError, RecordError
from ...hypercore.core import CoreReader, TreeHead
from ...hypercore.heads.head_codec import decode_head_untrusted, encode_head
from ...hypercore.merkle.growth import roots_at
from ..replay.state import ReplayState, decode_state_untrusted, encode_state

# Raised with any change of what the replay checks: what an older one verified is verified again.
FORMAT: Final = 1

_SUM_BYTES = 32
_KEY_BYTES = 32
_MAX_RUNTIME_BYTES = 256

# A row for each oplog ever admitted, each under 100 bytes: as much as one stored record may have.
MAX_STATE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was verified, and what that is bound to.

    Attributes:
      log_key: key of the index, 32 bytes.
      runtime_id: the contract runtime of the program that verified.
      head: the signed head of the index, at least as long as ``state.position``.
      state: the end of the last verified transaction.
    """

    log_key: bytes
    runtime_id: str
    head: TreeHead
    state: ReplayState

    def misfit(self, core: CoreReader, runtime_id: str) -> str | None:
        """Why a replay of ``core`` cannot go on from here, for people; None when it can."""
        if self.log_key != core.key:
            return "it is of another database"
        if self.runtime_id != runtime_id:
            return "it was made with another contract runtime"
        if self.head.fork != core.head.fork:
            return "the index has another fork number"
        if self.head.length > core.head.length:
            return f"the index has {core.head.length} blocks here, not {self.head.length}"
        if not 0 < self.state.position <= self.head.length:
            return "it says more than its head covers"
        if roots_at(core, self.head.length) != self.head.roots:
            return "the index does not contain the head that was verified"
        return None


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Encode a checkpoint."""
    body = (
        encode_uint(FORMAT)
        + encode_buffer(checkpoint.log_key)
        + encode_string(checkpoint.runtime_id)
        + encode_head(checkpoint.head)
        + encode_buffer(encode_state(checkpoint.state))
    )
    return blake2b_256(body) + body


def decode_checkpoint_untrusted(data: bytes) -> Checkpoint:
    """Decode a checkpoint; whether it fits the index is for ``Checkpoint.misfit`` to tell.

    Raises:
      RecordError: damaged, of another format, or a field is out of range.
    """
    if blake2b_256(data[_SUM_BYTES:]) != data[:_SUM_BYTES]:
        raise RecordError("it is damaged")
    decoder = Decoder(data, _SUM_BYTES)
    try:
        if (form := decoder.uint()) != FORMAT:
            raise RecordError(f"it has format {form}, not {FORMAT}")
        log_key = decoder.buffer(_KEY_BYTES)
        runtime_id = decoder.string(_MAX_RUNTIME_BYTES)
        head = decode_head_untrusted(decoder)
        state = decode_state_untrusted(decoder.buffer(MAX_STATE_BYTES))
    except DecodeError as error:
        raise RecordError(f"it is no checkpoint: {error}") from error
    return Checkpoint(log_key, runtime_id, head, state)
