"""The process that audits parts of an index for a node.

It holds no store, no keys and no sockets: what it needs it asks of its node, one question at a
time, over its standard input and output. It ends when its node does, whatever either was doing: the
pipe whose number is its argument is held open by the node alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from protocol.transparency.replay.requests import OperationFacts, ReadIndex, ReadOperations

from ...contracts.errors import ContractError
from ...ledger.contract_runner import ContractRunner
from ...ledger.index_view import IndexView
from ...progress import Counter
from ...storage.errors import BlockNotAvailable
from ..auditor import READ_AHEAD_BLOCKS, Auditor
from .messages import (
    LENGTH_BYTES,
    decode_body_untrusted,
    encode_frame,
    encode_verdict,
    frame_length,
    part_of,
)
from .parts import replay_part

# Blocks kept for a replay that comes back to them, as contracts do to what they have just written.
_MAX_KEPT_BYTES = 16 * 1024 * 1024

_READ_BYTES = 256 * 1024


class NodeGone(Exception):
    """The node has closed the pipe."""


class Node:
    """The node at the other end of the pipes."""

    def __init__(self, readable: int, writable: int) -> None:
        self._readable = readable
        self._writable = writable
        self._received = bytearray()

    def ask(self, *items: Any) -> Any:
        """Ask, and wait for the answer; nothing else could go on meanwhile anyway."""
        self.tell(*items)
        return self.hear()[1]

    def tell(self, *items: Any) -> None:
        """Send a message."""
        view = memoryview(encode_frame(*items))
        while view:
            view = view[os.write(self._writable, view) :]

    def hear(self) -> list[Any]:
        """The next message; raises NodeGone when there is none any more."""
        length = frame_length(self._take(LENGTH_BYTES))
        return decode_body_untrusted(self._take(length))

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            part = os.read(self._readable, _READ_BYTES)
            if not part:
                raise NodeGone
            self._received += part
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken


class AskedCore:
    """The index log, whose blocks come from the node."""

    writable = False

    def __init__(self, node: Node, key: bytes, length: int) -> None:
        self.key = key
        self.fork = 0
        self.length = length
        self._node = node
        self._kept: dict[int, bytes] = {}
        self._order: deque[int] = deque()
        self._bytes = 0

    def blocks(self, start: int, stop: int) -> Sequence[bytes]:
        """Blocks in order, beginning with ``start``, as many as the node gives at once."""
        if start in self._kept:
            return [self._kept[start]]
        blocks: list[bytes] = self._node.ask("blocks", start, stop)
        for seq, block in enumerate(blocks, start):
            self._keep(seq, block)
        return blocks

    def local_block(self, index: int) -> bytes | None:
        """The block; None when the node has it not and nobody brings it in time."""
        block = self._kept.get(index)
        if block is None and 0 <= index < self.length:
            block = next(iter(self.blocks(index, index + 1)), None)
        return block

    async def get(
        self,
        index: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (as Hypercore.get)
        wait: bool = True,
    ) -> bytes:
        """The block; raises BlockNotAvailable."""
        await trio.lowlevel.checkpoint_if_cancelled()
        block = self.local_block(index)
        if block is None:
            raise BlockNotAvailable(f"block {index} cannot be had")
        return block

    async def append(self, blocks: Sequence[bytes]) -> int:
        """An index that is replayed is not written to."""
        raise AssertionError("an index that is replayed is not written to")

    def _keep(self, seq: int, block: bytes) -> None:
        if seq in self._kept:
            return
        self._kept[seq] = block
        self._order.append(seq)
        self._bytes += len(block)
        while self._bytes > _MAX_KEPT_BYTES and len(self._order) > 1:
            self._bytes -= len(self._kept.pop(self._order.popleft()))


class AskedOperations:
    """Operations from the node; many are asked for at once, and given one by one."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._ahead: dict[tuple[bytes, int], OperationFacts | None] = {}

    def prepare(self, request: ReadOperations) -> None:
        """Ask for all operations of a group that are not here yet."""
        names = [(name.origin, name.seq) for name in request.names]
        self._ahead = {name: self._ahead[name] for name in names if name in self._ahead}
        missing = [name for name in names if name not in self._ahead]
        rows = self._node.ask("operations", missing) if missing else []
        # It may be fewer than were asked for; the others are asked for when their turn comes.
        for name, row in zip(missing, rows, strict=False):
            self._ahead[name] = None if row is None else OperationFacts(*row)

    async def operation(self, origin: bytes, seq: int) -> OperationFacts | None:
        """See ``OperationSource``."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if (origin, seq) in self._ahead:
            return self._ahead[origin, seq]
        (row,) = self._node.ask("operations", [(origin, seq)])
        return None if row is None else OperationFacts(*row)

    async def is_forked(self, origin: bytes) -> bool:
        """See ``OperationSource``."""
        await trio.lowlevel.checkpoint_if_cancelled()
        forked: bool = self._node.ask("forked", origin)
        return forked


class AskingAuditor(Auditor):
    """An auditor that asks for many blocks and operations at a time."""

    def __init__(
        self, core: AskedCore, operations: AskedOperations, runner: ContractRunner
    ) -> None:
        super().__init__(IndexView(core), operations, runner)
        self._core = core
        self._asked = operations

    async def _read_index(self, request: ReadIndex) -> Sequence[bytes]:
        await trio.lowlevel.checkpoint_if_cancelled()
        stop = min(request.stop, request.start + READ_AHEAD_BLOCKS)
        return self._core.blocks(request.start, stop)

    async def _read_operations(self, request: ReadOperations) -> Sequence[OperationFacts | None]:
        self._asked.prepare(request)
        return await super()._read_operations(request)


async def serve(node: Node) -> None:
    """Replay the parts that the node sends, until it ends this process."""
    _, key, length, cache = node.hear()
    core = AskedCore(node, key, length)
    async with ContractRunner.open(None if cache is None else Path(cache)) as runner:
        auditor = AskingAuditor(core, AskedOperations(node), runner)
        while True:
            part = part_of(node.hear())
            try:
                verdicts = await replay_part(part, auditor, core, length, Counter())
            except ContractError as error:
                node.tell("fault", str(error))
            else:
                node.tell("verdicts", [encode_verdict(verdict) for verdict in verdicts])


def main() -> None:
    """Run in a process that ``workers`` has started."""
    # Ctrl-C at a terminal reaches everybody; the node decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leash = int(sys.argv[1])
    threading.Thread(target=_end_with_the_node, args=(leash,), daemon=True).start()
    with suppress(NodeGone, BrokenPipeError):
        trio.run(serve, Node(0, 1))
    # All is told, and to take the heap apart would be a fifth of what it costs to start.
    os._exit(0)


def _end_with_the_node(leash: int) -> None:
    os.read(leash, 1)
    os._exit(0)
