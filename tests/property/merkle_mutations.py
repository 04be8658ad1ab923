"""Genuine proofs of every kind, and ways to falsify them.

The oracle is the truth itself: whatever a verifier lets through has to say only what the genuine
log says (nodes with their sizes, blocks, head, manifest). A mutation that changes nothing that is
said passes, as it should; ``run`` counts these apart.

Counted by kind: ``python -m tests.property.merkle_mutations --count 1000000``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from protocol.crypto.hashes import TreeNode
from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import (
    Manifest,
    Prologue,
    default_manifest,
    manifest_key,
    multi_signer_manifest,
)
from protocol.errors import RemoteProtocolError
from protocol.hypercore.core import EMPTY_HEAD, CoreChange, TreeHead
from protocol.hypercore.merkle.flat_tree import end_length, parent
from protocol.hypercore.merkle.growth import (
    append_blocks,
    assemble_head,
    head_at,
    sign_head,
    sign_partial,
    upgrade_nodes,
)
from protocol.hypercore.merkle.proof import (
    BlockRequest,
    Data,
    HashRequest,
    Request,
    SeekRequest,
    UpgradeRequest,
)
from protocol.hypercore.merkle.prover import CannotProve, build_proof, missing_nodes
from protocol.hypercore.merkle.quorum import verify_head
from protocol.hypercore.merkle.verifier import verify_proof_untrusted
from protocol.hypercore.replication.messages import decode_data_untrusted, encode_data

from ..merkle_core import KEY_PAIR, MemoryCore

PAIRS = [KEY_PAIR, *(KeyPair.from_seed(bytes([i]) * 32) for i in (2, 3))]
LENGTHS = (1, 2, 3, 4, 6, 7, 10, 13, 16, 21, 24)

Draw = Random
Mutation = Callable[[Data, Data, Draw], Data]


@dataclass(frozen=True)
class History:
    """One log at several lengths, oldest first."""

    name: str
    snapshots: tuple[MemoryCore, ...]

    def heads(self) -> list[TreeHead]:
        """Every head its writers vouched for, and the prologue on its own; without signatures."""
        newest = self.snapshots[-1]
        heads = [replace(core.head, signature=None) for core in self.snapshots]
        if newest.manifest is not None and newest.manifest.prologue is not None:
            heads.append(head_at(newest, newest.manifest.prologue.length, 0))
        return heads


def blocks_of(draw: Draw, count: int) -> list[bytes]:
    return [draw.randbytes(draw.choice((0, 1, 5, 40, 300))) for _ in range(count)]


def snapshot(core: MemoryCore) -> MemoryCore:
    taken = MemoryCore(core.key, core.manifest)
    taken.head, taken.nodes, taken.blocks = core.head, dict(core.nodes), dict(core.blocks)
    return taken


def history(name: str, manifest: Manifest, key: bytes, blocks: Sequence[bytes]) -> History:
    """Grow a log through ``LENGTHS``, each head signed by its quorum."""
    core = MemoryCore(key, manifest)
    snapshots = []
    for length in LENGTHS:
        first = manifest.prologue.length if manifest.prologue else 0
        if length < first or (not manifest.signers and length > first):
            continue
        grow(core, blocks[core.head.length : length])
        snapshots.append(snapshot(core))
    return History(name, tuple(snapshots))


def grow(core: MemoryCore, blocks: Sequence[bytes]) -> None:
    """Append; a quorum of two signs with the second signature over one block more, if it may."""
    manifest = core.manifest
    assert manifest is not None
    start = core.head.length
    nodes, head = append_blocks(core.head, blocks)
    core.apply(CoreChange(nodes, list(enumerate(blocks, start)), head))
    if manifest.quorum < 2:
        core.head = sign_head(manifest, core.key, KEY_PAIR, head)
        return
    longer = MemoryCore(core.key, manifest)
    longer.head, longer.nodes = head, dict(core.nodes)
    more, longer_head = append_blocks(head, [b"not committed yet"])
    longer.apply(CoreChange(more, (), longer_head))
    patch = upgrade_nodes(longer, head.length, head.length + 1)
    assert patch is not None
    partials = [sign_partial(manifest, core.key, PAIRS[0], head)]
    if manifest.allow_patch:
        partials.append(sign_partial(manifest, core.key, PAIRS[2], longer_head, 1, patch))
    else:
        partials.append(sign_partial(manifest, core.key, PAIRS[1], head))
    core.head = assemble_head(manifest, core.key, head, partials)


def histories(draw: Draw) -> list[History]:
    """One log for each way a log can be signed."""
    keys = tuple(pair.public_key for pair in PAIRS)
    blocks = blocks_of(draw, LENGTHS[-1])
    _, beginning = append_blocks(EMPTY_HEAD, blocks[:6])
    prologue = Prologue(beginning.hash(), 6)
    single = default_manifest(keys[0])
    kinds = {
        "v1": single,
        "v0": default_manifest(keys[0], version=0),
        "v1 quorum": multi_signer_manifest(keys),
        "v1 patched quorum": multi_signer_manifest(keys, allow_patch=True),
        "v0 patched quorum": multi_signer_manifest(keys, allow_patch=True, version=0),
        "prologue and signer": replace(single, prologue=prologue),
        "static": multi_signer_manifest((), prologue=prologue),
        "v2 linked": replace(single, version=2, linked=(keys[1],), user_data=b"data"),
    }
    grown = [history(name, m, manifest_key(m), blocks) for name, m in kinds.items()]
    return [*grown, history("compat", single, keys[0], blocks)]


@dataclass(frozen=True)
class Scenario:
    """A genuine proof, who it is for, and the whole truth."""

    copy: MemoryCore
    data: Data
    truth: History


def scenario(draw: Draw, logs: Sequence[History]) -> Scenario:
    """A peer with part of a log, and a proof that the holder of a newer state gave it."""
    while True:
        log = draw.choice(logs)
        at = draw.randrange(-1, len(log.snapshots))
        source = log.snapshots[draw.randrange(max(at, 0), len(log.snapshots))]
        copy = MemoryCore(source.key)
        if at >= 0:
            fetch_some(draw, copy, log.snapshots[at])
        for _ in range(4):
            try:
                data = build_proof(source, random_request(draw, copy, source))
                verify_proof_untrusted(copy, data)
            except (CannotProve, RemoteProtocolError):
                continue
            return Scenario(copy, data, log)


def fetch_some(draw: Draw, copy: MemoryCore, holder: MemoryCore) -> None:
    upgrade = UpgradeRequest(0, holder.head.length)
    first = build_proof(holder, Request(1, 0, upgrade=upgrade, manifest=True))
    copy.apply(verify_proof_untrusted(copy, first))
    for index in draw.sample(range(holder.head.length), draw.randrange(holder.head.length + 1)):
        block = BlockRequest(index, missing_nodes(copy, index))
        copy.apply(verify_proof_untrusted(copy, build_proof(holder, Request(1, 0, block=block))))


def steps_to_known(copy: MemoryCore, index: int) -> int:
    steps = 0
    while copy.node(index) is None and steps < 50:
        index = parent(index)
        steps += 1
    return steps


def random_request(draw: Draw, copy: MemoryCore, source: MemoryCore) -> Request:
    start, end = copy.head.length, source.head.length
    request = Request(draw.randrange(1, 300), 0, manifest=copy.manifest is None)
    if start < end and draw.random() < 0.6:
        request = replace(request, upgrade=UpgradeRequest(start, draw.randint(1, end - start)))
    limit = end if request.upgrade else max(start, 1)
    kind = draw.randrange(5)
    if kind in (1, 3):
        index = draw.randrange(limit)
        nodes = missing_nodes(copy, index)
        request = replace(request, block=BlockRequest(index, nodes))
    if kind in (2, 4):
        index = draw.randrange(2 * limit)
        request = replace(request, hash=HashRequest(index, steps_to_known(copy, index)))
    if kind in (3, 4) or (kind == 0 and request.upgrade):
        byte = draw.randrange(source.head.byte_length + 1)
        request = replace(request, seek=SeekRequest(byte, 0))
    return request


# What a liar may try ------------------------------------------------------------------------------


def flip_bits(data: Data, other: Data, draw: Draw) -> Data:
    payload = bytearray(encode_data(data))
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        payload[draw.randrange(len(payload))] ^= 1 << draw.randrange(8)
    return decode_data_untrusted(bytes(payload))


def cut_or_insert_bytes(data: Data, other: Data, draw: Draw) -> Data:
    payload = bytearray(encode_data(data))
    start = draw.randrange(len(payload))
    stop = start + draw.randrange(40)
    payload[start:stop] = draw.randbytes(draw.randrange(40))
    return decode_data_untrusted(bytes(payload))


def splice_bytes(data: Data, other: Data, draw: Draw) -> Data:
    mine, theirs = encode_data(data), encode_data(other)
    return decode_data_untrusted(mine[: draw.randrange(len(mine))] + theirs[-draw.randrange(200) :])


def node_lists(data: Data) -> list[tuple[str, str]]:
    """Part and attribute of every list of nodes in a proof."""
    lists = [(part, "nodes") for part in ("block", "hash", "seek", "upgrade") if has(data, part)]
    return [*lists, ("upgrade", "additional_nodes")] if data.upgrade else lists


def has(data: Data, part: str) -> bool:
    return getattr(data, part) is not None


def with_nodes(data: Data, where: tuple[str, str], nodes: Sequence[TreeNode]) -> Data:
    part, attribute = where
    changed = replace(getattr(data, part), **{attribute: tuple(nodes)})
    return replace(data, **{part: changed})


def nodes_at(data: Data, where: tuple[str, str]) -> list[TreeNode]:
    return list(getattr(getattr(data, where[0]), where[1]))


def change_nodes(
    data: Data, draw: Draw, change: Callable[[list[TreeNode]], None], minimum: int = 1
) -> Data:
    places = [where for where in node_lists(data) if len(nodes_at(data, where)) >= minimum]
    if not places:
        return change_number(data, data, draw)
    where = draw.choice(places)
    nodes = nodes_at(data, where)
    change(nodes)
    return with_nodes(data, where, nodes)


def change_node(data: Data, other: Data, draw: Draw) -> Data:
    def change(nodes: list[TreeNode]) -> None:
        at = draw.randrange(len(nodes))
        index, size, digest = nodes[at]
        field = draw.randrange(3)
        if field == 0:
            index = max(0, index + draw.choice((-2, -1, 1, 2, 2**40)))
        elif field == 1:
            size = max(0, size + draw.choice((-8, -1, 1, 8, 2**52)))
        else:
            digest = draw.randbytes(32)
        nodes[at] = TreeNode(index, size, digest)

    return change_nodes(data, draw, change)


def shift_bytes_between_nodes(data: Data, other: Data, draw: Draw) -> Data:
    """Keep every sum, and so every parent's hash, but divide the bytes in another way."""
    places = [(where, i) for where in node_lists(data) for i in range(len(nodes_at(data, where)))]
    if len(places) < 2:
        return change_node(data, other, draw)
    first, second = draw.sample(places, 2)
    amount = draw.randint(1, 9)
    for (where, at), sign in ((first, -1), (second, 1)):
        nodes = nodes_at(data, where)
        index, size, digest = nodes[at]
        nodes[at] = TreeNode(index, max(0, size + sign * amount), digest)
        data = with_nodes(data, where, nodes)
    return data


