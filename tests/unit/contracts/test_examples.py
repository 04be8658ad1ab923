"""The example contracts that come with the package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

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
from vitra_node.contracts.errors import ContractCallError
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


async def run(worker: ContractWorker, host: MemoryHost, who: str, op: Any, ts: int = 0) -> Any:
    """Apply one operation; gives its error."""
    one = ApplyRequest(op, AckView(who, host.length, ts))
    (result,) = await worker.apply([one], host)
    host.commit(one, result)
    return result.error


async def call(worker: ContractWorker, host: MemoryHost, method: str, **params: Any) -> Any:
    """Call a method; gives the one operation it emits, or what it returns."""
    result = await worker.call(method, params, host)
    return result.operations[0] if result.operations else result.response


def keys() -> list[tuple[str, str]]:
    """Keys with their hashes."""
    made = [f"{number:02x}" * 32 for number in range(1, 6)]
    return [(key, hashlib.sha256(bytes.fromhex(key)).hexdigest()) for key in made]


async def test_key_registry() -> None:
    hour = 3_600_000
    (first, _), (second, second_hash), (third, third_hash), *_ = keys()
    async with running(example("key-registry.js")) as worker:
        host = MemoryHost()
        host.writer = True
        assert (await worker.call("hash", second, host)).response == second_hash
        op = await call(worker, host, "register", name="ann", key=first, next=second_hash)
        assert await run(worker, host, A, op) is None
        assert "the name is taken" in await run(worker, host, B, op)
        rotate = await call(worker, host, "rotate", name="ann", key=second, next=third_hash)
        for who, change, ts, text in (
            (A, {}, hour - 1, "at most once an hour"),
            (B, {}, hour, "only the owner"),
            (A, {"key": third}, hour, "not the key that was promised"),
            (A, {"name": "bob"}, hour, "no such user"),
            (A, {"name": "Ann"}, hour, "a name has"),
            (A, {"next": "x"}, hour, "64 hex digits"),
        ):
            assert text in await run(worker, host, who, {**rotate, **change}, ts)
        assert await run(worker, host, A, rotate, hour) is None
        user = await call(worker, host, "get", name="ann")
        assert (user["key"], user["version"], user["owner"]) == (second, 2, A)
        # Back to the first key, were it promised.
        back = {**rotate, "key": third, "next": hashlib.sha256(bytes.fromhex(first)).hexdigest()}
        assert await run(worker, host, A, back, 2 * hour) is None
        back = {**back, "key": first}
        assert "never comes back" in await run(worker, host, A, back, 3 * hour)
        used = await call(worker, host, "keys", name="ann")
        assert [(entry["key"], entry["version"]) for entry in used] == [
            (first, 1),
            (second, 2),
            (third, 3),
        ]
        assert await run(worker, host, A, {"op": "REVOKE", "name": "ann"}, 4 * hour) is None
        assert "was revoked" in await run(worker, host, A, rotate, 9 * hour)
        assert await call(worker, host, "users") == ["ann"]
        host.writer = False
        with pytest.raises(ContractCallError, match="only participants"):
            await call(worker, host, "revoke", name="ann")


async def test_package_registry() -> None:
    async with running(example("package-registry.js")) as worker:
        host = MemoryHost()

        async def publish(who: str, name: str, version: str, **dependencies: str) -> Any:
            op = await call(
                worker,
                host,
                "publish",
                name=name,
                version=version,
                hash=A,
                dependencies=dependencies,
            )
            return await run(worker, host, who, op)

        for version in ("0.9.9", "1.0.0", "1.2.0", "1.10.1", "2.0.0"):
            assert await publish(A, "left", version) is None
        assert "does not follow 2.0.0" in await publish(A, "left", "1.11.0")
        assert "does not follow" in await publish(A, "left", "2.0.0")
        assert "only maintainers" in await publish(B, "left", "3.0.0")
        for wanted, found in (
            ("*", "2.0.0"),
            ("^1.0.0", "1.10.1"),
            ("~1.2.0", "1.2.0"),
            (">=1.0.0", "2.0.0"),
            ("1.0.0", "1.0.0"),
            ("^0.9.0", "0.9.9"),
        ):
            answer = await call(worker, host, "resolve", name="left", range=wanted)
            assert answer == {"version": found, "hash": A}, wanted
        assert await publish(B, "app", "1.0.0", left="^1.0.0") is None
        assert "nothing published satisfies" in await publish(B, "app", "1.0.1", left="^3.0.0")
        assert "itself" in await publish(B, "app", "1.0.1", app="*")
        yank = await call(worker, host, "yank", name="left", version="2.0.0", reason="leaks")
        assert "only maintainers" in await run(worker, host, B, yank)
        assert await run(worker, host, A, yank) is None
        assert "yanked already" in await run(worker, host, A, yank)
        answer = await call(worker, host, "resolve", name="left")
        assert answer["version"] == "1.10.1"
        listed = await call(worker, host, "versions", name="left", limit=2, offset=1)
        assert [release["version"] for release in listed] == ["1.10.1", "1.2.0"]
        change = await call(worker, host, "maintainer", name="left", pubkey=B)
        assert await run(worker, host, A, change) is None
        assert await publish(B, "left", "3.0.0") is None
        change = await call(worker, host, "maintainer", name="left", pubkey=A, remove=True)
        assert await run(worker, host, B, change) is None
        assert "only maintainers" in await publish(A, "left", "3.0.1")
        alone = {**change, "pubkey": B}
        assert "keeps one maintainer" in await run(worker, host, B, alone)
        for bad in ("1.0", "01.0.0", "1.0.0-beta", "1.0.9999999"):
            with pytest.raises(ContractCallError, match="a version is like"):
                await call(worker, host, "publish", name="x", version=bad, hash=A)
