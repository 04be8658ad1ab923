"""The contract worker alone: the counter's operations without a log, a commit, or a database.

There is nothing live to compare with. The reference is Node 20 with ``isolated-vm`` on a machine of
the same kind: 7,500 of these operations a second, each in a fresh context.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from tests.contract_sources import COUNTER
from tests.contracts.memory_host import MemoryHost
from vitra_node.contracts.compiler import compile_contract
from vitra_node.contracts.engine import AckView, ApplyRequest, CompiledContract
from vitra_node.contracts.worker import ContractWorker

from .processes import Side, run_step
from .resident_memory import resident_bytes
from .stopwatch import Stopwatch
from .subject import Row, Subject

_GROUP_OPERATIONS = 100
_ORIGIN = "ab" * 32


async def apply(watch: Stopwatch, path: str, operations: int, singles: int) -> None:
    """Open a contract, apply operations in groups, then one by one."""
    cache = Path(path)
    contract = await _open(watch, "open-new", cache)
    contract = await _open(watch, "open-known", cache)
    host = MemoryHost({"/counter": 1})
    async with ContractWorker.open(contract) as worker:
        await worker.apply([_request(0)], host)
        with watch.rate("apply-batch", operations):
            for first in range(0, operations, _GROUP_OPERATIONS):
                group = [_request(first + number) for number in range(_GROUP_OPERATIONS)]
                results = await worker.apply(group, host)
                assert len(results) == len(group)
                assert all(result.success for result in results)
        taken = []
        with watch.profiled("apply-single"):
            for seq in range(singles):
                begun = time.perf_counter()
                await worker.apply([_request(seq)], host)
                taken.append((time.perf_counter() - begun) * 1000)
        watch.values["apply-single"] = statistics.median(taken)
        watch.values["worker-memory"] = resident_bytes(*worker.pids) / 1e6


async def _open(watch: Stopwatch, row: str, cache: Path) -> CompiledContract:
    """Compile, or find what was compiled; start a worker; and see the first operation applied."""
    with watch.seconds(row):
        contract = await compile_contract(COUNTER, cache_dir=cache)
        async with ContractWorker.open(contract) as worker:
            [result] = await worker.apply([_request(0)], MemoryHost())
    watch.values[row] *= 1000
    assert result.success
    return contract


def _request(seq: int) -> ApplyRequest:
    return ApplyRequest(
        {"op": "INCREMENT", "amount": 1}, AckView(_ORIGIN, seq, 1_700_000_000_000 + seq)
    )


def _measure(side: Side, directory: Path, quick: bool, profile: bool) -> Mapping[str, float]:
    operations, singles = (200, 50) if quick else (10_000, 2_000)
    return run_step(
        side,
        "contracts-apply",
        profile,
        path=directory / "compiled",
        operations=operations,
        singles=singles,
    )


SUBJECT = Subject(
    "contracts",
    (
        Row(
            "apply-batch",
            "counter operations in the worker, batches of 100",
            "ops/s",
            bar=8000,
            reference="isolated-vm alone 7,500",
        ),
        Row(
            "apply-single",
            "one operation to the worker and back, median",
            "ms",
            bar=0.4,
            less_is_better=True,
            reference="not measured",
        ),
        Row(
            "open-new",
            "a new contract, to its first operation",
            "ms",
            bar=1500,
            less_is_better=True,
            reference="not measured",
        ),
        Row(
            "open-known",
            "a known contract, to its first operation",
            "ms",
            bar=250,
            less_is_better=True,
            reference="not measured",
        ),
        Row(
            "worker-memory",
            "memory of one worker",
            "MB",
            bar=60,
            less_is_better=True,
            reference="not measured",
        ),
    ),
    _measure,
    has_theirs=False,
)
