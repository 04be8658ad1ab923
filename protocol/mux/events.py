"""What a ``Muxer`` reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .channel import Channel


@dataclass(frozen=True, slots=True)
class ChannelRequested:
    """The peer opened a channel that we have not. Answer once, with ``open`` or ``reject``.

    The answer may take its time. If the peer withdraws meanwhile nothing is reported: a late
    ``reject`` then does nothing, and a late ``open`` is one like any other. An ``open`` of the same
    name for another reason answers it as well; ``Muxer.opened`` says whether that has happened.

    Attributes:
      protocol: by its main name, also when the peer used an alias.
      id: at most ``MAX_CHANNEL_ID_BYTES`` bytes, or ``None``.
    """

    protocol: str
    id: bytes | None
    channel: ClassVar[None] = None


@dataclass(frozen=True, slots=True)
class ChannelOpened:
    """Both sides have opened the channel.

    Attributes:
      channel: the one that ``open`` gave.
      handshake: what the peer's open said, at most ``MAX_CHANNEL_HANDSHAKE_BYTES`` bytes.
    """

    channel: Channel
    handshake: bytes


# Not frozen: freezing triples the cost of making one, and one is made for each message.
@dataclass(slots=True)
class ChannelMessage:
    """The peer sent a message on an open channel.

    Attributes:
      channel: where.
      kind: the number of the message's type; its meaning is the protocol's. Ignore unknown ones.
      payload: the rest of the message; may be empty.
    """

    channel: Channel
    kind: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """The peer closed an open channel. Nothing more arrives or leaves on it.

    Attributes:
      channel: which.
    """

    channel: Channel


@dataclass(frozen=True, slots=True)
class ChannelRejected:
    """The peer does not want the channel that we opened.

    Attributes:
      channel: which.
    """

    channel: Channel


MuxEvent = ChannelRequested | ChannelOpened | ChannelMessage | ChannelClosed | ChannelRejected
