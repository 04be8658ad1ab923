"""The bytes of mux messages: packing loses nothing, and hostile bytes have one way out."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding.compact import encode_buffer, encode_uint
from protocol.errors import RemoteProtocolError
from protocol.mux.frames import (
    BATCH,
    CONTROL,
    Outgoing,
    batch_items_untrusted,
    decode_id_untrusted,
    decode_open_untrusted,
    encode_messages,
    encode_open,
)
from protocol.mux.muxer import Muxer
from tests.connection_pair import mux_events
from tests.vectors.load import load_vectors

# A busy machine must not fail a test: no deadline for one example, none for making it.
numbers = st.one_of(st.integers(0, 3), st.integers(0, 2**53 - 1))
payloads = st.one_of(
    st.binary(max_size=20),
    st.builds(lambda size: b"x" * size, st.sampled_from([251, 252, 253, 40_000, 65_535, 65_536])),
)
messages = st.lists(st.tuples(st.integers(1, 300), numbers, payloads), max_size=12)


def unpacked(frame: bytes) -> list[tuple[int, int, bytes]]:
    """The messages in one mux message, plain or batch, by the reader's own function."""
    start = 2
    if frame[:2] != bytes((CONTROL, BATCH)):
        # A plain message is the one item of a batch on its channel.
        size = 1 if frame[0] < 0xFD else 3
        start, frame = 0, frame[:size] + encode_buffer(frame[size:])
    return [(c, k, frame[a:b]) for c, k, a, b in batch_items_untrusted(frame, start)]


@given(messages)
def test_packing_keeps_every_message_in_order(queue: list[tuple[int, int, bytes]]) -> None:
    packed = encode_messages([Outgoing(encode_uint(c), encode_uint(k), p) for c, k, p in queue])
    assert [message for frame in packed for message in unpacked(frame)] == queue


@given(numbers, st.text(max_size=60), st.binary(max_size=40), st.binary(max_size=100))
def test_open_round_trip(number: int, name: str, channel_id: bytes, handshake: bytes) -> None:
    payload = encode_open(number, name, channel_id or None, handshake)
    padded = b"??" + payload + b"??"
    opening = decode_open_untrusted(padded, 2, 2 + len(payload))
    assert opening == (number, name, channel_id or None, handshake)


# Split invariance ---------------------------------------------------------------------------------

SESSION = [
    (frame["from"], bytes.fromhex(frame["hex"]))
    for session in load_vectors("hypercore")["sessions"].values()
    for frame in session["frames"]
]
STEPS = [b"\x01\x01\x04test\x00hi", b"\x01\x02\x05other\x00", b"\x03\x01", b"\x01\x01\x04test\x00"]


def _events(mux: Muxer) -> list[str]:
    return [repr(event) for event in mux_events(mux)]


@given(st.lists(st.sampled_from([*range(8)]), min_size=1, max_size=30), st.data())
def test_any_grouping_into_batches_means_the_same(picks: list[int], data: st.DataObject) -> None:
    """Whether messages come plain or in batches, and however these are cut, the events agree."""
    items = [
        (0, STEPS[pick]) if pick < len(STEPS) else (pick - 3, b"\x05payload %d" % pick)
        for pick in picks
    ]
    plain, grouped = Muxer(), Muxer()
    for mux in (plain, grouped):
        mux.open("test")
    expected: list[str] = []
    failed = False
    for channel, body in items:
        try:
            plain.receive_untrusted(encode_uint(channel) + body)
        except RemoteProtocolError:
            failed = True
        expected += _events(plain)
        if failed:
            break
    seen: list[str] = []
    at = 0
    try:
        while at < len(items):
            size = data.draw(st.integers(1, len(items) - at), label="items in this batch")
            frame = b"\x00\x00" + encode_uint(items[at][0])
            current = items[at][0]
            for channel, body in items[at : at + size]:
                if channel != current:
                    frame += b"\x00" + encode_uint(channel)
                    current = channel
                frame += encode_buffer(body)
            at += size
            grouped.receive_untrusted(frame)
            seen += _events(grouped)
        assert not failed
    except RemoteProtocolError:
        assert failed
        seen += _events(grouped)
    assert [_without_states(event) for event in seen] == [_without_states(e) for e in expected]


def _without_states(event: str) -> str:
    """A channel's repr shows its state when it is printed, which is later for a batch."""
    for state in ("opening", "open", "closed"):
        event = event.replace(f" {state} ours", " ours")
    return event.split("theirs=")[0]


# Fuzz --------------------------------------------------------------------------------------------


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A recorded message with some bytes changed, cut off, or repeated."""
    message = bytearray(draw(st.sampled_from(SESSION))[1])
    for _ in range(draw(st.integers(0, 4))):
        position = draw(st.integers(0, len(message) - 1))
        message[position] = draw(st.integers(0, 255))
    start = draw(st.integers(0, 2))
    return bytes(message[start : draw(st.integers(start, len(message)))])


hostile = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda body: b"\x00\x00" + body),
    st.binary(max_size=20).map(lambda body: b"\x00\x01\x01\x04test" + body),
    mutated(),
)


@given(st.lists(hostile, max_size=8), st.booleans())
@settings(max_examples=1000)
def test_a_muxer_fails_in_one_way_only(frames: list[bytes], answer: bool) -> None:
    mux = Muxer({"hypercore": "hypercore/alpha"})
    channel = mux.open("test")
    with suppress(RemoteProtocolError):
        for frame in frames:
            mux.receive_untrusted(frame)
            for event in mux_events(mux):
                # The plainest user there is must not be led into an error of its own.
                if event.channel is not None:
                    mux.send(event.channel, 0, b"reply")
                elif not mux.full:
                    assert not mux.opened(event.protocol, event.id)
                    if answer:
                        mux.open(event.protocol, event.id)
                    else:
                        mux.reject(event)
    mux.messages_to_send()
    mux.close(channel)


@given(st.binary(max_size=200), st.integers(0, 10))
@settings(max_examples=500)
def test_decoders_fail_in_one_way_only(message: bytes, start: int) -> None:
    end = len(message)
    start = min(start, end)
    with suppress(RemoteProtocolError):
        decode_open_untrusted(message, start, end)
    with suppress(RemoteProtocolError):
        decode_id_untrusted(message, start, end)
    with suppress(RemoteProtocolError):
        for _, _, payload_start, payload_end in batch_items_untrusted(message, start):
            assert start < payload_start <= payload_end <= end
