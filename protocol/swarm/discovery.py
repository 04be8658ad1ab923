"""One topic: announced while somebody wants to serve it, looked up while somebody wants it.

    wanted      first                         then
    client      look up                       again every 10 to 12 minutes
    server      announce                      again every 10 to 12 minutes
    both        both; look up once more when the first announce is done
    no server   take the announce back, if there may be one

The second lookup is for two nodes that join at the same time: each announces too late for the
other's first lookup, but the later of them finds the earlier with its second. While nobody of the
topic is connected, and after a query that failed, the next one follows sooner: after 5 seconds,
then twice as long each time. JS waits ten minutes in both cases.

Rules: npm ``hyperswarm``; specs/15-swarm.md section 3.
"""

from __future__ import annotations

from collections.abc import Callable

from .chance import Chance
from .events import QueryKind, StartQuery, StopQuery

REFRESH_SECONDS = 600.0
REFRESH_JITTER_SECONDS = 120.0
# The first wait when a topic has nobody; a node that starts a little later is found in time.
LONELY_SECONDS = 5.0

Emit = Callable[[StartQuery | StopQuery], None]


class Discovery:
    """The discovery of one topic. Programs read it; only the rules change it.

    Attributes:
      topic: 32 bytes.
      server: whether it is to be announced.
      client: whether its peers are looked for.
      announced: whether the network may hold our record.
      announced_at: when it was stored last, or None.
      looked_up_at: when a lookup was completed last, or None.
      found: how many peers the last complete lookup named.
      failure: why the last query that was not a success failed; empty after one.
    """

    def __init__(self, topic: bytes, chance: Chance, next_query: Callable[[], int], emit: Emit):
        self.topic = topic
        self.server = False
        self.client = False
        self.announced = False
        self.announced_at: float | None = None
        self.looked_up_at: float | None = None
        self.found = 0
        self.failure = ""
        self._chance = chance
        self._next_query = next_query
        self._emit = emit
        self._sessions: dict[int, tuple[bool, bool]] = {}
        self._running: dict[QueryKind, int] = {}
        self._lookup_at = float("inf")
        self._announce_at = float("inf")
        self._lonely_seconds = LONELY_SECONDS
        self._announce_retry_seconds = LONELY_SECONDS
        self._seen = 0
        self._suspended = False

    @property
    def is_silent(self) -> bool:
        """Whether nothing runs, and nothing is left to be taken back."""
        return not self._running and not self.announced

    @property
    def is_over(self) -> bool:
        """Whether it is silent, and nobody wants it."""
        return not self._sessions and self.is_silent

    def is_settled(self, now: float) -> bool:
        """Whether nothing runs, and nothing is due: the network was asked all there is to ask."""
        return not self._running and min(self._announce_at, self._lookup_at) > now

    def runs(self, query: int) -> bool:
        """Whether the query is one of its own."""
        return query in self._running.values()

    # What is wanted -------------------------------------------------------------------------------

    def set_session(self, session: int, server: bool, client: bool, now: float) -> None:
        """A session wants this from now on."""
        self._sessions[session] = (server, client)
        self._follow_sessions(now)

    def drop_session(self, session: int, now: float) -> None:
        """A session wants nothing more."""
        self._sessions.pop(session, None)
        self._follow_sessions(now)

    def _follow_sessions(self, now: float) -> None:
        server = any(server for server, _ in self._sessions.values())
        client = any(client for _, client in self._sessions.values())
        if server != self.server:
            self.server = server
            self._announce_at = now if server and not self._suspended else float("inf")
            self._announce_retry_seconds = LONELY_SECONDS
            if not server:
                self._stop(QueryKind.ANNOUNCE)
        if client != self.client:
            self.client = client
            self._lookup_at = now if client and not self._suspended else float("inf")
            self._lonely_seconds = LONELY_SECONDS
            if not client:
                self._stop(QueryKind.LOOKUP)

    def refresh(self, now: float) -> None:
        """Do both again at once, for the network may be another one."""
        if self._suspended:
            return
        if self.server:
            self._announce_at = now
        if self.client:
            self._lookup_at = now

    def lost_last_peer(self, now: float) -> None:
        """Nobody of the topic is connected any more."""
        self._lonely_seconds = LONELY_SECONDS
        if self.client and not self._suspended:
            self._lookup_at = min(self._lookup_at, now + self._next_lonely_wait())

    def suspend(self) -> None:
        """Ask nothing until ``resume``, but take back what is announced."""
        self._suspended = True
        self._stop(QueryKind.LOOKUP)
        self._stop(QueryKind.ANNOUNCE)
        self._announce_at = self._lookup_at = float("inf")

    def resume(self, now: float) -> None:
        """Begin anew."""
        self._suspended = False
        self._lonely_seconds = self._announce_retry_seconds = LONELY_SECONDS
        self.refresh(now)

    # Time -----------------------------------------------------------------------------------------

    def next_timer(self, listening: bool) -> float:
        """When ``advance`` wants to be called; never is infinite."""
        times = [float("inf")]
        if QueryKind.LOOKUP not in self._running:
            times.append(self._lookup_at)
        if listening and not self._storing:
            times.append(self._announce_at)
        return min(times)

    def advance(self, now: float, listening: bool) -> None:
        """Start what is due. Only who listens can be announced."""
        serves = self.server and not self._suspended
        if now >= self._lookup_at:
            self._start(QueryKind.LOOKUP)
        if self._storing:
            # An announce after a removal that is still on its way might be removed by it.
            return
        if serves and listening and now >= self._announce_at:
            self.announced = True
            self._start(QueryKind.ANNOUNCE)
        elif not serves and self.announced:
            self._start(QueryKind.UNANNOUNCE)

    @property
    def _storing(self) -> bool:
        return QueryKind.ANNOUNCE in self._running or QueryKind.UNANNOUNCE in self._running

    # Queries --------------------------------------------------------------------------------------

    def record_seen(self) -> None:
        """The lookup that runs named a peer."""
        self._seen += 1

    def query_done(self, query: int, failure: str, connected: bool, now: float) -> None:
        """A query ended; ``failure`` is empty when it succeeded, else says why in words.

        ``connected``: whether any peer of the topic is.
        """
        kind = next((k for k, number in self._running.items() if number == query), None)
        if kind is None:
            return
        del self._running[kind]
        self.failure = failure
        if kind is QueryKind.LOOKUP:
            self._looked_up(bool(failure), connected, now)
        elif kind is QueryKind.ANNOUNCE:
            self._announce_done(bool(failure), now)
        else:
            # What could not be taken back is forgotten by the network in time.
            self.announced = False
            self.announced_at = None

    def _looked_up(self, failed: bool, connected: bool, now: float) -> None:
        if not failed:
            self.looked_up_at = now
            self.found = self._seen
        if failed or not connected:
            self._lookup_at = now + self._next_lonely_wait()
        else:
            self._lonely_seconds = LONELY_SECONDS
            self._lookup_at = now + self._refresh_wait()

    def _announce_done(self, failed: bool, now: float) -> None:
        if failed:
            self._announce_at = now + min(self._announce_retry_seconds, REFRESH_SECONDS)
            self._announce_retry_seconds *= 2
            return
        first = self.announced_at is None
        self.announced_at = now
        self._announce_retry_seconds = LONELY_SECONDS
        self._announce_at = now + self._refresh_wait()
        if first and self.client:
            self._lookup_at = now

    def _start(self, kind: QueryKind) -> None:
        if kind in self._running:
            return
        if kind is QueryKind.LOOKUP:
            self._seen = 0
        query = self._running[kind] = self._next_query()
        clear = kind is QueryKind.ANNOUNCE and self.announced_at is None
        self._emit(StartQuery(query, kind, self.topic, clear))

    def _stop(self, kind: QueryKind) -> None:
        query = self._running.pop(kind, None)
        if query is not None:
            self._emit(StopQuery(query))

    def _refresh_wait(self) -> float:
        return REFRESH_SECONDS + self._chance.fraction() * REFRESH_JITTER_SECONDS

    def _next_lonely_wait(self) -> float:
        wait = min(self._lonely_seconds, REFRESH_SECONDS)
        self._lonely_seconds = min(2 * self._lonely_seconds, REFRESH_SECONDS)
        # Nodes that lost the same peer do not look for it all at once.
        return wait * (1 + 0.2 * self._chance.fraction())
