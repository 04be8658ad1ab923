"""The walk towards a target, as pure state: whom to ask next, and who was nearest in the end.

    pending  ->  asked  ->  done          answered
                        ->  slow -> down  no answer to the first transmission, to any

Nodes are asked in parallel, the latest found first. Answers name nodes that are nearer; those not
asked yet and nearer than the 20th-best answer so far become pending. It ends when nobody is left
to ask, or all who are left are slow and 20 have answered.

Wire facts: specs/13-dht.md section 5; npm ``dht-rpc``.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ...errors import LocalProtocolError
from ..addresses import Address, distance, node_id
from ..rpc.messages import Response
from ..rpc.routing_table import ROW_NODES

CONCURRENCY = 10
BACKGROUND_CONCURRENCY = 2
# While only nodes of an earlier run were asked.
CACHED_CONCURRENCY = 3
# So many of them must answer, or the routing table is used as well.
MIN_CACHED_REPLIES = 5


class CloseReply(NamedTuple):
    """An answer of a node with an id.

    Attributes:
      distance: of its id to the target.
      id: 32 bytes.
      address: of the node.
      response: what it said.
    """

    distance: int
    id: bytes
    address: Address
    response: Response

    @property
    def token(self) -> bytes | None:
        """What commands that store have to show this node."""
        return self.response.token


class DownHint(NamedTuple):
    """Tell ``referrer`` that the node ``down``, which it named, does not answer."""

    referrer: Address
    down: Address


class _Pending(NamedTuple):
    address: Address
    distance: int


class Query:
    """The state of one walk.

    Args:
      target: 32 bytes.
      seeds: addresses of nodes to begin with, roughly the nearest first; tried from the last on.
      cached: whether these are of an earlier run and not from the routing table.
      fallback: gives further seeds: the routing table's; used when ``cached`` ones fail.
      bootstrap: used when fewer than 20 seeds are known.
      skip: tells which nodes are never asked, such as ourselves.
      concurrency: how many to ask at once.
    """

    def __init__(
        self,
        target: bytes,
        *,
        seeds: Iterable[Address],
        cached: bool = False,
        fallback: Callable[[], Iterable[Address]] = tuple,
        bootstrap: Iterable[Address] = (),
        skip: Callable[[Address], bool] = lambda _address: False,
        concurrency: int = CONCURRENCY,
    ) -> None:
        self.target = target
        self.closest: list[CloseReply] = []
        self.hops = 0
        self._fallback = fallback
        self._bootstrap = tuple(bootstrap)
        self._skip = skip
        self._concurrency = concurrency
        self._pending: list[_Pending] = []
        # Who named a node that is pending or asked; None: it answered.
        self._referrers: dict[Address, list[Address] | None] = {}
        self._down: set[Address] = set()
        self._asked: dict[Address, int] = {}
        self._slow: set[Address] = set()
        self._depths: dict[Address, int] = {}
        self._only_cached = False
        self._successes = 0
        for address in seeds:
            self._add(address, None)
        if cached and self._pending:
            self._only_cached = True
        elif cached:
            self._reseed()
        else:
            self._add_bootstrap()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be done."""
        if self._asked and not (
            len(self._asked) == len(self._slow) and len(self.closest) >= ROW_NODES
        ):
            return False
        return not self._pending or bool(self._asked)

    @property
    def asked(self) -> tuple[Address, ...]:
        """Those who did not answer yet."""
        return tuple(self._asked)

    def next_address(self) -> Address | None:
        """A node to ask now; call until it gives None."""
        limit = self._concurrency + len(self._slow)
        if self._only_cached:
            limit = min(limit, CACHED_CONCURRENCY)
        while len(self._asked) < limit:
            if not self._pending and not self._reseed_if_needed():
                return None
            address, away = self._pending.pop()
            if not self._is_closer(away):
                continue
            self._asked[address] = away
            return address
        return None

    def replied(
        self, address: Address, responder: bytes | None, response: Response
    ) -> list[DownHint]:
        """A node that was asked answered; gives what it should be told.

        Args:
          address: of the node as it was asked.
          responder: its id, if it showed a valid one.
          response: the answer.
        """
        away = self._settle(address)
        self._referrers[address] = None
        self._successes += 1
        depth = self._depths.get(address, 1)
        if response.error == 0 and responder is not None and self._is_closer(away):
            insort(self.closest, CloseReply(away, responder, address, response))
            del self.closest[ROW_NODES:]
            self.hops = max(self.hops, depth)
        hints: list[DownHint] = []
        for node in response.closer_nodes:
            if node in self._down:
                hints.append(DownHint(address, node))
                continue
            if self._skip(node):
                continue
            if not self._is_closer(distance(self.target, node_id(node))):
                break
            if self._add(node, address):
                self._depths[node] = depth + 1
        return hints

    def slow(self, address: Address) -> None:
        """The first transmission to this node was not answered."""
        if address in self._asked:
            self._slow.add(address)

    def failed(self, address: Address) -> list[DownHint]:
        """This node does not answer at all; gives what those who named it should be told."""
        self._settle(address)
        referrers = self._referrers.get(address) or ()
        self._referrers[address] = []
        self._down.add(address)
        return [DownHint(referrer, address) for referrer in referrers]

    def hurry(self) -> None:
        """Ask more nodes at once: a background query while there is little else to do."""
        self._concurrency = CONCURRENCY

    def _settle(self, address: Address) -> int:
        self._slow.discard(address)
        away = self._asked.pop(address, None)
        if away is None:
            raise LocalProtocolError("a node was not asked, yet answered")
        return away

    def _is_closer(self, away: int) -> bool:
        return len(self.closest) < ROW_NODES or away < self.closest[-1].distance

    def _add(self, address: Address, referrer: Address | None) -> bool:
        referrers = self._referrers.get(address, ())
        if referrers is None or self._skip(address):
            return False
        if address in self._referrers:
            if referrer is not None and len(referrers) < ROW_NODES and address not in self._down:
                self._referrers[address] = [*referrers, referrer]
            return False
        self._referrers[address] = [] if referrer is None else [referrer]
        away = distance(self.target, node_id(address))
        if self._is_closer(away):
            self._pending.append(_Pending(address, away))
        return True

    def _add_bootstrap(self) -> None:
        if len(self._pending) < ROW_NODES:
            for address in self._bootstrap:
                self._add(address, None)

    def _reseed_if_needed(self) -> bool:
        """With nobody left: begin again from the routing table when cached nodes did not do."""
        if not self._only_cached or self._asked or self._successes >= MIN_CACHED_REPLIES:
            return False
        self._reseed()
        return bool(self._pending)

    def _reseed(self) -> None:
        self._only_cached = False
        for address in self._fallback():
            self._add(address, None)
        self._add_bootstrap()
