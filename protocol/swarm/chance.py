"""Random choices, made from random bytes that the caller supplies."""

from __future__ import annotations

from collections.abc import Callable

RandomBytes = Callable[[int], bytes]

_FRACTION_BYTES = 4


class Chance:
    """Draws numbers. None of them is a secret; they spread load and break ties."""

    def __init__(self, random_bytes: RandomBytes) -> None:
        self._random_bytes = random_bytes

    def fraction(self) -> float:
        """At least 0 and below 1."""
        drawn = int.from_bytes(self._random_bytes(_FRACTION_BYTES), "little")
        return float(drawn / 256**_FRACTION_BYTES)

    def below(self, bound: int) -> int:
        """A whole number from 0 to ``bound`` - 1."""
        return int(self.fraction() * bound)
