"""One UDX stream at a time, and two over a network that the test steers."""

from __future__ import annotations

import pytest

from protocol.errors import DecodeError, LocalProtocolError
from protocol.limits import (
    MAX_UDX_DATAGRAM_BYTES,
    MAX_UDX_MESSAGES,
    MAX_UDX_OWN_REORDER_BYTES,
    MAX_UDX_REORDER_PACKETS,
    UDX_EARLY_WINDOW_BYTES,
    UDX_SHARED_REORDER_BYTES,
)
from protocol.udx.events import (
    CloseReason,
    MessageReceived,
    RemoteEnded,
    RemoteMoved,
    StreamClosed,
)
from protocol.udx.packets import (
    ACK,
    DATA,
    DESTROY,
    END,
    HEARTBEAT,
    SACK,
    Packet,
    decode_packet_untrusted,
    encode_packet,
    relayed,
    unwrap,
)
from protocol.udx.receiver import ReorderBudget
from protocol.udx.stream import LINGER_SECONDS, UdxStream
from tests.udx_network import Network, Path

FINISHED = StreamClosed(CloseReason.FINISHED)


def lone_stream(*, connect: bool = True, window_bytes: int = 1 << 20) -> UdxStream:
    stream = UdxStream(1, budget=ReorderBudget(UDX_SHARED_REORDER_BYTES), window_bytes=window_bytes)
    if connect:
        stream.connect(2, "peer", 0.0)
    return stream


def feed(stream: UdxStream, packet: Packet, now: float = 0.0) -> list[Packet]:
    """Give it a packet; returns what it sends."""
    stream.receive_packet_untrusted(encode_packet(packet), "peer", now)
    return sent(stream, now)


def sent(stream: UdxStream, now: float = 0.0) -> list[Packet]:
    return [decode_packet_untrusted(data) for data, _ in stream.packets_to_send(now)]


def data(seq: int, payload: bytes = b"x", kind: int = DATA) -> Packet:
    return Packet(kind, 1, 1 << 20, seq, 0, payload)


def kinds(network: Network, side: int) -> list[int]:
    return [d[2] for _, sender, d in network.datagrams if sender == side]


def test_every_packet_is_answered_also_the_ones_that_come_again() -> None:
    stream = lone_stream()
    for ack in (1, 1):
        [answer] = feed(stream, data(0))
        assert (answer.type, answer.ack) == (ACK, ack)
    [answer] = feed(stream, data(3))
    assert (answer.type, answer.ack, answer.ranges) == (SACK, 1, ((3, 4),))
    [answer] = feed(stream, data(3))
    assert answer.ranges == ((3, 4),)
    [answer] = feed(stream, data(5, b"", END))
    assert answer.ranges == ((3, 4), (5, 6))
    assert feed(stream, data(1))[0].ranges == ((3, 4), (5, 6))
    assert feed(stream, data(2))[0].ack == 4
    [answer] = feed(stream, data(4))
    assert (answer.type, answer.ack) == (ACK, 6)
    assert stream.read(100) == b"xxxxx"
    assert stream.read_to_end
    assert stream.next_event() == RemoteEnded()


def test_what_comes_before_connect_is_answered_after_it_once() -> None:
    stream = lone_stream(connect=False)
    assert feed(stream, data(0)) == []
    assert feed(stream, data(2)) == []
    assert stream.read(10) == b"x"
    stream.connect(2, "peer", 1.0)
    [answer] = sent(stream, 1.0)
    assert (answer.stream_id, answer.ack, answer.ranges) == (2, 1, ((2, 3),))
    with pytest.raises(LocalProtocolError):
        stream.connect(2, "peer", 1.0)


def test_little_is_held_before_connect() -> None:
    stream = lone_stream(connect=False)
    for seq in range(200):
        feed(stream, data(seq, bytes(1152)))
    assert stream.unread_bytes <= UDX_EARLY_WINDOW_BYTES + MAX_UDX_DATAGRAM_BYTES


