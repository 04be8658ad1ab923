"""Liars on real sockets, against a node in a process of its own: who is banned, what is kept, and
what the node says of the database afterwards."""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio

from simulations.actors.hostile_heads import (
    BorrowedSignature,
    EmptyProof,
    OtherHistory,
    UnsignedHead,
)
from simulations.actors.hostile_log import Attack, HostileLog, serve_hostile
from simulations.actors.two_faced_writer import TwoFacedWriter
from tests.cli.processes import COUNTER, ok, serving
from vitra_node.api.client import ControlClient
from vitra_node.config import Address
from vitra_node.database import Database
from vitra_node.net.connections import Connections
from vitra_node.net.tcp import serve_tcp
from vitra_node.world import REAL_WORLD

SECONDS = 120
HOST = "127.0.0.1"
OPERATIONS = 3
# After so many false words a peer is banned.
LIES_TO_BAN = 2
ATTACKS: tuple[type[Attack], ...] = (UnsignedHead, BorrowedSignature, EmptyProof, OtherHistory)

Ask = Callable[..., Awaitable[Any]]


class Victim:
    """A node under attack, from outside."""

    def __init__(self, directory: Path, line: dict[str, Any]) -> None:
        self._directory = directory
        self._metrics = line["metrics"]

    async def ask(self, method: str, **params: Any) -> Any:
        """What the node answers on its control socket."""

        def call() -> Any:
            with ControlClient.connect(self._directory) as client:
                return client.call(method, **params)

        return await trio.to_thread.run_sync(call)

    async def figure(self, name: str) -> float:
        """One of its metrics."""

        def scrape() -> str:
            with urllib.request.urlopen(f"http://{self._metrics}/metrics") as answer:
                return str(answer.read().decode())

        lines = (await trio.to_thread.run_sync(scrape)).splitlines()
        [value] = [
            line.split()[-1]
            for line in lines
            if line.startswith((f"vitra_{name}{{", f"vitra_{name}_total{{"))
        ]
        return float(value)


@asynccontextmanager
async def node_without_peers(directory: Path, key: bytes) -> AsyncIterator[Victim]:
    """A node in a process, which knows the key of a database and nobody who has it."""
    await trio.to_thread.run_sync(ok, directory, "join", key.hex())
    with serving(directory, "--metrics", f"{HOST}:0") as line:
        yield Victim(directory, line)


async def increment(executor: Database) -> None:
    for _ in range(OPERATIONS):
        await (await executor.call("increment")).when_processed()


async def test_false_heads_proofs_and_blocks_ban_who_says_them_and_nobody_else(
    tmp_path: Path,
) -> None:
    with trio.fail_after(SECONDS):
        async with (
            Database.create(None, contract=COUNTER) as executor,
            node_without_peers(tmp_path, executor.key) as node,
            trio.open_nursery() as nursery,
        ):
            await increment(executor)
            core = executor.index.core
            for attack in ATTACKS:
                lies: list[HostileLog] = []
                enough = trio.Event()

                def ended(lie: HostileLog, lies: Any = lies, enough: Any = enough) -> None:
                    lies.append(lie)
                    if len(lies) == LIES_TO_BAN:
                        enough.set()

                serve = partial(serve_hostile, core.storage, [attack], REAL_WORLD, HOST, ended)
                address = await nursery.start(serve)
                await node.ask("node.connect", address=str(address))
                await enough.wait()
            host, port = await executor.listen(HOST, 0)
            await node.ask("node.connect", address=f"{host}:{port}")
            synced = await node.ask("database.sync")
            assert synced["index"]["length"] == core.length
            verdict = await node.ask("audit.verify")
            assert (verdict["verdict"], verdict["operations"]) == ("verified", OPERATIONS)
            assert await node.ask("fraud.list") == []
            assert (await node.ask("node.status"))["forks"] == []
            assert await node.figure("banned_addresses") == len(ATTACKS)
            assert await node.figure("peer_faults") == LIES_TO_BAN * len(ATTACKS)
            peers = [peer["address"] for peer in await node.ask("node.peers")]
            assert peers == [f"{host}:{port}"]
            # The executor heard of nothing.
            assert executor.forks == []
            nursery.cancel_scope.cancel()


async def test_another_history_that_the_writer_signed_convicts_the_writer_alone(
    tmp_path: Path,
) -> None:
    with trio.fail_after(SECONDS):
        async with (
            Database.create(None, contract=COUNTER) as executor,
            node_without_peers(tmp_path, executor.key) as node,
            trio.open_nursery() as nursery,
        ):
            await increment(executor)
            core = executor.index.core
            host, port = await executor.listen(HOST, 0)
            await node.ask("node.connect", address=f"{host}:{port}")
            await node.ask("database.sync")
            assert (await node.ask("audit.verify"))["verdict"] == "verified"
            counted = await node.ask("index.get", path="/counter")

            assert core.key_pair is not None
            blocks = [await core.get(number) for number in range(core.length)]
            other = [*blocks[:-2], b"another history", b"and more", b"and longer"]
            liar = TwoFacedWriter(core.key_pair)
            async with liar.face(other) as store:
                pair = store.create_key_pair("peer")
                connections = Connections(store.cores, pair, store.wait_for_room)
                serve = partial(serve_tcp, Address(HOST, 0), connections)
                [face] = await nursery.start(serve)
                await node.ask("node.connect", address=str(face))
                # The executor learns of it from the node: they gossip.
                while not executor.forks:
                    await core.wait_for_activity()
                [fork] = (await node.ask("node.status"))["forks"]
                assert (fork["log"], fork["whose"]) == (executor.key.hex(), "executor")
                assert fork["kind"] == "BlockRewriteFraudProof"
                found = await node.ask("audit.verify")
                assert (found["verdict"], found["kind"]) == ("violated", "BlockRewriteFraudProof")
                # What was there is there, and nothing of the other history.
                info = await node.ask("database.info")
                assert info["index"] == {
                    "length": len(blocks),
                    "fork": 0,
                    "stored": len(blocks),
                }
                assert await node.ask("index.get", path="/counter") == counted
                # Who passes on what another signed has not lied.
                assert await node.figure("banned_addresses") == 0
                assert await node.figure("peer_faults") == 0
            nursery.cancel_scope.cancel()
