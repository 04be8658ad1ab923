"""The Merkle log against its definition, for logs of any shape."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.crypto.hashes import leaf_node, parent_node
from protocol.hypercore.core import EMPTY_HEAD
from protocol.hypercore.merkle.flat_tree import (
    children,
    contains,
    depth,
    end_length,
    full_roots,
    is_left_child,
    leaf_count,
    left_span,
    node_index,
    offset,
    parent,
    right_span,
    sibling,
    upgrade_indexes,
)
from protocol.hypercore.merkle.growth import append_blocks, append_root
from protocol.hypercore.merkle.proof import BlockRequest, Request, UpgradeRequest
from protocol.hypercore.merkle.prover import build_proof, missing_nodes
from protocol.hypercore.merkle.verifier import verify_proof_untrusted

from ..merkle_core import MemoryCore, compat_core, written_core

INDEXES = st.integers(0, 2**41)
LENGTHS = st.integers(0, 2**40)
BLOCKS = st.lists(st.binary(max_size=20), max_size=40)


@given(INDEXES)
def test_flat_tree_relations(index: int) -> None:
    assert node_index(depth(index), offset(index)) == index
    assert sibling(sibling(index)) == index
    assert parent(sibling(index)) == parent(index)
    assert sorted((index, sibling(index))) == list(children(parent(index)) or ())
    assert is_left_child(index) == (index < sibling(index))
    assert depth(parent(index)) == depth(index) + 1
    assert right_span(index) - left_span(index) == 2 * (leaf_count(index) - 1)
    assert end_length(index) == right_span(index) // 2 + 1
    assert contains(parent(index), index)
    assert not contains(index, parent(index))
    assert contains(index, left_span(index))
    assert contains(index, right_span(index))
    assert not contains(index, right_span(index) + 1)


@given(LENGTHS)
def test_full_roots_cover_a_length_once(length: int) -> None:
    roots = full_roots(length)
    assert sum(leaf_count(root) for root in roots) == length
    start = 0
    for root in roots:
        assert left_span(root) == start
        start = right_span(root) + 2


@given(BLOCKS, st.data())
def test_appending_in_any_batches_gives_the_same_tree(
    blocks: list[bytes], data: st.DataObject
) -> None:
    nodes, head = append_blocks(EMPTY_HEAD, blocks)
    cut = data.draw(st.integers(0, len(blocks)))
    first, middle = append_blocks(EMPTY_HEAD, blocks[:cut])
    second, end = append_blocks(middle, blocks[cut:])
    assert [*first, *second] == nodes
    assert end == head
    assert [root.index for root in head.roots] == full_roots(len(blocks))
    assert head.byte_length == sum(map(len, blocks))
    by_index = {node.index: node for node in nodes}
    assert len(by_index) == len(nodes)
    for node in nodes:
        below = children(node.index)
        if below is None:
            assert node == leaf_node(node.index // 2, blocks[node.index // 2])
        else:
            assert node == parent_node(by_index[below[1]], by_index[below[0]])


@given(BLOCKS, st.data())
def test_upgrade_nodes_take_one_length_to_another(blocks: list[bytes], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(blocks)))
    nodes, head = append_blocks(EMPTY_HEAD, blocks)
    by_index = {node.index: node for node in nodes}
    roots = [by_index[index] for index in full_roots(start)]
    for index in upgrade_indexes(start, len(blocks)):
        append_root(roots, by_index[index])
    assert tuple(roots) == head.roots


@given(LENGTHS, LENGTHS)
def test_an_upgrade_needs_few_nodes(a: int, b: int) -> None:
    start, end = sorted((a, b))
    indexes = upgrade_indexes(start, end)
    assert len(indexes) <= 2 * max(end.bit_length(), 1)
    assert sum(leaf_count(index) for index in indexes) == end - start


@settings(max_examples=60)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.booleans(), st.randoms())
def test_a_copy_follows_its_source(steps: list[int], is_compat: bool, draw: Random) -> None:
    source = compat_core(0) if is_compat else written_core(0)
    copy = MemoryCore(source.key)
    for step in steps:
        source.append(b"%d.%d" % (step, i) for i in range(step))
        start = copy.head.length
        # The upgrade may stop early; its additional nodes then lead on to the signed length.
        length = draw.randint(1, source.head.length - start)
        index = draw.randrange(start + length)
        request = Request(
            1,
            0,
            block=BlockRequest(index, missing_nodes(copy, index)),
            upgrade=UpgradeRequest(start, length),
            manifest=True,
        )
        copy.apply(verify_proof_untrusted(copy, build_proof(source, request)))
        assert copy.head == source.head
        assert copy.block(index) == source.block(index)
    order = list(range(source.head.length))
    draw.shuffle(order)
    for index in order:
        block = BlockRequest(index, missing_nodes(copy, index))
        copy.apply(verify_proof_untrusted(copy, build_proof(source, Request(2, 0, block=block))))
    assert copy.blocks == source.blocks
    assert all(source.nodes[index] == node for index, node in copy.nodes.items())
    assert all(copy.node(2 * index) is not None for index in order)
