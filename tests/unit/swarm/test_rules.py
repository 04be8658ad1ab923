"""Who is looked for, called, called again, and kept, in virtual time."""

from __future__ import annotations

import os
from functools import partial
from itertools import pairwise

import pytest

from protocol.errors import LocalProtocolError
from protocol.limits import MAX_SWARM_PEERS, MAX_SWARM_TOPICS
from protocol.swarm import backoff, events
from protocol.swarm.chance import Chance
from protocol.swarm.discovery import LONELY_SECONDS, REFRESH_JITTER_SECONDS, REFRESH_SECONDS
from protocol.swarm.duplicates import CALL_SECONDS, keep_new
from protocol.swarm.events import QueryKind
from protocol.swarm.peer_info import GOOD_CONNECTION_SECONDS, MAX_ATTEMPTS, PeerInfo, Priority
from protocol.swarm.rules import Limits, SwarmRules

from ...swarm_network import SILENCE_SECONDS, SwarmNetwork, SwarmNode

TOPIC = bytes(range(32))
OTHER_TOPIC = bytes(range(1, 33))
SMALL_KEY, LARGE_KEY = b"\x01" * 32, b"\xfe" * 32


def kinds(node: SwarmNode, topic: bytes = TOPIC) -> list[QueryKind]:
    return [query.kind for _, query in node.queries if query.topic == topic]


def drain(rules: SwarmRules) -> list[events.Event]:
    drained = []
    while (event := rules.next_event()) is not None:
        drained.append(event)
    return drained


# Topics -------------------------------------------------------------------------------------------


def test_a_client_finds_a_server_that_was_there_before() -> None:
    net = SwarmNetwork()
    server, client = net.add(), net.add()
    server.rules.join(TOPIC, net.now, client=False)
    net.run(1)
    client.rules.join(TOPIC, net.now, server=False)
    net.run(1)
    assert client.open_with() == [server.key]
    assert server.open_with() == [client.key]
    assert [event.initiator for event in client.connected] == [True]
    assert [event.initiator for event in server.connected] == [False]
    assert list(client.connected[0].peer.topics) == [TOPIC]
    assert list(server.connected[0].peer.topics) == []


def test_a_server_that_comes_later_is_found_soon() -> None:
    net = SwarmNetwork()
    server, client = net.add(), net.add()
    client.rules.join(TOPIC, net.now, server=False)
    net.run(30)
    server.rules.join(TOPIC, net.now, client=False)
    net.run(60)
    assert client.open_with() == [server.key]


def test_a_client_that_comes_later_is_found_by_nobody_and_announced_nowhere() -> None:
    net = SwarmNetwork()
    client = net.add()
    client.rules.join(TOPIC, net.now, server=False)
    net.run(3600)
    assert set(kinds(client)) == {QueryKind.LOOKUP}
    assert not client.reachable


def test_lonely_lookups_come_at_twice_the_distance_each_time() -> None:
    net = SwarmNetwork()
    client = net.add()
    client.rules.join(TOPIC, net.now, server=False)
    net.run(3600)
    times = [at for at, _ in client.queries]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert LONELY_SECONDS <= gaps[0] <= 1.3 * LONELY_SECONDS
    assert 1.5 < gaps[1] / gaps[0] < 2.6
    assert max(gaps) <= 1.2 * REFRESH_SECONDS + 1


def test_connected_topics_are_refreshed_as_in_js() -> None:
    net = SwarmNetwork()
    server, client = net.add(), net.add()
    server.rules.join(TOPIC, net.now, client=False)
    client.rules.join(TOPIC, net.now, server=False)
    net.run(60)
    client.queries.clear()
    server.queries.clear()
    net.run(REFRESH_SECONDS + REFRESH_JITTER_SECONDS)
    assert kinds(client) == [QueryKind.LOOKUP]
    assert kinds(server) == [QueryKind.ANNOUNCE]


