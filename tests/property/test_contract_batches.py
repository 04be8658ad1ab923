"""A batch gives what its operations give one by one, whatever they read of each other."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import compiled, request
from vitra_node.contracts.engine import ApplyRequest, ApplyResult
from vitra_node.contracts.worker import ContractWorker

CONTRACT = """
import { index } from 'contract'
export const apply = {
  async RUN (tx, op) {
    const seen = []
    for (const [kind, path, extra] of op.steps) {
      if (kind === 'put') tx.put(path, extra)
      if (kind === 'delete') tx.delete(path)
      const entry = kind === 'get' ? await index.get(path) : undefined
      if (kind === 'get') seen.push(entry ? [entry.path, entry.value] : null)
      if (kind === 'entry') seen.push(await index.get(path) ?? null)
      const list = kind === 'list' ? await index.list(path, extra) : []
      if (kind === 'list') seen.push(list.map(e => [e.name, e.container, e.value]))
      if (kind === 'entries') seen.push(await index.list(path, extra))
      if (kind === 'throw') throw new Error(JSON.stringify(seen))
    }
    tx.put(`/log/${op.number}`, seen)
  }
}
"""

NAMES = ["a", "b", "é", "\uffff", "😀", "a\x01"]
paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(lambda n: "/" + "/".join(n))
folders = st.just("/") | paths | st.sampled_from(["/log", "/.sys", "/.sys/acks"])
options = st.fixed_dictionaries(
    {},
    optional={
        "gt": st.sampled_from(NAMES),
        "gte": st.sampled_from(NAMES),
        "lt": st.sampled_from(NAMES),
        "lte": st.sampled_from(NAMES),
        "limit": st.integers(0, 4),
        "reverse": st.booleans(),
    },
)
steps = st.one_of(
    st.tuples(st.just("put"), paths, st.sampled_from([1, "x", None, {"k": [1]}])),
    st.tuples(st.just("delete"), paths),
    st.tuples(st.just("get"), paths),
    st.tuples(st.just("entry"), paths),
    st.tuples(st.just("list"), folders, options),
    st.tuples(st.just("entries"), folders, options),
    st.tuples(st.just("throw"), paths),
)
operations = st.lists(st.lists(steps, max_size=6), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def worker() -> Iterator[ContractWorker]:
    """One worker for all examples; blocking, so that it belongs to no run of trio."""
    worker = ContractWorker(trio.run(compiled, CONTRACT), blocking=True)
    yield worker
    worker.close()


async def _replay(
    worker: ContractWorker, host: MemoryHost, requests: list[ApplyRequest], size: int
) -> list[ApplyResult]:
    results: list[ApplyResult] = []
    while len(results) < len(requests):
        part = requests[len(results) : len(results) + size]
        done = await worker.apply(part, host)
        assert 1 <= len(done) <= len(part)
        for one, result in zip(part, done, strict=False):
            host.commit(one, result)
        results += done
    return results


@given(before=st.dictionaries(paths, st.integers(0, 9), max_size=6), operations=operations)
@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_batch_equals_single(
    worker: ContractWorker, before: dict[str, int], operations: list[list[Any]]
) -> None:
    requests = [
        request({"op": "RUN", "number": number, "steps": [list(step) for step in op]}, number)
        for number, op in enumerate(operations)
    ]
    host = MemoryHost({"/.sys/acks/genesis": {}, **before})
    other = deepcopy(host)
    single = trio.run(_replay, worker, host, requests, 1)
    batch = trio.run(_replay, worker, other, requests, len(requests))
    assert batch == single
    assert other.entries_by_key == host.entries_by_key
