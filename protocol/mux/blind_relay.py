"""Meeting another peer at a relay that cannot read what it carries.

Both peers connect to the relay, open a channel "blind-relay" whose id is their own public key, and
send a *pair* with the same token. When it has both, the relay answers each with the id of a UDX
stream of its own; what arrives for one is passed on through the other.

Wire facts: specs/14-hole-punching.md section 6; npm ``blind-relay``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..encoding.compact import Decoder, encode_uint
from ..errors import DecodeError
from .events import ChannelClosed, ChannelMessage, ChannelRejected, ChannelRequested
from .muxer import Muxer

PROTOCOL = "blind-relay"
TOKEN_BYTES = 32

_PAIR = 0
_IS_INITIATOR = 1
_LARGEST_STREAM_ID = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Pair:
    """Wanting to be paired, and the answer.

    Attributes:
      is_initiator: which of the two the sender, or the receiver of the answer, is; the peer who
        chose the relay is the initiator.
      token: 32 bytes that both peers know.
      stream_id: of the sender's UDX stream.
    """

    is_initiator: bool
    token: bytes
    stream_id: int


def encode_pair(pair: Pair) -> bytes:
    """The payload of a pair."""
    flags = bytes([_IS_INITIATOR if pair.is_initiator else 0])
    return flags + pair.token + encode_uint(pair.stream_id) + encode_uint(0)


def decode_pair_untrusted(payload: bytes) -> Pair:
    """Read the payload of a pair.

    Raises:
      DecodeError: it ends too early, or its id has more than 32 bits.
    """
    decoder = Decoder(payload)
    flags = decoder.uint()
    token = decoder.fixed(TOKEN_BYTES)
    stream_id = decoder.uint()
    decoder.uint()
    if stream_id > _LARGEST_STREAM_ID:
        raise DecodeError("a stream id has more than 32 bits")
    return Pair(bool(flags & _IS_INITIATOR), token, stream_id)


class RelayPairing:
    """One pairing, on a connection to the relay that serves nothing else.

    Args:
      public_key: our own, 32 bytes.
      pair: what we want.

    Attributes:
      relay_stream_id: of the relay's stream; None until it has both peers.
      refused: whether the relay closed or rejected the channel.
    """

    def __init__(self, public_key: bytes, pair: Pair) -> None:
        self.relay_stream_id: int | None = None
        self.refused = False
        self._pair = pair
        self._mux = Muxer()
        channel = self._mux.open(PROTOCOL, public_key)
        self._mux.send(channel, _PAIR, encode_pair(pair))

    def messages_to_send(self) -> list[bytes]:
        """Messages for the secret stream."""
        return self._mux.messages_to_send()

    def receive_untrusted(self, message: bytes) -> None:
        """Take a message of the secret stream.

        Raises:
          MuxError: the relay broke a rule of channels.
          DecodeError: a message does not follow its encoding.
        """
        self._mux.receive_untrusted(message)
        while (event := self._mux.next_event()) is not None:
            if isinstance(event, ChannelRequested):
                self._mux.reject(event)
            elif isinstance(event, ChannelClosed | ChannelRejected):
                self.refused = True
            elif isinstance(event, ChannelMessage) and event.kind == _PAIR:
                answer = decode_pair_untrusted(event.payload)
                mine = answer.token == self._pair.token
                if mine and answer.is_initiator == self._pair.is_initiator:
                    self.relay_stream_id = answer.stream_id