def test_the_window_closes_and_opens_with_the_reader() -> None:
    stream = lone_stream(window_bytes=20_000)
    windows = [feed(stream, data(seq, bytes(1152)))[0].window for seq in range(17)]
    assert windows[:2] == [20_000 - 1152, 20_000 - 2304]
    assert windows[-1] == 0
    # More than the window and one packet is not even acknowledged.
    assert feed(stream, data(17, bytes(1152))) != []
    assert feed(stream, data(18, bytes(1152)))[0].ack == 19
    assert feed(stream, data(19, bytes(1152))) == []
    assert len(stream.read(1 << 20)) == 19 * 1152
    [update] = sent(stream)
    assert (update.type, update.ack, update.window) == (ACK, 19, 20_000)


def test_a_slow_reader_stops_the_writer_and_nothing_is_lost() -> None:
    network = Network(window_bytes=50_000, there=Path(delay=0.01))
    a, b = network.ends
    b.reads = False
    a.stream.write(bytes(range(256)) * 1000)
    a.stream.end()
    network.record = True
    network.run_for(30)
    assert 40_000 < b.stream.unread_bytes <= 52_048
    assert a.stream.unsent_bytes > 200_000
    heartbeats = [at for at, side, d in network.datagrams if side == 0 and d[2] == HEARTBEAT]
    assert len(heartbeats) >= 5
    assert heartbeats[3] - heartbeats[2] == pytest.approx(2.0, abs=0.1)
    b.reads = True
    network.run(lambda: len(b.received) == 256_000)
    assert bytes(b.received) == bytes(range(256)) * 1000


def test_a_writer_learns_what_waits() -> None:
    stream = lone_stream()
    assert stream.write(bytes(100_000)) == 100_000
    stream.packets_to_send(0.0)
    assert stream.unsent_bytes == 100_000 - 10 * 1152
    stream.end()
    with pytest.raises(LocalProtocolError):
        stream.write(b"x")


def test_an_unproven_address_gets_one_packet() -> None:
    stream = lone_stream(connect=False)
    stream.connect(2, "peer", 0.0, proven=False)
    stream.write(bytes(100_000))
    assert len(sent(stream)) == 1
    stream.receive_packet_untrusted(encode_packet(Packet(ACK, 1, 1 << 20, 0, 0)), "else", 0.0)
    assert sent(stream) == []
    assert len(feed(stream, Packet(ACK, 1, 1 << 20, 0, 1))) > 5


def test_each_side_ends_by_itself() -> None:
    network = Network(there=Path(delay=0.01))
    a, b = network.ends
    a.stream.write(b"question")
    a.stream.end()
    network.run(lambda: RemoteEnded() in b.events)
    assert b.received == b"question"
    assert a.events == []
    b.stream.write(b"answer")
    b.stream.end()
    network.run()
    assert a.received == b"answer"
    assert a.events == b.events == [RemoteEnded(), FINISHED]
    assert a.stream.gone
    assert b.stream.gone


def test_a_lingering_stream_acknowledges_the_end_again() -> None:
    stream = lone_stream()
    stream.end()
    [end] = sent(stream)
    assert (end.type, end.seq, end.payload) == (END, 0, b"")
    [answer] = feed(stream, Packet(END, 1, 1 << 20, 0, 1))
    assert answer.ack == 1
    assert stream.closed
    assert feed(stream, Packet(END, 1, 1 << 20, 0, 1)) == [answer]
    stream.handle_timer(LINGER_SECONDS)
    assert stream.gone
    assert feed(stream, Packet(END, 1, 1 << 20, 0, 1)) == []


@pytest.mark.parametrize("written", [b"", b"last"])
def test_an_unanswered_end_is_harmless_only_without_data(written: bytes) -> None:
    network = Network()
    a, b = network.ends
    b.stream.end()
    network.run(lambda: RemoteEnded() in a.events)
    network.passes = lambda _, __: False
    a.stream.write(written)
    a.stream.end()
    network.run()
    reason = CloseReason.TIMED_OUT if written else CloseReason.FINISHED
    assert a.events[-1] == StreamClosed(reason)


