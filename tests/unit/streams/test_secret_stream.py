"""The rules of the secret stream, and each way to break them."""

from __future__ import annotations

import pytest

from protocol.crypto.keys import KeyPair
from protocol.errors import (
    HandshakeError,
    LocalProtocolError,
    RemoteProtocolError,
    SecretStreamError,
)
from protocol.limits import MAX_FRAME_BYTES, MAX_HANDSHAKE_MESSAGE_BYTES, MAX_MESSAGE_BYTES
from protocol.noise.handshake import Pattern
from protocol.noise.secret_stream import (
    KEEP_ALIVE_SECONDS,
    LENGTH_BYTES,
    MESSAGE_OVERHEAD_BYTES,
    STREAM_HEADER_BYTES,
    HandshakeDone,
    Message,
    SecretStream,
)
from tests.connection_pair import (
    INITIATOR_KEY_PAIR,
    INITIATOR_STREAM_HEADER,
    RESPONDER_KEY_PAIR,
    StreamPair,
    handshake_results,
    initiator_stream,
    responder_stream,
    stream_events,
)

HEADER_FRAME_BYTES = LENGTH_BYTES + 56
KEEP_ALIVE_FRAME_BYTES = LENGTH_BYTES + MESSAGE_OVERHEAD_BYTES


def frame(size: int, body: bytes = b"") -> bytes:
    """A length prefix that promises ``size`` bytes, and some of them."""
    return size.to_bytes(LENGTH_BYTES, "little") + body


def opened(*, keep_alive: float | None = KEEP_ALIVE_SECONDS) -> StreamPair:
    """A pair whose handshake is done and whose events are taken."""
    pair = StreamPair(keep_alive=keep_alive)
    pair.exchange()
    stream_events(pair.initiator)
    stream_events(pair.responder)
    return pair


@pytest.mark.parametrize(("pattern", "ready"), [("XX", False), ("IK", False), ("IK", True)])
def test_the_handshake_is_the_first_event(pattern: Pattern, ready: bool) -> None:
    pair = StreamPair(pattern, ready=ready)
    pair.exchange()
    [first] = stream_events(pair.initiator)
    [second] = stream_events(pair.responder)
    assert isinstance(first, HandshakeDone)
    assert isinstance(second, HandshakeDone)
    assert first.handshake_hash == second.handshake_hash
    assert first.remote_public_key == RESPONDER_KEY_PAIR.public_key
    assert second.remote_public_key == INITIATOR_KEY_PAIR.public_key
    assert pair.initiator.is_open
    assert pair.responder.is_open


def test_the_bytes_before_the_first_message() -> None:
    initiator, responder = initiator_stream(), responder_stream()
    first = initiator.data_to_send(0)
    assert len(first) == LENGTH_BYTES + 32
    assert responder.data_to_send(0) == b""
    responder.receive_data_untrusted(first)
    second = responder.data_to_send(0)
    assert len(second) == LENGTH_BYTES + 96
    initiator.receive_data_untrusted(second)
    third = initiator.data_to_send(0)
    assert len(third) == LENGTH_BYTES + 64 + HEADER_FRAME_BYTES
    assert third.endswith(INITIATOR_STREAM_HEADER)
    responder.receive_data_untrusted(third)
    assert len(responder.data_to_send(0)) == HEADER_FRAME_BYTES


def test_a_ready_handshake_begins_with_the_header() -> None:
    pair = StreamPair("IK", ready=True)
    assert isinstance(pair.initiator.next_event(), HandshakeDone)
    assert len(pair.initiator.data_to_send(0)) == HEADER_FRAME_BYTES


def test_messages_keep_their_bounds_and_order() -> None:
    pair = opened()
    messages = [b"a", b"b" * 1000, b"c" * 70_000]
    for message in messages:
        pair.initiator.send(message)
    pair.exchange()
    assert stream_events(pair.responder) == [Message(message) for message in messages]


@pytest.mark.parametrize("ready", [False, True])
def test_messages_sent_before_the_handshake_follow_it(ready: bool) -> None:
    pair = StreamPair("IK", ready=ready)
    for stream, message in ((pair.initiator, b"from i"), (pair.responder, b"from r")):
        stream.send(message)
        stream.send(message)
    pair.exchange()
    for stream, message in ((pair.initiator, b"from r"), (pair.responder, b"from i")):
        assert stream_events(stream)[1:] == [Message(message)] * 2
        assert stream.unsent_bytes == 0


