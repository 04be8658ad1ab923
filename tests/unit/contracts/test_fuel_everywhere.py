"""What an operation costs, and what comes of it, is the same on every node.

One worker has the contract as the compiler just made it, applies each operation alone and starts a
new process now and then; the other has it from the cache and applies seven at once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from protocol.encoding.msgpack import unpack_untrusted
from protocol.errors import DecodeError
from tests.contracts.memory_host import MemoryHost
from tests.contracts.random_operations import OperationSource
from tests.contracts.random_programs import PARAMETERS, SUPPORT, programs
from tests.contracts.running import request
from vitra_node.contracts.compiler import compile_contract
from vitra_node.contracts.engine import ApplyRequest, ApplyResult, CompiledContract
from vitra_node.contracts.worker import ContractWorker

OPERATIONS = 60
PROGRAMS = 8


async def outcomes(
    contract: CompiledContract, requests: Sequence[ApplyRequest], group: int, restarts: int = 0
) -> list[ApplyResult]:
    """What comes of operations, each on the index that those before it left."""
    host = MemoryHost({f"/.sys/inputs/{'ab' * 32}": {"active": True}, "/a": 1})
    results: list[ApplyResult] = []
    async with ContractWorker.open(contract) as worker:
        while len(results) < len(requests):
            batch = requests[len(results) : len(results) + group]
            given = await worker.apply(batch, host)
            for one, result in zip(batch, given, strict=False):
                host.commit(one, result)
            results += given
            if restarts and len(results) % restarts == 0:
                worker.close()
    return results


async def assert_same(source: str, requests: Sequence[ApplyRequest], cache: Path) -> list[float]:
    """Run them twice; gives what each cost."""
    cold = await compile_contract(source, cache_dir=cache)
    known = await compile_contract(source, cache_dir=cache)
    alone = await outcomes(cold, requests, 1, restarts=5)
    together = await outcomes(known, requests, 7)
    for one, first, second in zip(requests, alone, together, strict=True):
        assert first == second, one.op
    return [result.fuel for result in alone]


@pytest.mark.parametrize("name", ["kv-store", "package-registry", "random", "composed"])
async def test_operations_cost_the_same_everywhere(name: str, tmp_path: Path) -> None:
    source = OperationSource(name, 1)
    contract = source.contract()
    requests: list[ApplyRequest] = []
    while len(requests) < OPERATIONS:
        try:
            op = unpack_untrusted(source.block())
        except DecodeError:
            continue
        requests.append(request(op, len(requests), run_process=True))
    fuel = await assert_same(contract, requests, tmp_path)
    assert len(set(fuel)) > 3


async def test_random_programs_cost_the_same_everywhere(tmp_path: Path) -> None:
    bodies = [f"play(async ({PARAMETERS}) => {{\n{text}\n}})" for text in programs(1, PROGRAMS)]
    handlers = "".join(
        f"  async P{n} (tx) {{ tx.put('/out', await {body}) }},\n" for n, body in enumerate(bodies)
    )
    order = random.Random(1).choices(range(PROGRAMS), k=OPERATIONS)
    requests = [request({"op": f"P{n}"}, seq) for seq, n in enumerate(order)]
    fuel = await assert_same(
        f"{SUPPORT}export const apply = {{\n{handlers}}}\n", requests, tmp_path
    )
    # A program costs the same whatever ran before it.
    assert len(set(zip(order, fuel, strict=True))) == len(set(order))
