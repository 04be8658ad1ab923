"""The secret stream: any cut of the bytes gives the same events, and hostile bytes one error."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import HandshakeError, RemoteProtocolError, SecretStreamError
from protocol.limits import MAX_HANDSHAKE_MESSAGE_BYTES
from protocol.noise.datagrams import DatagramBox
from protocol.noise.handshake import Handshake, Pattern
from protocol.noise.secret_stream import HandshakeDone, Message, SecretStream, StreamEvent
from tests.connection_pair import (
    INITIATOR_KEY_PAIR,
    RESPONDER_KEY_PAIR,
    RESPONDER_STREAM_HEADER,
    StreamPair,
    handshake_results,
    stream_events,
)

# A busy machine must not fail a test: no deadline for one example, none for making it.
messages = st.lists(st.binary(min_size=1, max_size=300), max_size=8)
cuts = st.lists(st.one_of(st.integers(1, 5), st.integers(1, 400)), max_size=200)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """``data`` cut into pieces of these sizes and a rest."""
    result = []
    for size in sizes:
        if not data:
            break
        result.append(data[:size])
        data = data[size:]
    return [*result, data]


def fresh_responder() -> SecretStream:
    return SecretStream.from_handshake(
        False, handshake_results()[1], stream_header=RESPONDER_STREAM_HEADER
    )


@cache
def recorded(count: int) -> bytes:
    """The initiator's bytes of a stream with ``count`` messages and a keep-alive between them."""
    stream = StreamPair("IK", ready=True).initiator
    data = stream.data_to_send(0)
    for n in range(count):
        stream.send(bytes((n,)) * (n * 37 + 1))
        data += stream.data_to_send(0)
        stream.handle_timer(stream.next_timer() or 0)
        data += stream.data_to_send(0)
    return data


@given(messages, messages, cuts, cuts)
def test_messages_arrive_as_sent_however_the_bytes_are_cut(
    from_initiator: list[bytes],
    from_responder: list[bytes],
    initiator_cuts: list[int],
    responder_cuts: list[int],
) -> None:
    """Through the whole life of a stream, handshake and header included."""
    pair = StreamPair("XX")
    # The second half is sent once the handshake is over.
    for stream, queue in ((pair.initiator, from_initiator), (pair.responder, from_responder)):
        for message in queue[::2]:
            stream.send(message)
    for stage in (0, 1):
        if stage:
            for stream, queue in (
                (pair.initiator, from_initiator),
                (pair.responder, from_responder),
            ):
                for message in queue[1::2]:
                    stream.send(message)
        moved = True
        while moved:
            moved = False
            for source, sink, sizes in (
                (pair.initiator, pair.responder, initiator_cuts),
                (pair.responder, pair.initiator, responder_cuts),
            ):
                data = source.data_to_send(0)
                moved = moved or bool(data)
                for piece in pieces(data, sizes):
                    sink.receive_data_untrusted(piece)
    for stream, queue in ((pair.responder, from_initiator), (pair.initiator, from_responder)):
        done, *arrived = stream_events(stream)
        assert isinstance(done, HandshakeDone)
        assert arrived == [Message(message) for message in queue[::2] + queue[1::2]]
        assert stream.unread_bytes == 0


def outcome(chunks: list[bytes]) -> tuple[list[StreamEvent], str | None]:
    """The events of a stream that gets these chunks, and the error that ended it."""
    stream = fresh_responder()
    events: list[StreamEvent] = []
    for chunk in chunks:
        try:
            stream.receive_data_untrusted(chunk)
        except RemoteProtocolError as error:
            return events + stream_events(stream), str(error)
        events += stream_events(stream)
    return events, None


@given(st.data())
@settings(max_examples=300)
def test_damaged_bytes_end_the_same_however_they_are_cut(data: st.DataObject) -> None:
    damaged = bytearray(recorded(5))
    for _ in range(data.draw(st.integers(0, 2), label="damages")):
        position = data.draw(st.integers(0, len(damaged) - 1), label="position")
        damaged[position] ^= data.draw(st.integers(1, 255), label="xor")
    whole = bytes(damaged)
    assert outcome(pieces(whole, data.draw(cuts, label="cuts"))) == outcome([whole])


