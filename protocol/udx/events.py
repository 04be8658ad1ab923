"""What a stream reports beside its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class CloseReason(Enum):
    """Why a stream is over."""

    FINISHED = "both sides ended"
    RESET = "the peer destroyed the stream"
    TIMED_OUT = "the peer stopped answering"
    DESTROYED = "this side destroyed the stream"


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """An unordered message; it may come twice, late or never.

    Attributes:
      data: what the peer gave to ``send_message``.
    """

    data: bytes


@dataclass(frozen=True, slots=True)
class RemoteEnded:
    """The peer's END is here: after what can be read now nothing follows."""


@dataclass(frozen=True, slots=True)
class RemoteMoved:
    """All that went out before ``change_remote`` is acknowledged."""


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The last event of a stream.

    Attributes:
      reason: whether all went well.
    """

    reason: CloseReason


UdxEvent = MessageReceived | RemoteEnded | RemoteMoved | StreamClosed
