"""Recorded protomux sessions, replayed between two muxers.

Each recorded frame is read by one muxer, then written by the other, from the steps it stands for,
and compared.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from protocol.mux.channel import Channel
from protocol.mux.events import (
    ChannelMessage,
    ChannelOpened,
    ChannelRejected,
    ChannelRequested,
)
from protocol.mux.muxer import Muxer
from tests.connection_pair import mux_events

from .load import load_vectors

SESSIONS: dict[str, dict[str, Any]] = load_vectors("hypercore")["sessions"]

# The message kinds of hypercore/alpha that occur in the sessions.
KINDS = {"sync": 0, "request": 1, "data": 3, "want": 5, "bitfield": 7, "range": 8, "extension": 9}
CAPABILITY_BYTES = 32


class Side:
    """One muxer, and what it has been told."""

    def __init__(self) -> None:
        self.mux = Muxer({"hypercore": "hypercore/alpha"})
        self.channels: dict[int, Channel] = {}
        self.requests: dict[bytes | None, ChannelRequested] = {}
        self.names: dict[int, bytes | None] = {}
        self.messages: deque[ChannelMessage] = deque()
        self.handshakes: dict[bytes | None, bytes] = {}
        self.rejected: list[int] = []

    def open(self, step: dict[str, Any]) -> None:
        seeks = b"\x01" if step["handshake"]["seeks"] else b"\x00"
        capability = bytes.fromhex(step["handshake"]["capability"])
        channel_id = bytes.fromhex(step["id"])
        self.requests.pop(channel_id, None)
        channel = self.mux.open(step["protocol"], channel_id, seeks + capability)
        assert channel.local_id == step["channel"]
        self.channels[channel.local_id] = channel

    def read(self, frame: bytes) -> None:
        self.mux.receive_untrusted(frame)
        for event in mux_events(self.mux):
            if isinstance(event, ChannelMessage):
                self.messages.append(event)
            elif isinstance(event, ChannelRequested):
                self.requests[event.id] = event
            elif isinstance(event, ChannelOpened):
                self.handshakes[event.channel.id] = event.handshake
            else:
                assert isinstance(event, ChannelRejected)
                self.rejected.append(event.channel.local_id)


@pytest.mark.parametrize("name", SESSIONS)
def test_session(name: str) -> None:
    sides = {"initiator": Side(), "responder": Side()}
    for frame in SESSIONS[name]["frames"]:
        writer = sides[frame["from"]]
        reader = sides["responder" if frame["from"] == "initiator" else "initiator"]
        recorded = bytes.fromhex(frame["hex"])
        # What the reader makes of a frame says which payloads the writer has to send, so it reads
        # first; a control step in the same frame touches the writer only.
        reader.read(recorded)
        for step in frame["decoded"]:
            _repeat(step, writer, reader)
        assert not reader.messages
        written = writer.mux.messages_to_send()
        if len(frame["decoded"]) == 1:
            # JS also writes batches of one.
            assert recorded.endswith(written[0][1:])
        else:
            assert written == [recorded]


def _repeat(step: dict[str, Any], writer: Side, reader: Side) -> None:
    """Let the writer do what was recorded, and check that the reader understood it."""
    if step.get("control") == "open":
        writer.open(step)
        channel_id = bytes.fromhex(step["id"])
        reader.names[step["channel"]] = channel_id
        assert channel_id in reader.requests or channel_id in reader.handshakes
        if channel_id in reader.handshakes:
            assert reader.handshakes[channel_id][1:].hex() == step["handshake"]["capability"]
            assert len(reader.handshakes[channel_id]) == 1 + CAPABILITY_BYTES
    elif step.get("control") == "reject":
        assert step["channel"] in reader.rejected
        writer.mux.reject(writer.requests.pop(writer.names.pop(step["channel"])))
    else:
        message = reader.messages.popleft()
        assert message.channel.remote_id == step["channel"]
        assert message.kind == KINDS[step["type"]]
        writer.mux.send(writer.channels[step["channel"]], message.kind, message.payload)
