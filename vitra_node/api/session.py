"""What answers API methods: one open database, alone or inside a running node."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio

from ..config import Address, DirectoryConfig, read_config, write_config
from ..errors import CannotTellYet, NotAllowed, NotFound

if TYPE_CHECKING:
    from ..database import Database
    from ..ledger.oplogs import Oplog
    from .hosting.hooks import Hooks


@dataclass
class RunningNode:
    """What a long-running process adds to an open database.

    Attributes:
      tasks: where work that outlives a request runs.
      stop: set it to stop the node cleanly.
      listen: where peers connect, None when it takes no connections.
      started: Unix time in seconds.
      log_file: where the process writes its log, None when that is a terminal or nothing.
      hold: who ties the node's life to a connection of theirs, None for nobody.
    """

    tasks: trio.Nursery
    stop: trio.Event
    listen: Address | None
    started: float
    log_file: Path | None = None
    hold: NodeHold | None = None


@dataclass
class NodeHold:
    """The node lives only as long as whoever holds it, unless it is released first.

    Attributes:
      released: set when the node is to go on by itself.
    """

    released: trio.Event = field(default_factory=trio.Event)


@dataclass
class BackgroundMonitor:
    """The monitor that ``monitor.start`` set running.

    Attributes:
      scope: cancel it to end the monitor.
      validated: operations verified so far.
      violation: the event that tells of a violation, once there is one.
    """

    scope: trio.CancelScope
    validated: int = 0
    violation: dict[str, Any] | None = None


@dataclass
class Session:
    """One open database and what the process around it does with it.

    Attributes:
      database: the open database.
      directory: the data directory, None for a database in memory.
      node: None when the database was opened for one command.
      monitor: the monitor in the background, while there is one.
      hooks: who is told of what it finds; None for nobody.
    """

    database: Database
    directory: Path | None
    node: RunningNode | None = None
    monitor: BackgroundMonitor | None = field(default=None)
    hooks: Hooks | None = None

    @property
    def role(self) -> str:
        """What this process is to the database: executor, participant or monitor."""
        if self.database.is_executor:
            return "executor"
        return "participant" if self.database.is_participant else "monitor"

    def require_data(self) -> None:
        """Raise CannotTellYet before anything of the database is here."""
        if self.database.index.length == 0:
            raise CannotTellYet(
                "Nothing of this database is here yet.",
                advice="Connect to a peer that has it: `vitra serve --peer host:port`.",
            )

    @property
    def config(self) -> DirectoryConfig:
        """What the data directory remembers."""
        return DirectoryConfig() if self.directory is None else read_config(self.directory)

    def remember_peers(self, peers: tuple[Address, ...]) -> None:
        """Keep addresses for the next start."""
        if self.directory is not None:
            write_config(self.directory, self.config.with_peers(peers))

    def oplog(self, key: bytes) -> Oplog:
        """The oplog of a key; raises NotFound."""
        for oplog in self.database.oplogs:
            if oplog.key == key:
                return oplog
        raise NotFound(
            f"There is no oplog {key.hex()} here.", advice="See all with `vitra oplog ls`."
        )

    def running_node(self) -> RunningNode:
        """The node; raises NotAllowed when the database was opened for one command only."""
        if self.node is None:
            raise NotAllowed("This needs a running node.", advice="Start one with `vitra serve`.")
        return self.node