def test_destroy_is_repeated_while_the_peer_goes_on() -> None:
    network = Network(there=Path(delay=0.01))
    a, b = network.ends
    b.stream.write(b"before")
    network.run(lambda: a.received == b"before")
    network.passes = lambda side, _: side == 1
    a.stream.destroy(network.now)
    network.flush()
    network.passes = lambda _, __: True
    assert a.stream.next_event() is None
    b.stream.write(b"after")
    network.run()
    assert a.events == [StreamClosed(CloseReason.DESTROYED)]
    assert b.events == [StreamClosed(CloseReason.RESET)]


def test_destroy_before_connect() -> None:
    stream = lone_stream(connect=False)
    stream.destroy(0.0)
    assert sent(stream) == []
    stream.connect(2, "peer", 0.0)
    assert [p.type for p in sent(stream)] == [DESTROY]


def test_an_old_destroy_is_ignored() -> None:
    stream = lone_stream()
    feed(stream, data(0))
    feed(stream, Packet(DESTROY, 1, 0, 0, 0))
    assert not stream.closed
    feed(stream, Packet(DESTROY, 1, 0, 1, 0))
    assert stream.next_event() == StreamClosed(CloseReason.RESET)


def test_messages_go_beside_the_stream() -> None:
    network = Network()
    a, b = network.ends
    a.stream.send_message(b"one")
    b.stream.send_message(b"two")
    network.flush()
    network.run(lambda: bool(a.events and b.events))
    assert a.events == [MessageReceived(b"two")]
    assert b.events == [MessageReceived(b"one")]
    with pytest.raises(LocalProtocolError):
        a.stream.send_message(bytes(a.stream.max_message_bytes + 1))


def test_messages_that_nobody_takes_are_dropped() -> None:
    stream = lone_stream()
    for number in range(MAX_UDX_MESSAGES + 10):
        feed(stream, Packet(8, 1, 0, 0, 0, b"%d" % number))
    taken = 0
    while stream.next_event() is not None:
        taken += 1
    assert taken == MAX_UDX_MESSAGES


def test_a_heartbeat_is_answered() -> None:
    stream = lone_stream()
    feed(stream, data(1))
    [answer] = feed(stream, Packet(HEARTBEAT, 1, 0, 0, 0))
    assert (answer.type, answer.ranges) == (SACK, ((1, 2),))


def test_keep_alive_finds_out_that_the_peer_is_gone() -> None:
    network = Network(keep_alive=5.0)
    a, b = network.ends
    network.run_for(60)
    assert a.events == b.events == []
    network.passes = lambda _, __: False
    network.run()
    assert a.events == b.events == [StreamClosed(CloseReason.TIMED_OUT)]


def test_three_lost_packets_go_out_again_after_one_round_trip() -> None:
    network = Network(there=Path(delay=0.05), search_mtu=False)
    a, b = network.ends
    a.stream.write(b"first")
    network.run(lambda: bool(b.received))
    network.run_for(0.2)
    dropped = {2, 4, 9}
    started = network.now

    def passes(side: int, datagram: bytes) -> bool:
        packet = decode_packet_untrusted(datagram)
        if side == 0 and packet.type == DATA and packet.seq in dropped:
            dropped.discard(packet.seq)
            return False
        return True

    network.passes = passes
    a.stream.write(bytes(9 * 1152))
    network.run(lambda: len(b.received) == 5 + 9 * 1152)
    assert network.now - started < 0.35
    assert a.stream.lost_packets == 3


def test_a_lost_last_packet_is_probed_for() -> None:
    network = Network(there=Path(delay=0.05), search_mtu=False)
    a, b = network.ends
    a.stream.write(b"first")
    network.run(lambda: bool(b.received))
    network.run_for(0.2)
    drops = [True]
    network.passes = lambda side, d: not (side == 0 and d[2] == DATA and drops and drops.pop())
    started = network.now
    a.stream.write(b"last")
    network.run(lambda: b.received == b"firstlast")
    # Two round trips and a delay, far below the timeout of 1 s.
    assert network.now - started < 0.4


