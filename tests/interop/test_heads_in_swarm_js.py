"""A Corestore of theirs in a swarm of ours notices nothing while we tell each other of heads."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import trio

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.transparency.proofs.log_frauds import BlockRewriteFraudProof
from tests.attacks.test_split_view import connected as joined
from tests.attacks.test_split_view import proven
from vitra_node import Corestore, Swarm

from .test_swarm_js import BOTH, Round, Theirs, connected, play

BLOCKS = 30


def test_their_corestore_is_not_disturbed_by_the_heads_we_tell_each_other(tmp_path: Path) -> None:
    """Two of ours convict a writer with two faces; the third and its logs go on meanwhile."""

    async def story(this: Round) -> None:
        theirs = await this.their_swarm()
        writer = KeyPair.from_seed(blake2b_256(b"writer %d" % this.number))
        async with AsyncExitStack() as stack:
            nodes = []
            for _ in range(2):
                store = await stack.enter_async_context(Corestore.open(None))
                opening = Swarm.open(store, bootstrap=this.bootstrap)
                nodes.append((store, await stack.enter_async_context(opening)))
            (one, our_swarm), (_, other_swarm) = nodes
            ours = await one.get(name="log", allow_truncation=False)
            await ours.append([b"block 0"])
            log = await this.js.call("core", store=theirs.store, name="log", append=["block 0"])
            copy = await this.js.call("core", store=theirs.store, key=ours.key.hex())
            readers = [
                await store.get(key=bytes.fromhex(log["key"]), allow_truncation=False)
                for store, _ in nodes
            ]
            # In an order in which nobody is called by two at once: then no connection is replaced.
            await our_swarm.join(ours.discovery_key, client=False)
            await our_swarm.flush()
            await theirs.join(ours.discovery_key, **BOTH)
            await theirs.call("flush")
            await other_swarm.join(ours.discovery_key, server=False)
            keys = [swarm.key_pair.public_key.hex() for _, swarm in nodes]
            await connected(our_swarm, theirs.key, keys[1])
            await connected(other_swarm, theirs.key, keys[0])
            before = await settled(theirs, nodes)

            # Both see one face of the writer each, and learn of the other's from each other.
            for (store, _), word in zip(nodes, (b"one", b"other"), strict=True):
                face = await stack.enter_async_context(Corestore.open(None))
                shown = await face.get(key_pair=writer)
                await shown.append([word] * BLOCKS)
                await store.get(key=shown.key, allow_truncation=False)
                await stack.enter_async_context(joined(face, store))
            for number in range(1, BLOCKS):
                await ours.append(b"block %d" % number)
                await this.js.call("append", core=log["core"], text=f"block {number}")
            for store, _ in nodes:
                split = await store.get(key=shown.key, allow_truncation=False)
                assert isinstance(await proven(split), BlockRewriteFraudProof)

            expected = [b"block %d" % number for number in range(BLOCKS)]
            blocks = await this.js.call("read", core=copy["core"], length=BLOCKS)
            assert blocks == [block.hex() for block in expected]
            for reader in readers:
                assert [await reader.get(number) for number in range(BLOCKS)] == expected
                assert reader.heads is not None
                assert reader.heads.proof is None
            # The connections are the same, so nobody refused what the others said.
            assert await settled(theirs, nodes) == before
            await theirs.close()

    play(story, tmp_path)


async def settled(theirs: Theirs, nodes: list[tuple[Corestore, Swarm]]) -> set[str]:
    """The connections of all three by their handshakes, when everybody knows of the same."""
    while True:
        near = [
            {
                each.connection.handshake.hash.hex()
                for each in swarm.connections
                if each.connection.handshake
            }
            for _, swarm in nodes
        ]
        far = {each["handshake"] for each in await theirs.call("connections")}
        if far == near[0] ^ near[1] and len(near[0] & near[1]) == 1 and len(far) == 2:
            return near[0] | near[1]
        await trio.sleep(0.05)


def handshakes(swarm: Swarm) -> set[str]:
    made = [each.connection.handshake for each in swarm.connections]
    return {handshake.hash.hex() for handshake in made if handshake is not None}
