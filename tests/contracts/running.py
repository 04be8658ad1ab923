"""Compiling and running contracts in tests, each source compiled once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from vitra_node.contracts.compiler import compile_contract
from vitra_node.contracts.engine import AckView, ApplyRequest, CompiledContract
from vitra_node.contracts.worker import ContractWorker

ORIGIN = "ab" * 32
# A contract that does what it is told.
STEPS = Path(__file__).with_name("steps.js").read_text()

_compiled: dict[str, CompiledContract] = {}


async def compiled(source: str) -> CompiledContract:
    """The compiled source."""
    if source not in _compiled:
        _compiled[source] = await compile_contract(source)
    return _compiled[source]


@asynccontextmanager
async def running(source: str) -> AsyncIterator[ContractWorker]:
    """A worker with the source."""
    async with ContractWorker.open(await compiled(source)) as worker:
        yield worker


def request(op: Any, seq: int = 0, *, ts: int = 1_700_000_000_000, **rest: Any) -> ApplyRequest:
    """An operation to apply."""
    metadata = rest.pop("metadata", None)
    return ApplyRequest(op, AckView(ORIGIN, seq, ts, metadata), **rest)
