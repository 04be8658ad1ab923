"""Tells of what happens to the database while the user does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...api.client import ControlClient
from ...errors import NetworkProblem, VitraError
from ..output import safe_text

Say = Callable[[str], None]

_AT_FAULT = {
    "executor": "The executor did this: others may have been shown another database.",
    "participant": "That participant did this, and nobody else; the log grows no more here.",
    None: "Whoever writes that log did this; it grows no more here.",
}


class Announcer:
    """Watches the node of one directory at a time, from a thread of its own.

    Resource handling: ``watch(None)`` ends the thread and its connection; nothing is said after it
    returned.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._client: ControlClient | None = None
        self._seen: dict[Path, dict[str, Any]] = {}
        self._thread: threading.Thread | None = None

    def watch(self, directory: Path | None) -> None:
        """Tell of this directory's node from now on; of none with None."""
        self._end()
        if directory is None:
            return
        try:
            client = ControlClient.connect(directory)
        except VitraError:
            # No node serves it, so there is nothing to tell.
            return
        self._client = client
        self._thread = threading.Thread(target=self._listen, args=(client, directory), daemon=True)
        self._thread.start()

    def _end(self) -> None:
        client, thread = self._client, self._thread
        self._client = self._thread = None
        if client is not None:
            client.interrupt()
        if thread is not None:
            thread.join()

    def _listen(self, client: ControlClient, directory: Path) -> None:
        with client, suppress(VitraError):
            try:
                with client.stream("node.watch") as states:
                    for state in states:
                        # Kept for the directory: what was told is not told again after .bg and .fg.
                        for sentence in news(self._seen.get(directory, {}), state):
                            self._tell(client, sentence)
                        self._seen[directory] = state
            except NetworkProblem:
                self._tell(client, "The node of this directory has stopped.")

    def _tell(self, client: ControlClient, sentence: str) -> None:
        if self._client is client:
            self._say(sentence)


def news(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Sentences for what the user should hear of between two states of a node."""
    said = []
    violation = now.get("violation")
    if violation and violation != before.get("violation"):
        reason = safe_text(str(violation.get("reason")))
        said.append(
            f"VIOLATION: {violation.get('code')}: {reason}\n"
            "This is serious. See .fraudlist, and .fraud with the id there."
        )
    known = {fork["id"] for fork in before.get("forks", ())}
    for fork in now.get("forks", ()):
        # A monitor tells of a forked index as a violation.
        if fork["id"] not in known and not (violation and violation.get("id") == fork["id"]):
            said.append(
                f"FORK: {safe_text(str(fork.get('reason')))}\n"
                f"{_AT_FAULT.get(fork.get('whose'), _AT_FAULT[None])} "
                f"See the proof with .fraud {safe_text(str(fork['id']))}."
            )
    fault = now.get("executor_fault")
    if fault and fault != before.get("executor_fault"):
        said.append(f"The executor has stopped: {safe_text(str(fault))}")
    return said
