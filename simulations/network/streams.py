"""TCP as hosts of the simulated network see it: bytes in order, late, and broken by a crash.

A partition only holds them back, as retransmissions would; a stream that cannot deliver for
``GIVE_UP_SECONDS`` breaks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio

from vitra_node.config import Address
from vitra_node.world import TakeStream

from .network import Network, Place

# Linux gives up after about a quarter of an hour; sessions have shorter patience.
GIVE_UP_SECONDS = 120.0
RETRY_SECONDS = 1.0
# What the sender's and the receiver's kernel hold together.
BUFFER_BYTES = 256 * 1024
# A write goes on its way in pieces of so many bytes.
PIECE_BYTES = 16 * 1024
REFUSED = ConnectionRefusedError(111, "Connection refused")


class _Pipe:
    """One direction."""

    def __init__(self, network: Network, source: Place, to: Place) -> None:
        self.network = network
        self.source = source
        self.to = to
        self.arrived = bytearray()
        self.ended = False
        self.broken = False
        self.under_way = 0
        self.moved = trio.Event()
        self._last_at = 0.0

    def send(self, data: bytes, tries: int = 0) -> None:
        """Put bytes (``b""``: the end) on their way."""
        if self.broken:
            return
        if not (self.source.plugged and self.to.plugged):
            self._break()
        elif self.source.side != self.to.side:
            if tries * RETRY_SECONDS > GIVE_UP_SECONDS:
                self._break()
            else:
                again = partial(self.send, data, tries + 1)
                self._after(RETRY_SECONDS, again)
        else:
            delay = self.network.delay(self.source, self.to, len(data) or 40, trio.current_time())
            self._after(delay, partial(self._arrive, data))

    def _after(self, seconds: float, what: Callable[[], None]) -> None:
        # Nothing overtakes what was sent before.
        now = trio.current_time()
        self._last_at = max(self._last_at, now + seconds)
        self.network.later(self._last_at - now, what)

    def _arrive(self, data: bytes) -> None:
        if not self.to.plugged:
            self._break()
        elif data:
            self.arrived += data
        else:
            self.ended = True
        self.move()

    def _break(self) -> None:
        self.broken = True
        self.move()

    def move(self) -> None:
        """Wake whoever waits on either end."""
        self.moved.set()
        self.moved = trio.Event()


class SimulatedStream(trio.abc.HalfCloseableStream):
    """One end of a connection."""

    def __init__(self, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._closed = False
        self._sent_eof = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send; waits while the peer does not read."""
        await trio.lowlevel.checkpoint()
        pipe = self._outgoing
        rest = memoryview(data)
        while rest:
            while True:
                if self._closed or self._sent_eof:
                    raise trio.ClosedResourceError
                if pipe.broken:
                    raise trio.BrokenResourceError
                if pipe.under_way < BUFFER_BYTES:
                    break
                await pipe.moved.wait()
            piece, rest = bytes(rest[:PIECE_BYTES]), rest[PIECE_BYTES:]
            pipe.under_way += len(piece)
            pipe.send(piece)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room."""
        await trio.lowlevel.checkpoint()
        while self._outgoing.under_way >= BUFFER_BYTES and not self._outgoing.broken:
            await self._outgoing.moved.wait()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Bytes in order; ``b""`` at the end."""
        await trio.lowlevel.checkpoint()
        pipe = self._incoming
        while True:
            if self._closed:
                raise trio.ClosedResourceError
            if pipe.arrived:
                data = bytes(pipe.arrived[: max_bytes or BUFFER_BYTES])
                del pipe.arrived[: len(data)]
                pipe.under_way -= len(data)
                pipe.move()
                return data
            if pipe.ended:
                return b""
            if pipe.broken:
                raise trio.BrokenResourceError
            await pipe.moved.wait()

    async def send_eof(self) -> None:
        """End this direction."""
        await trio.lowlevel.checkpoint()
        if not self._sent_eof:
            self._sent_eof = True
            self._outgoing.send(b"")

    async def aclose(self) -> None:
        """Close both directions."""
        if not self._closed:
            self._closed = True
            if not self._sent_eof:
                self._sent_eof = True
                self._outgoing.send(b"")
            self._incoming.broken = True
            self._incoming.move()
            self._outgoing.move()
        await trio.lowlevel.checkpoint()

    def reset(self) -> None:
        """The host went down: the peer notices when it sends, or at once."""
        for pipe in (self._incoming, self._outgoing):
            pipe.broken = True
            pipe.move()


class Listeners:
    """Who listens where, and all streams, so that those of a host end with it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._takers: dict[tuple[str, int], tuple[Place, TakeStream, trio.Nursery]] = {}
        self._streams: dict[Place, list[SimulatedStream]] = {}

    async def serve(
        self,
        place: Place,
        port: int,
        take: TakeStream,
        task_status: trio.TaskStatus[list[Address]],
    ) -> None:
        """See ``World.serve_streams``."""
        assert place.nat is None, "nobody reaches a listener behind a translator"
        if not port:
            port = place.next_port
            place.next_port += 1
        key = (place.address, port)
        if key in self._takers or not place.plugged:
            raise OSError(98, "Address already in use")
        async with trio.open_nursery() as nursery:
            self._takers[key] = (place, take, nursery)
            try:
                task_status.started([Address(*key)])
                await trio.sleep_forever()
            finally:
                del self._takers[key]

    async def open(self, place: Place, host: str, port: int) -> SimulatedStream:
        """See ``World.open_stream``."""
        found = self._takers.get((host, port))
        if found is None or not place.plugged or found[0].side != place.side:
            # A refusal comes back at once; where nothing answers, the caller's patience decides.
            if found is None:
                await trio.sleep(self._network.conditions.nearest)
                raise REFUSED
            await trio.sleep(GIVE_UP_SECONDS)
            raise OSError(110, "Connection timed out")
        there = self._network.delay(place, found[0], 60, trio.current_time())
        await trio.sleep(2 * there)
        found = self._takers.get((host, port))
        if found is None:
            raise REFUSED
        target, take, nursery = found
        out, back = _Pipe(self._network, place, target), _Pipe(self._network, target, place)
        ours, theirs = SimulatedStream(back, out), SimulatedStream(out, back)
        self._streams.setdefault(place, []).append(ours)
        self._streams.setdefault(target, []).append(theirs)
        nursery.start_soon(take, theirs, Address(place.public, place.next_port))
        place.next_port += 1
        return ours

    def drop(self, place: Place) -> None:
        """Break all streams of a host."""
        for stream in self._streams.pop(place, []):
            stream.reset()
