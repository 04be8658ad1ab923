"""Two honest muxers, any interleaving: they never fail, they agree, and nothing leaks."""

from __future__ import annotations

from collections import defaultdict, deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from protocol.mux.channel import Channel, ChannelState
from protocol.mux.events import (
    ChannelClosed,
    ChannelMessage,
    ChannelOpened,
    ChannelRejected,
    ChannelRequested,
)
from protocol.mux.muxer import Muxer
from tests.connection_pair import mux_events

NAMES = [("a", None), ("a", b"1"), ("b", b"1")]

side = st.integers(0, 1)


class End:
    """One muxer, the messages on their way to the other, and what its user knows."""

    def __init__(self) -> None:
        self.mux = Muxer()
        self.wire: deque[bytes] = deque()
        self.channels: list[Channel] = []
        self.requests: list[ChannelRequested] = []
        self.sent: dict[Channel, list[bytes]] = defaultdict(list)
        self.received: dict[Channel, list[bytes]] = defaultdict(list)
        self.over: set[Channel] = set()

    def take_events(self) -> None:
        for event in mux_events(self.mux):
            if isinstance(event, ChannelRequested):
                assert (event.protocol, event.id) not in {(r.protocol, r.id) for r in self.requests}
                self.requests.append(event)
                continue
            assert event.channel not in self.over
            if isinstance(event, ChannelMessage):
                assert event.kind == len(event.payload)
                self.received[event.channel].append(event.payload)
            elif isinstance(event, ChannelClosed | ChannelRejected):
                self.over.add(event.channel)
            else:
                assert isinstance(event, ChannelOpened)
                assert event.handshake == event.channel.protocol.encode()


class TwoMuxers(RuleBasedStateMachine):
    """Each rule is one action of one side's user, or the delivery of one message."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = (End(), End())
        self.counter = 0

    @rule(which=side, name=st.sampled_from(NAMES))
    def open(self, which: int, name: tuple[str, bytes | None]) -> None:
        end = self.ends[which]
        if end.mux.opened(*name):
            return
        end.requests = [r for r in end.requests if (r.protocol, r.id) != name]
        end.channels.append(end.mux.open(*name, name[0].encode()))

    @rule(which=side, pick=st.integers(0, 9))
    def reject(self, which: int, pick: int) -> None:
        end = self.ends[which]
        if end.requests:
            end.mux.reject(end.requests.pop(pick % len(end.requests)))

    @rule(which=side, pick=st.integers(0, 9))
    def close(self, which: int, pick: int) -> None:
        end = self.ends[which]
        if end.channels:
            channel = end.channels.pop(pick % len(end.channels))
            end.mux.close(channel)
            end.over.add(channel)

    @rule(which=side, pick=st.integers(0, 9), count=st.integers(1, 5))
    def send(self, which: int, pick: int, count: int) -> None:
        end = self.ends[which]
        if not end.channels:
            return
        channel = end.channels[pick % len(end.channels)]
        for _ in range(count):
            self.counter += 1
            payload = b"%d" % self.counter
            end.mux.send(channel, len(payload), payload)
            end.sent[channel].append(payload)

    @rule(which=side)
    def flush(self, which: int) -> None:
        self.ends[which].wire.extend(self.ends[which].mux.messages_to_send())

    @rule(which=side)
    def deliver(self, which: int) -> None:
        if self.ends[which].wire:
            self.ends[1 - which].mux.receive_untrusted(self.ends[which].wire.popleft())

    @rule(which=side)
    def take_events(self, which: int) -> None:
        self.ends[which].take_events()

    @invariant()
    def names_are_unique(self) -> None:
        for end in self.ends:
            live = [(channel.protocol, channel.id) for channel in end.mux.channels]
            assert len(live) == len(set(live))

    def _settle(self) -> None:
        """Deliver everything."""
        moved = True
        while moved:
            moved = False
            for which in (0, 1):
                self.flush(which)
                while self.ends[which].wire:
                    moved = True
                    self.deliver(which)
                self.ends[which].take_events()
                self.ends[1 - which].take_events()

    def teardown(self) -> None:
        self._settle()
        first, second = self.ends
        for end in self.ends:
            for request in end.requests:
                end.mux.reject(request)
            end.requests.clear()
        self._settle()
        # Every request is answered, so nothing is left half open, and both see the same channels.
        theirs = {channel.local_id: channel for channel in second.mux.channels}
        assert len(theirs) == len(first.mux.channels)
        for channel in first.mux.channels:
            assert channel.state is ChannelState.OPEN
            other = theirs[channel.remote_id]
            assert other.remote_id == channel.local_id
            assert (other.protocol, other.id) == (channel.protocol, channel.id)
            assert second.received[other] == first.sent[channel]
            assert first.received[channel] == second.sent[other]
        for end in self.ends:
            for channel in list(end.mux.channels):
                end.mux.close(channel)
        self._settle()
        for end in self.ends:
            assert not end.mux.channels
            for table in (end.mux._local, end.mux._open, end.mux._requests, end.mux._waiting):
                assert not table


TestTwoMuxers = TwoMuxers.TestCase
TestTwoMuxers.settings = settings(max_examples=150, stateful_step_count=40)