def test_two_that_join_at_the_same_moment_meet() -> None:
    for seed in range(20):
        net = SwarmNetwork(seed)
        one, two = net.add(), net.add()
        one.rules.join(TOPIC, net.now)
        two.rules.join(TOPIC, net.now)
        net.run(3)
        assert one.open_with() == [two.key]
        assert two.open_with() == [one.key]


def test_the_last_session_takes_the_announce_back() -> None:
    net = SwarmNetwork()
    node = net.add()
    first = node.rules.join(TOPIC, net.now)
    second = node.rules.join(TOPIC, net.now)
    net.run(5)
    node.rules.leave(first, net.now)
    net.run(5)
    assert node.key in net.records[TOPIC]
    node.rules.leave(second, net.now)
    net.run(5)
    assert not net.records[TOPIC]
    assert node.rules.topics == []
    assert node.rules.is_silent
    net.run(3600)
    assert kinds(node)[-1] is QueryKind.UNANNOUNCE


def test_a_server_that_becomes_a_client_is_announced_no_more() -> None:
    net = SwarmNetwork()
    node = net.add()
    session = node.rules.join(TOPIC, net.now)
    net.run(5)
    node.rules.update(session, net.now, server=False, client=True)
    net.run(5)
    assert not net.records[TOPIC]
    node.rules.update(session, net.now, server=True, client=False)
    net.run(5)
    assert node.key in net.records[TOPIC]


def test_an_announce_waits_for_the_removal_before_it() -> None:
    net = SwarmNetwork()
    node = net.add()
    session = node.rules.join(TOPIC, net.now)
    net.run(5)
    node.rules.leave(session, net.now)
    node.rules.join(TOPIC, net.now)
    net.run(5)
    assert node.key in net.records[TOPIC]


def test_a_failed_announce_is_repeated_soon() -> None:
    net = SwarmNetwork(dht_answers=False)
    node = net.add()
    node.rules.join(TOPIC, net.now, client=False)
    net.run(LONELY_SECONDS / 2)
    (discovery,) = node.rules.topics
    assert discovery.failure == "nobody answered"
    assert discovery.announced_at is None
    net.dht_answers = True
    net.run(2 * LONELY_SECONDS)
    assert discovery.announced_at is not None
    assert discovery.failure == ""


def test_nothing_is_announced_before_the_key_can_be_reached() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom)
    rules.join(TOPIC, 0.0, client=False)
    assert drain(rules) == [events.Listen()]
    rules.listening(1.0)
    (start,) = drain(rules)
    assert isinstance(start, events.StartQuery)
    assert start.kind is QueryKind.ANNOUNCE


def test_a_topic_has_32_bytes_and_a_purpose() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom)
    with pytest.raises(LocalProtocolError, match="32 bytes, not 3"):
        rules.join(b"abc", 0.0)
    with pytest.raises(LocalProtocolError, match="as server, as client"):
        rules.join(TOPIC, 0.0, server=False, client=False)
    assert rules.topics == []


def test_topics_are_bounded() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom)
    for number in range(MAX_SWARM_TOPICS):
        rules.join(number.to_bytes(32, "big"), 0.0)
    rules.join(bytes(32), 0.0)
    with pytest.raises(LocalProtocolError, match="topics already"):
        rules.join(TOPIC, 0.0)


# Calling again ------------------------------------------------------------------------------------


def test_priorities_follow_the_attempts() -> None:
    peer = PeerInfo(LARGE_KEY)
    order = []
    while peer.may_be_called():
        order.append(peer.priority)
        peer.ended(0.0, "x")
    assert order == [Priority.NORMAL, Priority.VERY_HIGH, Priority.HIGH, Priority.LOW]
    peer.found()
    assert peer.may_be_called()
    assert peer.priority is Priority.NORMAL


def test_a_good_connection_makes_up_for_earlier_attempts() -> None:
    peer = PeerInfo(LARGE_KEY)
    peer.attempts = MAX_ATTEMPTS
    peer.connected(10.0)
    peer.ended(10.0 + GOOD_CONNECTION_SECONDS, "")
    assert peer.attempts == 1
    peer.connected(100.0)
    peer.ended(100.0 + GOOD_CONNECTION_SECONDS - 0.1, "")
    assert peer.attempts == 2