@pytest.mark.parametrize("queue_kib", [64, 256, 512])
def test_a_shallow_queue_is_filled_and_not_flooded(queue_kib: int) -> None:
    """Of many holes few fit into an acknowledgement; the path looks no faster for that."""
    rate = 12.5e6
    network = Network(3, Path(delay=0.01, bytes_per_second=rate, queue_bytes=queue_kib * 1024))
    a, b = network.ends
    size = int(2 * rate)
    a.stream.write(bytes(size))
    began = network.now
    network.run(lambda: len(b.received) == size)
    assert network.now - began < 1.3 * size / rate
    packets = size / (a.stream.mtu - 48)
    assert a.stream.sent_packets < 1.2 * packets


def test_the_mtu_is_found() -> None:
    for largest, least in ((1500, 1500), (1400, 1392), (1200, 1200)):
        network = Network(there=Path(delay=0.01, largest=largest), window_bytes=100_000)
        a, b = network.ends
        a.stream.write(bytes(2_000_000))
        network.run(lambda b=b: len(b.received) == 2_000_000)  # type: ignore[misc]
        assert least <= a.stream.mtu <= largest


def test_a_moved_peer() -> None:
    stream = lone_stream()
    stream.write(b"one")
    sent(stream)
    stream.change_remote(7, "elsewhere")
    assert stream.next_event() is None
    stream.write(b"two")
    [(datagram, address)] = stream.packets_to_send(0.0)
    assert address == "elsewhere"
    assert decode_packet_untrusted(datagram).stream_id == 7
    feed(stream, Packet(ACK, 1, 1 << 20, 0, 1))
    assert stream.next_event() == RemoteMoved()


def test_a_relay_changes_the_stream_id_only() -> None:
    packet = data(5, b"payload")
    there = relayed(encode_packet(packet), 0xFFEEDDCC)
    assert decode_packet_untrusted(there) == packet._replace(stream_id=0xFFEEDDCC)


def test_numbers_wrap() -> None:
    assert unwrap(0, 2**32 - 1) == 2**32
    assert unwrap(2**32 - 1, 2**32) == 2**32 - 1
    assert unwrap(5, 3 * 2**32 + 7) == 3 * 2**32 + 5


def test_what_is_ahead_of_its_turn_is_bounded_for_each_and_for_all() -> None:
    budget = ReorderBudget(200_000)
    streams = []
    for _ in range(8):
        stream = UdxStream(1, budget=budget)
        stream.connect(2, "peer", 0.0)
        streams.append(stream)
    held = 0
    for stream in streams:
        for seq in range(1, 200):
            held += bool(feed(stream, data(seq, bytes(1000))))
    assert held * 1000 > 8 * MAX_UDX_OWN_REORDER_BYTES - 8000
    assert held * 1000 <= 8 * MAX_UDX_OWN_REORDER_BYTES + 200_000
    for stream in streams:
        stream.destroy(0.0)
    assert budget.take(200_000)
    assert feed(lone_stream(), data(MAX_UDX_REORDER_PACKETS + 1)) == []


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\xff\x01" + bytes(17),
        b"\xff\x02" + bytes(18),
        b"\xff\x01\x01\x09" + bytes(16) + b"12345678",
        b"\xff\x01" + bytes(MAX_UDX_DATAGRAM_BYTES),
    ],
)
def test_what_is_no_packet(datagram: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_packet_untrusted(datagram)
    with pytest.raises(DecodeError):
        lone_stream().receive_packet_untrusted(datagram, "peer", 0.0)


def test_false_acknowledgements_change_nothing() -> None:
    stream = lone_stream()
    stream.write(bytes(5000))
    sent(stream)
    feed(stream, Packet(ACK, 1, 0, 0, 17))
    feed(stream, Packet(ACK, 1, 1 << 20, 0, 2**32 - 1))
    feed(stream, Packet(SACK, 1, 1 << 20, 0, 0, ranges=((0, 3), (4, 9), (3, 2), (2**31, 1))))
    assert stream.outstanding
    assert stream.lost_packets == 0
    stream.write(b"more")
    assert [p.seq for p in sent(stream)] == [5]
