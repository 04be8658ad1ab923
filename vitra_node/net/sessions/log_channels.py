"""The channels of one connection: each pairs a peer of a log with the connection it comes over.

Logs that are active on this side are offered; logs that the peer asks for are looked up. Either
way the peer has to show that it knows the log's key before the log hears of it.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from protocol.errors import RemoteProtocolError
from protocol.hypercore.replication.capability import (
    OpenHandshake,
    capability,
    check_open_untrusted,
    encode_open,
)
from protocol.hypercore.replication.messages import PROTOCOL, PROTOCOL_ALIASES
from protocol.mux.channel import Channel
from protocol.mux.events import (
    ChannelClosed,
    ChannelMessage,
    ChannelOpened,
    ChannelRejected,
    ChannelRequested,
    MuxEvent,
)
from protocol.mux.muxer import Muxer
from protocol.transparency.gossip.messages import HEADS_PROTOCOL

from .heads_channel import HeadsChannel
from .peer_sink import CoreSource, ReplicatedCore


class LogChannels:
    """All channels of a connection.

    Attributes:
      mux: what carries them.
    """

    def __init__(
        self,
        source: CoreSource,
        *,
        initiator: bool,
        on_output: Callable[[], None],
        on_fault: Callable[[RemoteProtocolError], None],
    ) -> None:
        """``on_output`` is called when something is queued, ``on_fault`` when a log gives up the
        peer."""
        self.mux = Muxer(dict.fromkeys(PROTOCOL_ALIASES, PROTOCOL))
        self._source = source
        self._initiator = initiator
        self._on_output = on_output
        self._on_fault = on_fault
        self._handshake_hash = b""
        self._opening: dict[Channel, ReplicatedCore] = {}
        self._sinks: dict[Channel, ChannelSink] = {}
        self._writable = True
        self._heads = HeadsChannel(self.mux, on_output)
        # Those with messages in their inbox.
        self._arrived: dict[ChannelSink, None] = {}
        # Those whose timers may have moved since ``next_timer`` was last asked.
        self._touched: dict[ChannelSink, None] = {}

    # opening and closing --------------------------------------------------------------------------

    def begin(self, handshake_hash: bytes) -> None:
        """The secret stream is up: offer what is active."""
        self._handshake_hash = handshake_hash
        for core in self._source.active():
            self.offer(core)

    def offer(self, core: ReplicatedCore) -> None:
        """Open a channel for a log, unless there is one, or the handshake is yet to come."""
        id_ = core.discovery_key
        if not self._handshake_hash or self.mux.full or self.mux.opened(PROTOCOL, id_):
            return
        proof = capability(self._handshake_hash, core.key, initiator=self._initiator)
        channel = self.mux.open(PROTOCOL, id_, encode_open(OpenHandshake(proof)))
        self._opening[channel] = core
        self._on_output()

    def end(self) -> None:
        """The connection is gone: so are its peers."""
        self._opening.clear()
        sinks, self._sinks = self._sinks, {}
        for sink in sinks.values():
            sink.detach()
        self._heads.end()

    def close(self, sink: ChannelSink) -> None:
        """A log is no longer served; for sinks."""
        self._sinks.pop(sink.channel, None)
        self._unshare(sink.channel)
        self.mux.close(sink.channel)
        self._on_output()

    # messages -------------------------------------------------------------------------------------

    def receive_untrusted(self, message: bytes) -> None:
        """Take one message of the secret stream; ``deliver`` hands on what it brings.

        Raises:
          MuxError, DecodeError, CapabilityError: the connection cannot go on.
        """
        mux = self.mux
        mux.receive_untrusted(message)
        while (event := mux.next_event()) is not None:
            if type(event) is ChannelMessage:
                sink = self._sinks.get(event.channel)
                if sink is not None:
                    sink.inbox.append((event.kind, event.payload))
                    self._arrived[sink] = None
                elif self._heads.is_of(event.channel):
                    self._heads.receive_untrusted(event.kind, event.payload)
            else:
                self.deliver()
                self._take_untrusted(event)

    def deliver(self) -> None:
        """Hand everything received to the logs, each one's messages together."""
        arrived, self._arrived = self._arrived, {}
        self._touched.update(arrived)
        for sink in arrived:
            sink.deliver()

    def _take_untrusted(self, event: MuxEvent) -> None:
        if isinstance(event, ChannelRequested):
            if event.protocol == HEADS_PROTOCOL and event.id is None and not self.mux.full:
                self._heads.open()
                return
            core = None
            if event.protocol == PROTOCOL and event.id is not None:
                core = self._source.find(event.id)
            if core is None or self.mux.full:
                self.mux.reject(event)
            else:
                self.offer(core)
        elif self._heads.is_of(event.channel):
            if isinstance(event, ChannelOpened):
                self._heads.opened()
            else:
                self._heads.closed()
        elif isinstance(event, ChannelOpened):
            self._attach_untrusted(event)
        elif isinstance(event, ChannelRejected):
            self._opening.pop(event.channel, None)
        elif isinstance(event, ChannelClosed):
            self._opening.pop(event.channel, None)
            self._unshare(event.channel)
            closed = self._sinks.pop(event.channel, None)
            if closed is not None:
                closed.detach()

    def _attach_untrusted(self, event: ChannelOpened) -> None:
        core = self._opening.pop(event.channel)
        check_open_untrusted(
            event.handshake,
            self._handshake_hash,
            core.key,
            remote_initiator=not self._initiator,
        )
        sink = self._sinks[event.channel] = ChannelSink(self, event.channel, core)
        sink.attach()
        if not self._writable:
            sink.set_writable(False)
        if core.heads is not None and event.channel in self._sinks:
            self._heads.share(core.heads)

    def _unshare(self, channel: Channel) -> None:
        if channel.id is not None:
            self._heads.unshare(channel.id)

    def send(self, sink: ChannelSink, kind: int, payload: bytes) -> None:
        """Queue a message; for sinks."""
        self.mux.send(sink.channel, kind, payload)
        self._touched[sink] = None
        self._on_output()

    def messages_to_send(self) -> list[bytes]:
        """Everything queued, and what the gossip has to say now."""
        self._heads.flush()
        return self.mux.messages_to_send()

    def fault(self, error: RemoteProtocolError) -> None:
        """A log gives up the peer; for sinks."""
        self._on_fault(error)

    # flow and time --------------------------------------------------------------------------------

    def pause(self) -> None:
        """Too much waits to be written: no log answers requests from now on."""
        if self._writable:
            self._writable = False
            for sink in self._sinks.values():
                sink.set_writable(False)

    def resume(self) -> None:
        """Enough was written: answer again, until ``pause``."""
        if self._writable:
            return
        self._writable = True
        for channel in list(self._sinks):
            # Who answers goes to the end of the line, for the answers may pause us again.
            sink = self._sinks.pop(channel)
            self._sinks[channel] = sink
            sink.set_writable(True)
            if not self._writable:
                return

    def next_timer(self) -> float:
        """The earliest time that a log asks for which was not asked for before."""
        touched, self._touched = self._touched, {}
        times = [sink.next_timer() for sink in touched]
        times.append(self._heads.next_timer())
        return min((at for at in times if at is not None), default=float("inf"))

    def handle_timer(self, now: float) -> None:
        """Time has passed."""
        for sink in list(self._sinks.values()):
            sink.handle_timer(now)
            self._touched[sink] = None


