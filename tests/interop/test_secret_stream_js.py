"""Our secret stream and channels against npm ``secret-stream`` and ``protomux``, over TCP."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from protocol.mux.events import (
    ChannelClosed,
    ChannelMessage,
    ChannelOpened,
    ChannelRejected,
    ChannelRequested,
    MuxEvent,
)
from protocol.mux.muxer import Muxer
from protocol.noise.handshake import Pattern
from protocol.noise.secret_stream import HandshakeDone, Message, SecretStream
from tests.connection_pair import (
    INITIATOR_KEY_PAIR,
    INITIATOR_STREAM_HEADER,
    RESPONDER_KEY_PAIR,
    RESPONDER_STREAM_HEADER,
    handshake_results,
    initiator_stream,
    mux_events,
    responder_stream,
)

from .js_peer import JsPeer

SECONDS = 20
CHUNK_BYTES = 64 * 1024
ROLES = [True, False]


class Connection:
    """Our end of a TCP connection to a JavaScript peer: bytes moved by the calls of the test."""

    def __init__(self, socket: trio.SocketStream, secret: SecretStream) -> None:
        self.socket = socket
        self.secret = secret
        self.mux = Muxer({"hypercore": "hypercore/alpha"})
        self.messages: deque[bytes] = deque()
        self.handshake: HandshakeDone
        self.wire_bytes: list[int] = []

    async def flush(self) -> None:
        for message in self.mux.messages_to_send():
            self.secret.send(message)
        await self.socket.send_all(self.secret.data_to_send(trio.current_time()))

    async def receive(self) -> bool:
        """One read; False at the end of the connection."""
        await self.flush()
        data = await self.socket.receive_some(CHUNK_BYTES)
        self.wire_bytes.append(len(data))
        self.secret.receive_data_untrusted(data)
        while (event := self.secret.next_event()) is not None:
            if isinstance(event, Message):
                self.messages.append(event.data)
            else:
                self.handshake = event
        await self.flush()
        return bool(data)

    async def handshaken(self) -> None:
        while not self.secret.is_open:
            assert await self.receive()

    async def message(self) -> bytes:
        while not self.messages:
            assert await self.receive()
        return self.messages.popleft()

    async def mux_event(self) -> MuxEvent:
        while (event := self.mux.next_event()) is None:
            self.mux.receive_untrusted(await self.message())
        return event


@asynccontextmanager
async def connected(
    peer: JsPeer,
    initiator: bool,
    *,
    pattern: Pattern = "XX",
    ready: bool = False,
    keep_alive: float | None = None,
    quiet: bool = False,
) -> AsyncIterator[tuple[Connection, int]]:
    """A connection whose handshake is done on both sides, and the peer's handle of its stream."""
    # The peer has the key pair of the other role; as the initiator of IK it knows ours.
    js_key_pair = RESPONDER_KEY_PAIR if initiator else INITIATOR_KEY_PAIR
    options: dict[str, Any] = {"pattern": pattern, "seed": js_key_pair.seed.hex(), "quiet": quiet}
    if pattern == "IK" and not initiator:
        options["remotePublicKey"] = RESPONDER_KEY_PAIR.public_key.hex()
    if keep_alive is not None:
        options["keepAlive"] = int(keep_alive * 1000)
    secret = initiator_stream(pattern) if initiator else responder_stream(pattern)
    if ready:
        results = handshake_results()
        ours, theirs = results if initiator else reversed(results)
        secret = SecretStream.from_handshake(
            initiator,
            ours,
            stream_header=INITIATOR_STREAM_HEADER if initiator else RESPONDER_STREAM_HEADER,
        )
        options["ready"] = {
            "tx": theirs.tx.hex(),
            "rx": theirs.rx.hex(),
            "hash": theirs.hash.hex(),
            "publicKey": js_key_pair.public_key.hex(),
            "remotePublicKey": theirs.remote_public_key.hex(),
        }
    with trio.fail_after(SECONDS):
        if initiator:
            port = (await peer.call("listen", **options))["port"]
            socket = await trio.open_tcp_stream("127.0.0.1", port)
        else:
            [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
            async with listener:
                port = listener.socket.getsockname()[1]
                await peer.call("connect", port=port, **options)
                socket = await listener.accept()
        async with socket:
            connection = Connection(socket, secret)
            await connection.handshaken()
            opened = await peer.event("open")
            assert opened["handshakeHash"] == connection.handshake.handshake_hash.hex()
            assert connection.handshake.remote_public_key == js_key_pair.public_key
            our_key = (INITIATOR_KEY_PAIR if initiator else RESPONDER_KEY_PAIR).public_key
            assert opened["remotePublicKey"] == our_key.hex()
            yield connection, opened["stream"]


@pytest.mark.parametrize("initiator", ROLES)
@pytest.mark.parametrize(("pattern", "ready"), [("XX", False), ("IK", False), ("IK", True)])
async def test_messages_both_ways(initiator: bool, pattern: Pattern, ready: bool) -> None:
    messages = [b"a", b"b" * 1000, b"c" * 70_000]
    async with (
        JsPeer("stream_peer.mjs") as peer,
        connected(peer, initiator, pattern=pattern, ready=ready) as (ours, stream),
    ):
        for message in messages:
            ours.secret.send(message)
        await ours.flush()
        for message in messages:
            event = await peer.event("message", stream=stream)
            assert bytes.fromhex(event["data"]) == message
        await peer.call("send", stream=stream, messages=[m.hex() for m in messages])
        assert [await ours.message() for _ in messages] == messages
        # The end of the stream is the end of the connection.
        await peer.call("end", stream=stream)
        assert not await ours.receive()


@pytest.mark.parametrize("initiator", ROLES)
async def test_messages_sent_before_the_handshake(initiator: bool) -> None:
    async with JsPeer("stream_peer.mjs") as peer:
        secret = initiator_stream() if initiator else responder_stream()
        secret.send(b"early")
        with trio.fail_after(SECONDS):
            if initiator:
                port = (await peer.call("listen"))["port"]
                socket = await trio.open_tcp_stream("127.0.0.1", port)
            else:
                [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
                async with listener:
                    port = listener.socket.getsockname()[1]
                    await peer.call("connect", port=port)
                    socket = await listener.accept()
            async with socket:
                await Connection(socket, secret).handshaken()
                assert (await peer.event("message"))["data"] == b"early".hex()


@pytest.mark.parametrize(("count", "size"), [(2000, 100), (64, 65_536), (2, 0xFFFFFF - 17)])
async def test_bulk_both_ways(count: int, size: int) -> None:
    digest = hashlib.sha256()
    for n in range(count):
        digest.update(bytes((n % 256,)) * size)
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, True, quiet=True) as (ours, js):
        await peer.call("fill", stream=js, count=count, size=size)
        received = hashlib.sha256()
        for _ in range(count):
            received.update(await ours.message())
        assert received.digest() == digest.digest()
        for n in range(count):
            ours.secret.send(bytes((n % 256,)) * size)
        await ours.flush()
        ours.secret.send(b"\x01")
        digest.update(b"\x01")
        await ours.flush()
        with trio.fail_after(SECONDS):
            while True:
                theirs = await peer.call("received", stream=js)
                if theirs["count"] == count + 1:
                    break
        assert theirs["digest"] == digest.hexdigest()


async def test_keep_alive_of_the_js_side() -> None:
    """An empty message, after the time that was asked for; nothing is reported of it."""
    async with (
        JsPeer("stream_peer.mjs") as peer,
        connected(peer, True, keep_alive=0.2) as (ours, _),
    ):
        ours.wire_bytes.clear()
        await ours.receive()
        # More than one may have waited, on a busy machine.
        assert ours.wire_bytes[0] % (3 + 17) == 0
        assert ours.wire_bytes[0] > 0
        assert not ours.messages


async def test_our_keep_alive() -> None:
    async with (
        JsPeer("stream_peer.mjs") as peer,
        connected(peer, True, keep_alive=60) as (ours, stream),
    ):
        due = ours.secret.next_timer()
        assert due is not None
        ours.secret.handle_timer(due)
        assert ours.secret.unsent_bytes == 3 + 17
        ours.secret.send(b"after")
        await ours.flush()
        assert (await peer.event("message", stream=stream))["data"] == b"after".hex()


async def test_a_broken_frame_ends_the_connection() -> None:
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, True) as (ours, stream):
        await ours.socket.send_all(b"\x11\x00\x00" + bytes(17))
        await peer.event("error", stream=stream)
        await peer.event("close", stream=stream)


