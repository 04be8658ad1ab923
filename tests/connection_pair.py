"""Two real ends of a connection, wired back to back in memory.

    pair = ConnectionPair()
    channel = pair.initiator.mux.open("hypercore/alpha", key)
    pair.exchange()
    assert pair.responder.take_events() == [ChannelRequested("hypercore/alpha", key)]

Nothing is simulated but the wire: both ends are the ones that run in production, with fixed seeds
in place of random bytes, so every run sends the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from protocol.crypto.keys import KeyPair
from protocol.mux.events import MuxEvent
from protocol.mux.muxer import Muxer
from protocol.noise.handshake import Handshake, HandshakeResult, Pattern
from protocol.noise.secret_stream import (
    KEEP_ALIVE_SECONDS,
    STREAM_HEADER_BYTES,
    HandshakeDone,
    Message,
    SecretStream,
    StreamEvent,
)

INITIATOR_KEY_PAIR = KeyPair.from_seed(b"\x21" * 32)
RESPONDER_KEY_PAIR = KeyPair.from_seed(b"\x22" * 32)
INITIATOR_EPHEMERAL_SEED = b"\x23" * 32
RESPONDER_EPHEMERAL_SEED = b"\x24" * 32
INITIATOR_STREAM_HEADER = b"\x25" * STREAM_HEADER_BYTES
RESPONDER_STREAM_HEADER = b"\x26" * STREAM_HEADER_BYTES


def handshake_results(pattern: Pattern = "IK") -> tuple[HandshakeResult, HandshakeResult]:
    """What the initiator and the responder hold after a handshake outside of the stream."""
    initiator = Handshake(
        pattern,
        True,
        INITIATOR_KEY_PAIR,
        ephemeral_seed=INITIATOR_EPHEMERAL_SEED,
        remote_public_key=RESPONDER_KEY_PAIR.public_key,
    )
    responder = Handshake(
        pattern, False, RESPONDER_KEY_PAIR, ephemeral_seed=RESPONDER_EPHEMERAL_SEED
    )
    writer, reader = initiator, responder
    while not (initiator.finished and responder.finished):
        reader.read_untrusted(writer.write())
        writer, reader = reader, writer
    return initiator.result, responder.result


def initiator_stream(
    pattern: Pattern = "XX",
    remote_public_key: bytes | None = None,
    keep_alive: float | None = KEEP_ALIVE_SECONDS,
) -> SecretStream:
    """The side that opens the connection; with IK it knows the responder's key by default."""
    if pattern == "IK" and remote_public_key is None:
        remote_public_key = RESPONDER_KEY_PAIR.public_key
    return SecretStream(
        True,
        INITIATOR_KEY_PAIR,
        ephemeral_seed=INITIATOR_EPHEMERAL_SEED,
        stream_header=INITIATOR_STREAM_HEADER,
        pattern=pattern,
        remote_public_key=remote_public_key,
        keep_alive=keep_alive,
    )


def responder_stream(
    pattern: Pattern = "XX",
    remote_public_key: bytes | None = None,
    keep_alive: float | None = KEEP_ALIVE_SECONDS,
) -> SecretStream:
    """The side that was connected to."""
    return SecretStream(
        False,
        RESPONDER_KEY_PAIR,
        ephemeral_seed=RESPONDER_EPHEMERAL_SEED,
        stream_header=RESPONDER_STREAM_HEADER,
        pattern=pattern,
        remote_public_key=remote_public_key,
        keep_alive=keep_alive,
    )


def stream_events(stream: SecretStream) -> list[StreamEvent]:
    """All events that wait in a stream."""
    events: list[StreamEvent] = []
    while (event := stream.next_event()) is not None:
        events.append(event)
    return events


def mux_events(mux: Muxer) -> list[MuxEvent]:
    """All events that wait in a muxer."""
    events: list[MuxEvent] = []
    while (event := mux.next_event()) is not None:
        events.append(event)
    return events


class StreamPair:
    """Two secret streams.

    Attributes:
      initiator: the one that opened the connection.
      responder: the other.
    """

    def __init__(
        self,
        pattern: Pattern = "XX",
        *,
        ready: bool = False,
        keep_alive: float | None = KEEP_ALIVE_SECONDS,
    ) -> None:
        """Make the streams; with ``ready`` their handshake took place elsewhere."""
        if not ready:
            self.initiator = initiator_stream(pattern, keep_alive=keep_alive)
            self.responder = responder_stream(pattern, keep_alive=keep_alive)
            return
        ours, theirs = handshake_results(pattern)
        self.initiator = SecretStream.from_handshake(
            True, ours, stream_header=INITIATOR_STREAM_HEADER, keep_alive=keep_alive
        )
        self.responder = SecretStream.from_handshake(
            False, theirs, stream_header=RESPONDER_STREAM_HEADER, keep_alive=keep_alive
        )

    def exchange(self, now: float = 0.0) -> None:
        """Carry bytes both ways until neither side has any left."""
        quiet = False
        while not quiet:
            quiet = True
            for source, sink in (
                (self.initiator, self.responder),
                (self.responder, self.initiator),
            ):
                if data := source.data_to_send(now):
                    quiet = False
                    sink.receive_data_untrusted(data)


class ConnectionEnd:
    """One end of a ``ConnectionPair``.

    Attributes:
      stream: the secret stream.
      mux: the channels on it.
      handshake: the first event of the stream; set once the pair is made.
      received: the messages of the peer that went into ``mux``, oldest first.
    """

    def __init__(self, stream: SecretStream, aliases: Mapping[str, str] | None) -> None:
        self.stream = stream
        self.mux = Muxer(aliases)
        self.handshake: HandshakeDone
        self.received: list[bytes] = []

    def take_events(self) -> list[MuxEvent]:
        """All events of the channels that wait."""
        return mux_events(self.mux)

    def push(self) -> None:
        """Hand what the channels have to send to the stream."""
        for message in self.mux.messages_to_send():
            self.stream.send(message)

    def pull(self) -> bool:
        """Hand what the stream has received to the channels; says whether there was anything."""
        events = stream_events(self.stream)
        for event in events:
            if isinstance(event, Message):
                self.received.append(event.data)
                self.mux.receive_untrusted(event.data)
            else:
                self.handshake = event
        return bool(events)


class ConnectionPair:
    """Two muxers on two secret streams whose handshake is done.

    Attributes:
      initiator: the end that opened the connection.
      responder: the other.
    """

    def __init__(self, aliases: Mapping[str, str] | None = None, *, ready: bool = False) -> None:
        """Connect; ``aliases`` are those of both muxers."""
        self._streams = StreamPair(ready=ready, pattern="IK" if ready else "XX")
        self.initiator = ConnectionEnd(self._streams.initiator, aliases)
        self.responder = ConnectionEnd(self._streams.responder, aliases)
        self.exchange()

    def exchange(self, now: float = 0.0) -> None:
        """Carry messages both ways until nothing more happens by itself."""
        moved = True
        while moved:
            self.initiator.push()
            self.responder.push()
            self._streams.exchange(now)
            moved = self.initiator.pull() | self.responder.pull()
