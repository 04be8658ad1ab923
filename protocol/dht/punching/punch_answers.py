"""The server's side of a hole punch: answers to the client's messages, then bytes.

It costs a socket only once a client has shown, by a message sealed with a key of the handshake,
that it received our answer; and there are so many at once at most.

Wire facts: specs/14-hole-punching.md; npm ``hyperdht``.
"""

from __future__ import annotations

from ...limits import MAX_PUNCH_ROUNDS
from ..addresses import Address
from ..handshake.handshake_box import HolepunchBox, Mode, encode_holepunch_box
from ..handshake.noise_payload import Firewall, PayloadError
from ..rpc.messages import Command
from ..rpc.rpc import Incoming, Rpc
from .holepunch_payload import (
    NONCE_BYTES,
    HolepunchPayload,
    open_holepunch_untrusted,
    seal_holepunch,
)
from .punch_rounds import host_token
from .puncher import Puncher

_SECRET_BYTES = 32


class PunchAnswers:
    """One session's.

    Args:
      rpc: the node.
      target: hash of the server's key.
      secret: of the handshake, 32 bytes.
    """

    def __init__(self, rpc: Rpc, target: bytes, secret: bytes) -> None:
        self._rpc = rpc
        self._target = target
        self._secret = secret
        self._local_secret = rpc.random_bytes(_SECRET_BYTES)
        self._puncher: Puncher | None = None
        self._round = 0
        self._messages = 0
        self._closed = False

    def close(self) -> None:
        """Stop; the stream's socket stays."""
        self._closed = True
        if self._puncher is not None:
            self._puncher.close()

    def take_untrusted(self, incoming: Incoming, box: HolepunchBox, *, own_relay: bool) -> None:
        """A message of the client.

        Args:
          own_relay: whether it came through a node that we chose; only its word counts about where
            the client is.

        Raises:
          RemoteProtocolError: it does not authenticate, or makes no sense.
        """
        client = box.peer_address
        if client is None or self._closed:
            return
        said = open_holepunch_untrusted(box.payload, self._secret)
        self._messages += 1
        if self._messages > MAX_PUNCH_ROUNDS:
            return
        if said.error:
            self.close()
            return
        if self._puncher is None:
            if self._rpc.sockets.full:
                self._answer(incoming, client, self._failure(PayloadError.TRY_LATER))
                return
            self._puncher = Puncher(
                self._rpc, initiator=False, on_connect=_nowhere, on_end=lambda: None
            )
        puncher = self._puncher
        if puncher.over:
            return
        token = host_token(self._local_secret, client.host) if own_relay else None
        if incoming.socket == puncher.socket:
            puncher.nat.add(incoming.request.to, incoming.source)
        if said.round >= self._round:
            self._round = said.round
            echoed = token is not None and said.remote_token == token
            puncher.update(said, client.host if echoed else None)
        puncher.when_known(lambda: self._weigh(incoming, client, said, token))

    def _weigh(
        self, incoming: Incoming, client: Address, said: HolepunchPayload, token: bytes | None
    ) -> None:
        puncher = self._puncher
        if puncher is None or puncher.over:
            return
        if not puncher.remote_punching and puncher.unstable and puncher.reopen():
            puncher.when_known(lambda: self._weigh(incoming, client, said, token))
            return
        if not puncher.remote_punching and puncher.nat.firewall == Firewall.UNKNOWN:
            self._answer(incoming, client, self._failure(PayloadError.ABORTED))
            return
        if puncher.remote_punching:
            if puncher.must_wait:
                self._answer(incoming, client, self._failure(PayloadError.TRY_LATER))
                return
            if not puncher.punch():
                self._answer(incoming, client, self._failure(PayloadError.ABORTED))
                return
        else:
            self._open_a_way(client, said)
        if puncher.nat.firewall != Firewall.UNKNOWN:
            puncher.nat.frozen = True
        self._answer(
            incoming,
            client,
            HolepunchPayload(
                firewall=puncher.nat.firewall,
                round=self._round,
                punching=puncher.remote_punching,
                addresses=puncher.nat.addresses,
                token=token,
                remote_token=said.token,
            ),
        )

    def _open_a_way(self, client: Address, said: HolepunchPayload) -> None:
        """A byte to the client, which connects at once if it has opened its NAT to this socket."""
        puncher = self._puncher
        assert puncher is not None
        if puncher.nat.firewall not in (Firewall.OPEN, Firewall.CONSISTENT):
            return
        if said.remote_address is not None and said.remote_address in (puncher.nat.addresses or ()):
            puncher.send(client)
        else:
            puncher.open_session(client)

    def _failure(self, error: PayloadError) -> HolepunchPayload:
        return HolepunchPayload(error=error, round=self._round)

    def _answer(self, incoming: Incoming, client: Address, payload: HolepunchPayload) -> None:
        sealed = seal_holepunch(payload, self._secret, self._rpc.random_bytes(NONCE_BYTES))
        box = HolepunchBox(Mode.FROM_SERVER, 0, sealed, client)
        puncher = self._puncher
        alive = puncher is not None and not puncher.over and not payload.error
        self._rpc.forward(
            incoming.source,
            incoming.request.tid,
            Command.PEER_HOLEPUNCH,
            self._target,
            encode_holepunch_box(box),
            puncher.socket if puncher is not None and alive else incoming.socket,
        )


def _nowhere(_socket: int, _address: Address) -> None:
    pass