def test_byte_by_byte() -> None:
    whole = recorded(3)
    assert outcome([whole[i : i + 1] for i in range(len(whole))]) == outcome([whole])


@given(st.lists(st.binary(max_size=200), max_size=5), st.integers(0, 3))
@settings(max_examples=500)
def test_random_bytes_in_every_state(chunks: list[bytes], state: int) -> None:
    if state == 0:
        stream = StreamPair("XX").responder
    elif state == 1:
        stream = StreamPair("IK").initiator
    else:
        stream = fresh_responder()
        if state == 3:
            stream.receive_data_untrusted(recorded(1))
    with suppress(SecretStreamError, HandshakeError):
        for chunk in chunks:
            stream.receive_data_untrusted(chunk)
    stream.send(b"whatever happened")
    stream.data_to_send(0)


# The handshake alone ------------------------------------------------------------------------------


def waiting(pattern: Pattern, turn: int) -> tuple[Handshake, bytes]:
    """A side that waits for message ``turn``, and that message."""
    initiator = Handshake(
        pattern,
        True,
        INITIATOR_KEY_PAIR,
        ephemeral_seed=b"\x01" * 32,
        remote_public_key=RESPONDER_KEY_PAIR.public_key if pattern == "IK" else None,
    )
    writer, reader = (
        initiator,
        Handshake(pattern, False, RESPONDER_KEY_PAIR, ephemeral_seed=b"\x02" * 32),
    )
    for _ in range(turn):
        reader.read_untrusted(writer.write())
        writer, reader = reader, writer
    return reader, writer.write()


TURNS: list[tuple[Pattern, int]] = [("XX", 0), ("XX", 1), ("XX", 2), ("IK", 0), ("IK", 1)]


@pytest.mark.parametrize(("pattern", "turn"), TURNS)
@given(data=st.data())
@settings(max_examples=120)
def test_handshake_messages_fail_in_one_way_only(
    pattern: Pattern, turn: int, data: st.DataObject
) -> None:
    reader, message = waiting(pattern, turn)
    hostile = bytearray(message)
    for _ in range(data.draw(st.integers(0, 3), label="changes")):
        hostile[data.draw(st.integers(0, len(hostile) - 1), label="position")] = data.draw(
            st.integers(0, 255), label="value"
        )
    size = data.draw(st.integers(0, len(hostile)), label="size")
    tail = data.draw(st.binary(max_size=40), label="tail")
    damaged = bytes(hostile[:size]) + tail
    try:
        reader.read_untrusted(damaged)
    except HandshakeError:
        assert not reader.finished
        return
    # XX begins with a key and a payload in clear: everything else has to be as it was written.
    assert damaged == message or (pattern, turn) == ("XX", 0)


@given(st.binary(max_size=MAX_HANDSHAKE_MESSAGE_BYTES + 10))
@settings(max_examples=100)
def test_random_handshake_messages(message: bytes) -> None:
    for pattern, turn in TURNS:
        reader, _ = waiting(pattern, turn)
        with suppress(HandshakeError):
            reader.read_untrusted(message)


@given(st.binary(max_size=100), st.binary(max_size=60), st.integers(0, 200))
def test_datagrams(message: bytes, random: bytes, position: int) -> None:
    ours, theirs = (
        DatagramBox(initiator, bytes(64), first_counter=bytes(8)) for initiator in (True, False)
    )
    datagram = ours.seal(message)
    assert theirs.open_untrusted(datagram) == message
    damaged = bytearray(datagram)
    damaged[position % len(damaged)] ^= 1
    for hostile in (bytes(damaged), random):
        with pytest.raises(SecretStreamError):
            theirs.open_untrusted(hostile)
