"""What strangers cannot make a node do: amplify, store without a token, crowd others out."""

from __future__ import annotations

from random import Random

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.dht import namespaces
from protocol.dht.addresses import Address, node_id
from protocol.dht.handshake.handshake_box import HandshakeBox, Mode, encode_handshake_box
from protocol.dht.node import DhtNode
from protocol.dht.queries.operations import signed_announce
from protocol.dht.queries.query_run import CloseReply
from protocol.dht.records.generations import Generations
from protocol.dht.records.topics import Topics
from protocol.dht.rpc.messages import (
    Command,
    ErrorCode,
    Internal,
    Request,
    Response,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from protocol.dht.rpc.requests import SERVER_SOCKET
from protocol.dht.rpc.routing_table import ROW_NODES, Node, RoutingTable
from protocol.dht.rpc.rpc import NodeConfig
from protocol.dht.rpc.tokens import Tokens
from protocol.limits import MAX_DHT_RECORDS_PER_TOPIC, MAX_SUBNET_NODES_PER_ROW

OWN = Address("10.0.0.1", 49737)
STRANGER = Address("44.1.2.3", 999)
TARGET = b"\x33" * 32


def _node() -> DhtNode:
    node = DhtNode(NodeConfig(address=OWN), Random(5).randbytes, 0.0)
    node.start(0.0)
    for n in range(60):
        address = Address(f"10.{n}.0.1", 5000)
        node._rpc.upkeep.heard(address, node_id(address), None)
    return node


def _ask(
    node: DhtNode, request: Request, source: Address = STRANGER, now: float = 0.0
) -> list[bytes]:
    node.receive_datagram_untrusted(encode_request(request), source, now)
    return [d.data for d in node.datagrams_to_send(now) if d.address.host == source.host]


def _prove(node: DhtNode, source: Address, now: float = 0.0) -> list[Response]:
    """Ask from a host and answer its ping; gives the answers that this releases."""
    request = Request(1, OWN, False, Command.LOOKUP, target=TARGET)
    (ping,) = _ask(node, request, source, now)
    challenge = decode_packet_untrusted(ping)
    assert isinstance(challenge, Request)
    assert challenge.command == Internal.PING
    pong = encode_response(Response(challenge.tid, OWN))
    node.receive_datagram_untrusted(pong, source, now)
    answers = [decode_packet_untrusted(d.data) for d in node.datagrams_to_send(now)]
    return [answer for answer in answers if isinstance(answer, Response)]


def test_nobody_gets_more_bytes_than_sent_before_answering() -> None:
    for internal in (True, False):
        for command in range(12):
            for target in (None, TARGET):
                for value in (None, b"\x01\x02", bytes(40)):
                    node = _node()
                    request = Request(7, OWN, internal, command, target=target, value=value)
                    size = len(encode_request(request))
                    out = b"".join(_ask(node, request))
                    assert len(out) <= size, (internal, command)
                    # Nor when it is said again and again.
                    more = sum(len(d) for _ in range(20) for d in _ask(node, request))
                    assert more <= 20 * size


def test_who_answers_a_ping_gets_everything() -> None:
    node = _node()
    (answer,) = _prove(node, STRANGER)
    assert answer.token is not None
    assert len(answer.closer_nodes) == ROW_NODES
    assert len(_ask(node, Request(2, OWN, True, Internal.FIND_NODE, target=TARGET))) == 1


def test_pong_of_another_host_proves_nothing() -> None:
    node = _node()
    (ping,) = _ask(node, Request(1, OWN, False, Command.LOOKUP, target=TARGET))
    pong = encode_response(Response(decode_packet_untrusted(ping).tid, OWN))
    node.receive_datagram_untrusted(pong, Address("44.9.9.9", 999), 0.0)
    assert node.datagrams_to_send(0.0) == []


def test_tokens_are_for_one_host_and_one_target_and_a_short_time() -> None:
    tokens = Tokens(bytes(range(64)), 0.0)
    token = tokens.issue("1.2.3.4", TARGET, 0.0)
    assert tokens.check_untrusted(token, "1.2.3.4", TARGET, 7.0)
    assert tokens.check_untrusted(token, "1.2.3.4", TARGET, 8.0)
    assert not tokens.check_untrusted(token, "1.2.3.5", TARGET, 8.0)
    assert not tokens.check_untrusted(token, "1.2.3.4", bytes(32), 8.0)
    assert not tokens.check_untrusted(token, "1.2.3.4", TARGET, 15.1)
    for later in (900.0, 901.0, 5000.0):
        assert not tokens.check_untrusted(token, "1.2.3.4", TARGET, later)
    random = Random(1)
    now = 5000.0
    assert not any(
        tokens.check_untrusted(random.randbytes(32), "1.2.3.4", TARGET, now) for _ in range(20_000)
    )


def _announce(
    node: DhtNode, key_pair: KeyPair, token: bytes, source: Address, target: bytes = TARGET
) -> list[bytes]:
    assert node.id is not None
    response = Response(0, source, id=node.id, token=token)
    value = signed_announce(
        namespaces.ANNOUNCE, target, CloseReply(0, node.id, OWN, response), key_pair
    )
    request = Request(3, OWN, False, Command.ANNOUNCE, token=token, target=target, value=value)
    return _ask(node, request, source)


def test_nothing_is_stored_without_a_good_token() -> None:
    node = _node()
    key_pair = KeyPair.from_seed(bytes(32))
    (answer,) = _prove(node, STRANGER)
    assert answer.token is not None
    (refused,) = _announce(node, key_pair, bytes(32), STRANGER)
    response = decode_packet_untrusted(refused)
    assert isinstance(response, Response)
    assert response.error == ErrorCode.INVALID_TOKEN
    # Somebody else's token, from a host that did not answer a ping: silence and one ping.
    other = Address("44.7.7.7", 1)
    (ping,) = _announce(node, key_pair, answer.token, other)
    assert isinstance(decode_packet_untrusted(ping), Request)
    (accepted,) = _announce(node, key_pair, answer.token, STRANGER)
    assert accepted == encode_response(Response(3, STRANGER, id=node.id))


def test_announces_of_others_are_not_stored() -> None:
    node = _node()
    (answer,) = _prove(node, STRANGER)
    assert answer.token is not None
    assert node.id is not None
    key_pair, victim = KeyPair.from_seed(bytes(32)), KeyPair.from_seed(b"\x01" * 32)
    response = Response(0, STRANGER, id=node.id, token=answer.token)
    value = signed_announce(
        namespaces.ANNOUNCE, TARGET, CloseReply(0, node.id, OWN, response), key_pair
    )
    assert value is not None
    forged = value.replace(key_pair.public_key, victim.public_key)
    request = Request(
        3, OWN, False, Command.ANNOUNCE, token=answer.token, target=TARGET, value=forged
    )
    assert _ask(node, request) == []
    assert node._store._topics.records(TARGET, 0.0) == []


def test_a_topic_has_few_records_and_no_network_takes_all() -> None:
    topics = Topics(0.0)
    for n in range(10):
        topics.put(TARGET, n.to_bytes(32, "big"), b"honest", f"20.0.{n}.1", 0.0)
    for n in range(1000, 2000):
        topics.put(TARGET, n.to_bytes(32, "big"), b"crowd", f"66.6.6.{n % 250}", 0.0)
    records = topics.records(TARGET, 0.0)
    assert len(records) == MAX_DHT_RECORDS_PER_TOPIC
    assert records.count(b"honest") == 10


def test_rows_take_few_nodes_of_a_network() -> None:
    crowd = [Address(f"66.6.6.{n}", 1000) for n in range(250)]

    def fill(addresses: list[Address]) -> RoutingTable:
        table = RoutingTable(bytes(32))
        table.add_all(Node(node_id(a), a, 0, 0, 0, 0) for a in addresses)
        return table

    table = fill(crowd)
    assert all(len(table.row(n)) <= MAX_SUBNET_NODES_PER_ROW for n in range(256))
    loopback = fill([Address("127.0.0.1", 1000 + n) for n in range(250)])
    assert len(loopback.row(0)) == ROW_NODES


def test_relays_send_only_where_they_were_asked_from() -> None:
    node = _node()
    _prove(node, STRANGER)
    victim = Address("55.5.5.5", 53)
    for mode in Mode:
        box = HandshakeBox(mode, bytes(100), peer_address=victim, relay_address=victim)
        request = Request(
            4, OWN, False, Command.PEER_HANDSHAKE, target=TARGET, value=encode_handshake_box(box)
        )
        node.receive_datagram_untrusted(encode_request(request), STRANGER, 0.0)
        assert victim not in [d.address for d in node.datagrams_to_send(0.0)]


def test_answers_are_taken_only_from_who_was_asked() -> None:
    node = _node()
    operation = node.find_node(TARGET, 0.0)
    sent = node.datagrams_to_send(0.0)
    tids = [decode_packet_untrusted(d.data).tid for d in sent]
    before = node.answered
    for tid in tids:
        node.receive_datagram_untrusted(encode_response(Response(tid, OWN)), STRANGER, 0.0)
    assert node.answered == before
    node.receive_datagram_untrusted(
        encode_response(Response(tids[0], OWN)), sent[0].address, 0.0, SERVER_SOCKET
    )
    assert node.answered == before + 1
    node.cancel(operation)


def test_held_requests_and_generations_are_bounded() -> None:
    node = _node()
    for n in range(3000):
        source = Address(f"44.{n >> 8}.{n & 255}.1", 9)
        _ask(node, Request(1, OWN, False, Command.LOOKUP, target=TARGET), source)
    assert len(node._rpc.return_paths._checks) <= 1024
    store: Generations[bytes, int] = Generations(100, 60.0, 0.0)
    for n in range(10_000):
        store.put(blake2b_256(n.to_bytes(4, "big")), n, 0.0)
    assert len(store) <= 200
    assert store.get(blake2b_256((9_999).to_bytes(4, "big")), 1.0) == 9_999
    assert store.get(blake2b_256((9_999).to_bytes(4, "big")), 500.0) is None
