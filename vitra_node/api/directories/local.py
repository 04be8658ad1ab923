"""Opens a data directory for one command, in this process, when no node serves it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from protocol.hyperbee import CacheRoom

from ...config import Address, DirectoryConfig, read_config
from ...database import Database
from ...errors import NotFound, VitraError
from ...ledger.console import ContractNews
from ...progress import Progress, Step
from ...storage.errors import StoreInUse
from ..control.frames import Json
from ..failures import telling
from ..methods import find_method, invoke, open_events
from ..session import Session
from ..watched import watched, watcher
from .passphrase import existing_passphrase

_log = logging.getLogger(__name__)

# A peer that does not take the connection within this time is passed over.
CONNECT_SECONDS = 5.0

# To learn the newest head takes one round trip; a peer that takes longer hangs, or has nothing.
SYNC_SECONDS = 5.0

# Looking somebody up, a handshake through relays and the first blocks take a second or two; peers
# that do not answer ten.
FIND_SECONDS = 20.0

# Another command that holds the store is usually done sooner, and a node that is just starting
# answers sooner. The lock is between processes, so there is nothing to wait on but time.
IN_USE_SECONDS = 5.0
_IN_USE_STEP_SECONDS = 0.05

Narrate = Callable[[str], None]


class LocalConnection:
    """Answers from a database open in this process; ``show`` is told how far long calls are."""

    to_node = False

    def __init__(self, session: Session, show: Callable[[Step], None] | None = None) -> None:
        self.session = session
        self._show = show

    async def call(self, method: str, /, **params: Json) -> Any:
        """See ``Connection.call``."""
        return await invoke(self.session, find_method(method), params)

    async def call_long(self, method: str, /, **params: Json) -> Any:
        """See ``Connection.call_long``."""
        return await invoke(self.session, find_method(method), params, watcher(self._show))

    @asynccontextmanager
    async def stream(self, method: str, /, **params: Json) -> AsyncIterator[AsyncIterator[Any]]:
        """See ``Connection.stream``."""
        with telling():
            async with open_events(self.session, find_method(method), params) as events:
                yield events


def database_key(directory: Path) -> bytes:
    """The key of the database in a directory; raises NotFound when it has none."""
    key = read_config(directory).key
    if key is None:
        raise NotFound(
            f"There is no database in {directory}.",
            advice="Make one with `vitra init CONTRACT.js`, or get one with `vitra join KEY`.",
        )
    return key


@asynccontextmanager
async def open_locally(
    directory: Path,
    *,
    with_peers: bool,
    narrate: Narrate,
    find: bool = False,
    bootstrap: tuple[Address, ...] = (),
    show: Callable[[Step], None] | None = None,
) -> AsyncIterator[LocalConnection]:
    """The database of a directory, opened here and closed with the block.

    With ``with_peers``, the remembered peers are connected first and the newest state is learnt;
    peers that cannot be reached are narrated and passed over. With ``find``, others are looked for
    when none of these can be reached, by nodes of the network that are given or remembered.

    Raises NotFound when there is no database, NotAllowed when another process keeps it open.
    """
    database_key(directory)
    with telling():
        async with AsyncExitStack() as stack:
            database = await open_when_free(stack, directory)
            if with_peers and not database.is_executor:
                config = read_config(directory)
                async with watched(watcher(show)) as progress:
                    await reach_peers(database, config, narrate, progress)
                if find and not database.peers:
                    await find_peers(database, bootstrap or config.bootstrap or None, narrate)
            yield LocalConnection(Session(database, directory), show)


@asynccontextmanager
async def open_sandbox(
    contract: str, *, cover: bool = False, watch: Callable[[ContractNews], None] | None = None
) -> AsyncIterator[LocalConnection]:
    """A database in memory around a contract, gone with the block; see ``Database.sandbox``."""
    with telling():
        async with Database.sandbox(contract=contract, cover=cover, watch=watch) as database:
            yield LocalConnection(Session(database, None))


async def open_when_free(
    stack: AsyncExitStack, directory: Path, room: CacheRoom | None = None
) -> Database:
    """Open the database of a directory, waiting a little for another command to finish."""
    deadline = trio.current_time() + IN_USE_SECONDS
    while True:
        try:
            return await stack.enter_async_context(
                Database.load(directory, passphrase=existing_passphrase, room=room)
            )
        except StoreInUse:
            if trio.current_time() >= deadline:
                raise
        await trio.sleep(_IN_USE_STEP_SECONDS)


async def reach_peers(
    database: Database, config: DirectoryConfig, narrate: Narrate, progress: Progress | None = None
) -> None:
    """Connect to the remembered peers and learn the newest state; narrate who does not answer."""
    reached = [peer for peer in config.peers if await _reach(database, peer, narrate)]
    if not reached:
        return
    with trio.move_on_after(SYNC_SECONDS) as scope:
        await database.sync(progress=progress)
    if scope.cancelled_caught:
        narrate("No peer gave anything of this database; what is known here is used.")


def as_pairs(nodes: tuple[Address, ...] | None) -> list[tuple[str, int]] | None:
    """Addresses as the network takes them."""
    return None if nodes is None else [(node.host, node.port) for node in nodes]


async def find_peers(
    database: Database, bootstrap: tuple[Address, ...] | None, narrate: Narrate
) -> None:
    """Look for peers by the database's key, and learn the newest state from those found."""
    narrate("Looking for peers by the database's key ...")
    swarm = await database.swarm(as_pairs(bootstrap))
    with trio.move_on_after(FIND_SECONDS):
        await swarm.flush()
        if database.peers:
            await database.sync()
    if database.index.length:
        return
    failures = [topic.failure for topic in swarm.topics if topic.failure]
    if failures and not database.peers:
        narrate(f"Nothing was found: {failures[0]}.")
    elif not database.peers:
        named = sum(topic.found for topic in swarm.topics)
        narrate("Nobody is known to have it." if not named else "Those who have it do not answer.")


async def _reach(database: Database, peer: Address, narrate: Narrate) -> bool:
    try:
        with trio.fail_after(CONNECT_SECONDS), telling():
            await database.connect(peer.host, peer.port)
    except (VitraError, trio.TooSlowError) as error:
        _log.debug("no connection to %s", peer, exc_info=error)
        narrate(f"The peer {peer} cannot be reached; what is known here is used.")
        return False
    return True
