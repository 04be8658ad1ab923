"""Our requests that wait for an answer: sending, repeating, giving up.

Upstream matches an answer by its number alone. Here it must also come from where the request went,
except for PING_NAT, whose answer may come to and from another port of the same host; and numbers
are random, so that a stranger cannot answer for somebody else.

Wire facts: specs/13-dht.md section 2; npm ``dht-rpc``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from ...errors import LocalProtocolError
from ...limits import MAX_DHT_OUTSTANDING_REQUESTS
from ..addresses import Address
from .messages import Response
from .send_window import SendWindow

RandomBytes = Callable[[int], bytes]

TIMEOUT_SECONDS = 1.0
# Times that a request is repeated: by default, and in queries, where others wait for the slow.
RETRIES = 3
QUERY_RETRIES = 5

# Which of a node's sockets. The server socket is the one others should find us at; a node that is
# not sure to be reachable asks from another, so that nobody takes its address for a reachable one.
SERVER_SOCKET = 0
CLIENT_SOCKET = 1
# Those of punchers have numbers from here on, which are never used again.
FIRST_FREE_SOCKET = 2


class Datagram(NamedTuple):
    """Something to send.

    Attributes:
      data: the bytes.
      address: where to.
      socket: from which socket; ``SERVER_SOCKET``, ``CLIENT_SOCKET``, or a puncher's.
      hops: how many routers it may pass; 0 for any number.
    """

    data: bytes
    address: Address
    socket: int
    hops: int = 0


class Answer(NamedTuple):
    """A response to a request of ours.

    Attributes:
      response: what it says.
      source: where it came from.
      id: the responder's node id, checked against ``source``; or None.
      socket: at which of our sockets it came in.
    """

    response: Response
    source: Address
    id: bytes | None
    socket: int


@dataclass(slots=True, eq=False)
class Outstanding:
    """A request that waits for its answer.

    Attributes:
      tid: its number.
      to: the destination.
      data: the datagram.
      socket: the socket it leaves from.
      retries: how often it may still be repeated.
      timeout: seconds to wait for an answer after each transmission.
      on_answer: called once at most.
      on_failure: called when the last transmission was not answered.
      on_slow: called when the first transmission was not answered, and others follow.
      any_port: whether the answer may come from any port of the host.
    """

    tid: int
    to: Address
    data: bytes
    socket: int
    retries: int
    timeout: float
    on_answer: Callable[[Answer], None]
    on_failure: Callable[[], None]
    on_slow: Callable[[], None] | None = None
    any_port: bool = False
    transmissions: int = field(default=0, init=False)
    done: bool = field(default=False, init=False)


class Requests:
    """All requests of one node.

    Args:
      random_bytes: gives so many random bytes.
      outbox: where datagrams to send are put.
      now: the time.
    """

    def __init__(self, random_bytes: RandomBytes, outbox: deque[Datagram], now: float) -> None:
        self._random_bytes = random_bytes
        self._outbox = outbox
        self._window = SendWindow(now)
        self._by_tid: dict[int, Outstanding] = {}
        self._deadlines: list[tuple[float, int, Outstanding]] = []
        self._waiting: deque[Outstanding] = deque()
        self._count = 0
        self.answered = 0
        self.unanswered = 0

    def __len__(self) -> int:
        return len(self._by_tid)

    def new_tid(self) -> int:
        """A number that no waiting request has.

        Raises:
          LocalProtocolError: too many requests wait.
        """
        if len(self._by_tid) >= MAX_DHT_OUTSTANDING_REQUESTS:
            raise LocalProtocolError("too many requests wait for an answer")
        while True:
            tid = int.from_bytes(self._random_bytes(2), "little")
            if tid not in self._by_tid:
                return tid

    def send(self, request: Outstanding, now: float) -> None:
        """Send now, or as soon as the window has room."""
        self._by_tid[request.tid] = request
        if self._waiting or self._window.is_full(now):
            self._waiting.append(request)
        else:
            self._transmit(request, now)

    def cancel(self, request: Outstanding) -> None:
        """Wait for it no longer; nothing is called any more."""
        if not request.done:
            request.done = True
            self._by_tid.pop(request.tid, None)

    def take_answer_untrusted(self, answer: Answer, now: float) -> Outstanding | None:
        """The request that this answers, which is done then; None if it answers nothing."""
        request = self._by_tid.get(answer.response.tid)
        if request is None or request.transmissions == 0:
            return None
        if answer.source != request.to and not (
            request.any_port and answer.source.host == request.to.host
        ):
            return None
        self.cancel(request)
        self._window.received(now)
        self.answered += 1
        return request

    def next_timer(self) -> float | None:
        """When ``handle_timer`` should be called at the latest."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].done:
            heappop(deadlines)
        times = [deadlines[0][0]] if deadlines else []
        if self._waiting:
            times.append(self._window.slot_ends)
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Repeat or give up what was not answered in time, and send what had to wait."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= now:
            request = heappop(deadlines)[2]
            if not request.done:
                self._not_answered(request, now)
        while self._waiting and not self._window.is_full(now):
            request = self._waiting.popleft()
            if not request.done:
                self._transmit(request, now)

    def _not_answered(self, request: Outstanding, now: float) -> None:
        if request.retries == 0:
            self.cancel(request)
            self.unanswered += 1
            request.on_failure()
            return
        first = request.transmissions == 1
        request.retries -= 1
        if self._waiting or self._window.is_full(now):
            self._waiting.append(request)
        else:
            self._transmit(request, now)
        if first and request.on_slow is not None:
            request.on_slow()

    def _transmit(self, request: Outstanding, now: float) -> None:
        request.transmissions += 1
        self._window.sent(now)
        self._outbox.append(Datagram(request.data, request.to, request.socket))
        self._count += 1
        heappush(self._deadlines, (now + request.timeout, self._count, request))