def test_the_largest_message() -> None:
    pair = opened()
    pair.initiator.send(bytes(MAX_MESSAGE_BYTES))
    data = pair.initiator.data_to_send(0)
    assert len(data) == LENGTH_BYTES + MAX_FRAME_BYTES
    pair.responder.receive_data_untrusted(data)
    assert pair.responder.next_event() == Message(bytes(MAX_MESSAGE_BYTES))
    with pytest.raises(LocalProtocolError, match="bytes"):
        pair.initiator.send(bytes(MAX_MESSAGE_BYTES + 1))


def test_a_large_message_leaves_no_buffer_behind() -> None:
    pair = opened()
    pair.initiator.send(bytes(1 << 20))
    pair.exchange()
    assert pair.initiator._push_state.rawbuf is None
    assert pair.responder._pull_state.rawbuf is None


def test_an_empty_message_cannot_be_sent() -> None:
    with pytest.raises(LocalProtocolError, match="0 bytes"):
        opened().initiator.send(b"")


def test_what_waits_is_counted() -> None:
    pair = opened()
    pair.initiator.send(b"x" * 100)
    assert pair.initiator.unsent_bytes == LENGTH_BYTES + 100 + MESSAGE_OVERHEAD_BYTES
    data = pair.initiator.data_to_send(0)
    assert len(data) == LENGTH_BYTES + 100 + MESSAGE_OVERHEAD_BYTES
    assert pair.initiator.unsent_bytes == 0
    pair.responder.receive_data_untrusted(data[:50])
    assert pair.responder.unread_bytes == 50
    pair.responder.receive_data_untrusted(data[50:])
    assert pair.responder.unread_bytes == 0


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_may_be_received(kind: type) -> None:
    pair = opened()
    pair.initiator.send(b"message")
    pair.responder.receive_data_untrusted(kind(pair.initiator.data_to_send(0)))
    assert pair.responder.next_event() == Message(b"message")


def test_arguments() -> None:
    result, _ = handshake_results()
    short = bytes(STREAM_HEADER_BYTES - 1)
    with pytest.raises(LocalProtocolError, match="24 bytes"):
        SecretStream.from_handshake(True, result, stream_header=short)
    with pytest.raises(LocalProtocolError, match="24 bytes"):
        SecretStream(True, INITIATOR_KEY_PAIR, ephemeral_seed=bytes(32), stream_header=short)
    with pytest.raises(LocalProtocolError, match="seed"):
        SecretStream(True, INITIATOR_KEY_PAIR, ephemeral_seed=b"", stream_header=short + b"\x00")


# Keep-alive --------------------------------------------------------------------------------------


def test_a_quiet_stream_sends_a_keep_alive() -> None:
    pair = opened()
    assert pair.initiator.next_timer() == KEEP_ALIVE_SECONDS
    pair.initiator.handle_timer(KEEP_ALIVE_SECONDS - 0.001)
    assert pair.initiator.data_to_send(KEEP_ALIVE_SECONDS - 0.001) == b""
    pair.initiator.handle_timer(KEEP_ALIVE_SECONDS)
    data = pair.initiator.data_to_send(KEEP_ALIVE_SECONDS)
    assert len(data) == KEEP_ALIVE_FRAME_BYTES
    assert pair.initiator.next_timer() == 2 * KEEP_ALIVE_SECONDS
    pair.responder.receive_data_untrusted(data)
    assert pair.responder.next_event() is None
    assert pair.responder.data_to_send(0) == b""


def test_a_write_puts_the_keep_alive_off() -> None:
    pair = opened()
    pair.initiator.send(b"message")
    pair.exchange(now=3.0)
    assert pair.initiator.next_timer() == 3.0 + KEEP_ALIVE_SECONDS


def test_output_that_waits_replaces_the_keep_alive() -> None:
    pair = opened()
    pair.initiator.send(b"message")
    waiting = pair.initiator.unsent_bytes
    pair.initiator.handle_timer(KEEP_ALIVE_SECONDS)
    assert pair.initiator.unsent_bytes == waiting
    assert pair.initiator.next_timer() == 2 * KEEP_ALIVE_SECONDS


def test_no_keep_alive_before_the_handshake_or_when_turned_off() -> None:
    stream = initiator_stream()
    stream.data_to_send(0)
    assert stream.next_timer() is None
    pair = opened(keep_alive=None)
    assert pair.initiator.next_timer() is None
    pair.initiator.handle_timer(1000)
    assert pair.initiator.data_to_send(1000) == b""


# The peer's faults -------------------------------------------------------------------------------


