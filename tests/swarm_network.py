"""Several swarms and a network between them, in virtual time, without any I/O.

The network keeps announces, introduces callers after a delay, and loses whatever belongs to a node
that was killed. Connections are pairs of ends; both ends hear ``opened`` once bytes went both ways.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from protocol.swarm import events
from protocol.swarm.rules import Limits, SwarmRules

# How long a peer that vanished is believed to live: UDX gives up after about so long.
SILENCE_SECONDS = 13.0


@dataclass
class Pipe:
    """One connection: who called, both ends as (node, number), and whether it is over."""

    caller: SwarmNode
    callee: SwarmNode
    caller_number: int
    callee_number: int | None = None
    over: bool = False


@dataclass
class SwarmNode:
    """One swarm, and what its shell remembers."""

    name: str
    rules: SwarmRules
    alive: bool = True
    reachable: bool = False
    pipes: dict[int, Pipe] = field(default_factory=dict)
    connected: list[events.Connected] = field(default_factory=list)
    flushed: list[int] = field(default_factory=list)
    calls: list[tuple[float, bytes]] = field(default_factory=list)
    queries: list[tuple[float, events.StartQuery]] = field(default_factory=list)
    closed: list[events.CloseConnection] = field(default_factory=list)

    @property
    def key(self) -> bytes:
        return self.rules.public_key

    def open_with(self) -> list[bytes]:
        """Keys of the peers with which a connection stands, each connection once."""
        return sorted(p.public_key for p in self.rules.peers if p.opened_at is not None)


class SwarmNetwork:
    """Moves time, and carries out what the swarms say."""

    def __init__(self, seed: int = 0, latency: float = 0.05, dht_answers: bool = True) -> None:
        self.now = 0.0
        self.latency = latency
        self.dht_answers = dht_answers
        self.nodes: list[SwarmNode] = []
        self.records: dict[bytes, dict[bytes, None]] = {}
        self.random = random.Random(seed)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def add(self, key: bytes | None = None, limits: Limits | None = None) -> SwarmNode:
        """A node with this public key, or a random one."""
        key = key or self.random.randbytes(32)
        refused: set[bytes] = set()
        rules = SwarmRules(key, self.random.randbytes, refuses=refused.__contains__, limits=limits)
        node = SwarmNode(f"node {len(self.nodes)}", rules)
        self.nodes.append(node)
        return node

    def kill(self, node: SwarmNode) -> None:
        """It is gone without a word; the others find out by its silence."""
        node.alive = False
        for pipe in list(node.pipes.values()):
            self._later(SILENCE_SECONDS, lambda pipe=pipe: self._end(pipe, "timed out"))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        self._later(seconds, action)

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.now + seconds
        self._carry_out()
        while True:
            timers = [n.rules.next_timer() for n in self.nodes if n.alive]
            at = min([*timers, *(entry[0] for entry in self._due[:1])], default=until)
            if at > until:
                break
            self.now = max(self.now, at)
            while self._due and self._due[0][0] <= self.now:
                heappop(self._due)[2]()
                self._carry_out()
            for node in self.nodes:
                if node.alive and node.rules.next_timer() <= self.now:
                    node.rules.handle_timer(self.now)
                    assert node.rules.next_timer() > self.now, "a timer must not come at once"
            self._carry_out()
        self.now = until

    # Inside ---------------------------------------------------------------------------------------

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        heappush(self._due, (self.now + seconds, next(self._order), action))

    def _delay(self) -> float:
        return self.latency * (0.5 + self.random.random())

    def _carry_out(self) -> None:
        busy = True
        while busy:
            busy = False
            for node in self.nodes:
                while (event := node.rules.next_event()) is not None:
                    if node.alive:
                        busy = True
                        self._do(node, event)

    def _do(self, node: SwarmNode, event: events.Event) -> None:
        if isinstance(event, events.Listen):
            self._later(2 * self._delay(), lambda: self._listen(node))
        elif isinstance(event, events.StopListening):
            node.reachable = False
        elif isinstance(event, events.StartQuery):
            node.queries.append((self.now, event))
            self._later(2 * self._delay(), lambda: self._ask(node, event))
        elif isinstance(event, events.Call):
            node.calls.append((self.now, event.public_key))
            callee = next((n for n in self.nodes if n.key == event.public_key and n.alive), None)
            pipe = Pipe(node, callee or node, event.connection)
            node.pipes[event.connection] = pipe
            if callee is None or not callee.reachable:
                self._later(1.0, lambda: self._end(pipe, "not found"))
            else:
                self._later(3 * self._delay(), lambda: self._ring(pipe))
        elif isinstance(event, events.CloseConnection):
            node.closed.append(event)
            pipe = node.pipes.pop(event.connection)
            self._later(self._delay(), lambda: self._end(pipe, "closed by the peer"))
        elif isinstance(event, events.Connected):
            node.connected.append(event)
        elif isinstance(event, events.Flushed):
            node.flushed.append(event.flush)

    def _listen(self, node: SwarmNode) -> None:
        node.reachable = True
        node.rules.listening(self.now)

    def _ask(self, node: SwarmNode, event: events.StartQuery) -> None:
        if not node.alive:
            return
        if not self.dht_answers:
            node.rules.query_done(event.query, "nobody answered", self.now)
            return
        records = self.records.setdefault(event.topic, {})
        if event.kind is events.QueryKind.LOOKUP:
            for key in list(records):
                node.rules.peer_found(event.query, key, (), self.now)
        elif event.kind is events.QueryKind.ANNOUNCE:
            records[node.key] = None
        else:
            records.pop(node.key, None)
        node.rules.query_done(event.query, "", self.now)

    def _ring(self, pipe: Pipe) -> None:
        if pipe.over or not pipe.callee.alive:
            return
        if pipe.caller_number not in pipe.caller.pipes:
            # The caller gave up while its handshake was on the way: the callee sees a connection
            # all the same, and hears of the end a little later.
            self._later(self._delay(), lambda: self._end(pipe, "closed by the peer"))
        number = pipe.callee.rules.incoming(pipe.caller.key, self.now)
        if number is None:
            self._later(self._delay(), lambda: self._end(pipe, "refused"))
            return
        pipe.callee_number = number
        pipe.callee.pipes[number] = pipe
        self._later(self._delay(), lambda: self._opened(pipe, pipe.caller))
        self._later(2 * self._delay(), lambda: self._opened(pipe, pipe.callee))

    def _opened(self, pipe: Pipe, node: SwarmNode) -> None:
        number = pipe.caller_number if node is pipe.caller else pipe.callee_number
        if not pipe.over and node.alive and number is not None:
            node.rules.opened(number, self.now)

    def _end(self, pipe: Pipe, reason: str) -> None:
        if pipe.over:
            return
        pipe.over = True
        for node, number in (
            (pipe.caller, pipe.caller_number),
            (pipe.callee, pipe.callee_number),
        ):
            if number is not None and node.alive and node.pipes.pop(number, None) is not None:
                node.rules.closed(number, self.now, reason)
