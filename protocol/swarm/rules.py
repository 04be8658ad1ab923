"""The swarm of one node: whom it looks for, whom it calls, which connections it keeps.

The shell carries out the events and reports what came of them::

    StartQuery        ->  peer_found ...  query_done
    Call              ->  opened or not, then closed
    (a peer calls us) ->  incoming: a number, or None to refuse; then opened, closed
    Listen            ->  listening

A connection lives from ``Call`` or ``incoming`` until ``closed``, or until ``CloseConnection``,
after which nothing more is said about it. At most one lives for each key of a peer.

    calling --opened--> open --closed--> (called again later, if a topic wants the peer)
       '-------closed------------------>

Rules: npm ``hyperswarm``; specs/15-swarm.md. Where ours differ it is said in the file of the rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from ..dht.addresses import Address
from ..errors import LocalProtocolError
from ..limits import MAX_SWARM_TOPICS
from .backoff import retry_seconds
from .call_queue import CallQueue
from .chance import Chance, RandomBytes
from .discovery import Discovery
from .duplicates import keep_new
from .events import (
    Call,
    CloseConnection,
    Connected,
    Event,
    Flushed,
    Listen,
    Poke,
    StopListening,
)
from .flushes import Flushes
from .known_peers import KnownPeers
from .peer_info import PeerInfo

TOPIC_BYTES = 32


def _refuse_nobody(_public_key: bytes) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections a swarm wants; those of JS by default.

    Attributes:
      peers: connections in all. No peer of a topic is called above it; others may still call us.
      parallel: calls at a time.
      clients: connections that we opened.
      servers: connections that peers opened; more are refused.
    """

    peers: float = 64
    parallel: int = 3
    clients: float = float("inf")
    servers: float = float("inf")


@dataclass(slots=True)
class _Link:
    """One connection, or the attempt at one."""

    number: int
    peer: PeerInfo
    initiator: bool
    opened_at: float | None = field(default=None)