def test_a_long_frame_is_refused_by_its_length() -> None:
    """Before the body arrives, so that nothing is kept for it."""
    stream = responder_stream()
    with pytest.raises(SecretStreamError, match="while in handshake"):
        stream.receive_data_untrusted(frame(MAX_HANDSHAKE_MESSAGE_BYTES + 1))
    assert stream.unread_bytes == 0


@pytest.mark.parametrize("size", [0, 55, 57, MAX_FRAME_BYTES])
def test_a_header_of_another_size(size: int) -> None:
    pair = StreamPair("IK", ready=True)
    with pytest.raises(SecretStreamError, match="while in header"):
        pair.responder.receive_data_untrusted(frame(size))


@pytest.mark.parametrize("size", [0, MESSAGE_OVERHEAD_BYTES - 1])
def test_a_message_too_short_to_be_one(size: int) -> None:
    with pytest.raises(SecretStreamError, match="while in open"):
        opened().responder.receive_data_untrusted(frame(size))


def test_a_header_of_another_stream() -> None:
    header = StreamPair("IK", ready=True).initiator.data_to_send(0)
    other, _ = handshake_results("XX")
    stream = SecretStream.from_handshake(False, other, stream_header=INITIATOR_STREAM_HEADER)
    with pytest.raises(SecretStreamError, match="another stream"):
        stream.receive_data_untrusted(header)


def test_our_own_header_reflected() -> None:
    stream = StreamPair("IK", ready=True).initiator
    header = stream.data_to_send(0)
    with pytest.raises(SecretStreamError, match="another stream"):
        stream.receive_data_untrusted(header)


def test_every_changed_byte_of_a_message_fails() -> None:
    pair = opened()
    pair.initiator.send(b"some message")
    data = pair.initiator.data_to_send(0)
    for position in range(LENGTH_BYTES, len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        reader = opened().responder
        with pytest.raises(SecretStreamError, match="decrypt"):
            reader.receive_data_untrusted(changed)


def test_dropped_repeated_and_swapped_frames_fail() -> None:
    pair = opened()
    frames = []
    for message in (b"one", b"two"):
        pair.initiator.send(message)
        frames.append(pair.initiator.data_to_send(0))
    for order in ([1], [0, 0], [1, 0]):
        reader = opened().responder
        with pytest.raises(SecretStreamError, match="decrypt"):
            reader.receive_data_untrusted(b"".join(frames[i] for i in order))


def test_frames_before_a_bad_one_are_still_reported() -> None:
    pair = opened()
    pair.initiator.send(b"good")
    data = pair.initiator.data_to_send(0) + frame(17, bytes(17))
    with pytest.raises(SecretStreamError):
        pair.responder.receive_data_untrusted(data)
    assert stream_events(pair.responder) == [Message(b"good")]


def test_a_failed_stream_stays_failed_and_silent() -> None:
    pair = opened()
    pair.responder.send(b"never sent")
    with pytest.raises(SecretStreamError):
        pair.responder.receive_data_untrusted(frame(1))
    with pytest.raises(SecretStreamError, match="before"):
        pair.responder.receive_data_untrusted(b"")
    # The rest of the program may not know yet.
    pair.responder.send(b"message")
    pair.responder.handle_timer(1000)
    assert pair.responder.data_to_send(1000) == b""
    assert pair.responder.next_timer() is None
    assert pair.responder.unsent_bytes == 0
    assert not pair.responder.is_open


def test_a_stream_that_failed_in_its_handshake_drops_what_is_sent() -> None:
    stream = responder_stream()
    stream.send(b"early")
    with pytest.raises(HandshakeError):
        stream.receive_data_untrusted(frame(31, bytes(31)))
    stream.send(b"late")
    assert stream.unsent_bytes == 0
    assert stream.result is None


def test_the_peer_must_have_the_key_that_was_expected() -> None:
    other = KeyPair.from_seed(b"\x77" * 32).public_key
    initiator, responder = initiator_stream(remote_public_key=other), responder_stream()
    responder.receive_data_untrusted(initiator.data_to_send(0))
    with pytest.raises(HandshakeError, match="expected"):
        initiator.receive_data_untrusted(responder.data_to_send(0))


def test_both_sides_as_initiator() -> None:
    first, second = initiator_stream(), initiator_stream()
    with pytest.raises(RemoteProtocolError):
        first.receive_data_untrusted(second.data_to_send(0))


def test_a_pattern_mismatch() -> None:
    initiator, responder = initiator_stream("IK"), responder_stream("XX")
    # To XX the message is a key and a payload in clear.
    responder.receive_data_untrusted(initiator.data_to_send(0))
    with pytest.raises(HandshakeError):
        initiator.receive_data_untrusted(responder.data_to_send(0))