# Channels ----------------------------------------------------------------------------------------

NAME = "test/one"
ID = b"\x07" * 32


async def next_events(connection: Connection, count: int) -> list[MuxEvent]:
    return [await connection.mux_event() for _ in range(count)]


@pytest.mark.parametrize("cork", [False, True])
async def test_js_answers_our_open(cork: bool) -> None:
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, True) as (ours, stream):
        await peer.call("answer", stream=stream, protocol=NAME, handshake=b"from js".hex())
        channel = ours.mux.open(NAME, ID, b"from us")
        # Sent before they have opened, and in one batch with the open.
        ours.mux.send(channel, 1, b"early")
        await ours.flush()
        answered = await peer.event("channel.answered", protocol=NAME, id=ID.hex())
        js = answered["channel"]
        assert (await peer.event("channel.open", channel=js))["handshake"] == b"from us".hex()
        assert (await peer.event("channel.message", channel=js))["data"] == b"early".hex()
        assert await ours.mux_event() == ChannelOpened(channel, b"from js")

        messages = [(js, kind, b"%d" % kind * 100) for kind in (3, 0, 1)]
        await peer.call(
            "post",
            messages=[(handle, kind, data.hex()) for handle, kind, data in messages],
            cork=cork,
        )
        assert await next_events(ours, 3) == [
            ChannelMessage(channel, kind, data) for _, kind, data in messages
        ]
        await peer.call("close", channel=js)
        assert await ours.mux_event() == ChannelClosed(channel)