@pytest.mark.parametrize(
    ("proven", "attempts", "delay"),
    [
        (True, 1, backoff.SHORT),
        (True, 2, backoff.MEDIUM),
        (True, 3, backoff.LONG),
        (False, 1, backoff.MEDIUM),
        (False, 2, backoff.LONG),
        (False, 3, backoff.LONG),
    ],
)
def test_waits_before_the_next_call(proven: bool, attempts: int, delay: backoff.Delay) -> None:
    peer = PeerInfo(LARGE_KEY)
    peer.proven, peer.attempts = proven, attempts
    for _ in range(200):
        wait = backoff.retry_seconds(peer, Chance(os.urandom))
        assert wait is not None
        assert 0.66 * delay.base <= wait <= 1.32 * (delay.base + delay.jitter)


def test_who_never_answers_is_called_only_when_found_again_unless_explicit() -> None:
    peer = PeerInfo(LARGE_KEY)
    peer.attempts = MAX_ATTEMPTS + 1
    assert backoff.retry_seconds(peer, Chance(os.urandom)) is None
    peer.explicit = True
    wait = backoff.retry_seconds(peer, Chance(os.urandom))
    assert wait is not None
    assert wait > 390
    peer.banned = True
    assert backoff.retry_seconds(peer, Chance(os.urandom)) is None


def test_a_killed_peer_that_starts_again_is_connected_again() -> None:
    for seed in range(10):
        net = SwarmNetwork(seed)
        one, two = net.add(), net.add()
        one.rules.join(TOPIC, net.now)
        two.rules.join(TOPIC, net.now)
        net.run(30)
        net.kill(two)
        net.run(2)
        again = net.add(two.key)
        again.rules.join(TOPIC, net.now)
        net.run(SILENCE_SECONDS + 30)
        assert one.open_with() == [again.key]
        assert again.open_with() == [one.key]


def test_a_server_that_starts_again_under_another_key_is_found() -> None:
    net = SwarmNetwork()
    server, client = net.add(), net.add()
    server.rules.join(TOPIC, net.now, client=False)
    client.rules.join(TOPIC, net.now, server=False)
    net.run(400)
    net.kill(server)
    net.run(60)
    again = net.add()
    again.rules.join(TOPIC, net.now, client=False)
    net.run(180)
    assert client.open_with() == [again.key]


def test_a_peer_is_not_called_again_once_its_topic_is_left() -> None:
    net = SwarmNetwork()
    server, client = net.add(), net.add()
    server.rules.join(TOPIC, net.now, client=False)
    session = client.rules.join(TOPIC, net.now, server=False)
    net.run(10)
    client.rules.leave(session, net.now)
    net.run(10)
    assert client.open_with() == [server.key]
    net.kill(server)
    net.run(100)
    assert client.open_with() == []
    assert client.rules.peers == []
    assert len(client.calls) == 1


# Limits, bans -------------------------------------------------------------------------------------


def test_no_more_calls_at_a_time_than_allowed() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom, limits=Limits(parallel=3))
    rules.join(TOPIC, 0.0, server=False)
    (start,) = drain(rules)
    assert isinstance(start, events.StartQuery)
    for number in range(10):
        rules.peer_found(start.query, bytes([number + 2]) * 32, (), 0.0)
    calls = [event for event in drain(rules) if isinstance(event, events.Call)]
    assert len(calls) == rules.calling == 3
    rules.opened(calls[0].connection, 0.0)
    rules.closed(calls[1].connection, 0.0, "x")
    assert sum(isinstance(event, events.Call) for event in drain(rules)) == 2


