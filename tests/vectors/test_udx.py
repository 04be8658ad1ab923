"""Every captured packet of npm ``udx-native``, and what our streams answer to them."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.limits import UDX_SHARED_REORDER_BYTES, UDX_WINDOW_BYTES
from protocol.udx.events import CloseReason, MessageReceived, RemoteEnded, StreamClosed
from protocol.udx.packets import (
    ACK,
    DATA,
    DESTROY,
    END,
    HEADER_BYTES,
    HEARTBEAT,
    MESSAGE,
    SACK,
    Packet,
    decode_packet_untrusted,
    encode_packet,
)
from protocol.udx.receiver import ReorderBudget
from protocol.udx.stream import UdxStream

from .load import load_vectors

CAPTURE: dict[str, Any] = load_vectors("hyperdht")["udx_capture"]
PACKETS: list[dict[str, Any]] = CAPTURE["packets"]
TYPES = {ACK: "ACK", DATA: "DATA", END: "END", SACK: "SACK", MESSAGE: "MESSAGE"}
TYPES |= {DESTROY: "DESTROY", HEARTBEAT: "HEARTBEAT"}
# The byte that fills the writes of each phase whose packets are cut in the capture.
FILLINGS = {"bulk-with-loss": b"\x07"}


def datagram(record: dict[str, Any]) -> bytes:
    """The packet of a record; long ones are cut there after 64 bytes, and filled with one byte."""
    start = bytes.fromhex(record["hex"].removesuffix(".."))
    if len(start) < record["len"]:
        start = start.ljust(HEADER_BYTES + record["data_offset"], b"\0")
    return start + FILLINGS.get(record["phase"], b"\0") * (record["len"] - len(start))


@pytest.mark.parametrize("record", PACKETS, ids=lambda r: f"{r['t_ms']}-{r['names']}-{r['seq']}")
def test_a_captured_packet_means_what_it_says(record: dict[str, Any]) -> None:
    data = datagram(record)
    packet = decode_packet_untrusted(data)
    assert TYPES[packet.type] == record["names"]
    assert packet.padding == record["data_offset"]
    assert packet.stream_id == record["remote_id"]
    assert packet.window == record["rwnd"] == UDX_WINDOW_BYTES
    assert (packet.seq, packet.ack) == (record["seq"], record["ack"])
    assert [list(r) for r in packet.ranges] == record.get("sacks", [])
    body_bytes = len(packet.payload) + packet.padding + 8 * len(packet.ranges)
    assert body_bytes == record["body_len"]
    assert encode_packet(packet) == data


def stream(stream_id: int) -> UdxStream:
    return UdxStream(stream_id, budget=ReorderBudget(UDX_SHARED_REORDER_BYTES))


@pytest.mark.parametrize("connected_first", [True, False])
def test_our_answers_to_a_sender_are_those_of_javascript(connected_first: bool) -> None:
    """Everything A sent to B arrives here; the acknowledgements are those that B sent."""
    ours = stream(0xB2B2B2B2)
    connected = connected_first
    if connected:
        ours.connect(0xA1A1A1A1, "a", 0.0)
    answers: list[Packet] = []
    expected = [
        decode_packet_untrusted(datagram(r))
        for r in PACKETS
        if r["dir"] == "B->A" and r["names"] in ("ACK", "SACK") and r["t_ms"] < 2500
    ]
    received = b""
    for record in PACKETS:
        now = record["t_ms"] / 1000
        if record["t_ms"] >= 2500 or record["dropped"]:
            continue
        if record["dir"] == "A->B":
            ours.receive_packet_untrusted(datagram(record), "a", now)
            if not connected:
                ours.connect(0xA1A1A1A1, "a", now)
                connected = True
            received += ours.read(1 << 20)
        elif record["names"] == "DATA":
            ours.write(b"world")
        elif record["names"] == "END":
            ours.end()
        for data, address in ours.packets_to_send(now):
            assert address == "a"
            packet = decode_packet_untrusted(data)
            # JavaScript advertises the same window whatever it holds.
            packet = packet._replace(window=UDX_WINDOW_BYTES)
            if packet.type in (ACK, SACK):
                answers.append(packet)
            elif packet.type == DATA:
                assert packet == decode_packet_untrusted(datagram(record))
    assert answers == expected
    assert len(received) == CAPTURE["ended_bytes"]
    events = []
    while (event := ours.next_event()) is not None:
        events.append(event)
    assert events == [
        MessageReceived(b"unordered"),
        RemoteEnded(),
        StreamClosed(CloseReason.FINISHED),
    ]


def test_our_sender_reacts_to_javascript_acknowledgements() -> None:
    """The three packets that were dropped go out again, at once, and nothing else does."""
    bulk = [r for r in PACKETS if r["phase"] == "bulk-with-loss"]
    ours = UdxStream(0xA1A1A1A1, budget=ReorderBudget(UDX_SHARED_REORDER_BYTES), search_mtu=False)
    ours.connect(0xB2B2B2B2, "b", 0.0)
    shift = bulk[0]["seq"]
    payload_bytes = ours.max_message_bytes
    sent_first = [r["seq"] - shift for r in bulk if r["dir"] == "A->B"][:11]
    ours.write(bytes(payload_bytes * len(sent_first)))
    first = [decode_packet_untrusted(d) for d, _ in ours.packets_to_send(0.0)]
    # The initial window; the capture's sender had grown its own.
    assert [p.seq for p in first] == sent_first[:10]
    repeated: list[int] = []
    now = 0.0
    for record in bulk:
        if record["dir"] == "A->B":
            continue
        now += 0.001
        captured = decode_packet_untrusted(datagram(record))
        answer = captured._replace(
            seq=0,
            ack=captured.ack - shift,
            ranges=tuple((a - shift, b - shift) for a, b in captured.ranges),
        )
        ours.receive_packet_untrusted(encode_packet(answer), "b", now)
        while (at := ours.next_timer()) is not None and at < now + 0.001:
            ours.handle_timer(at)
            repeated += [decode_packet_untrusted(d).seq for d, _ in ours.packets_to_send(at)]
        repeated += [decode_packet_untrusted(d).seq for d, _ in ours.packets_to_send(now)]
    lost = [r["seq"] - shift for r in bulk if r["dropped"]]
    assert sorted(s for s in repeated if s in lost) == lost
    assert ours.lost_packets == len(lost)
    assert not ours.outstanding


def test_an_unanswered_packet_is_repeated_at_the_times_of_javascript() -> None:
    ours = stream(1)
    ours.connect(0xF6F6F6F6, "void", 0.0)
    ours.write(b"lost")
    times = []
    now = 0.0
    while not ours.closed:
        times += [now for data, _ in ours.packets_to_send(now)]
        at = ours.next_timer()
        assert at is not None
        now = at
        ours.handle_timer(now)
    measured = CAPTURE["rto_retransmit_times_ms"]
    assert times == pytest.approx([ms / 1000 for ms, _, _ in measured], abs=0.01)
    assert CAPTURE["rto_error"][0] == "ETIMEDOUT"
    assert now == pytest.approx(CAPTURE["rto_error"][1] / 1000, abs=0.01)
    assert ours.next_event() == StreamClosed(CloseReason.TIMED_OUT)
    assert ours.gone


def test_the_captured_destroy() -> None:
    ours = stream(0xD4D4D4D4)
    ours.connect(0xC3C3C3C3, "a", 0.0)
    phase = [r for r in PACKETS if r["phase"] == "destroy"]
    for record in phase:
        if record["dir"] == "A->B":
            ours.receive_packet_untrusted(datagram(record), "a", 0.0)
    [(answer, _)] = ours.packets_to_send(0.0)
    expected = decode_packet_untrusted(datagram(phase[1]))
    assert decode_packet_untrusted(answer) == expected._replace(window=UDX_WINDOW_BYTES - 1)
    assert ours.read(10) == b"x"
    assert ours.next_event() == StreamClosed(CloseReason.RESET)
