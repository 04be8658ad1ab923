"""Many channels on one secret stream, as pure state: messages in, events and messages out.

A map of the package: ``channel.py`` has the table of what may happen to a channel, ``frames.py``
the bytes, ``events.py`` what is reported, and this file the tables of ids and names that lead from
an arriving message to its channel.

Ids and names of one muxer:

- ``_local``: our id -> channel, as long as the id is taken (also while ABANDONED)
- ``_open``: their id -> channel that is OPEN; the only look-up for an ordinary message
- ``_requests``: their id -> open of theirs that we have not answered (REQUESTED)
- ``_live``: name -> our one channel of that name that is OPENING or OPEN
- ``_waiting``: name -> our channels whose open they have not answered, oldest first; the first one
  is meant by their next open of that name, even when it is ABANDONED
- ``_asked``: name -> the ``ChannelRequested`` that our user owes an answer, and the request behind
  it. As long as a name is here no second event is made for it, so each event takes one answer.

A name is (protocol, id). Each step costs the same whatever the number of channels.

Wire facts: specs/03-mux.md; npm ``protomux``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from ..encoding.compact import Decoder, encode_uint
from ..errors import LocalProtocolError, MuxError, RemoteProtocolError
from ..limits import (
    CHANNEL_BACKLOG_ITEM_BYTES,
    MAX_CHANNEL_BACKLOG_BYTES,
    MAX_CHANNEL_HANDSHAKE_BYTES,
    MAX_CHANNEL_ID_BYTES,
    MAX_CHANNELS,
    MAX_MESSAGE_BYTES,
    MAX_PENDING_OPENS,
    MAX_PROTOCOL_NAME_BYTES,
)
from .channel import Channel, ChannelState, Step, next_state
from .events import (
    ChannelClosed,
    ChannelMessage,
    ChannelOpened,
    ChannelRejected,
    ChannelRequested,
    MuxEvent,
)
from .frames import (
    BATCH,
    CLOSE,
    CONTROL,
    OPEN,
    REJECT,
    OpenMessage,
    Outgoing,
    batch_items_untrusted,
    control_message,
    decode_id_untrusted,
    decode_open_untrusted,
    encode_messages,
    encode_open,
)
from .requests import Name, Question, Request

_OPEN_STATE = ChannelState.OPEN
_MULTI_BYTE = 0xFD
# Two integers of at most 9 bytes stand before a payload.
MAX_PAYLOAD_BYTES = MAX_MESSAGE_BYTES - 18
# What a queued message takes beside its payload. Without it a peer that floods us with opens, each
# of which queues a reject of one byte, would stay below every bound on ``unsent_bytes``.
QUEUED_MESSAGE_BYTES = 128


class Muxer:
    """The channels of one connection.

    Args:
      aliases: other names of protocols, each with the main name it stands for. The peer may use
        either; we always send the main name. npm ``hypercore`` knows "hypercore/alpha" also as
        "hypercore".
    """

    def __init__(self, aliases: Mapping[str, str] | None = None) -> None:
        self._aliases = dict(aliases or {})
        self._local: dict[int, Channel] = {}
        self._free_ids: list[int] = []
        self._open: dict[int, Channel] = {}
        self._highest_remote_id = 0
        self._requests: dict[int, Request] = {}
        self._live: dict[Name, Channel] = {}
        self._waiting: dict[Name, dict[int, Channel]] = {}
        self._asked: dict[Name, Question] = {}
        self._events: deque[MuxEvent] = deque()
        self._out: list[Outgoing] = []
        self._unsent_bytes = 0
        self._failed = False

    # What the caller may ask ---------------------------------------------------------------------

    def opened(self, protocol: str, id: bytes | None) -> bool:  # noqa: A002
        """Whether a channel of this name is opening or open, so that ``open`` would raise."""
        return (protocol, id or None) in self._live

    @property
    def full(self) -> bool:
        """Whether no further channel fits, so that ``open`` would raise."""
        return len(self._local) >= MAX_CHANNELS

    @property
    def channels(self) -> list[Channel]:
        """All channels that are opening or open; what ends when the connection ends."""
        return list(self._live.values())

    @property
    def unsent_bytes(self) -> int:
        """Memory of what waits in ``messages_to_send``: payloads, and a fixed sum for each."""
        return self._unsent_bytes

    def next_event(self) -> MuxEvent | None:
        """The next thing that happened, or ``None`` when more messages are needed."""
        while self._events:
            event = self._events.popleft()
            if event.channel is None:
                # Not when our own open has answered it before it was told.
                if self._is_asked(event):
                    return event
            elif not event.channel.dropped:
                return event
        return None

    def _is_asked(self, event: ChannelRequested) -> bool:
        question = self._asked.get((event.protocol, event.id))
        return question is not None and question.event is event

    # What we do ----------------------------------------------------------------------------------

    def open(
        self,
        protocol: str,
        id: bytes | None = None,  # noqa: A002
        handshake: bytes = b"",
    ) -> Channel:
        """Open a channel, or answer a ``ChannelRequested`` of the same name.

        Messages may be sent on it at once. ``ChannelOpened`` follows when the peer has opened it
        too: at once, when this answers a request.

        Raises:
          LocalProtocolError: a channel of that name is open or opening, there are
            ``MAX_CHANNELS``, or an argument is too long.
        """
        name = (protocol, id or None)
        self._check_open(name, handshake)
        question = self._asked.pop(name, None)
        local_id = self._free_ids.pop() if self._free_ids else len(self._local) + 1
        channel = Channel(protocol, name[1], local_id)
        self._local[local_id] = self._live[name] = channel
        self._send_control(OPEN, encode_open(local_id, protocol, name[1], handshake))
        request = question.request if question else None
        if request is None:
            channel.step(Step.LOCAL_OPEN)
            self._waiting.setdefault(name, {})[local_id] = channel
        else:
            del self._requests[request.opening.remote_id]
            channel.state = next_state(request.state, Step.LOCAL_OPEN)
            self._pair(channel, request.opening)
            for kind, payload in request.backlog:
                self._events.append(ChannelMessage(channel, kind, payload))
        return channel

    def _check_open(self, name: Name, handshake: bytes) -> None:
        protocol, channel_id = name
        if name in self._live:
            raise LocalProtocolError(f"a channel {protocol!r} with this id is open already")
        if protocol in self._aliases:
            raise LocalProtocolError(f"{protocol!r} is an alias of {self._aliases[protocol]!r}")
        if self.full:
            raise LocalProtocolError(f"there are {MAX_CHANNELS} channels already")
        if len(protocol.encode()) > MAX_PROTOCOL_NAME_BYTES:
            raise LocalProtocolError("the name of a protocol is too long")
        if channel_id is not None and len(channel_id) > MAX_CHANNEL_ID_BYTES:
            raise LocalProtocolError("the id of a channel is too long")
        if len(handshake) > MAX_CHANNEL_HANDSHAKE_BYTES:
            raise LocalProtocolError("the handshake of a channel is too long")

    def reject(self, request: ChannelRequested) -> None:
        """Answer a request with no.

        Does nothing when it no longer waits: the peer has withdrawn it, or it is answered.
        """
        if not self._is_asked(request):
            return
        question = self._asked.pop((request.protocol, request.id))
        if question.request is not None:
            self._drop_request(question.request, Step.LOCAL_REJECT)

    def send(self, channel: Channel, kind: int, payload: bytes) -> None:
        """Queue a message. On a channel that the peer has closed it does nothing.

        Raises:
          LocalProtocolError: we closed the channel, or the payload is over ``MAX_PAYLOAD_BYTES``.
        """
        if channel.dropped:
            raise LocalProtocolError("we send on a channel that we have closed")
        if channel.state is ChannelState.CLOSED:
            return
        size = len(payload)
        if size > MAX_PAYLOAD_BYTES:
            raise LocalProtocolError(f"a payload of {size} bytes is too long")
        self._out.append(Outgoing(channel.local_prefix, encode_uint(kind), payload))
        self._unsent_bytes += QUEUED_MESSAGE_BYTES + size

    def close(self, channel: Channel) -> None:
        """Close a channel, for both directions and for good. No event is reported for it any more.

        Does nothing when the peer has closed or rejected it, or when we did before.
        """
        channel.dropped = True
        if channel.state in (ChannelState.CLOSED, ChannelState.ABANDONED):
            return
        was_open = channel.state is _OPEN_STATE
        channel.step(Step.LOCAL_CLOSE)
        del self._live[channel.protocol, channel.id]
        self._send_control(CLOSE, channel.local_prefix)
        if was_open:
            self._free(channel)

    def messages_to_send(self) -> list[bytes]:
        """Everything queued; each element is one message of the secret stream."""
        if not self._out:
            return []
        queue, self._out = self._out, []
        self._unsent_bytes = 0
        return encode_messages(queue)

    # What the peer does --------------------------------------------------------------------------

    def receive_untrusted(self, message: bytes) -> None:
        """Take one message of the secret stream. Events follow from ``next_event``.

        Raises:
          MuxError: the peer broke a rule of channels, or sent more than it may before we answer.
          DecodeError: the message is cut off or a field is over its limit.
        """
        if self._failed:
            raise MuxError("the connection has failed before")
        try:
            self._receive_untrusted(message)
        except RemoteProtocolError:
            self._failed = True
            raise

    def _receive_untrusted(self, message: bytes) -> None:
        size = len(message)
        if size == 0:
            return
        if size > 1 and message[0] < _MULTI_BYTE and message[1] < _MULTI_BYTE:
            remote_id, kind, start = message[0], message[1], 2
        else:
            decoder = Decoder(message)
            remote_id, kind = decoder.uint(), decoder.uint()
            start = decoder.start
        if remote_id != CONTROL or kind != BATCH:
            self._dispatch_untrusted(message, remote_id, kind, start, size)
            return
        for item_id, item_kind, item_start, item_end in batch_items_untrusted(message, start):
            if item_id == CONTROL and item_kind == BATCH:
                raise MuxError("a batch inside a batch")
            self._dispatch_untrusted(message, item_id, item_kind, item_start, item_end)

    def _dispatch_untrusted(
        self, message: bytes, remote_id: int, kind: int, start: int, end: int
    ) -> None:
        channel = self._open.get(remote_id)
        if channel is not None:
            self._events.append(ChannelMessage(channel, kind, message[start:end]))
        elif remote_id == CONTROL:
            if kind == OPEN:
                self._on_open_untrusted(decode_open_untrusted(message, start, end))
            elif kind == REJECT:
                self._on_reject_untrusted(decode_id_untrusted(message, start, end))
            elif kind == CLOSE:
                self._on_close(decode_id_untrusted(message, start, end))
        elif remote_id in self._requests:
            self._keep_untrusted(self._requests[remote_id], kind, message[start:end])

    def _on_open_untrusted(self, opening: OpenMessage) -> None:
        remote_id = opening.remote_id
        if remote_id == CONTROL:
            self._send_reject(CONTROL)
            return
        if remote_id > self._highest_remote_id + 1:
            raise MuxError(f"channel id {remote_id} skips ids")
        if remote_id in self._open or remote_id in self._requests:
            raise MuxError(f"channel id {remote_id} is in use")
        self._highest_remote_id = max(self._highest_remote_id, remote_id)

        name = (self._aliases.get(opening.protocol, opening.protocol), opening.id)
        channel = self._oldest_waiting(name)
        if channel is None:
            self._on_request(name, opening)
            return
        self._forget_waiting(name, channel)
        channel.step(Step.REMOTE_OPEN)
        if channel.state is _OPEN_STATE:
            self._pair(channel, opening)
        else:
            # We gave it up; our close, which they have yet to read, frees the id of this open.
            self._free(channel)

    def _on_request(self, name: Name, opening: OpenMessage) -> None:
        """An open that no open of ours matches: report it, or turn it down without asking."""
        question = self._asked.get(name)
        if (
            name in self._live
            or (question is not None and question.request is not None)
            or (question is None and len(self._asked) >= MAX_PENDING_OPENS)
            or len(self._local) + len(self._requests) >= MAX_CHANNELS
        ):
            self._send_reject(opening.remote_id)
            return
        request = self._requests[opening.remote_id] = Request(name, opening)
        if question is not None:
            question.request = request
        else:
            question = self._asked[name] = Question(request)
            self._events.append(question.event)

    def _on_reject_untrusted(self, local_id: int) -> None:
        channel = self._local.get(local_id)
        if channel is None:
            raise MuxError(f"a reject for channel {local_id}, which is not in use")
        channel.step(Step.REMOTE_REJECT)
        name = (channel.protocol, channel.id)
        self._forget_waiting(name, channel)
        self._free(channel)
        if not channel.dropped:
            del self._live[name]
            self._events.append(ChannelRejected(channel))

    def _on_close(self, remote_id: int) -> None:
        channel = self._open.get(remote_id)
        if channel is not None:
            channel.step(Step.REMOTE_CLOSE)
            del self._live[channel.protocol, channel.id]
            self._free(channel)
            self._events.append(ChannelClosed(channel))
            return
        request = self._requests.get(remote_id)
        if request is not None:
            self._asked[request.name].request = None
            self._drop_request(request, Step.REMOTE_CLOSE)

    def _keep_untrusted(self, request: Request, kind: int, payload: bytes) -> None:
        request.backlog_bytes += CHANNEL_BACKLOG_ITEM_BYTES + len(payload)
        if request.backlog_bytes > MAX_CHANNEL_BACKLOG_BYTES:
            raise MuxError(f"more than {MAX_CHANNEL_BACKLOG_BYTES} bytes on an unopened channel")
        request.backlog.append((kind, payload))

    # Ids and names -------------------------------------------------------------------------------

    def _pair(self, channel: Channel, opening: OpenMessage) -> None:
        channel.remote_id = opening.remote_id
        self._open[opening.remote_id] = channel
        self._events.append(ChannelOpened(channel, opening.handshake))

    def _free(self, channel: Channel) -> None:
        """Give back our id of a channel that is closed, and forget theirs."""
        assert channel.state is ChannelState.CLOSED
        if channel.remote_id:
            del self._open[channel.remote_id]
        del self._local[channel.local_id]
        self._free_ids.append(channel.local_id)

    def _oldest_waiting(self, name: Name) -> Channel | None:
        waiting = self._waiting.get(name)
        return next(iter(waiting.values())) if waiting else None

    def _forget_waiting(self, name: Name, channel: Channel) -> None:
        waiting = self._waiting[name]
        del waiting[channel.local_id]
        if not waiting:
            del self._waiting[name]

    def _drop_request(self, request: Request, step: Step) -> None:
        request.state = next_state(request.state, step)
        del self._requests[request.opening.remote_id]
        self._send_reject(request.opening.remote_id)

    def _send_reject(self, remote_id: int) -> None:
        self._send_control(REJECT, encode_uint(remote_id))

    def _send_control(self, kind: int, payload: bytes) -> None:
        self._out.append(control_message(kind, payload))
        self._unsent_bytes += QUEUED_MESSAGE_BYTES + len(payload)
