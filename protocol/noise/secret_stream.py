"""The encrypted stream between two peers: messages over a byte stream, as pure state.

    state       frame that arrives          then
    HANDSHAKE   a Noise message             answer it; after the last one: send our header, HEADER
    HEADER      stream id, header (56)      OPEN
    OPEN        ciphertext (17 or more)     Message, or nothing when it is empty (a keep-alive)
    FAILED      anything                    SecretStreamError; what we send is dropped

- Each frame is a 24-bit little-endian length and that many bytes.
- A stream made from a ready handshake begins in HEADER, and its first bytes are our own header.
- Sending does not wait for the peer's header: once the handshake is over every message is encrypted
  at once. Messages sent before are kept and encrypted then.
- The end of the stream is the end of the bytes below; nothing inside announces it.

Nothing here draws random numbers. libsodium makes its stream header itself when it begins to
*push*, but beginning to *pull* with a given header leaves the very same state, so that is what both
directions do. The header is a nonce: public, and only ever used with the key of one handshake.

Wire facts: specs/02-noise-and-secret-stream.md, 2.3 and 2.4; npm ``@hyperswarm/secret-stream``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_ABYTES,
    crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    crypto_secretstream_xchacha20poly1305_init_pull,
    crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
    crypto_secretstream_xchacha20poly1305_state,
)
from nacl.exceptions import CryptoError

from ..crypto.hashes import blake2b_256
from ..crypto.keys import KeyPair
from ..crypto.namespaces import STREAM_INITIATOR, STREAM_RESPONDER
from ..errors import LocalProtocolError, RemoteProtocolError, SecretStreamError
from ..limits import MAX_FRAME_BYTES, MAX_HANDSHAKE_MESSAGE_BYTES, MAX_MESSAGE_BYTES
from .handshake import Handshake, HandshakeResult, Pattern

STREAM_HEADER_BYTES: int = crypto_secretstream_xchacha20poly1305_HEADERBYTES
MESSAGE_OVERHEAD_BYTES: int = crypto_secretstream_xchacha20poly1305_ABYTES
STREAM_ID_BYTES = 32
LENGTH_BYTES = 3

# What npm ``hypercore`` asks of every replication stream.
KEEP_ALIVE_SECONDS = 5.0

_HEADER_FRAME_BYTES = STREAM_ID_BYTES + STREAM_HEADER_BYTES

# PyNaCl keeps the working buffer of the largest message so far with each direction's state. Beyond
# this size we take it away again, or one message would cost its size for the life of a connection.
_LARGEST_KEPT_BUFFER_BYTES = 256 * 1024


class _State(Enum):
    HANDSHAKE = "handshake"
    HEADER = "header"
    OPEN = "open"
    FAILED = "failed"


# Shortest and longest frame that each state takes; judged by the length alone, before the body.
_FRAME_BOUNDS = {
    _State.HANDSHAKE: (0, MAX_HANDSHAKE_MESSAGE_BYTES),
    _State.HEADER: (_HEADER_FRAME_BYTES, _HEADER_FRAME_BYTES),
    _State.OPEN: (MESSAGE_OVERHEAD_BYTES, MAX_FRAME_BYTES),
}


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """Both sides have the keys; the first event of every stream.

    Attributes:
      remote_public_key: the peer's static key, 32 bytes.
      handshake_hash: 64 bytes, the same on both sides and in no other connection.
    """

    remote_public_key: bytes
    handshake_hash: bytes


# Not frozen: freezing triples the cost of making one, and one is made for each message.
@dataclass(slots=True)
class Message:
    """One message of the peer.

    Attributes:
      data: what it sent in one ``send``; never empty.
    """

    data: bytes


StreamEvent = HandshakeDone | Message


def stream_id(handshake_hash: bytes, initiator: bool) -> bytes:
    """The 32 bytes with which the initiator (or responder) begins its direction of the stream."""
    return blake2b_256(STREAM_INITIATOR if initiator else STREAM_RESPONDER, key=handshake_hash)


def _frame_length(size: int) -> bytes:
    return size.to_bytes(LENGTH_BYTES, "little")


class SecretStream:
    """One side of a stream that begins with its own handshake.

    Args:
      initiator: whether this side opened the connection.
      key_pair: this side's static key pair.
      ephemeral_seed: 32 fresh random bytes, never used twice.
      stream_header: 24 fresh random bytes.
      pattern: "XX" on TCP; "IK" when the initiator knows the peer's key and both sides agreed.
      remote_public_key: see ``Handshake``.
      keep_alive: seconds without a write after which an empty message goes out, or ``None``.

    Raises:
      LocalProtocolError: an argument is missing or has a wrong length.
      HandshakeError: ``remote_public_key`` is not a valid point.
    """

    def __init__(
        self,
        initiator: bool,
        key_pair: KeyPair,
        *,
        ephemeral_seed: bytes,
        stream_header: bytes,
        pattern: Pattern = "XX",
        remote_public_key: bytes | None = None,
        keep_alive: float | None = KEEP_ALIVE_SECONDS,
    ) -> None:
        self._begin(initiator, stream_header, keep_alive)
        self._handshake: Handshake | None = Handshake(
            pattern,
            initiator,
            key_pair,
            ephemeral_seed=ephemeral_seed,
            remote_public_key=remote_public_key,
        )
        if initiator:
            self._queue_frame(self._handshake.write())

    @classmethod
    def from_handshake(
        cls,
        initiator: bool,
        result: HandshakeResult,
        *,
        stream_header: bytes,
        keep_alive: float | None = KEEP_ALIVE_SECONDS,
    ) -> SecretStream:
        """A stream whose handshake took place elsewhere, as hyperdht's do inside DHT packets.

        Raises:
          LocalProtocolError: the header has a wrong length.
        """
        stream = cls.__new__(cls)
        stream._begin(initiator, stream_header, keep_alive)
        stream._handshake = None
        stream._start(result)
        return stream

    def _begin(self, initiator: bool, stream_header: bytes, keep_alive: float | None) -> None:
        if len(stream_header) != STREAM_HEADER_BYTES:
            raise LocalProtocolError(f"a stream header has {STREAM_HEADER_BYTES} bytes")
        self.initiator = initiator
        self._state = _State.HANDSHAKE
        self._result: HandshakeResult | None = None
        self._stream_header = stream_header
        self._push_state = crypto_secretstream_xchacha20poly1305_state()
        self._pull_state = crypto_secretstream_xchacha20poly1305_state()
        self._unread = bytearray()
        self._needed_bytes = LENGTH_BYTES
        self._events: deque[StreamEvent] = deque()
        self._early: list[bytes] = []
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._keep_alive = keep_alive
        self._keep_alive_at: float | None = None

    # What the caller may ask ---------------------------------------------------------------------

    @property
    def result(self) -> HandshakeResult | None:
        """Keys, hash and peer of the handshake, once it is finished."""
        return self._result

    @property
    def is_open(self) -> bool:
        """Whether the peer's header has arrived, so that the peer has shown it holds the keys."""
        return self._state is _State.OPEN

    @property
    def unread_bytes(self) -> int:
        """Bytes of a frame that is not complete; above 0 while a peer stalls inside one."""
        return len(self._unread)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that ``data_to_send`` would give, and of messages that wait for the handshake."""
        return self._out_bytes

    # Receiving -----------------------------------------------------------------------------------

    def receive_data_untrusted(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the peer, cut anywhere. Events follow from ``next_event``.

        Raises:
          HandshakeError: a handshake message is wrong.
          SecretStreamError: a length is out of bounds, the header is another stream's, or a frame
            does not decrypt. Events of the frames before it can still be taken.
        """
        if self._state is _State.FAILED:
            raise SecretStreamError("the stream has failed before")
        unread = self._unread
        if unread:
            unread += data
            if len(unread) < self._needed_bytes:
                return
            data = bytes(unread)
            unread.clear()
        elif not isinstance(data, bytes):
            data = bytes(data)
        try:
            used = self._read_frames_untrusted(data)
        except RemoteProtocolError:
            self._fail()
            raise
        if used < len(data):
            unread += memoryview(data)[used:]

    def next_event(self) -> StreamEvent | None:
        """The next thing that happened, or ``None`` when more bytes are needed."""
        return self._events.popleft() if self._events else None

    def _read_frames_untrusted(self, data: bytes) -> int:
        """Handle every whole frame of ``data``; gives the number of bytes used."""
        start = 0
        end = len(data)
        shortest, longest = _FRAME_BOUNDS[self._state]
        while True:
            body = start + LENGTH_BYTES
            if body > end:
                self._needed_bytes = LENGTH_BYTES
                return start
            size = data[start] | data[start + 1] << 8 | data[start + 2] << 16
            if not shortest <= size <= longest:
                raise SecretStreamError(f"a frame of {size} bytes while in {self._state.value}")
            if body + size > end:
                self._needed_bytes = LENGTH_BYTES + size
                return start
            start = body + size
            if self._state is _State.OPEN:
                self._read_message_untrusted(data[body:start])
            else:
                self._read_setup_untrusted(data[body:start])
                shortest, longest = _FRAME_BOUNDS[self._state]

    def _read_message_untrusted(self, frame: bytes) -> None:
        try:
            # The tag is not looked at: npm secret-stream writes and reads plain messages only.
            message, _ = crypto_secretstream_xchacha20poly1305_pull(self._pull_state, frame)
        except CryptoError as error:
            raise SecretStreamError("a frame does not decrypt") from error
        if len(frame) > _LARGEST_KEPT_BUFFER_BYTES:
            self._pull_state.rawbuf = None
        if message:
            self._events.append(Message(message))

    def _read_setup_untrusted(self, frame: bytes) -> None:
        if self._handshake is None:
            self._read_header_untrusted(frame)
            return
        self._handshake.read_untrusted(frame)
        if self._handshake.our_turn:
            self._queue_frame(self._handshake.write())
        if self._handshake.finished:
            result = self._handshake.result
            self._handshake = None
            self._start(result)

    def _read_header_untrusted(self, frame: bytes) -> None:
        assert self._result is not None
        if frame[:STREAM_ID_BYTES] != stream_id(self._result.hash, not self.initiator):
            raise SecretStreamError("the header belongs to another stream")
        crypto_secretstream_xchacha20poly1305_init_pull(
            self._pull_state, frame[STREAM_ID_BYTES:], self._result.rx
        )
        self._state = _State.OPEN

    def _fail(self) -> None:
        self._state = _State.FAILED
        self._keep_alive_at = None
        self._early.clear()
        self._out.clear()
        self._out_bytes = 0

    # Sending -------------------------------------------------------------------------------------

    def _start(self, result: HandshakeResult) -> None:
        self._result = result
        self._state = _State.HEADER
        self._queue_frame(stream_id(result.hash, self.initiator) + self._stream_header)
        crypto_secretstream_xchacha20poly1305_init_pull(
            self._push_state, self._stream_header, result.tx
        )
        self._events.append(HandshakeDone(result.remote_public_key, result.hash))
        early, self._early = self._early, []
        for message in early:
            self._out_bytes -= len(message)
            self._queue_message(message)

    def _queue_frame(self, frame: bytes) -> None:
        self._out += (_frame_length(len(frame)), frame)
        self._out_bytes += LENGTH_BYTES + len(frame)

    def _queue_message(self, message: bytes) -> None:
        frame = crypto_secretstream_xchacha20poly1305_push(self._push_state, message)
        size = len(frame)
        if size > _LARGEST_KEPT_BUFFER_BYTES:
            self._push_state.rawbuf = None
        self._out += (size.to_bytes(LENGTH_BYTES, "little"), frame)
        self._out_bytes += LENGTH_BYTES + size

    def send(self, message: bytes) -> None:
        """Queue one message for the peer, of 1 to ``MAX_MESSAGE_BYTES`` bytes.

        May be called before the handshake is done. On a stream that failed it does nothing: the
        failure is reported where the bytes came in.

        Raises:
          LocalProtocolError: the message is empty (that is a keep-alive) or too long.
        """
        if not 0 < len(message) <= MAX_MESSAGE_BYTES:
            raise LocalProtocolError(f"a message cannot have {len(message)} bytes")
        if self._result is None:
            if self._state is not _State.FAILED:
                self._early.append(message)
                self._out_bytes += len(message)
        elif self._state is not _State.FAILED:
            self._queue_message(message)

    def keep_alive(self) -> None:
        """Queue an empty message, which the peer drops; nothing before the handshake is done."""
        if self._result is not None and self._state is not _State.FAILED:
            self._queue_message(b"")

    def data_to_send(self, now: float) -> bytes:
        """Everything that waits to be written below, in one piece; the caller writes it all.

        Args:
          now: seconds on the clock that ``handle_timer`` uses; the keep-alive counts from here.
        """
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        self._out_bytes -= len(data)
        if self._keep_alive is not None and self._result is not None:
            self._keep_alive_at = now + self._keep_alive
        return data

    def next_timer(self) -> float | None:
        """When to call ``handle_timer`` next, or ``None``."""
        return self._keep_alive_at

    def handle_timer(self, now: float) -> None:
        """Queue a keep-alive when nothing was written for ``keep_alive`` seconds."""
        if self._keep_alive is None or self._keep_alive_at is None or now < self._keep_alive_at:
            return
        self._keep_alive_at = now + self._keep_alive
        # Whatever waits to be written keeps the connection alive as well.
        if not self._out:
            self._queue_message(b"")
