"""The walk towards a target, step by step: whom it asks next, when it ends, whom it tells what."""

from __future__ import annotations

from collections.abc import Iterable

from protocol.dht.addresses import Address, distance, node_id
from protocol.dht.queries.query import (
    CACHED_CONCURRENCY,
    CONCURRENCY,
    MIN_CACHED_REPLIES,
    DownHint,
    Query,
)
from protocol.dht.rpc.messages import ErrorCode, Response
from protocol.dht.rpc.routing_table import ROW_NODES

TARGET = b"\x5a" * 32
US = Address("10.9.9.9", 1)


def far_first(count: int) -> list[Address]:
    """Addresses of nodes, the farthest from the target first."""
    addresses = [Address(f"10.0.{n}.1", 49737) for n in range(count)]
    return sorted(addresses, key=lambda a: distance(TARGET, node_id(a)), reverse=True)


NODES = far_first(60)


def asked(query: Query) -> list[Address]:
    """Everybody it wants to ask now."""
    found = []
    while (address := query.next_address()) is not None:
        found.append(address)
    return found


def answer(
    query: Query, address: Address, closer: Iterable[Address] = (), error: int = 0
) -> list[DownHint]:
    """A node with an id answers."""
    response = Response(0, US, closer_nodes=tuple(closer), error=error)
    return query.replied(address, node_id(address), response)


def test_the_node_found_last_is_asked_first_and_ten_at_once() -> None:
    query = Query(TARGET, seeds=NODES[:30])
    assert asked(query) == NODES[:30][::-1][:CONCURRENCY]
    assert asked(query) == []
    answer(query, NODES[29], [NODES[59], NODES[58]])
    assert asked(query) == [NODES[58]]


def test_what_is_no_nearer_than_the_twentieth_is_not_asked() -> None:
    near = NODES[40:]
    query = Query(TARGET, seeds=[NODES[0], *near])
    # Of those found last ten are asked at once, so the farthest comes at the very end.
    while waiting := asked(query):
        for address in waiting:
            answer(query, address)
    assert [reply.address for reply in query.closest] == near[::-1]
    assert query.finished


def test_a_list_is_read_up_to_the_first_that_is_not_nearer() -> None:
    query = Query(TARGET, seeds=NODES[39:59])
    while waiting := asked(query):
        for address in waiting:
            # The nearest of all is new, but stands behind one that is too far.
            answer(query, address, [NODES[0], NODES[59]] if address == NODES[39] else ())
    assert [reply.address for reply in query.closest] == NODES[39:59][::-1]


def test_errors_and_nodes_without_an_id_are_not_among_the_nearest() -> None:
    query = Query(TARGET, seeds=NODES[:3])
    for address in asked(query):
        if address == NODES[0]:
            answer(query, address, error=ErrorCode.UNKNOWN_COMMAND)
        elif address == NODES[1]:
            query.replied(address, None, Response(0, US))
        else:
            answer(query, address)
    assert [reply.address for reply in query.closest] == [NODES[2]]


def test_slow_nodes_let_others_go_first_and_do_not_hold_up_the_end() -> None:
    query = Query(TARGET, seeds=NODES[:40])
    first = asked(query)
    query.slow(first[0])
    assert len(asked(query)) == 1
    while len(query.closest) < ROW_NODES:
        for address in [a for a in query.asked if a != first[0]]:
            answer(query, address)
        asked(query)
    for address in query.asked:
        query.slow(address)
    assert asked(query) == []
    assert query.finished


def test_who_named_a_dead_node_is_told_now_or_later() -> None:
    dead = NODES[59]
    query = Query(TARGET, seeds=NODES[:3])
    one, other, late = asked(query)
    answer(query, one, [dead])
    answer(query, other, [dead])
    assert asked(query) == [dead]
    assert set(query.failed(dead)) == {DownHint(one, dead), DownHint(other, dead)}
    assert answer(query, late, [dead]) == [DownHint(late, dead)]
    assert asked(query) == []


def test_we_are_not_asked() -> None:
    query = Query(TARGET, seeds=[NODES[0]], skip=lambda address: address == NODES[59])
    (address,) = asked(query)
    answer(query, address, [NODES[59], NODES[58]])
    assert asked(query) == [NODES[58]]


def test_bootstrap_nodes_are_asked_where_little_is_known() -> None:
    assert asked(Query(TARGET, seeds=NODES[:1], bootstrap=[US])) == [US, NODES[0]]
    assert US not in asked(Query(TARGET, seeds=NODES[:ROW_NODES], bootstrap=[US]))


def test_cached_nodes_are_asked_a_few_at_once_and_replaced_when_too_few_answer() -> None:
    cached, known = NODES[:6], NODES[30:36]
    query = Query(TARGET, seeds=cached, cached=True, fallback=lambda: known)
    for _ in range(2):
        waiting = asked(query)
        assert len(waiting) == CACHED_CONCURRENCY
        answer(query, waiting[0])
        answer(query, waiting[1])
        query.failed(waiting[2])
    assert set(asked(query)) == set(known)


def test_cached_nodes_that_answer_suffice() -> None:
    query = Query(TARGET, seeds=NODES[:MIN_CACHED_REPLIES], cached=True, fallback=lambda: NODES)
    while waiting := asked(query):
        for address in waiting:
            answer(query, address)
    assert query.finished
    assert {reply.address for reply in query.closest} == set(NODES[:MIN_CACHED_REPLIES])


def test_without_cached_nodes_the_table_is_used() -> None:
    query = Query(TARGET, seeds=(), cached=True, fallback=lambda: NODES[:2])
    assert set(asked(query)) == set(NODES[:2])


def test_knowing_nobody_it_is_over_at_once() -> None:
    query = Query(TARGET, seeds=())
    assert asked(query) == []
    assert query.finished
