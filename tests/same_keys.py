"""A world in which chance is the same in every run: keys are, and what follows from them."""

from __future__ import annotations

from random import Random

from vitra_node.world import RealWorld


class SameKeys(RealWorld):
    """The real world with other dice. Only one node of a test may live in it."""

    def __init__(self) -> None:
        super().__init__()
        self._rolls = Random(1)

    def random_bytes(self, count: int) -> bytes:
        return self._rolls.randbytes(count)
