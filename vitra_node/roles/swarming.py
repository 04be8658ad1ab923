"""Under which topics a node is found, and under which it looks for others.

    log               held by                       found under it    looks for others
    index             executor                      yes               yes
                      others, once they hold any    yes               yes
                      others, while they do not     no                yes
    own oplog         whoever writes it             yes               no
    another's oplog   executor, while it is listed  no                yes

A connection carries all logs that both sides know, whichever topic led to it. So readers and
monitors need the index's topic only: whoever serves that has the oplogs too. The topics of oplogs
are for the executor, which must hear of operations although their writer cannot be reached.
"""

from __future__ import annotations

from collections.abc import Iterable

import trio

from protocol.limits import MAX_SWARM_TOPICS

from ..errors import NotAllowed
from ..ledger.oplogs import OplogSet
from ..net.connections import Connections
from ..net.errors import ConnectionFailed
from ..net.swarm.swarm import Swarm, TopicSession
from ..storage.corestore import Corestore
from ..storage.log.hypercore import Hypercore
from ..world import World

Roles = tuple[bool, bool]


def wanted_topics(index: Hypercore, oplogs: OplogSet) -> dict[bytes, Roles]:
    """Topics with whether to be found under them, and whether to look for others."""
    topics = {index.discovery_key: (index.writable or index.length > 0, True)}
    for oplog in oplogs:
        if oplog.writable:
            topics[oplog.core.discovery_key] = (True, False)
        elif index.writable and oplog.active:
            topics[oplog.core.discovery_key] = (False, True)
        if len(topics) == MAX_SWARM_TOPICS:
            # The others come over connections that the index's topic brings.
            break
    return topics


async def follow_topics(swarm: Swarm, index: Hypercore, oplogs: OplogSet) -> None:
    """Keep a swarm in step with the logs of a database, until cancelled."""
    sessions: dict[bytes, tuple[TopicSession, Roles]] = {}
    while True:
        wanted = wanted_topics(index, oplogs)
        for topic in sessions.keys() - wanted.keys():
            sessions.pop(topic)[0].leave()
        for topic, (server, client) in wanted.items():
            known = sessions.get(topic)
            if known is None:
                session = await swarm.join(topic, server=server, client=client)
                sessions[topic] = (session, (server, client))
            elif known[1] != (server, client):
                known[0].update(server=server, client=client)
                sessions[topic] = (known[0], (server, client))
        if wanted == wanted_topics(index, oplogs):
            await oplogs.wait_changed()


class Swarming:
    """Whether a database is in a swarm.

    Attributes:
      swarm: it, or None.
    """

    def __init__(
        self,
        store: Corestore,
        connections: Connections,
        index: Hypercore,
        oplogs: OplogSet,
        nursery: trio.Nursery,
        world: World,
    ) -> None:
        self.swarm: Swarm | None = None
        self._store = store
        self._connections = connections
        self._index = index
        self._oplogs = oplogs
        self._nursery = nursery
        self._world = world
        self._running: tuple[trio.CancelScope, trio.Event] | None = None

    async def join(
        self, bootstrap: Iterable[tuple[str, int]] | None, host: str | None, port: int
    ) -> Swarm:
        """See ``Database.swarm``."""
        if self._running is not None:
            raise NotAllowed(
                "The database is in a swarm already.",
                unchanged="Nothing was changed.",
                advice="Leave it first: `await db.unswarm()`.",
            )
        self._running = (trio.CancelScope(), trio.Event())
        opened: Swarm | ConnectionFailed = await self._nursery.start(
            self._run, None if bootstrap is None else list(bootstrap), host, port
        )
        if isinstance(opened, ConnectionFailed):
            raise opened
        return opened

    async def leave(self) -> None:
        """See ``Database.unswarm``."""
        if self._running is not None:
            scope, over = self._running
            scope.cancel()
            await over.wait()

    async def _run(
        self,
        bootstrap: list[tuple[str, int]] | None,
        host: str | None,
        port: int,
        *,
        task_status: trio.TaskStatus[Swarm | ConnectionFailed],
    ) -> None:
        assert self._running is not None
        scope, over = self._running
        try:
            with scope:
                async with Swarm.open(
                    self._store,
                    bootstrap=bootstrap,
                    host=host,
                    port=port,
                    connections=self._connections,
                    world=self._world,
                ) as swarm:
                    self.swarm = swarm
                    task_status.started(swarm)
                    await follow_topics(swarm, self._index, self._oplogs)
        except ConnectionFailed as error:
            if self.swarm is not None:
                raise
            # It could not be opened: a matter of who asked for it, not of the database.
            task_status.started(error)
        finally:
            self.swarm = self._running = None
            over.set()