def test_who_calls_us_while_waiting_to_be_called_is_not_called() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom, limits=Limits(parallel=1))
    rules.join(TOPIC, 0.0, server=False)
    (start,) = drain(rules)
    assert isinstance(start, events.StartQuery)
    keys = [bytes([number]) * 32 for number in (2, 3)]
    for key in keys:
        rules.peer_found(start.query, key, (), 0.0)
    (call,) = drain(rules)
    assert isinstance(call, events.Call)
    (waiting,) = set(keys) - {call.public_key}
    incoming = rules.incoming(waiting, 0.0)
    assert incoming is not None
    rules.opened(incoming, 0.0)
    rules.closed(call.connection, 0.0, "x")
    assert [type(event) for event in drain(rules)] == [events.Connected]


def test_no_more_peers_of_topics_are_called_than_wanted_but_explicit_ones_are() -> None:
    net = SwarmNetwork()
    hub = net.add(limits=Limits(peers=4))
    servers = [net.add() for _ in range(8)]
    for server in servers:
        server.rules.join(TOPIC, net.now, client=False)
    hub.rules.join(TOPIC, net.now, server=False)
    net.run(60)
    assert len(hub.open_with()) == 4
    missing = next(server for server in servers if server.key not in hub.open_with())
    hub.rules.join_peer(missing.key, net.now)
    net.run(60)
    assert len(hub.open_with()) == 5
    assert missing.key in hub.open_with()


def test_a_banned_peer_is_closed_refused_and_not_called() -> None:
    net = SwarmNetwork()
    one, two = net.add(), net.add()
    one.rules.join(TOPIC, net.now)
    two.rules.join(TOPIC, net.now)
    net.run(5)
    one.rules.ban(two.key, net.now)
    net.run(600)
    assert one.open_with() == two.open_with() == []
    assert not one.rules.allows(two.key)
    one.rules.unban(two.key)
    net.run(REFRESH_SECONDS + 2 * REFRESH_JITTER_SECONDS)
    assert one.open_with() == [two.key]


def test_whom_the_firewall_refuses_is_neither_called_nor_taken() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom, refuses=lambda key: key == LARGE_KEY)
    rules.join(TOPIC, 0.0, server=False)
    (start,) = drain(rules)
    assert isinstance(start, events.StartQuery)
    rules.peer_found(start.query, LARGE_KEY, (), 0.0)
    assert drain(rules) == []
    assert rules.incoming(LARGE_KEY, 0.0) is None
    assert rules.peers == []


def test_our_own_key_is_no_peer() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom)
    rules.join(TOPIC, 0.0, server=False)
    (start,) = drain(rules)
    assert isinstance(start, events.StartQuery)
    rules.peer_found(start.query, SMALL_KEY, (), 0.0)
    rules.join_peer(SMALL_KEY, 0.0)
    assert rules.peers == []
    assert rules.incoming(SMALL_KEY, 0.0) is None


def test_made_up_peers_are_bounded_and_do_not_push_out_real_ones() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom)
    rules.join(TOPIC, 0.0, server=False)
    (start,) = drain(rules)
    assert isinstance(start, events.StartQuery)
    number = rules.incoming(LARGE_KEY, 0.0)
    assert number is not None
    rules.opened(number, 0.0)
    for _ in range(2 * MAX_SWARM_PEERS):
        rules.peer_found(start.query, os.urandom(32), (), 0.0)
    assert len(rules.peers) == MAX_SWARM_PEERS
    assert any(peer.public_key == LARGE_KEY for peer in rules.peers)


# Explicit peers, flushing, suspending -------------------------------------------------------------


def test_a_peer_can_be_joined_by_key_alone() -> None:
    net = SwarmNetwork()
    one, two = net.add(), net.add()
    two.rules.join(TOPIC, net.now, client=False)
    net.run(5)
    one.rules.join_peer(two.key, net.now)
    net.run(5)
    assert one.open_with() == [two.key]
    net.kill(two)
    again = net.add(two.key)
    again.rules.join(TOPIC, net.now, client=False)
    net.run(60)
    assert one.open_with() == [two.key]
    one.rules.leave_peer(two.key, net.now)
    net.kill(again)
    net.run(60)
    assert one.rules.peers == []


