"""What a node measures of itself, for Prometheus (specs/11-control-api.md, "Metrics").

Numbers only, labelled by the name of the data directory: a database's key would let whoever scrapes
read the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from protocol.dht.handshake.noise_payload import Firewall as Nat
from protocol.encoding.paths import ACK_SEQ_DIGITS, ack_key

from ...config import Address
from ...storage.errors import BlockNotAvailable
from ..http.door import Receive, Scope, Send, answer_lifespan
from ..http.serving import bind, serving
from ..session import Session
from ..shapes import dht_shape

# What reads of an index may take together; whoever scrapes gives up after some seconds.
READ_SECONDS = 1.0

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

# Name without the prefix, sentence, whether it only grows, label beside the database.
_FAMILIES = {
    "peers": ("Peers that are connected now.", False, None),
    "index_blocks": ("Blocks of the index log.", False, None),
    "index_blocks_elsewhere": ("Blocks of the index that a connected peer has.", False, None),
    "operations": ("Operations of active oplogs, by the stage they have reached.", False, "stage"),
    "blocks_in": ("Blocks that peers gave us.", True, None),
    "blocks_out": ("Blocks that we sent to peers.", True, None),
    "validated_operations": ("Operations that the node's monitor has validated.", False, None),
    "verdict": ("1 for the verdict of the node's monitor, by verdict.", False, "verdict"),
    "frauds": ("Fraud proofs that are kept.", False, None),
    "executor_stopped": ("1 when the executor has stopped for a fault.", False, None),
    "worker_restarts": ("Contract processes that had to be replaced.", True, None),
    "peer_faults": ("Connections that ended because a peer broke the protocol.", True, None),
    "refused_connections": ("Connections refused because of a ban.", True, None),
    "banned_addresses": ("Addresses that are refused now.", False, None),
    "dht": ("Numbers of the DHT node, by what they count.", False, "what"),
    "dht_nat": ("1 for the NAT before the DHT node, by kind.", False, "kind"),
}

Sample = tuple[str, str, str | None, float]


class Metrics:
    """The numbers of all databases that this process serves.

    *Resource handling*: ``answering`` owns the port, ``door`` the place of one database.
    """

    def __init__(self) -> None:
        self._sessions: list[Session] = []
        self._registry = CollectorRegistry()
        self._latest = _Latest()
        ProcessCollector(registry=self._registry)
        self._registry.register(self._latest)

    @asynccontextmanager
    async def door(self, session: Session) -> AsyncIterator[dict[str, Any]]:
        """Measure this database too while in the block; a ``hosting.Door``."""
        self._sessions.append(session)
        try:
            yield {}
        finally:
            self._sessions.remove(session)

    @asynccontextmanager
    async def answering(self, address: Address) -> AsyncIterator[Address]:
        """Answer ``GET /metrics`` while in the block; gives the address with its real port.

        Raises NetworkProblem when the address cannot be had.
        """
        listener, bound = bind(address, loopback_only=False)
        async with serving(self._answer, listener):
            yield bound

    async def text(self) -> bytes:
        """All numbers as they are now, in Prometheus' text format."""
        samples: list[Sample] = []
        for session in tuple(self._sessions):
            name = "memory" if session.directory is None else session.directory.name
            samples += [(name, *sample) async for sample in _measure(session)]
        self._latest.samples = samples
        return generate_latest(self._registry)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
        if scope["type"] != "http":
            return
        found = scope["path"] == "/metrics" and scope["method"] in ("GET", "HEAD")
        body = await self.text() if found else b"There is GET /metrics.\n"
        kind = CONTENT_TYPE if found else b"text/plain"
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        status_code = 200 if found else 404
        await send({"type": "http.response.start", "status": status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Latest(Collector):
    """Hands the samples of the last look to the registry."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def collect(self) -> Iterable[Metric]:
        for name, (sentence, grows, label) in _FAMILIES.items():
            kind = CounterMetricFamily if grows else GaugeMetricFamily
            labels = ["database"] if label is None else ["database", label]
            family = kind(f"vitra_{name}", sentence, labels=labels)
            for database, measured, value_of_label, value in self.samples:
                if measured == name:
                    more = [] if value_of_label is None else [value_of_label]
                    family.add_metric([database, *more], value)
            yield family


async def _measure(session: Session) -> AsyncIterator[tuple[str, str | None, float]]:
    database = session.database
    connections = database.connections
    yield "peers", None, len(database.peers)
    yield "index_blocks", None, database.index.length
    yield "index_blocks_elsewhere", None, database.index.core.remote_length
    for stage, count in (await _stages(session)).items():
        yield "operations", stage, count
    logs = [database.index.core, *(oplog.core for oplog in database.oplogs)]
    yield "blocks_in", None, sum(log.replication.blocks_in for log in logs)
    yield "blocks_out", None, sum(log.replication.blocks_out for log in logs)
    for sample in _verdicts(session):
        yield sample
    yield "executor_stopped", None, float(database.executor_fault is not None)
    yield "worker_restarts", None, database.worker_restarts
    yield "peer_faults", None, connections.fault_count
    yield "refused_connections", None, connections.refused_count
    yield "banned_addresses", None, connections.bans.banned_count(trio.current_time())
    for sample in _network(session):
        yield sample


def _network(session: Session) -> Iterator[tuple[str, str | None, float]]:
    dht = dht_shape(session.database.network)
    if dht is None:
        return
    for what, value in dht.items():
        if isinstance(value, int):
            yield "dht", what, float(value)
    for kind in Nat:
        yield "dht_nat", kind.name.lower(), float(kind.name.lower() == dht["nat"])


def _verdicts(session: Session) -> Iterator[tuple[str, str | None, float]]:
    monitor = session.monitor
    yield "frauds", None, len(session.database.frauds())
    if monitor is not None:
        violated = monitor.violation is not None
        yield "validated_operations", None, monitor.validated
        yield "verdict", "violated", float(violated)
        yield "verdict", "verified", float(not violated)


async def _stages(session: Session) -> dict[str, int]:
    """Operations that are published, and of these executed; all of these are durable.

    Nothing where a sparse copy lacks the way to the acks, and no peer gives it soon.
    """
    with trio.move_on_after(READ_SECONDS), suppress(BlockNotAvailable):
        return await _counted(session)
    return {}


async def _counted(session: Session) -> dict[str, int]:
    index = session.database.index
    reached = {"published": 0, "executed": 0}
    for oplog in session.database.oplogs:
        if not oplog.active:
            continue
        reached["published"] += oplog.length
        prefix = ack_key(oplog.key, 0)[:-ACK_SEQ_DIGITS]
        async for key, _, _ in index.entries(prefix, prefix + b"\xff", reverse=True):
            reached["executed"] += int(key[-ACK_SEQ_DIGITS:]) + 1
            break
    return reached
