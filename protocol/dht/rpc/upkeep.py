"""Keeping a node's view of the network alive: ticks, the routing table, our own reachability.

    ephemeral, firewalled  --checked: open-->  ephemeral, open  --address agreed-->  persistent
    persistent (unless told so)  --the machine slept-->  ephemeral

Wire facts: specs/13-dht.md sections 4, 6 and 7; npm ``dht-rpc``.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import nsmallest
from typing import TYPE_CHECKING

from ...limits import MAX_SIDE_CHECKS
from ..addresses import Address, encode_address, node_id
from ..events import BecameEphemeral, BecamePersistent, Ready
from ..queries.query import BACKGROUND_CONCURRENCY
from ..queries.query_run import QueryResult, QueryRun
from .messages import Internal
from .nat_sampler import NatSampler
from .requests import SERVER_SOCKET, Answer
from .routing_table import ROW_NODES, Node

if TYPE_CHECKING:
    from .rpc import Rpc

TICK_SECONDS = 5.0
# Later than this a tick means that the machine slept.
_SLEPT_SECONDS = 15.0
_PING_TICKS = 8
_REFRESH_TICKS = 60
_SPARSE_REFRESH_TICKS = 64
# Nobody answered at all: try the bootstrap nodes again soon.
_ALONE_REFRESH_TICKS = 2
_OLD_TICKS = 360
_RECENT_TICKS = 12
_PERSIST_AFTER_TICKS = 240
_PERSIST_AGAIN_TICKS = 720
# For nodes that were told to serve, and could not find out their address yet.
_PERSIST_WILLING_TICKS = 4
_MAX_REPINGS = 3
_MAX_DOWN_HINTS_PER_TICK = 50
_FIREWALL_NODES = 5
_FIREWALL_PONGS = 3


def _ignore(_result: QueryResult) -> None:
    pass


class Upkeep:
    """The duties of one node towards itself."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._tick = 0
        self._tick_at = rpc.now + TICK_SECONDS
        self._repinging: set[bytes] = set()
        self._checking: set[bytes] = set()
        self._hints_sent = 0
        self._anonymous_samples = 0
        self._refresh_tick = _REFRESH_TICKS
        self._persist_tick = _PERSIST_AFTER_TICKS
        self.bootstrapped = False
        self._started = False

    # bootstrap ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Look for our place in the network."""
        if self._started:
            return
        self._started = True
        if not self._rpc.config.bootstrap:
            self._bootstrap_done(None)
            return
        self._find_node(self._rpc.table.own_id, self._bootstrap_done)

    def _find_node(self, target: bytes, then: Callable[[QueryResult], None] = _ignore) -> None:
        self.activity()
        QueryRun(
            self._rpc,
            Internal.FIND_NODE,
            target,
            internal=True,
            concurrency=BACKGROUND_CONCURRENCY,
            on_done=then,
        ).start()

    def _bootstrap_done(self, _result: QueryResult | None) -> None:
        self.bootstrapped = True
        rpc = self._rpc
        rpc.events.append(Ready(len(rpc.table)))
        if rpc.id is not None:
            rpc.events.append(BecamePersistent(rpc.address or Address("0.0.0.0", 0), rpc.id))
        elif rpc.config.ephemeral is False:
            self._persist_tick = self._tick + _PERSIST_WILLING_TICKS
            self._try_to_persist()
        elif rpc.firewalled and self._can_check:
            self._check_firewall(then_persist=False)

    # what is heard --------------------------------------------------------------------------------

    def heard(self, source: Address, sender: bytes | None, to: Address | None) -> None:
        """A node spoke to us.

        Args:
          source: its address.
          sender: its id, if it showed a valid one.
          to: our address as it sees it, if it answered a request of ours.
        """
        rpc, tick = self._rpc, self._tick
        if sender is None:
            allowed = max(1, len(rpc.config.bootstrap))
            if to is not None and self._anonymous_samples < allowed:
                self._anonymous_samples += 1
                rpc.nat.add(to)
            return
        node = rpc.table.get(sender)
        if node is None:
            if sender == rpc.id:
                return
            node = Node(sender, source, tick, tick, tick, -_OLD_TICKS)
            self._add(node)
        node.seen = node.pinged = tick
        if to is not None and tick - node.sampled >= _OLD_TICKS:
            node.sampled = tick
            rpc.nat.add(to)

    def _add(self, newcomer: Node) -> None:
        table = self._rpc.table
        if table.add(newcomer) or not table.allows(newcomer):
            return
        if not self.bootstrapped or len(self._repinging) >= _MAX_REPINGS:
            return
        row = table.row(table.row_of(newcomer.id))
        waiting = [n for n in row if n.pinged != self._tick and n.id not in self._repinging]
        if not waiting:
            return
        oldest = min(waiting, key=lambda node: (node.pinged, node.added))
        is_lively = self._tick - oldest.pinged < _RECENT_TICKS
        if is_lively and self._tick - oldest.added > _OLD_TICKS:
            return
        self._replace_if_gone(oldest, newcomer)

    def _replace_if_gone(self, old: Node, newcomer: Node) -> None:
        self._repinging.add(old.id)
        old.pinged = self._tick

        def stays(_answer: Answer) -> None:
            self._repinging.discard(old.id)

        def gone() -> None:
            self._repinging.discard(old.id)
            self._rpc.table.remove(old.id)
            self._rpc.table.add(newcomer)

        self._rpc.ping(old.address, stays, gone)

    def down_hint(self, address: Address) -> None:
        """Somebody says that this node is gone: see for ourselves."""
        node = self._rpc.table.get(node_id(address))
        if node is None or node.id in self._checking or len(self._checking) >= MAX_SIDE_CHECKS:
            return
        if node.pinged >= self._tick and node.hinted >= 0:
            return
        node.hinted = self._tick
        self._check(node)

    def tell_down(self, referrer: Address, down: Address) -> None:
        """Tell a node that one it named is gone; only so many in each tick."""
        if self._hints_sent < _MAX_DOWN_HINTS_PER_TICK:
            self._hints_sent += 1
            value = encode_address(down)
            self._rpc.request(referrer, Internal.DOWN_HINT, internal=True, value=value, retries=0)

    def _check(self, node: Node) -> None:
        """Ping a node; it leaves the table when it does not answer."""
        node.pinged = self._tick
        self._checking.add(node.id)

        def lives(_answer: Answer) -> None:
            self._checking.discard(node.id)

        def gone() -> None:
            self._checking.discard(node.id)
            self._rpc.table.remove(node.id)

        self._rpc.ping(node.address, lives, gone)

    def activity(self) -> None:
        """A query runs, which refreshes the table by itself."""
        self._refresh_tick = self._tick + _REFRESH_TICKS

    # ticks ----------------------------------------------------------------------------------------

    def next_timer(self) -> float:
        """When the next tick is."""
        return self._tick_at

    def handle_timer(self) -> None:
        """Do what is due."""
        now = self._rpc.now
        if now < self._tick_at:
            return
        slept = now - self._tick_at > _SLEPT_SECONDS
        self._tick_at = now + TICK_SECONDS
        self._tick += 1
        self._hints_sent = 0
        if slept:
            self._woke_up()
        if not self.bootstrapped:
            return
        if self._tick % _PING_TICKS == 0:
            self._ping_oldest()
        known = len(self._rpc.table)
        sparse = known < ROW_NODES and self._tick % _SPARSE_REFRESH_TICKS == 0
        alone = known == 0 and self._tick % _ALONE_REFRESH_TICKS == 0
        if self._tick >= self._refresh_tick or sparse or alone:
            self._find_node(self._refresh_target())
        wants = self._rpc.config.ephemeral is not True and self._rpc.id is None
        if wants and self._tick >= self._persist_tick:
            willing = self._rpc.config.ephemeral is False
            self._persist_tick = self._tick + (
                _PERSIST_WILLING_TICKS if willing else _PERSIST_AGAIN_TICKS
            )
            self._try_to_persist()

    def _woke_up(self) -> None:
        rpc = self._rpc
        self._tick += _OLD_TICKS
        self._refresh_tick = self._tick
        if rpc.id is not None and rpc.config.address is None:
            rpc.nat = NatSampler()
            self._anonymous_samples = 0
            self._persist_tick = self._tick + _PERSIST_AFTER_TICKS
            rpc.become_ephemeral()
            rpc.events.append(BecameEphemeral())

    def _ping_oldest(self) -> None:
        count = 3 if len(self._rpc.requests) > 2 else 5
        for node in nsmallest(count, self._rpc.table, key=lambda node: node.pinged):
            if node.pinged < self._tick and node.id not in self._checking:
                self._check(node)

    def _refresh_target(self) -> bytes:
        table = self._rpc.table
        draw = int.from_bytes(self._rpc.random_bytes(4), "little")
        ids = [node.id for node in table]
        return ids[draw % len(ids)] if ids and draw & 1 else table.own_id

    # our reachability -----------------------------------------------------------------------------

    @property
    def _can_check(self) -> bool:
        config = self._rpc.config
        return config.client_socket and config.check_reachability

    def _try_to_persist(self) -> None:
        rpc = self._rpc
        if rpc.firewalled:
            if self._can_check:
                self._check_firewall(then_persist=True)
            return
        address = rpc.nat.address
        if address is None and rpc.nat.host is not None and rpc.config.local_port:
            address = Address(rpc.nat.host, rpc.config.local_port)
        if address is None:
            return
        rpc.become_persistent(address)
        rpc.events.append(BecamePersistent(address, node_id(address)))
        # Others hear of us by being asked.
        self._find_node(rpc.table.own_id)

    def _check_firewall(self, *, then_persist: bool) -> None:
        """Have nodes answer to the server socket, which never sent to them."""
        rpc = self._rpc
        newest = sorted(rpc.table, key=lambda node: -node.added)[:_FIREWALL_NODES]
        nodes = [node.address for node in newest]
        needed = _FIREWALL_PONGS
        if len(nodes) < _FIREWALL_NODES:
            nodes += [node for node in rpc.config.bootstrap if node not in nodes]
            needed = 1
        # Of the server socket; what ``rpc.nat`` knows so far is of the one we ask from.
        seen = NatSampler()
        left = len(nodes)

        def finish() -> None:
            nonlocal left
            left -= 1
            if left or len(seen) < needed or not rpc.firewalled:
                return
            if seen.host == rpc.nat.host and seen.port == rpc.config.local_port:
                rpc.firewalled = False
                rpc.nat = seen
                self._anonymous_samples = 0
                if then_persist:
                    self._try_to_persist()

        def answered(answer: Answer) -> None:
            if answer.socket == SERVER_SOCKET:
                seen.add(answer.response.to)
            finish()

        value = rpc.config.local_port.to_bytes(2, "little")
        for address in nodes:
            rpc.request(
                address,
                Internal.PING_NAT,
                internal=True,
                value=value,
                on_answer=answered,
                on_failure=finish,
                any_port=True,
            )
