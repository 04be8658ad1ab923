"""The replay of the protocol's own operations: the rule is in ``rollback``."""

from __future__ import annotations

from ...encoding.msgpack import Value
from ..changes import Outcome
from ..rollback import (
    Refused,
    read_rollback_untrusted,
    settle_rollback,
    source_in_block_untrusted,
)
from .entries import Entries
from .state import ReplayState
from .stop import Step


def settle_system_operation(
    op: Value, origin: bytes, version: int, state: ReplayState
) -> Step[Outcome]:
    """What the operation comes to on the index of ``version`` blocks, where ``state`` holds.

    Raises:
      Unknown: the block that it names cannot be had.
    """
    source = b""
    try:
        target = read_rollback_untrusted(op, version, state.source_seq)
        if target is not None:
            entry = yield from Entries(target + 1).read(target)
            source = source_in_block_untrusted(target, entry.block)
    except Refused as refused:
        return refused.outcome
    active = [key for key, is_active in state.participants.items() if is_active]
    return settle_rollback(origin, target, source, state.votes, active, state.source_seq)
