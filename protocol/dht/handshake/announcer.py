"""Staying findable: a server announces its key at the nearest nodes and keeps in touch with them.

    idle --> searching (FIND_PEER) --> announced: ping the relays every 3 seconds
                 ^                          |
                 '-- too few answer, or 5 minutes passed

The pings keep the way through a NAT open, too.

Wire facts: specs/13-dht.md section 11; npm ``hyperdht``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...crypto.hashes import blake2b_256
from ...crypto.keys import KeyPair
from ...limits import MAX_DHT_RELAYS
from .. import namespaces
from ..addresses import Address
from ..events import Announced
from ..queries.operations import signed_announce
from ..queries.query import CloseReply
from ..queries.query_run import Commit, QueryResult, QueryRun
from ..rpc.messages import Command
from ..rpc.requests import Answer
from ..rpc.rpc import Rpc
from .noise_payload import RelayRoute

if TYPE_CHECKING:
    from collections.abc import Iterable

PING_SECONDS = 3.0
_ROUNDS = 100
_MIN_ANSWERS = 3
# When nothing could be announced.
_RETRY_SECONDS = 5.0


class Announcer:
    """Announces one key.

    Attributes:
      relays: the nodes that introduce clients, with our address as they see it.
      former: relays of the announce before; clients may still come through them.
    """

    def __init__(self, rpc: Rpc, key_pair: KeyPair) -> None:
        self._rpc = rpc
        self._key_pair = key_pair
        self._target = blake2b_256(key_pair.public_key)
        self.relays: tuple[RelayRoute, ...] = ()
        self.former: tuple[RelayRoute, ...] = ()
        self._stored: list[RelayRoute] = []
        self._run: QueryRun | None = None
        self._rounds = 0
        self._answers = 0
        self._wake_at: float | None = None
        self._closed = False

    def is_relay(self, address: Address) -> bool:
        """Whether this node introduces clients to us."""
        return any(route.relay_address == address for route in (*self.relays, *self.former))

    def start(self) -> None:
        """Announce, now or again."""
        if self._run is not None or self._closed:
            return
        self._wake_at = None
        self._stored = []
        self._rpc.upkeep.activity()
        self._run = QueryRun(
            self._rpc,
            Command.FIND_PEER,
            self._target,
            nodes=tuple(route.relay_address for route in self.relays),
            commit=self._commit,
            most_commits=MAX_DHT_RELAYS,
            on_done=self._announced,
        )
        self._run.start()

    def close(self) -> None:
        """Take the announces back."""
        self._closed = True
        self._wake_at = None
        if self._run is not None:
            self._run.cancel()
            self._run = None
        self._take_back(route.relay_address for route in self.relays)

    def next_timer(self) -> float | None:
        """When ``handle_timer`` should be called at the latest."""
        return self._wake_at

    def handle_timer(self) -> None:
        """Ping the relays, or announce again."""
        if self._wake_at is None or self._rpc.now < self._wake_at:
            return
        enough = min(_MIN_ANSWERS, len(self.relays))
        missing = self._rounds > 0 and self._answers < enough
        if not self.relays or missing or self._rounds >= _ROUNDS:
            self.start()
            return
        self._ping_all()

    def _ping_all(self) -> None:
        self._rounds += 1
        self._answers = 0
        self._wake_at = self._rpc.now + PING_SECONDS
        for route in self.relays:
            self._rpc.ping(route.relay_address, self._ponged, retries=1)

    def _ponged(self, _answer: Answer) -> None:
        self._answers += 1

    def _commit(self, reply: CloseReply) -> Commit | None:
        value = signed_announce(namespaces.ANNOUNCE, self._target, reply, self._key_pair)
        if value is None:
            return None
        self._stored.append(RelayRoute(reply.address, reply.response.to))
        return Commit(Command.ANNOUNCE, value)

    def _announced(self, result: QueryResult) -> None:
        self._run = None
        if not result.stored:
            self._wake_at = self._rpc.now + _RETRY_SECONDS
            return
        self.former, self.relays = self.relays, tuple(self._stored)
        used = {route.relay_address for route in self.relays}
        old = (route.relay_address for route in self.former)
        self._take_back(address for address in old if address not in used)
        self._rounds = 0
        self._ping_all()
        relays = tuple(route.relay_address for route in self.relays)
        self._rpc.events.append(Announced(self._key_pair.public_key, relays))

    def _take_back(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            self._rpc.farewells += 1
            self._rpc.request(
                address,
                Command.FIND_PEER,
                target=self._target,
                on_answer=self._unannounce_at(address),
                on_failure=self._said,
                retries=1,
            )

    def _said(self, _answer: Answer | None = None) -> None:
        self._rpc.farewells -= 1

    def _unannounce_at(self, address: Address) -> Callable[[Answer], None]:
        def answered(answer: Answer) -> None:
            value = None
            if answer.id is not None and answer.response.token is not None:
                reply = CloseReply(0, answer.id, address, answer.response)
                value = signed_announce(namespaces.UNANNOUNCE, self._target, reply, self._key_pair)
            if value is None:
                self._said()
                return
            self._rpc.request(
                address,
                Command.UNANNOUNCE,
                target=self._target,
                value=value,
                token=answer.response.token,
                on_answer=self._said,
                on_failure=self._said,
                retries=1,
            )

        return answered
