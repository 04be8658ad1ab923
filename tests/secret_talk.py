"""The secret stream over a connection of the DHT, a message at a time."""

from __future__ import annotations

import os
from types import TracebackType

import trio

from protocol.noise.secret_stream import STREAM_HEADER_BYTES, HandshakeDone, SecretStream
from vitra_node.net.dht.connection import DhtConnection


class Talk:
    """One end; an async context manager, which ends the connection."""

    def __init__(self, connection: DhtConnection) -> None:
        self.connection = connection
        self._secret = SecretStream.from_handshake(
            connection.initiator,
            connection.handshake,
            stream_header=os.urandom(STREAM_HEADER_BYTES),
        )

    async def __aenter__(self) -> Talk:
        await self._flush()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.connection.stream.aclose()

    async def _flush(self) -> None:
        data = self._secret.data_to_send(trio.current_time())
        if data:
            await self.connection.stream.send_all(data)

    async def send(self, message: bytes) -> None:
        """Send a message."""
        self._secret.send(message)
        await self._flush()

    async def receive(self) -> bytes | None:
        """The next message; None when the peer has ended."""
        while True:
            while (event := self._secret.next_event()) is not None:
                if not isinstance(event, HandshakeDone):
                    return event.data
            data = await self.connection.stream.receive_some()
            if not data:
                return None
            self._secret.receive_data_untrusted(data)
