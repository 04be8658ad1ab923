"""The ``vitra/heads`` channel of one connection: heads and proofs of the logs both sides know."""

from __future__ import annotations

from collections.abc import Callable

import trio

from protocol.mux.channel import Channel
from protocol.mux.muxer import Muxer
from protocol.transparency.gossip.head_gossip import HeadGossip
from protocol.transparency.gossip.messages import HEADS_PROTOCOL, encode_handshake

from .peer_sink import SharedHeads


class HeadsChannel:
    """Opened when the first log with heads is shared; peers that know nothing of it reject it."""

    def __init__(self, mux: Muxer, on_output: Callable[[], None]) -> None:
        self._mux = mux
        self._on_output = on_output
        self._gossip = HeadGossip(trio.current_time())
        self._channel: Channel | None = None
        self._opened = False
        self._stops: dict[bytes, Callable[[], None]] = {}

    def share(self, heads: SharedHeads) -> None:
        """The channel of this log is open, and the peer has shown that it knows its key."""
        log = heads.discovery_key
        if log in self._stops:
            return
        self._gossip.share(heads, trio.current_time())
        self._stops[log] = heads.on_change(lambda: self._changed(log))
        if self._channel is None:
            self.open()
        self._on_output()

    def unshare(self, log: bytes) -> None:
        """The channel of this log closed."""
        stop = self._stops.pop(log, None)
        if stop is not None:
            stop()
            self._gossip.unshare(log)

    def open(self) -> None:
        """Open the channel, or answer the peer who did."""
        if not self._mux.full and not self._mux.opened(HEADS_PROTOCOL, None):
            self._channel = self._mux.open(HEADS_PROTOCOL, None, encode_handshake())

    def is_of(self, channel: Channel) -> bool:
        """Whether this is the gossip's channel."""
        return channel is self._channel

    def opened(self) -> None:
        """The peer speaks it too."""
        self._opened = True
        self._on_output()

    def closed(self) -> None:
        """The peer does not want it, or no longer; it is not offered again."""
        self._opened = False

    def receive_untrusted(self, kind: int, payload: bytes) -> None:
        """Take a message; raises ``RemoteProtocolError``."""
        self._gossip.receive_untrusted(kind, payload, trio.current_time())

    def flush(self) -> None:
        """Queue on the channel what is due."""
        if self._opened and self._channel is not None:
            for kind, payload in self._gossip.messages_to_send(trio.current_time()):
                self._mux.send(self._channel, kind, payload)

    def next_timer(self) -> float | None:
        """When ``flush`` has something to do."""
        return self._gossip.next_timer() if self._opened else None

    def end(self) -> None:
        """The connection is gone."""
        self._opened = False
        for log in list(self._stops):
            self.unshare(log)

    def _changed(self, log: bytes) -> None:
        if self._gossip.changed(log) and self._opened:
            self._on_output()
