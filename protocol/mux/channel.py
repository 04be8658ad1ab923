"""What becomes of a channel: one table, and the object that walks through it.

The rules behind the table:

- A channel is the meeting of two opens, one from each side, for the same protocol and id. Who opens
  first does not matter; opens may cross.
- Each side numbers its own opens, from 1. An id names a channel only in the direction of the side
  that chose it. Below, *our id* and *their id*.
- An open is answered by an open or by a reject. A reject names the id of the open it answers, and
  frees it.
- A close names the closer's own id and needs no answer. It frees both ids at once, except in one
  case: whoever closes before the other's open has come keeps the id until that open or a reject
  comes (state ABANDONED), because either of them will be meant for this id.
- One side has at most one channel for a protocol and id that is not ABANDONED or CLOSED.

A step that is not in the table is an error of whoever took it. Two things the peer sends find no
channel and never reach the table: messages and closes for an id that is not in use. They cross with
a close of ours and are ignored.

Wire facts: specs/03-mux.md; npm ``protomux``.
"""

from __future__ import annotations

from enum import Enum

from ..encoding.compact import encode_uint
from ..errors import LocalProtocolError, MuxError


class ChannelState(Enum):
    """Where a channel stands, seen from one side."""

    NEW = "new"
    REQUESTED = "requested"
    OPENING = "opening"
    OPEN = "open"
    ABANDONED = "abandoned"
    CLOSED = "closed"

    # The members are singletons; Enum's own hash is a Python function, too slow for every message.
    __hash__ = object.__hash__


class Step(Enum):
    """What one side does to a channel."""

    LOCAL_OPEN = "we open"
    LOCAL_REJECT = "we reject"
    LOCAL_CLOSE = "we close"
    REMOTE_OPEN = "they open"
    REMOTE_REJECT = "they reject"
    REMOTE_CLOSE = "they close"

    __hash__ = object.__hash__


_S = ChannelState

TRANSITIONS: dict[ChannelState, dict[Step, ChannelState]] = {
    _S.NEW: {
        Step.LOCAL_OPEN: _S.OPENING,
        Step.REMOTE_OPEN: _S.REQUESTED,
    },
    _S.REQUESTED: {
        Step.LOCAL_OPEN: _S.OPEN,
        Step.LOCAL_REJECT: _S.CLOSED,
        # They withdrew. Our reject still goes out: it frees their id.
        Step.REMOTE_CLOSE: _S.CLOSED,
    },
    _S.OPENING: {
        Step.REMOTE_OPEN: _S.OPEN,
        Step.REMOTE_REJECT: _S.CLOSED,
        Step.LOCAL_CLOSE: _S.ABANDONED,
    },
    _S.OPEN: {
        Step.LOCAL_CLOSE: _S.CLOSED,
        Step.REMOTE_CLOSE: _S.CLOSED,
    },
    _S.ABANDONED: {
        Step.REMOTE_OPEN: _S.CLOSED,
        Step.REMOTE_REJECT: _S.CLOSED,
    },
    _S.CLOSED: {},
}

_LOCAL_STEPS = frozenset((Step.LOCAL_OPEN, Step.LOCAL_REJECT, Step.LOCAL_CLOSE))


def next_state(state: ChannelState, step: Step) -> ChannelState:
    """The state after ``step``.

    Raises:
      LocalProtocolError: it was our step, and the table does not have it.
      MuxError: it was the peer's step, and the table does not have it.
    """
    following = TRANSITIONS[state].get(step)
    if following is not None:
        return following
    text = f"{step.value} a channel that is {state.value}"
    raise LocalProtocolError(text) if step in _LOCAL_STEPS else MuxError(text)


class Channel:
    """One channel of a ``Muxer``, made by ``Muxer.open``.

    Attributes:
      protocol: what is spoken on it.
      id: which of several channels of that protocol, or ``None``.
      state: where it stands; changed by the muxer only.
      local_id: our id, at least 1.
      remote_id: their id; 0 while they have not opened.
    """

    __slots__ = ("dropped", "id", "local_id", "local_prefix", "protocol", "remote_id", "state")

    def __init__(self, protocol: str, id: bytes | None, local_id: int) -> None:  # noqa: A002
        self.protocol = protocol
        self.id = id
        self.state = ChannelState.NEW
        self.local_id = local_id
        self.local_prefix = encode_uint(local_id)
        self.remote_id = 0
        # Closed by us: whatever still waits to be told about it is not told.
        self.dropped = False

    @property
    def is_open(self) -> bool:
        """Whether both sides have opened it and none has closed it."""
        return self.state is ChannelState.OPEN

    def step(self, step: Step) -> None:
        """Go on to the next state; raises what ``next_state`` raises."""
        self.state = next_state(self.state, step)

    def __repr__(self) -> str:
        name = self.protocol if self.id is None else f"{self.protocol} {self.id.hex()}"
        return f"<Channel {name} {self.state.value} ours={self.local_id} theirs={self.remote_id}>"
