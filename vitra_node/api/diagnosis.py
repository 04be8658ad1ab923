"""Why is nothing syncing? Questions about a running node, each with an answer and advice.

What a directory needs before anything is exchanged is asked in ``home_diagnosis``.

A check is a line of ``CHECKS``: add one there. They are asked in order, from the socket up to the
blocks; the first that is a problem is usually the cause of those after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import trio

from ..contracts.confinement import LANDLOCK_FILES, SECCOMP, WALLS, missing_walls
from ..net.swarm.swarm import Swarm
from .session import Session

OK, PROBLEM, OFF = "ok", "problem", "off"


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question.

    Attributes:
      state: ``OK``, ``PROBLEM``, or ``OFF`` where the question does not arise.
      text: what was found, one sentence.
      advice: what to try; empty when nothing is wrong.
    """

    state: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One question: its name in JSON, and who answers it."""

    name: str
    probe: Callable[[Session], Finding]


def diagnose(session: Session) -> list[dict[str, Any]]:
    """All findings, in order."""
    return shapes_of([(check.name, check.probe(session)) for check in CHECKS])


def shapes_of(found: Iterable[tuple[str, Finding]]) -> list[dict[str, Any]]:
    """Findings by name as they are sent."""
    return [
        {"name": name, "state": each.state, "text": each.text, "advice": each.advice}
        for name, each in found
    ]


def _with_swarm(probe: Callable[[Session, Swarm], Finding]) -> Callable[[Session], Finding]:
    def answer(session: Session) -> Finding:
        swarm = session.database.network
        if swarm is None:
            return Finding(OFF, "The node uses direct connections only.")
        return probe(session, swarm)

    return answer


def _executor(session: Session) -> Finding:
    fault = session.database.executor_fault
    if fault is None:
        return Finding(OK, "Nothing stopped this node from working.")
    return Finding(PROBLEM, f"The executor stopped: {fault}", "See `vitra logs`.")


def _contracts(session: Session) -> Finding:
    walls = session.database.contract_walls
    if walls is None:
        return Finding(OFF, "No contract has run here since the node started.")
    missing = missing_walls(walls)
    if not missing:
        return Finding(OK, f"Contracts are confined by {', '.join(WALLS)}.")
    text = f"This kernel does not confine contracts by {', '.join(missing)}."
    advice = "A newer kernel has it; until then give the node a user of its own."
    # Either of the two keeps a contract from files.
    enough = not walls.isdisjoint({SECCOMP, LANDLOCK_FILES})
    return Finding(OK if enough else PROBLEM, text, advice)


def _reachable(session: Session) -> Finding:
    database, node = session.database, session.node
    ways = []
    if node is not None and node.listen is not None:
        ways.append(f"it listens at {node.listen}")
    if database.network is not None:
        ways.append("it is in a swarm")
    if database.connections.open:
        ways.append("it is connected")
    if ways:
        return Finding(OK, f"There is a way to others: {', '.join(ways)}.")
    return Finding(
        PROBLEM,
        "The node knows no way to others: no swarm, no listening address, no peer.",
        "Serve without --no-swarm, or with --listen or --peer.",
    )


def _socket(session: Session, swarm: Swarm) -> Finding:
    host, port = swarm.dht.local_address
    return Finding(OK, f"UDP {host}:{port} is open.")


def _bootstrap(session: Session, swarm: Swarm) -> Finding:
    nodes = len(swarm.dht.nodes)
    if nodes:
        return Finding(OK, f"The network answers; nodes known: {nodes}.")
    answered, _ = swarm.dht.answered
    if answered:
        return Finding(
            PROBLEM,
            "The nodes of the network that were known do not answer any more.",
            "Check this machine's network; the bootstrap nodes are asked again and again.",
        )
    waits = "" if swarm.dht.bootstrapped else " yet"
    return Finding(
        PROBLEM,
        f"No node of the network has answered{waits}.",
        "Check --bootstrap or VITRA_BOOTSTRAP, and that UDP may leave this machine.",
    )


def _nat(session: Session, swarm: Swarm) -> Finding:
    words = {
        "OPEN": "Strangers reach this node directly.",
        "CONSISTENT": "A NAT keeps ports the same, so peers can punch through it.",
        "RANDOM": "A NAT gives each peer another port; peers behind such a one cannot be reached.",
    }
    kind = swarm.dht.nat.name
    return Finding(OK, words.get(kind, "What NAT there is has not been found out."))


def _announced(session: Session, swarm: Swarm) -> Finding:
    wanted = [topic for topic in swarm.topics if topic.server]
    if not wanted:
        return Finding(OK, "There is nothing here yet to be found for.")
    missing = [topic for topic in wanted if topic.announced_at is None]
    if not missing:
        return Finding(OK, f"Logs announced: {len(wanted)} of {len(wanted)}.")
    failure = next((topic.failure for topic in missing if topic.failure), "it has only begun")
    return Finding(
        PROBLEM,
        f"{len(missing)} of {len(wanted)} logs are not announced: {failure}.",
        "Wait a little; it is tried again and again.",
    )


def _found(session: Session, swarm: Swarm) -> Finding:
    if session.database.connections.open:
        return Finding(OK, "There are peers.")
    topic = next(t for t in swarm.topics if t.topic == session.database.index.core.discovery_key)
    if topic.found:
        return Finding(OK, f"Peers that the network names: {topic.found}.")
    if session.database.is_executor:
        return Finding(OK, "Nobody else is there; this node is the executor.")
    reason = f": {topic.failure}" if topic.failure else ""
    return Finding(
        PROBLEM,
        f"The network names nobody who has this database{reason}.",
        "Check that its executor serves it, in the same network; it is looked for again and again.",
    )


def _connected(session: Session) -> Finding:
    database = session.database
    count = len(database.connections.open)
    if count:
        return Finding(OK, f"Connections that stand: {count}.")
    swarm = database.network
    reasons = [] if swarm is None else [p.failure for p in swarm.peers if p.failure]
    reasons += [
        f"{each.address}: {each.error}" for each in list(database.connections.failures)[-1:]
    ]
    if reasons:
        return Finding(
            PROBLEM,
            f"No connection stands. The last one failed: {reasons[-1]}.",
            "Check that the peer runs; it is called again by itself.",
        )
    if database.is_executor:
        return Finding(OK, "Nobody is connected, and nobody failed to be.")
    if swarm is not None and swarm.peers:
        return Finding(
            PROBLEM,
            f"No connection stands yet; peers being called: {len(swarm.peers)}.",
            "Ask again in half a minute: then it stands, or the reason is known.",
        )
    return Finding(PROBLEM, "No connection stands.", "See the checks above.")


def _blocks(session: Session) -> Finding:
    core = session.database.index.core
    if core.writable:
        return Finding(OK, f"The index is written here; it has {core.length} blocks.")
    remote = max(core.replication.remote_length, core.length)
    if core.length and core.length >= remote and core.contiguous_length == core.length:
        return Finding(OK, f"All {core.length} blocks of the index that peers have are here.")
    connected = len(session.database.connections.open)
    stored = session.database.index.stored_blocks
    if session.database.is_sparse and core.length >= remote > 0 and connected:
        return Finding(
            OK,
            f"This copy is sparse: {stored} of {core.length} blocks of the index are here. Others "
            "are fetched when they are read.",
        )
    if not connected:
        here = f"{stored} blocks of the index are" if core.length else "Nothing is"
        return Finding(PROBLEM, f"{here} here, and nobody is connected.", "See the checks above.")
    if not core.replication.peer_count:
        return Finding(
            PROBLEM,
            f"None of the connected peers ({connected}) has this database.",
            "Check the key; peers of another database do not help.",
        )
    if not remote:
        return Finding(
            PROBLEM,
            "Nothing of the index is here, and no connected peer has any of it.",
            "They wait for it as well: see that the executor serves it.",
        )
    return Finding(
        PROBLEM,
        f"{core.contiguous_length} of {remote} blocks of the index are here.",
        "Wait; if it stays so, the peers that have the rest do not send it.",
    )


CHECKS: tuple[Check, ...] = (
    Check("executor", _executor),
    Check("contracts", _contracts),
    Check("reachable", _reachable),
    Check("socket", _with_swarm(_socket)),
    Check("bootstrap", _with_swarm(_bootstrap)),
    Check("nat", _with_swarm(_nat)),
    Check("announced", _with_swarm(_announced)),
    Check("found", _with_swarm(_found)),
    Check("connected", _connected),
    Check("blocks", _blocks),
)


def peer_lines(session: Session) -> list[dict[str, Any]]:
    """The connected peers: who, how, since when, how much, by which topics."""
    database = session.database
    swarm = database.network
    by_connection = {
        id(each.connection): each.peer for each in (swarm.connections if swarm else ())
    }
    names = {database.index.core.discovery_key: "index"}
    names |= {each.core.discovery_key: each.key.hex() for each in database.oplogs}
    lines = []
    for connection in database.connections.open:
        peer = by_connection.get(id(connection))
        live = connection.session
        lines.append(
            {
                "address": connection.address,
                "key": connection.remote_public_key.hex(),
                "via": "direct" if connection.handshake is None else "swarm",
                "initiator": connection.initiator,
                "seconds": round(trio.current_time() - connection.opened_at, 1),
                "bytes_read": 0 if live is None else live.bytes_read,
                "bytes_written": 0 if live is None else live.bytes_written,
                "topics": [names.get(t, t.hex()) for t in peer.topics] if peer else [],
            }
        )
    return lines
