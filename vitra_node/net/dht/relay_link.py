"""A connection to a blind relay, for as long as a stream needs it."""

from __future__ import annotations

import trio

from protocol.errors import RemoteProtocolError
from protocol.mux.blind_relay import Pair, RelayPairing
from protocol.noise.secret_stream import HandshakeDone, SecretStream

from ..errors import ConnectionFailed
from .connection import DhtConnection, Meeting

# For the other peer to come; as npm hyperdht.
PAIRING_SECONDS = 15.0


async def hold_link(
    connection: DhtConnection,
    meeting: Meeting,
    public_key: bytes,
    pair: Pair,
    stream_header: bytes,
) -> None:
    """Pair the stream of ``meeting`` at a relay, and keep the relay until the stream ends.

    Args:
      connection: to the relay; closed on return.
      public_key: ours there.
      stream_header: ``STREAM_HEADER_BYTES`` fresh random bytes.

    Raises:
      ConnectionFailed: the relay did not pair it.
    """
    link = _Link(connection, RelayPairing(public_key, pair), stream_header)
    stream = connection.stream
    assert stream.socket is not None
    meeting.expect_relay(stream.socket, stream.remote_address)
    try:
        with trio.fail_after(PAIRING_SECONDS):
            relay_stream_id = await link.paired()
        meeting.take_relay(stream.socket, relay_stream_id, stream.remote_address)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.stay)
            await meeting.stream.wait_closed()
            nursery.cancel_scope.cancel()
    except trio.TooSlowError:
        raise ConnectionFailed("the peer did not come to the relay") from None
    except (trio.BrokenResourceError, trio.ClosedResourceError, RemoteProtocolError) as error:
        raise ConnectionFailed(f"the relay failed: {error}") from error
    finally:
        stream.destroy()


class _Link:
    def __init__(
        self, connection: DhtConnection, pairing: RelayPairing, stream_header: bytes
    ) -> None:
        self._stream = connection.stream
        self._pairing = pairing
        self._secret = SecretStream.from_handshake(
            connection.initiator,
            connection.handshake,
            stream_header=stream_header,
        )

    async def paired(self) -> int:
        """The id of the relay's stream, once it has both peers."""
        while self._pairing.relay_stream_id is None:
            if not await self._turn():
                raise ConnectionFailed("the relay hung up")
            if self._pairing.refused:
                raise ConnectionFailed("the relay does not relay")
        return self._pairing.relay_stream_id

    async def stay(self) -> None:
        """Answer, and stay alive, until the relay hangs up; our stream may go on without it."""
        try:
            while await self._turn():
                pass
        except trio.BrokenResourceError:
            pass

    async def _turn(self) -> bool:
        secret = self._secret
        for message in self._pairing.messages_to_send():
            secret.send(message)
        data = secret.data_to_send(trio.current_time())
        if data:
            await self._stream.send_all(data)
        at = secret.next_timer()
        with trio.move_on_at(float("inf") if at is None else at) as scope:
            data = await self._stream.receive_some()
        if scope.cancelled_caught:
            secret.handle_timer(trio.current_time())
            return True
        if not data:
            return False
        secret.receive_data_untrusted(data)
        while (event := secret.next_event()) is not None:
            if not isinstance(event, HandshakeDone):
                self._pairing.receive_untrusted(event.data)
        return True