class SwarmRules:
    """See the module.

    Args:
      public_key: our own, 32 bytes.
      random_bytes: gives so many random bytes.
      refuses: says of a peer's public key whether there is to be no connection with it.
      limits: how many connections there may be.
    """

    def __init__(
        self,
        public_key: bytes,
        random_bytes: RandomBytes,
        *,
        refuses: Callable[[bytes], bool] = _refuse_nobody,
        limits: Limits | None = None,
    ) -> None:
        self.public_key = public_key
        self.suspended = False
        self._refuses = refuses
        self._limits = limits or Limits()
        self._chance = Chance(random_bytes)
        self._events: deque[Event] = deque()
        self._numbers = count(1)
        self._queue = CallQueue(self._chance)
        self._links: dict[int, _Link] = {}
        self._by_key: dict[bytes, _Link] = {}
        self._peers = KnownPeers(self._chance, self._by_key.__contains__)
        self._discoveries: dict[bytes, Discovery] = {}
        self._topic_of_session: dict[int, bytes] = {}
        self._flushes = Flushes()
        self._wants_listening = False
        self._listening = False

    # What the program may ask ---------------------------------------------------------------------

    @property
    def peers(self) -> list[PeerInfo]:
        """All that are known, connected or not."""
        return list(self._peers)

    @property
    def topics(self) -> list[Discovery]:
        """Those that are joined, and those that are being left."""
        return list(self._discoveries.values())

    @property
    def calling(self) -> int:
        """How many calls are on their way."""
        return sum(link.initiator and link.opened_at is None for link in self._links.values())

    @property
    def is_silent(self) -> bool:
        """Whether no query runs, and the network holds no record of ours."""
        return all(discovery.is_silent for discovery in self._discoveries.values())

    # Topics ---------------------------------------------------------------------------------------

    def join(self, topic: bytes, now: float, *, server: bool = True, client: bool = True) -> int:
        """Find the peers of a topic, be found under it, or both; gives a session's number.

        Raises:
          LocalProtocolError: the topic has not 32 bytes, neither was asked for, or there are
            ``MAX_SWARM_TOPICS`` topics already.
        """
        if len(topic) != TOPIC_BYTES:
            raise LocalProtocolError(f"a topic has {TOPIC_BYTES} bytes, not {len(topic)}")
        if topic not in self._discoveries and len(self._discoveries) >= MAX_SWARM_TOPICS:
            raise LocalProtocolError(f"there are {MAX_SWARM_TOPICS} topics already")
        session = next(self._numbers)
        self._topic_of_session[session] = topic
        self.update(session, now, server=server, client=client)
        return session

    def update(self, session: int, now: float, *, server: bool, client: bool) -> None:
        """Change what a session wants.

        Raises:
          LocalProtocolError: neither.
        """
        if not server and not client:
            raise LocalProtocolError("a topic is joined as server, as client, or as both")
        topic = self._topic_of_session[session]
        discovery = self._discoveries.get(topic)
        if discovery is None:
            discovery = Discovery(
                topic, self._chance, lambda: next(self._numbers), self._events.append
            )
            self._discoveries[topic] = discovery
        discovery.set_session(session, server, client, now)
        if server and not self._wants_listening and not self.suspended:
            self._wants_listening = True
            self._events.append(Listen())
        self._go_on(now)

    def leave(self, session: int, now: float) -> None:
        """End a session. The last one of a topic takes its announce back; connections stay."""
        topic = self._topic_of_session.pop(session, None)
        if topic is not None:
            self._discoveries[topic].drop_session(session, now)
            self._go_on(now)

    def leave_topic(self, topic: bytes, now: float) -> None:
        """End all sessions of a topic."""
        for session in [s for s, t in self._topic_of_session.items() if t == topic]:
            self.leave(session, now)

    def listening(self, now: float) -> None:
        """Our key is reachable now."""
        self._listening = self._wants_listening
        self._go_on(now)

    def peer_found(
        self, query: int, public_key: bytes, relay_addresses: Sequence[Address], now: float
    ) -> None:
        """A query named a peer of its topic."""
        discovery = self._discovery_of(query)
        if discovery is None or not discovery.client or public_key == self.public_key:
            return
        discovery.record_seen()
        peer = self._peers.obtain(public_key, self._forgotten)
        peer.relay_addresses = tuple(relay_addresses)
        peer.topics[discovery.topic] = None
        if public_key in self._by_key:
            return
        peer.found()
        self._enqueue(peer)
        self._go_on(now)

    def query_done(self, query: int, failure: str, now: float) -> None:
        """A query ended; ``failure`` says why in words if it did not succeed."""
        discovery = self._discovery_of(query)
        if discovery is not None:
            connected = self._has_peer_of(discovery.topic)
            discovery.query_done(query, failure, connected, now)
            self._go_on(now)

    def refresh(self, now: float) -> None:
        """The network may be another one: look everything up again, and see who is still there."""
        for link in self._links.values():
            self._events.append(Poke(link.number))
        for discovery in self._discoveries.values():
            discovery.refresh(now)
        self._go_on(now)

    # Peers ----------------------------------------------------------------------------------------

    def join_peer(self, public_key: bytes, now: float) -> None:
        """Stay connected with this peer, however many others there are."""
        if public_key == self.public_key:
            return
        peer = self._peers.obtain(public_key, self._forgotten)
        peer.explicit = True
        if public_key not in self._by_key:
            self._enqueue(peer)
        self._go_on(now)

    def leave_peer(self, public_key: bytes, now: float) -> None:
        """Do not insist on this peer any more. A connection stays."""
        peer = self._peers.find(public_key)
        if peer is None:
            return
        peer.explicit = False
        if not peer.topics:
            self._queue.remove(peer)
            peer.retry_at = None
        self._peers.forget_if_idle(peer)
        self._go_on(now)

    def ban(self, public_key: bytes, now: float) -> None:
        """Have no connection with this key until ``unban``."""
        peer = self._peers.obtain(public_key, self._forgotten)
        peer.banned = True
        peer.retry_at = None
        self._queue.remove(peer)
        link = self._by_key.get(public_key)
        if link is not None:
            self._drop(link, "the peer is banned", now)
        self._go_on(now)

    def unban(self, public_key: bytes) -> None:
        """Let a banned peer be found again."""
        peer = self._peers.find(public_key)
        if peer is not None:
            peer.banned = False
            self._peers.forget_if_idle(peer)

    def allows(self, public_key: bytes) -> bool:
        """Whether there may be a connection with this key: not our own, not banned or refused."""
        if public_key == self.public_key or self.suspended:
            return False
        peer = self._peers.find(public_key)
        return not (peer is not None and peer.banned) and not self._refuses(public_key)

    # Connections ----------------------------------------------------------------------------------

    def incoming(self, public_key: bytes, now: float) -> int | None:
        """A peer called us; gives the connection's number, or None: close it."""
        if not self.allows(public_key):
            return None
        servers = sum(not link.initiator for link in self._links.values())
        existing = self._by_key.get(public_key)
        if existing is None and servers >= self._limits.servers:
            return None
        if existing is not None:
            opened = existing.opened_at
            since = None if opened is None else now - opened
            if not keep_new(
                self.public_key, public_key, new_is_ours=False, existing_open_seconds=since
            ):
                self._events.append(Poke(existing.number))
                return None
            self._drop(existing, "replaced by a newer connection of the peer", now)
        peer = self._peers.obtain(public_key, self._forgotten)
        self._queue.remove(peer)
        peer.retry_at = None
        return self._add_link(peer, initiator=False).number

    def opened(self, connection: int, now: float) -> None:
        """The peer of a connection has shown that it holds its key, and bytes flow both ways."""
        link = self._links.get(connection)
        if link is None or link.opened_at is not None:
            return
        link.opened_at = now
        link.peer.connected(now)
        self._flushes.peer_settled(link.peer.public_key)
        self._events.append(Connected(connection, link.peer, link.initiator))
        self._go_on(now)

    def closed(self, connection: int, now: float, failure: str = "") -> None:
        """A connection ended, or a call did; ``failure`` says why in words."""
        link = self._links.get(connection)
        if link is None:
            return
        self._remove(link, failure, now)
        peer = link.peer
        if self._wants(peer):
            wait = retry_seconds(peer, self._chance)
            peer.retry_at = None if wait is None else now + wait
        self._peers.forget_if_idle(peer)
        self._go_on(now)

    # Flushing, suspending -------------------------------------------------------------------------

    def flush(self, now: float) -> int:
        """Say ``Flushed`` when the joined topics were asked for and everyone found was called."""
        flush = self._flushes.start(self._discoveries)
        self._go_on(now)
        return flush

    def cancel_flush(self, flush: int) -> None:
        """Nobody waits for it any more."""
        self._flushes.cancel(flush)

    def suspend(self, now: float) -> None:
        """Close everything and be silent, until ``resume``."""
        if self.suspended:
            return
        for link in list(self._links.values()):
            self._drop(link, "the swarm is suspended", now)
        self.suspended = True
        self._queue.clear()
        for peer in list(self._peers):
            peer.retry_at = None
            self._peers.forget_if_idle(peer)
        for discovery in self._discoveries.values():
            discovery.suspend()
        if self._wants_listening:
            self._wants_listening = self._listening = False
            self._events.append(StopListening())
        self._go_on(now)

    def resume(self, now: float) -> None:
        """Take up again what was joined before ``suspend``."""
        if not self.suspended:
            return
        self.suspended = False
        if any(discovery.server for discovery in self._discoveries.values()):
            self._wants_listening = True
            self._events.append(Listen())
        for discovery in self._discoveries.values():
            discovery.resume(now)
        for peer in self._peers:
            if peer.explicit:
                self._enqueue(peer)
        self._go_on(now)

    # Events and time ------------------------------------------------------------------------------

    def next_event(self) -> Event | None:
        """The next thing to be done or known; None when there is nothing for now."""
        return self._events.popleft() if self._events else None

    def next_timer(self) -> float:
        """When ``handle_timer`` should be called at the latest; never is infinite."""
        if self.suspended:
            return float("inf")
        times = [d.next_timer(self._listening) for d in self._discoveries.values()]
        times += [peer.retry_at for peer in self._peers if peer.retry_at is not None]
        return min(times, default=float("inf"))

    def handle_timer(self, now: float) -> None:
        """Time has passed."""
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Do all that is due."""
        if not self.suspended:
            for peer in self._peers:
                if peer.retry_at is not None and peer.retry_at <= now:
                    peer.retry_at = None
                    self._enqueue(peer)
            self._call()
        for discovery in list(self._discoveries.values()):
            discovery.advance(now, self._listening)
            if discovery.is_over:
                del self._discoveries[discovery.topic]
                self._forget_topic(discovery.topic)
        for flush in self._flushes.take_done(lambda t: self._is_settled(t, now), self._busy):
            self._events.append(Flushed(flush))

    # Inside ---------------------------------------------------------------------------------------

    def _discovery_of(self, query: int) -> Discovery | None:
        return next((d for d in self._discoveries.values() if d.runs(query)), None)

    def _is_settled(self, topic: bytes, now: float) -> bool:
        discovery = self._discoveries.get(topic)
        return discovery is None or self.suspended or discovery.is_settled(now)

    def _busy(self) -> Iterator[bytes]:
        """Those a flush waits for; nobody, when there are connections enough and no call."""
        calls = [link for link in self._links.values() if link.opened_at is None]
        if calls or self._has_room:
            yield from (link.peer.public_key for link in calls)
            yield from (peer.public_key for peer in self._queue)

    def _has_peer_of(self, topic: bytes) -> bool:
        return any(
            topic in link.peer.topics and link.opened_at is not None
            for link in self._links.values()
        )

    def _wants(self, peer: PeerInfo) -> bool:
        """Whether a peer is to be called again when it is lost."""
        if self.suspended:
            return False
        joined = (self._discoveries.get(topic) for topic in peer.topics)
        return peer.explicit or any(d is not None and d.client for d in joined)

    @property
    def _has_room(self) -> bool:
        """Whether a peer of a topic may be called; explicit peers take their share beforehand."""
        explicit = sum(peer.explicit for peer in self._peers)
        factor = 1 if explicit == 0 else 2 if explicit < 2 else 3 if explicit < 4 else 4
        clients = sum(link.initiator for link in self._links.values())
        return factor * len(self._links) < self._limits.peers and clients < self._limits.clients

    def _enqueue(self, peer: PeerInfo) -> None:
        if self.suspended or peer.public_key in self._by_key or not peer.may_be_called():
            return
        peer.retry_at = None
        self._queue.add(peer)

    def _call(self) -> None:
        while self.calling < self._limits.parallel:
            peer = self._queue.take(only_explicit=not self._has_room)
            if peer is None:
                return
            if not self.allows(peer.public_key):
                self._flushes.peer_settled(peer.public_key)
                self._peers.forget_if_idle(peer)
                continue
            link = self._add_link(peer, initiator=True)
            self._events.append(Call(link.number, peer.public_key, peer.relay_addresses))

    def _add_link(self, peer: PeerInfo, *, initiator: bool) -> _Link:
        assert peer.public_key not in self._by_key
        link = _Link(next(self._numbers), peer, initiator)
        self._links[link.number] = self._by_key[peer.public_key] = link
        return link

    def _drop(self, link: _Link, reason: str, now: float) -> None:
        self._events.append(CloseConnection(link.number, reason))
        self._remove(link, reason, now)

    def _remove(self, link: _Link, failure: str, now: float) -> None:
        del self._links[link.number]
        del self._by_key[link.peer.public_key]
        was_open = link.opened_at is not None
        link.peer.ended(now, failure)
        self._flushes.peer_settled(link.peer.public_key)
        if was_open:
            for topic in link.peer.topics:
                discovery = self._discoveries.get(topic)
                if discovery is not None and not self._has_peer_of(topic):
                    discovery.lost_last_peer(now)

    def _forgotten(self, peer: PeerInfo) -> None:
        self._queue.remove(peer)
        self._flushes.peer_settled(peer.public_key)

    def _forget_topic(self, topic: bytes) -> None:
        for peer in list(self._peers):
            peer.topics.pop(topic, None)
            if not self._wants(peer):
                self._queue.remove(peer)
                peer.retry_at = None
                self._flushes.peer_settled(peer.public_key)
                self._peers.forget_if_idle(peer)