def drop_node(data: Data, other: Data, draw: Draw) -> Data:
    return change_nodes(data, draw, lambda nodes: nodes.__delitem__(draw.randrange(len(nodes))))


def repeat_node(data: Data, other: Data, draw: Draw) -> Data:
    return change_nodes(
        data, draw, lambda nodes: nodes.insert(draw.randrange(len(nodes) + 1), draw.choice(nodes))
    )


def shuffle_nodes(data: Data, other: Data, draw: Draw) -> Data:
    return change_nodes(data, draw, draw.shuffle, minimum=2)


def move_node(data: Data, other: Data, draw: Draw) -> Data:
    places = node_lists(data)
    full = [where for where in places if nodes_at(data, where)]
    if not full:
        return change_number(data, other, draw)
    source, target = draw.choice(full), draw.choice(places)
    nodes = nodes_at(data, source)
    taken = nodes.pop(draw.randrange(len(nodes)))
    data = with_nodes(data, source, nodes)
    nodes = nodes_at(data, target)
    nodes.insert(draw.randrange(len(nodes) + 1), taken)
    return with_nodes(data, target, nodes)


def foreign_node(data: Data, other: Data, draw: Draw) -> Data:
    foreign = [node for where in node_lists(other) for node in nodes_at(other, where)]
    if not foreign:
        return change_node(data, other, draw)

    def change(nodes: list[TreeNode]) -> None:
        at = draw.randrange(len(nodes))
        nodes[at] = draw.choice(foreign)._replace(index=nodes[at].index)

    return change_nodes(data, draw, change)


