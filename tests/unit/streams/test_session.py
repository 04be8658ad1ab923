"""Sessions over streams in memory: who gets which log, and when a connection ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from protocol.crypto.keys import KeyPair
from protocol.errors import CapabilityError, MuxError, ReplicationError, SecretStreamError
from protocol.hypercore.merkle.proof import BlockRequest
from protocol.hypercore.replication.capability import OpenHandshake, capability, encode_open
from protocol.hypercore.replication.messages import (
    NO_DATA,
    PROTOCOL,
    REQUEST,
    NoData,
    Request,
    decode_message_untrusted,
    encode_no_data,
    encode_request,
)
from protocol.mux.channel import Channel
from protocol.mux.events import ChannelClosed, ChannelMessage, ChannelRejected, MuxEvent
from protocol.mux.muxer import Muxer
from protocol.noise.secret_stream import HandshakeDone, SecretStream
from vitra_node.net.errors import ConnectionFailed, PeerFault
from vitra_node.net.sessions import session as session_module
from vitra_node.net.sessions.session import (
    HANDSHAKE_SECONDS,
    PAUSE_BYTES,
    STALL_SECONDS,
    Session,
    replicate,
)
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore

Clock = trio.testing.MockClock
StreamPair = tuple[trio.abc.Stream, trio.abc.Stream]


class RawPeer:
    """The far end of a session, with every message under the test's control."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.mux = Muxer()
        self.secret = SecretStream(
            True,
            KeyPair.from_seed(b"\x41" * 32),
            ephemeral_seed=b"\x42" * 32,
            stream_header=b"\x43" * 24,
        )
        self.handshake_hash = b""
        self._events: list[MuxEvent] = []

    async def push(self) -> None:
        for message in self.mux.messages_to_send():
            self.secret.send(message)
        if data := self.secret.data_to_send(trio.current_time()):
            await self.stream.send_all(data)

    async def events(self) -> list[MuxEvent]:
        """What came since the last call; waits for at least one event. Empty at the end."""
        while not self._events and await self._receive():
            pass
        events, self._events = self._events, []
        return events

    async def shake_hands(self) -> None:
        await self.push()
        while not self.secret.is_open:
            assert await self._receive()

    async def _receive(self) -> bool:
        data = await self.stream.receive_some()
        self.secret.receive_data_untrusted(data)
        while (event := self.secret.next_event()) is not None:
            if isinstance(event, HandshakeDone):
                self.handshake_hash = event.handshake_hash
            else:
                self.mux.receive_untrusted(event.data)
        while (news := self.mux.next_event()) is not None:
            self._events.append(news)
        await self.push()
        return bool(data)

    async def open(self, core: Hypercore, key: bytes | None = None) -> Channel:
        proof = capability(self.handshake_hash, key or core.key, initiator=True)
        channel = self.mux.open(PROTOCOL, core.discovery_key, encode_open(OpenHandshake(proof)))
        await self.push()
        return channel


@asynccontextmanager
async def served(
    store: Corestore, streams: StreamPair | None = None
) -> AsyncIterator[tuple[RawPeer, Callable[[], Awaitable[ConnectionFailed | None]]]]:
    """A session of ``store`` and its far end; the second item waits for how the session ends."""
    near, far = streams or trio.testing.memory_stream_pair()
    ended = trio.Event()
    outcome: list[ConnectionFailed | None] = []

    async def serve() -> None:
        try:
            await replicate(near, store.cores, initiator=False)
            outcome.append(None)
        except ConnectionFailed as failure:
            outcome.append(failure)
        ended.set()

    async def wait_end() -> ConnectionFailed | None:
        await ended.wait()
        return outcome[0]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        yield RawPeer(far), wait_end
        await far.aclose()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def joined(
    a: Corestore, b: Corestore, streams: StreamPair | None = None
) -> AsyncIterator[list[ConnectionFailed | None]]:
    """Two stores that replicate; the list tells how the sessions ended."""
    near, far = streams or trio.testing.memory_stream_pair()
    outcomes: list[ConnectionFailed | None] = []

    async def serve(store: Corestore, stream: trio.abc.Stream, initiator: bool) -> None:
        try:
            await replicate(stream, store.cores, initiator=initiator)
            outcomes.append(None)
        except ConnectionFailed as failure:
            outcomes.append(failure)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, a, near, True)
        nursery.start_soon(serve, b, far, False)
        yield outcomes
        nursery.cancel_scope.cancel()


