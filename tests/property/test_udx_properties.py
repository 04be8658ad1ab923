"""UDX over bad networks and against hostile packets."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import DecodeError
from protocol.limits import (
    MAX_UDX_DATAGRAM_BYTES,
    MAX_UDX_FLIGHT_PACKETS,
    MAX_UDX_MESSAGES,
    MAX_UDX_REORDER_PACKETS,
    UDX_SHARED_REORDER_BYTES,
)
from protocol.udx.events import CloseReason, RemoteEnded, StreamClosed
from protocol.udx.packets import (
    DATA,
    HEADER,
    MAGIC,
    VERSION,
    Packet,
    decode_packet_untrusted,
    encode_packet,
)
from protocol.udx.ranges import RangeSet
from protocol.udx.receiver import ReorderBudget
from protocol.udx.stream import UdxStream
from tests.udx_network import Network, Path

FINISHED = StreamClosed(CloseReason.FINISHED)
UINT32 = st.integers(0, 2**32 - 1)
# Near the beginning, where all numbers of a young stream are, and anywhere.
NUMBERS = st.one_of(st.integers(0, 40), st.integers(2**32 - 5, 2**32 - 1), UINT32)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    if draw(st.booleans()):
        ranges = draw(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=50))
        return Packet(4, 1, draw(UINT32), draw(NUMBERS), draw(NUMBERS), b"", tuple(ranges))
    kind = draw(st.sampled_from((0, 1, 2, 3, 8, 16, 32, 9, 255 - 4)))
    payload = draw(st.binary(max_size=40))
    padding = draw(st.integers(0, 255))
    return Packet(kind, 1, draw(UINT32), draw(NUMBERS), draw(NUMBERS), payload, padding=padding)


@given(packets())
def test_a_packet_comes_back(packet: Packet) -> None:
    assert decode_packet_untrusted(encode_packet(packet)) == packet


@given(st.binary(max_size=100), st.booleans())
def test_the_decoder_lets_nothing_else_out(data: bytes, header: bool) -> None:
    if header:
        data = bytes((MAGIC, VERSION)) + data
    try:
        packet = decode_packet_untrusted(data)
    except DecodeError:
        return
    assert len(packet.payload) <= len(data)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20))), st.integers(0, 80))
def test_ranges_are_sets(adds: list[tuple[int, int]], limit: int) -> None:
    ranges = RangeSet()
    model: set[int] = set()
    for start, size in adds:
        new = set(range(start, start + size))
        added = ranges.add(start, start + size)
        assert {n for a, b in added for n in range(a, b)} == new - model
        assert sum(b - a for a, b in added) == len(new - model)
        model |= new
    ranges.discard_below(limit)
    model = {n for n in model if n >= limit}
    pairs = ranges.up_to(0, 1000)
    for number in (0, 7, 100):
        for count in (1, 3, 1000):
            some = ranges.up_to(number, count)
            below = [pair for pair in pairs if pair[0] <= number]
            assert some == (below[-count:] if len(below) >= count else pairs[:count])
    assert [n for a, b in pairs for n in range(a, b)] == sorted(model)
    assert all(left[1] < right[0] for left, right in pairwise(pairs))
    assert all((n in ranges) == (n in model) for n in range(100))


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    # With 0.2 in each direction one END in a thousand goes unanswered seven times and times out.
    loss=st.sampled_from((0.0, 0.01, 0.05, 0.1)),
    duplication=st.sampled_from((0.0, 0.1)),
    jitter=st.sampled_from((0.0, 0.002, 0.05)),
    delay=st.sampled_from((0.0, 0.001, 0.1)),
    sizes=st.tuples(st.integers(0, 120_000), st.integers(0, 20_000)),
    window_bytes=st.sampled_from((8_192, 100_000, 1 << 22)),
)
def test_everything_arrives_once_and_in_order(
    seed: int,
    loss: float,
    duplication: float,
    jitter: float,
    delay: float,
    sizes: tuple[int, int],
    window_bytes: int,
) -> None:
    path = Path(delay=delay, jitter=jitter, loss=loss, duplication=duplication)
    network = Network(seed, path, window_bytes=window_bytes)
    written = [network.random.randbytes(size) for size in sizes]
    for end, data in zip(network.ends, written, strict=True):
        at = 0
        while at < len(data):
            size = network.random.randint(1, 5000)
            end.stream.write(data[at : at + size])
            at += size
        end.stream.end()
    network.run(seconds=3000)
    assert bytes(network.ends[1].received) == written[0]
    assert bytes(network.ends[0].received) == written[1]
    for end in network.ends:
        assert end.events == [RemoteEnded(), FINISHED]
        assert end.stream.gone


@pytest.mark.parametrize(
    ("loss", "megabytes", "seconds"), [(0.0, 2, 8), (0.01, 2, 8), (0.05, 20, 40)]
)
def test_long_fat_and_lossy(loss: float, megabytes: int, seconds: float) -> None:
    """12.5 MB/s, 100 ms each way, and in each direction losses, overtaking, and repetition."""
    path = Path(delay=0.1, loss=loss, bytes_per_second=12.5e6, jitter=0.02, duplication=0.02)
    network = Network(7, path)
    data = random.Random(1).randbytes(megabytes * 1_000_000)
    a, b = network.ends
    a.stream.write(data)
    started = network.now
    network.run(lambda: len(b.received) == len(data))
    assert b.received == data
    assert network.now - started < seconds


def test_the_same_seed_gives_the_same_datagrams() -> None:
    runs = []
    for _ in range(2):
        network = Network(3, Path(delay=0.02, loss=0.05, jitter=0.01, duplication=0.05))
        network.record = True
        network.ends[0].stream.write(bytes(300_000))
        network.run(lambda n=network: len(n.ends[1].received) == 300_000)  # type: ignore[misc]
        runs.append(network.datagrams)
    assert runs[0] == runs[1]


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.integers(1, 60))
def test_how_writes_and_reads_are_cut_does_not_matter(cuts: list[int], read_bytes: int) -> None:
    data = random.Random(5).randbytes(sum(cuts))
    network = Network()
    a, b = network.ends
    b.reads = False
    at = 0
    for size in cuts:
        a.stream.write(data[at : at + size])
        at += size
        if size % 3 == 0:
            network.flush()
    a.stream.end()
    received = bytearray()
    while not b.stream.read_to_end:
        network.flush()
        received += b.stream.read(read_bytes)
        if not b.stream.unread_bytes and not b.stream.read_to_end:
            network.step()
    assert received == data


def held_bytes(stream: UdxStream) -> int:
    """What hostile packets made it keep."""
    receiver, sender = stream._receiver, stream._sender
    assert len(receiver._held) <= MAX_UDX_REORDER_PACKETS
    assert len(receiver.ranges) <= len(receiver._held)
    assert sender.in_flight + len(sender._lost) <= MAX_UDX_FLIGHT_PACKETS
    assert len(sender._lost_order) <= MAX_UDX_FLIGHT_PACKETS
    assert stream._unread_messages <= MAX_UDX_MESSAGES
    return len(receiver.unread) + receiver._held_bytes


@settings(max_examples=150)
@given(
    st.lists(st.one_of(packets(), st.binary(max_size=60)), max_size=60),
    st.booleans(),
    st.integers(0, 5000),
)
def test_hostile_packets_break_nothing(
    hostile: list[Packet | bytes], connected: bool, written: int
) -> None:
    stream = UdxStream(1, budget=ReorderBudget(UDX_SHARED_REORDER_BYTES), window_bytes=10_000)
    if connected:
        stream.connect(2, "peer", 0.0)
    stream.write(bytes(written))
    now = 0.0
    for packet in hostile:
        data = packet if isinstance(packet, bytes) else encode_packet(packet)
        now += 0.01
        try:
            stream.receive_packet_untrusted(data, "peer", now)
        except DecodeError:
            continue
        at = stream.next_timer()
        if at is not None and at <= now:
            stream.handle_timer(now)
        # No answer to a packet is many times as large as the packet, but for our own data.
        out = stream.packets_to_send(now)
        assert sum(len(d) for d, _ in out) <= 2 * (written + 4000)
        assert held_bytes(stream) <= 10_000 + 2 * MAX_UDX_DATAGRAM_BYTES
    for _ in range(200):
        at = stream.next_timer()
        if at is None:
            break
        now = max(now, at)
        stream.handle_timer(now)
        stream.packets_to_send(now)


def test_a_flood_of_packets_out_of_order_is_bounded() -> None:
    stream = UdxStream(1, budget=ReorderBudget(UDX_SHARED_REORDER_BYTES))
    stream.connect(2, "peer", 0.0)
    draw = random.Random(2)
    for _ in range(20_000):
        header = HEADER.pack(MAGIC, VERSION, DATA, 0, 1, 0, draw.randint(1, 2**20), 0)
        stream.receive_packet_untrusted(header + b"x", "peer", 0.0)
        for data, _ in stream.packets_to_send(0.0):
            assert len(data) <= 20 + 50 * 8
    assert held_bytes(stream) <= MAX_UDX_REORDER_PACKETS
