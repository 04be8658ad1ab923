"""How bytes are cut on their way changes nothing: every decoder of a stream, whole and in pieces.

Each case is a stream of what real peers said, damaged or not. It is handed over at once and then
in pieces; the events, and the error that ends it, have to be the same. Those that are shrunk by
Hypothesis are beside the other tests of each decoder; here it is the number that counts.

``VITRA_TEST_CHUNKING_CASES=1000000`` tries more of them, ``VITRA_TEST_CHUNKING_SEED`` others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random

import pytest

from protocol.encoding.compact import encode_buffer, encode_uint
from protocol.errors import RemoteProtocolError
from protocol.limits import UDX_SHARED_REORDER_BYTES
from protocol.mux.frames import BATCH, CONTROL, batch_items_untrusted
from protocol.mux.muxer import Muxer
from protocol.noise.secret_stream import SecretStream
from protocol.udx.packets import DATA, END, Packet, encode_packet
from protocol.udx.receiver import ReorderBudget
from protocol.udx.stream import UdxStream
from tests.connection_pair import (
    RESPONDER_STREAM_HEADER,
    StreamPair,
    handshake_results,
    mux_events,
    stream_events,
)
from tests.vectors.load import load_vectors
from vitra_node.api.control.frames import FrameError, FrameReader, RequestFrame, encode_frame

from .hostile_bytes import mutate

CASES = int(os.environ.get("VITRA_TEST_CHUNKING_CASES", "50000"))
SEED = int(os.environ.get("VITRA_TEST_CHUNKING_SEED", "1"))

# What a decoder said, in order; the error that ended it is the last.
Outcome = list[str]
# A stream and the pieces of it.
Case = tuple[Sequence[bytes], Sequence[bytes]]


def pieces(data: bytes, rolls: Random) -> list[bytes]:
    """``data`` in pieces, down to single bytes."""
    largest = rolls.choice((1, 3, 20, 200, 2000))
    cut, at = [], 0
    # No more than a few hundred pieces, or long streams would take all the time there is.
    while at < len(data):
        size = rolls.randint(1, largest) if len(cut) < 200 else len(data)
        cut.append(data[at : at + size])
        at += size
    return cut or [b""]


def damaged(data: bytes, rolls: Random) -> bytes:
    """``data``, three times out of four with something wrong in it."""
    return mutate(data, rolls) if rolls.random() < 0.75 else data


# The secret stream --------------------------------------------------------------------------------


@cache
def sent_by_initiator() -> tuple[bytes, ...]:
    """Streams after a handshake elsewhere, with messages and keep-alives."""
    streams = []
    for sizes in ((), (1,), (5, 300), (40, 0, 40, 1), (3, 3, 3, 3, 3, 3)):
        stream = StreamPair("IK", ready=True).initiator
        data = stream.data_to_send(0)
        for size in sizes:
            if size:
                stream.send(bytes(size))
            else:
                stream.handle_timer(stream.next_timer() or 0)
            data += stream.data_to_send(0)
        streams.append(data)
    return tuple(streams)


def secret_stream_case(rolls: Random) -> Case:
    data = damaged(rolls.choice(sent_by_initiator()), rolls)
    return [data], pieces(data, rolls)


def read_secret_stream(chunks: Sequence[bytes]) -> Outcome:
    stream = SecretStream.from_handshake(
        False, _responder_result(), stream_header=RESPONDER_STREAM_HEADER
    )
    said: Outcome = []
    for chunk in chunks:
        try:
            stream.receive_data_untrusted(chunk)
        except RemoteProtocolError as error:
            return [*said, *map(repr, stream_events(stream)), repr(error)]
        said += map(repr, stream_events(stream))
    return [*said, f"{stream.unread_bytes} bytes wait"]


_responder_result = cache(lambda: handshake_results()[1])


# Channels: messages in one batch, or each on its own ----------------------------------------------


@cache
def mux_items() -> tuple[tuple[tuple[int, bytes], ...], ...]:
    """Of each side of each recorded session: channel and body (kind and payload) of messages."""
    found = []
    for session in load_vectors("hypercore")["sessions"].values():
        for side in {frame["from"]: None for frame in session["frames"]}:
            frames = [bytes.fromhex(f["hex"]) for f in session["frames"] if f["from"] == side]
            found.append(tuple(item for frame in frames for item in items_of(frame))[:12])
    return tuple(items for items in found if items)


def items_of(frame: bytes) -> list[tuple[int, bytes]]:
    """The messages in one message of a session; its channels and kinds take one byte each."""
    if frame[:2] != bytes((CONTROL, BATCH)):
        return [(frame[0], frame[1:])]
    items = batch_items_untrusted(frame, 2)
    return [(channel, bytes((kind,)) + frame[a:b]) for channel, kind, a, b in items]


def mux_case(rolls: Random) -> Case:
    items = list(rolls.choice(mux_items()))
    if rolls.random() < 0.75:
        at = rolls.randrange(len(items))
        channel, body = items[at]
        # An empty body has no kind, which only a batch can say.
        items[at] = (rolls.choice((0, 1, 2, channel)), mutate(body, rolls) or b"\x01")
    plain = [bytes((channel,)) + body for channel, body in items if not is_batch(channel, body)]
    items = [(channel, body) for channel, body in items if not is_batch(channel, body)]
    batches = []
    while items:
        size = rolls.randint(1, len(items))
        batches.append(batch(items[:size]))
        del items[:size]
    return plain, batches


def is_batch(channel: int, body: bytes) -> bool:
    """A batch inside a batch is an error, so that only messages without one can be grouped."""
    return channel == CONTROL and body[0] == BATCH


def batch(items: Sequence[tuple[int, bytes]]) -> bytes:
    """One message with all of them."""
    current = items[0][0]
    frame = bytes((CONTROL, BATCH)) + encode_uint(current)
    for channel, body in items:
        if channel != current:
            frame += b"\x00" + encode_uint(channel)
            current = channel
        frame += encode_buffer(body)
    return frame


def read_mux(messages: Sequence[bytes]) -> Outcome:
    """What its user sees who opens nothing before everything was received."""
    mux = Muxer({"hypercore": "hypercore/alpha"})
    error = []
    for message in messages:
        try:
            mux.receive_untrusted(message)
        except RemoteProtocolError as failure:
            error = [type(failure).__name__]
            break
    requests = mux_events(mux)
    said = [repr(event) for event in requests]
    for event in requests:
        if not error and not mux.opened(event.protocol, event.id):  # type: ignore[union-attr]
            mux.open(event.protocol, event.id)  # type: ignore[union-attr]
    return [*said, *map(repr, mux_events(mux)), *error]


# The control socket -------------------------------------------------------------------------------

CONTROL_STREAM = b"".join(
    encode_frame(frame)
    for frame in (
        RequestFrame("get", {"path": "/a"}, 1),
        RequestFrame("call", {"method": "ü", "params": [None, 1.5, "\n"]}, "x"),
        RequestFrame("stop", {}, None),
    )
)


def control_case(rolls: Random) -> Case:
    data = damaged(CONTROL_STREAM, rolls)
    return [data], pieces(data, rolls)


def read_control(chunks: Sequence[bytes]) -> Outcome:
    reader = FrameReader()
    said: Outcome = []
    for chunk in chunks:
        reader.receive_data_untrusted(chunk)
        while True:
            try:
                frame = reader.next_frame_untrusted()
            except FrameError as error:
                said.append(str(error))
                continue
            if frame is None:
                break
            said.append(repr(frame))
    return said


# Packets of a UDX stream --------------------------------------------------------------------------


def udx_case(rolls: Random) -> Case:
    """One stream cut into packets twice; the second time they overtake each other and repeat."""
    parts = pieces(rolls.randbytes(rolls.randint(0, 300)), rolls)[:12]
    shuffled = list(udx_packets(parts))
    shuffled += rolls.sample(shuffled, len(shuffled) // 2)
    # What is cut off inside the header is no packet, whatever it says.
    shuffled += [mutate(packet, rolls)[:12] for packet in rolls.sample(shuffled, 1)]
    rolls.shuffle(shuffled)
    return list(udx_packets([b"".join(parts)])), shuffled


def udx_packets(parts: Sequence[bytes]) -> Iterator[bytes]:
    for number, part in enumerate(parts):
        yield encode_packet(Packet(DATA, 1, 1 << 20, number, 0, part))
    yield encode_packet(Packet(END, 1, 1 << 20, len(parts), 0, b""))


def read_udx(packets: Sequence[bytes]) -> Outcome:
    stream = UdxStream(1, budget=ReorderBudget(UDX_SHARED_REORDER_BYTES))
    stream.connect(2, "peer", 0.0)
    received = b""
    said: Outcome = []
    for packet in packets:
        try:
            stream.receive_packet_untrusted(packet, "peer", 0.0)
        except RemoteProtocolError:
            continue
        while (event := stream.next_event()) is not None:
            said.append(repr(event))
        received += stream.read(1 << 20)
    return [received.hex(), *said]


DECODERS: dict[str, tuple[Callable[[Random], Case], Callable[[Sequence[bytes]], Outcome]]] = {
    "secret stream": (secret_stream_case, read_secret_stream),
    "channels": (mux_case, read_mux),
    "control socket": (control_case, read_control),
    "udx": (udx_case, read_udx),
}


@pytest.mark.parametrize("name", DECODERS)
def test_cutting_changes_nothing(name: str) -> None:
    make, read = DECODERS[name]
    rolls = Random(SEED)
    for number in range(CASES):
        whole, cut = make(rolls)
        expected, seen = read(whole), read(cut)
        assert seen == expected, f"case {number}: {[piece.hex() for piece in cut]}"