def test_a_flush_is_done_when_those_found_were_tried() -> None:
    net = SwarmNetwork()
    servers = [net.add() for _ in range(7)]
    for server in servers:
        server.rules.join(TOPIC, net.now, client=False)
    net.run(5)
    net.kill(servers[0])
    client = net.add()
    client.rules.join(TOPIC, net.now)
    flush = client.rules.flush(net.now)
    while not client.flushed:
        net.run(0.01)
        assert net.now < 20
    assert client.flushed == [flush]
    assert len(client.open_with()) == 6


def test_a_flush_with_nothing_to_do_is_done_at_once() -> None:
    rules = SwarmRules(SMALL_KEY, os.urandom)
    flush = rules.flush(0.0)
    assert drain(rules) == [events.Flushed(flush)]


def test_a_flush_ends_though_nobody_answers() -> None:
    net = SwarmNetwork(dht_answers=False)
    node = net.add()
    node.rules.join(TOPIC, net.now)
    flush = node.rules.flush(net.now)
    net.run(2)
    assert node.flushed == [flush]


def test_who_is_suspended_is_silent_and_comes_back() -> None:
    net = SwarmNetwork()
    one, two = net.add(), net.add()
    one.rules.join(TOPIC, net.now)
    two.rules.join(TOPIC, net.now)
    net.run(5)
    one.rules.suspend(net.now)
    net.run(5)
    assert one.open_with() == two.open_with() == []
    assert one.key not in net.records[TOPIC]
    assert not one.reachable
    one.queries.clear()
    net.run(3600)
    assert one.queries == []
    one.rules.resume(net.now)
    net.run(5)
    assert one.open_with() == [two.key]
    assert one.key in net.records[TOPIC]


def test_another_network_is_asked_at_once() -> None:
    net = SwarmNetwork()
    one, two = net.add(), net.add()
    one.rules.join(TOPIC, net.now)
    two.rules.join(TOPIC, net.now)
    net.run(5)
    one.queries.clear()
    one.rules.refresh(net.now)
    net.run(1)
    assert sorted(kinds(one), key=str) == [QueryKind.ANNOUNCE, QueryKind.LOOKUP]


# Duplicates ---------------------------------------------------------------------------------------


def test_both_sides_keep_the_connection_of_the_larger_key() -> None:
    for ours in (True, False):
        kept = keep_new(LARGE_KEY, SMALL_KEY, new_is_ours=ours, existing_open_seconds=None)
        at_peer = keep_new(SMALL_KEY, LARGE_KEY, new_is_ours=not ours, existing_open_seconds=None)
        assert kept == at_peer == ours


def test_a_peer_that_calls_again_later_has_lost_the_first_connection() -> None:
    assert not keep_new(LARGE_KEY, SMALL_KEY, new_is_ours=False, existing_open_seconds=CALL_SECONDS)
    assert keep_new(
        LARGE_KEY, SMALL_KEY, new_is_ours=False, existing_open_seconds=CALL_SECONDS + 0.1
    )


@pytest.mark.parametrize("latency", [0.001, 0.05, 0.7])
def test_whoever_calls_first_two_swarms_end_with_one_connection(latency: float) -> None:
    for seed in range(30):
        net = SwarmNetwork(seed, latency)
        one, two = net.add(), net.add()
        for node in (one, two):
            node.rules.join(OTHER_TOPIC, net.now, client=False)
            net.run(10)
        # Each is told of the other by hand, at times that differ by less than a call takes.
        net.after(latency * net.random.random(), partial(join_by_key, net, one, two))
        net.after(latency * net.random.random(), partial(join_by_key, net, two, one))
        net.run(60)
        assert one.open_with() == [two.key]
        assert two.open_with() == [one.key]
        assert len(one.pipes) == len(two.pipes) == 1
        (pipe,) = one.pipes.values()
        assert pipe in two.pipes.values()
        assert len(one.calls) + len(two.calls) <= 2, "no further round was needed"


def join_by_key(net: SwarmNetwork, node: SwarmNode, other: SwarmNode) -> None:
    node.rules.join_peer(other.key, net.now)
