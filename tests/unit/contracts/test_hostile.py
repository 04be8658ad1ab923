"""Hostile operations: contained, judged alike everywhere, followed by one that finds nothing."""

from __future__ import annotations

import pytest

from tests.contracts.hostile import NAMES, SOURCE, UNDECIDED, WRITTEN
from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import compiled, request
from vitra_node.contracts import worker as worker_module
from vitra_node.contracts.engine import AddOplog, ApplyResult, Put
from vitra_node.contracts.errors import HostFault
from vitra_node.contracts.worker import ContractWorker


def host() -> MemoryHost:
    return MemoryHost({"/a": 1, f"/.sys/inputs/{'aa' * 32}": {"active": True}})


def test_there_are_enough() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 120


async def alone(name: str, worker: ContractWorker) -> ApplyResult | None:
    """What comes of a script in a batch of its own; None when nothing does."""
    try:
        (result,) = await worker.apply([request({"op": name}, 1)], host())
    except HostFault:
        return None
    return result


async def test_hostile_operations_get_the_same_verdict_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Fuel decides here; a busy machine must not.
    monkeypatch.setattr(worker_module, "APPLY_MILLISECONDS", 300_000)
    contract = await compiled(SOURCE)
    verdicts: dict[str, ApplyResult] = {}
    async with ContractWorker.open(contract) as worker:
        (probe,) = await worker.apply([request({"op": "PROBE"}, 2)], host())
        assert probe.success, probe.error
        for name in (each for each in NAMES if each not in UNDECIDED):
            batch = [request({"op": op}, seq) for seq, op in enumerate(("PROBE", name, "PROBE"))]
            results = await worker.apply(batch, host())
            while len(results) < 3:
                results += await worker.apply(batch[len(results) :], host())
            before, verdicts[name], after = results
            assert before.changes == after.changes == probe.changes, name
    # Again in another process, in reverse order and each alone.
    async with ContractWorker.open(contract) as worker:
        for name in reversed(verdicts):
            assert await alone(name, worker) == verdicts[name], name
        assert (await worker.apply([request({"op": "PROBE"}, 2)], host())) == [probe]
    ended = verdicts.values()
    fuel = sum(verdict.error == "out of fuel" for verdict in ended)
    fine = sum(verdict.success for verdict in ended)
    print(f"\n{len(NAMES)} scripts: {fuel} out of fuel, {len(ended) - fuel - fine} other errors, "
          f"{fine} harmless")  # fmt: skip
    for verdict in ended:
        for change in verdict.changes:
            assert isinstance(change, Put | AddOplog)
            assert not isinstance(change, Put) or change.path in WRITTEN


@pytest.mark.parametrize("name", sorted(UNDECIDED))
async def test_undecided_scripts_leave_a_worker_that_works(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "APPLY_MILLISECONDS", 1500)
    async with ContractWorker.open(await compiled(SOURCE)) as worker:
        assert await alone(name, worker) is None
        assert await alone("PROBE", worker) is not None
