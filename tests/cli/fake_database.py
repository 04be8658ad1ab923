"""A database in memory with the interface that the control API uses, and no logs behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import trio

from protocol.encoding.msgpack import pack
from protocol.encoding.paths import parse_path
from protocol.transparency.frauds import ContractFraudProof as ProtocolProof
from protocol.transparency.frauds import Verified, Violation, ViolationCode
from protocol.transparency.replay.state import START
from vitra_node.auditing import VerifyReport
from vitra_node.config import Address
from vitra_node.contracts.engine import Entry, Method
from vitra_node.database import Database
from vitra_node.errors import NotAllowed, NotFound
from vitra_node.frauds import ContractFraudProof
from vitra_node.ledger.index import HistoryEntry
from vitra_node.progress import Progress
from vitra_node.roles.monitor import Undecided, Validated, ViolationFound
from vitra_node.transactions import Operation, Result

KEY = bytes(range(32))
OPLOG_KEY = bytes(range(1, 33))


def a_fraud(file: Path | None = None) -> ContractFraudProof:
    """A proof as the auditor makes it."""
    violation = Violation(ViolationCode.CHANGE_MISMATCH, "it is 1, and must be 3", seq=9)
    return ContractFraudProof("f" * 32, ProtocolProof(KEY, 10, None, violation), file)


class AsyncList:
    """An asynchronous iterator that may be left at any point, like the real history."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = iter(items)

    def __aiter__(self) -> AsyncList:
        return self

    async def __anext__(self) -> Any:
        for item in self._items:
            return item
        raise StopAsyncIteration


@dataclass
class FakeIndex:
    """Values by path; the history is the order of the puts."""

    values: dict[str, Any] = field(default_factory=dict)
    core: Any = field(
        default_factory=lambda: SimpleNamespace(
            fork=0, discovery_key=bytes(32), wait_for_activity=trio.sleep_forever
        )
    )

    @property
    def length(self) -> int:
        return len(self.values) + 1

    @property
    def stored_blocks(self) -> int:
        return self.length

    async def get(self, path: str) -> Entry | None:
        if path not in self.values:
            return None
        seq = list(self.values).index(path) + 1
        return Entry(False, seq, path.rpartition("/")[2], path, self.values[path])

    async def list(
        self, path: str, *, reverse: bool = False, limit: int | None = None, offset: int = 0
    ) -> list[Entry]:
        prefix = path.rstrip("/") + "/"
        paths = sorted((p for p in self.values if p.startswith(prefix)), reverse=reverse)
        found = [await self.get(p) for p in paths]
        entries = [entry for entry in found if entry is not None][offset:]
        return entries if limit is None else entries[:limit]

    def history(
        self, *, start: int = 1, end: int | None = None, reverse: bool = False
    ) -> AsyncIterator[HistoryEntry]:
        entries = [
            HistoryEntry(number, "put", path, value)
            for number, (path, value) in enumerate(self.values.items(), 1)
            if number >= start and (end is None or number < end)
        ]
        return AsyncList(entries)

    def checkout(self, version: int) -> FakeIndex:
        return self

    def snapshot(self) -> FakeIndex:
        return self

    def entries(
        self, gte: bytes, lt: bytes, *, reverse: bool = False
    ) -> AsyncIterator[tuple[bytes, int, Any]]:
        found = [
            (parse_path(path), number, value)
            for number, (path, value) in enumerate(self.values.items(), 1)
        ]
        return AsyncList(sorted((e for e in found if gte <= e[0] < lt), reverse=reverse))

    async def get_key(self, key: bytes) -> Entry | None:
        return None

    async def participants(self) -> dict[bytes, bool]:
        return {OPLOG_KEY: True}

    async def dangerous_batch(self, changes: Sequence[Mapping[str, Any]]) -> None:
        for change in changes:
            if change["type"] == "put":
                self.values[change["path"]] = change["value"]
            else:
                self.values.pop(change["path"], None)


