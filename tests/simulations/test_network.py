"""The simulated network, translators and disk do what they say."""

from __future__ import annotations

from random import Random

import pytest
import trio

from simulations.chance import chance
from simulations.clock import START_SECONDS, run
from simulations.disk import SimulatedDisk
from simulations.host import Host
from simulations.journal import Journal
from simulations.network.nat import FORGET_SECONDS, Nat, NatKind
from simulations.simulation import Simulation
from vitra_node.config import Address
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.errors import StorageError

PEER = ("41.0.0.7", 1000)
OTHER = ("41.0.1.7", 1000)
INSIDE = ("192.168.0.2", 5000)


def test_time_jumps_and_a_seed_orders_the_tasks() -> None:
    def order(seed: int) -> list[int]:
        found: list[int] = []

        async def one(number: int) -> None:
            await trio.sleep(3600)
            found.append(number)

        async def main() -> None:
            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(one, number)
            assert trio.current_time() == pytest.approx(START_SECONDS + 3600)

        run(main, chance(seed, "scheduler"))
        return found

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_consistent_translator_keeps_the_port_and_lets_in_who_was_written_to() -> None:
    nat = Nat("41.0.9.7", NatKind.CONSISTENT, Random(1))
    assert nat.outbound(INSIDE, PEER, 0.0) == ("41.0.9.7", 5000)
    assert nat.outbound(("192.168.0.3", 5000), PEER, 0.0) != ("41.0.9.7", 5000)
    assert nat.inbound(5000, PEER, 1.0) == INSIDE
    assert nat.inbound(5000, OTHER, 1.0) is None
    assert nat.outbound(INSIDE, OTHER, 2.0) == ("41.0.9.7", 5000)
    assert nat.inbound(5000, OTHER, 3.0) == INSIDE
    assert nat.inbound(5000, PEER, 2.0 + FORGET_SECONDS) is None


def test_a_randomising_translator_takes_another_port_for_each_peer() -> None:
    nat = Nat("41.0.9.7", NatKind.RANDOMISING, Random(1))
    _, port = nat.outbound(INSIDE, PEER, 0.0)
    _, other = nat.outbound(INSIDE, OTHER, 0.0)
    assert port != other
    assert nat.inbound(port, PEER, 1.0) == INSIDE
    assert nat.inbound(port, OTHER, 1.0) is None


def test_a_partition_parts_and_a_crash_breaks_streams() -> None:
    heard: list[bytes] = []

    async def story(simulation: Simulation) -> None:
        one, two = simulation.host(), simulation.host()
        bound: list[Address] = []

        async def listen(host: Host) -> None:
            async def take(stream: trio.abc.Stream, _peer: Address) -> None:
                heard.append(await stream.receive_some())
                await stream.send_all(b"pong")
                await trio.sleep_forever()

            async with trio.open_nursery() as nursery:
                bound.extend(await nursery.start(host.world.serve_streams, host.address, 0, take))

        simulation.nursery.start_soon(two.run, listen)
        await trio.sleep(1)
        stream = await one.world.open_stream(bound[0].host, bound[0].port)
        socket = one.world.bind_datagrams(one.address, 0)
        far = two.world.bind_datagrams("0.0.0.0", 7)
        simulation.network.partition([[one.place]])
        await stream.send_all(b"ping")
        socket.send([(b"lost", far.address)])
        await trio.sleep(10)
        assert not heard
        simulation.network.heal()
        socket.send([(b"found", far.address)])
        assert await stream.receive_some() == b"pong"
        assert [data for data, _ in await far.receive()] == [b"found"]
        assert heard == [b"ping"]
        two.crash()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await story(Simulation(1, 2, Journal(), nursery))
            nursery.cancel_scope.cancel()

    run(main, chance(1, "scheduler"))


def test_a_write_that_is_cut_off_is_all_there_or_not_at_all() -> None:
    outcomes = set()
    for seed in range(20):
        disk = SimulatedDisk(Random(seed))
        cut: list[bool] = []
        disk.lose_power(1, lambda cut=cut: cut.append(True))  # type: ignore[misc]
        for key in (b"a", b"b"):
            writes = Writes()
            writes.put(key + b"1", b"x")
            writes.put(key + b"2", b"y")
            if key == b"a":
                disk.write([writes])
            else:
                with pytest.raises(StorageError):
                    disk.write([writes])
        disk.close()
        assert cut == [True]
        assert disk.get(b"a1") == b"x"
        assert (disk.get(b"b1") is None) == (disk.get(b"b2") is None)
        outcomes.add(disk.get(b"b1"))
    assert outcomes == {None, b"x"}