@pytest.mark.parametrize("cork", [False, True])
async def test_we_answer_the_open_of_js(cork: bool) -> None:
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, False) as (ours, stream):
        opening = await peer.call(
            "open",
            stream=stream,
            protocol=NAME,
            id=ID.hex(),
            handshake=b"from js".hex(),
            cork=cork,
        )
        assert await ours.mux_event() == ChannelRequested(NAME, ID)
        channel = ours.mux.open(NAME, ID, b"from us")
        assert await ours.mux_event() == ChannelOpened(channel, b"from js")
        await ours.flush()
        opened = await peer.event("channel.open", channel=opening["channel"])
        assert opened["handshake"] == b"from us".hex()
        for kind in range(3):
            ours.mux.send(channel, kind, b"%d" % kind)
        await ours.flush()
        for kind in range(3):
            event = await peer.event("channel.message")
            assert (event["kind"], event["data"]) == (kind, (b"%d" % kind).hex())
        ours.mux.close(channel)
        await ours.flush()
        closed = await peer.event("channel.close", channel=opening["channel"])
        assert closed["isRemote"] is True


async def test_rejects_both_ways() -> None:
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, True) as (ours, stream):
        await peer.call("mux", stream=stream, protocols=[NAME])
        channel = ours.mux.open(NAME, ID)
        await ours.flush()
        await peer.event("channel.asked", protocol=NAME, id=ID.hex())
        assert await ours.mux_event() == ChannelRejected(channel)

        opening = await peer.call("open", stream=stream, protocol="other", handshake="")
        request = await ours.mux_event()
        assert request == ChannelRequested("other", None)
        assert isinstance(request, ChannelRequested)
        ours.mux.reject(request)
        await ours.flush()
        await peer.event("channel.close", channel=opening["channel"])


async def test_opens_that_cross_and_numbers_used_again() -> None:
    """Open, meet, close and open again, so that both sides use freed numbers."""
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, True) as (ours, stream):
        await peer.call("mux", stream=stream, protocols=[])
        for turn in range(6):
            handshake = b"turn %d" % turn
            channel = ours.mux.open(NAME, ID, handshake)
            js = (
                await peer.call(
                    "open", stream=stream, protocol=NAME, id=ID.hex(), handshake=handshake.hex()
                )
            )["channel"]
            await ours.flush()
            assert await ours.mux_event() == ChannelOpened(channel, handshake)
            opened = await peer.event("channel.open", channel=js)
            assert opened["handshake"] == handshake.hex()
            assert channel.local_id == 1
            if turn % 2:
                ours.mux.close(channel)
                await ours.flush()
                assert (await peer.event("channel.close", channel=js))["isRemote"] is True
            else:
                await peer.call("close", channel=js)
                assert await ours.mux_event() == ChannelClosed(channel)


async def test_an_open_that_we_give_up() -> None:
    """JavaScript answers an open that we have closed; the number comes back with the answer."""
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, True) as (ours, stream):
        await peer.call("answer", stream=stream, protocol=NAME, handshake=b"js".hex())
        first = ours.mux.open(NAME, ID, b"first")
        await ours.flush()
        await peer.event("channel.answered")
        ours.mux.close(first)
        second = ours.mux.open(NAME, ID, b"second")
        assert second.local_id == 2
        await ours.flush()
        await peer.event("channel.answered")
        assert await ours.mux_event() == ChannelOpened(second, b"js")
        assert ours.mux.open("other").local_id == 1


async def test_an_alias_of_js() -> None:
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, True) as (ours, stream):
        await peer.call("open", stream=stream, protocol="hypercore", id=ID.hex(), handshake="aa")
        assert await ours.mux_event() == ChannelRequested("hypercore/alpha", ID)


async def test_many_channels_in_one_batch() -> None:
    names = [b"%d" % n for n in range(40)]
    async with JsPeer("stream_peer.mjs") as peer, connected(peer, True) as (ours, stream):
        await peer.call("answer", stream=stream, protocol=NAME, handshake="")
        channels = {}
        for name in names:
            channel = channels[name] = ours.mux.open(NAME, name)
            ours.mux.send(channel, 2, name)
        await ours.flush()
        assert {type(event) for event in await next_events(ours, len(names))} == {ChannelOpened}
        heard = [bytes.fromhex((await peer.event("channel.message"))["data"]) for _ in names]
        assert heard == names
        for name in names[::2]:
            ours.mux.close(channels[name])
        await ours.flush()
        for _ in names[::2]:
            await peer.event("channel.close", isRemote=True)
        assert mux_events(ours.mux) == []
