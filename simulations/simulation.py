"""One run: its seed, its network, its hosts, what it measured, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import trio

from .chance import chance
from .disk import SimulatedDisk
from .host import Host
from .journal import Journal
from .network.conditions import Conditions
from .network.nat import Nat, NatKind
from .network.network import Network
from .network.streams import Listeners
from .world import SimulatedWorld


class Simulation:
    """What a scenario works with.

    Attributes:
      seed: decides everything.
      nodes: how large the scenario is to be.
      network: between the hosts.
      journal: takes note of all that happens.
      nursery: for the hosts' lives; it is cancelled when the scenario returns.
      failures: what was claimed and did not hold.
      columns, rows: the scenario's figures, as a table.
      summary: its results, by name.
    """

    def __init__(self, seed: int, nodes: int, journal: Journal, nursery: trio.Nursery) -> None:
        self.seed = seed
        self.nodes = nodes
        self.journal = journal
        self.nursery = nursery
        self.network = Network(self.chance("network"), journal, Conditions())
        self.failures: list[str] = []
        self.columns: Sequence[str] = ()
        self.rows: list[Sequence[object]] = []
        self.summary: dict[str, object] = {}
        self._listeners = Listeners(self.network)
        self._hosts = 0
        nursery.start_soon(self.network.run)

    def chance(self, purpose: str) -> Random:
        """A stream of chance of its own."""
        return chance(self.seed, purpose)

    # hosts ----------------------------------------------------------------------------------------

    def host(self, *, nat: Nat | None = None) -> Host:
        """A further machine; public, or behind a translator."""
        number = self._hosts
        self._hosts += 1
        name = f"host-{number}"
        # One /24 for each, as strangers have; private addresses behind a translator.
        address = _public(number) if nat is None else f"192.168.{number >> 8}.{number & 255}"
        place = self.network.connect(address, nat)
        dice = self.chance(name)
        disk = SimulatedDisk(self.chance(f"{name}/disk"))
        world = SimulatedWorld(place, self.network, self._listeners, dice, disk)
        return Host(name, place, world, disk, self.network, self._listeners, self.journal)

    def nat(self, kind: NatKind) -> Nat | None:
        """A translator of its own; None for ``OPEN``."""
        if kind is NatKind.OPEN:
            return None
        number = self._hosts
        self._hosts += 1
        return Nat(_public(number), kind, self.chance(f"nat-{number}"))

    # results --------------------------------------------------------------------------------------

    def note(self, what: str, **values: object) -> None:
        """A result, for the digest."""
        self.journal.note(what, **values)

    def check(self, holds: bool, claim: str) -> None:
        """A claim of the scenario; the run fails if it does not hold, but goes on."""
        self.note("check", claim=claim, holds=holds)
        if not holds:
            self.failures.append(claim)

    def table(self, *columns: str) -> None:
        """Name the columns of the figures."""
        self.columns = columns

    def row(self, *values: object) -> None:
        """One line of them."""
        assert len(values) == len(self.columns)
        self.rows.append(values)
        self.note("row", **dict(zip(self.columns, values, strict=True)))


def _public(number: int) -> str:
    return f"{41 + (number >> 16)}.{(number >> 8) & 255}.{number & 255}.7"
