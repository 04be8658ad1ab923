"""What the rules of a swarm ask for, carried out: queries, calls, connections. It decides nothing.

    rules --event--> a task with a number --report--> rules

Every task can be cancelled by its number; then it reports nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial

import trio

from protocol.crypto.keys import KeyPair
from protocol.swarm import events
from protocol.swarm.rules import SwarmRules

from ...config import Address
from ..connections import Connection, Connections
from ..dht.connection import DhtConnection
from ..dht.dht import DHT
from ..dht.server import DhtServer
from ..errors import ConnectionFailed


class SwarmPump:
    """Moves between rules and network.

    Attributes:
      rules: what decides.
      live: the connections that stand, by number.
      on_change: called when a connection opened or ended, or a query did.
    """

    def __init__(
        self,
        rules: SwarmRules,
        dht: DHT,
        key_pair: KeyPair,
        connections: Connections,
        nursery: trio.Nursery,
    ) -> None:
        self.rules = rules
        self.live: dict[int, Connection] = {}
        self.on_change: Callable[[], None] = lambda: None
        self._dht = dht
        self._key_pair = key_pair
        self._connections = connections
        self._nursery = nursery
        self._tasks: dict[int, trio.CancelScope] = {}
        self._listening: trio.CancelScope | None = None
        self._server: DhtServer | None = None
        self._one_listener = trio.Lock()
        self._flushes: dict[int, trio.Event] = {}
        self._timer_at = float("inf")
        self._timer_moved = trio.Event()
        self._pumping = False

    def pump(self) -> None:
        """Carry out what the rules want by now."""
        if self._pumping:
            # A task that was started at once reported back; the loop below goes on with it.
            return
        self._pumping = True
        try:
            while (event := self.rules.next_event()) is not None:
                self._carry_out(event)
        finally:
            self._pumping = False
        at = self.rules.next_timer()
        if at < self._timer_at:
            self._timer_at = at
            self._timer_moved.set()
        self.on_change()

    async def run_timer(self) -> None:
        """Wake the rules when they want it, until cancelled."""
        while True:
            with trio.move_on_at(self._timer_at):
                await self._timer_moved.wait()
            self._timer_moved = trio.Event()
            now = trio.current_time()
            if now >= self._timer_at:
                self._timer_at = float("inf")
                self.rules.handle_timer(now)
                self.pump()

    async def flush(self) -> None:
        """Wait until everyone who can be found now was called."""
        number = self.rules.flush(trio.current_time())
        done = self._flushes[number] = trio.Event()
        try:
            self.pump()
            await done.wait()
        finally:
            del self._flushes[number]
            self.rules.cancel_flush(number)

    def _carry_out(self, event: events.Event) -> None:
        match event:
            case events.Listen():
                self._listening = trio.CancelScope()
                self._nursery.start_soon(self._listen, self._listening)
            case events.StopListening():
                if self._listening is not None:
                    self._listening.cancel()
            case events.StartQuery():
                self._start(event.query, partial(self._query, event))
            case events.StopQuery():
                self._stop(event.query)
            case events.Call():
                self._start(event.connection, partial(self._call, event))
            case events.CloseConnection():
                self._stop(event.connection)
            case events.Poke():
                connection = self.live.get(event.connection)
                if connection is not None:
                    connection.poke()
            case events.Connected():
                pass
            case events.Flushed():
                done = self._flushes.get(event.flush)
                if done is not None:
                    done.set()

    # Tasks ----------------------------------------------------------------------------------------

    def _start(self, number: int, task: Callable[[], Awaitable[None]]) -> None:
        scope = self._tasks[number] = trio.CancelScope()
        self._nursery.start_soon(self._run, number, scope, task)

    async def _run(
        self, number: int, scope: trio.CancelScope, task: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            with scope:
                await task()
        finally:
            self._tasks.pop(number, None)
            self.live.pop(number, None)
            self.on_change()

    def _stop(self, number: int) -> None:
        scope = self._tasks.get(number)
        if scope is not None:
            scope.cancel()

    async def _query(self, event: events.StartQuery) -> None:
        failure = ""
        try:
            if event.kind is events.QueryKind.LOOKUP:
                await self._look_up(event)
            elif event.kind is events.QueryKind.ANNOUNCE:
                relays = () if self._server is None else self._server.relay_addresses
                await self._dht.announce(event.topic, self._key_pair, relays, clear=event.clear)
            else:
                await self._dht.unannounce(event.topic, self._key_pair)
        except ConnectionFailed as error:
            failure = str(error)
        self.rules.query_done(event.query, failure, trio.current_time())
        self.pump()

    async def _look_up(self, event: events.StartQuery) -> None:
        with closing(self._dht.lookup(event.topic)) as lookup:
            async for reply in lookup:
                now = trio.current_time()
                for record in reply.records:
                    relays = record.relay_addresses
                    self.rules.peer_found(event.query, record.public_key, relays, now)
                self.pump()
            if lookup.done is None or not lookup.done.closest:
                raise ConnectionFailed("no node of the network answered")

    async def _listen(self, scope: trio.CancelScope) -> None:
        # An earlier one takes its announces back before the key may listen again.
        async with self._one_listener:
            with scope:
                async with (
                    self._dht.listen(
                        self._key_pair, firewall=lambda key: not self.rules.allows(key)
                    ) as server,
                    trio.open_nursery() as nursery,
                ):
                    self._server = server
                    nursery.start_soon(self._report_announced, server)
                    while True:
                        self._take(await server.accept())
            self._server = None

    async def _report_announced(self, server: DhtServer) -> None:
        await server.wait_announced()
        self.rules.listening(trio.current_time())
        self.pump()

    def _take(self, found: DhtConnection) -> None:
        now = trio.current_time()
        number = self.rules.incoming(found.handshake.remote_public_key, now)
        if number is None:
            self._nursery.start_soon(trio.aclose_forcefully, found.stream)
        else:
            self._start(number, partial(self._hold, number, found))
        self.pump()

    async def _call(self, event: events.Call) -> None:
        try:
            found = await self._dht.connect(event.public_key, self._key_pair, event.relay_addresses)
        except ConnectionFailed as error:
            self._ended(event.connection, str(error))
        else:
            await self._hold(event.connection, found)

    async def _hold(self, number: int, found: DhtConnection) -> None:
        def opened(connection: Connection) -> None:
            self.live[number] = connection
            self.rules.opened(number, trio.current_time())
            self.pump()

        failure = await self._connections.run(
            found.stream,
            str(Address(*found.address)),
            initiator=found.initiator,
            on_open=opened,
            handshake=found.handshake,
        )
        self.live.pop(number, None)
        self._ended(number, "" if failure is None else str(failure))

    def _ended(self, number: int, failure: str) -> None:
        self.rules.closed(number, trio.current_time(), failure)
        self.pump()