def foreign_part(data: Data, other: Data, draw: Draw) -> Data:
    part = draw.choice(("block", "hash", "seek", "upgrade", "manifest"))
    return replace(data, **{part: getattr(other, part)})


def change_block(data: Data, other: Data, draw: Draw) -> Data:
    if data.block is None:
        return change_number(data, other, draw)
    value = draw.choice((data.block.value + b"\0", data.block.value[1:], b"", draw.randbytes(40)))
    return replace(data, block=replace(data.block, value=value))


def change_number(data: Data, other: Data, draw: Draw) -> Data:
    amount = draw.choice((-3, -2, -1, 1, 2, 3, 2**41))
    places = ["fork"]
    places += [f"{part}.index" for part in ("block", "hash") if has(data, part)]
    places += ["upgrade.start", "upgrade.length"] if data.upgrade else []
    part, _, field = draw.choice(places).partition(".")
    if not field:
        return replace(data, fork=max(0, data.fork + amount))
    changed = getattr(data, part)
    changed = replace(changed, **{field: max(0, getattr(changed, field) + amount)})
    return replace(data, **{part: changed})


def change_signature(data: Data, other: Data, draw: Draw) -> Data:
    if data.upgrade is None:
        return change_number(data, other, draw)
    signature = bytearray(data.upgrade.signature or b"")
    if signature and draw.random() < 0.7:
        signature[draw.randrange(len(signature))] ^= 1 << draw.randrange(8)
    else:
        stolen = other.upgrade.signature if other.upgrade else None
        signature = bytearray(
            draw.choice((b"", draw.randbytes(64), draw.randbytes(68), stolen or b""))
        )
    return replace(data, upgrade=replace(data.upgrade, signature=bytes(signature) or None))


