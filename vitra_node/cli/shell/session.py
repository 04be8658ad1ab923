"""The directory that a shell works in, and the node that serves it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...api.client import ControlClient
from ...config import read_config
from ...errors import FAMILIES, InternalFault, NotFound, UsageProblem, VitraError
from ..asking import running_node
from ..output import Output


class ShellSession:
    """Keeps a node running for the directory in use.

    A node that this session started is *held*: it ends with the session, however that ends, until
    ``to_background`` releases it. One that ran before is only talked to.

    Resource handling: ``close`` ends the held node and returns when its directory is free.
    """

    def __init__(
        self, output: Output, node_options: Sequence[str], network_options: Sequence[str] = ()
    ) -> None:
        """``node_options`` of ``vitra serve``; of these ``network_options`` say where peers are."""
        self.output = output
        self.network_options = tuple(network_options)
        self.directory: Path | None = None
        self._node_options = list(node_options)
        self._holder: ControlClient | None = None
        self._served = False
        self._listeners: list[Callable[[Path | None], None]] = []

    @property
    def held(self) -> bool:
        """Whether the node ends with this session."""
        return self._holder is not None

    @property
    def in_background(self) -> bool:
        """Whether a node serves the directory that goes on without this session."""
        return self._served and self._holder is None

    def on_change(self, listener: Callable[[Path | None], None]) -> None:
        """Call back with the directory whose node is to be watched, None for none."""
        self._listeners.append(listener)

    def require_directory(self) -> Path:
        """The directory in use; raises UsageProblem before ``use``."""
        if self.directory is None:
            raise UsageProblem("No directory is in use.", advice="Choose one with .use PATH.")
        return self.directory

    def use(self, directory: Path) -> None:
        """Leave the directory in use, and serve this one if it holds a database.

        Raises UsageProblem when it is no directory, and whatever kept a node from starting; then
        the directory is in use all the same.
        """
        if directory.exists() and not directory.is_dir():
            raise UsageProblem(f"{directory} is not a directory.", unchanged="Nothing was changed.")
        self.leave()
        self.directory = directory
        if read_config(directory).key is not None:
            self.serve()

    def serve(self) -> None:
        """See that a node serves the directory in use: the running one, or one that we hold."""
        directory = self.require_directory()
        client = running_node(directory)
        if client is None:
            _start_node(directory, self._node_options)
            self.to_foreground()
            return
        with client:
            pid = client.node.get("pid")
        self.output.narrate(f"A node serves it already (process {pid}).")
        self._tell_listeners(served=True)

    def to_foreground(self) -> None:
        """Hold the node of the directory in use, starting it when there is none."""
        directory = self.require_directory()
        if self._holder is not None:
            self.output.narrate("The database runs in this session already.")
            return
        client = running_node(directory)
        if client is None:
            _start_node(directory, self._node_options)
            client = ControlClient.connect(directory)
        try:
            client.call("node.hold")
        except BaseException:
            client.close()
            raise
        self._holder = client
        self.output.narrate("The database runs in this session, and ends with it.")
        self._tell_listeners(served=True)

    def to_background(self) -> None:
        """Let the node go on without this session, starting it when there is none."""
        directory = self.require_directory()
        client = running_node(directory)
        if client is None:
            _start_node(directory, self._node_options)
            client = ControlClient.connect(directory)
        with client:
            client.call("node.release")
        if self._holder is not None:
            self._holder.close()
            self._holder = None
        self.output.narrate("The database runs in the background; .fg takes it back.")
        self._tell_listeners(served=True)

    def stop_node(self) -> None:
        """Stop whatever node serves the directory; returns when the directory is free."""
        client = running_node(self.require_directory())
        self._tell_listeners(served=False)
        if client is not None:
            with client:
                client.stop_node()
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def leave(self) -> None:
        """Be without a directory; a held node is stopped first."""
        if self._holder is not None:
            self.output.narrate(f"Stopping the node of {self.directory}.")
            self.stop_node()
        self.directory = None
        self._tell_listeners(served=False)

    def close(self) -> None:
        """End the session."""
        self.leave()

    def connect(self) -> ControlClient:
        """A new connection to the node; raises NotFound when there is none."""
        if self.directory is None:
            raise NotFound("No directory is in use.")
        return ControlClient.connect(self.directory)

    def _tell_listeners(self, *, served: bool) -> None:
        self._served = served
        for listener in self._listeners:
            listener(self.directory if served else None)


def _start_node(directory: Path, options: Sequence[str]) -> None:
    """Start a node in a process of its own; raises what it failed with."""
    command = [sys.executable, "-m", "vitra_node.cli", "serve", "--background", "--json"]
    done = subprocess.run(
        [*command, *options, "--dir", str(directory)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise _failure(done.stderr)


def _failure(said: str) -> VitraError:
    """The failure that a command with ``--json`` told of on stderr."""
    lines = said.strip().splitlines()
    try:
        error: dict[str, Any] = json.loads(lines[-1])["error"]
        family = FAMILIES[error["kind"]]
        return family(error["failed"], unchanged=error["unchanged"], advice=error["advice"])
    except (IndexError, KeyError, TypeError, ValueError):
        return InternalFault(f"The node did not start: {said.strip()[:200]}.")
