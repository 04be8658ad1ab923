"""One connection that replicates logs: stream <-> secret stream <-> channels <-> logs.

A pump. It moves bytes and decides nothing: what may be sent is the replicators' business, what a
peer may do that of the protocol package. What it does know is when to stop:

- A peer that does not take what we send is not answered any more, and past a second mark not even
  listened to. (Only past a second one: two sides that stop listening to each other because both
  have much to say would wait for ever.)
- A handshake, a frame, or a write that does not come to its end closes the connection.

All messages that follow from one read leave in one write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from protocol.crypto.keys import SEED_BYTES, KeyPair
from protocol.errors import RemoteProtocolError
from protocol.noise.handshake import HandshakeResult
from protocol.noise.secret_stream import STREAM_HEADER_BYTES, HandshakeDone, SecretStream

from ...world import REAL_WORLD, World
from ..errors import ConnectionFailed, PeerFault
from .log_channels import LogChannels
from .peer_sink import CoreSource

HANDSHAKE_SECONDS = 10.0
# A frame or a write may take this long, and one second more for each so many bytes.
STALL_SECONDS = 30.0
SLOWEST_BYTES_PER_SECOND = 1024
# Answers stop above the first mark and go on below the second. One block more than the first mark
# can wait, so 200 peers that do not read hold 100 MiB with blocks of usual size.
PAUSE_BYTES = 512 * 1024
RESUME_BYTES = 128 * 1024
# Above this the peer makes us talk without asking for blocks.
DEAF_BYTES = 8 * 1024 * 1024
READ_BYTES = 256 * 1024
WRITE_BYTES = 128 * 1024


async def replicate(
    stream: trio.abc.Stream,
    source: CoreSource,
    *,
    initiator: bool,
    key_pair: KeyPair | None = None,
    handshake: HandshakeResult | None = None,
    wait_for_room: Callable[[], Awaitable[None]] | None = None,
    on_open: Callable[[Session], None] | None = None,
    world: World = REAL_WORLD,
) -> None:
    """Replicate every shared log over ``stream`` until the peer ends it.

    Args:
      stream: any byte stream; closed on return.
      source: the logs.
      initiator: whether this side opened the stream.
      key_pair: our static key; a fresh one by default.
      handshake: keys from a handshake that took place elsewhere, instead of one on the stream.
      wait_for_room: awaited before each read, so that a slow disk slows peers down.
      on_open: called with the session once the peer has shown that it holds the keys.

    Resource handling:
      Owns the stream, two tasks, and the peers it announces to the logs; all end with it.

    Raises:
      ConnectionFailed: the stream broke, or was too slow.
      PeerFault: the peer broke the protocol.
    """
    header = world.random_bytes(STREAM_HEADER_BYTES)
    if handshake is not None:
        secret = SecretStream.from_handshake(initiator, handshake, stream_header=header)
    else:
        secret = SecretStream(
            initiator,
            key_pair or KeyPair.from_seed(world.random_bytes(SEED_BYTES)),
            ephemeral_seed=world.random_bytes(SEED_BYTES),
            stream_header=header,
        )
    await Session(stream, source, secret, wait_for_room, on_open).run()


class Session:
    """See ``replicate``, which makes and runs it.

    Attributes:
      remote_public_key: the peer's static key, empty before the handshake is done.
      bytes_read, bytes_written: on the stream.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        source: CoreSource,
        secret: SecretStream,
        wait_for_room: Callable[[], Awaitable[None]] | None,
        on_open: Callable[[Session], None] | None,
    ) -> None:
        self.remote_public_key = b""
        self.bytes_read = 0
        self.bytes_written = 0
        self._stream = stream
        self._source = source
        self._secret = secret
        self._wait_for_room = wait_for_room
        self._on_open = on_open
        self._channels = LogChannels(
            source,
            initiator=secret.initiator,
            on_output=self._wake_writer,
            on_fault=lambda error: self._fail(PeerFault(error)),
        )
        self._failure: ConnectionFailed | None = None
        self._scope = trio.CancelScope()
        self._has_output = trio.Event()
        self._has_output.set()
        self._writing_bytes = 0
        self._drained = trio.Event()
        self._timer_at = float("inf")
        self._timer_moved = trio.Event()

    async def run(self) -> None:
        """Carry the connection until it ends; see ``replicate``."""
        stop_offering = self._source.on_active(self._channels.offer)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    nursery.start_soon(self._tick)
                    await self._read()
                    self._scope.cancel()
        finally:
            stop_offering()
            self._channels.end()
            await trio.aclose_forcefully(self._stream)
        if self._failure is not None:
            raise self._failure

    def poke(self) -> None:
        """Send an empty message, so that the stream below finds out whether the peer is there."""
        self._secret.keep_alive()
        self._wake_writer()

    def _fail(self, failure: ConnectionFailed) -> None:
        # The first failure is the one to report; the rest follow from it.
        self._failure = self._failure or failure
        self._scope.cancel()

    # reading --------------------------------------------------------------------------------------

    async def _read(self) -> None:
        secret = self._secret
        handshake_until = trio.current_time() + HANDSHAKE_SECONDS
        frame_begun = 0.0
        while True:
            if self._wait_for_room is not None:
                await self._wait_for_room()
            while self._unsent_bytes > DEAF_BYTES:
                await self._drained.wait()
            unread = secret.unread_bytes
            deadline = float("inf")
            if not secret.is_open:
                deadline = handshake_until
            elif unread:
                deadline = frame_begun + STALL_SECONDS + unread / SLOWEST_BYTES_PER_SECOND
            try:
                with trio.move_on_at(deadline) as scope:
                    data = await self._stream.receive_some(READ_BYTES)
            except trio.BrokenResourceError:
                self._fail(ConnectionFailed("the connection broke"))
                return
            except trio.ClosedResourceError:
                # Closed on our side, by whoever made the stream: that is how to end a session.
                return
            if scope.cancelled_caught:
                what = "a frame" if secret.is_open else "the handshake"
                self._fail(ConnectionFailed(f"the peer did not finish {what} in time"))
                return
            if not data:
                if not secret.is_open:
                    self._fail(ConnectionFailed("the peer hung up during the handshake"))
                return
            self.bytes_read += len(data)
            self._receive(data)
            if secret.unread_bytes != unread + len(data):
                # A frame was completed, so what waits now has only begun.
                frame_begun = trio.current_time()

    def _receive(self, data: bytes | bytearray) -> None:
        secret, channels = self._secret, self._channels
        try:
            secret.receive_data_untrusted(data)
            while (event := secret.next_event()) is not None:
                if isinstance(event, HandshakeDone):
                    self.remote_public_key = event.remote_public_key
                    channels.begin(event.handshake_hash)
                else:
                    channels.receive_untrusted(event.data)
        except RemoteProtocolError as error:
            self._fail(PeerFault(error))
        channels.deliver()
        if self._on_open is not None and secret.is_open:
            self._on_open(self)
            self._on_open = None
        self._wake_writer()

    # writing --------------------------------------------------------------------------------------

    @property
    def _unsent_bytes(self) -> int:
        return self._channels.mux.unsent_bytes + self._secret.unsent_bytes + self._writing_bytes

    def _wake_writer(self) -> None:
        self._has_output.set()
        if self._unsent_bytes > PAUSE_BYTES:
            self._channels.pause()

    async def _write(self) -> None:
        secret, channels = self._secret, self._channels
        while True:
            await self._has_output.wait()
            self._has_output = trio.Event()
            for message in channels.messages_to_send():
                secret.send(message)
            data = memoryview(secret.data_to_send(trio.current_time()))
            self._watch_timers()
            self._writing_bytes = len(data)
            while data:
                part, data = data[:WRITE_BYTES], data[WRITE_BYTES:]
                try:
                    with trio.fail_after(STALL_SECONDS + len(part) / SLOWEST_BYTES_PER_SECOND):
                        await self._stream.send_all(part)
                except trio.BrokenResourceError:
                    self._fail(ConnectionFailed("the connection broke"))
                    return
                except trio.ClosedResourceError:
                    self._scope.cancel()
                    return
                except trio.TooSlowError:
                    self._fail(ConnectionFailed("the peer takes nothing that is sent to it"))
                    return
                self._writing_bytes -= len(part)
                self.bytes_written += len(part)
                self._drained.set()
                self._drained = trio.Event()
                if self._unsent_bytes <= RESUME_BYTES:
                    self._channels.resume()

    # time -----------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        while True:
            with trio.move_on_at(self._timer_at):
                await self._timer_moved.wait()
            now = trio.current_time()
            if now >= self._timer_at:
                self._timer_at = float("inf")
                self._secret.handle_timer(now)
                self._channels.handle_timer(now)
                self._watch_timers()
                self._wake_writer()
            self._timer_moved = trio.Event()

    def _watch_timers(self) -> None:
        """Find the next time at which something is due; it only ever moves forward by passing."""
        at = min(self._channels.next_timer(), self._secret.next_timer() or float("inf"))
        if at < self._timer_at:
            self._timer_at = at
            self._timer_moved.set()
