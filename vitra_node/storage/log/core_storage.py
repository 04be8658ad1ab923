"""``CoreStorage``: one log as it is stored, with the changes that are not durable yet.

Two kinds of change, two rules of visibility:
  - Verified data of peers (``apply``) shows at once. Losing it in a crash costs a download.
  - The writer's own growth (``stage_append``, ``stage_truncate``) shows when it is durable, since
    a shown head may be sent, and a signature that was sent must never be contradicted. All growth
    of one round is signed once, when the round begins.

Every change is encoded into the writes of the coming round when it is made, in order. Beside that,
an overlay answers reads of what ``apply`` put there until the round is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from weakref import WeakSet

from protocol.crypto.hashes import TreeNode, discovery_key
from protocol.crypto.keys import Signer
from protocol.crypto.manifest import Manifest
from protocol.hypercore.core import CoreChange, TreeHead
from protocol.hypercore.merkle.flat_tree import end_length, node_index
from protocol.hypercore.merkle.growth import append_blocks, check_prologue, is_unsigned
from protocol.hypercore.merkle.quorum import verify_signature

from ..environments.committer import Committer, Round
from ..environments.environment import Environment, Writes, values_until
from ..environments.records import Record, as_writes
from ..environments.schema import (
    BLOCK_TABLE,
    NODE_TABLE,
    CoreRecord,
    HeadRecord,
    block_key,
    core_key,
    decode_node,
    encode_core,
    encode_head,
    encode_node,
    head_key,
    node_key,
    rows_from,
    rows_of,
)
from ..errors import NotWritable, WriterConflict
from .bitfield import Bitfield
from .shared_length import SharedLength
from .signing import signed_head, signs_at_once

# Keys and tree nodes beside the blocks themselves, for estimates.
_ROW_BYTES = 40

# A tree of 2^40 blocks is 40 levels high.
_MAX_TREE_DEPTH = 41


@dataclass(slots=True)
class _Overlay:
    """What changed in one round, for reads; ``void_from`` voids all that is older."""

    nodes: dict[int, TreeNode] = field(default_factory=dict)
    blocks: dict[int, bytes] = field(default_factory=dict)
    void_from: int | None = None

    def truncate(self, length: int) -> None:
        self.nodes = {i: node for i, node in self.nodes.items() if end_length(i) <= length}
        self.blocks = {i: block for i, block in self.blocks.items() if i < length}
        self.void_from = length if self.void_from is None else min(self.void_from, length)


class CoreStorage:
    """One stored log: a ``CoreReader``, and a ``Participant`` of the committer.

    Attributes:
      record: key, manifest and name.
      signer: who signs for the writer, or None.
      on_commit: called after each round this core was part of, with whether own growth showed.
    """

    def __init__(
        self,
        environment: Environment,
        committer: Committer,
        record: CoreRecord,
        head_record: HeadRecord,
        signer: Signer | None = None,
    ) -> None:
        self.record = record
        self.signer = signer
        self.on_commit: Callable[[bool], None] = _nothing
        self._discovery_key = discovery_key(record.key)
        self._environment = environment
        self._committer = committer
        self._number = record.number
        self._bitfield = Bitfield(environment, record.number, head_record.contiguous_length)
        self._head = head_record.head
        # The head after everything staged; while ``_unsigned``, that is not in a round yet.
        self._tip = head_record.head
        self._unsigned = False
        # What the newest truncation kept.
        self._kept_length = head_record.head.length
        self._signing: TreeHead | None = None
        self._collected_length = 0
        self._round: Round | None = None
        self._writes = Writes()
        self._record_changed = False
        self._gathering = _Overlay()
        self._in_flight = _Overlay()
        self._shared: WeakSet[SharedLength] = WeakSet()

    # CoreReader ----------------------------------------------------------------------------------

    @property
    def key(self) -> bytes:
        return self.record.key

    @property
    def discovery_key(self) -> bytes:
        return self._discovery_key

    @property
    def manifest(self) -> Manifest | None:
        return self.record.manifest

    @property
    def head(self) -> TreeHead:
        return self._head

    @property
    def contiguous_length(self) -> int:
        return min(self._bitfield.contiguous_length, self._head.length)

    def node(self, index: int) -> TreeNode | None:
        for overlay in (self._gathering, self._in_flight):
            node = overlay.nodes.get(index)
            if node is not None:
                return node
            if overlay.void_from is not None and end_length(index) > overlay.void_from:
                return None
        data = self._environment.get(node_key(self._number, index))
        return None if data is None else decode_node(index, data)

    def block(self, index: int) -> bytes | None:
        if not self.has(index):
            return None
        for overlay in (self._gathering, self._in_flight):
            block = overlay.blocks.get(index)
            if block is not None:
                return block
            if overlay.void_from is not None and index >= overlay.void_from:
                return None
        return self._environment.get(block_key(self._number, index))

    def blocks(self, start: int, end: int, max_bytes: int) -> list[bytes]:
        """The blocks from ``start`` to before ``end``, up to the first that is not stored.

        No more of them follow once they are ``max_bytes`` together.
        """
        end = min(end, self._head.length)
        changing = (self._gathering, self._in_flight)
        if end > self._bitfield.contiguous_length or any(
            overlay.blocks or overlay.void_from is not None for overlay in changing
        ):
            return values_until(self.block, range(start, end), max_bytes)
        keys = [block_key(self._number, index) for index in range(start, end)]
        return self._environment.run_of_values(keys, max_bytes)

    def has(self, index: int) -> bool:
        return 0 <= index < self._head.length and self._bitfield.has(index)

    def bitfield(self, start: int, length: int) -> bytes:
        bits = self._bitfield.read(start, length)
        end = max(0, min(self._head.length - start, length))
        if end == length:
            return bits
        # Own blocks past the head are stored, but not shown yet.
        shown = int.from_bytes(bits, "little") & ((1 << end) - 1)
        return shown.to_bytes(length >> 3, "little")

    def missing(self, start: int, end: int) -> int:
        """How many of the blocks from ``start`` to before ``end`` are not stored."""
        shown = min(end, self._head.length)
        if start >= shown:
            return max(0, end - start)
        first = start & ~7
        bits = self.bitfield(first, (shown - first + 7) & ~7)
        window = ((1 << (shown - start)) - 1) << (start - first)
        return end - start - (int.from_bytes(bits, "little") & window).bit_count()

    # Changes -------------------------------------------------------------------------------------

    @property
    def tip(self) -> TreeHead:
        """The head once everything staged is durable; its signature may still be missing."""
        return self._tip

    @property
    def writing(self) -> Round | None:
        """The last round with own growth that is staged or being written; None without any."""
        return self._round if self._unsigned or self._signing is not None else None

    @property
    def can_sign(self) -> bool:
        """Whether we have a signer, and its signature alone is enough."""
        return (
            self.signer is not None
            and self.manifest is not None
            and (self.manifest.quorum == 1 or self.manifest.is_compat(self.key))
        )

    def apply(self, change: CoreChange) -> Round:
        """Take verified data of a peer; it shows at once and is durable after the round.

        Raises:
          WriterConflict: a head for a log to which we are writing ourselves at this moment.
          StoreReadOnly, StoreClosed: see ``Committer.enlist``.
        """
        if change.head is not None and self.writing is not None:
            raise WriterConflict("a peer has another head of a log that is written here")
        gathering = self._enlist(sum(len(block) for _, block in change.blocks))
        if change.truncated_to is not None:
            self._truncate_rows(change.truncated_to)
        put, number = self._writes.put, self._number
        for node in change.nodes:
            self._gathering.nodes[node.index] = node
            put(node_key(number, node.index), encode_node(node))
        for index, block in change.blocks:
            self._gathering.blocks[index] = block
            put(block_key(number, index), block)
            self._bitfield.add_range(index, index + 1)
        self.learn(change.manifest, None)
        if change.head is not None:
            self._head = self._tip = change.head
        return gathering

    def share(self) -> SharedLength:
        """Remember the present head: what it has in common with all later ones."""
        shared = SharedLength(self._head.length)
        if self._tip.fork != self._head.fork:
            # A truncation is under way whose head does not show yet; its blocks are gone.
            shared.truncate(self._kept_length)
        self._shared.add(shared)
        return shared

    def learn(
        self,
        manifest: Manifest | None,
        name: tuple[bytes, str] | None,
        append_only: bool = False,
        encrypted: bool = False,
    ) -> Round | None:
        """Remember a manifest or a name of this log, or what holds for it from now on.

        None when nothing was new.
        """
        new = replace(
            self.record,
            manifest=self.record.manifest or manifest,
            name=self.record.name or name,
            append_only=self.record.append_only or append_only,
            encrypted=self.record.encrypted or encrypted,
        )
        if new == self.record:
            return None
        gathering = self._enlist(0)
        self.record = new
        self._record_changed = True
        return gathering

    def stage_append(
        self, blocks: Sequence[bytes], also: Iterable[Record] = ()
    ) -> tuple[int, Round]:
        """Grow our own log; gives the length it will have, and the round to wait for.

        ``also`` are records for the same transaction.

        Raises:
          NotWritable: we cannot sign.
          LocalProtocolError: a block or the log is too large, or the log would not begin with
            its prologue; nothing was staged.
          StoreReadOnly, StoreClosed: see ``Committer.enlist``.
        """
        self._check_writable()
        nodes, tip = append_blocks(self._tip, blocks)
        self._check_prologue(tip)
        size_bytes = sum(map(len, blocks)) + _ROW_BYTES * (len(nodes) + len(blocks))
        gathering = self._enlist(size_bytes)
        rows = rows_of(self._number, nodes, self._tip.length, blocks)
        self._writes.put_rows(rows, size_bytes)
        self._writes.extend(as_writes(also))
        self._bitfield.add_range(self._tip.length, tip.length)
        self._tip = tip
        self._unsigned = True
        return tip.length, gathering

    def stage_signed(self, blocks: Sequence[bytes], head: TreeHead) -> Round:
        """Grow a log by blocks whose head was signed elsewhere, as by several signers.

        Raises:
          NotWritable: ``head`` is not what these blocks lead to from here, or is not signed as
            the manifest demands; nothing was staged.
          LocalProtocolError: a block or the log is too large.
          StoreReadOnly, StoreClosed: see ``Committer.enlist``.
        """
        nodes, tip = append_blocks(self._tip, blocks)
        if tip.signed(head.signature) != head:
            raise NotWritable("this is not the head of these blocks behind those of the log")
        self.check_signed(head)
        size_bytes = sum(map(len, blocks)) + _ROW_BYTES * (len(nodes) + len(blocks))
        gathering = self._enlist(size_bytes)
        rows = rows_of(self._number, nodes, self._tip.length, blocks)
        self._writes.put_rows(rows, size_bytes)
        self._bitfield.add_range(self._tip.length, tip.length)
        self._tip = head
        self._unsigned = True
        return gathering

    def stage_truncate(self, head: TreeHead) -> Round:
        """Shorten our own log to an unsigned ``head``; its old blocks are gone at once.

        Raises:
          NotWritable: we cannot sign.
          StoreReadOnly, StoreClosed: see ``Committer.enlist``.
        """
        self._check_writable()
        return self._stage_shorter(head)

    def stage_signed_truncate(self, head: TreeHead) -> Round:
        """Shorten a log to ``head``, which it had at that length and which was signed elsewhere.

        Raises:
          NotWritable: ``head`` is not signed as the manifest demands; nothing was staged.
          StoreReadOnly, StoreClosed: see ``Committer.enlist``.
        """
        self.check_signed(head)
        return self._stage_shorter(head)

    def _stage_shorter(self, head: TreeHead) -> Round:
        gathering = self._enlist(0)
        self._truncate_rows(head.length)
        self._tip = head
        self._unsigned = True
        return gathering

    def clear(self, start: int, end: int) -> Round:
        """Forget the blocks from ``start`` to before ``end``; their tree nodes stay."""
        gathering = self._enlist(0)
        for overlay in (self._gathering, self._in_flight):
            for index in [index for index in overlay.blocks if start <= index < end]:
                del overlay.blocks[index]
        number = self._number
        self._writes.delete_range(block_key(number, start), block_key(number, end))
        self._bitfield.remove_range(start, end)
        return gathering

    def _check_writable(self) -> None:
        if not self.can_sign:
            raise NotWritable("this store cannot sign for this log")

    def check_signed(self, head: TreeHead) -> None:
        """Raise NotWritable if a head with roots of ours is not signed as the manifest demands."""
        manifest = self.manifest
        if (
            manifest is None
            or not manifest.is_for(self.key)
            or not verify_signature(self.key, manifest, head)
        ):
            raise NotWritable("the head is not signed as the manifest of this log demands")

    def _check_prologue(self, tip: TreeHead) -> None:
        # Without this, a log that does not begin with its prologue would fail in ``collect``.
        if self._is_prologue(tip):
            assert self.manifest is not None
            check_prologue(self.manifest, tip)

    def _is_prologue(self, head: TreeHead) -> bool:
        """Whether no signature but the prologue vouches for a head of this length."""
        return self.manifest is not None and is_unsigned(self.manifest, self.key, head.length)

    def _enlist(self, size_bytes: int) -> Round:
        self._round = self._committer.enlist(self, size_bytes)
        return self._round

    def _truncate_rows(self, length: int) -> None:
        writes, number = self._writes, self._number
        writes.delete_range(*rows_from(BLOCK_TABLE, number, length))
        writes.delete_range(*rows_from(NODE_TABLE, number, 2 * length))
        # Left of the cut, only ancestors of the first dropped leaf reach over it.
        for depth in range(1, _MAX_TREE_DEPTH):
            index = node_index(depth, length >> depth)
            if index < 2 * length:
                writes.delete(node_key(number, index))
        self._gathering.truncate(length)
        self._bitfield.truncate(length)
        self._kept_length = length
        for shared in tuple(self._shared):
            shared.truncate(length)

    # Participant ---------------------------------------------------------------------------------

    def collect(self) -> Writes:
        writes, self._writes = self._writes, Writes()
        if self._unsigned:
            if self._tip.signature is None and self.signer is not None:
                if signs_at_once(self.signer) or self._is_prologue(self._tip):
                    self._tip = self._signed(self._tip)
                else:
                    writes.complete = partial(self._complete, writes)
            if writes.complete is None:
                self._check_signature(self._tip)
            self._signing, self._unsigned = self._tip, False
        if self._record_changed:
            writes.put(core_key(self._discovery_key), encode_core(self.record))
            self._record_changed = False
        self._bitfield.collect(writes)
        self._collected_length = self._bitfield.contiguous_length
        if writes.complete is None:
            self._put_head(writes, self._tip)
        self._in_flight, self._gathering = self._gathering, _Overlay()
        return writes

    def _signed(self, head: TreeHead) -> TreeHead:
        assert self.manifest is not None
        assert self.signer is not None
        return signed_head(self.signer, self.manifest, self.key, head)

    def _complete(self, writes: Writes) -> None:
        """Put the head that was not signed at once; in a thread, while new blocks gather."""
        assert self._signing is not None
        self._signing = self._signed(self._signing)
        self._check_signature(self._signing)
        self._put_head(writes, self._signing)

    def _check_signature(self, head: TreeHead) -> None:
        # Of all that was staged, this alone is shown and sent: never without a signature.
        assert head.signature is not None or self._is_prologue(head)

    def _put_head(self, writes: Writes, head: TreeHead) -> None:
        writes.put(head_key(self._number), encode_head(HeadRecord(head, self._collected_length)))

    def committed(self) -> None:
        self._in_flight = _Overlay()
        self._bitfield.committed()
        grown = self._signing
        if grown is not None:
            self._head, self._signing = grown, None
            if not self._unsigned:
                # Nothing was staged behind it, so it is the tip still, with its signature now.
                self._tip = grown
        self.on_commit(grown is not None)


def _nothing(grew: bool) -> None:
    return None