@dataclass
class FakeOplog:
    """An oplog whose blocks are in a list."""

    key: bytes = OPLOG_KEY
    active: bool = True
    writable: bool = True
    blocks: list[bytes] = field(default_factory=list)

    @property
    def length(self) -> int:
        return len(self.blocks)

    @property
    def core(self) -> Any:
        async def get(seq: int, *, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
            return self.blocks[seq]

        return SimpleNamespace(get=get, discovery_key=self.key)


@dataclass
class FakeTransaction:
    """Executed at once, unless ``stuck``."""

    id: str | None
    method: str
    params: Any
    response: Any
    operations: list[Operation]
    refused: str | None = None

    async def acks(self) -> list[tuple[int, dict[str, Any]] | None]:
        ack = {"success": self.refused is None, "error": self.refused, "numChanges": 1}
        return [(5, ack) for _ in self.operations]

    async def is_processed(self) -> bool:
        return True

    async def when_processed(self) -> None:
        return

    async def results(self) -> list[Result]:
        change = HistoryEntry(6, "put", "/counter", 2)
        acks = [ack for ack in await self.acks() if ack is not None]
        return [
            Result(operation, fields, seq, [change])
            for operation, (seq, fields) in zip(self.operations, acks, strict=True)
        ]

    async def stage(self) -> str:
        return "committed"


class FakeDatabase:
    """What ``Database`` offers to the API; ``calls`` records what was asked of the contract."""

    def __init__(self) -> None:
        self.key = KEY
        self.index = FakeIndex({"/counter": 3, "/users/ann": {"age": 7}, "/blob": b"\x00\xff"})
        self.oplogs = [FakeOplog()]
        self.local_oplog: FakeOplog | None = self.oplogs[0]
        self.is_executor = True
        self.is_participant = True
        self.is_sparse = False
        self.executor_fault: str | None = None
        self.out_of_reach: str | None = None
        self.contract_walls: frozenset[str] | None = None
        self.forks: list[Any] = []
        self.unconfirmed: list[bytes] = []
        self.peers: list[Address] = []
        self.network: Any = None
        self.calls: list[tuple[str, Any]] = []
        self.made: list[FakeTransaction] = []
        self.refusal: str | None = None
        self.audited: dict[str, Any] = {}
        self.report: VerifyReport | ContractFraudProof = VerifyReport("verified", 4, 12, 0.25)
        self.events: list[Any] = [Validated((), 0, 4), Undecided("CannotFetchOp", "gone", 4)]
        self.kept: list[ContractFraudProof] = [a_fraud()]

    @property
    def connections(self) -> Any:
        return SimpleNamespace(
            open=[
                SimpleNamespace(
                    address=str(peer),
                    remote_public_key=bytes(32),
                    handshake=None,
                    initiator=True,
                    opened_at=trio.current_time(),
                    session=None,
                )
                for peer in self.peers
            ]
        )

    async def call(self, method: str, params: Any = None) -> FakeTransaction:
        self.calls.append((method, params))
        if method == "bug":
            raise ZeroDivisionError("a bug")
        if method not in ("get", "increment"):
            raise NotFound(f"The contract has no method {method!r}.", unchanged="Nothing.")
        operations = []
        if method == "increment":
            self.oplogs[0].blocks.append(pack(params))
            operations = [Operation(OPLOG_KEY, self.oplogs[0].length - 1, params)]
        response = 3 if method == "get" else None
        tx = FakeTransaction(f"{len(self.made):032x}", method, params, response, operations)
        tx.refused = self.refusal
        self.made.append(tx)
        return tx

    async def rollback(self, to: int | None) -> FakeTransaction:
        return await self.call("increment", {"op": "/.sys/rollback", "to": to})

    async def rollback_votes(self) -> dict[bytes, int]:
        return {OPLOG_KEY: 1}

    async def contract_source(self) -> str:
        return "export const apply = {}\n"

    async def methods(self) -> list[Method]:
        return [Method("get", ()), Method("increment", ("opts",))]

    async def create_oplog(self) -> FakeOplog:
        oplog = FakeOplog(bytes([len(self.oplogs)]) * 32, active=False)
        self.oplogs.append(oplog)
        return oplog

    async def set_local_oplog(self, key: bytes | None) -> None:
        raise NotAllowed("It is not our own.")

    async def delete_oplog(self, key: bytes) -> None:
        self.oplogs = [oplog for oplog in self.oplogs if oplog.key != key]

    async def transactions(self) -> list[FakeTransaction]:
        return self.made

    async def transaction(self, identifier: str) -> FakeTransaction | None:
        return next((tx for tx in self.made if tx.id == identifier), None)

    async def verify(
        self,
        *,
        jobs: int = 1,
        start: int = 1,
        sample: float | None = None,
        seed: str | None = None,
        progress: Progress | None = None,
    ) -> VerifyReport:
        self.audited = {"jobs": jobs, "start": start, "sample": sample, "seed": seed}
        if isinstance(self.report, ContractFraudProof):
            raise self.report
        return self.report

    @asynccontextmanager
    async def monitor(self) -> AsyncIterator[AsyncIterator[Any]]:
        yield AsyncList(self.events)

    def frauds(self) -> list[ContractFraudProof]:
        return self.kept

    def fraud(self, identifier: str) -> ContractFraudProof:
        for fraud in self.kept:
            if fraud.id == identifier:
                return fraud
        raise NotFound(f"There is no fraud proof {identifier} here.")

    async def verify_transaction(self, tx: Any) -> Verified:
        return Verified(START)

    async def prove_transaction(self, tx: Any) -> list[Any]:
        return []

    async def connect(self, host: str, port: int) -> None:
        self.peers.append(Address(host, port))

    async def sync(self, full: bool = False, progress: Progress | None = None) -> None:
        return

    def as_database(self) -> Database:
        """This, for code that is typed for the real one."""
        return cast(Database, self)


def violation_event() -> ViolationFound:
    """What a monitor tells when it found a fraud."""
    return ViolationFound(a_fraud(Path("/tmp/proof.json")))