class ChannelSink:
    """One channel: a ``PeerSink`` for the log, and the connection's way to the log.

    Attributes:
      channel: both sides have opened it.
      inbox: messages of the peer that the log has not got yet.
    """

    def __init__(self, channels: LogChannels, channel: Channel, core: ReplicatedCore) -> None:
        self.channel = channel
        self.inbox: list[tuple[int, bytes]] = []
        self._channels = channels
        self._core = core
        # Not known while ``attach`` runs, nor after the end.
        self._peer: int | None = None
        self._ended = False

    def send(self, kind: int, payload: bytes) -> None:
        """See ``PeerSink``."""
        if not self._ended:
            self._channels.send(self, kind, payload)

    def fail(self, error: RemoteProtocolError) -> None:
        """See ``PeerSink``."""
        self._peer, self._ended = None, True
        self._channels.fault(error)

    def close(self) -> None:
        """See ``PeerSink``."""
        if not self._ended:
            self._peer, self._ended = None, True
            self._channels.close(self)

    def attach(self) -> None:
        """Tell the log of its new peer."""
        peer = self._core.attach(self, trio.current_time())
        if not self._ended:
            self._peer = peer

    def detach(self) -> None:
        """The channel is closed already."""
        self._ended = True
        peer, self._peer = self._peer, None
        if peer is not None:
            self._core.detach(peer)

    def deliver(self) -> None:
        """Hand the inbox to the log."""
        messages, self.inbox = self.inbox, []
        if self._peer is not None:
            self._core.receive_untrusted(self._peer, messages)

    def set_writable(self, writable: bool) -> None:
        """Whether the connection takes more bytes."""
        if self._peer is not None:
            self._core.set_writable(self._peer, writable)

    def next_timer(self) -> float | None:
        """When the log wants ``handle_timer``."""
        return None if self._ended else self._core.next_timer()

    def handle_timer(self, now: float) -> None:
        """Time has passed."""
        at = self.next_timer()
        if at is not None and at <= now:
            self._core.handle_timer(now)