def change_manifest(data: Data, other: Data, draw: Draw) -> Data:
    thief = PAIRS[1].public_key
    forged: list[Manifest | None] = [None, other.manifest, default_manifest(thief)]
    if data.manifest is not None:
        forged += [
            replace(data.manifest, quorum=draw.randrange(3)),
            replace(data.manifest, allow_patch=not data.manifest.allow_patch),
            replace(data.manifest, signers=default_manifest(thief).signers),
            replace(data.manifest, version=1 + draw.randrange(3), prologue=None),
        ]
    return replace(data, manifest=draw.choice(forged))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    cut_or_insert_bytes,
    splice_bytes,
    change_node,
    shift_bytes_between_nodes,
    drop_node,
    repeat_node,
    shuffle_nodes,
    move_node,
    foreign_node,
    foreign_part,
    change_block,
    change_number,
    change_signature,
    change_manifest,
)


def untruths(scene: Scenario, change: CoreChange) -> list[str]:
    """Everything in ``change`` that the genuine log never said."""
    whole, found = scene.truth.snapshots[-1], []
    assert whole.manifest is not None
    head = change.head or scene.copy.head
    for node in change.nodes:
        if whole.nodes.get(node.index) != node or end_length(node.index) > head.length:
            found.append(f"node {node.index}")
    for index, block in change.blocks:
        if whole.blocks.get(index) != block or index >= head.length:
            found.append(f"block {index}")
    if change.head is not None:
        if replace(head, signature=None) not in scene.truth.heads():
            found.append(f"head of length {head.length}")
        elif not verify_head(whole.key, whole.manifest, head):
            found.append("unsigned head")
    if change.manifest is not None and change.manifest != whole.manifest:
        found.append("manifest")
    return found


def run(seed: int, count: int, per_scenario: int = 25) -> Counter[str]:
    """Try ``count`` mutations.

    Gives how many were rejected (under each mutation's name), how many passed because they left
    the proof ``unchanged`` or say nothing false (``harmless``), and how many lies passed
    (``accepted``, with what they were).
    """
    draw = Random(seed)
    logs = histories(draw)
    result: Counter[str] = Counter()
    previous = scenario(draw, logs)
    tried = 0
    while tried < count:
        scene = scenario(draw, logs)
        for _ in range(per_scenario):
            tried += 1
            mutation = draw.choice(MUTATIONS)
            try:
                mutated = mutation(scene.data, previous.data, draw)
                change = verify_proof_untrusted(scene.copy, mutated)
            except RemoteProtocolError:
                result[f"rejected {mutation.__name__}"] += 1
                continue
            lies = untruths(scene, change)
            if lies:
                result["accepted"] += 1
                result[f"accepted {mutation.__name__}: {', '.join(lies)}"] += 1
            elif mutated == scene.data:
                result["unchanged"] += 1
            else:
                result["harmless"] += 1
                result[f"harmless {mutation.__name__}"] += 1
        previous = scene
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Try to pass off mutated proofs as genuine.")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for name, count in sorted(run(arguments.seed, arguments.count).items()):
        print(f"{count:>9}  {name}")


if __name__ == "__main__":
    main()