class Drip(trio.abc.Stream):
    """A stream that gives one byte at a time."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.inner.receive_some(1)

    async def aclose(self) -> None:
        await self.inner.aclose()


# Logs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "lockstep", "drip"])
async def test_a_log_crosses_any_stream(kind: str, autojump_clock: Clock) -> None:
    streams: StreamPair = trio.testing.memory_stream_pair()
    if kind == "lockstep":
        streams = trio.testing.lockstep_stream_pair()
    elif kind == "drip":
        streams = (Drip(streams[0]), Drip(streams[1]))
    async with Corestore.open(None) as ours, Corestore.open(None) as theirs:
        core = await ours.get(name="log")
        await core.append([b"%d" % i for i in range(30)])
        copy = await theirs.get(key=core.key)
        async with joined(ours, theirs, streams):
            await copy.update()
            await copy.download()
            assert [copy.local_block(i) for i in range(30)] == [b"%d" % i for i in range(30)]


async def test_logs_opened_later_join_live_sessions(autojump_clock: Clock) -> None:
    async with (
        Corestore.open(None) as ours,
        Corestore.open(None) as theirs,
        joined(ours, theirs),
    ):
        core = await ours.get(name="log")
        await core.append(b"late")
        copy = await theirs.get(key=core.key)
        assert await copy.get(0) == b"late"
        await core.append(b"later")
        assert await copy.get(1) == b"later"


async def test_both_sides_upload_much_without_waiting_for_each_other(
    autojump_clock: Clock,
) -> None:
    """On a stream without any buffer, two writers that stopped reading would wait for ever."""
    async with Corestore.open(None) as a, Corestore.open(None) as b:
        block = b"x" * 60_000
        first, second = await a.get(name="log"), await b.get(name="log")
        for core in (first, second):
            await core.append([block] * 60)
        copies = await a.get(key=second.key), await b.get(key=first.key)
        async with (
            joined(a, b, trio.testing.lockstep_stream_pair()),
            trio.open_nursery() as nursery,
        ):
            for copy in copies:
                nursery.start_soon(copy.download, 0, 60)
        assert [copy.contiguous_length for copy in copies] == [60, 60]


async def test_unknown_logs_are_rejected(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, Corestore.open(None) as other:
        stranger = await other.get(name="stranger")
        async with served(store) as (peer, _):
            await peer.shake_hands()
            channel = await peer.open(stranger)
            assert await peer.events() == [ChannelRejected(channel)]
            # The channel is free again, and the connection goes on.
            again = await peer.open(stranger)
            assert await peer.events() == [ChannelRejected(again)]


async def test_other_protocols_are_rejected(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (peer, _):
        await peer.shake_hands()
        channel = peer.mux.open("something/else", b"\x01")
        await peer.push()
        assert await peer.events() == [ChannelRejected(channel)]


async def test_a_closed_log_closes_its_channel(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        async with served(store) as (peer, wait_end):
            await peer.shake_hands()
            channel = await peer.open(core)
            seen: list[MuxEvent] = []
            while not any(isinstance(event, ChannelMessage) for event in seen):
                seen += await peer.events()
            core.replication.close()
            while ChannelClosed(channel) not in seen:
                seen += await peer.events()
            await peer.stream.aclose()
            assert await wait_end() is None


# Faults -------------------------------------------------------------------------------------------


async def test_a_peer_that_says_nothing(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (_, wait_end):
        failure = await wait_end()
        assert "handshake" in str(failure)
        assert trio.current_time() == pytest.approx(HANDSHAKE_SECONDS)


async def test_a_handshake_that_never_ends(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (peer, wait_end):
        await peer.push()
        for _ in range(20):
            await trio.sleep(1)
            await peer.stream.send_all(b"")
        failure = await wait_end()
        assert "handshake" in str(failure)


async def test_a_peer_that_hangs_up_early(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (peer, wait_end):
        await peer.push()
        await trio.testing.wait_all_tasks_blocked()
        await peer.stream.aclose()
        assert "hung up" in str(await wait_end())


async def test_a_peer_that_does_not_wait_for_our_answer(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (peer, wait_end):
        await peer.push()
        await peer.stream.aclose()
        assert isinstance(await wait_end(), ConnectionFailed)


@pytest.mark.parametrize(
    "noise", [b"\xff" * 4, b"GET / HTTP/1.1\r\n\r\n", b"\x20\x00\x00" + bytes(32)]
)
async def test_noise(noise: bytes, autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (peer, wait_end):
        await peer.stream.send_all(noise)
        assert isinstance(await wait_end(), PeerFault)


async def test_a_frame_that_never_ends(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (peer, wait_end):
        await peer.shake_hands()
        begun = trio.current_time()
        await peer.stream.send_all(b"\xff\xff\x00")
        failure = await wait_end()
        assert "a frame" in str(failure)
        assert trio.current_time() - begun == pytest.approx(STALL_SECONDS, abs=1)


async def test_a_frame_that_does_not_decrypt(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (peer, wait_end):
        await peer.shake_hands()
        await peer.stream.send_all(b"\x20\x00\x00" + bytes(32))
        failure = await wait_end()
        assert isinstance(failure, PeerFault)
        assert isinstance(failure.error, SecretStreamError)


async def test_a_peer_that_does_not_know_the_key(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        async with served(store) as (peer, wait_end):
            await peer.shake_hands()
            await peer.open(core, key=b"\x13" * 32)
            failure = await wait_end()
            assert isinstance(failure, PeerFault)
            assert isinstance(failure.error, CapabilityError)
            assert core.peer_count == 0


async def test_a_capability_of_the_wrong_role(autojump_clock: Clock) -> None:
    """Sending back what we sent proves nothing."""
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        async with served(store) as (peer, wait_end):
            await peer.shake_hands()
            ours = capability(peer.handshake_hash, core.key, initiator=False)
            peer.mux.open(PROTOCOL, core.discovery_key, encode_open(OpenHandshake(ours)))
            await peer.push()
            failure = await wait_end()
            assert isinstance(failure, PeerFault)
            assert isinstance(failure.error, CapabilityError)


async def test_a_broken_rule_of_channels(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store, served(store) as (peer, wait_end):
        await peer.shake_hands()
        peer.secret.send(b"\x00\x02\x63")
        await peer.push()
        failure = await wait_end()
        assert isinstance(failure, PeerFault)
        assert isinstance(failure.error, MuxError)


async def test_a_broken_rule_of_replication(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append(b"block")
        async with served(store) as (peer, wait_end):
            await peer.shake_hands()
            channel = await peer.open(core)
            peer.mux.send(channel, NO_DATA, encode_no_data(NoData(77, 1)))
            await peer.push()
            failure = await wait_end()
            assert isinstance(failure, PeerFault)
            assert isinstance(failure.error, ReplicationError)
            assert core.peer_count == 0


# Flow and time ------------------------------------------------------------------------------------


async def test_a_peer_that_does_not_read_is_not_answered_for_ever(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions: list[Session] = []
    original = Session.run

    async def run(self: Session) -> None:
        sessions.append(self)
        await original(self)

    monkeypatch.setattr(session_module.Session, "run", run)
    size, count = 50_000, 100
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append([b"x" * size] * count)
        near, far = trio.testing.memory_stream_pair()
        gate = trio.Event()

        class Gated(Drip):
            async def send_all(self, data: bytes | bytearray | memoryview) -> None:
                if gate.is_set():
                    await trio.sleep_forever()
                await self.inner.send_all(data)

            async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
                return await self.inner.receive_some(max_bytes)

        async with served(store, (Gated(near), far)) as (peer, wait_end):
            await peer.shake_hands()
            channel = await peer.open(core)
            while not any(isinstance(event, ChannelMessage) for event in await peer.events()):
                pass
            gate.set()
            begun = trio.current_time()
            for index in range(count):
                request = Request(index + 1, 0, block=BlockRequest(index, 0))
                peer.mux.send(channel, REQUEST, encode_request(request))
            await peer.push()
            await trio.testing.wait_all_tasks_blocked()
            waiting = sessions[0]._unsent_bytes
            assert PAUSE_BYTES < waiting < PAUSE_BYTES + 3 * size
            failure = await wait_end()
            assert "takes nothing" in str(failure)
            assert trio.current_time() - begun < 10 * STALL_SECONDS


async def test_answers_go_on_when_the_peer_reads_again(autojump_clock: Clock) -> None:
    size, count = 50_000, 100
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append([b"x" * size] * count)
        async with served(store, trio.testing.lockstep_stream_pair()) as (peer, _):
            await peer.shake_hands()
            channel = await peer.open(core)
            for index in range(count):
                request = Request(index + 1, 0, block=BlockRequest(index, 0))
                peer.mux.send(channel, REQUEST, encode_request(request))
            await peer.push()
            answered = 0
            while answered < count:
                for event in await peer.events():
                    if isinstance(event, ChannelMessage):
                        message = decode_message_untrusted(event.kind, event.payload)
                        answered += event.kind == 3 and message is not None


async def test_idle_sessions_sleep(autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """One keep-alive every five seconds, and nothing else."""
    ticks: list[float] = []
    handle_timer = SecretStream.handle_timer

    def counting(self: SecretStream, now: float) -> None:
        ticks.append(now)
        handle_timer(self, now)

    monkeypatch.setattr(SecretStream, "handle_timer", counting)
    sizes: list[int] = []
    near, far = trio.testing.memory_stream_pair()
    send_all = near.send_all

    async def recording(data: bytes) -> None:
        sizes.append(len(data))
        await send_all(data)

    monkeypatch.setattr(near, "send_all", recording)
    async with Corestore.open(None) as ours, Corestore.open(None) as theirs:
        core = await ours.get(name="log")
        await core.append([b"block"])
        copy = await theirs.get(key=core.key)
        async with joined(ours, theirs, (near, far)):
            await copy.get(0)
            await trio.sleep(4)
            before = len(ticks), len(sizes)
            await trio.sleep(100)
            assert 2 * 19 <= len(ticks) - before[0] <= 2 * 22
            assert sizes[before[1] :] == [20] * len(sizes[before[1] :])
            assert 19 <= len(sizes) - before[1] <= 21


async def test_the_far_end_closes(autojump_clock: Clock) -> None:
    async with Corestore.open(None) as ours, Corestore.open(None) as theirs:
        core = await ours.get(name="log")
        await core.append(b"block")
        near, far = trio.testing.memory_stream_pair()
        async with joined(ours, theirs, (near, far)) as outcomes:
            copy = await theirs.get(key=core.key)
            await copy.update()
            assert core.peer_count == 1
            await near.aclose()
            await trio.testing.wait_all_tasks_blocked()
            assert core.peer_count == 0
            assert copy.peer_count == 0
            assert len(outcomes) == 2
