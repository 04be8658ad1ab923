"""The example contracts that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vitra_node.contracts
from tests.contracts.memory_host import MemoryHost
from tests.contracts.running import running
from vitra_node.contracts.engine import (
    AckView,
    AddOplog,
    ApplyRequest,
    ApplyResult,
    Delete,
    OplogInfo,
    Put,
    RemoveOplog,
)
from vitra_node.contracts.worker import ContractWorker

EXAMPLES = Path(vitra_node.contracts.__file__).parent / "examples"
A, B, C, D = ("aa" * 32, "bb" * 32, "cc" * 32, "dd" * 32)


def example(name: str) -> str:
    return (EXAMPLES / name).read_text()


async def test_counter() -> None:
    async with running(example("counter.js")) as worker:
        host = MemoryHost()
        assert (await worker.call("get", None, host)).response == 0
        for params, amount in ((None, 1), ({"amount": 5}, 5), ({"amount": "x"}, 1)):
            (op,) = (await worker.call("increment", params, host)).operations
            assert op == {"op": "INCREMENT", "amount": amount}
        requests = [
            ApplyRequest({"op": "INCREMENT", "amount": 2}, AckView(A, seq, 1)) for seq in range(100)
        ]
        results = await worker.apply(requests, host)
        assert [result.changes for result in results] == [
            (Put("/counter", 2 * (n + 1)),) for n in range(100)
        ]
        assert host.gets.count("/counter") == 2
        for one, result in zip(requests, results, strict=True):
            host.commit(one, result)
        assert (await worker.call("get", None, host)).response == 200


async def test_key_value_store() -> None:
    async with running(example("kv-store.js")) as worker:
        host = MemoryHost()

        async def call(method: str, **params: Any) -> Any:
            result = await worker.call(method, params, host)
            for op in result.operations:
                one = ApplyRequest(op, AckView(A, host.length, 1))
                (done,) = await worker.apply([one], host)
                assert done.success, done.error
                host.commit(one, done)
            return result.response

        await call("put", path="/a/b", value={"x": [1]})
        await call("put", path="/c", value=None)
        assert (await call("get", path="/a/b"))["value"] == {"x": [1]}
        names = [(e["name"], e["container"]) for e in await call("list", path="/", gte="a")]
        assert names == [("a", True), ("c", False)]
        assert [e["name"] for e in await call("list", path="/", gt="a")] == ["c"]
        await call("del", path="/a/b")
        assert await call("get", path="/a/b") is None
        assert [e["name"] for e in await call("list", path="/a")] == []


class Club:
    """A database with members, and the voting contract."""

    def __init__(self, worker: ContractWorker, *members: str) -> None:
        self.worker = worker
        self.host = MemoryHost()
        for member in members:
            self._set(member, active=True)

    def _set(self, key: str, *, active: bool) -> None:
        path = f".sys\x00inputs\x00{key}".encode()
        self.host.put(path, {"pubkey": bytes.fromhex(key), "active": active})
        others = [info for info in self.host.members if info.public_key != key]
        self.host.members = [*others, OplogInfo(key, 1, active)]

    async def vote(self, voter: str, action: str, key: str) -> ApplyResult:
        """Cast one vote and apply what it decides."""
        op = {"op": "VOTE", "action": action, "pubkey": key}
        one = ApplyRequest(op, AckView(voter, self.host.length, 1))
        (result,) = await self.worker.apply([one], self.host)
        for change in result.changes:
            if isinstance(change, AddOplog | RemoveOplog):
                self._set(change.public_key.hex(), active=isinstance(change, AddOplog))
            elif isinstance(change, Put):
                self.host.put(change.path[1:].replace("/", "\0").encode(), change.value)
            elif isinstance(change, Delete):
                key_bytes = change.path[1:].replace("/", "\0").encode()
                self.host.entries_by_key.pop(key_bytes, None)
        return result


async def test_membership_voting() -> None:
    async with running(example("membership-voting.js")) as worker:
        club = Club(worker, A)
        # One of one is a majority.
        result = await club.vote(A, "add", B)
        assert AddOplog(bytes.fromhex(B)) in result.changes
        # One of two is not.
        assert (await club.vote(A, "add", C)).changes == (Put(f"/votes/add/{C}", [A]),)
        # A second vote of the same does not count twice.
        assert (await club.vote(A, "add", C)).changes == (Put(f"/votes/add/{C}", [A]),)
        result = await club.vote(B, "add", C)
        assert set(map(type, result.changes)) == {Delete, AddOplog}
        assert (await worker.call("members", None, club.host)).response == [A, B, C]
        # Two of three are.
        await club.vote(A, "remove", C)
        open_votes = (await worker.call("votes", None, club.host)).response
        assert open_votes == [{"action": "remove", "pubkey": C, "voters": [A]}]
        result = await club.vote(B, "remove", C)
        assert RemoveOplog(bytes.fromhex(C)) in result.changes
        # Votes of those who left do not count.
        await club.vote(A, "add", C)
        await club.vote(B, "add", C)
        await club.vote(C, "add", D)
        await club.vote(A, "remove", C)
        await club.vote(B, "remove", C)
        assert (await club.vote(A, "add", D)).changes == (Put(f"/votes/add/{D}", [A]),)


async def test_membership_voting_refuses() -> None:
    async with running(example("membership-voting.js")) as worker:
        club = Club(worker, A, B)
        for voter, action, key, text in (
            (C, "add", D, "only participants vote"),
            (A, "add", B, "is a participant already"),
            (A, "remove", C, "is no participant"),
            (A, "banish", B, "action is one of add, remove"),
            (A, "add", "xyz", "64 hex digits"),
        ):
            result = await club.vote(voter, action, key)
            assert text in str(result.error)
        alone = Club(worker, A)
        assert "last participant" in str((await alone.vote(A, "remove", A)).error)


async def test_membership_voting_emits() -> None:
    async with running(example("membership-voting.js")) as worker:
        host = MemoryHost()
        host.writer = True
        result = await worker.call("vote", {"action": "add", "pubkey": B}, host)
        assert result.operations == [{"op": "VOTE", "action": "add", "pubkey": B}]
