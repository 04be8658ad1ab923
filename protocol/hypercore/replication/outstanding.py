"""Our requests to one peer, and the tree nodes that their answers will bring.

A request for a block says how many steps above its leaf the nearest node lies that we hold, and
the answer carries the siblings up to there. Asked one after the other, most blocks need about one
node; asked in a window of hundreds, each would need its whole path, because nothing has arrived
yet. So a request may *lean* on earlier ones to the same peer: nodes that these will bring count as
held. Streams keep their order, so the answer leaned on normally comes first; if not, the answer is
held until it does (``Downloader``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..core import CoreReader
from ..merkle.block_proof import BlockAnswer
from ..merkle.proof import Data
from .request_window import RequestWindow

if TYPE_CHECKING:
    from .peer import Peer

# Ids of cancelled requests whose answers may still be on their way.
_MAX_CANCELLED = 4096
# Height of the tallest tree that a log can have; see MAX_LOG_LENGTH_BLOCKS.
_MAX_STEPS = 40
# Nodes that arrived are not taken out one by one; past this many, all are counted anew.
_MAX_EXPECTED = 16384


class Outstanding:
    """A request of ours that waits for its answer.

    Attributes:
      id: of the request.
      fork: the fork it speaks about.
      sent_at: seconds.
      block: index of the block asked for, or -1.
      nodes: steps from its leaf to ``top``.
      top: flat-tree index of the nearest node that we hold or expect; -1 if the block lies in the
        upgrade asked for.
      leans: ``top`` was expected, not held.
      upgrade: start and length of the upgrade asked for, or None.
      manifest: whether the manifest was asked for.
      hash: flat-tree index of the node asked for, or -1.
      asker: who gets the answer; None for the log itself.
    """

    __slots__ = (
        "asker", "block", "fork", "hash", "id", "leans", "manifest", "nodes", "sent_at", "top",
        "upgrade",
    )  # fmt: skip

    def __init__(self, id_: int, fork: int, sent_at: float) -> None:
        self.id = id_
        self.fork = fork
        self.sent_at = sent_at
        self.block = -1
        self.nodes = 0
        self.top = -1
        self.leans = False
        self.upgrade: tuple[int, int] | None = None
        self.manifest = False
        self.hash = -1
        self.asker: Asker | None = None

    def brings(self) -> Iterator[int]:
        """Flat-tree indexes of the nodes below ``top`` that the answer adds."""
        node, bit = 2 * self.block, 2
        for _ in range(self.nodes):
            yield node
            yield node ^ bit
            node = (node & ~bit) | (bit >> 1)
            bit <<= 1

    def fits(self, data: Data) -> bool:
        """Whether the answer holds nothing that was not asked for."""
        return (
            (data.block is None or data.block.index == self.block)
            and (data.hash is None or data.hash.index == self.hash)
            and data.seek is None
            and (data.upgrade is None or self.upgrade is not None)
            and (data.manifest is None or self.manifest)
        )


class Asker(Protocol):
    """A room with requests of its own, whose answers are not for the log."""

    def answered_untrusted(self, peer: Peer, outstanding: Outstanding, data: Data) -> None:
        """An answer came; it holds nothing that was not asked for, and is not checked further."""

    def unanswered(self, peer: Peer, outstanding: Outstanding) -> None:
        """No answer comes."""


class Held(NamedTuple):
    """An answer that waits for the node it leans on."""

    outstanding: Outstanding
    answer: BlockAnswer


class RequestLog:
    """All requests to one peer.

    Attributes:
      window: how many blocks may be in flight.
      in_flight: requests that wait for their answer, by id.
      blocks: how many of them ask for a block.
      held: answers that wait for a node, by its index.
      held_count, held_bytes: how many they are, and their blocks together.
    """

    __slots__ = (
        "_cancelled", "_expected", "_is_stale", "_next_id", "blocks", "held", "held_bytes",
        "held_count", "in_flight", "window",
    )  # fmt: skip

    def __init__(self) -> None:
        self.window = RequestWindow()
        self.in_flight: dict[int, Outstanding] = {}
        self.blocks = 0
        self.held: dict[int, list[Held]] = {}
        self.held_count = 0
        self.held_bytes = 0
        self._cancelled: dict[int, None] = {}
        self._expected: set[int] = set()
        self._is_stale = False
        self._next_id = 1

    def open(self, fork: int, now: float) -> Outstanding:
        """Note a new request; the caller fills in what it asks for."""
        outstanding = Outstanding(self._next_id, fork, now)
        self._next_id += 1
        self.in_flight[outstanding.id] = outstanding
        return outstanding

    def open_block(self, core: CoreReader, index: int, fork: int, now: float) -> Outstanding:
        """Note a request for a block of our tree, and find how many nodes it needs.

        The roots of our tree are stored, so the climb ends below or at one.
        """
        self._count_if_stale()
        outstanding = self.open(fork, now)
        expected, held = self._expected, core.node
        node, bit, steps = 2 * index, 2, 0
        brought: list[int] = []
        while steps <= _MAX_STEPS:
            if node in expected:
                outstanding.leans = True
                break
            if held(node) is not None:
                break
            brought += (node, node ^ bit)
            node = (node & ~bit) | (bit >> 1)
            bit <<= 1
            steps += 1
        expected.update(brought)
        outstanding.block, outstanding.nodes, outstanding.top = index, steps, node
        self.blocks += 1
        return outstanding

    def open_new_block(self, outstanding: Outstanding, index: int) -> None:
        """Ask for a block past our tree in the request for its upgrade."""
        outstanding.block = index
        self.blocks += 1

    @property
    def room(self) -> int:
        """How many more blocks may be asked for; an answer that is held still takes its place."""
        return self.window.limit - self.blocks - self.held_count

    def close(self, id_: int) -> Outstanding | None:
        """The answer to request ``id_`` came; None if it was cancelled or never made."""
        outstanding = self.in_flight.pop(id_, None)
        if outstanding is not None and outstanding.block >= 0:
            self.blocks -= 1
            if len(self._expected) > _MAX_EXPECTED:
                self._is_stale = True
        return outstanding

    def cancel(self, outstanding: Outstanding) -> None:
        """The answer is no longer waited for; it may come all the same."""
        self.close(outstanding.id)
        self.lost()
        self._cancelled[outstanding.id] = None
        if len(self._cancelled) > _MAX_CANCELLED:
            del self._cancelled[next(iter(self._cancelled))]

    def lost(self) -> None:
        """A request ended without what it should have brought."""
        self._is_stale = True

    def was_cancelled(self, id_: int) -> bool:
        """Whether an answer with this id is late rather than unasked for; true once only."""
        if id_ not in self._cancelled:
            return False
        del self._cancelled[id_]
        return True

    def expects(self, node: int) -> bool:
        """Whether an answer in flight, or one that is held, brings this node."""
        self._count_if_stale()
        return node in self._expected

    def hold(self, held: Held) -> None:
        """Keep an answer until the node it leans on is stored."""
        self.held.setdefault(held.outstanding.top, []).append(held)
        self.held_count += 1
        self.held_bytes += len(held.answer.value)

    def _take(self, top: int) -> list[Held]:
        taken = self.held.pop(top)
        self.held_count -= len(taken)
        self.held_bytes -= sum(len(held.answer.value) for held in taken)
        return taken

    def take_ready(self, core: CoreReader) -> list[Held]:
        """The held answers whose node is stored by now."""
        ready: list[Held] = []
        for top in [top for top in self.held if core.node(top) is not None]:
            ready += self._take(top)
        return ready

    def take_orphans(self, core: CoreReader) -> list[Held]:
        """After a loss: the held answers whose node no longer comes."""
        taken: list[Held] = []
        while self.held:
            orphans = [t for t in self.held if not self.expects(t) and core.node(t) is None]
            if not orphans:
                break
            for top in orphans:
                taken += self._take(top)
            self.lost()
        return taken

    def clear(self) -> list[Outstanding]:
        """Forget every request and answer; gives the requests."""
        gone = list(self.in_flight.values())
        gone += [held.outstanding for waiting in self.held.values() for held in waiting]
        for outstanding in list(self.in_flight.values()):
            self.cancel(outstanding)
        self.held.clear()
        self.held_count = self.held_bytes = 0
        self.lost()
        return gone

    def _count_if_stale(self) -> None:
        if not self._is_stale:
            return
        self._is_stale = False
        self._expected.clear()
        for outstanding in self.in_flight.values():
            self._expected.update(outstanding.brings())
        for waiting in self.held.values():
            for held in waiting:
                self._expected.update(held.outstanding.brings())
